from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.stats import histograms
from ptmiss.core.stats.bootstrap import copies
from ptmiss.core.stats.histograms import (
    MOMENTS,
    N_CELLS,
    N_FINE,
    choose_edges,
    fill,
    fill_fine,
    fill_levers,
    fine_cells,
    fine_edges,
    place_of,
    quantiles,
    sums,
    tail_share,
    weight_scale,
)


def _cells(values):
    out = np.empty(len(values), dtype=np.int32)
    fine_cells(np.asarray(values, dtype=float), out)
    return out


def _plan(values, weights=None, rms_range=200.0):
    values = np.asarray(values, dtype=float)
    weights = np.ones(values.size) if weights is None else weights
    hist, squares = np.zeros((1, N_FINE), dtype=np.int64), np.zeros(1, dtype=np.int64)
    scale = weight_scale(np.array([np.abs(weights).max()]))
    bins = np.zeros(values.size, dtype=np.int32)
    fill_fine(bins, _cells(values), weights, scale, hist, squares)
    return choose_edges(hist[0], squares[0], rms_range), scale


def _filled(values, weights, counts, edges, scale, partner=None):
    hist = np.zeros((1, N_CELLS, counts.shape[1]))
    moments = np.zeros((1, N_CELLS, len(MOMENTS)), dtype=np.int64)
    bins = np.zeros(len(values), dtype=np.int32)
    partner = np.empty(0) if partner is None else partner
    fill(
        bins, 0, 1, values, partner, weights, scale, counts, edges[None], 200.0, hist, moments
    )  # fmt: skip
    return hist[0], moments[0]


def test_fine_cells_lie_within_their_edges():
    values = np.concatenate([np.linspace(-60, 60, 4001), [-3000.0, 3000.0, 0.0, 1e-9, -1e-9]])
    edges, cells = fine_edges(), _cells(values)
    assert edges.size == N_FINE + 1
    assert (np.diff(edges) > 0).all()
    assert (edges[cells] <= values + 1e-9).all()
    assert (values <= edges[cells + 1] + 1e-9).all()


def test_fine_cells_hold_what_is_far_away_and_nothing_that_is_not_finite():
    assert _cells([1e30, -1e30, np.nan, np.inf, -np.inf]).tolist() == [N_FINE - 1, 0, -1, -1, -1]


@pytest.mark.parametrize("largest", [1.0, 3.0, 1e-12, 1e9, 0.999])
def test_weight_scale_uses_23_bits(largest):
    scaled = largest * weight_scale(np.array([largest]))[0]
    assert 2**22 <= scaled <= 2**23
    assert np.frexp(weight_scale(np.array([largest]))[0])[0] == 0.5  # a power of two


def test_edges_are_narrow_around_the_quantiles():
    values = np.random.default_rng(1).normal(3.0, 20.0, 100_000)
    edges, _ = _plan(values)
    assert edges.size == N_CELLS - 1
    assert (np.diff(edges) >= 0).all()
    assert {-200.0, 200.0} <= set(edges)
    for level in (0.16, 0.84):
        q = np.quantile(values, level)
        error = np.sqrt(0.16 * 0.84 / 100_000) / (0.243 / 20.0)
        near = edges[np.abs(edges - q) < 4 * error]
        assert near.size >= 8


def test_edges_of_an_empty_and_of_a_tiny_distribution():
    empty = choose_edges(np.zeros(N_FINE, dtype=np.int64), 0, 200.0)
    assert empty.size == N_CELLS - 1
    assert np.isfinite(empty).all()
    edges, _ = _plan([7.0])
    assert np.isfinite(edges).all()
    assert edges[0] == -200.0


def test_quantiles_by_hand():
    # cells (-inf, 0) [0, 1) [1, 2) [2, 4) [4, inf): contents 0 1 2 1 0
    edges = np.array([0.0, 1.0, 2.0, 4.0])
    hist = np.array([[0.0], [1.0], [2.0], [1.0], [0.0]])
    out = quantiles(edges, hist, np.array([0.125, 0.25, 0.5, 0.875]))
    np.testing.assert_allclose(out[:, 0], [0.5, 1.0, 1.5, 3.0])


def test_quantiles_of_replicas_without_events_are_nan():
    edges = np.array([0.0, 1.0])
    hist = np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    out = quantiles(edges, hist, np.array([0.5]))
    assert np.isnan(out[0, 0])
    assert out[0, 1] == 0.5


def test_quantiles_with_a_negative_cell():
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    hist = np.array([[0.0], [3.0], [-1.0], [2.0], [0.0]])
    # the cumulative sum is 3, 2, 4: half of the total is first reached at 2/3 of the first cell
    np.testing.assert_allclose(quantiles(edges, hist, np.array([0.5])), [[2 / 3]])


def test_fill_equals_a_histogram_of_each_replica():
    rng = np.random.default_rng(5)
    values, weights = rng.normal(0, 20, 3000), rng.choice([1.0, -0.5, 0.25], 3000)
    lever = rng.exponential(30.0, 3000)
    values[17] = np.nan
    counts = copies(rng.integers(0, 2**63, 3000).astype(np.uint64), 9)
    edges, scale = _plan(values, weights)
    hist, moments = _filled(values, weights, counts, edges, scale, lever)
    levers = np.zeros((1, 10))
    seen = np.where(np.isfinite(values), lever, np.nan)
    fill_levers(np.zeros(3000, dtype=np.int32), seen, weights, scale, counts, 1.0, levers)
    good = np.isfinite(values)
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    for r in range(10):
        w = weights * counts[:, r]
        expected, _ = np.histogram(values[good], bins=bounds, weights=w[good])
        np.testing.assert_allclose(hist[:, r] / scale, expected, atol=1e-9)
        np.testing.assert_allclose(levers[0, r] / scale, (w * lever)[good].sum(), atol=1e-3)
    assert moments[:, 0].sum() == 2999
    sums = moments.sum(axis=0) / scale[0]
    np.testing.assert_allclose(sums[4], (weights * values)[good].sum(), atol=1e-3)
    np.testing.assert_allclose(sums[5], (weights * values**2)[good].sum(), rtol=1e-6)
    np.testing.assert_allclose(sums[1], np.abs(weights[good]).sum())
    sums = moments.sum(axis=0) / scale[0]
    np.testing.assert_allclose(sums[7], (np.abs(weights) * lever)[good].sum(), atol=1e-3)
    products = (np.abs(weights) * lever * values)[good].sum()
    np.testing.assert_allclose(sums[8], products, atol=0.01)
    squares = moments[:, 6].sum() / histograms.W2_SCALE / scale[0] ** 2
    np.testing.assert_allclose(squares, (weights[good] ** 2).sum(), rtol=1e-6)


def test_quantiles_of_the_cells_are_those_of_the_events():
    rng = np.random.default_rng(8)
    # far from zero and narrow: what a badly scaled estimator gives at high q_t
    values = np.concatenate([rng.normal(-250.0, 6.0, 40_000), rng.normal(-240, 40, 4000)])
    weights = rng.uniform(0.1, 2.0, values.size)
    edges, scale = _plan(values, weights)
    counts = np.ones((values.size, 1), dtype=np.uint8)
    hist, _ = _filled(values, weights, counts, edges, scale)
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    exact = np.interp([0.16, 0.84], share, values[order])
    found = quantiles(edges, hist, np.array([0.16, 0.84]))[:, 0]
    np.testing.assert_allclose(found, exact, atol=0.02)  # statistical error: 0.04


def test_events_of_one_weight_are_counted_first_and_give_the_same():
    rng = np.random.default_rng(6)
    values, counts = rng.normal(0, 20, 20_000), copies(np.arange(20_000, dtype=np.uint64), 5)
    edges, scale = _plan(values)
    same = np.full(20_000, 0.7)
    other = same.copy()
    other[::2] += 1e-6  # below the resolution of weights is not enough to be the same
    hist, _ = _filled(values, same, counts, edges, scale)
    apart, _ = _filled(values, other, counts, edges, scale)
    np.testing.assert_allclose(apart, hist, rtol=2e-6)
    unit = np.rint(0.7 * scale[0])
    assert (hist == unit * np.rint(hist / unit)).all()
    assert hist[:, 0].sum() == 20_000 * unit


def test_edges_hold_the_tails_and_the_median_where_asked():
    values = np.random.default_rng(2).normal(0.0, 10.0, 50_000)
    edges, _ = _plan(values)
    for side in (-30.0, 30.0):
        assert np.count_nonzero(np.abs(edges - side) < 1.5) >= 3
    hist, squares = np.zeros((1, N_FINE), dtype=np.int64), np.zeros(1, dtype=np.int64)
    bins = np.zeros(values.size, dtype=np.int32)
    fill_fine(bins, _cells(values), np.ones(values.size), np.array([8.0]), hist, squares)
    median = choose_edges(hist[0], squares[0], 200.0, (0.5,))
    assert median.size == N_CELLS - 1
    assert np.count_nonzero(np.abs(median) < 0.25) >= 15


def test_places_of_levels_by_hand():
    hist = np.zeros(N_FINE, dtype=np.int64)
    middle = N_FINE // 2  # the cell from 0 to 0.05
    hist[middle], hist[middle + 2] = 1, 3
    found = place_of(hist, np.array([0.0, 0.125, 0.25, 0.625, 1.0]), fine_edges())
    np.testing.assert_allclose(found, [0.0, 0.025, 0.05, 0.125, 0.15])
    assert place_of(hist * 0, np.array([0.5]), fine_edges()).tolist() == [0.0]


def test_tail_share_by_hand():
    # cells below -2, [-2, 0), [0, 2), above: a value in the middle counts for the part beyond
    edges, hist = np.array([-2.0, 0.0, 2.0]), np.array([[1.0], [4.0], [4.0], [1.0]])
    assert tail_share(edges, hist, np.array([2.0])).tolist() == [0.2]
    assert tail_share(edges, hist, np.array([1.5])).tolist() == [0.4]
    assert np.isnan(tail_share(edges, hist * 0, np.array([1.0]))[0])


def test_sums_by_hand():
    out = np.empty((3, 2))
    hist = np.array([[1.0, 0.0], [2.0, 1.0]])
    sums(hist, np.array([10.0, 1.0]), np.array([0.0, 5.0]), out)
    assert out.tolist() == [[3.0, 1.0], [12.0, 1.0], [10.0, 5.0]]
