"""The pages of a roll-up: complete, every address leads somewhere, rebuilt only where needed, in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from lxml import html
from playwright.sync_api import Browser, expect

from pipelines.publish.portal import build_site
from pipelines.publish.portal.releases import SiteError
from pipelines.publish.portal.rollup import read_rollup, rollup_years
from pipelines.publish.portal.site import INDEX
from pipelines.publish.release import publish, withdraw
from pipelines.publish.rollup_withdrawal import REASON
from pipelines.storage import ROLLUP
from tests.aggregate.country import COUNTIES, YEAR, figures, known, package, place, released, roll_up, totals
from tests.portal.front import serving
from tests.portal.published import publish_county
from tests.portal.test_browser import WATCH, WIDTHS, axe, browser, foreign  # noqa: F401 - two of them are fixtures

HOSTILE = '<script>alert(1)</script>\u202e"&'
BASE = f"{ROLLUP}/{YEAR}"
CELL = "proactive.licences.decisions"
GONE = "510122"


def country() -> dict:
    """A city that includes its counties, one that adds its own return, a county missing, a name that means harm."""
    regions = [known(code) for code in COUNTIES]
    regions[0] = msgspec.structs.replace(regions[0], name_zh=HOSTILE)
    regions += [known("4101", "includes_lower"), known("5102")]
    standing = {code: released(code) for code in (*COUNTIES, "4101", "5102") if code != GONE}
    standing["370121"] = released("370121", figures("370121") | {CELL: None})
    return roll_up(regions, standing)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT with two counties' releases, a roll-up and the site. Only read it."""
    folder = tmp_path_factory.mktemp("rolled")
    for code in COUNTIES[:2]:
        publish_county(folder, count=2, code=code)
    publish(package(country()), folder, ROLLUP, YEAR)
    build_site(folder, folder / "portal")
    return folder


def read(folder: Path, name: str) -> html.HtmlElement:
    return html.fromstring((folder / "portal" / name).read_bytes().decode())


def names(folder: Path) -> list[str]:
    found = (path.relative_to(folder / "portal").as_posix() for path in (folder / "portal" / ROLLUP).rglob("*.html"))
    return sorted(found)


def test_every_place_has_a_page_and_every_address_leads_somewhere(out: Path) -> None:
    places = ["", "37/", "3701/", "41/", "4101/", "4102/", "51/", "5101/", "5102/"]
    assert names(out) == sorted(["rollup/index.html", *(f"{BASE}/{name}index.html" for name in places)])
    for name in [*names(out), "index.html"]:
        for element in read(out, name).xpath("//*[@href or @src]"):
            parts = urlsplit(element.get("href") or element.get("src"))
            if parts.scheme == "data" or not parts.path:
                continue
            target = (out / "portal" / name).parent / unquote(parts.path)
            assert target.resolve().is_file(), (name, parts.path)


def test_the_catalogue_leads_to_it(out: Path) -> None:
    links = read(out, "index.html").xpath("//a/@href")
    assert {"rollup/index.html", f"{BASE}/index.html"} <= set(links)
    assert f"{YEAR}/index.html" in read(out, "rollup/index.html").xpath("//a/@href")


def test_a_site_without_a_roll_up_does_not_speak_of_one(tmp_path: Path) -> None:
    publish_county(tmp_path)
    build_site(tmp_path, tmp_path / "portal")
    assert not any("rollup" in link for link in read(tmp_path, "index.html").xpath("//a/@href"))
    assert not (tmp_path / "portal" / ROLLUP).exists()
    assert rollup_years(tmp_path) == ()


def said(value: Decimal | None) -> str:
    if value is None:
        return "—"
    return f"{int(value):,}" if value == int(value) else f"{value:,f}".rstrip("0")


@pytest.mark.parametrize(("name", "code"), [("", "CN"), ("51/", "51"), ("5101/", "5101"), ("4101/", "4101")])
def test_a_page_states_every_total_with_its_coverage(out: Path, name: str, code: str) -> None:
    page, parts = read(out, f"{BASE}/{name}index.html"), country()
    shown = [cell.text_content() for cell in page.xpath("//table[@class='form']//td/strong")]
    wanted = totals(parts, code)
    assert len(shown) == len(wanted)
    assert sorted(shown) == sorted(said(value) for value in wanted.values())
    covers = page.xpath("//table[@class='form']//td/small/text()")
    counted = place(parts, code)["regions_counted"]
    assert len(covers) == len(wanted)
    assert {cover.split(" · ")[0] for cover in covers} <= {str(counted), str(counted - 1)}
    assert str(counted) in page.xpath("string(//section[@aria-labelledby='coverage-heading']//dd)")


def test_who_is_missing_is_named_and_a_silent_region_too(out: Path) -> None:
    for name in ("", "51/", "5101/"):
        section = read(out, f"{BASE}/{name}index.html").xpath("//section[@aria-labelledby='coverage-heading']")[0]
        assert GONE in section.text_content()
    assert GONE not in read(out, f"{BASE}/41/index.html").text_content()
    titles = read(out, f"{BASE}/3701/index.html").xpath("//td/@title")
    assert titles == ["370121"]
    within = read(out, f"{BASE}/4101/index.html").text_content()
    assert "已含于上级汇总" in within
    assert "rollup_lower_differs" in within


def test_lower_regions_lead_to_their_own_pages_where_there_are_some(out: Path) -> None:
    links = read(out, f"{BASE}/5101/index.html").xpath("//table[contains(@class, 'lower')]//a/@href")
    assert links == [f"../../../{code}/{YEAR}/index.html" for code in COUNTIES[:2]]
    rows = read(out, f"{BASE}/51/index.html").xpath("//table[contains(@class, 'lower')]//a/@href")
    assert rows == ["../5101/index.html", "../5102/index.html"]


def test_a_name_that_means_harm_is_text(out: Path) -> None:
    data = (out / "portal" / BASE / "5101" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in data
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩" in data


def test_the_same_again_is_reused_and_a_new_roll_up_is_not(out: Path, tmp_path: Path) -> None:
    publish_county(tmp_path, count=2, code=COUNTIES[0])
    first = publish(package(country()), tmp_path, ROLLUP, YEAR)
    assert (ROLLUP, YEAR) in build_site(tmp_path, tmp_path / "portal").rebuilt
    again = build_site(tmp_path, tmp_path / "portal")
    assert (again.rebuilt, again.changed) == ((), False)
    publish_county(tmp_path, count=2, code=COUNTIES[1])
    assert build_site(tmp_path, tmp_path / "portal").rebuilt == ((COUNTIES[1], YEAR), (ROLLUP, YEAR))
    index = json.loads((tmp_path / "portal" / INDEX).read_bytes())
    assert [part["release"] for part in index["parts"] if part["region"] == ROLLUP] == [first.id]
    withdraw(tmp_path, ROLLUP, YEAR, first.id, "全部撤回", "测试员")
    build_site(tmp_path, tmp_path / "portal")
    assert names(tmp_path) == [f"{BASE}/index.html", "rollup/index.html"]
    assert not (tmp_path / "portal" / BASE / "releases").exists()
    page = read(tmp_path, f"{BASE}/index.html").text_content()
    assert all(text in page for text in (first.id, "全部撤回", "测试员", f"{YEAR}年度"))
    assert f"{YEAR}/index.html" in read(tmp_path, "rollup/index.html").xpath("//section//a/@href")
    assert f"{BASE}/index.html" in read(tmp_path, "index.html").xpath("//section//a/@href")
    assert not build_site(tmp_path, tmp_path / "portal").changed


def test_a_damaged_roll_up_leaves_the_site_as_it_is(tmp_path: Path) -> None:
    first = publish(package(country()), tmp_path, ROLLUP, YEAR)
    path = Path(str(first.path)) / "data" / "CN" / "rollup_totals.csv"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"1")
    with pytest.raises(SiteError, match=first.id):
        read_rollup(tmp_path, YEAR)
    with pytest.raises(SiteError):
        build_site(tmp_path, tmp_path / "portal")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_roll_up_that_was_withdrawn_opens_and_fits(
    browser: Browser,  # noqa: F811
    axe: str,  # noqa: F811
    tmp_path: Path,
    width: str,
) -> None:
    publish_county(tmp_path, count=2, code=COUNTIES[0])
    gone = publish(package(country()), tmp_path, ROLLUP, YEAR)
    withdraw(tmp_path, ROLLUP, YEAR, gone.id, " / ".join(REASON), "负责人")
    build_site(tmp_path, tmp_path / "portal")
    with serving(tmp_path / "portal") as base:
        for path in ("index.html", "rollup/index.html", f"{BASE}/index.html"):
            page = browser.new_page(viewport={"width": WIDTHS[width], "height": 900})
            page.goto(f"{base}/{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            page.evaluate(axe)
            assert page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"] == [], path
            page.close()


@pytest.fixture(scope="module")
def address(out: Path) -> Iterator[str]:
    with serving(out / "portal") as base:
        yield base


@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_fits_and_has_no_axe_violation(browser: Browser, axe: str, address: str, width: str) -> None:  # noqa: F811
    for path in ("index.html", "rollup/index.html", *(f"{BASE}/{name}index.html" for name in ("", "41/", "4101/"))):
        context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900})
        context.add_init_script(WATCH)
        page = context.new_page()
        seen: list[str] = []
        page.on("request", lambda r, seen=seen: seen.append(r.url) if foreign(r.url, address) else None)
        page.on("console", lambda m, seen=seen: seen.append(m.text))
        page.on("pageerror", lambda e, seen=seen: seen.append(str(e)))
        page.goto(f"{address}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
        assert page.evaluate("window.breaches") == []
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], [node["html"][:90] for node in one["nodes"]]) for one in found["violations"]] == [], path
        assert seen == []
        context.close()


def test_a_reader_chooses_the_figure_and_follows_the_places(browser: Browser, address: str) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/index.html")
    page.click("a[href='rollup/index.html']")
    page.click("main .card a")
    page.click(".lower a:has-text('示例51省')")
    page.click(".lower a:has-text('示例5101市')")
    assert page.url.endswith(f"/{BASE}/5101/index.html")
    expect(page.locator(".compare:visible")).to_have_count(1)  # the script may not have run yet
    page.locator(".choice button").nth(1).click()
    assert (
        page.locator(".compare:visible h4")
        .inner_text()
        .startswith(page.locator(".choice button").nth(1).inner_text()[:4])
    )
    with page.expect_download() as download:
        page.locator(".files a.get").first.click()
    stored = Path(str(download.value.path())).read_bytes()
    assert stored[:4] == b"PAR1"
    page.close()
