"""The site as files: complete, deterministic, rebuilt only where something changed, swapped in one step."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import polars as pl
import pytest
from lxml import html
from upath import UPath

from pipelines.publish.portal import build_site
from pipelines.publish.portal.pages import POLICY, TABS
from pipelines.publish.portal.releases import SiteError
from pipelines.publish.portal.site import INDEX, builder_key
from pipelines.publish.portal.swap import exchange, swap_site
from pipelines.publish.release import withdraw
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR

HOSTILE = '<script>alert(1)</script>=1+1\u202e"&'


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def pages(folder: Path) -> dict[str, html.HtmlElement]:
    """The site's own pages; an official report is a document of its own."""
    return {
        name: html.fromstring(data.decode())
        for name, data in files(folder).items()
        if name.endswith(".html") and "/report/" not in name
    }


def test_every_page_is_there_and_every_address_leads_somewhere(portal: Path) -> None:
    found = pages(portal)
    wanted = {f"{CODE}/{YEAR}/{tab}.html" for tab, _, _ in TABS} | {f"{CODE}/{YEAR}/trace.html"}
    assert set(found) == wanted | {"index.html", "404.html", f"{CODE}/index.html"}
    seen = 0
    for name, page in found.items():
        for element in page.xpath("//*[@href or @src]"):
            address = element.get("href") or element.get("src")
            parts = urlsplit(address)
            if parts.scheme:
                assert element.tag == "link" or "noopener" in element.get("rel", ""), (name, address)
                continue
            if not parts.path:
                assert page.xpath(f'//*[@id="{parts.fragment}"]'), (name, address)
                continue
            base = portal if parts.path.startswith("/") else (portal / name).parent
            assert (base / unquote(parts.path).lstrip("/")).is_file(), (name, address)
            seen += 1
    assert seen > 500


def test_every_page_has_the_policy_one_heading_and_no_inline_code(portal: Path) -> None:
    for name, page in pages(portal).items():
        policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy == [POLICY], name
        assert len(page.xpath("//h1")) == 1, name
        assert page.get("lang") == "zh-CN"
        for script in page.xpath("//script"):
            assert script.get("src") or script.get("type") in ("application/json", "application/ld+json"), name
        assert not page.xpath("//style | //*[@style] | //@*[starts-with(name(), 'on')]"), name
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), name


def test_the_index_lists_every_file_with_its_sum(portal: Path) -> None:
    index = json.loads((portal / INDEX).read_bytes())
    listed = {f["path"]: (f["bytes"], f["sha256"]) for f in [*index["files"], *index["parts"][0]["files"]]}
    found = {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files(portal).items() if name != INDEX
    }
    assert listed == found


def test_the_release_stands_in_the_site_byte_for_byte(out: Path, portal: Path) -> None:
    release = (out / CODE / str(YEAR) / "latest").resolve()
    assert files(portal / CODE / str(YEAR) / "releases" / release.name) == files(release)


def test_the_dataset_page_has_the_fields_of_the_catalogue_standards(portal: Path) -> None:
    page = pages(portal)[f"{CODE}/{YEAR}/index.html"]
    names = {" ".join(term.itertext()).split()[0] for term in page.xpath("//dl[@class='record']//dt")}
    assert {
        "信息资源名称",
        "信息资源摘要",
        "信息资源提供方",
        "更新周期",
        "开放属性",
        "信息资源格式",
        "行政区划",
    } <= names
    items = page.xpath("//section[@aria-labelledby='record-heading']//table")
    assert [len(table.xpath(".//tbody/tr")) for table in items] == [10, 9, 13, 9, 18, 10]
    described = json.loads(page.xpath("string(//script[@type='application/ld+json'])"))
    assert described["@type"] == "Dataset"
    for one in described["distribution"]:
        assert (portal / CODE / str(YEAR) / one["contentUrl"]).is_file()


def test_every_download_shows_its_size_and_hash(portal: Path) -> None:
    page = pages(portal)[f"{CODE}/{YEAR}/download.html"]
    listed = json.loads(page.xpath("string(//script[@id='config'])"))["hashes"]
    for one in listed:
        data = (portal / CODE / str(YEAR) / one["href"]).read_bytes()
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    offered = set(page.xpath("//a[@download]/@href"))
    assert {one["href"] for one in listed} == offered | {"report/report.html"}
    assert {Path(href).suffix for href in offered} >= {".parquet", ".csv", ".json", ".xlsx", ".zip", ".md"}


def test_the_official_report_is_offered_beside_the_data(portal: Path) -> None:
    for name in ("index", "download"):
        page = pages(portal)[f"{CODE}/{YEAR}/{name}.html"]
        assert page.xpath("string(//a[@href='report/report.html'])").startswith("HTML")
    assert "年度报告（示例）" in (portal / CODE / str(YEAR) / "report" / "report.html").read_text(encoding="utf-8")


def test_catalogue_records_are_offered_where_their_addresses_lead_somewhere(portal: Path, tmp_path: Path) -> None:
    assert not (portal / CODE / str(YEAR) / "catalogue").exists()
    publish_county(tmp_path, base_url="https://data.example.org/511725/2023")
    build_site(tmp_path, tmp_path / "portal")
    names = {path.name for path in (tmp_path / "portal" / CODE / str(YEAR) / "catalogue").iterdir()}
    assert names == {"catalogue.json", "croissant.json", "dcat.jsonld", "dcat.ttl", "schema-org.jsonld"}


def test_a_record_of_another_release_is_not_shown_as_this_one(tmp_path: Path) -> None:
    publish_county(tmp_path)
    record = tmp_path / CODE / str(YEAR) / "catalogue" / "schema-org.jsonld"
    stale = record.read_bytes()
    publish_county(tmp_path, seed=2)
    build_site(tmp_path, tmp_path / "portal")
    page = tmp_path / "portal" / CODE / str(YEAR) / "index.html"
    assert "application/ld+json" in page.read_text(encoding="utf-8")
    for data in (stale, b"not json", b"{}"):
        record.write_bytes(data)
        build_site(tmp_path, tmp_path / "portal")
        assert "application/ld+json" not in page.read_text(encoding="utf-8")


def test_sample_data_say_so_on_every_page(portal: Path) -> None:
    for name, page in pages(portal).items():
        if name not in ("404.html", "index.html"):
            assert "示例数据" in page.xpath("string(//aside)"), name
    assert "示例数据" in pages(portal)["index.html"].xpath("string(//main)")


def test_hostile_names_are_text_on_every_page(tmp_path: Path) -> None:
    def change(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        tables["bodies"] = tables["bodies"].with_columns(pl.lit(HOSTILE).alias("name_zh"))
        tables["findings"] = tables["findings"].with_columns(
            pl.lit(HOSTILE).alias(column) for column in ("message_zh", "message_en", "waived")
        )
        tables["indicators"] = tables["indicators"].with_columns(
            pl.lit(HOSTILE).alias("label_zh"), pl.lit("</script><b>").alias("unit")
        )
        return tables

    publish_county(tmp_path, waived=1, change=change)
    build_site(tmp_path, tmp_path / "portal")
    shown = HOSTILE.replace("\u202e", "⟨U+202E⟩")
    for name, page in pages(tmp_path / "portal").items():
        if not name.startswith(f"{CODE}/{YEAR}/"):
            continue
        text = (tmp_path / "portal" / name).read_text(encoding="utf-8")
        assert "\u202e" not in re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL), name
        assert "<script>alert" not in text, name
        assert all(s.get("type") or s.get("src") for s in page.xpath("//script")), name
        assert not page.xpath("//main//b"), name
    quality = pages(tmp_path / "portal")[f"{CODE}/{YEAR}/quality.html"]
    assert quality.xpath("string(//table[@id='roster']/tbody/tr[1]/th/a)") == shown
    assert shown in quality.xpath("string(//section[@aria-labelledby='exceptions-heading'])")


# --- building again ------------------------------------------------------------------------------------------


def test_the_same_releases_give_the_same_site_in_another_process(out: Path, portal: Path, tmp_path: Path) -> None:
    code = "import sys; from pipelines.publish.portal import build_site; build_site(sys.argv[1], sys.argv[2])"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Shanghai", "LC_ALL": "C"}
    command = [sys.executable, "-c", code, str(out), str(tmp_path / "site")]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert files(tmp_path / "site") == files(portal)


def test_only_the_year_that_changed_is_built_anew(tmp_path: Path) -> None:
    publish_county(tmp_path, year=2022)
    publish_county(tmp_path)
    site = tmp_path / "portal"
    first = build_site(tmp_path, site)
    assert first.rebuilt == ((CODE, 2022), (CODE, YEAR))
    again = build_site(tmp_path, site)
    assert (again.rebuilt, again.changed) == ((), False)
    before = {name: (site / name).stat().st_ino for name in files(site)}
    publish_county(tmp_path, seed=2)
    third = build_site(tmp_path, site)
    assert (third.rebuilt, third.reused) == (((CODE, YEAR),), ((CODE, 2022),))
    after = {name: (site / name).stat().st_ino for name in files(site)}
    assert {n for n in before if n.startswith(f"{CODE}/2022/")} == {
        n for n in after if n.startswith(f"{CODE}/2022/") and after[n] == before[n]
    }
    fresh = tmp_path / "fresh"
    build_site(tmp_path, fresh)
    assert files(fresh) == files(site)
    assert (third.files, third.bytes) == (len(after), sum(len(data) for data in files(site).values()))


def test_a_new_release_says_what_changed_and_keeps_the_old_one(tmp_path: Path) -> None:
    old = publish_county(tmp_path)
    new = publish_county(tmp_path, seed=2)
    build_site(tmp_path, tmp_path / "portal")
    quality = pages(tmp_path / "portal")[f"{CODE}/{YEAR}/quality.html"]
    changes = quality.xpath("string(//section[@aria-labelledby='changes-heading'])")
    assert old.id in changes
    assert str(len(new.changes)) in changes
    folder = tmp_path / "portal" / CODE / str(YEAR) / "releases"
    assert {path.name for path in folder.iterdir()} == {old.id, new.id}
    withdraw(tmp_path, CODE, YEAR, new.id, "数字有误", "负责人")
    build_site(tmp_path, tmp_path / "portal")
    assert {path.name for path in folder.iterdir()} == {old.id}
    quality = pages(tmp_path / "portal")[f"{CODE}/{YEAR}/quality.html"]
    assert "数字有误" in quality.xpath("string(//ol[@class='events'])")


def test_a_year_that_is_withdrawn_altogether_leaves_the_site(tmp_path: Path) -> None:
    only = publish_county(tmp_path)
    build_site(tmp_path, tmp_path / "portal")
    withdraw(tmp_path, CODE, YEAR, only.id, "理由", "负责人")
    build_site(tmp_path, tmp_path / "portal")
    seen = pages(tmp_path / "portal")
    there = f"{CODE}/{YEAR}/index.html"
    assert set(seen) == {"index.html", "404.html", there}
    assert "还没有发布" in (tmp_path / "portal" / "index.html").read_text(encoding="utf-8")
    assert seen["index.html"].xpath("//section[@aria-labelledby='gone-heading']//a/@href") == [there]
    record = seen[there].xpath("string(//ol[@class='events'])")
    assert only.id in record
    assert "理由（负责人）" in record
    assert not build_site(tmp_path, tmp_path / "portal").changed
    publish_county(tmp_path, seed=2)
    build_site(tmp_path, tmp_path / "portal")
    assert not pages(tmp_path / "portal")["index.html"].xpath("//section[@aria-labelledby='gone-heading']")


def test_a_file_of_the_site_that_was_altered_is_mended(tmp_path: Path) -> None:
    publish_county(tmp_path)
    site = tmp_path / "portal"
    build_site(tmp_path, site)
    good = files(site)
    for name in (f"{CODE}/{YEAR}/index.html", "index.html", INDEX, "assets/portal.js"):
        (site / name).write_bytes(b"altered")
        assert build_site(tmp_path, site).changed
        assert files(site) == good


def test_a_damaged_release_stops_the_build_and_the_old_site_stands(tmp_path: Path) -> None:
    publish_county(tmp_path)
    site = tmp_path / "portal"
    build_site(tmp_path, site)
    good = files(site)
    new = publish_county(tmp_path, seed=2)
    victim = Path(str(new.path)) / "data" / "bodies.csv"
    victim.chmod(0o644)
    victim.write_bytes(b"altered")
    with pytest.raises(SiteError, match=r"data/bodies\.csv.*gongkai verify"):
        build_site(tmp_path, site)
    assert files(site) == good
    assert not list((tmp_path / ".portal").glob("build-*"))


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    publish_county(tmp_path)
    leftover = tmp_path / ".portal" / "build-dead"
    leftover.mkdir(parents=True)
    (leftover / "half.html").write_text("half", encoding="utf-8")
    build_site(tmp_path, tmp_path / "portal")
    assert [path.name for path in (tmp_path / ".portal").iterdir()] == [".lock"]


def test_the_key_follows_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pipelines.publish.portal import site

    ignore = shutil.ignore_patterns("__pycache__")
    project = site.HERE.parents[2]
    shutil.copytree(project / "pipelines" / "publish", tmp_path / "pipelines" / "publish", ignore=ignore)
    shutil.copy(project / "pipelines" / "layout.py", tmp_path / "pipelines")
    shutil.copytree(project / "schemas", tmp_path / "schemas", ignore=ignore)
    monkeypatch.setattr(site, "HERE", tmp_path / "pipelines" / "publish" / "portal")
    key = builder_key.__wrapped__()
    assert builder_key.__wrapped__() == key
    for name in ("pipelines/publish/portal/templates/base.html", "schemas/charts.toml", "pipelines/layout.py"):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        assert builder_key.__wrapped__() != key
        key = builder_key.__wrapped__()


def test_a_reader_meets_the_old_site_or_the_new_one(tmp_path: Path) -> None:
    site = tmp_path / "site"
    swap_site({"a.html": b"0", "b.html": b"0"}, [], site, tmp_path / "build")
    missing: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for name in ("a.html", "b.html"):
                try:
                    (site / name).read_bytes()
                except FileNotFoundError:
                    missing.append(name)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        swap_site({"a.html": str(number).encode(), "b.html": b"x"}, [], site, tmp_path / "build")
    done.set()
    reader.join()
    assert missing == []
    assert (site / "a.html").read_bytes() == b"59"


def test_without_an_exchange_the_folders_still_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.publish.portal import swap

    site = tmp_path / "site"
    swap_site({"a/x": b"1", "gone": b""}, [], site, tmp_path / "build")
    monkeypatch.setattr(swap, "exchange", lambda first, second: False)
    swap_site({"b": b"2"}, ["a/x"], site, tmp_path / "build")
    assert files(site) == {"a/x": b"1", "b": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_exchange_refuses_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert exchange(tmp_path / "one", tmp_path / "two") is False


def test_the_site_on_other_storage_is_the_same(out: Path, portal: Path, tmp_path: Path) -> None:
    remote = UPath("memory://portal-test/site")
    report = build_site(out, remote)
    found = {p.path.removeprefix(f"{remote.path}/"): p.read_bytes() for p in remote.rglob("*") if not p.is_dir()}
    assert found == files(portal)
    assert report.changed
    (remote / "stale.html").write_bytes(b"stale")
    (remote / "index.html").write_bytes(b"altered")
    build_site(out, remote)
    assert not (remote / "stale.html").exists()
    assert (remote / "index.html").read_bytes() == files(portal)["index.html"]
