"""Old and foreign word formats (doc, WPS, rtf, odt) and odd spreadsheets, through LibreOffice.

Belongs here: one conversion in a process and a profile of its own, with its limits. Does not belong here: reading what
comes out (word.py, workbook.py).

The conversion never runs macros, follows no link and loads nothing from elsewhere: the profile forbids it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.document import Document, Format
from pipelines.ingest.limits import DEFAULT_LIMITS, MAX_PART, MIB, Limits, clock_held
from pipelines.ingest.readers.ole import MAGIC as OLE

_PROGRAMS = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")
_FILTERS = {"docx": "docx:MS Word 2007 XML", "xlsx": "xlsx:Calc MS Excel 2007 XML"}
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
{items}</oor:items>
"""
_SETTING = (
    '<item oor:path="/org.openoffice.{path}">'
    '<prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>\n'
)
_SAFE = (
    ("Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Office.Common/Security/Scripting", "DisableActiveContent", "true"),
    ("Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Office.Common/Load", "UpdateDocMode", "0"),
    ("Office.Writer/Content/Update", "Link", "0"),
    ("Office.Calc/Content/Update", "Link", "2"),
    ("Setup/Office", "ooSetupInstCompleted", "true"),
)
# What the user is told the file is, by the extension that LibreOffice is given.
_NAMES = {
    "doc": ("旧版 Word 文件", "an old Word document"),
    "wps": ("WPS 文件", "a WPS document"),
    "rtf": ("RTF 文件", "an RTF document"),
    "odt": ("OpenDocument 文档", "an OpenDocument text"),
    "xls": ("旧版表格文件", "an old spreadsheet"),
    "xml": ("Office 2003 XML 文件", "an Office 2003 XML file"),
}
_MEMORY = 4096 * MIB  # of address space: an office suite maps far more than it uses


def read(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Read a doc, wps, rtf or odt. Raises Declined: LibreOffice missing, damaged, encrypted, too slow."""
    from pipelines.ingest.readers import word

    kind = _kind(data)
    document = word.read(convert(data, name, "docx", limits), name)
    formats: dict[str, Format] = {"rtf": "rtf", "odt": "odt", "wps": "wps"}
    return msgspec.structs.replace(document, format=formats.get(kind, "doc"))


def _kind(data: bytes, target: str = "docx") -> str:
    if data.startswith(b"PK"):
        return "odt"
    if data.lstrip()[:5] == b"{\\rtf":
        return "rtf"
    if not data.startswith(OLE):
        return "xml"
    if target == "xlsx":
        return "xls"
    from pipelines.ingest.readers.ole import root_streams

    return "doc" if "WordDocument" in root_streams(data) else "wps"


def program() -> str | None:
    """Where LibreOffice is, None where it is not installed."""
    return next((found for found in map(shutil.which, _PROGRAMS) if found), None)


def convert(data: bytes, name: str, target: Literal["docx", "xlsx"], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The file converted by LibreOffice, within ``limits.office_seconds``.

    Raises Declined (no LibreOffice, damaged, too slow, too large).
    """
    office = program()
    kind = _kind(data, target)
    if office is None:
        zh, en = _NAMES[kind]
        raise decline("needs_libreoffice", name, found=zh, found_en=en, save_as=target)
    seconds = limits.office_seconds
    with (
        clock_held(seconds + 5),
        tempfile.TemporaryDirectory(prefix="gongkai-", ignore_cleanup_errors=True) as folder,
    ):
        return _convert(office, Path(folder), data, kind, target, name, seconds)


def _convert(office: str, folder: Path, data: bytes, kind: str, target: str, name: str, seconds: int) -> bytes:
    # The name of the delivered file goes nowhere near a command line.
    source = folder / f"delivered.{kind}"
    source.write_bytes(data)
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    items = "".join(_SETTING.format(path=path, name=key, value=value) for path, key, value in _SAFE)
    (profile / "user" / "registrymodifications.xcu").write_text(_SETTINGS.format(items=items), encoding="utf-8")
    command = [
        office,
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--norestore",
        "--nologo",
        "--nodefault",
        "--nolockcheck",
        "--convert-to",
        _FILTERS[target],
        "--outdir",
        str(folder / "out"),
        str(source),
    ]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
    }
    process = subprocess.Popen(  # noqa: S603  (a program found above, arguments made here)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        process_group=0,  # ended together with whatever it starts; still in our session, which the sandbox ends
        preexec_fn=partial(_office_limits, seconds),  # noqa: PLW1509  (the parsing process has a single thread)
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired as fault:
        raise decline("resource_limit", name, what="转换时间", what_en="time for conversion") from fault
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return _result(folder / "out" / f"delivered.{target}", name)


def _office_limits(seconds: int) -> None:
    for what, value in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NOFILE, 1024),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _result(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
    except OSError as fault:
        raise _not_converted(name) from fault
    if size > MAX_PART:
        raise decline(
            "too_large",
            name,
            found=f"转换后有 {size // MIB} MiB",
            found_en=f"converted it has {size // MIB} MiB",
            limit=f"{MAX_PART // MIB} MiB",
            limit_en=f"{MAX_PART // MIB} MiB",
        )
    return path.read_bytes()


def _not_converted(name: str) -> Declined:
    return decline("damaged_file", name, reason="LibreOffice 也打不开", reason_en="LibreOffice cannot open it either")
