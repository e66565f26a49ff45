"""One step of a pass over events: what it adds, whatever thread it runs in."""

from __future__ import annotations

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.core.stats import histograms
from ptmiss.core.stats.bootstrap import copies
from ptmiss.tasks.met.performance.bins import make_grid
from ptmiss.tasks.met.performance.observables import variables
from ptmiss.tasks.met.performance.passes import Filled, Fine, Passes, View
from ptmiss.tasks.met.performance.spectra import Counts

SETTINGS = toys.settings(replicas=20)
COLUMNS = toys.toy(200, kind="dilepton")


def _passes(chunk):
    grid = make_grid(SETTINGS, has_boson=True, has_truth=True)
    scale = histograms.weight_scale(np.ones(len(grid.bins)))
    return Passes(lambda: [chunk], np.array([0]), grid, ("par", "perp"), SETTINGS, scale)


def test_an_event_without_estimate_is_taken_from_the_lever_that_all_share():
    chunk = toys.chunk(COLUMNS)
    passes = _passes(chunk)
    binned = variables(chunk)
    values = np.zeros((2, 200))
    values[:, :7] = np.nan
    view = View(chunk, binned, passes.grid.indices(binned), [values])
    n_bins, drawn = len(passes.grid.bins), copies(chunk.states, 20)
    filled = Filled(*(np.zeros((1, 2, n_bins, 21)) for _ in range(3)), np.zeros((2, n_bins, 21)))
    every = passes.grid.find("all", -np.inf, np.inf)
    group = next(g for g in range(len(view.indices)) if (view.indices[g] == every).all())
    passes.add_lever(view, drawn, filled, (group, "par"))
    total = (filled.shared[0, every] + filled.levers[0, 0, every]) / passes.scale[every]
    assert total[0] == pytest.approx((chunk.weight * binned["qt"])[7:].sum(), rel=1e-5)
    assert filled.levers[0, 0, every, 0] < 0.0


def test_histograms_of_the_first_pass_do_not_depend_on_how_events_are_cut():
    n_bins = len(make_grid(SETTINGS, has_boson=True, has_truth=True).bins)
    whole, parts = Fine.of(1, 2, n_bins), Fine.of(1, 2, n_bins)
    for fine, cuts in ((whole, [slice(0, 200)]), (parts, [slice(0, 90), slice(90, 200)])):
        for cut in cuts:
            chunk = toys.chunk(toys.select(COLUMNS, cut))
            passes = _passes(chunk)
            binned = variables(chunk)
            values = [np.stack([chunk.met[0, 0], chunk.met[0, 1]])]
            view = View(chunk, binned, passes.grid.indices(binned), values)
            passes.add_fine(view, np.ones((1, n_bins)), fine, (0, 1))
    assert whole.cells.any()
    np.testing.assert_array_equal(whole.cells, parts.cells)
    np.testing.assert_array_equal(whole.squares, parts.squares)


def test_a_spectrum_is_filled_chunk_by_chunk():
    edges, scale = np.array([0.0, 10.0, 20.0, 40.0]), histograms.weight_scale(np.ones(1))
    whole, parts = (Counts.empty("met", 0, edges, scale, SETTINGS) for _ in range(2))
    for counts, cuts in ((whole, [slice(0, 200)]), (parts, [slice(0, 90), slice(90, 200)])):
        for cut in cuts:
            chunk = toys.chunk(toys.select(COLUMNS, cut))
            counts.add(chunk, copies(chunk.states, 20))
    size = np.hypot(COLUMNS["pf_px"], COLUMNS["pf_py"])
    expected = [np.count_nonzero(size < 10), *np.histogram(size, edges[1:])[0]]
    assert whole.spectrum().n_events[1:-1].tolist() == expected
    np.testing.assert_array_equal(whole.hist, parts.hist)
