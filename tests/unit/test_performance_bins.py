from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.tasks.met.performance.bins import AXES, cut_range, make_grid, plateau


def _variables(n=4000, seed=3):
    rng = np.random.default_rng(seed)
    return {
        "n_pv": rng.poisson(20.0, n).astype(float),
        "qt": np.where(rng.random(n) < 0.05, np.nan, rng.exponential(80.0, n)),
        "gen_ht": rng.exponential(400.0, n),
        "gen_met": rng.exponential(80.0, n),
    }


def test_every_axis_has_its_bins():
    settings = toys.settings()
    grid = make_grid(settings, has_boson=True, has_truth=True)
    shown = [item for item in grid.bins if not item.hidden]
    assert {item.axis for item in shown} == set(AXES)
    edges = [(b.low, b.high) for b in shown if b.axis == "qt"]
    narrow = set(itertools.pairwise(settings.qt_edges))
    responses = set(itertools.pairwise(settings.response_edges))
    assert narrow | responses | set(settings.qt_ranges) == set(edges)
    assert len(edges) == len(set(edges))


@pytest.mark.parametrize(("boson", "truth"), [(False, True), (True, False), (False, False)])
def test_axes_follow_what_the_sample_has(boson, truth):
    axes = {item.axis for item in make_grid(toys.settings(), boson, truth).bins}
    assert {"all", "n_pv"} <= axes
    assert ("qt" in axes) == ("n_pv_low_qt" in axes) == ("plateau_qt" in axes) == boson
    assert ("gen_ht" in axes) == ("plateau_gen_met" in axes) == truth


def test_each_bin_holds_its_events_and_no_other():
    variables = _variables()
    grid = make_grid(toys.settings(), has_boson=True, has_truth=True)
    indices = grid.indices(variables)
    qt, n_pv = variables["qt"], variables["n_pv"]
    for number, item in enumerate(grid.bins):
        found = (indices == number).any(axis=0)
        if item.axis == "all":
            expected = np.ones(qt.size, dtype=bool)
        else:
            value = variables[item.variable]
            expected = (value >= item.low) & (value < item.high)
            if item.axis == "n_pv_low_qt":
                expected = (n_pv >= item.low) & (n_pv < item.high) & (qt < 50.0)
            if item.axis == "n_pv_high_qt":
                expected = (n_pv >= item.low) & (n_pv < item.high) & (qt >= 50.0)
        assert (found == expected).all(), item


def test_bin_edges_belong_to_the_bin_above():
    variables = {name: np.array([50.0]) for name in ("n_pv", "qt", "gen_ht", "gen_met")}
    grid = make_grid(toys.settings(), has_boson=True, has_truth=True)
    inside = set(grid.indices(variables).ravel())
    assert grid.find("qt", 50.0, 60.0) in inside
    assert grid.find("qt", 0.0, 50.0) not in inside
    last = {**variables, "qt": np.array([350.0])}
    assert grid.find("qt", 290.0, 350.0) not in set(grid.indices(last).ravel())


def test_groups_are_few():
    grid = make_grid(toys.settings(), has_boson=True, has_truth=True)
    assert len(grid.offsets) - 1 <= 11
    assert grid.offsets[-1] == len(grid.bins)


def test_plateau_and_unknown_bins():
    settings = toys.settings()
    grid = make_grid(settings, has_boson=True, has_truth=True)
    item = grid.bins[plateau(grid, "plateau_qt")]
    assert (item.low, item.high, item.hidden) == (150.0, 1000.0, True)
    assert grid.bins[plateau(grid, "plateau_gen_met")].high == math.inf
    with pytest.raises(KeyError):
        grid.find("qt", 1.0, 2.0)


def test_only_the_axes_that_are_wanted():
    grid = make_grid(toys.settings(), True, True, axes=("all", "gen_ht"))
    assert {item.axis for item in grid.bins if not item.hidden} == {"all", "gen_ht"}
    assert plateau(grid, "plateau_qt") >= 0


def test_a_range_is_made_of_bins_and_their_parts():
    settings = toys.settings(correction_edges=[0, 20, 60, 150], qt_ranges=[[0, 50], [0, 150]],
                             headline_high_qt=[0, 50])  # fmt: skip
    assert cut_range(settings, 0.0, 50.0) == [((0, 20), (0, 20)), ((20, 50.0), (20, 60))]
    assert len(cut_range(settings, 0.0, 150.0)) == 3
    assert cut_range(settings, 0.0, 151.0) == []
    grid = make_grid(settings, has_boson=True, has_truth=False)
    for low, high in ((0, 20), (20, 50), (20, 60), (60, 150)):
        assert grid.bins[grid.find_qt(low, high)].high == high
    with pytest.raises(KeyError):
        grid.find_qt(0, 21)
