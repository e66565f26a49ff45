"""Classical estimators: small exact numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.tasks.met.estimators.classical import (
    candidate_weights,
    missing_momentum,
    transverse_momentum,
)


def events(*per_event: list[tuple[float, float, int, int, float, float]]) -> Ragged:
    """Build events of candidates (pt, phi, charge, from_pv, puppi, truth)."""
    flat = [candidate for event in per_event for candidate in event]
    values = np.array(flat, dtype=np.float64).reshape(len(flat), 6)
    kinds = {
        "cand_pt": np.float32, "cand_phi": np.float32, "cand_charge": np.int8,
        "cand_from_pv": np.uint8, "cand_puppi": np.float32, "cand_truth": np.float32,
    }  # fmt: skip
    columns = {name: values[:, i].astype(kind) for i, (name, kind) in enumerate(kinds.items())}
    return Ragged(offsets_of(np.array([len(event) for event in per_event])), columns)


def met(estimator: str, batch: Ragged) -> np.ndarray:
    weights = candidate_weights(estimator, batch)
    return np.stack(missing_momentum(transverse_momentum(batch), weights, batch.offsets), 1)


# 3 GeV along x, charged, from the primary vertex; 4 GeV along y, charged, from another vertex
THREE_FOUR = [(3.0, 0.0, 1, 3, 1.0, 1.0), (4.0, np.pi / 2, -1, 0, 0.5, 0.25)]


def test_pf_is_minus_the_vector_sum() -> None:
    result = met("pf", events(THREE_FOUR))
    np.testing.assert_allclose(result, [[-3.0, -4.0]], atol=1e-6)
    assert np.hypot(*result[0]) == pytest.approx(5.0, abs=1e-6)


def test_chs_drops_charged_candidates_of_another_vertex() -> None:
    np.testing.assert_allclose(met("chs", events(THREE_FOUR)), [[-3.0, 0.0]], atol=1e-6)


def test_chs_keeps_a_neutral_candidate_whatever_its_vertex() -> None:
    neutral = [(3.0, 0.0, 0, 0, 0.0, 0.0)]
    np.testing.assert_allclose(met("chs", events(neutral)), [[-3.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("from_pv", [1, 2, 3])
def test_chs_keeps_charged_candidates_that_no_other_vertex_used(from_pv: int) -> None:
    loose = [(3.0, 0.0, -1, from_pv, 0.0, 0.0)]
    np.testing.assert_allclose(met("chs", events(loose)), [[-3.0, 0.0]], atol=1e-6)


def test_puppi_and_oracle_weight_each_candidate() -> None:
    np.testing.assert_allclose(met("puppi", events(THREE_FOUR)), [[-3.0, -2.0]], atol=1e-6)
    np.testing.assert_allclose(met("oracle", events(THREE_FOUR)), [[-3.0, -1.0]], atol=1e-6)


def test_an_event_without_candidates_is_exactly_zero_and_keeps_its_place() -> None:
    result = met("pf", events([], THREE_FOUR, []))
    assert result[0].tolist() == [0.0, 0.0]
    assert result[2].tolist() == [0.0, 0.0]
    assert not np.signbit(result[[0, 2]]).any()
    np.testing.assert_allclose(result[1], [-3.0, -4.0], atol=1e-6)


def test_sums_are_float64() -> None:
    # in float32 the small candidate would vanish beside the large ones
    big = [(1e7, 0.0, 0, 3, 1.0, 1.0), (0.25, 0.0, 0, 3, 1.0, 1.0)]
    result = met("pf", events(big))
    assert result.dtype == np.float64
    assert result[0, 0] == -10000000.25


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="trk"):
        candidate_weights("trk", events(THREE_FOUR))


candidate = st.tuples(
    st.floats(0, 100, width=32), st.floats(-3, 3, width=32), st.sampled_from([-1, 0, 1]),
    st.integers(0, 3), st.floats(0, 1, width=32), st.floats(0, 1, width=32),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(candidate, max_size=6), st.floats(-3, 3), st.sampled_from(["pf", "chs", "puppi"]))
def test_rotating_an_event_rotates_its_result(event: list, angle: float, estimator: str) -> None:
    batch = events(event)
    turned = Ragged(
        batch.offsets, {**batch.columns, "cand_phi": batch["cand_phi"].astype(float) + angle}
    )
    x, y = met(estimator, batch)[0]
    c, s = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(met(estimator, turned)[0], [c * x - s * y, s * x + c * y], atol=1e-4)
