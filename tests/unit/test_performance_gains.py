from __future__ import annotations

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.core.stats.bootstrap import interval, intervals, share
from ptmiss.tasks.met.performance.gains import QUANTITIES, gains
from ptmiss.tasks.met.performance.measure import measure
from ptmiss.tasks.met.performance.resolution import Measured

SETTINGS = toys.settings(replicas=100)
NETWORK = {"pf": (0.9, 25.0), "puppi": (0.9, 20.0), "deepmet": (0.9, 14.0), "oracle": (1.0, 8.0)}


def _gains(estimators, quantities=("sigma_perp",), kind="dilepton", over=("pf", "puppi")):
    chunk = toys.chunk(toys.toy(4000, kind=kind, estimators=estimators), kind=kind)
    parts = measure(lambda: [chunk], tuple(estimators), SETTINGS)
    measured = [Measured(parts, e, SETTINGS) for e in range(len(estimators))]
    b = parts.grid.find("all", -np.inf, np.inf)
    found = gains(estimators, measured, b, quantities, over)
    return {(name, over, quantity): value for name, over, quantity, value in found}


def test_gains_and_shares_of_known_resolutions():
    found = _gains(NETWORK)
    expected = {
        ("deepmet", "pf"): 1.0 - 14.0 / 25.0,
        ("deepmet", "puppi"): 1.0 - 14.0 / 20.0,
        ("oracle", "puppi"): 1.0 - 8.0 / (20.0 / 0.9),
        ("pf", "puppi"): 1.0 - 25.0 / 20.0,
        ("deepmet", "limit"): (20.0 - 14.0) / 0.9 / (20.0 / 0.9 - 8.0),
        ("pf", "limit"): (20.0 - 25.0) / 0.9 / (20.0 / 0.9 - 8.0),
    }
    for (name, over), truth in expected.items():
        values = found[name, over, "sigma_perp"].values
        assert abs(values[0] - truth) < 3.0 * values[1:].std(), (name, over)
    assert {name for name, over, _ in found if over == "limit"} == {"pf", "deepmet"}
    assert ("pf", "pf", "sigma_perp") not in found


def test_a_gain_over_a_model_of_others_is_paired():
    estimators = {**NETWORK, "published": (0.9, 16.0)}
    found = _gains(estimators, over=("pf", "puppi", "published"))
    values = found["deepmet", "published", "sigma_perp"].values
    ratio = (
        found["deepmet", "pf", "sigma_perp"].values,
        found["published", "pf", "sigma_perp"].values,
    )
    # of the same replicas, not of two intervals
    np.testing.assert_allclose(values, 1.0 - (1.0 - ratio[0]) / (1.0 - ratio[1]), rtol=1e-9)
    assert abs(values[0] - (1.0 - 14.0 / 16.0)) < 3.0 * values[1:].std()
    assert ("published", "published", "sigma_perp") not in found
    assert not any(over == "published" for _, over, _ in _gains(estimators))


def test_a_way_that_is_not_beyond_doubt_has_no_shares():
    equal = {**NETWORK, "oracle": (0.9, 20.0)}
    found = _gains(equal)
    assert found["deepmet", "limit", "sigma_perp"].values is None
    assert found["deepmet", "limit", "sigma_perp"].n_events == 4000
    assert found["deepmet", "puppi", "sigma_perp"].values is not None


def test_each_resolution_that_a_sample_has_is_compared():
    quantities = {quantity for *_, quantity in _gains(NETWORK, QUANTITIES, kind="w")}
    assert quantities == set(QUANTITIES)
    quantities = {quantity for *_, quantity in _gains(NETWORK, QUANTITIES)}
    assert "sigma_phi" not in quantities
    assert "sigma_par_bincorr" in quantities


def test_share_by_hand():
    start, sigma, end = np.full(21, 20.0), np.full(21, 14.0), np.full(21, 10.0)
    sigma[1:], start[1] = 15.0, 30.0
    found = share(start, sigma, end)
    assert found[0] == 0.6
    assert found[1] == 0.75
    assert found[2] == 0.5
    end[1:5] = 30.0
    assert share(start, sigma, end) is None
    assert share(end, sigma, start) is None


@pytest.mark.parametrize("coverage", [0.68, 0.95])
def test_intervals_are_percentiles_of_the_finite_replicas(coverage):
    values = np.random.default_rng(1).normal(size=(40, 101))
    values[3, 1:31], values[4, 1:60], values[5, 1:] = np.nan, np.nan, np.inf
    found = intervals(values, coverage)
    tail = 50.0 * (1.0 - coverage)
    for row, (low, high) in zip(values, found, strict=True):
        good = row[1:][np.isfinite(row[1:])]
        if good.size < 50:
            assert np.isnan([low, high]).all()
        else:
            np.testing.assert_allclose([low, high], np.percentile(good, [tail, 100.0 - tail]))
    assert interval(values[0], coverage) == tuple(found[0])
    assert np.isnan(intervals(values[:, :1])).all()
    assert intervals(values[:0]).shape == (0, 2)
