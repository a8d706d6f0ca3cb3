"""Word documents: reading order, merged cells, controls, tracked changes, text boxes, drawing habits."""

from __future__ import annotations

from pipelines.ingest.document import Grid, Paragraph
from pipelines.ingest.readers.opening import open_document
from tests.ingest import hostile

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"


def read(body: str, namespace: str = WORD) -> list[Paragraph | Grid]:
    extra = 'xmlns:mc="urn:mc" xmlns:wps="urn:wps" xmlns:v="urn:v"'
    main = f'<?xml version="1.0"?><w:document xmlns:w="{namespace}" {extra}><w:body>{body}</w:body></w:document>'
    return list(open_document(hostile.zipped({"word/document.xml": main.encode()}), "x.docx").items)


def p(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def tc(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text) if not text.startswith('<') else text}</w:tc>"


def tr(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def table(*rows: str, widths: tuple[int, ...] = ()) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return f"<w:tbl><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"


def texts(items: list[Paragraph | Grid]) -> list[str]:
    return [item.text if isinstance(item, Paragraph) else "[表]" for item in items]


def rows(grid: Paragraph | Grid) -> list[list[str]]:
    assert isinstance(grid, Grid)
    filled = grid.filled()
    return [
        [filled[row, column].text if (row, column) in filled else "×" for column in range(grid.columns)]
        for row in range(grid.rows)
    ]


PLAIN = (tr(tc("规章"), tc("0")), tr(tc("文件"), tc("3")))


def test_paragraphs_and_tables_in_order_with_addresses():
    items = read(p("一、总体情况") + table(*PLAIN) + p("之后") + table(*PLAIN))
    assert texts(items) == ["一、总体情况", "[表]", "之后", "[表]"]
    last = items[3]
    assert isinstance(last, Grid)
    assert [cell.at for cell in last.cells][-1] == "表格2 第2行第2列"


def test_strict_office_files_differ_in_nothing_but_the_namespace():
    assert read(p("甲") + table(*PLAIN), STRICT) == read(p("甲") + table(*PLAIN))


def test_merged_cells_in_both_directions():
    span, start, on = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    (grid,) = read(
        table(
            tr(tc("甲", start), tc("乙", span)), tr(tc("", on), tc("1"), tc("2")), tr(tc("丙", start), tc("3"), tc("4"))
        )
    )
    assert rows(grid) == [["甲", "乙", "乙"], ["甲", "1", "2"], ["丙", "3", "4"]]


def test_cells_merged_the_old_way():
    start, on = '<w:hMerge w:val="restart"/>', '<w:hMerge w:val="continue"/>'
    (grid,) = read(table(tr(tc("甲", start), tc("", on), tc("乙")), tr(tc("1"), tc("2"), tc("3"))))
    assert rows(grid) == [["甲", "甲", "乙"], ["1", "2", "3"]]


def test_a_row_that_begins_further_right():
    (grid,) = read(
        table(tr(tc("甲"), tc("乙"), tc("丙")), tr(tc("1"), tc("2"), properties='<w:gridBefore w:val="1"/>'))
    )
    assert rows(grid) == [["甲", "乙", "丙"], ["×", "1", "2"]]


def test_lines_a_hair_apart_are_one():
    wide = '<w:gridSpan w:val="2"/>'
    (grid,) = read(table(tr(tc("甲", wide), tc("乙")), tr(tc("1"), tc("2", wide)), widths=(2000, 20, 1980)))
    assert rows(grid) == [["甲", "乙"], ["1", "2"]]


def test_widths_that_cannot_be_true_are_not_used():
    (grid,) = read(table(*PLAIN, widths=(0, 0)))
    assert rows(grid) == [["规章", "0"], ["文件", "3"]]


def test_content_controls_around_everything():
    def sdt(inner: str) -> str:
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{inner}</w:sdtContent></w:sdt>"

    row = f"<w:tr>{sdt(tc('规章'))}{tc('<w:p>' + sdt('<w:r><w:t>0</w:t></w:r>') + '</w:p>')}</w:tr>"
    items = read(sdt(p("甲")) + sdt(table(sdt(row), tr(tc("文件"), tc(sdt(p("3")))))))
    assert texts(items) == ["甲", "[表]"]
    assert rows(items[1]) == [["规章", "0"], ["文件", "3"]]


def test_tracked_changes_count_as_accepted():
    def change(inserted: str, deleted: str) -> str:
        return (
            f"<w:p><w:ins><w:r><w:t>{inserted}</w:t></w:r></w:ins>"
            f"<w:del><w:r><w:delText>{deleted}</w:delText></w:r></w:del></w:p>"
        )

    gone = tr(tc("删去"), tc("9"), properties="<w:del/>")
    added = tr(tc("新增"), tc("1"), properties="<w:ins/>")
    items = read(change("新", "旧") + table(tr(tc("规章"), tc(change("5", "4"))), gone, added))
    assert texts(items) == ["新", "[表]"]
    assert rows(items[1]) == [["规章", "5"], ["新增", "1"]]


def test_text_boxes_are_read_once_and_after_their_paragraph():
    box = f"<w:txbxContent>{p('框内')}{table(*PLAIN)}</w:txbxContent>"
    choices = f"<mc:Choice><wps:wsp>{box}</wps:wsp></mc:Choice><mc:Fallback><v:textbox>{box}</v:textbox></mc:Fallback>"
    drawing = f"<mc:AlternateContent>{choices}</mc:AlternateContent>"
    items = read(f"<w:p><w:r><w:t>正文</w:t></w:r><w:r>{drawing}</w:r></w:p>")
    assert texts(items) == ["正文", "框内", "[表]"]


def test_an_outer_table_that_arranges_the_page_does_not_swallow_the_data():
    items = read(table(tr(tc("左"), tc(p("说明") + table(*PLAIN)))))
    assert texts(items) == ["左", "说明", "[表]"]
    assert rows(items[2]) == [["规章", "0"], ["文件", "3"]]


def test_what_is_hidden_or_a_command_is_not_text():
    body = (
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>隐藏</w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>可见</w:t></w:r>'
        "<w:r><w:instrText>HYPERLINK x</w:instrText></w:r>"
        "<w:r><w:ruby><w:rt><w:r><w:t>guī</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>规</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        "<w:r><w:t>3</w:t><w:noBreakHyphen/><w:t>4</w:t><w:br/><w:t>下行</w:t></w:r></w:p>"
    )
    assert texts(read(body)) == ["可见规3-4\n下行"]


def test_a_document_that_word_keeps_under_another_name():
    main = f'<w:document xmlns:w="{WORD}"><w:body>{p("甲")}</w:body></w:document>'
    (item,) = open_document(hostile.zipped({"word/document2.xml": main.encode()}), "x.docx").items
    assert isinstance(item, Paragraph)
    assert item.text == "甲"


def test_macros_are_neither_run_nor_a_reason_to_refuse():
    data = hostile.with_part(hostile.docx_file(), "word/vbaProject.bin", lambda _: b"Sub AutoOpen()")
    assert open_document(data, "x.docm") == open_document(hostile.docx_file(), "x.docx")


def test_a_picture_beside_text_is_no_scan():
    data = hostile.with_part(hostile.docx_file(), "word/media/image1.png", lambda _: b"\x89PNG")
    assert any(isinstance(item, Grid) for item in open_document(data, "x.docx").items)
