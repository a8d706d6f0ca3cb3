"""A release on a real CKAN: put there, left alone, changed, taken back."""

from __future__ import annotations

import requests

from pipelines.publish.ckan import STAGING
from pipelines.publish.ckan_record import HASH_ALGORITHM, PATH
from pipelines.publish.release import publish, withdraw
from pipelines.publish.verify import verify
from pipelines.storage import report_path
from tests.ckan.conftest import NAME, assert_whole, declared, downloads, package, seen, send
from tests.ckan.portal import ORGANISATION
from tests.publish.county import CODE, YEAR

TABLES = ("form_cells", "bodies", "body_cells", "county_totals", "findings", "indicators")


def test_a_release_is_shown_whole_in_chinese_with_its_catalogue_elements(portal, releases):
    pushed = send(portal, releases.first)
    dataset = seen(portal)
    assert (pushed.name, pushed.release) == (NAME, releases.ids[releases.first])
    assert assert_whole(dataset) == pushed.release
    assert dataset["title"].startswith("渠县2023年度政府信息公开工作年度报告")
    assert "Quxian, 2023" in dataset["title"]
    assert dataset["organization"]["name"] == ORGANISATION
    assert dataset["license_id"] == "cc-by"
    assert {"政府信息公开", "渠县"} <= {tag["name"] for tag in dataset["tags"]}
    extras = {extra["key"]: extra["value"] for extra in dataset["extras"]}
    assert extras["更新周期"] == "每年 / Yearly"
    assert extras["开放属性"].startswith("无条件开放")
    assert extras["信息资源提供方"].startswith("渠县公开办（示例）")
    assert extras["发布版本"] == pushed.release
    assert {"信息资源分类", "信息资源格式", "共享类型", "共享方式", "开放条件（许可协议）"} <= set(extras)


def test_each_table_is_two_resources_with_hash_size_and_type(portal, releases):
    send(portal, releases.first)
    resources = {resource[PATH]: resource for resource in seen(portal)["resources"]}
    tables = {f"data/{table}.{kind}" for table in TABLES for kind in ("parquet", "csv")}
    assert set(resources) == tables | {"datapackage.json", "SHA256SUMS"}
    totals = resources["data/county_totals.parquet"]
    assert totals["name"] == "全县汇总数据（Parquet） County totals"
    assert (totals["format"], totals["mimetype"]) == ("Parquet", "application/vnd.apache.parquet")
    assert totals["hash_algorithm"] == HASH_ALGORITHM
    assert len(totals["hash"]) == 64
    assert resources["data/county_totals.csv"]["format"] == "CSV"


def test_what_is_downloaded_is_a_release_that_verifies(portal, releases, tmp_path):
    send(portal, releases.first)
    given = releases.files(releases.first)
    for path, data in downloads(seen(portal)).items():
        assert data == given[path]
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "README.md").write_bytes(given["README.md"])  # the one file that is for the folder alone
    assert verify(tmp_path).valid


def test_a_part_of_a_file_can_be_asked_for(portal, releases):
    send(portal, releases.first)
    url = next(r["url"] for r in seen(portal)["resources"] if r[PATH] == "data/body_cells.parquet")
    answer = requests.get(url, headers={"Range": "bytes=-8"}, timeout=30)
    assert answer.status_code == 206
    assert answer.content == releases.files(releases.first)["data/body_cells.parquet"][-8:]
    assert answer.content.endswith(b"PAR1")


def test_the_page_shows_the_chinese_title_to_anybody(portal, releases):
    send(portal, releases.first)
    dataset = seen(portal)
    page = requests.get(f"{portal.url}/dataset/{NAME}", timeout=30)
    assert page.status_code == 200
    assert dataset["title"] in page.text
    assert "无条件开放" in page.text
    assert 'href="https://creativecommons.org/licenses/by/4.0/"' in page.text
    found = requests.get(f"{portal.url}/api/3/action/package_search", params={"q": "渠县"}, timeout=30).json()
    assert [each["name"] for each in found["result"]["results"]] == [NAME]


def test_the_same_release_again_writes_nothing(portal, releases, line):
    first = send(portal, releases.first, url=line.url)
    assert len(line.writes) == first.writes > len(TABLES) * 2
    before = seen(portal)
    line.asked.clear()
    again = send(portal, releases.first, url=line.url)
    assert line.writes == []
    assert (again.writes, again.uploaded) == (0, 0)
    assert again.reads == len(line.asked)
    assert seen(portal) == before


def test_a_changed_release_replaces_the_shown_one_in_place(portal, releases, line):
    send(portal, releases.first)
    before = seen(portal)
    pushed = send(portal, releases.second, url=line.url)
    after = seen(portal)
    assert assert_whole(after) == pushed.release == releases.ids[releases.second]
    assert after["id"] == before["id"]
    assert line.writes.count("package_revise") == 1  # the only change of the public dataset
    kept = {resource["hash"]: resource["id"] for resource in before["resources"]}
    for resource in after["resources"]:  # what did not change stays where it was, what changed is a new resource
        assert (resource["id"] == kept.get(resource["hash"])) or resource["id"] not in kept.values()
    unchanged = [r for r in after["resources"] if r["hash"] in kept]
    assert "data/form_cells.parquet" in {resource[PATH] for resource in unchanged}
    assert all(resource["id"] == kept[resource["hash"]] for resource in unchanged)
    assert portal.action("package_show", id=NAME + STAGING)["state"] == "deleted"
    assert send(portal, releases.second).writes == 0
    assert send(portal, releases.first).release == releases.ids[releases.first]  # the staging dataset is taken up again
    assert assert_whole(seen(portal)) == releases.ids[releases.first]
    assert portal.action("package_show", id=NAME + STAGING)["state"] == "deleted"


def test_a_withdrawn_release_gives_way_to_the_one_that_counts_and_then_to_none(portal, tmp_path):
    ids = [publish(package(seed), tmp_path, CODE, YEAR).id for seed in (1, 2)]
    send(portal, tmp_path)
    assert assert_whole(seen(portal)) == ids[1]
    withdraw(tmp_path, CODE, YEAR, ids[1], "数字有误", "负责人")
    send(portal, tmp_path)
    assert assert_whole(seen(portal)) == ids[0]
    withdraw(tmp_path, CODE, YEAR, ids[0], "数字有误", "负责人")
    pushed = send(portal, tmp_path)
    assert pushed.release == ""
    assert seen(portal) is None
    assert send(portal, tmp_path).writes == 0
    third = publish(package(3), tmp_path, CODE, YEAR).id
    send(portal, tmp_path)
    assert assert_whole(seen(portal)) == third


def test_nothing_is_made_where_nothing_was_ever_released(portal, tmp_path):
    pushed = send(portal, tmp_path)
    assert (pushed.release, pushed.writes) == ("", 0)
    assert seen(portal) is None


def test_report_and_signature_go_along_but_not_the_report_of_another_release(portal, tmp_path):
    published = publish(package(1), tmp_path, CODE, YEAR)
    (published.path / "SHA256SUMS.sig").write_bytes(b"-----BEGIN SSH SIGNATURE-----\n")
    report = report_path(tmp_path, CODE, YEAR)
    report.mkdir()
    (report / "report.html").write_text(f"版本 {published.id}", encoding="utf-8")
    (report / "report.pdf").write_bytes(b"%PDF-1.7 sample")
    (report / "report.docx").write_bytes(b"PK sample")
    send(portal, tmp_path)
    shown = downloads(seen(portal))
    assert shown["report/report.pdf"] == b"%PDF-1.7 sample"
    assert shown["report/report.docx"] == b"PK sample"
    assert shown["SHA256SUMS.sig"].startswith(b"-----BEGIN SSH")
    (report / "report.html").write_text("版本 0000000000000000", encoding="utf-8")
    send(portal, tmp_path)
    assert not [path for path in downloads(seen(portal)) if path.startswith("report/")]
    assert send(portal, tmp_path).writes == 0


def test_what_others_changed_on_our_dataset_is_put_right(portal, releases):
    send(portal, releases.first)
    portal.action("package_patch", id=NAME, title="改了的标题", private=True)
    resource = portal.action("package_show", id=NAME)["resources"][0]
    portal.action("resource_delete", id=resource["id"])
    send(portal, releases.first)
    assert seen(portal)["title"].startswith("渠县2023")
    assert assert_whole(seen(portal)) == releases.ids[releases.first]
    portal.action("package_delete", id=NAME)
    send(portal, releases.first)
    assert assert_whole(seen(portal)) == releases.ids[releases.first]


def test_the_region_declares_the_organisation():
    assert declared().settings.ckan_organisation == ORGANISATION
