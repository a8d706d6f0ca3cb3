from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.validate.lanes import NARROW, ROOM, Block, Desk, Lanes, kind_for

EDGES = [0, 1, -1, 2**15 - 1, 2**15, -(2**15), 2**31 - 1, 2**31, -(2**31), ROOM - 1, ROOM, 2**63 - 1, -(2**63)]
FIGURES = st.lists(st.one_of(st.integers(-5, 5), st.sampled_from(EDGES)), min_size=1, max_size=12)


def block(columns, missing=None):
    arrays = [np.array(column, dtype=np.int64) for column in columns]
    return Block(arrays, missing or [None] * len(arrays), {}, len(arrays[0]))


@settings(max_examples=200, deadline=None)
@given(FIGURES, st.data())
def test_a_look_at_a_column_tells_its_size_its_signs_and_its_sums(column, data):
    starts = sorted({0, *data.draw(st.lists(st.integers(0, len(column) - 1)))})
    lanes = Lanes(block([column, column]), Desk(), np.array(starts), 1)
    assert lanes.sizes == [max(map(abs, column))] * 2
    assert lanes.negative == ({0, 1} if min(column) < 0 else set())
    ends = [*starts[1:], len(column)]
    assert [lanes.sums[0].tolist()] == [[sum(column[a:b]) for a, b in zip(starts, ends, strict=True)]]
    assert len(lanes.sums) == 1
    for kind in (np.int16, np.int32, np.int64):
        if lanes.sizes[0] <= np.iinfo(kind).max:
            narrow = lanes.get(0, kind)
            assert (narrow.dtype, narrow.tolist()) == (kind, column)


def test_integers_are_chosen_so_that_what_they_must_hold_has_room():
    for kind, largest in NARROW:
        assert largest == np.iinfo(kind).max
        assert kind_for(largest) is kind
        assert kind_for(largest + 1) is not kind
    assert [kind_for(bound) for bound in (0, ROOM - 1, ROOM)] == [np.int16, np.int64, None]


def test_a_desk_used_again_holds_nothing_of_the_block_before():
    desk = Desk()
    Lanes(block([[7] * 9, [2**20] * 9]), desk).get(0, np.int32)
    lanes = Lanes(block([[1, 2], [3, 4]]), desk)
    assert [lanes.get(at, kind).tolist() for at in (0, 1) for kind in (np.int16, np.int32)] == [[1, 2]] * 2 + [
        [3, 4]
    ] * 2


def test_a_column_that_lacks_every_figure_is_absent_and_one_that_lacks_some_is_not():
    missing = [np.array([True, True]), np.array([True, False]), None]
    assert Lanes(block([[0, 0], [0, 5], [1, 1]], missing), Desk()).absent == {0}
    cut = block([[0, 0], [0, 5], [1, 1]], missing).cut(0, 1)
    assert (cut.rows, Lanes(cut, Desk()).absent) == (1, {0, 1})


@pytest.mark.parametrize("size", [2**40, 2**61])
def test_many_large_figures_add_up_exactly(size):
    column = [size] * 9
    assert Lanes(block([column]), Desk(), np.array([0, 2]), 1).sums[0].tolist() == [2 * size, 7 * size]
