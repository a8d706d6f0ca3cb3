"""Strict reading of declarations (TOML and JSON): an unknown key or a wrong type fails, naming file and line.

Belongs here: turning a declaration's text into a frozen struct, and finding the line of a mistake. Does not belong
here: what any one declaration means.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\"]+)\s*\]\]?\s*(#.*)?$")
_STEP = re.compile(r"([A-Za-z0-9_\-]+)|\[(\d+)\]")


class DeclarationError(ValueError):
    """A declaration is wrong. ``file``, ``line`` (1-based) and ``problem`` say where and how."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        self.file, self.line, self.problem = file, line, problem
        super().__init__(f"{file}:{line}: {problem}")


def line_of(text: str, path: str) -> int:
    """The line (1-based) of ``path`` such as ``$.tables[1].rows[3].label_zh`` in TOML ``text``; 1 if unknown.

    Array-of-tables headers are counted as TOML defines them; a key is looked for below the nearest header.
    """
    wanted: list[str] = []
    for name, index in _STEP.findall(path.removeprefix("$")):
        if name:
            wanted.append(name)
        elif wanted:
            wanted[-1] += f"[{index}]"
    counters: dict[str, int] = {}  # keyed by the path with its parents' numbers, so each parent counts its own
    best_line, best_depth = 1, 0
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = _HEADER.match(line)
        if not match:
            continue
        parts = [part.strip('"') for part in match.group(2).split(".")]
        names: list[str] = []
        for position, part in enumerate(parts):
            key = ".".join([*names, part])
            if position == len(parts) - 1 and match.group(1) == "[[":
                counters[key] = counters.get(key, -1) + 1
            names.append(f"{part}[{counters[key]}]" if key in counters else part)
        depth = 0
        while depth < min(len(names), len(wanted)) and names[depth] == wanted[depth]:
            depth += 1
        if depth == len(names) and depth > best_depth:
            best_line, best_depth = number, depth
    for number in range(best_line + (1 if best_depth else 0), len(lines) + 1):
        line = lines[number - 1]
        if _HEADER.match(line):
            break
        if len(wanted) > best_depth and re.match(rf"\s*{re.escape(wanted[best_depth].split('[')[0])}\s*=", line):
            return number
    return best_line


def read_toml(text: str, kind: type[T], file: str) -> T:
    """``text`` as a ``kind`` (a frozen msgspec struct). Raises DeclarationError naming ``file`` and line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise DeclarationError(file, int(found.group(1)) if found else 1, str(error)) from None
    try:
        return msgspec.convert(data, kind, strict=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        unknown = re.search(r"unknown field `([^`]+)`", problem)
        at = path.rstrip("`") + (f".{unknown.group(1)}" if unknown else "")
        raise DeclarationError(file, line_of(text, at or "$"), f"{problem} ({at or '$'})") from None


def load_toml(path: Path, kind: type[T]) -> T:
    """The file at ``path`` as a ``kind``. Raises DeclarationError; a file that is not UTF-8 is one too."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DeclarationError(path.name, 1, f"not UTF-8: {error.reason}") from None
    return read_toml(text, kind, path.name)
