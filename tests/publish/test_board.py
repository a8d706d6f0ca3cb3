"""The officer's board: counts, deadlines, what blocks publication, and the page in a browser."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from lxml import html

from pipelines.publish.board import (
    INDEX,
    MOST_BODIES,
    MOST_GENERAL,
    MOST_MESSAGES,
    MOST_OF_ONE,
    MOST_OPEN,
    STATUSES,
    board_pages,
    deadlines,
)
from pipelines.publish.receipt import receipt_page
from schemas.findings import Finding, make_finding
from schemas.tables import load_tables
from tests.publish.receipt_cases import BODIES, FORM, findings_of, raws_of, region, valid_values, wrong_cell

TODAY = datetime.date(2024, 1, 20)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROW_OF = dict(zip(("accepted", "refused", "missing", "waived"), BODIES, strict=True))


def rows() -> list[dict[str, object]]:
    made = [
        {
            "region": "511725",
            "year": 2023,
            "body": body.code,
            "name_zh": body.name_zh,
            "kind": body.kind,
            "level": body.level,
            "status": status,
            "file_sha256": None,
            "versions": 0 if status in ("missing", "waived") else 2,
        }
        for status, body in ROW_OF.items()
    ]
    assert all(tuple(row) == load_tables()["bodies"].names for row in made)
    return made


def findings() -> list[Finding]:
    refused = [msgspec.structs.replace(finding, body=ROW_OF["refused"].code) for finding in wrong_cell()[1]]
    missing = [
        make_finding(
            "roster_missing",
            words={"name": ROW_OF[status].name_zh, "year": 2023, "why_zh": "", "why_en": ""},
            body=ROW_OF[status].code,
            waived=waived,
        )
        for status, waived in (("missing", ""), ("waived", "撤并（示例）"))
    ]
    values = valid_values()
    values["proactive.normative_documents.repealed"] = 0
    values["proactive.normative_documents.in_force"] = 1
    warned = [msgspec.structs.replace(finding, body=ROW_OF["accepted"].code) for finding in findings_of(values)]
    return [*refused, *missing, *warned, make_finding("no_previous_year", words={"year": 2022})]


def gate(*passed: bool) -> list[dict[str, object]]:
    return [
        {
            "check": f"check_{number}",
            "title_zh": f"检查{number}",
            "title_en": f"check {number}",
            "passed": good,
            "reason_zh": None if good else f"原因{number}。",
            "reason_en": None if good else f"Reason {number}.",
        }
        for number, good in enumerate(passed)
    ]


def board(**changes: object) -> html.HtmlElement:
    arguments: dict[str, object] = {
        "region": region(),
        "year": 2023,
        "bodies": rows(),
        "findings": findings(),
        "gate": gate(False, True),
        "today": TODAY,
    }
    return html.document_fromstring(board_pages(**{**arguments, **changes})[INDEX].decode("utf-8"))  # type: ignore[arg-type]


def text(element: html.HtmlElement) -> str:
    return re.sub(r"\s+", " ", element.text_content()).strip()


def line(root: html.HtmlElement, code: str) -> list[str]:
    (row,) = root.xpath(f"//table[@id='bodies']/tbody/tr[td/code='{code}']")
    return [text(cell) for cell in row]


def test_each_body_has_its_status_versions_and_findings() -> None:
    root = board()
    assert line(root, ROW_OF["accepted"].code)[2:] == ["办公室", "✓已采用", "2", "0", "1", "0", "0", "查看"]
    assert line(root, ROW_OF["refused"].code)[2:] == ["乡镇", "✕未通过", "2", "2", "0", "0", "0", "查看"]
    assert line(root, ROW_OF["missing"].code)[2:] == ["部门", "！未报送", "0", "1", "0", "0", "0", "查看"]
    assert line(root, ROW_OF["waived"].code)[2:] == ["街道", "○已豁免", "0", "0", "0", "0", "1", "查看"]
    codes = root.xpath("//table[@id='bodies']/tbody/tr/td/code/text()")
    assert codes == [body.code for body in BODIES]  # roster order


def test_links_lead_to_receipts_and_to_findings_on_the_page() -> None:
    root = board()
    links = root.xpath("//tbody//a/@href")
    receipts = [link for link in links if link.startswith("receipts/")]
    assert receipts == [f"receipts/{body.code}.html" for body in BODIES]  # a missing body has one too
    identifiers = set(root.xpath("//@id"))
    assert {link[1:] for link in links if link.startswith("#")} <= identifiers
    odd = [{**rows()[0], "body": "../x?<y>"}]
    assert board(bodies=odd, findings=[]).xpath("//tbody//a/@href") == ["receipts/..%2Fx%3F%3Cy%3E.html"]


def test_totals_of_the_page() -> None:
    root = board()
    tile = text(root.xpath("//div[@class='tile wide']")[0])
    assert "2 / 4 个单位" in tile
    assert "共收到 4 个文件" in tile
    for word in ("已采用 1", "已豁免 1", "未通过 1", "未报送 1"):
        assert word in tile
    widths = [int(width) for width in root.xpath("//svg/rect/@width")]
    assert widths == [150, 150, 150, 150]
    last = text(root.xpath("//div[@class='tile'][last()]")[0])
    assert re.findall(r"(错误|提醒|说明|已豁免) (\d+)", last) == [
        ("错误", "3"),
        ("提醒", "1"),
        ("说明", "1"),
        ("已豁免", "1"),
    ]


def test_findings_by_body_and_those_of_the_region() -> None:
    root = board()
    refused = root.xpath(f"//details[@id='b-{ROW_OF['refused'].code}']")[0]
    assert refused.get("open") is not None
    assert findings()[0].message_zh in text(refused)
    assert root.xpath(f"//details[@id='b-{ROW_OF['accepted'].code}']")[0].get("open") is None
    assert "豁免理由：撤并（示例）" in text(root.xpath(f"//details[@id='b-{ROW_OF['waived'].code}']")[0])
    assert "没有 2022 年度的数据" in text(root)
    assert "全县" not in text(board(findings=[]))


@pytest.mark.parametrize(
    ("checks", "said", "unsaid"),
    [
        ((False, True), "还不能发布：有 1 项没有通过。", "可以发布"),
        ((True, True), "可以发布：2 项检查全部通过。", "还不能发布"),
        ((), "还没有运行发布前的检查。", "可以发布"),
    ],
)
def test_what_blocks_publication(checks: tuple[bool, ...], said: str, unsaid: str) -> None:
    verdict = text(board(gate=gate(*checks)).xpath("//section[@aria-label='发布']")[0])
    assert said in verdict
    assert unsaid not in verdict
    assert ("检查0 check 0 原因0。EnglishReason 0." in verdict) is (False in checks)


@pytest.mark.parametrize(
    ("today", "days", "left"),
    [
        (datetime.date(2024, 1, 20), (11, 71), "还有 11 天"),
        (datetime.date(2024, 1, 31), (0, 60), "今天截止"),
        (datetime.date(2024, 2, 3), (-3, 57), "已过 3 天"),
    ],
)
def test_days_to_the_deadlines(today: datetime.date, days: tuple[int, int], left: str) -> None:
    both = deadlines(region(), 2023, today)
    assert tuple(deadline.days for deadline in both) == days
    assert tuple(deadline.day for deadline in both) == (datetime.date(2024, 1, 31), datetime.date(2024, 3, 31))
    assert both[0].left[0] == left
    assert left in text(board(today=today))
    assert deadlines(region(body_deadline="02-15"), 2023, today)[0].day == datetime.date(2024, 2, 15)


def test_sample_data_say_so() -> None:
    assert board().xpath("//p[@class='synthetic']")
    assert not board(region=region(synthetic=False)).xpath("//p[@class='synthetic']")


def test_an_unknown_status_is_refused_and_no_bodies_are_no_error() -> None:
    with pytest.raises(KeyError, match="handed_in"):
        board(bodies=[{**rows()[0], "status": "handed_in"}])
    assert "0 / 0 个单位" in text(board(bodies=[], findings=[]))
    assert set(STATUSES) == set(ROW_OF)


def test_hostile_names_are_shown_and_the_policy_allows_only_our_script() -> None:
    evil = "<script>alert(1)</script>\u202e\"'"
    bad = make_finding("roster_missing", words={"name": evil, "year": 1, "why_zh": "", "why_en": ""}, waived=evil)
    root = board(
        bodies=[{**rows()[0], "name_zh": evil, "body": evil}],
        findings=[bad, msgspec.structs.replace(bad, body=evil)],
        gate=[
            {"check": evil, "title_zh": evil, "title_en": evil, "passed": False, "reason_zh": evil, "reason_en": evil}
        ],
    )
    (script,) = root.xpath("//script")
    assert "alert" not in script.text
    assert root.xpath("//@*[starts-with(name(), 'on')] | //@style | //@src | //link") == []
    assert "\u202e" not in html.tostring(root, encoding="unicode")
    assert "script-src 'sha256-" in root.xpath("//meta[@http-equiv]/@content")[0]


# --- many bodies --------------------------------------------------------------------------------------------


def many(count: int, wrong: int, messages: int = 1) -> dict[str, bytes]:
    """A board of ``count`` bodies, of which the last ``wrong`` were refused with ``messages`` each."""
    bodies = [
        {**rows()[0], "body": f"511725-D{n:05}", "status": "refused" if n >= count - wrong else "accepted"}
        for n in range(count)
    ]
    mistake = findings()[0]
    found = [
        msgspec.structs.replace(mistake, body=row["body"])
        for row in bodies
        if row["status"] == "refused"
        for _ in range(messages)
    ]
    return board_pages(region(), 2023, bodies, found, gate(False), TODAY)


def test_a_board_of_few_bodies_is_one_page() -> None:
    assert list(many(MOST_BODIES, 3)) == [INDEX]
    assert list(many(MOST_BODIES + 1, 3)) == [INDEX, "bodies-1.html", "bodies-2.html"]


def test_many_bodies_stand_on_further_pages_and_every_link_finds_its_end() -> None:
    made = many(5 * MOST_BODIES + 1, MOST_BODIES + 20)
    roots = {name: html.document_fromstring(data.decode()) for name, data in made.items()}
    parts = [name for name in made if name != INDEX]
    assert len(parts) == 6
    listed = [code for name in parts for code in roots[name].xpath("//table[@id='bodies']//td/code/text()")]
    assert listed == [f"511725-D{n:05}" for n in range(5 * MOST_BODIES + 1)]
    first = roots[INDEX]
    assert first.xpath("//table[not(@id)]//a/@href") == parts
    told = [[text(cell) for cell in row[1:]] for row in first.xpath("//table[not(@id)]/tbody/tr")]
    total = [sum(int(line[column]) for line in told) for column in range(7)]
    bodies, wrong = 5 * MOST_BODIES + 1, MOST_BODIES + 20
    assert total == [bodies, bodies - wrong, 0, wrong, 0, wrong, 0]
    still = first.xpath("//table[@id='bodies']/tbody/tr")
    assert len(still) == MOST_OPEN
    assert {row.get("data-status") for row in still} == {"refused"}
    assert f"另有 {MOST_BODIES + 20 - MOST_OPEN} 个，见上面各页" in text(first)
    for name, root in roots.items():
        for link in root.xpath("//a/@href"):
            page, _, place = link.partition("#")
            if page == "rules.html" or page.startswith("receipts/"):
                continue
            assert not place or roots[page or name].xpath(f"//details[@id='{place}']"), (name, link)
    ways = [[link for link in roots[name].xpath("//p/a/@href") if link.endswith("html")] for name in parts]
    assert ways[0] == [INDEX, parts[1]] * 2
    assert ways[1] == [parts[0], INDEX, parts[2]] * 2
    assert ways[-1] == [parts[-2], INDEX] * 2


def test_no_page_grows_beyond_what_a_phone_opens() -> None:
    made = many(1200, 1200, messages=MOST_OF_ONE + 30)
    assert max(map(len, made.values())) < 2_000_000
    root = html.document_fromstring(made["bodies-01.html"].decode())
    assert len(root.xpath("//ul[@class='messages']/li")) <= MOST_MESSAGES
    one = root.xpath("//details")[0]
    assert len(one.xpath(".//li")) == MOST_OF_ONE
    assert one.xpath("./p/a/@href") == ["receipts/511725-D00000.html"]
    assert "另有 30 条，见回执" in text(one)
    assert f"错误 {MOST_OF_ONE + 30}" in text(one)
    stray = [make_finding("unknown_body", words={"file": f"{n}.xlsx", "found": "?"}) for n in range(MOST_GENERAL + 7)]
    assert "另有 7 条。" in text(board(findings=stray))
    assert "另有" not in text(board(findings=stray[7:]))


# --- in a browser -------------------------------------------------------------------------------------------


def dump(page: Path, profile: Path) -> html.HtmlElement:
    """The page as Chromium has it after its script ran."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (make system)")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    return html.document_fromstring(done.stdout)


def test_in_a_browser_the_board_filters_and_sorts_under_its_policy(tmp_path: Path) -> None:
    path = tmp_path / "board.html"
    data = board_pages(region(), 2023, rows(), findings(), gate(False), TODAY)[INDEX]
    path.write_bytes(data)
    assert html.document_fromstring(data.decode()).xpath("//div[@id='filters'][@hidden]")
    root = dump(path, tmp_path / "profile")
    assert root.xpath("//div[@id='filters'][not(@hidden)]")
    assert len(root.xpath("//table[@id='bodies']/thead//button")) == 10
    # The same page with one character of its script changed: the policy must keep the script from running.
    path.write_bytes(data.replace(b'"use strict";', b'"use strict" ;'))
    root = dump(path, tmp_path / "profile")
    assert root.xpath("//div[@id='filters'][@hidden]")
    assert len(root.xpath("//table[@id='bodies']/tbody/tr")) == len(BODIES)


DRIVER = b"""
const set = (name, value) => {
  const control = document.getElementById("filter-" + name);
  control.value = value;
  control.dispatchEvent(new Event("input"));
};
const shown = () => [...document.querySelectorAll("#bodies tbody tr")].filter((row) => !row.hidden)
  .map((row) => row.dataset.status).join(",");
const said = [];
set("status", "open"); said.push(shown());
set("status", ""); set("kind", "office"); said.push(shown());
set("kind", ""); set("text", "T02"); said.push(shown());
set("text", "");
const heads = document.querySelectorAll("#bodies thead button");
heads[5].click(); heads[5].click(); said.push(shown());
heads[0].click(); said.push(shown());
document.body.dataset.said = said.join("|");
"""


def test_in_a_browser_filters_and_sorting_do_what_they_say(tmp_path: Path) -> None:
    data = board_pages(region(), 2023, rows(), findings(), gate(False), TODAY)[INDEX]
    policy = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(data)
    path = tmp_path / "board.html"
    # Only this copy is without the policy, so that the test may drive the page by a script of its own.
    path.write_bytes(policy.sub(b"", data).replace(b"</body>", b"<script>" + DRIVER + b"</script></body>"))
    said = dump(path, tmp_path / "profile").xpath("//body/@data-said")[0].split("|")
    assert said == [
        "refused,missing",
        "accepted",
        "waived",
        "refused,missing,accepted,waived",  # errors, most first; equal ones keep their order
        "accepted,missing,refused,waived",  # codes D01, D02, T01, T02
    ]


def test_in_a_browser_the_receipt_is_drawn_with_its_own_style(tmp_path: Path) -> None:
    values, found, explanations = wrong_cell()
    data = receipt_page(
        FORM, region(), 2023, BODIES[1], found, explanations, values, raws_of(values), "a.xlsx", "findings"
    )
    path, picture = tmp_path / "receipt.html", tmp_path / "receipt.png"
    path.write_bytes(data)
    root = dump(path, tmp_path / "profile")
    assert "核查未通过" in text(root.xpath("//section[contains(@class, 'verdict')]")[0])
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,400", f"--screenshot={picture}"]
    with_style = subprocess.run([*command, path.as_uri()], capture_output=True, timeout=60, check=True)
    assert with_style.returncode == 0
    styled = picture.read_bytes()
    assert styled.startswith(b"\x89PNG")
    path.write_bytes(data.replace(b"<style>", b"<style>/**/"))  # the policy refuses a style that is not ours
    subprocess.run([*command, path.as_uri()], capture_output=True, timeout=60, check=True)
    assert picture.read_bytes() != styled
