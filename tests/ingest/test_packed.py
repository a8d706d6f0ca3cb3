"""Packed readings: what is written is read, piece by piece; a changed byte is noticed wherever it lies."""

from __future__ import annotations

import random
import tracemalloc
from decimal import Decimal

import pytest
from upath import UPath

from pipelines.ingest.packed import DamagedPackError, Spool, encode, open_pack, packed, write_pack
from pipelines.storage import writing
from schemas.findings import make_finding
from schemas.intake import ReadCell, ReadFile


def read(number: int, cells: int = 3) -> ReadFile:
    return ReadFile(
        file=f"单位{number}/年报.xlsx",
        sha256=f"{number:064x}",
        format="xlsx",
        form={"requests": "2021"},
        cells=tuple(
            ReadCell(cell=f"requests.{n}", value=Decimal(number * n), raw=str(number * n), state="given", at=f"C{n}")
            for n in range(cells)
        ),
        problems=(make_finding("empty_file", words={"file": "x"}, file="x"),) if number % 3 == 0 else (),
    )


READS = [read(number) for number in range(20)]


@pytest.fixture
def pack(tmp_path):
    path = UPath(tmp_path / "some" / "2023.readings")
    with writing(path) as write:
        write_pack(packed(READS, "key"), write)
    return path


def test_what_is_written_is_read(pack):
    found = open_pack(pack)
    assert list(found) == READS
    assert len(found) == 20
    assert found[3] == READS[3]
    assert found[-1] == READS[-1]
    assert found[2:5] == READS[2:5]
    assert found.named(READS[7].file) == READS[7]
    assert found.files == [each.file for each in READS]
    assert found.key == "key"
    with pytest.raises(IndexError):
        found[20]
    with pytest.raises(KeyError):
        found.named("nobody")


def test_the_same_readings_give_the_same_bytes_whatever_order_they_came_in(pack, tmp_path):
    spool = Spool()
    blocks = {each.file: spool.add(each.file, each.sha256, encode([each]), [each.file]) for each in reversed(READS)}
    again = UPath(tmp_path / "again")
    with writing(again) as write:
        write_pack(spool.readings([blocks[each.file] for each in READS], "key"), write)
    assert again.read_bytes() == pack.read_bytes()
    with writing(again) as write:
        write_pack(open_pack(pack), write)
    assert again.read_bytes() == pack.read_bytes()


def test_the_members_of_an_archive_lie_together(tmp_path):
    spool = Spool()
    blocks = [
        spool.add("年报.zip", "a" * 64, encode(READS[:3]), [each.file for each in READS[:3]]),
        spool.add(READS[3].file, READS[3].sha256, encode(READS[3:4]), [READS[3].file]),
    ]
    found = spool.readings(blocks)
    assert list(found) == READS[:4]
    assert [found[n] for n in range(4)] == READS[:4]
    assert found.named(READS[1].file) == READS[1]


def test_no_readings_at_all(tmp_path):
    path = UPath(tmp_path / "empty")
    with writing(path) as write:
        write_pack(Spool().readings([]), write)
    assert list(open_pack(path)) == []


def test_a_pack_on_other_storage_is_read_the_same(pack):
    there = UPath("memory://packs/2023.readings")
    there.write_bytes(pack.read_bytes())
    assert list(open_pack(there)) == READS


def test_a_replaced_file_does_not_disturb_whoever_has_it_open(pack):
    found = open_pack(pack)
    with writing(pack) as write:
        write_pack(packed(READS[:2]), write)
    assert list(found) == READS
    assert len(open_pack(pack)) == 2


def noticed(path: UPath) -> bool:
    """Whether reading it stops with the right words; reading on and finding something else would be False."""
    with pytest.raises(DamagedPackError, match=r"损坏.*damaged"):
        list(open_pack(path))
    return True


def test_every_damage_is_noticed(pack):
    whole, draw = pack.read_bytes(), random.Random(5)
    for place in {0, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(300))}:
        pack.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :])
        assert noticed(pack), place
    for length in {0, 1, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(50))}:
        pack.write_bytes(whole[:length])
        assert noticed(pack), length
    pack.write_bytes(whole + b"x")
    assert noticed(pack)
    pack.write_bytes(whole)
    assert list(open_pack(pack)) == READS


def test_reading_from_end_to_end_holds_one_file_at_a_time(tmp_path):
    spool = Spool()
    one = read(1, cells=200)
    data = encode([one])
    found = spool.readings([spool.add(one.file, one.sha256, data, [one.file]) for _ in range(1000)])
    tracemalloc.start()
    assert sum(len(each.cells) for each in found) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000, "a thousand decoded ones are some seventy times as much"
