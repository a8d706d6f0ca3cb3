"""Readings that are kept between runs: what has been read before by the same program is not read again.

Belongs here: what a kept reading depends on, keeping while the reading goes on, folding together at the end, damage.
Does not belong here: the form of a pack (packed.py), reading (sandbox.py).

A reading is found again by the SHA-256 of the delivered file, the name it was read under, and the reader's own key
(reader_key.py); any of them different, and the file is read anew. Nothing else is looked at, so results are the same
with and without kept readings, and the folder may be deleted at any time.

    DATA/tables/kept_readings/<region>/<year>/whole.readings   what a whole run leaves: of every file of the inbox
    DATA/tables/kept_readings/<region>/<year>/*.part           what a run has read so far, some hundred readings a part

A killed run leaves its parts, of which each is whole; the next run uses them, folds everything into the one file and
removes them. A run never needs again what it has stored: it works from its own copy, so another run that folds at the
same time takes nothing from it (on one machine they take turns, see intake.py).

Not kept, for it may go better next time: what ended at a limit of time or memory or with a fault of the reader (on a
busy machine), what needs LibreOffice where there was none, what could not be opened or was still changing, and damaged
files, since a converter that was itself cut short finds any file damaged.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from logging import Logger

from upath import UPath

from pipelines.ingest.packed import Block, DamagedPackError, Readings, Spool, open_pack, write_pack
from pipelines.storage import kept_readings_path, remove_partials, writing
from schemas.intake import ReadFile

PASSING = frozenset(
    {
        *("resource_limit", "reader_fault", "needs_libreoffice"),
        *("file_not_opened", "changed_while_reading", "damaged_file"),
    }
)
WHOLE, PART = "whole.readings", ".part"
PART_READINGS = 256  # a kill loses at most so many readings,
PART_SECONDS = 15.0  # or so many seconds of them


def final(reads: Iterable[ReadFile]) -> bool:
    """Whether reading the same bytes again could only give the same: none of the findings may pass by itself."""
    return not any(finding.rule in PASSING for read in reads for finding in read.problems)


class KeptReadings:
    """The kept readings of one region and year, for one run. Raises OSError where the storage fails."""

    def __init__(
        self, data: str, region: str, year: int, key: str, log: Logger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = kept_readings_path(data, region, year)
        self._path = self._folder / WHOLE
        self.key, self._log, self._clock = key, log, clock
        self._known: dict[tuple[str, str], tuple[Readings, Block]] = {}
        self._parts: list[UPath] = []
        self._whole: Readings | None = None
        self._part, self._blocks, self._since = Spool(), list[Block](), clock()
        self._open()

    def _open(self) -> None:
        remove_partials(self._folder)
        if self._folder.is_dir():
            self._parts = sorted((p for p in self._folder.iterdir() if p.name.endswith(PART)), key=lambda p: p.name)
        self._whole = self._pack(self._path)
        if self._whole is not None and self._whole.key == self.key:
            self._known |= {(block.name, block.sha256): (self._whole, block) for block in self._whole.blocks}
        gathered = Spool()  # however many parts a run left that was killed, one file is open for them
        source = gathered.readings([])
        for pack in map(self._pack, self._parts):
            if pack is not None and pack.key == self.key:
                for block in pack.blocks:
                    if (data := self._sound(pack, block)) is not None:
                        copy = gathered.add(block.name, block.sha256, data, block.files)
                        self._known[block.name, block.sha256] = source, copy

    def _pack(self, path: UPath) -> Readings | None:
        try:
            return open_pack(path)
        except FileNotFoundError:
            return None
        except DamagedPackError:
            self._log.warning(
                f"已存的读取结果“{path.name}”损坏，不予采用，所涉文件重新读取。"
                f" The kept readings {path.name!r} are damaged; they are not used and their files are read anew."
            )
            return None

    def find(self, name: str, sha256: str) -> tuple[bytes, Block] | None:
        """The kept readings of a delivered file, as packed; None where there are none, or they are damaged."""
        known = self._known.get((name, sha256))
        if known is None:
            return None
        pack, block = known
        data = self._sound(pack, block)
        if data is None:
            self._whole = None  # to be written anew, even if its index is what it should be
            return None
        return data, block

    def _sound(self, pack: Readings, block: Block) -> bytes | None:
        try:
            return pack.packed(block)
        except DamagedPackError:
            self._log.warning(
                f"“{block.name}”已存的读取结果损坏，不予采用，重新读取。"
                f" The kept reading of {block.name!r} is damaged; it is not used and the file is read anew."
            )
            return None

    def keep(self, name: str, sha256: str, packed: bytes, files: Sequence[str]) -> None:
        """Keep new readings of a delivered file; stored with some hundred others, or after some seconds."""
        self._blocks.append(self._part.add(name, sha256, packed, files))
        if len(self._blocks) >= PART_READINGS or self._clock() - self._since >= PART_SECONDS:
            self.store()

    def store(self) -> None:
        """Store what was kept since the last time, as one part."""
        if self._blocks:
            path = self._folder / f"{secrets.token_hex(8)}{PART}"
            with writing(path) as write:
                write_pack(self._part.readings(self._blocks, self.key), write)
            self._parts.append(path)
        self._part, self._blocks, self._since = Spool(), [], self._clock()

    def fold(self, readings: Readings) -> None:
        """Make ``readings``, all that this run found worth keeping, the one file, and remove the parts."""
        if self._whole is None or self._whole.key != self.key or not _same(self._whole, readings):
            with writing(self._path) as write:
                write_pack(readings, write)
        for path in self._parts:
            with suppress(FileNotFoundError):
                path.unlink()


def _same(one: Readings, other: Readings) -> bool:
    """Whether two packs hold the same blocks in the same order."""
    return list(map(_what, one.blocks)) == list(map(_what, other.blocks))


def _what(block: Block) -> tuple[str, str, bytes]:
    return block.name, block.sha256, block.checksum
