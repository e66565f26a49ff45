from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, event_index, from_arrow, offsets_of, segment_sum, to_arrow

COUNTS = st.lists(st.integers(0, 5), max_size=8)


def test_segment_sum_of_full_and_empty_events():
    offsets = offsets_of(np.array([2, 0, 3, 0]))
    assert segment_sum(np.array([3.0, 4.0, 1.0, 1.0, 1.0]), offsets).tolist() == [
        7.0,
        0.0,
        3.0,
        0.0,
    ]


def test_segment_sum_of_nothing():
    assert segment_sum(np.array([]), offsets_of(np.array([], dtype=int))).tolist() == []
    assert segment_sum(np.array([]), offsets_of(np.array([0, 0]))).tolist() == [0.0, 0.0]


def test_float32_is_summed_in_float64():
    # 2**24 + 1 has no float32: a float32 sum would lose the 1
    values = np.array([2.0**24, 1.0, -(2.0**24)], dtype=np.float32)
    assert segment_sum(values, offsets_of(np.array([3]))).tolist() == [1.0]


@given(COUNTS)
def test_segment_sum_equals_a_plain_loop(counts):
    offsets = offsets_of(np.array(counts, dtype=int))
    values = np.arange(offsets[-1], dtype=np.float64) + 0.5
    expected = [values[a:b].sum() for a, b in itertools.pairwise(offsets)]
    assert segment_sum(values, offsets).tolist() == expected
    assert event_index(offsets).tolist() == [i for i, n in enumerate(counts) for _ in range(n)]


@given(COUNTS)
def test_arrow_and_back(counts):
    offsets = offsets_of(np.array(counts, dtype=int))
    values = np.arange(offsets[-1], dtype=np.float32)
    table = pa.table({"x": to_arrow(values, offsets, pa.float32())})
    back = from_arrow(table, ["x"])
    assert back.offsets.tolist() == offsets.tolist()
    assert back["x"].tolist() == values.tolist()


def test_arrow_slice_starts_at_zero():
    offsets = offsets_of(np.array([2, 1, 2]))
    table = pa.table({"x": to_arrow(np.arange(5.0), offsets, pa.float32())}).slice(1)
    back = from_arrow(table, ["x"])
    assert back.offsets.tolist() == [0, 1, 3]
    assert back["x"].tolist() == [2.0, 3.0, 4.0]


def test_columns_must_agree():
    with pytest.raises(ValueError, match="offsets say 3"):
        Ragged(offsets_of(np.array([3])), {"x": np.zeros(2)})
    table = pa.table({"x": [[1.0]], "y": [[1.0, 2.0]]})
    with pytest.raises(ValueError, match="column y"):
        from_arrow(table, ["x", "y"])


def test_keep_events_and_candidates():
    ragged = Ragged(offsets_of(np.array([2, 0, 1])), {"x": np.array([1, 2, 3])})
    kept = ragged.keep_events(np.array([False, True, True]))
    assert (kept.counts.tolist(), kept["x"].tolist()) == ([0, 1], [3])
    kept = ragged.keep_candidates(np.array([False, True, False]))
    assert (kept.counts.tolist(), kept["x"].tolist()) == ([1, 0, 0], [2])
