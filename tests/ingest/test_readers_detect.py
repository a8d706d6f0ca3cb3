"""Formats are told by content; encodings and garbled text are recognised; honest text is left alone."""

from __future__ import annotations

import pytest

from pipelines.ingest.declined import MAX_NAME, safe_name
from pipelines.ingest.decoding import decode, encoding_of, garbled
from pipelines.ingest.detect import detect
from pipelines.ingest.document import Paragraph
from pipelines.ingest.readers.opening import open_document
from schemas.findings import Finding
from tests.ingest import hostile, writers
from tests.ingest.hostile import REPORT, compound

FORMATS = {
    "xlsx": hostile.xlsx,
    "docx": hostile.docx_file,
    "html": writers.as_html,
    "csv": lambda: b"cell,value\r\nrequests.received.total,3\r\n",
    "json": lambda: b'{"cells": [{"cell": "requests.received.total", "value": 3}]}',
    "text": REPORT.encode,
    "pdf": hostile.scanned_pdf,
    "rtf": lambda: b"{\\rtf1\\ansi hello}",
    "doc": lambda: compound("WordDocument", "1Table"),
    "xls": lambda: compound("Workbook", "SummaryInformation"),
    "wps": lambda: compound("CONTENTS"),
    "ods": lambda: hostile.ods(""),
    "odt": lambda: hostile.zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b""}),
    "xlsb": lambda: hostile.zipped({"xl/workbook.bin": b"", "[Content_Types].xml": b""}),
    "zip": lambda: hostile.zipped({"一.xlsx": b"", "二.docx": b""}),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["a.xlsx", "a.pdf", "无后缀"])
def test_the_name_decides_nothing(form, name):
    assert detect(FORMATS[form](), name) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("<div><table><tr><td>1</td></tr></table></div>", "html"),
        ("\n<!-- a --><!-- b -->\n<!DOCTYPE html><p>x", "html"),
        ('<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>', "html"),
        ("前言\n<TABLE><TR><TD>1</TD></TR></TABLE>", "html"),
        ("[…]本局2023年度未收到申请。\n二、主动公开政府信息情况", "text"),
        ("规章 |\n0 |\n0 |\n0 |", "text"),
        ('{"requests.received.total": 3}', "json"),
        ('[{"cell": "requests.received.total", "value": 3}]', "json"),
        ("region,year,body,cell,value\n511725,2023,511725-D01,requests.received.total,3", "csv"),
        ("cell\tvalue\nrequests.received.total\t3", "csv"),
        ("信息内容,本年制发件数,本年废止件数\n规章,0,0\n行政规范性文件,3,24", "csv"),
        ("信息内容\t本年制发件数\n规章\t0\n行政规范性文件\t3", "text"),
        ("One line, with a comma.\nAnother, with, two.\nAnd none", "text"),
        ('<?mso-application progid="Word.Document"?><w:wordDocument/>', "doc"),
        ('<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', "xls"),
    ],
)
def test_texts_by_their_shape(text, form):
    assert detect(text.encode(), "x") == form


def test_a_word_document_with_a_spreadsheet_in_it_is_a_word_document():
    assert detect(compound("WordDocument", "Workbook"), "x") == "doc"


def test_the_answer_to_something_foreign_is_a_finding():
    answer = detect(b"Rar!\x1a\x07\x00" + bytes(50), "年报.rar")
    assert isinstance(answer, Finding)
    assert answer.rule == "unsupported_format"
    assert "RAR" in answer.message_zh
    assert "xlsx" in answer.message_zh


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings_give_the_same_text(encoding):
    text = REPORT.replace("\n", "\r\n")
    assert decode(text.encode(encoding), "x") == text


def test_a_page_may_declare_what_is_not_so():
    page = "<html><head><meta charset=gb2312></head><body>政府信息公开年度报告</body></html>"
    assert encoding_of(page.encode("utf-8")) == "utf-8"
    assert encoding_of(page.replace("gb2312", "utf-8").encode("gb18030")) == "gb18030"
    big5 = "<meta http-equiv='Content-Type' content='text/html; charset=big5'><p>政府資訊公開</p>".encode("big5")
    assert decode(big5, "x").endswith("<p>政府資訊公開</p>")


def test_a_codec_that_is_no_text_is_not_believed():
    assert encoding_of("<meta charset=hex><p>公开</p>".encode("gb18030")) == "gb18030"


def test_one_broken_byte_in_a_long_page_costs_that_character_alone():
    page = writers.as_html() * 2
    broken = page.replace("规章".encode(), b"\xe8\xa7" + "章".encode(), 1)
    assert decode(broken, "x").count("\ufffd") == 1


@pytest.mark.parametrize(
    "text",
    [
        REPORT,
        "",
        "requests.received.total,3\n" * 50,
        "Annual report? Yes. Really??? Why not!",
        "规章|0|0|0\n" * 20,
        "２０２３年　第１号　（示例）",
        "規(guī)章、動(dòng)、項(xiàng)、處(chù)、總計(jì)" * 5,
        "áéíóúüñ " * 20,
        "政府信息公開年度報告、規範性檔案、行政許可" * 5,
        "锟斤拷是一个网络用语",
    ],
)
def test_sound_text_is_not_called_garbled(text):
    assert garbled(text) is None


def test_every_character_of_a_sound_text_arrives():
    document = open_document(REPORT.encode("gb18030"), "x.txt")
    assert [item.text for item in document.items if isinstance(item, Paragraph)] == REPORT.split("\n")[:4]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\年报.xlsx", "年报.xlsx"),
        ("a\x1b[31mred\x00\n.xlsx", "a[31mred.xlsx"),
        ("\u202exslx.exe", "xslx.exe"),
        ("", "未命名"),
        ("..", "未命名"),
        ("/", "未命名"),
        ("bad\udcff.doc", "bad?.doc"),
    ],
)
def test_names_are_shown_without_what_could_harm(name, shown):
    assert safe_name(name) == shown


def test_endless_names_are_cut():
    assert len(safe_name("长" * 5000)) == MAX_NAME
