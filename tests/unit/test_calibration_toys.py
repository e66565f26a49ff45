"""Toys: what was injected is recovered, and the bands cover as often as they say."""

from __future__ import annotations

import numpy as np

import calibration_toys as toys
from ptmiss.calibration.cdf import kernel
from ptmiss.calibration.lines import fit, profile
from ptmiss.calibration.modulation import Offsets, phi_p_value, slope
from ptmiss.calibration.shifts import shift_between
from ptmiss.performance.bootstrap import copies

N_TOYS, REPLICAS = 20, 40


def test_injected_scale_smearing_and_offset_are_recovered():
    chosen = toys.settings(min_events=400, replicas=REPLICAS, plateau_low=60.0)
    pulls = {name: [] for name in ("offset_x", "slope_x", "slope_y", "scale", "smearing")}
    for number in range(N_TOYS):
        data = toys.toy(
            4000, 100 + number, REPLICAS, response=0.92, sigma=24.0, offset=(1.0, 0.0),
            slope=(0.1, -0.05),
        )  # fmt: skip
        found = toys.derived(data, toys.toy(4000, 500 + number, REPLICAS), chosen)
        x, y = found.xy["data"]
        at = np.array([20.0])
        pulls["offset_x"].append((x(at)[0] - 3.0) / x.error(at)[0])
        pulls["slope_x"].append((x.slope()[0] - 0.1) / x.slope()[1])
        pulls["slope_y"].append((y.slope()[0] + 0.05) / y.slope()[1])
        plateau = found.plateau["data"]
        error = 0.5 * (plateau["stat_up"] - plateau["stat_down"])
        pulls["scale"].append((plateau["nominal"] - 0.92) / error)
        # width of the mapped u_perp between -20 and 20 GeV of simulation, at all nodes together
        knots = found.maps["u_perp"]["nominal"].knots
        nominal = np.concatenate(found.maps["u_perp"]["nominal"].shifts)[None]
        rows = np.concatenate([nominal, np.concatenate(found.replicas["u_perp"], axis=1)])
        ends = [np.array([[np.interp(u, knots, s) for s in row] for row in rows]).mean(axis=1)
                for u in (-20.0, 20.0)]  # fmt: skip
        width = 1.0 + (ends[1] - ends[0]) / 40.0
        pulls["smearing"].append((width[0] - 1.2) / width[1:].std())
    every = np.array(list(pulls.values()))
    assert (np.abs(every) < 2.0).mean() >= 0.9, pulls
    assert (np.abs(every) < 2.0).mean(axis=1).min() >= 0.75, pulls


def test_slopes_and_modulations_on_the_other_half_are_as_large_as_chance_makes_them():
    pulls, p_values = [], []
    for number in range(200):
        rng = np.random.default_rng(number)
        halves = []
        for _ in range(2):
            n_pv = rng.poisson(20.0, 1250).astype(np.float64)
            met = rng.normal(0.0, 28.0, (2, 1250)) + np.outer([0.3, 0.0], n_pv)
            halves.append((met, n_pv, np.ones(1250)))
        met, n_pv, weight = halves[0]
        lines = tuple(fit(profile(n_pv, met[axis], weight, 100.0), 1) for axis in (0, 1))
        value, error = slope(*halves[1], Offsets(lines), 0, 100.0)
        pulls.append(value / error)
        p_values.append(phi_p_value(*halves[1], Offsets(lines)))
    assert 0.88 < np.std(pulls) < 1.12
    assert abs(np.mean(pulls)) < 0.2
    assert 0.04 < np.mean(np.array(p_values) < 0.1) < 0.17


def test_the_68_percent_band_of_the_map_covers_as_often():
    n, inside = 300, []
    knots = np.array([-20.0, -8.0, 0.0, 8.0, 20.0])
    for number in range(200):
        rng = np.random.default_rng(number)
        sides = []
        for scale, mean in ((20.0, 0.0), (24.0, -3.0)):
            states = rng.integers(0, 2**63, n, dtype=np.uint64)
            weights = copies(states, 100).T.astype(np.float64)
            sides.append(kernel(rng.normal(mean, scale, n), weights, 1.0))
        shifts = shift_between(*sides, knots, 0.004)
        low, high = np.percentile(shifts[1:], [16.0, 84.0], axis=0)
        truth = -3.0 + 1.2 * knots - knots
        inside.append((low <= truth) & (truth <= high))
    assert 0.63 <= np.mean(inside) <= 0.73
