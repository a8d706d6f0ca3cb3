"""Plain text and Markdown: rows become grids, everything else stays as lines, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.ingest.document import Document, Grid, Paragraph
from pipelines.ingest.readers.opening import open_document
from pipelines.settings import PROJECT

REFERENCE = Path(os.environ.get("GONGKAI_REFERENCE", PROJECT.parent / "shared" / "reference"))


def read(text: str) -> Document:
    return open_document(text.encode(), "x.txt")


def shape(document: Document) -> list[object]:
    return [
        item.text if isinstance(item, Paragraph) else [[cell.text for cell in row] for row in by_row(item)]
        for item in document.items
    ]


def by_row(grid: Grid) -> list[list[object]]:
    rows: list[list[object]] = [[] for _ in range(grid.rows)]
    for cell in grid.cells:
        rows[cell.row].append(cell)
    return rows


def test_tabs_make_rows_and_fields_stand_as_they_are():
    document = read("一、总体情况\n规 章\t0\t 1 \t\n文件\t3\t24\t21\n\n之后")
    assert shape(document) == ["一、总体情况", [["规 章", "0", " 1 ", ""], ["文件", "3", "24", "21"]], "", "之后"]


def test_a_lone_line_with_tabs_is_a_row_only_with_three_filled_fields():
    assert shape(read("单位：某局\t2023年\n正文")) == ["单位：某局\t2023年", "正文"]
    assert shape(read("标题\n总计\t3\t4\n正文")) == ["标题", [["总计", "3", "4"]], "正文"]


def test_markdown_tables_lose_their_ruler_and_padding_only():
    document = read("# 标题 | 副题\n| 信息内容 | 本年<br>制发 |\n|---|:-:|\n| 规章 | |\n| 甲\\|乙 | 3 |")
    assert shape(document) == ["# 标题 | 副题", [["信息内容", "本年\n制发"], ["规章", ""], ["甲|乙", "3"]]]


def test_pipes_without_ends():
    assert shape(read("规章 | 0 | 0 | 0 |\n规范性文件 | 1 | 1 | 2 |")) == [
        [["规章", "0", "0", "0"], ["规范性文件", "1", "1", "2"]]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "规章\n0\n0\n6\n\n行政规范性文件\n\n0\n0",
        "规章 |\n0 |\n0 |\n0 |",
        "规章\n|\n0\n|\n0\n|",
        "一、本年新收 | 25 |\n|\n|\n|\n|\n| 25 |",
        "规章 |\n0 | 0 | 0 |\n文件 |\n0 | 0 | 0 |",
    ],
)
def test_one_cell_a_line_stays_lines(text):
    assert shape(read(text)) == text.split("\n")


def test_addresses_count_the_lines_of_the_file():
    document = read("标题\r\n\r\n规章\t0\t0\r\n文件\t3\t4\r\n完")
    first, blank, grid, last = document.items
    assert isinstance(grid, Grid)
    assert [first.at, blank.at, grid.at, last.at] == ["第1行", "第2行", "第3行", "第5行"]
    assert grid.cells[-1].at == "第4行第3列"


def texts_of(document: Document) -> str:
    lines: list[str] = []
    for item in document.items:
        if isinstance(item, Paragraph):
            lines.append(item.text)
        else:
            lines += ["\t".join(cell.text for cell in row) for row in by_row(item)]
    return "\n".join(lines)


def reference(pattern: str) -> list[Path]:
    return sorted(REFERENCE.glob(pattern)) if REFERENCE.is_dir() else []


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference texts are not there")
def test_the_seed_comes_through_unchanged():
    text = (REFERENCE / "quxian-2023.txt").read_text(encoding="utf-8")
    assert texts_of(open_document(text.encode(), "quxian-2023.txt")) == text.rstrip("\n")


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference texts are not there")
def test_real_texts_come_through_but_for_the_padding_of_pipes():
    paths = [*reference("real/*.txt"), *reference("real/*.md")]
    assert len(paths) > 15

    def essence(text: str) -> str:
        rulers = [line for line in text.splitlines() if "-" in line and not line.strip("|:- \t")]
        for ruler in rulers:
            text = text.replace(ruler, "", 1)
        return "".join(text.replace("|", "").split())

    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert essence(texts_of(open_document(text.encode(), path.name))) == essence(text), path.name
