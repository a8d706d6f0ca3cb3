"""Conversion by LibreOffice: its bounds, its failure, its absence. A shell script errs in its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.ingest.declined import Declined
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.readers import legacy
from pipelines.ingest.readers.opening import open_document
from schemas.findings import Finding
from tests.ingest import writers

RTF = b"{\\rtf1\\ansi hello}"


@pytest.fixture
def office(tmp_path, monkeypatch):
    """Puts a script in the place of LibreOffice; it finds its arguments as LibreOffice would."""

    def put(script: str) -> None:
        path = tmp_path / "office"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(legacy, "program", lambda: str(path))

    return put


def answer(data: bytes = RTF, limits: Limits = DEFAULT_LIMITS) -> Finding:
    with pytest.raises(Declined) as caught:
        open_document(data, "报告.rtf", limits)
    return caught.value.finding


def test_a_conversion_that_takes_too_long_is_ended_with_all_it_started(office, tmp_path):
    office(f"(sleep 3; echo left > {tmp_path}/mark) & sleep 600")
    started = time.monotonic()
    assert answer(limits=Limits(office_seconds=1)).rule == "resource_limit"
    time.sleep(max(0.0, 4 - (time.monotonic() - started)))
    assert not (tmp_path / "mark").exists()


def test_a_conversion_that_yields_nothing_means_a_damaged_file(office):
    office("exit 0")
    finding = answer()
    assert finding.rule == "damaged_file"
    assert "LibreOffice" in finding.message_zh


def test_the_delivered_name_never_reaches_the_command_and_nothing_is_left_behind(office, tmp_path):
    office(f'printf "%s\\n" "$@" > {tmp_path}/arguments')
    answer()
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert "报告" not in "".join(arguments)
    (profile,) = [argument for argument in arguments if argument.startswith("-env:UserInstallation=file://")]
    assert not Path(profile.partition("file://")[2]).parent.exists()


def test_the_profile_forbids_macros_and_links(office, tmp_path):
    office(f'cp -r "$PWD/profile" {tmp_path}/profile')
    answer()
    settings = (tmp_path / "profile" / "user" / "registrymodifications.xcu").read_text(encoding="utf-8")
    for name in ("DisableMacrosExecution", "BlockUntrustedRefererLinks"):
        assert f'oor:name="{name}" oor:op="fuse"><value>true</value>' in settings


def test_without_libreoffice_the_finding_says_what_to_do(monkeypatch):
    monkeypatch.setattr(legacy, "program", lambda: None)
    finding = answer()
    assert finding.rule == "needs_libreoffice"
    assert "apt install libreoffice" in finding.message_zh
    assert "docx" in finding.message_zh


def test_libreoffice_opens_what_it_should():
    if writers.office() is None:
        pytest.skip("LibreOffice is not installed")
    (item,) = open_document(RTF, "x.rtf").items
    assert item.at == "第1段"
