"""Labels compared as a person compares them: white space, punctuation, script and pinyin never matter.

Belongs here: the squashed form of a text and the vocabulary of every label of every edition. Does not belong here:
deciding where a cell lies (match.py), numbers (normalise.py).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Literal

import msgspec

from schemas.declaration import load_toml
from schemas.form import FORMS, Block, Form, editions, load_form

SHORT = 400  # characters. What is remembered of texts, which anybody may send, is bounded; no label is longer
Kind = Literal["title", "corner", "head", "row", "row_group", "column", "column_group"]
PINYIN = re.compile(r"[(（]\s*[A-Za-zāáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜüńňǹḿ]{1,7}\s*[)）]")
_NUMBER = re.compile(
    r"^[\s#*>]*(?:表\s*[一二三四五六\d]\s*[:、.]?|[一二三四五六七八九十]{1,3}\s*[、,.:]"
    r"|\(\s*[一二三四五六七八九十\d]{1,3}\s*\)|\d{1,2}\s*[.、,)])\s*"
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\([^()]*$")
_DROP = re.compile(r"[^0-9a-z㐀-鿿豈-﫿]+")


class Writing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``schemas/writing.toml``."""

    traditional: str
    older_system: tuple[str, ...]


class Meaning(msgspec.Struct, frozen=True):
    """One thing that a label may mean: a part of a table of an edition. ``block`` is "" for titles and corners."""

    edition: str
    table: str
    kind: Kind
    id: str
    block: str = ""


@cache
def writing() -> Writing:
    """How labels are written elsewhere, as declared."""
    return load_toml(FORMS.with_name("writing.toml"), Writing)


@cache
def simplified() -> dict[int, str]:
    """Traditional characters and their simplified twins, for str.translate."""
    return {ord(pair[0]): pair[1] for pair in writing().traditional.split()}


def plain(text: str) -> str:
    """``text`` with compatibility forms, traditional characters and pinyin annotations resolved; marks are kept."""
    return (_plain if len(text) <= SHORT else _plain.__wrapped__)(text)


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    return PINYIN.sub("", unicodedata.normalize("NFKC", text)).translate(simplified()).lower()


def _drop(text: str) -> str:
    return _DROP.sub("", text)


def squash(text: str) -> str:
    """``text`` as labels are compared: only Chinese characters, digits and Latin letters remain."""
    return (_squash if len(text) <= SHORT else _squash.__wrapped__)(text)


@lru_cache(maxsize=8192)
def _squash(text: str) -> str:
    return _drop(plain(text))


def forms_of(text: str) -> tuple[str, ...]:
    """The squashed spellings under which ``text`` may be looked up, the most specific first."""
    return (_forms_of if len(text) <= SHORT else _forms_of.__wrapped__)(text)


@lru_cache(maxsize=8192)
def _forms_of(text: str) -> tuple[str, ...]:
    whole = plain(text)
    bare = _NUMBER.sub("", whole)
    # An explanation in brackets is not part of a label; a leading number in brackets is.
    number = whole[: len(whole) - len(bare)]
    short = _BRACKETS.sub("", bare)
    keys = (_drop(whole), _drop(number + short), _drop(bare), _drop(short))
    return tuple(dict.fromkeys(key for key in keys if key))


def _spellings(label: str, variants: tuple[str, ...]) -> set[str]:
    keys = set(forms_of(label))
    for variant in variants:
        keys.add(squash(variant))
        bare = squash(_NUMBER.sub("", plain(variant)))
        if len(bare) > 2:
            keys.add(bare)
    return keys


def _block_meanings(form: Form, table: str, block: Block) -> list[tuple[str, Meaning]]:
    found: list[tuple[str, Meaning]] = []

    def add(kind: Kind, identifier: str, keys: set[str]) -> None:
        found.extend((key, Meaning(form.edition, table, kind, identifier, block.id)) for key in keys)

    if block.head_zh:
        add("head", block.id, _spellings(block.head_zh, ()))
    for row in block.rows:
        add("row", row.id, _spellings(row.label_zh, row.variants))
    for column in block.columns:
        add("column", column.id, _spellings(column.label_zh, column.variants))
    for group in block.row_groups:
        add("row_group", group.id, _spellings(group.label_zh, group.variants))
    for group in block.column_groups:
        add("column_group", group.id, _spellings(group.label_zh, group.variants))
    return found


@cache
def vocabulary() -> dict[str, tuple[Meaning, ...]]:
    """Every spelling of every label of every edition, and what it may mean."""
    found: dict[str, list[Meaning]] = {}
    for edition in editions():
        form = load_form(edition)
        for table in form.tables:
            title = Meaning(edition, table.id, "title", table.id)
            pairs = [(key, title) for key in _spellings(table.title_zh, table.title_variants)]
            if table.corner_zh:
                pairs.append((squash(table.corner_zh), Meaning(edition, table.id, "corner", table.id)))
            for block in table.blocks:
                pairs += _block_meanings(form, table.id, block)
            for key, meaning in pairs:
                meanings = found.setdefault(key, [])
                if meaning not in meanings:
                    meanings.append(meaning)
    return {key: tuple(meanings) for key, meanings in found.items()}


@cache
def longest_label() -> int:
    """The length of the longest spelling: longer texts are no labels."""
    return max(len(key) for key in vocabulary())


def meanings_of(text: str) -> tuple[Meaning, ...]:
    """What ``text`` may mean as a label; the meanings of its most specific spelling, () for anything else."""
    return (_meanings_of if len(text) <= SHORT else _meanings_of.__wrapped__)(text)


@lru_cache(maxsize=8192)
def _meanings_of(text: str) -> tuple[Meaning, ...]:
    if not text or len(text) > 400:
        return ()
    words = vocabulary()
    for key in forms_of(text):
        if key in words:
            return words[key]
    return ()


@lru_cache(maxsize=8192)
def table_named(text: str) -> str:
    """The one table that ``text`` as a label belongs to, "" where there are several or none."""
    tables = {meaning.table for meaning in meanings_of(text)}
    return tables.pop() if len(tables) == 1 else ""


@lru_cache(maxsize=8192)
def only_in(text: str, edition: str, table: str) -> tuple[str, str, str] | None:
    """The (kind, block, id) of a label that this edition of the table has and no other; None for any other text."""
    meanings = [meaning for meaning in meanings_of(text) if meaning.table == table]
    if not meanings or any(meaning.edition != edition for meaning in meanings):
        return None
    return meanings[0].kind, meanings[0].block, meanings[0].id


def ending_of(text: str) -> tuple[Meaning, ...]:
    """What the end of ``text`` means when only labels that span several rows, or their debris, stand before it.

    ``三、本年度办理结果（一）予以公开`` and ``度 4.保护第三方合法权益`` end in a row's label.
    """
    return (_ending_of if len(text) <= SHORT else _ending_of.__wrapped__)(text)


@lru_cache(maxsize=4096)
def _ending_of(text: str) -> tuple[Meaning, ...]:
    key = squash(text)
    words = vocabulary()
    if len(key) > 2 * longest_label():
        return ()
    for start in range(1, len(key) - 3):
        rest = key[start:]
        if rest in words and any(meaning.kind == "row" for meaning in words[rest]):
            before = key[:start]
            if set(before) <= _group_characters():
                return words[rest]
    return ()


@cache
def _group_characters() -> frozenset[str]:
    return frozenset(
        character
        for key, meanings in vocabulary().items()
        for meaning in meanings
        if meaning.kind == "row_group"
        for character in key
    )


def likeness(text: str, label: str) -> float:
    """How much of the shorter of two labels is found in the other, in order: 1.0 for a fragment, 0.0 for strangers."""
    import difflib

    left, right = squash(text), squash(label)
    if not left or not right:
        return 0.0
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    return same / min(len(left), len(right))
