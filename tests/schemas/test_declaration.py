"""Strict reading of declarations: every mistake names its file and its line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.declaration import DeclarationError, line_of, load_toml, read_toml


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    size: int = 0


class Branch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    leaves: tuple[Leaf, ...] = ()


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    branches: tuple[Branch, ...] = ()
    ground: Leaf | None = None


GOOD = """\
name = "oak"   # line 1

[[branches]]
id = "a"

[[branches.leaves]]
id = "a1"

[[branches.leaves]]
id = "a2"
size = 7

[[branches]]
id = "b"

[[branches.leaves]]
id = "b1"
size = 9

[ground]
id = "g"
"""


def mistake(text: str) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        read_toml(text, Tree, "tree.toml")
    error = caught.value
    assert error.file == "tree.toml"
    assert str(error) == f"tree.toml:{error.line}: {error.problem}"
    return error


def test_a_good_declaration_is_read_and_frozen() -> None:
    tree = read_toml(GOOD, Tree, "tree.toml")
    assert [[leaf.size for leaf in branch.leaves] for branch in tree.branches] == [[0, 7], [9]]
    with pytest.raises(AttributeError):
        tree.name = "ash"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('name = "oak"', "name = 3", 1, "Expected `str`, got `int`"),
        ('name = "oak"', 'name = "oak"\nheight = 3', 2, "unknown field `height`"),
        ("size = 7", 'size = "7"', 11, "Expected `int`, got `str`"),
        ("size = 9", "size = 9\ncolour = 1", 19, "unknown field `colour`"),
        ('id = "b"', "", 13, "missing required field `id`"),
        ('id = "b1"', "id = true", 17, "Expected `str`, got `bool`"),
        ('id = "g"', "id = 1.5", 21, "Expected `str`, got `float`"),
    ],
)
def test_a_mistake_names_its_line(old: str, new: str, line: int, words: str) -> None:
    error = mistake(GOOD.replace(old, new))
    assert words in error.problem
    assert error.line == line


def test_broken_toml_names_its_line() -> None:
    assert mistake('name = "oak"\n\nid == 3\n').line == 3
    assert mistake('name = "oak').line == 1


def test_a_file_that_is_not_utf8_is_a_declaration_error(tmp_path: Path) -> None:
    path = tmp_path / "tree.toml"
    path.write_bytes('name = "橡"'.encode("gbk"))
    with pytest.raises(DeclarationError, match=r"tree\.toml:1: not UTF-8"):
        load_toml(path, Tree)
    path.write_text('name = "橡"', encoding="utf-8")
    assert load_toml(path, Tree).name == "橡"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$", 1),
        ("$.name", 1),
        ("$.branches[0]", 3),
        ("$.branches[0].id", 4),
        ("$.branches[0].leaves[0]", 6),
        ("$.branches[0].leaves[1].size", 11),
        ("$.branches[1]", 13),
        ("$.branches[1].leaves[0].id", 17),
        ("$.branches[1].leaves[0].size", 18),
        ("$.branches[1].leaves[0].absent", 16),
        ("$.ground.id", 21),
        ("$.nowhere.at.all", 1),
    ],
)
def test_line_of(path: str, line: int) -> None:
    """Each parent counts its own children: the first leaf of the second branch is not the third leaf."""
    assert line_of(GOOD, path) == line
