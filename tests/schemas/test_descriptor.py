"""The descriptor follows from the declarations, is valid by the official profile, and its own checks fire."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.descriptor import (
    FORMATS,
    Coverage,
    FileFacts,
    allowed_values,
    descriptor_problems,
    package_descriptor,
    resource_name,
    resource_path,
)
from schemas.tables import load_tables
from tests.publish.county import YEAR, form, region

TABLES = load_tables()
FACTS = {
    resource_path(table.id, fmt): FileFacts(bytes=10, sha256="0" * 64) for table in TABLES.released for fmt in FORMATS
}
COVERAGE = Coverage(expected=3, accepted=2, waived=("511725-D03",))


@pytest.fixture
def descriptor() -> dict[str, Any]:
    return package_descriptor(region(), YEAR, form(), COVERAGE, FACTS)


def resource(descriptor: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in descriptor["resources"] if entry["name"] == name)


def test_the_derived_descriptor_is_valid(descriptor: dict[str, Any]) -> None:
    assert descriptor_problems(descriptor) == ()
    assert descriptor_problems(json.loads(json.dumps(descriptor))) == ()


def test_every_table_is_two_resources_of_one_basename(descriptor: dict[str, Any]) -> None:
    names = [entry["name"] for entry in descriptor["resources"]]
    assert names == [resource_name(table.id, fmt) for table in TABLES.released for fmt in FORMATS]
    for table in TABLES.released:
        parquet, csv = resource(descriptor, table.id), resource(descriptor, f"{table.id}_csv")
        assert parquet["path"].rsplit(".", 1)[0] == csv["path"].rsplit(".", 1)[0]
        assert [field["name"] for field in parquet["schema"]["fields"]] == list(table.names)


def test_a_foreign_key_points_to_the_twin_of_the_same_format(descriptor: dict[str, Any]) -> None:
    keys = resource(descriptor, "body_cells_csv")["schema"]["foreignKeys"]
    assert [key["reference"]["resource"] for key in keys] == ["form_cells_csv", "bodies_csv"]
    keys = resource(descriptor, "body_cells")["schema"]["foreignKeys"]
    assert [key["reference"]["resource"] for key in keys] == ["form_cells", "bodies"]


def test_the_texts_say_whose_data_these_are_and_that_they_are_synthetic(descriptor: dict[str, Any]) -> None:
    assert descriptor["title"] == "渠县2023年度政府信息公开工作年度报告统计表数据（示例）"
    assert descriptor["title_en"].endswith("Quxian, 2023 (sample)")
    assert descriptor["x-region"]["code"] == "511725"
    assert descriptor["x-synthetic"] is True
    assert "均为虚构" in descriptor["description"]
    assert descriptor["x-coverage"] == {"expected": 3, "accepted": 2, "waived": ["511725-D03"]}
    assert descriptor["version"] == TABLES.schema_version
    assert "created" not in descriptor


@pytest.mark.parametrize(
    ("table", "field", "values"),
    [
        ("findings", "severity", ("error", "warning", "information")),
        ("bodies", "status", ("accepted", "refused", "missing", "waived")),
        ("bodies", "kind", ("office", "department", "township", "subdistrict")),
        ("form_cells", "kind", ("count", "money", "signed_count")),
        ("indicators", "add_up", ("sum", "maximum", "office")),
        ("body_cells", "raw", ()),
    ],
)
def test_value_sets_come_from_the_declarations(table: str, field: str, values: tuple[str, ...]) -> None:
    assert allowed_values(table, field) == values


def spoil_schema(descriptor: dict[str, Any]) -> None:
    del resource(descriptor, "body_cells")["schema"]["primaryKey"]


def spoil_constraint(descriptor: dict[str, Any]) -> None:
    fields = resource(descriptor, "findings_csv")["schema"]["fields"]
    next(field for field in fields if field["name"] == "severity")["constraints"].pop("enum")


def spoil_title(descriptor: dict[str, Any]) -> None:
    descriptor["title"] = 5


def spoil_twin(descriptor: dict[str, Any]) -> None:
    descriptor["resources"].remove(resource(descriptor, "indicators_csv"))


def spoil_target(descriptor: dict[str, Any]) -> None:
    resource(descriptor, "body_cells")["schema"]["foreignKeys"][0]["reference"]["resource"] = "nowhere"


def spoil_format(descriptor: dict[str, Any]) -> None:
    resource(descriptor, "body_cells")["schema"]["foreignKeys"][0]["reference"]["resource"] = "form_cells_csv"


def spoil_field(descriptor: dict[str, Any]) -> None:
    fields = resource(descriptor, "bodies")["schema"]["fields"]
    fields.append(copy.deepcopy(fields[0]))


def spoil_own_fields(descriptor: dict[str, Any]) -> None:
    resource(descriptor, "body_cells")["schema"]["foreignKeys"][0]["fields"] = ["nothing"]


def spoil_target_fields(descriptor: dict[str, Any]) -> None:
    resource(descriptor, "body_cells")["schema"]["foreignKeys"][0]["reference"]["fields"] = ["nothing"]


def spoil_twice(descriptor: dict[str, Any]) -> None:
    descriptor["resources"].append(copy.deepcopy(descriptor["resources"][0]))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda d: d.update({"$schema": "https://example.org/profile.json"}), "$.$schema"),
        (lambda d: d.pop("$schema"), "$.$schema"),
        (lambda d: d.pop("resources"), "'resources' is a required property"),
        (spoil_title, "$.title"),
        (lambda d: d.update(created="last Tuesday"), "$.created"),
        (lambda d: d.update(created="2024-02-30"), "$.created"),
        (lambda d: resource(d, "bodies")["schema"].update(primaryKey="body"), "primaryKey is 'body', a list"),
        (lambda d: resource(d, "bodies")["schema"].update(primaryKey=["nobody"]), "names no field"),
        (lambda d: resource(d, "bodies").update(hash="0" * 32), "expected sha256:"),
        (lambda d: resource(d, "bodies").update(hash="sha256:" + "0" * 63), "expected sha256:"),
        (lambda d: resource(d, "bodies").pop("bytes"), "bytes is None"),
        (lambda d: resource(d, "bodies").update(format="xlsx"), "format is 'xlsx'"),
        (lambda d: resource(d, "bodies").update(path="https://example.org/a.parquet"), "path is"),
        (lambda d: resource(d, "bodies").update(schema="schema.json"), "a schema of its own"),
        (spoil_target, "'nowhere', which is no resource"),
        (spoil_format, "the other format"),
        (lambda d: resource(d, "bodies_csv").update(encoding="gbk"), "expected utf-8"),
        (spoil_field, "bodies: a field is named twice"),
        (spoil_own_fields, "names no fields of the table"),
        (spoil_target_fields, "no fields of form_cells"),
        (spoil_twin, "the CSV twin indicators_csv is missing"),
        (spoil_twice, "used twice"),
        (spoil_schema, "primaryKey is None"),
        (spoil_constraint, "findings_csv: the schema is not the one"),
    ],
)
def test_a_spoilt_descriptor_is_seen(descriptor: dict[str, Any], spoil: Any, problem: str) -> None:
    spoil(descriptor)
    problems = descriptor_problems(descriptor)
    assert any(problem in text for text in problems), problems


def test_another_schema_version_is_checked_by_the_profile_but_not_by_our_declaration(
    descriptor: dict[str, Any],
) -> None:
    spoil_constraint(descriptor)
    descriptor["version"] = "9.0.0"
    assert descriptor_problems(descriptor) == ()


@pytest.mark.parametrize("value", [None, [], "x", 3, {}])
def test_something_else_is_no_descriptor(value: Any) -> None:
    assert descriptor_problems(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in below for place in places(part, (*path, key)))]


PLACES = places(package_descriptor(region(), YEAR, form(), COVERAGE, FACTS))
JSON = st.sampled_from([None, True, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], {"name": "x"}, ["cell"], "body"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES[1:]), JSON), min_size=1, max_size=3))
def test_a_mangled_descriptor_never_breaks_the_check(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    descriptor: Any = package_descriptor(region(), YEAR, form(), COVERAGE, FACTS)
    for path, value in changes:
        at = descriptor
        try:
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    assert all(isinstance(problem, str) for problem in descriptor_problems(descriptor))
