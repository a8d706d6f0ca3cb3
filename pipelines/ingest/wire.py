"""How a parsing process and the asking process talk: framed msgpack, typed on arrival, nothing executable.

Belongs here: frames, jobs and replies, and the twin types of records that msgpack cannot tell apart by itself.
Does not belong here: processes and limits (sandbox.py, sandbox_worker.py).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import GenericAlias
from typing import Any

import msgspec

from schemas.findings import Finding
from schemas.intake import ReadFile

HEADER = struct.Struct(">Q")
# ``expected`` and ``found`` are a number or words; msgpack has one kind of text for both, so each says which it is.
_EITHER = ("expected", "found")
_Tagged = tuple[str, str]


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One file to read. ``name`` serves messages and must be encodable."""

    name: str
    data: bytes


def _twin(model: type[msgspec.Struct], name: str, replaced: dict[str, Any]) -> type[Any]:
    """A struct with the fields of ``model``, some of another type; derived, so it cannot fall behind the model."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(model):
        kind = replaced.get(field.name, field.type)
        if field.required:
            fields.append((field.name, kind))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, kind, field.default))
        else:
            fields.append((field.name, kind, msgspec.field(default_factory=field.default_factory)))
    return msgspec.defstruct(name, fields, frozen=True, kw_only=True)


_Finding = _twin(Finding, "WireFinding", dict.fromkeys(_EITHER, _Tagged | None))
_Read = _twin(ReadFile, "WireReadFile", {"problems": GenericAlias(tuple, (_Finding, ...))})
# (one or more read files, whether more replies to this job follow, whether the process should be replaced)
_Reply = GenericAlias(tuple, (GenericAlias(tuple, (_Read, ...)), bool, bool))
_encode = msgspec.msgpack.Encoder().encode
_decode_reply = msgspec.msgpack.Decoder(_Reply).decode
_decode_job: Callable[[bytes], Job] = msgspec.msgpack.Decoder(Job).decode


def _tag(value: object) -> _Tagged | None:
    if value is None:
        return None
    kind = "decimal" if isinstance(value, Decimal) else "int" if isinstance(value, int) else "words"
    return kind, str(value)


def _untag(tagged: _Tagged | None) -> Decimal | int | str | None:
    if tagged is None:
        return None
    kind, text = tagged
    return Decimal(text) if kind == "decimal" else int(text) if kind == "int" else text


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def pack_job(job: Job) -> bytes:
    """The frame of a job."""
    return _frame(_encode(job))


def unpack_job(payload: bytes) -> Job:
    """The job of a payload. Raises msgspec.ValidationError."""
    return _decode_job(payload)


def pack_reply(reads: tuple[ReadFile, ...], more: bool, spent: bool) -> bytes:
    """The frame of a reply. Raises UnicodeEncodeError for text that no encoding holds."""
    twins = []
    for read in reads:
        findings = tuple(
            _Finding(**_fields(finding) | {name: _tag(getattr(finding, name)) for name in _EITHER})
            for finding in read.problems
        )
        twins.append(_Read(**_fields(read) | {"problems": findings}))
    return _frame(_encode((twins, more, spent)))


def unpack_reply(payload: bytes) -> tuple[tuple[ReadFile, ...], bool, bool]:
    """The reply of a payload: (read files, more follow, replace the process). Raises msgspec.ValidationError."""
    twins, more, spent = _decode_reply(payload)
    reads = []
    for twin in twins:
        findings = tuple(
            Finding(**_fields(finding) | {name: _untag(getattr(finding, name)) for name in _EITHER})
            for finding in twin.problems
        )
        reads.append(ReadFile(**_fields(twin) | {"problems": findings}))
    return tuple(reads), more, spent


def pack_reads(reads: Sequence[ReadFile]) -> bytes:
    """Read files as bytes for storage. Raises UnicodeEncodeError for text that no encoding holds."""
    return pack_reply(tuple(reads), False, False)[HEADER.size :]


def unpack_reads(payload: bytes) -> list[ReadFile]:
    """The read files that pack_reads stored. Raises msgspec.ValidationError."""
    return list(unpack_reply(payload)[0])


def _frame(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload
