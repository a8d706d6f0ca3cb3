"""What goes wrong on the way to a portal: a clear error, a public dataset that stays whole, a next run that mends."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import get_args

import pytest

from pipelines.faults import known
from pipelines.publish.ckan import STAGING
from pipelines.publish.ckan_portal import Kind, PushError
from pipelines.publish.ckan_record import PATH, RELEASE
from pipelines.publish.release import publish
from pipelines.storage import report_path, sha256
from tests.ckan.conftest import NAME, assert_whole, package, seen, send
from tests.ckan.portal import LIMIT_MEBIBYTES, ORGANISATION, free_port
from tests.publish.county import CODE, YEAR


def refused(portal, out, kind, **how):
    """The error of a push that must fail, both languages, without the key."""
    with pytest.raises(PushError) as caught:
        send(portal, out, **how)
    error = caught.value
    assert error.kind == kind, error
    assert any("\u4e00" <= character <= "\u9fff" for character in error.chinese)
    assert error.english.isprintable()
    assert portal.key not in str(error)
    assert portal.stranger not in str(error)
    return error


def told(dataset) -> dict[str, str]:
    return {resource[PATH]: resource["hash"] for resource in dataset["resources"]}


# ---------------------------------------------------------------- what cannot be tried again
@pytest.mark.parametrize("key", ["not-a-key", "stranger"])
def test_a_wrong_key_is_told_and_nothing_is_written(portal, releases, line, key):
    key = portal.stranger if key == "stranger" else key
    error = refused(portal, releases.first, "refused", url=line.url, key=key, attempts=3)
    assert "GONGKAI_CKAN_KEY" in error.chinese
    assert "403" in error.english
    assert line.writes == []
    assert line.asked.count("organization_show") == 1, "a wrong key is not tried again"
    assert key not in str(error)


def test_a_missing_organisation_is_told_and_not_made(portal, releases, line):
    error = refused(portal, releases.first, "organisation_missing", url=line.url, ckan_organisation="no-such-office")
    assert "no-such-office" in error.chinese
    assert "ckan_organisation" in error.english
    assert line.writes == []
    assert "no-such-office" not in portal.action("organization_list")


@pytest.mark.parametrize("private", [False, True])
def test_a_dataset_of_that_name_that_is_not_ours_is_left_alone(portal, releases, private):
    with suppress(Exception):
        portal.action("organization_create", name="other-office")
    theirs = portal.action("package_create", name=NAME, title="别人的", owner_org="other-office", private=private)
    error = refused(portal, releases.first, "name_taken")
    assert NAME in error.chinese
    assert portal.action("package_show", id=NAME) == theirs


def test_a_dataset_that_somebody_of_ours_made_by_hand_is_left_alone(portal, releases):
    theirs = portal.action("package_create", by=portal.key, name=NAME, title="手工", owner_org=ORGANISATION)
    refused(portal, releases.first, "name_taken")
    assert portal.action("package_show", id=NAME) == theirs


def test_a_file_larger_than_the_portal_allows_is_named_and_the_shown_dataset_stays(portal, tmp_path):
    identifier = publish(package(1), tmp_path, CODE, YEAR).id
    send(portal, tmp_path)
    before = seen(portal)
    report = report_path(tmp_path, CODE, YEAR)
    report.mkdir()
    (report / "report.html").write_text(identifier, encoding="utf-8")
    (report / "report.pdf").write_bytes(b"%PDF" + bytes(LIMIT_MEBIBYTES * 2**20))
    error = refused(portal, tmp_path, "too_large")
    assert "report.pdf" in error.chinese
    assert "ckan.max_resource_size" in error.chinese
    assert "ckan.max_resource_size" in error.english
    assert seen(portal) == before
    (report / "report.pdf").write_bytes(b"%PDF")
    send(portal, tmp_path)
    assert "report/report.pdf" in told(seen(portal))


def test_a_server_before_the_portal_that_refuses_large_files_is_understood(portal, releases, line):
    line.answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert not refused(portal, releases.first, "too_large", url=line.url).retryable


def test_a_portal_that_stores_other_bytes_is_found_out_before_anybody_sees_them(portal, releases, line):
    line.swap = (b"PAR1", b"PAR2")
    error = refused(portal, releases.first, "bytes_differ", url=line.url)
    assert "form_cells.parquet" in error.chinese
    assert seen(portal) is None
    line.swap = (b"", b"")
    send(portal, releases.first, url=line.url)
    before = seen(portal)
    line.swap = (b"PAR1", b"PAR2")
    refused(portal, releases.second, "bytes_differ", url=line.url)
    assert seen(portal) == before
    assert assert_whole(before) == releases.ids[releases.first]


def test_bytes_changed_in_the_step_that_shows_them_hide_the_dataset_until_the_next_push(portal, releases, line):
    send(portal, releases.first)
    line.swap, line.swap_in = (b"PAR1", b"PAR2"), "package_revise"  # past the trial in private
    error = refused(portal, releases.second, "hidden", url=line.url)
    assert not error.retryable
    assert ".parquet" in error.chinese
    assert "转为不公开" in error.chinese
    assert line.writes[-2:] == ["package_revise", "package_patch"]
    assert seen(portal) is None, "nobody sees the wrong bytes"
    assert portal.action("package_show", id=NAME)["private"] is True
    line.swap = (b"", b"")
    send(portal, releases.second, url=line.url)
    assert assert_whole(seen(portal)) == releases.ids[releases.second]
    assert portal.action("package_show", id=NAME + STAGING)["state"] == "deleted"
    assert send(portal, releases.second).writes == 0


def test_a_dataset_that_cannot_be_hidden_is_said_to_be_wrong_and_mended_by_the_next_push(portal, releases, line):
    send(portal, releases.first)
    line.swap, line.swap_in = (b"PAR1", b"PAR2"), "package_revise"
    line.before["package_patch"] = lambda: setattr(line, "dead", True)
    error = refused(portal, releases.second, "not_hidden", url=line.url)
    assert error.retryable
    assert NAME in error.chinese
    assert seen(portal) is not None
    line.dead, line.swap = False, (b"", b"")
    send(portal, releases.second, url=line.url)
    assert assert_whole(seen(portal)) == releases.ids[releases.second]


def test_every_fault_of_a_push_has_its_words():
    kinds = {fault.id.removeprefix("ckan_") for fault in known() if fault.id.startswith("ckan_")}
    assert kinds == set(get_args(Kind))
    for kind in kinds:
        with pytest.raises(KeyError):  # whatever it names must be said: no message goes out with a gap
            PushError(kind)


def test_a_file_that_the_portal_lost_since_is_put_back(portal, releases):
    send(portal, releases.first)
    wrong = next(r for r in seen(portal)["resources"] if r[PATH] == "data/county_totals.parquet")
    (stored,) = (portal.folder / "storage").rglob(wrong["id"][6:])
    stored.write_bytes(b"lost")
    assert send(portal, releases.first).uploaded == 2, "tried in private, then shown"
    assert assert_whole(seen(portal)) == releases.ids[releases.first]
    assert send(portal, releases.first).writes == 0


def test_a_release_that_does_not_verify_is_not_sent(portal, line, tmp_path):
    folder = publish(package(1), tmp_path, CODE, YEAR).path
    (folder / "data" / "bodies.csv").chmod(0o644)
    (folder / "data" / "bodies.csv").write_bytes(b"x")
    refused(portal, tmp_path, "release_invalid", url=line.url)
    assert line.asked == []


def test_what_is_no_ckan_is_told(portal, releases, line):
    line.answer = b"HTTP/1.1 301 Moved\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n"
    assert "ckan_url" in refused(portal, releases.first, "not_ckan", url=line.url).english


# ---------------------------------------------------------------- what can be tried again
def test_a_portal_out_of_reach_is_tried_again_a_bounded_number_of_times(portal, releases, line):
    line.dead = True
    error = refused(portal, releases.first, "unreachable", url=line.url, attempts=3)
    assert error.retryable
    assert line.asked == ["organization_show"] * 3
    nobody = f"http://127.0.0.1:{free_port()}"
    assert nobody in refused(portal, releases.first, "unreachable", url=nobody).chinese


def test_a_failing_server_is_tried_again(portal, releases, line):
    line.answer = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"
    assert refused(portal, releases.first, "server_error", url=line.url, attempts=2).retryable
    assert len(line.asked) == 2


def test_one_break_is_mended_within_the_same_push(portal, releases, line):
    line.cut_answer = 9
    pushed = send(portal, releases.first, url=line.url, attempts=2)
    assert assert_whole(seen(portal)) == pushed.release
    assert len(told(seen(portal))) == len(seen(portal)["resources"]), "nothing twice"


def test_a_change_by_somebody_else_meanwhile_is_not_run_over(portal, releases, line):
    send(portal, releases.first)
    line.before["package_revise"] = lambda: portal.action("package_patch", id=NAME, title="别人刚改的")
    error = refused(portal, releases.second, "changed_meanwhile", url=line.url)
    assert error.retryable
    assert seen(portal)["title"] == "别人刚改的"
    assert {resource[RELEASE] for resource in seen(portal)["resources"]} == {releases.ids[releases.first]}
    send(portal, releases.second, url=line.url)
    assert assert_whole(seen(portal)) == releases.ids[releases.second]


@pytest.mark.parametrize(
    ("action", "end"),
    [
        ("package_create", "cut_answer"),
        ("resource_create", "cut_request"),
        ("package_revise", "cut_request"),
        ("package_revise", "cut_answer"),
    ],
)
def test_a_first_push_that_is_cut_off_shows_nothing_or_all(portal, releases, line, action, end):
    known = ["organization_show", "organization_list_for_user", "package_show", "package_show", "license_list"]
    files = 14  # each is sent, then downloaded; and before it is shown the portal is asked how it stands
    number = {"package_create": 1, "resource_create": 6, "package_revise": 1 + files * 2 + 2}[action] + len(known)
    setattr(line, end, number)
    refused(portal, releases.first, "unreachable", url=line.url)
    assert line.asked[number - 1] == action
    shown = seen(portal)
    assert (shown is None) == ((action, end) != ("package_revise", "cut_answer"))
    if shown is not None:
        assert_whole(shown)
    send(portal, releases.first)
    assert assert_whole(seen(portal)) == releases.ids[releases.first]
    assert len(told(seen(portal))) == len(seen(portal)["resources"]) == files


def test_an_update_that_is_cut_off_leaves_the_old_dataset_or_the_new_one(portal, releases, line):
    send(portal, releases.first)
    holds, wants = releases.second, releases.first
    send(portal, holds, url=line.url)  # an undisturbed one, to learn its requests
    writes = [number for number, name in enumerate(line.asked, 1) if name in line.writes]
    assert len(writes) == 9
    known = {
        out: {path: sha256(data) for path, data in releases.files(out).items() if path != "README.md"}
        for out in (holds, wants)
    }
    for number, action, end in (
        (writes[0], "package_patch", "cut_answer"),
        (writes[3], "resource_create", "cut_request"),
        (writes[-2], "package_revise", "cut_request"),
        (writes[-2], "package_revise", "cut_answer"),
        (writes[-1], "package_delete", "cut_request"),
    ):
        line.asked.clear()
        setattr(line, end, number)
        refused(portal, wants, "unreachable", url=line.url)
        assert line.asked[-1] == action
        setattr(line, end, 0)
        done = action == "package_delete" or (action, end) == ("package_revise", "cut_answer")
        shown = seen(portal)
        assert told(shown) == known[wants if done else holds], action
        assert {resource[RELEASE] for resource in shown["resources"]} == {releases.ids[wants if done else holds]}
        if action == "package_revise":
            assert_whole(shown)
        send(portal, wants)
        assert told(seen(portal)) == known[wants]
        assert portal.action("package_show", id=NAME + STAGING)["state"] == "deleted"
        holds, wants = wants, holds
    assert assert_whole(seen(portal)) == releases.ids[holds]


def test_a_key_is_not_taken_from_the_users_own_password_file(portal, releases, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert send(portal, releases.first).release == releases.ids[releases.first]


def test_the_line_itself_breaks_what_it_says(line):
    line.dead = True
    with socket.create_connection(("127.0.0.1", int(line.url.rpartition(":")[2]))) as connection:
        connection.sendall(b"GET /api/action/package_show HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1) == b""
    assert line.asked == ["package_show"]
    assert line.writes == []
