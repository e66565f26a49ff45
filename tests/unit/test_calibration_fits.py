"""Bins, lines, response curves and distribution functions: small exact numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.stats import two_gaussians as mixture
from ptmiss.core.stats.lines import Profile, choose, fit, profile
from ptmiss.core.stats.merging import effective, merge
from ptmiss.tasks.met.calibration.cdf import FORMS
from ptmiss.tasks.met.calibration.response import curve, ratios


def test_effective_number_of_events():
    assert effective(np.ones(7)) == 7.0
    assert effective(np.array([3.0, 1.0])) == pytest.approx(16.0 / 10.0)
    assert effective(np.array([1.0, -2.0])) == 0.0
    assert effective(np.zeros(0)) == 0.0


def test_bins_are_joined_from_the_top_until_each_has_enough():
    number, weight = np.repeat([0, 1, 2, 3, 4], [2, 1, 5, 1, 4]), np.ones(13)
    assert merge([(number, weight)], 5, 4.0) == [(0, 4), (4, 5)]
    assert merge([(number, weight)], 5, 100.0) == [(0, 5)]


def test_a_line_through_exact_points_is_found_with_its_covariance():
    n = np.array([10.0, 20.0, 30.0])
    found = fit(Profile(np.array([5.0, 15.0, 25.0, 35.0]), n, 1.0 + 0.2 * n, np.full(3, 0.5)), 1)
    assert found.coefficients == pytest.approx([1.0, 0.2])
    # variance of a slope: error^2 / sum (n - mean)^2
    assert found.slope()[1] ** 2 == pytest.approx(0.25 / 200.0)
    assert found.error(np.array([20.0]))[0] ** 2 == pytest.approx(0.25 / 3.0)
    assert (found.chi2, found.ndf) == (pytest.approx(0.0, abs=1e-20), 1)


def test_a_line_is_constant_beyond_its_range():
    n = np.array([10.0, 20.0, 30.0])
    found = fit(Profile(np.array([4.5, 15.0, 25.0, 35.5]), n, n, np.ones(3)), 1)
    assert (found.low, found.high) == (5.0, 35.0)
    assert found(np.array([0.0, 5.0, 35.0, 99.0])) == pytest.approx([5.0, 5.0, 35.0, 35.0])
    # nothing is known to subtract
    assert found(np.array([np.nan, np.inf, -np.inf])).tolist() == [0.0, 0.0, 0.0]
    assert found.error(np.array([np.nan])).tolist() == [0.0]


@pytest.mark.parametrize(("bend", "order"), [(0.0, 1), (0.05, 2)])
def test_the_parabola_is_taken_where_the_data_ask_for_it(bend, order):
    n = np.arange(10.0, 30.0)
    edges = np.arange(9.5, 30.0)
    found = choose(Profile(edges, n, n + bend * (n - 20.0) ** 2, np.full(20, 0.5)), "auto", 0.01)
    assert found.order == order
    assert choose(Profile(edges, n, n, np.ones(20)), 2, 0.01).order == 2


def test_a_profile_weighs_its_events():
    n_pv = np.repeat([10.0, 11.0], 50)
    values = np.tile([0.0, 4.0], 50)
    weight = np.tile([3.0, 1.0], 50)
    found = profile(n_pv, values, weight, 20.0)
    assert found.mean == pytest.approx([1.0, 1.0])
    assert list(found.edges) == [9.5, 10.5, 11.5]
    n = effective(weight[:50])
    assert found.error == pytest.approx(np.sqrt(3.0 / (n - 1.0)))


def test_a_response_curve_rises_and_is_constant_outside():
    found = curve(np.array([5.0, 20.0, 60.0, 200.0]), np.array([0.5, 0.8, 0.7, 1.0]), np.ones(4))
    q = np.linspace(0.0, 300.0, 500)
    assert (np.diff(found(q)) >= -1e-12).all()
    assert found(np.array([0.0, 5.0, 20.0, 200.0, 900.0])) == pytest.approx(
        [0.5, 0.5, 0.75, 1.0, 1.0]
    )
    assert found(np.array([np.nan, np.inf])) == pytest.approx([1.0, 1.0])


def test_one_point_makes_a_constant_response():
    found = curve(np.array([30.0]), np.array([0.9]), np.ones(1))
    assert found(np.array([1.0, 100.0, np.nan])) == pytest.approx([0.9, 0.9, 1.0])


def test_response_is_a_ratio_of_means():
    assert ratios(np.array([1.0, 9.0]), np.array([2.0, 10.0]), np.ones((1, 2))) == [10.0 / 12.0]


@pytest.mark.parametrize("form", FORMS)
def test_distribution_functions_rise_from_0_to_1(form):
    rng = np.random.default_rng(3)
    x, w = rng.normal(0.0, 20.0, 400), np.where(rng.random((2, 400)) < 0.1, -0.5, 1.0)
    grid, below = FORMS[form](x, w, 1.0)
    assert below.shape == (2, grid.size)
    assert (np.diff(below, axis=1) >= 0.0).all()
    assert (below[:, 0] < 0.01).all()
    assert (below[:, -1] > 0.99).all()
    assert np.interp(0.0, grid, below[0]) == pytest.approx(0.5, abs=0.06)


def test_two_gaussians_are_found():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(0.0, 10.0, 14_000), rng.normal(5.0, 30.0, 6000)])
    grid, below = FORMS["gaussians"](x, np.ones((1, x.size)), 1.0)
    exact = np.searchsorted(np.sort(x), grid) / x.size
    assert np.abs(below[0] - exact).max() < 0.01


@pytest.mark.parametrize("form", FORMS)
def test_weights_without_a_positive_sum_are_refused(form):
    with pytest.raises(UserError, match="no positive sum of weights"):
        FORMS[form](np.arange(10.0), np.full((1, 10), -1.0), 1.0)


def test_replicas_move_a_fit_as_new_fits_would():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(3.0, 12.0, 700), rng.normal(0.0, 30.0, 300)])
    weights = rng.poisson(1.0, (60, x.size)).astype(float)
    grid = np.linspace(-30.0, 30.0, 7)
    made = mixture.fit(x, np.ones(x.size))
    moved = made.moved(x, weights, grid)
    fitted = np.array([mixture.fit(x, w).below(grid) for w in weights])
    np.testing.assert_allclose(moved.std(axis=0), fitted.std(axis=0), rtol=0.1)
    for one, other in zip(moved.T, fitted.T, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.9
    same = made.moved(x, np.full((2, x.size), 3.0), grid)
    np.testing.assert_allclose(same, [made.below(grid)] * 2, atol=1e-12)
