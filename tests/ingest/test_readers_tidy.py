"""Tidy csv and json: cells by name, marks, exact figures; archives of files."""

from __future__ import annotations

import zipfile

import pytest

from pipelines.ingest.declined import Declined
from pipelines.ingest.readers.archive import members
from pipelines.ingest.readers.opening import open_document
from tests.ingest import hostile
from tests.ingest.hostile import zipped

TIDY = (
    "region,year,body,cell,value\r\n"
    "511725,2023,511725-D02,requests.received.total,3\r\n"
    '511725,2023,511725-D02,proactive.administrative_fees.amount," 43.788万元 "\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_tidy_csv_names_its_cells_and_its_body(encoding):
    document = open_document(TIDY.encode(encoding), "x.csv")
    assert document.format == "csv"
    assert document.marks == {"region": "511725", "year": "2023", "body": "511725-D02"}
    assert document.tidy == (
        ("requests.received.total", "3", "第2行"),
        ("proactive.administrative_fees.amount", " 43.788万元 ", "第3行"),
    )
    assert document.items == ()


def test_columns_in_any_order_and_without_a_body():
    document = open_document(b"Value;Cell;note\n3;requests.received.total;x\n;requests.received.other;y\n", "x.csv")
    assert document.marks == {}
    assert document.tidy == (("requests.received.total", "3", "第2行"), ("requests.received.other", "", "第3行"))


def test_lines_are_those_of_the_file_where_a_field_has_a_break():
    data = 'cell,value\n"requests.received.total","3\n"\nrequests.received.other,4\n'
    assert open_document(data.encode(), "x.csv").tidy[1][2] == "第4行"


def test_the_json_of_extract_is_read_back():
    data = (
        b'{"file": "a.xlsx", "sha256": "0", "form": {"requests": "2021"}, "body": "511725-D02", "year": 2023,'
        b' "cells": '
        b'[{"cell": "requests.received.total", "value": 101, "raw": "101", "at": "B2"},'
        b' {"cell": "proactive.administrative_fees.amount", "value": 3135.60,'
        b' "raw": "3135.60\xe4\xb8\x87\xe5\x85\x83"},'
        b' {"cell": "requests.received.other", "value": null, "raw": "/"}], "claims": [], "problems": []}'
    )
    document = open_document(data, "x.json")
    assert document.marks == {"year": "2023", "body": "511725-D02"}
    assert document.tidy == (
        ("requests.received.total", "101", "B2"),
        ("proactive.administrative_fees.amount", "3135.60万元", "第2项"),
        ("requests.received.other", "/", "第3项"),
    )


def test_a_plain_object_of_figures_keeps_them_exact():
    document = open_document(
        b'{"year": 2023, "requests.received.total": 3, "proactive.administrative_fees.amount": 0.1000}', "x"
    )
    assert document.marks == {"year": "2023"}
    assert document.tidy == (
        ("requests.received.total", "3", "“requests.received.total”"),
        ("proactive.administrative_fees.amount", "0.1000", "“proactive.administrative_fees.amount”"),
    )


def test_a_list_item_without_a_cell_is_a_fault_with_its_place():
    with pytest.raises(Declined) as caught:
        open_document(b'[{"cell": "a.b.c", "value": 1}, {"value": 2}]', "x.json")
    assert caught.value.finding.rule == "damaged_file"
    assert "第 2 项" in caught.value.finding.message_zh


def test_two_bodies_in_one_file_are_refused_by_name():
    with pytest.raises(Declined) as caught:
        open_document(hostile.CASES["mixed.csv"][1](), "mixed.csv")
    assert "511725-D01" in caught.value.finding.message_zh
    assert "511725-D02" in caught.value.finding.message_zh


def test_an_archive_gives_its_files_without_their_paths():
    data = zipped(
        {
            "年报/": b"",
            "年报/一.xlsx": b"1",
            "../二.docx": b"2",
            "__MACOSX/._一.xlsx": b"",
            "~$二.docx": b"",
            "b/一.xlsx": b"3",
        }
    )
    assert members(data, "x.zip") == [("一.xlsx", b"1"), ("二.docx", b"2"), ("一.xlsx (2)", b"3")]


def test_names_that_windows_packed_in_gbk():
    data = bytearray(zipped({"XXXX.txt": b"1"}, zipfile.ZIP_STORED))
    for _ in range(2):
        at = data.index(b"XXXX")
        data[at : at + 4] = "年报".encode("gbk")
    assert members(bytes(data), "x.zip") == [("年报.txt", b"1")]


def test_too_many_files_and_archives_in_archives():
    with pytest.raises(Declined) as caught:
        members(zipped({f"{n}.txt": b"1" for n in range(301)}), "x.zip")
    assert caught.value.finding.rule == "too_large"
    with pytest.raises(Declined) as caught:
        open_document(zipped({"a.txt": b"1"}), "inner.zip")
    assert caught.value.finding.rule == "several_files"
