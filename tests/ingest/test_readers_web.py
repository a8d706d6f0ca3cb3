"""Web pages as portals export them."""

from __future__ import annotations

import pytest

from pipelines.ingest.document import Grid, Paragraph
from pipelines.ingest.readers.opening import open_document
from tests.ingest.hostile import page


def read(body: str) -> list[Paragraph | Grid]:
    return list(open_document(page(body), "x.html").items)


def rows(grid: Paragraph | Grid) -> list[list[str]]:
    assert isinstance(grid, Grid)
    filled = grid.filled()
    return [
        [filled[row, column].text if (row, column) in filled else "×" for column in range(grid.columns)]
        for row in range(grid.rows)
    ]


def texts(items: list[Paragraph | Grid]) -> list[str]:
    return [item.text if isinstance(item, Paragraph) else "[表]" for item in items]


def test_words_split_over_elements_are_whole_again():
    (paragraph,) = read("<p><span>（</span><font>一</font><b>）</b>予以<o:p></o:p>公开&nbsp;&amp;&lt;</p>")
    assert isinstance(paragraph, Paragraph)
    assert paragraph.text == "（一）予以公开\xa0&<"


def test_spans_fill_their_positions_and_a_row_span_beyond_the_end_is_cut():
    (grid,) = read(
        "<table><tr><td rowspan=2>甲</td><td colspan=2>乙</td></tr><tr><td>1</td><td>2</td></tr>"
        "<tr><td rowspan=0>丙<td rowspan=9>丁<td colspan=''>戊</table>"
    )
    assert rows(grid) == [["甲", "乙", "乙"], ["甲", "1", "2"], ["丙", "丁", "戊"]]


def test_a_row_that_is_short_has_positions_that_do_not_exist():
    (grid,) = read("<table><tr><td>甲<td>乙<td>丙<tr><td>1</table>")
    assert rows(grid) == [["甲", "乙", "丙"], ["1", "×", "×"]]


def test_paragraphs_and_breaks_inside_a_cell_are_lines():
    (grid,) = read(
        "<table><tr><td><p>商业</p><p>企业</p></td><td>科研<br>机构</td></tr><tr><td>\n  1\n <td> 0 </table>"
    )
    assert rows(grid) == [["商业\n企业", "科研\n机构"], ["1", "0"]]


def test_an_outer_table_that_arranges_the_page_does_not_swallow_the_data():
    items = read(
        "<table><tr><td>导航</td><td><p>说明</p><table><tr><td>规章<td>0<tr><td>文件<td>3</table><p>之后</p></td></tr></table>"
    )
    assert texts(items) == ["导航", "说明", "[表]", "之后"]
    assert rows(items[2]) == [["规章", "0"], ["文件", "3"]]


def test_a_small_table_inside_a_cell_is_text_of_that_cell():
    (grid,) = read(
        "<table><tr><td><table><tr><td>商业</td></tr><tr><td>企业</td></tr></table><td>1<tr><td>a<td>2</table>"
    )
    assert rows(grid) == [["商业\n企业", "1"], ["a", "2"]]


def test_a_table_of_one_cell_is_running_text():
    assert texts(read("<table><tr><td><p>第一段</p><p>第二段</p></td></tr></table>")) == ["第一段", "第二段"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>var a = '99';</script>",
        "<style>td { width: 99px }</style>",
        "<!-- 99 -->",
        "<div style='display : none'>99</div>",
        "<span style='color:red;visibility:hidden'>99</span>",
        "<span style='mso-hide:all'>99</span>",
        "<span hidden>99</span>",
        "<span style='font-size:0'>99</span>",
        "<noscript>99</noscript>",
        "<input type=hidden value=99>",
        "<template><p>99</p></template>",
        "<![if !supportEmptyParas]><![endif]>",
    ],
)
def test_what_is_not_shown_is_not_read(hidden):
    items = read(f"<table><tr><td>规章{hidden}<td>0<tr><td>文件<td>{hidden}3</table>{hidden}")
    assert rows(items[0]) == [["规章", "0"], ["文件", "3"]]
    assert len(items) == 1


def test_shown_small_print_and_form_fields_are_read():
    (grid,) = read(
        "<table><tr><td style='font-size:0.9em'>规章"
        "<td><input value=3><tr><td>文件<td><input type=number value=4></table>"
    )
    assert rows(grid) == [["规章", "3"], ["文件", "4"]]


def test_rows_in_sections_without_rows_and_with_a_foot():
    (grid,) = read(
        "<table><tfoot><tr><td>总计<td>3</tfoot><thead><tr><th>项<th>数</thead><tbody><tr><td>甲<td>3</tbody></table>"
    )
    assert rows(grid) == [["项", "数"], ["甲", "3"], ["总计", "3"]]


def test_the_caption_is_the_title_and_addresses_lead_to_the_place():
    first, second = read(
        "<table><caption>表一</caption><tr><td>a<td>b</table><p></p><table><tr><td>c<td>d<tr><td>e<td>f</table>"
    )
    assert isinstance(first, Grid)
    assert isinstance(second, Grid)
    assert (first.title, first.cells[1].at) == ("表一", "表格1 第1行第2列")
    assert second.cells[3].at == "表格2 第2行第2列"


def test_the_title_of_the_page_comes_first():
    document = open_document(
        "<html><head><title>某局 年度报告</title></head><body><p>正文</p></body></html>".encode(), "x"
    )
    assert [(item.text, item.at) for item in document.items if isinstance(item, Paragraph)] == [
        ("某局 年度报告", "网页标题"),
        ("正文", "第2段"),
    ]


def test_html_saved_as_an_old_workbook():
    table = "<table><tr><td>规章<td x:num>0<tr><td>a<td>1</table>"
    data = f"<html xmlns:x='urn:schemas-microsoft-com:office:excel'>{table}".encode("gb18030")
    assert open_document(data, "年报.xls").format == "html"
