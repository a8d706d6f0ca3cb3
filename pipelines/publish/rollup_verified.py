"""The checks of a built roll-up, province by province: one whose files were found true before is not checked again.

Belongs here: the same checks as verify.py makes of the whole, in an order by parts, and the key by which what was found
of a province may be kept. Does not belong here: the checks themselves (checks.py, rollup_checks.py), keeping
(rollup_memory.py). ``gongkai verify`` never uses what is kept: it checks every file.

Sums, sizes and the descriptor are checked over all files each time, so that a kept province is still the one that it
was. The country is checked each time too, from what each province was found to add.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from pipelines.publish.checks import (
    Release,
    check_bytes,
    check_csv,
    check_foreign_keys,
    check_sums,
    check_twins,
    read_descriptor,
    read_tables,
)
from pipelines.publish.rollup_checks import (
    PartFacts,
    behind_of,
    check_country,
    check_part,
    lacking_in,
    not_checked,
)
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR
from schemas.findings import Finding
from schemas.rollup import COUNTRY, FORM_CELLS, Behind
from schemas.rollup_descriptor import part_name, part_tables, parts_of

Files = Mapping[str, bytes]
Recall = Callable[[str, str], PartFacts | None]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a province was found to be, without any fault, and the key of all that this rests on."""

    key: str
    facts: PartFacts


class RollupCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The findings; ``clean``: provinces without one that were checked now, by code; ``kept``: those that were not."""

    findings: tuple[Finding, ...]
    clean: dict[str, Found]
    kept: frozenset[str]


def _nothing(_: str, __: str) -> None:
    return None


def _own_descriptor(descriptor: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The descriptor with the resources of one part and the codelist that they point to."""
    own = {part_name(table, part) for table in (FORM_CELLS, *part_tables(part))}
    names = own | {f"{name}_csv" for name in own}
    return {**descriptor, "resources": [one for one in descriptor["resources"] if one["name"] in names]}


def _key(program: str, own: Mapping[str, Any], part: str) -> str:
    """All that the checks of a part rest on: the program, its resources with the hashes of their files."""
    stated = [own.get("version"), own.get("x-form-edition"), own.get("x-year"), own["resources"]]
    return sha256("\n".join([program, part, json.dumps(stated, sort_keys=True)]).encode())


def check_rollup_files(files: Files, program: str = "", recall: Recall = _nothing) -> RollupCheck:
    """Every check of a roll-up over its files; what it finds wrong is what verify.check_files finds.

    ``recall`` answers what a province was found to be for a key, None where it is not known; ``program``: the key of
    the program that checks. Pure but for ``recall``.
    """
    known = _recalled(files, program, recall)
    passed = {name for own, _ in known.values() for name in own}
    findings = [*check_sums(files)]
    descriptor, problems = read_descriptor(files, passed)
    findings += problems
    if descriptor is None:
        return RollupCheck(findings=tuple(findings), clean={}, kept=frozenset())
    sealed = check_bytes(files, descriptor)
    findings += sealed
    kept = {} if sealed else {part: facts for part, (_, facts) in known.items()}
    facts, clean = dict(kept), {}
    parts = parts_of(descriptor)
    for part in parts:
        if part in kept:
            continue
        own = _own_descriptor(descriptor, part)
        tables, unreadable = read_tables(files, own)
        release = Release(files=files, descriptor=own, tables=tables)
        found = [*unreadable, *check_csv(files, own), *check_twins(release), *check_foreign_keys(release)]
        lacking = lacking_in(release, (part,))
        if lacking:
            found.append(not_checked(release, lacking))
        elif part != COUNTRY:
            check = check_part(release, part)
            found += check.findings
            if check.facts is not None:
                facts[part] = check.facts
                if not found and not sealed:
                    clean[part] = Found(key=_key(program, own, part), facts=check.facts)
        elif len(facts) == len(parts) - 1:
            behind = partial(_behind, files, descriptor)
            found += check_country(release, list(facts.values()), behind).findings
        findings += found
    # What is wrong with the codelist is found with every part.
    return RollupCheck(findings=tuple(dict.fromkeys(findings)), clean=clean, kept=frozenset(kept))


def _recalled(files: Files, program: str, recall: Recall) -> dict[str, tuple[tuple[str, ...], PartFacts]]:
    """The provinces that are known, by code: the names of their resources, and what they were found to be.

    The descriptor is not known to be one yet: of one that is none, nothing is known.
    """
    try:
        descriptor = json.loads(files[DESCRIPTOR])
        owned = {part: _own_descriptor(descriptor, part) for part in parts_of(descriptor) if part != COUNTRY}
        known = {part: recall(part, _key(program, own, part)) for part, own in owned.items()}
        named = {part: tuple(str(one["name"]) for one in own["resources"]) for part, own in owned.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {part: (named[part], facts) for part, facts in known.items() if facts is not None}


def _behind(files: Files, descriptor: Mapping[str, Any]) -> list[Behind]:
    """Every region that is added to the country, read only where the country breaks a rule."""
    tables, _ = read_tables(files, descriptor)
    return behind_of(Release(files=files, descriptor=descriptor, tables=tables), parts_of(descriptor)[:-1])
