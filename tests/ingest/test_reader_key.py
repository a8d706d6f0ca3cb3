"""The reader's key names everything that a reading depends on: nothing that readers import is missing from it."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from pipelines.ingest import reader_key as module
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.reader_key import LIBRARIES, ROOT, reader_key, sources

FIRST = ("pipelines/ingest/read.py", "pipelines/ingest/sandbox_worker.py")
OURS = ("pipelines", "schemas")


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules that a file imports, late ones too, not those for type checking alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


def closure() -> tuple[set[Path], set[str]]:
    """Our files that readers import, directly or not, and the names of everything else that those import."""
    waiting = [ROOT / name for name in FIRST] + sorted((ROOT / "pipelines/ingest/readers").glob("*.py"))
    ours, others = set[Path](), set[str]()
    while waiting:
        path = waiting.pop()
        if path in ours:
            continue
        ours.add(path)
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if name.split(".")[0] not in OURS:
                others.add(name.split(".")[0])
                continue
            place = ROOT.joinpath(*name.split("."))
            waiting += [found for found in (place.with_suffix(".py"), place / "__init__.py") if found.exists()]
    return ours, others


def test_all_that_readers_import_is_part_of_the_key():
    ours, others = closure()
    assert len(ours) > 40
    assert {path for path in ours if path.name != "__init__.py"} <= set(sources())
    libraries = {name for module in others - sys.stdlib_module_names for name in packages_distributions()[module]}
    assert libraries <= set(LIBRARIES)


@pytest.fixture
def tree(tmp_path):
    for path in sources():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def key(root: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    module._program.cache_clear()
    try:
        return reader_key(limits, root)
    finally:
        module._program.cache_clear()


def test_the_same_program_anywhere_has_the_same_key(tree):
    assert key(tree) == key(ROOT) == reader_key(DEFAULT_LIMITS)
    assert len(key(tree)) == 32


@pytest.mark.parametrize(
    "name",
    ["pipelines/ingest/readers/pdf.py", "pipelines/layout.py", "schemas/forms/2021.toml", "schemas/findings.toml"],
)
def test_a_changed_source_or_declaration_changes_the_key(tree, name):
    before = key(tree)
    with (tree / name).open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert key(tree) != before


def test_a_new_source_changes_the_key(tree):
    before = key(tree)
    (tree / "pipelines/ingest/readers/new.py").write_text("", encoding="utf-8")
    assert key(tree) != before


def test_another_library_limit_or_converter_changes_the_key(monkeypatch):
    before = key(ROOT)
    assert key(ROOT, Limits(wall_seconds=31)) != before
    with monkeypatch.context() as patch:
        patch.setattr(module, "version", lambda library: "0.0.1")
        assert key(ROOT) != before
    with monkeypatch.context() as patch:
        patch.setattr(module, "_office", lambda: "another build")
        assert key(ROOT) != before


def test_the_converter_is_known_by_its_build(monkeypatch, tmp_path):
    from pipelines.ingest.readers import legacy

    program = tmp_path / "program" / "soffice"
    program.parent.mkdir()
    program.write_bytes(b"")
    monkeypatch.setattr(legacy, "program", lambda: str(program))
    assert module._office() == str(program.parent)
    (program.parent / "versionrc").write_text("buildid=1")
    first = module._office()
    (program.parent / "versionrc").write_text("buildid=2")
    assert len({first, module._office(), str(program.parent)}) == 3
    monkeypatch.setattr(legacy, "program", lambda: None)
    assert module._office() == ""
