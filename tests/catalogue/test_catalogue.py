"""Catalogue records: derived from the one descriptor, accepted by the judges of each format, stable and safe."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import msgspec
import pytest
from rdflib import RDF, Graph, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS

from pipelines.publish.catalogue import (
    CatalogueError,
    catalogue_elements,
    catalogue_records,
    inline_schema_org,
    read_facts,
    release_address,
)
from schemas.catalogue import load_catalogue
from schemas.region import Contact
from tests.catalogue.release import BASE, RELEASE, descriptor, package, records, write
from tests.publish import county

PROJECT = Path(__file__).parents[2]
REFERENCE = Path(os.environ.get("GONGKAI_REFERENCE", "") or PROJECT.parent / "shared" / "reference")
NAMES = ["catalogue.json", "croissant.json", "dcat.jsonld", "dcat.ttl", "schema-org.jsonld"]
# rdflib's JSON-LD reader, pyshacl and mlcroissant use names of rdflib's that it has deprecated; theirs to mend.
uses_old_rdflib = pytest.mark.filterwarnings(
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning", "ignore:Dataset.* is deprecated:DeprecationWarning"
)


def graph(form: str = "turtle", base: str = "", **given) -> Graph:
    name = {"turtle": "dcat.ttl", "json-ld": "dcat.jsonld"}[form]
    return Graph().parse(data=records(base, **given)[name], format=form, publicID=BASE + name)


def test_all_records_are_made_and_fit_into_a_release():
    made = records()
    assert sorted(made) == NAMES
    assert not set(made) & set(package())


def test_the_same_bytes_in_another_process():
    script = (
        "import hashlib\nfrom tests.catalogue.release import records\n"
        "print({n: hashlib.sha256(d).hexdigest() for n, d in records().items()})"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Shanghai"}
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str({name: hashlib.sha256(d).hexdigest() for name, d in records().items()})


# ------------------------------------------------------------------ DCAT-AP


@uses_old_rdflib
@pytest.mark.parametrize("base", ["", BASE])
def test_both_forms_of_dcat_say_the_same(base):
    assert isomorphic(graph("turtle", base), graph("json-ld", base))


def test_relative_and_absolute_addresses_mean_the_same():
    assert isomorphic(graph(base=""), graph(base=BASE))


def test_mandatory_properties_of_dcat_ap():
    found = graph()
    mandatory = {
        DCAT.Catalog: (DCTERMS.title, DCTERMS.description, DCTERMS.publisher),
        DCAT.Dataset: (DCTERMS.title, DCTERMS.description),
        DCAT.Distribution: (DCAT.accessURL,),
    }
    for kind, properties in mandatory.items():
        nodes = list(found.subjects(RDF.type, kind))
        assert nodes
        for node in nodes:
            for wanted in properties:
                assert list(found.objects(node, wanted)), (node, wanted)


def test_every_file_is_a_distribution_with_size_and_sum():
    found = graph()
    for resource in descriptor()["resources"]:
        node = URIRef(f"{BASE}datapackage.json#{resource['name']}")
        assert found.value(node, DCAT.downloadURL) == URIRef(BASE + resource["path"])
        assert int(str(found.value(node, DCAT.byteSize))) == resource["bytes"]
        checksum = found.value(node, URIRef("http://spdx.org/rdf/terms#checksum"))
        value = str(found.value(checksum, URIRef("http://spdx.org/rdf/terms#checksumValue")))
        assert value == hashlib.sha256(package()[resource["path"]]).hexdigest()
    assert len(list(found.subjects(RDF.type, DCAT.Distribution))) == len(descriptor()["resources"])


def test_no_node_is_blank():
    from rdflib import BNode

    assert not [term for triple in graph() for term in triple if isinstance(term, BNode)]


def conforms(found: Graph, shapes: str) -> tuple[bool, str]:
    import pyshacl

    path = REFERENCE / "dcat-ap" / shapes
    if not path.is_file():
        pytest.skip(f"the SEMIC shapes are not beside the project ({shapes}); set GONGKAI_REFERENCE")
    good, _, text = pyshacl.validate(found, shacl_graph=str(path), advanced=True)
    return good, text


@uses_old_rdflib
@pytest.mark.parametrize("base", ["", BASE])
def test_semic_shapes_accept_the_record(base):
    good, text = conforms(graph(base=base), "shapes.ttl")
    assert good, text


@uses_old_rdflib
def test_semic_shapes_refuse_a_record_without_title():
    found = graph()
    found.remove((URIRef(f"{BASE}datapackage.json#dataset"), DCTERMS.title, None))
    good, text = conforms(found, "shapes.ttl")
    assert not good
    assert "title" in text


@uses_old_rdflib
def test_recommended_shapes_miss_only_what_a_release_cannot_say():
    """No map frame of a county, no legal type of a licence that the region names; dates only where they are known."""
    _, text = conforms(graph(issued=datetime.date(2024, 3, 31)), "shapes_recommended.ttl")
    paths = {line.partition("Result Path:")[2].strip() for line in text.splitlines() if "Result Path:" in line}
    assert paths <= {"dcat:bbox", "dcat:centroid", "dct:type", "foaf:homepage"}


# ------------------------------------------------------------------ Croissant


@uses_old_rdflib
def test_croissant_is_accepted_and_loads_the_records(tmp_path):
    import mlcroissant

    write(tmp_path, package() | records(issued=datetime.date(2024, 3, 31)))
    dataset = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    rows = list(dataset.records(record_set="county_totals"))
    assert len(rows) == 203
    assert rows[0]["county_totals/cell"] == b"proactive.rules.issued"
    assert len(dataset.metadata.record_sets) * 2 == len(dataset.metadata.distribution)


def test_croissant_names_every_field_and_key():
    made = json.loads(records()["croissant.json"])
    sets = {found["@id"]: found for found in made["recordSet"]}
    for resource in descriptor()["resources"]:
        if resource["format"] == "csv":
            found = sets[resource["name"].removesuffix("_csv")]
            assert [field["name"] for field in found["field"]] == [f["name"] for f in resource["schema"]["fields"]]
            assert len(found["key"]) == len(resource["schema"]["primaryKey"])
    fields = {field["@id"]: field for found in sets.values() for field in found["field"]}
    reference = fields["county_totals/cell"]["references"]["field"]["@id"]
    assert reference == "form_cells/cell"
    assert all(f["references"]["field"]["@id"] in fields for f in fields.values() if "references" in f)


# ------------------------------------------------------------------ schema.org


def test_schema_org_holds_what_search_engines_ask_for():
    made = json.loads(records(BASE)["schema-org.jsonld"])
    assert made["@type"] == "Dataset"
    assert 50 <= len(made["description"]) <= 5000
    assert made["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert {d["contentUrl"] for d in made["distribution"]} == {BASE + r["path"] for r in descriptor()["resources"]}
    assert "datePublished" not in made  # released bytes carry no date


def test_inline_form_cannot_leave_its_script():
    hostile = descriptor() | {"title": "</script><script>alert(1)</script>\u2028&<!--"}
    text = inline_schema_org(hostile, county.region())
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text)["name"] == hostile["title"]


# ------------------------------------------------------------------ Chinese record


def test_required_elements_of_the_chinese_record():
    made = json.loads(records(BASE)["catalogue.json"])
    values = {element["元素"]: element for element in made["元数据"]}
    required = {element.id for element in load_catalogue().elements if element.required}
    assert required <= set(values)
    assert values["name"]["值"] == descriptor()["title"]
    assert values["link"]["值"] == BASE
    assert values["conditions"]["链接"] == "https://creativecommons.org/licenses/by/4.0/"
    assert made["示例数据"] is True
    assert [element["元素"] for element in made["元数据"]] == [
        e.id for e in load_catalogue().elements if e.id in values
    ]


def test_items_are_the_fields_of_every_table():
    made = json.loads(records()["catalogue.json"])
    csv = [resource for resource in descriptor()["resources"] if resource["format"] == "csv"]
    assert len(made["数据表"]) == len(csv)
    for table, resource in zip(made["数据表"], csv, strict=True):
        assert [item["英文名称"] for item in table["信息项"]] == [f["name"] for f in resource["schema"]["fields"]]
        assert {file["格式"] for file in table["文件"]} == {"csv", "parquet"}
    types = {item["英文名称"]: item["数据类型"] for item in made["数据表"][3]["信息项"]}
    assert (types["cell"], types["value"]) == ("字符型C", "数值型N")


def test_six_mandatory_elements_of_the_national_standard():
    asked = [e for e in load_catalogue().elements if "GB/T 21063.3-2007" in e.standards]
    assert {e.name_zh for e in asked if e.required} == {
        "信息资源名称", "信息资源标识符", "信息资源分类", "信息资源摘要", "信息资源提供方", "元数据标识符",
    }  # fmt: skip
    assert len(asked) == 12


def test_an_element_without_value_is_left_out_and_a_required_one_stops():
    facts = read_facts(descriptor(), county.region())
    assert "issued" not in {element.id for element in catalogue_elements(facts)}
    with pytest.raises(CatalogueError, match="信息资源提供方"):
        catalogue_elements(msgspec.structs.replace(facts, publisher_zh=""))


# ------------------------------------------------------------------ settings


def test_a_licence_is_required():
    bare = descriptor()
    del bare["licenses"]
    with pytest.raises(CatalogueError, match="licence"):
        catalogue_records(bare, county.region())


def test_settings_of_another_region_are_refused():
    region = county.region()
    other = msgspec.structs.replace(region, settings=msgspec.structs.replace(region.settings, code="511700"))
    with pytest.raises(CatalogueError, match="511700"):
        catalogue_records(descriptor(), other)


@pytest.mark.parametrize("base", ["data.example.org", "javascript:alert(1)", "https://a b/", "https://x/<y>"])
def test_a_base_that_is_no_web_address_is_refused(base):
    with pytest.raises(CatalogueError, match="base_url"):
        records(base)


def test_hostile_contacts_never_become_addresses():
    region = county.region()
    hostile = Contact(name_zh="甲", name_en="A", email="a b<c>@d", website="javascript:alert(1)", telephone="<1>2")
    settings = msgspec.structs.replace(region.settings, publisher=hostile)
    made = catalogue_records(descriptor(), msgspec.structs.replace(region, settings=settings))
    text = b"".join(made.values())
    assert b"javascript:" not in text
    assert b"mailto:" not in text
    Graph().parse(data=made["dcat.ttl"], format="turtle", publicID=BASE)  # still well-formed


def test_addresses():
    assert release_address("https://data.example.org/open/", "511725", 2023) == (
        "https://data.example.org/open/511725/2023/latest/"
    )
    assert release_address("", "511725", 2023) == ""
    facts = read_facts(descriptor(), county.region(), "https://data.example.org/r")
    assert facts.address("data/x.csv") == "https://data.example.org/r/data/x.csv"
    assert urljoin(BASE, read_facts(descriptor(), county.region()).node("dataset")) == f"{BASE}datapackage.json#dataset"


def test_documents_are_pages_of_the_data_set():
    found = graph(documents=("report.pdf",))
    page = URIRef("http://xmlns.com/foaf/0.1/page")
    assert list(found.objects(URIRef(f"{BASE}datapackage.json#dataset"), page)) == [URIRef(BASE + "report.pdf")]


def test_every_record_names_the_release_it_is_of():
    for name, data in records(BASE).items():
        assert RELEASE in data.decode("utf-8"), name
    for name, data in records(BASE, release="").items():
        assert RELEASE not in data.decode("utf-8"), name
