"""Reader of ``regions/``: settings, roster, supplement, decisions and published figures of a region, strictly.

Belongs here: finding and checking those files. Does not belong here: their shape (schemas/region.py), which body a name
means (names.py), judging returns, or applying decisions (pipelines/validate).

Every mistake is a DeclarationError that names file and line. Files, below ``<root>/<code>/``: ``region.toml``,
``bodies.csv`` (aliases joined by ``;``), ``supplement.toml`` (may be absent), and for each year, each of them optional,
``<year>/decisions.toml``, ``<year>/published.csv`` and ``<year>/indicators.csv``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from pipelines.names import plain_name
from schemas.declaration import DeclarationError, line_of, read_toml
from schemas.findings import load_kinds
from schemas.form import Form, edition_for, load_form
from schemas.region import LEVEL_DIGITS, Body, Decisions, Region, RegionSettings, Supplement
from schemas.rules import load_rules

T = TypeVar("T")
ALIAS_SEPARATOR = ";"
BODY_COLUMNS = ("code", "name_zh", "name_en", "aliases", "kind", "level", "from_year", "to_year")
PUBLISHED_COLUMNS = ("cell", "value")
INDICATOR_COLUMNS = ("indicator", "value", "qualifier")
FIRST_YEAR, LAST_YEAR = 2008, 2100  # the Regulation came into force in 2008
_REGION_CODE = re.compile(r"\d{2}(\d{2}(\d{2})?)?")
_NUMBER = re.compile(r"-?\d{1,14}(\.\d{1,4})?")


class PublishedIndicator(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of section one as the county published it; ``at_least`` where it says "more than" (余)."""

    indicator: str
    value: Decimal
    qualifier: Literal["", "at_least"] = ""


def _name(root: Path, path: Path) -> str:
    """The file as named in messages: from the regions folder on, never an address of this machine."""
    return f"{root.name}/{path.relative_to(root).as_posix()}"


def _text(root: Path, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DeclarationError(_name(root, path), 1, "文件不存在，请补上。The file does not exist; add it.") from None
    except UnicodeDecodeError as error:
        problem = f"不是 UTF-8 编码，请另存为 UTF-8。Not UTF-8 ({error.reason}); save it as UTF-8."
        raise DeclarationError(_name(root, path), 1, problem) from None


def _toml(root: Path, path: Path, kind: type[T]) -> tuple[T, str]:
    text = _text(root, path)
    return read_toml(text, kind, _name(root, path)), text


def _rows(root: Path, path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a CSV with exactly ``columns`` (any order) as (line number, stripped values by column)."""
    file = _name(root, path)
    reader = csv.reader(io.StringIO(_text(root, path), newline=""), strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        for problem_zh, problem_en, names in (
            ("未知的列", "unknown column", [name for name in head if name not in columns]),
            ("缺少列", "missing column", [name for name in columns if name not in head]),
            ("重复的列", "column given twice", [name for name in set(head) if head.count(name) > 1]),
        ):
            if names:
                listed = "、".join(sorted(names))
                raise DeclarationError(
                    file, 1, f"{problem_zh}：{listed}；应为 {','.join(columns)}。{problem_en}: {listed}"
                )
        for values in reader:
            if not values:
                continue  # an empty line
            if len(values) != len(head):
                problem = f"有 {len(values)} 个值，应有 {len(head)} 个。{len(values)} values, expected {len(head)}"
                raise DeclarationError(file, reader.line_num, problem)
            yield reader.line_num, dict(zip(head, (value.strip() for value in values), strict=True))
    except csv.Error as error:
        raise DeclarationError(file, reader.line_num, f"CSV 格式有误。Malformed CSV: {error}") from None


def _year(file: str, line: int, column: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and FIRST_YEAR <= int(text) <= LAST_YEAR):
        problem = (
            f"{column} 是“{text}”，应为 {FIRST_YEAR} 至 {LAST_YEAR} 的年份。"
            f"{column} is {text!r}, expected a year from {FIRST_YEAR} to {LAST_YEAR}"
        )
        raise DeclarationError(file, line, problem)
    return int(text)


def _body(file: str, line: int, row: dict[str, str], region: str) -> Body:
    code = row["code"]
    if not code.startswith(f"{region}-") or not re.fullmatch(r"[0-9]+-[A-Za-z0-9]+", code):
        problem = (
            f"code 是“{code}”，应以区划代码开头，如 {region}-D01。"
            f"code is {code!r}; it should start with the region's code, such as {region}-D01"
        )
        raise DeclarationError(file, line, problem)
    for column in ("name_zh", "name_en", "kind", "level"):
        if not row[column]:
            raise DeclarationError(file, line, f"{column} 不能为空。{column} must not be empty")
    first = _year(file, line, "from_year", row["from_year"])
    last = _year(file, line, "to_year", row["to_year"]) if row["to_year"] else None
    if last is not None and last < first:
        raise DeclarationError(
            file, line, f"to_year {last} 早于 from_year {first}。to_year {last} is before from_year {first}"
        )
    aliases = tuple(part.strip() for part in row["aliases"].split(ALIAS_SEPARATOR) if part.strip())
    fields = {**row, "aliases": aliases, "from_year": first, "to_year": last}
    try:
        return msgspec.convert(fields, Body, strict=True)
    except msgspec.ValidationError as error:
        raise DeclarationError(file, line, str(error)) from None


def _bodies(root: Path, path: Path, region: str) -> tuple[Body, ...]:
    """The roster in file order; a code, name or alias that two lines share is a mistake."""
    file = _name(root, path)
    bodies: list[Body] = []
    taken: dict[str, tuple[str, int]] = {}
    for line, row in _rows(root, path, BODY_COLUMNS):
        body = _body(file, line, row, region)
        for text in (body.code, body.name_zh, *body.aliases):
            owner, first = taken.get(plain_name(text), ("", 0))
            if owner and (owner != body.code or text == body.code):
                problem = f"“{text}”与第 {first} 行重复。{text!r} is used on line {first} already"
                raise DeclarationError(file, line, problem)
            taken[plain_name(text)] = (body.code, line)
        bodies.append(body)
    if not bodies:
        raise DeclarationError(file, 1, "名录里没有单位。The roster names no body")
    return tuple(bodies)


def region_codes(root: Path) -> tuple[str, ...]:
    """The codes of the regions below ``root``, in order."""
    if not root.is_dir():
        return ()
    return tuple(
        sorted(
            path.name
            for path in root.iterdir()
            if _REGION_CODE.fullmatch(path.name) and (path / "region.toml").is_file()
        )
    )


def _check_level(file: str, text: str, settings: RegionSettings) -> None:
    """The level fits the digits of the code, and only a region with others below it can include them."""
    digits = LEVEL_DIGITS[settings.level]
    if len(settings.code) != digits:
        problem = (
            f"level 是“{settings.level}”，代码应为 {digits} 位，现为“{settings.code}”。"
            f"level is {settings.level!r}, so the code has {digits} digits; it is {settings.code!r}"
        )
        raise DeclarationError(file, line_of(text, "$.level"), problem)
    if settings.totals == "includes_lower" and digits == max(LEVEL_DIGITS.values()):
        problem = (
            "totals 是“includes_lower”，但县、区下面没有别的地区；请写 own 或删去。"
            'totals is "includes_lower", but no region lies below a county or district; write "own" or leave it out'
        )
        raise DeclarationError(file, line_of(text, "$.totals"), problem)


def load_region(root: Path, code: str) -> Region:
    """The region ``code`` (GB/T 2260) below ``root``. Raises DeclarationError naming file and line."""
    if not _REGION_CODE.fullmatch(code) or not (root / code / "region.toml").is_file():
        known = "、".join(region_codes(root)) or "（无）"
        problem = f"没有地区“{code}”，现有：{known}。There is no region {code!r}; there are: {known}"
        raise DeclarationError(f"{root.name}/{code}/region.toml", 1, problem)
    folder = root / code
    settings, text = _toml(root, folder / "region.toml", RegionSettings)
    if settings.code != code:
        file = _name(root, folder / "region.toml")
        problem = (
            f"code 是“{settings.code}”，与文件夹“{code}”不符。code is {settings.code!r}, but the folder is {code!r}"
        )
        raise DeclarationError(file, line_of(text, "$.code"), problem)
    _check_level(_name(root, folder / "region.toml"), text, settings)
    bodies = _bodies(root, folder / "bodies.csv", code)
    if settings.office_body not in {body.code for body in bodies}:
        file = _name(root, folder / "region.toml")
        problem = (
            f"office_body“{settings.office_body}”不在 bodies.csv 中。"
            f"office_body {settings.office_body!r} is not in bodies.csv"
        )
        raise DeclarationError(file, line_of(text, "$.office_body"), problem)
    supplement: Supplement | None = None
    if (folder / "supplement.toml").is_file():
        declared, text = _toml(root, folder / "supplement.toml", Supplement)
        supplement = declared
        seen: set[str] = set()
        for position, indicator in enumerate(declared.indicators):
            if indicator.id in seen or not re.fullmatch(r"[a-z][a-z0-9_]*", indicator.id):
                file = _name(root, folder / "supplement.toml")
                problem = (
                    f"指标代码“{indicator.id}”重复，或不是小写字母、数字和下划线。"
                    f"The indicator id {indicator.id!r} is used twice or is not lower-case letters, digits and _"
                )
                raise DeclarationError(file, line_of(text, f"$.indicators[{position}].id"), problem)
            seen.add(indicator.id)
    return Region(settings=settings, bodies=bodies, supplement=supplement)


def _form(file: str, year: int) -> Form:
    try:
        return load_form(edition_for(year))
    except KeyError:
        raise DeclarationError(
            file, 1, f"{year} 年度没有对应的表式。No edition of the form covers report year {year}"
        ) from None


def _decimal(file: str, line: int, text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        problem = f"value 是“{text}”，应为数字，如 3135.6。value is {text!r}, expected a number such as 3135.6"
        raise DeclarationError(file, line, problem)
    return Decimal(text)


def load_published(root: Path, code: str, year: int) -> dict[str, Decimal] | None:
    """The county's published figures of a year by cell id; None where it has not published. Raises DeclarationError.

    A cell that the published report leaves out has no line; it is never taken for 0.
    """
    path = root / code / str(year) / "published.csv"
    if not path.is_file():
        return None
    file = _name(root, path)
    form = _form(file, year)
    values: dict[str, Decimal] = {}
    for line, row in _rows(root, path, PUBLISHED_COLUMNS):
        cell = row["cell"]
        if cell not in form.by_id:
            problem = f"{form.edition} 年版表式没有单元格“{cell}”。Edition {form.edition} has no cell {cell!r}"
            raise DeclarationError(file, line, problem)
        if cell in values:
            raise DeclarationError(file, line, f"单元格“{cell}”重复。The cell {cell!r} is given twice")
        values[cell] = _decimal(file, line, row["value"])
    return values


def load_published_indicators(root: Path, code: str, year: int) -> tuple[PublishedIndicator, ...] | None:
    """The published figures of section one in file order; None where there are none. Raises DeclarationError."""
    path = root / code / str(year) / "indicators.csv"
    if not path.is_file():
        return None
    file = _name(root, path)
    region = load_region(root, code)
    known = {indicator.id for indicator in region.supplement.indicators} if region.supplement else set()
    found: dict[str, PublishedIndicator] = {}
    for line, row in _rows(root, path, INDICATOR_COLUMNS):
        name = row["indicator"]
        if name not in known:
            problem = f"supplement.toml 没有指标“{name}”。supplement.toml declares no indicator {name!r}"
            raise DeclarationError(file, line, problem)
        if name in found:
            raise DeclarationError(file, line, f"指标“{name}”重复。The indicator {name!r} is given twice")
        fields = {"indicator": name, "value": _decimal(file, line, row["value"]), "qualifier": row["qualifier"]}
        try:
            found[name] = msgspec.convert(fields, PublishedIndicator, strict=True)
        except msgspec.ValidationError as error:
            raise DeclarationError(file, line, str(error)) from None
    return tuple(found.values())


def load_decisions(root: Path, code: str, year: int) -> Decisions:
    """The approved waivers and corrections of a year; empty where there are none. Raises DeclarationError.

    A decision that names no body of the roster, no rule or kind of finding, or no cell of the form is a mistake.
    """
    path = root / code / str(year) / "decisions.toml"
    if not path.is_file():
        return Decisions()
    file = _name(root, path)
    decisions, text = _toml(root, path, Decisions)
    region = load_region(root, code)
    form = _form(file, year)
    rules = load_rules(form.edition)
    codes = {body.code for body in region.bodies}
    kinds = {*rules.by_id, *load_kinds(), *(domain.id for domain in rules.domains)}
    checks: list[tuple[str, str, bool]] = []
    for n, waiver in enumerate(decisions.waiver):
        checks.append((f"$.waiver[{n}].body", waiver.body, waiver.body in codes))
        checks.append((f"$.waiver[{n}].rule", waiver.rule, waiver.rule in kinds))
        checks += [(f"$.waiver[{n}].cells", cell, cell in form.by_id) for cell in waiver.cells]
    for n, correction in enumerate(decisions.correction):
        checks.append((f"$.correction[{n}].body", correction.body, correction.body in codes))
        checks.append((f"$.correction[{n}].cell", correction.cell, correction.cell in form.by_id))
    for place, value, good in checks:
        if not good:
            key = place.rpartition(".")[2]
            problem = f"{key}：没有“{value}”，请核对。{key}: there is no {value!r}; check it"
            raise DeclarationError(file, line_of(text, place), problem)
    return decisions
