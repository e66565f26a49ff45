from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.ragged import offsets_of
from ptmiss.learn.onnx.packing import batches, tensors
from ptmiss.tasks.met.features import PT, Features


def made(counts: list[int]) -> Features:
    """Features whose values are all different: candidate i has pt i + 1 and codes of i."""
    n = sum(counts)
    x = np.arange(n * 8, dtype=np.float32).reshape(n, 8)
    x[:, PT] = np.arange(1, n + 1)
    categories = np.arange(n * 3, dtype=np.int32).reshape(n, 3) % 3
    return Features(offsets_of(np.array(counts)), x, categories, {})


def fill(features: Features, batch: list[int], shape: tuple[int, int]) -> dict[str, np.ndarray]:
    codes = np.ascontiguousarray(features.categories.T, dtype=np.float32)
    return tensors(features, codes, np.array(batch), shape, PT)


@given(st.lists(st.integers(0, 60), max_size=40), st.sampled_from([1, 50, 200]))
def test_each_event_comes_once_and_batches_are_no_larger_than_allowed(
    counts: list[int], slots: int
) -> None:
    seen = []
    for batch in batches(np.array(counts, dtype=np.int64), slots):
        width = max(counts[event] for event in batch)
        assert len(batch) == 1 or len(batch) * width <= slots
        seen.extend(batch.tolist())
    assert sorted(seen) == list(range(len(counts)))


def test_a_fixed_batch_size_is_kept() -> None:
    sizes = [len(batch) for batch in batches(np.full(7, 3), slots=1000, events=2)]
    assert sizes == [2, 2, 2, 1]


def test_little_is_padding_when_events_of_a_row_group_are_packed() -> None:
    counts = np.random.default_rng(1).normal(930, 250, 1000).clip(20).astype(np.int64)
    filled = sum(counts[batch].max() * len(batch) for batch in batches(counts))
    assert filled / counts.sum() < 1.02


def test_tensors_hold_the_events_and_zeros() -> None:
    features = made([2, 0, 3])
    result = fill(features, [2, 1, 0], (4, 3))
    assert {name: values.shape for name, values in result.items()} == {
        "input": (4, 3, 8), "input_cat0": (4, 3, 1), "input_cat1": (4, 3, 1),
        "input_cat2": (4, 3, 1),
    }  # fmt: skip
    assert {values.dtype for values in result.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(result["input"][0], features.continuous[2:5])
    np.testing.assert_array_equal(result["input"][2, :2], features.continuous[:2])
    np.testing.assert_array_equal(result["input_cat1"][0, :, 0], features.categories[2:5, 1])
    for values in result.values():
        assert not values[1].any()
        assert not values[2, 2:].any()
        assert not values[3].any()


def test_one_event_that_fills_its_tensor_is_not_copied() -> None:
    features = made([2, 3])
    result = fill(features, [1], (1, 3))
    assert np.shares_memory(result["input"], features.continuous)
    np.testing.assert_array_equal(result["input_cat2"][0, :, 0], features.categories[2:, 2])


@pytest.mark.parametrize("shape", [(1, 2), (2, 2)])
def test_beyond_the_slots_the_softest_are_lost_and_the_order_stays(shape: tuple[int, int]) -> None:
    features = made([4])
    features.continuous[:, PT] = [3.0, 1.0, 2.0, 4.0]
    result = fill(features, [0], shape)
    np.testing.assert_array_equal(result["input"][0, :, PT], [3.0, 4.0])
