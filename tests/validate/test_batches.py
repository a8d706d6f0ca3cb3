from __future__ import annotations

import threading
from itertools import chain, pairwise

import polars as pl
import pytest

from pipelines.validate import batches
from pipelines.validate.batches import batches_of, usual_threads


def write(path, rows, group, start=0):
    frame = pl.DataFrame({"n": range(start, start + rows), "m": range(rows)})
    frame.write_parquet(path, row_group_size=group)
    return frame


def numbers(told):
    return [batch["n"].to_list() for batch in told]


def test_a_batch_is_as_many_whole_row_groups_as_have_room_in_it(tmp_path):
    write(tmp_path / "a.parquet", 7, 2)
    write(tmp_path / "b.parquet", 3, 5, 7)
    assert numbers(batches_of(tmp_path, ["n"], 4)) == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    backward = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    assert numbers(batches_of(backward, ["n"], 2, threads=1)) == [[7, 8], [9], [0, 1], [2, 3], [4, 5], [6]]
    assert next(batches_of(tmp_path, ["m"], 4)).columns == ["m"]


def test_few_large_row_groups_are_read_at_once(monkeypatch, tmp_path):
    write(tmp_path / "a.parquet", 30, 5)
    begun, honest = [], pl.LazyFrame.collect
    monkeypatch.setattr(pl.LazyFrame, "collect", lambda frame: begun.append(1) or honest(frame))
    for room, ahead in ((5, 1), (10, 2), (99, 4)):
        begun.clear()
        monkeypatch.setattr(batches, "ROWS_AHEAD", room)
        told = batches_of(tmp_path, ["n"], 5, threads=4)
        assert next(told)["n"].to_list() == [0, 1, 2, 3, 4]
        assert len(begun) <= ahead
        assert list(chain(*numbers(told))) == list(range(5, 30))


def test_large_row_groups_are_cut(monkeypatch, tmp_path):
    write(tmp_path / "a.parquet", 4, 2)
    write(tmp_path / "b.parquet", 10, 10, 4)
    write(tmp_path / "c.parquet", 4, 2, 14)
    monkeypatch.setattr(batches, "ROWS_AHEAD", 5)
    told = numbers(batches_of(tmp_path, ["n"], 3))
    assert list(chain(*told)) == list(range(18))
    assert max(map(len, told)) <= 3


def test_frames_in_memory_and_lazy_ones_are_cut_in_their_order():
    frame = pl.DataFrame({"n": range(7), "m": range(7)})
    for source in (frame, frame.lazy()):
        assert list(chain(*numbers(batches_of(source, ["n"], 3)))) == list(range(7))
        assert max(map(len, numbers(batches_of(source, ["n"], 3)))) == 3
        assert numbers(batches_of(source.clear(), ["n"], 3)) == []


def test_files_without_rows_give_no_batch(tmp_path):
    write(tmp_path / "a.parquet", 0, 5)
    write(tmp_path / "b.parquet", 2, 5)
    write(tmp_path / "c.parquet", 0, 5)
    assert numbers(batches_of(tmp_path, ["n"], 4)) == [[0, 1]]
    assert numbers(batches_of(tmp_path / "a.parquet", ["n"], 4)) == []


def test_no_more_is_read_ahead_than_the_threads_have_in_hand(monkeypatch, tmp_path):
    write(tmp_path / "a.parquet", 40, 1)
    begun, honest = [], pl.LazyFrame.collect

    def counted(frame, *args, **options):
        begun.append(threading.current_thread().name)
        return honest(frame, *args, **options)

    monkeypatch.setattr(pl.LazyFrame, "collect", counted)
    told = batches_of(tmp_path, ["n"], 1, threads=2)
    for number in range(5):
        assert next(told)["n"].to_list() == [number]
        assert len(begun) <= number + 2
    told.close()
    assert len(begun) <= 6  # nothing is read for one who no longer asks
    assert all(name.startswith("read") for name in begun)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_a_file_that_cannot_be_read_is_told_in_its_place(tmp_path):
    write(tmp_path / "a.parquet", 3, 1)
    good = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(good[:4] + bytes(200) + good[204:])  # the footer is whole, the data is not
    told = batches_of(tmp_path, ["n"], 1)
    assert [next(told)["n"].to_list() for _ in range(3)] == [[0], [1], [2]]
    with pytest.raises(pl.exceptions.PolarsError):
        next(told)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_the_usual_number_of_threads_is_the_processors_from_2_to_4(monkeypatch):
    for processors, threads in ((None, 2), (1, 2), (3, 3), (64, 4)):
        monkeypatch.setattr(batches.os, "cpu_count", lambda count=processors: count)
        assert usual_threads() == threads


def test_numbers_below_1_and_no_files_are_refused(tmp_path):
    frame = pl.DataFrame({"n": [1]})
    with pytest.raises(ValueError, match="batch_rows"):
        batches_of(frame, ["n"], 0)
    with pytest.raises(ValueError, match="threads"):
        batches_of(frame, ["n"], threads=0)
    with pytest.raises(FileNotFoundError):
        batches_of(tmp_path, ["n"])


def test_small_files_that_follow_one_another_are_read_as_one_run(tmp_path):
    cuts = [0, 3, 3, 7, 60, 61, 62, 100]
    files = [tmp_path / f"{at}.parquet" for at in range(len(cuts) - 1)]
    for file, (begin, end) in zip(files, pairwise(cuts), strict=True):
        write(file, end - begin, 100, begin)
    told = numbers(batches_of(files, ["n"], rows=10))
    assert [len(batch) for batch in told] == [7, 10, 10, 10, 10, 10, 3, 2, 10, 10, 10, 8]
    assert [*chain.from_iterable(told)] == [*range(100)]
