"""The editions of the form: what they hold, and that an inconsistent one fails on load, naming the line."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from schemas import form as module
from schemas.declaration import DeclarationError
from schemas.form import (
    FORMS,
    edition_for,
    editions,
    group_path,
    load_form,
    plain_label,
    read_form,
    rows_of_group,
    short_label,
)

TEXT = (FORMS / "2021.toml").read_text(encoding="utf-8")


def line_with(text: str, part: str, after: str = "") -> int:
    """The number of the first line that holds ``part``, after the first line that holds ``after``."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if after in line)
    return next(number for number, line in enumerate(lines, 1) if number > start and part in line)


def refused(text: str) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        read_form(text, "x.toml")
    assert caught.value.file == "x.toml"
    return caught.value


# --- what the editions hold ---------------------------------------------------------------------------------


def test_edition_2021_has_the_203_cells_of_the_official_form() -> None:
    form = load_form("2021")
    counted = Counter(cell.table for cell in form.cells)
    assert counted == {"proactive": 10, "requests": 175, "disputes": 15, "processing_fees": 3}
    assert len(form.by_id) == len(form.cells) == 203
    assert [form.index[cell.id] for cell in form.cells] == list(range(203))
    money = {cell.id: cell.unit for cell in form.cells if cell.kind == "money"}
    assert money == {
        "proactive.administrative_fees.amount": "万元",
        "processing_fees.notices.amount": "元",
        "processing_fees.notices.collected": "元",
    }
    assert {cell.table for cell in form.cells if cell.optional} == {"processing_fees"}
    assert sum(cell.total for cell in form.cells if cell.table == "requests") == 25 + 6
    assert sum(cell.total for cell in form.cells if cell.table == "disputes") == 3


def test_edition_2019_differs_where_the_form_differs() -> None:
    counted = Counter(cell.table for cell in load_form("2019").cells)
    assert counted["requests"] == 23 * 7
    assert counted["disputes"] == 15
    rows_2019 = {cell.row for cell in load_form("2019").cells if cell.table == "requests"}
    rows_2021 = {cell.row for cell in load_form("2021").cells if cell.table == "requests"}
    assert rows_2021 - rows_2019 == {"other_not_corrected", "other_fee_unpaid", "other"}
    assert rows_2019 - rows_2021 == {"other_handling"}


@pytest.mark.parametrize("edition", editions())
def test_ids_are_made_of_table_row_and_column(edition: str) -> None:
    form = load_form(edition)
    assert form.edition == edition
    for cell in form.cells:
        assert cell.id == f"{cell.table}.{cell.row}.{cell.column}"
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+){2}", cell.id)
        assert cell.label_zh.count("｜") == 1
        assert cell.label_en


def test_labels_lead_a_person_to_the_cell() -> None:
    cell = load_form("2021").by_id["requests.refused_state_secret.legal_service"]
    assert cell.label_zh == "三、本年度办理结果 （三）不予公开 1.属于国家秘密｜法人或其他组织—法律服务机构"
    assert cell.label_en == "3. Results of the year / (3) Refused / State secret | Legal service providers"


def test_cells_of_narrows() -> None:
    form = load_form("2021")
    assert len(form.cells_of("requests", row="received")) == 7
    assert len(form.cells_of("requests", column="total")) == 25
    assert len(form.cells_of("proactive", block="item_1")) == 6
    assert [cell.id for cell in form.cells_of("disputes", row="reconsideration", column="total")] == [
        "disputes.reconsideration.total"
    ]
    assert form.cells_of("nothing") == ()
    with pytest.raises(KeyError):
        form.table("nothing")


def test_groups() -> None:
    block = load_form("2021").table("requests").blocks[0]
    assert [group.id for group in group_path(block.row_groups, "refused")] == ["outcome", "refused"]
    assert group_path(block.row_groups, "") == ()
    outcomes = rows_of_group(block, "outcome")
    assert len(outcomes) == 21
    assert all(not row.total_of for row in outcomes)
    assert len(rows_of_group(block, "declined")) == 5


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("一、本年新收政府信息公开申请数量", "本年新收政府信息公开申请数量"),
        ("（三）不予公开", "不予公开"),
        ("10.要求", "要求"),
        ("规章", "规章"),
    ],
)
def test_plain_label(label: str, plain: str) -> None:
    assert plain_label(label) == plain


def test_short_label_prefers_the_declared_one() -> None:
    rows = {row.id: row for row in load_form("2021").table("requests").blocks[0].rows}
    assert short_label(rows["received"]) == "本年新收"
    assert short_label(rows["refused_third_party"]) == "保护第三方合法权益"


def test_the_edition_in_force_for_a_year() -> None:
    assert edition_for(2021) == edition_for(2023) == edition_for(2030) == "2021"
    assert edition_for(2019) == edition_for(2020) == "2019"
    for year in (2018, 0):
        with pytest.raises(KeyError):
            edition_for(year)
    with pytest.raises(KeyError):
        load_form("1999")
    assert module.editions() == tuple(sorted(module.editions()))


# --- an inconsistent edition fails on load, naming the line -------------------------------------------------


def test_the_text_as_it_stands_is_accepted() -> None:
    assert read_form(TEXT, "x.toml").cells == load_form("2021").cells


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('group = "refused"\nlabel_zh = "1.', 'group = "refuse"\nlabel_zh = "1.', "no row group 'refuse'"),
        ('total_of = "outcome"', 'total_of = "outcomes"', "no row group 'outcomes'"),
        ('group = "legal_person"\nlabel_zh = "科', 'group = "person"\nlabel_zh = "科', "no column group 'person'"),
        ('parent = "outcome"\nlabel_zh = "（四', 'parent = "later"\nlabel_zh = "（四', "no group 'later' before"),
        ('table = "processing_fees"\neach', 'table = "fees"\neach', "no table 'fees'"),
    ],
    ids=["row-group", "total-of", "column-group", "parent", "table"],
)
def test_a_name_that_leads_nowhere(old: str, new: str, problem: str) -> None:
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    error = refused(text)
    assert problem in error.problem
    assert error.line == line_with(text, new.split("\n")[0])


@pytest.mark.parametrize(
    ("old", "new", "twice"),
    [
        ('id = "disputes"\nnumber_zh', 'id = "requests"\nnumber_zh', "requests"),
        ('id = "balance"', 'id = "row_total"', "row_total"),
        ('id = "count_not_negative"', 'id = "count_whole"', "count_whole"),
        ('id = "carried_in"', 'id = "received"', "received"),
        ('id = "upheld"', 'id = "pending"', "pending"),
    ],
    ids=["table", "rule", "domain", "row", "column"],
)
def test_an_id_used_twice(old: str, new: str, twice: str) -> None:
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    error = refused(text)
    assert f"the id '{twice}' is used twice" in error.problem
    where = [number for number, line in enumerate(text.splitlines(), 1) if line == f'id = "{twice}"']
    assert error.line in where[1:]


def test_one_cell_in_two_blocks() -> None:
    text = TEXT.replace('id = "penalties"', 'id = "licences"', 1)
    error = refused(text)
    assert error.problem == "the cell 'proactive.licences.decisions' is declared twice"
    assert [number for number, line in enumerate(text.splitlines(), 1) if line == 'id = "licences"'][1] == error.line


def test_a_declared_rule_without_a_found_term() -> None:
    text = TEXT.replace('found = ["processed", "carried_out"]\n', "", 1)
    error = refused(text)
    assert "names at least one found term" in error.problem
    assert text.splitlines()[error.line - 1] == "[[rules]]"
    assert text.splitlines()[error.line] == 'id = "balance"'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('severity = "warning"', 'severity = "hint"', "Invalid enum value 'hint'"),
        ('arrangement = "bands"', 'arrangement = "heap"', "Invalid enum value 'heap'"),
        ('kind = "money"', 'kind = "euro"', "Invalid enum value 'euro'"),
        ("first_year = 2021", 'first_year = "2021"', "Expected `int`, got `str`"),
        ("optional = true", "voluntary = true", "unknown field `voluntary`"),
    ],
)
def test_a_wrong_word_or_type_names_its_line(old: str, new: str, words: str) -> None:
    text = TEXT.replace(old, new, 1)
    error = refused(text)
    assert words in error.problem
    assert error.line == line_with(text, new)
