"""The committed script and style sheet are exactly what their sources and the lock build."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.publish.portal.site import HERE
from schemas.findings import number_text
from tests.portal.front import WEB, install_front

STATIC = HERE / "static"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_front(tmp_path_factory.mktemp("front") / "web")


def build(front: Path, target: Path) -> dict[str, bytes]:
    command = [shutil.which("node") or "node", "build.mjs", str(target)]
    subprocess.run(command, cwd=front, check=True, capture_output=True, timeout=60)
    return {path.name: path.read_bytes() for path in target.iterdir()}


def test_a_fresh_build_gives_the_committed_bytes(front: Path, tmp_path: Path) -> None:
    committed = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert build(front, tmp_path / "one") == committed, "run `npm ci && npm run build` in web/ and commit static/"


def test_a_changed_source_is_noticed(front: Path, tmp_path: Path) -> None:
    copy = tmp_path / "web"
    shutil.copytree(front, copy, symlinks=True)
    with (copy / "src" / "portal.css").open("a", encoding="utf-8") as file:
        file.write("p { color: red }")
    assert build(copy, tmp_path / "out")["portal.css"] != (STATIC / "portal.css").read_bytes()


def test_the_bundle_is_small_and_reaches_for_nothing() -> None:
    script = (STATIC / "portal.js").read_text(encoding="utf-8")
    assert len(script.encode()) < 100_000
    assert not re.search(r"https?://|\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", script)
    assert not re.search(r"url\(|@import|https?://", (STATIC / "portal.css").read_text(encoding="utf-8"))


def test_the_lock_pins_hashes_and_names_no_address() -> None:
    text = (WEB / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "://" not in re.sub(r'"(url|funding)": "https://[^"]*"', "", text)
    packages = json.loads(text)["packages"]
    assert all("integrity" in one for name, one in packages.items() if name)
    assert {"node_modules/hyparquet", "node_modules/esbuild", "node_modules/axe-core"} <= packages.keys()


def test_the_licence_of_what_is_bundled_goes_along() -> None:
    version = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"]["hyparquet"]
    licences = (STATIC / "LICENSES.txt").read_text(encoding="utf-8")
    assert f"hyparquet {version}" in licences
    assert "Permission is hereby granted" in licences


# --- the parts of the script that need no page ---------------------------------------------------------------


def run(front: Path, code: str) -> list[object]:
    """What the module ``code`` prints as JSON; it imports from ``./src``."""
    script = front / "probe.mjs"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(["node", str(script)], cwd=front, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_figures_stay_exact(front: Path) -> None:
    units = [0, 1, -1, 9999, 10_000, -31_356_000, 10**17 + 1, -(10**17) - 1, 123_456_789_012_345_678]
    listed = [[list((value).to_bytes(8, "big", signed=True)), str(value)] for value in units]
    found = run(
        front,
        "import { decimalOf, figureText, parseFigure } from './src/figures.js'\n"
        f"console.log(JSON.stringify({json.dumps(listed)}.map(([bytes]) => {{\n"
        "  const value = decimalOf(new Uint8Array(bytes), 4)\n"
        "  return [value.toString(), figureText(value), String(parseFigure(figureText(value)))]\n"
        "})))",
    )
    assert found == [[str(value), number_text(Decimal(value).scaleb(-4)), str(value)] for value in units]


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        (">100", "decimal", [1_010_000]),
        ("<=0", "decimal", [0, -5]),
        ("101", "decimal", [1_010_000]),
        ("= 0", "decimal", [0]),
        ("空", "decimal", [None]),
        ("", "decimal", None),
        ("1,010", "decimal", []),
        ("0.0", "decimal", [0]),
    ],
)
def test_conditions_on_figures(front: Path, text: str, kind: str, kept: list[int | None] | None) -> None:
    found = run(
        front,
        "import { condition } from './src/explore.js'\n"
        f"const test = condition({json.dumps(text)}, {json.dumps(kind)})\n"
        "const values = [1010000n, 0n, -5n, null]\n"
        "const show = (value) => value === null ? null : Number(value)\n"
        "console.log(JSON.stringify(test ? values.filter(test).map(show) : null))",
    )
    assert found == kept


def test_exported_text_is_no_formula_and_figures_are_untouched(front: Path) -> None:
    given = [("=1+1", "text"), ("+1", "text"), ("-1", "text"), ("@A", "text"), ("\t=1", "text"), ("\r=1", "text"),
             ("a,b", "text"), ('say "x"', "text"), ("-5.5", "decimal"), ("plain", "text")]  # fmt: skip
    found = run(
        front,
        "import { csvValue } from './src/explore.js'\n"
        f"console.log(JSON.stringify({json.dumps(given)}.map(([text, kind]) => csvValue(text, kind))))",
    )
    assert found == ["'=1+1", "'+1", "'-1", "'@A", "'\t=1", '"\'\r=1"', '"a,b"', '"say ""x"""', "-5.5", "plain"]


def test_empty_values_sort_last_and_figures_by_size(front: Path) -> None:
    found = run(
        front,
        "import { compareValues } from './src/explore.js'\n"
        "const sorted = [2n, null, 10n, -1n].sort(compareValues)\n"
        "console.log(JSON.stringify(sorted.map((v) => v === null ? null : Number(v))))",
    )
    assert found == [-1, 2, 10, None]
