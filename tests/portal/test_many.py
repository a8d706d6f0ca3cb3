"""A region of very many bodies: long tables are offered as Parquet and CSV, long lists have pages or go on elsewhere.

The bounds are lowered for the test, so that a small county is one of many bodies.
"""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import unquote, urlsplit

import openpyxl
import pytest
from lxml import html

from pipelines.publish.portal import build_site, charts_view, exports, views
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR

BODIES, WAIVED, A_PAGE, SHOWN = 11, 4, 3, 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("many")
    publish_county(out, count=BODIES, waived=WAIVED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exports, "MOST_ROWS", 300)  # form_cells has 203, body_cells more
        patch.setattr(views, "ROSTER_SHOWN", A_PAGE)
        patch.setattr(views, "DECISIONS_SHOWN", WAIVED - 1)
        patch.setattr(charts_view, "TOP", 2)
        patch.setattr(charts_view, "MOST", SHOWN)
        build_site(out, out / "portal")
    return out / "portal" / CODE / str(YEAR)


def page(site: Path, name: str) -> html.HtmlElement:
    return html.fromstring((site / name).read_text(encoding="utf-8"))


def said(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def test_every_body_stands_on_one_page_of_the_roster_and_every_address_leads_somewhere(site: Path) -> None:
    names = sorted(path.name for path in site.glob("bodies-*.html"))
    assert names == ["bodies-1.html", "bodies-2.html", "bodies-3.html", "bodies-4.html"]
    listed = [code for name in names for code in page(site, name).xpath("//table[@id='roster']//th/small/text()")]
    assert len(listed) == BODIES == len(set(listed))
    quality = page(site, "quality.html")
    assert quality.xpath("//section[@aria-labelledby='roster-heading']//li/a/@href") == names
    absent = quality.xpath("//table[@id='roster']/tbody/tr")
    assert len(absent) == min(WAIVED, A_PAGE)
    assert {said(row[2]) for row in absent} == {"经批准豁免 Waived"}
    assert f"未采用的单位 Bodies not accepted {WAIVED}" in said(quality)
    for path in site.glob("*.html"):
        for address in page(site, path.name).xpath("//@href"):
            parts = urlsplit(address)
            assert parts.scheme or not parts.path or (site / unquote(parts.path)).exists(), (path.name, address)


def test_decisions_and_bodies_beyond_what_is_shown_are_counted(site: Path) -> None:
    quality = page(site, "quality.html")
    waivers = quality.xpath("//section[@aria-labelledby='exceptions-heading']/ul[1]/li")
    assert len(waivers) == WAIVED - 1
    assert "另有 1 条" in said(quality.xpath("//section[@aria-labelledby='exceptions-heading']")[0])
    chart = page(site, "index.html").xpath("//div[@class='compare']")[0]
    assert len(chart.xpath(".//tbody/tr")) == SHOWN
    more = BODIES - WAIVED - SHOWN
    assert f"另有 {more} 个单位" in said(chart)
    assert chart.xpath(".//details/p/a/@href")[0].startswith("data.html#table=body_cells&f.cell=")


def test_a_long_table_has_no_sheet_and_no_json_and_the_workbook_says_where_it_is(site: Path) -> None:
    (book,) = site.glob("files/*/*.xlsx")
    sheets = openpyxl.load_workbook(io.BytesIO(book.read_bytes()))
    rows = list(sheets["body_cells"].iter_rows(min_row=2, values_only=True))
    assert len(rows) == 1
    assert rows[0][0].startswith(f"本表有 {(BODIES - WAIVED) * 203:,} 行，")
    assert len(list(sheets["bodies"].iter_rows(min_row=2))) == BODIES
    names = {path.name for path in site.glob("files/*/*.json")}
    assert "bodies.json" in names
    assert "body_cells.json" not in names
    download = page(site, "download.html")
    assert "数据表，一个 Excel 文件，不含 body_cells" in said(download)
    formats = [said(link) for link in download.xpath("//h3[code='body_cells']/following-sibling::ul[1]//a")]
    assert [name.split()[-3] for name in formats] == ["PARQUET", "CSV"]
