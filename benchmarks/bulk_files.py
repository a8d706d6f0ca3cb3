"""An inbox of many files of mixed formats with some that are broken or hostile, deterministic by seed. All invented.

Belongs here: making such files quickly, from templates whose figures and names are filled in where they stand in the
XML. Does not belong here: drawing figures (country.py), what a format looks like (pipelines/sample), measuring.

Every body of one synthetic county hands in one file. Each format has one template, made by the project's own sample
builders, in which every figure is a number that occurs once; old spreadsheets and PDFs, which LibreOffice makes, are a
few files told apart by some bytes that no reader looks at. Without LibreOffice those formats are left out.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import lxml.html
import msgspec

from benchmarks.country import Country, PlantedBody, county, places
from benchmarks.country_regions import region_files, written
from pipelines.regions import load_region
from pipelines.sample.inbox import return_file
from pipelines.storage import inbox_path
from schemas.findings import number_text
from schemas.form import Form, edition_for, load_form
from schemas.region import Region

SEED, YEAR = 20240131, 2023
# Of a hundred files; those of LibreOffice become workbooks where it is absent.
SHARES = {
    "xlsx": 45,
    "docx": 15,
    "html": 12,
    "csv": 10,
    "txt": 5,
    "zip": 3,
    "ods": 4,
    "xls": 2,
    "pdf": 1,
    "broken": 3,
}
OFFICE = ("ods", "xls", "pdf")
CODE, NAME = "510000-D9876543", "占位单位名称局"
FIRST = 70_000_001  # the figures of a template: 70000001, 70000002 ...
_MARK = re.compile(rb"7000[0-9]{4}|14000[0-9]{4}")
_TIME = (1980, 1, 1, 0, 0, 0)
_CLSID = 8  # where the header of an old office file has sixteen bytes that are all zero


class Template(msgspec.Struct, frozen=True):
    """A file to fill in: ``parts`` by name, which follow what never changes in a zip package (``base``); any other file
    is one part without a base.
    """

    base: bytes
    parts: tuple[tuple[str, bytes], ...]

    def filled(self, figures: Mapping[bytes, bytes], body: PlantedBody) -> bytes:
        """The file of a body."""
        made = [(name, _filled(data, figures, body)) for name, data in self.parts]
        if not self.base:
            return made[0][1]
        out = io.BytesIO(self.base)
        with zipfile.ZipFile(out, "a") as package:
            for name, data in made:
                package.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED, 1)
        return out.getvalue()


def _filled(data: bytes, figures: Mapping[bytes, bytes], body: PlantedBody) -> bytes:
    data = _MARK.sub(lambda mark: figures.get(mark[0], mark[0]), data)
    return data.replace(CODE.encode(), body.code.encode()).replace(NAME.encode(), body.name_zh.encode())


def _template(data: bytes) -> Template:
    if not data.startswith(b"PK"):
        return Template(b"", (("", data),))
    parts, base = list[tuple[str, bytes]](), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as package, zipfile.ZipFile(base, "w") as kept:
        for name in package.namelist():
            content = package.read(name)
            if _MARK.search(content) or CODE.encode() in content or NAME.encode() in content:
                parts.append((name, content))
            else:
                kept.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return Template(base.getvalue(), tuple(parts))


def plain_text(page: bytes) -> bytes:
    """A web page as somebody pastes it into an editor: a line a paragraph, the cells of a row between tabs."""
    lines = []
    for element in lxml.html.fromstring(page.decode()).iter("h1", "p", "tr"):
        if element.tag == "tr":
            lines.append("\t".join((cell.text_content() or "").strip() for cell in element.iter("td")))
        elif not any(parent.tag == "td" for parent in element.iterancestors()):
            lines.append(element.text_content().strip())
    return "\r\n".join(lines).encode()


def _office(files: Mapping[str, bytes], target: str) -> dict[str, bytes]:
    """Files by name as LibreOffice saves them; {} where it is absent."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if not program or not files:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        profile = f"-env:UserInstallation={Path(folder, 'profile').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", target, "--outdir", folder]
        command += [str(Path(folder, name)) for name in files]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        return {name: Path(folder, name).with_suffix(f".{target}").read_bytes() for name in files}


class Maker:
    """Makes the file of any body. ``kinds``: the formats that can be made here."""

    def __init__(self, region: Region, bodies: Sequence[PlantedBody], form: Form, *, office: bool) -> None:
        self._form, self._bodies = form, bodies
        body = msgspec.structs.replace(region.bodies[0], code=CODE, name_zh=NAME)
        marks = {cell.id: Decimal(FIRST + number) for number, cell in enumerate(form.cells)}
        found = {
            kind: return_file(form, region, body, YEAR, kind, marks, {}) for kind in ("xlsx", "docx", "html", "csv")
        }
        found["txt"] = plain_text(found["html"])
        self._fixed: dict[str, list[bytes]] = {}
        if office:
            if converted := _office({"a.xlsx": found["xlsx"]}, "ods"):
                found["ods"] = converted["a.xlsx"]
            some = [known for code in bodies[:6] if (known := region.body(code.code)) is not None]
            values = [written(form, body) for body in bodies[: len(some)]]
            for kind, target in (("xlsx", "xls"), ("docx", "pdf")):
                files = {
                    f"{number}.{kind}": return_file(form, region, known, YEAR, kind, figures, {})
                    for number, (known, figures) in enumerate(zip(some, values, strict=True))
                    if len(figures) == len(form.cells)
                }
                self._fixed[target] = list(_office(files, target).values())
        self._templates = {kind: _template(data) for kind, data in found.items()}
        self.kinds = {*self._templates, *(kind for kind, made in self._fixed.items() if made), "zip", "broken"}

    def file(self, kind: str, number: int, draw: random.Random) -> tuple[str, bytes]:
        """(file name, bytes) of the body of that number."""
        body = self._bodies[number]
        if kind == "broken":
            return _broken(self.file("xlsx", number, draw)[1], number, draw)
        if kind == "zip":
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                for each in ("csv", "html"):
                    archive.writestr(zipfile.ZipInfo(f"{each}/年报.{each}"), self.file(each, number, draw)[1])
            return "年报.zip", out.getvalue()
        if kind in self._fixed:
            data = self._fixed[kind][number % len(self._fixed[kind])]
            told_apart = struct.pack(">QQ", 1, number)
            whole = data[:_CLSID] + told_apart + data[_CLSID + 16 :] if kind == "xls" else data + b"\n%% " + told_apart
            return f"年报.{kind}", whole
        figures = {b"%d" % (FIRST + at): self._text(body, cell.id) for at, cell in enumerate(self._form.cells)}
        return f"年报.{kind}", self._templates[kind].filled(figures, body)

    def _text(self, body: PlantedBody, cell: str) -> bytes:
        value = body.values[cell]
        if value is None:
            return b""
        return number_text(Decimal(value) / 100 if self._form.by_id[cell].kind == "money" else value).encode()


def _broken(workbook: bytes, number: int, draw: random.Random) -> tuple[str, bytes]:
    """One of several ways of being no return."""
    ways: tuple[Callable[[], tuple[str, bytes]], ...] = (
        lambda: ("年报.xlsx", workbook[: len(workbook) // 2]),
        lambda: ("年报.xlsx", b""),
        lambda: ("年报.docx", draw.randbytes(3000)),
        lambda: ("年报.html", b'<table><tr><td colspan="99999999" rowspan="99999999">%d</td></tr></table>' % number),
        lambda: ("年报.html", b"<div>" * 5000 + b"%d" % number),
        lambda: ("年报.xlsx", _bomb(number)),
        lambda: ("通知.txt", f"关于召开第{number}次会议的通知（示例）。请准时参加。".encode()),
        lambda: ("年报.csv", b"\xff\xfe\x00\xd8" + draw.randbytes(500)),
    )
    return ways[number % len(ways)]()


def _bomb(number: int) -> bytes:
    """A workbook whose sheet unpacks to two hundred times its size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", b"<Types/>")
        package.writestr("xl/workbook.xml", b"<workbook/>")
        package.writestr("xl/worksheets/sheet1.xml", b"%d" % number + b"0" * 12_000_000)
    return out.getvalue()


def mixed_files(
    regions: Path, count: int, seed: int = SEED, *, office: bool = True
) -> Iterator[tuple[str, str, bytes]]:
    """(kind, name below the inbox, bytes) of ``count`` files, and the folder of their region written below ``regions``.

    The kinds come in the order that the seed draws; the file of a body is the same however many there are.
    """
    country = Country(counties=1, bodies=count, provinces=1, year=YEAR, seed=seed)
    place = places(country)[0]
    bodies = county(country, place)
    for name, content in region_files(place, bodies).items():
        path = regions / place.code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    form = load_form(edition_for(YEAR))
    maker = Maker(load_region(regions, place.code), bodies, form, office=office)
    for number, body in enumerate(bodies):
        draw = random.Random(f"{seed} {number}")
        (kind,) = draw.choices(list(SHARES), list(SHARES.values()))
        name, data = maker.file(kind if kind in maker.kinds else "xlsx", number, draw)
        yield kind if kind in maker.kinds else "xlsx", f"{body.code}/{name}", data


def region_code(seed: int = SEED) -> str:
    """The code of the region whose files these are."""
    return places(Country(counties=1, bodies=1, provinces=1, year=YEAR, seed=seed))[0].code


def write_mixed(data: Path, regions: Path, count: int, seed: int = SEED, *, office: bool = True) -> dict[str, int]:
    """Write such an inbox below ``data``; answers how many files of each kind there are."""
    inbox, kinds = Path(inbox_path(data, region_code(seed), YEAR).path), dict[str, int]()
    for kind, name, content in mixed_files(regions, count, seed, office=office):
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds
