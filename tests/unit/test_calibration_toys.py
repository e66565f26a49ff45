"""Toys: what was injected is recovered, and the bands cover as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

import calibration_toys as toys
from ptmiss.core.stats.bootstrap import copies
from ptmiss.core.stats.lines import fit, profile
from ptmiss.tasks.met.calibration.cdf import kernel
from ptmiss.tasks.met.calibration.replicas import sample
from ptmiss.tasks.met.calibration.response import derive_response
from ptmiss.tasks.met.calibration.shifts import shift_between
from ptmiss.tasks.met.closure.modulation import Offsets, phi_p_value, slope

N_TOYS, REPLICAS = 20, 100


def between(low: np.ndarray, truth: np.ndarray | float, high: np.ndarray) -> np.ndarray:
    return (low <= truth) & (truth <= high)


@pytest.fixture(scope="module")
def twenty():
    """Corrections of toys with known injections, with the default forms and replicas."""
    chosen = toys.settings(
        min_events=400, replicas=REPLICAS, plateau_low=60.0, form="gaussians",
        form_variation="kernel",
    )  # fmt: skip
    found = []
    for number in range(N_TOYS):
        data = toys.toy(
            4000, 100 + number, REPLICAS, response=0.92, sigma=24.0, offset=(1.0, 0.0),
            slope=(0.1, -0.05),
        )  # fmt: skip
        found.append(toys.derived(data, toys.toy(4000, 500 + number, REPLICAS), chosen))
    return found


def test_injected_scale_smearing_and_offset_are_recovered(twenty):
    names = ("offset_x", "offset_y", "scale", "smearing", "slope_x", "slope_y")
    pulls = {name: [] for name in names}
    for found in twenty:
        x, y = (offset.line for offset in found.xy["data"])
        at = np.array([20.0])
        pulls["offset_x"].append((x(at)[0] - 3.0) / x.error(at)[0])
        pulls["offset_y"].append((y(at)[0] + 1.0) / y.error(at)[0])
        pulls["slope_x"].append((x.slope()[0] - 0.1) / x.slope()[1])
        pulls["slope_y"].append((y.slope()[0] + 0.05) / y.slope()[1])
        plateau = found.response["data"].plateau
        error = 0.5 * (plateau["stat_up"] - plateau["stat_down"])
        pulls["scale"].append((plateau["nominal"] - 0.92) / error)
        # width of the mapped u_perp between -20 and 20 GeV of simulation, at all nodes together
        knots = found.maps["u_perp"].nominal.knots
        nominal = np.concatenate(found.maps["u_perp"].nominal.shifts)[None]
        rows = np.concatenate([nominal, np.concatenate(found.maps["u_perp"].replicas, axis=1)])
        ends = [np.array([[np.interp(u, knots, s) for s in row] for row in rows]).mean(axis=1)
                for u in (-20.0, 20.0)]  # fmt: skip
        width = 1.0 + (ends[1] - ends[0]) / 40.0
        pulls["smearing"].append((width[0] - 1.2) / width[1:].std())
    within = {name: np.mean(np.abs(numbers) < 2.0) for name, numbers in pulls.items()}
    assert np.mean(list(within.values())) >= 0.9, pulls
    assert min(within[name] for name in names[:4]) >= 0.9, pulls
    # the slopes of these very toys scatter more than those of three hundred, which fit
    assert min(within.values()) >= 0.75, pulls


def test_the_68_percent_band_of_delivered_maps_covers_as_often(twenty):
    u, inside = np.array([-20.0, -8.0, 0.0, 8.0, 20.0]), []
    for found in twenty:
        for component, scale in (("u_perp", 0.0), ("u_par", -0.08)):
            maps = found.maps[component].by_systematic
            low, nominal, high = (maps[name] for name in ("stat_down", "nominal", "stat_up"))
            for category, nodes in enumerate(nominal.nodes):
                # where a response of 0.92 spreads little over a bin of q_t
                for q_t in nodes[nodes > 12.0]:
                    points = u, np.full(u.size, q_t), np.full(u.size, nominal.jet_edges[category])
                    truth = 1.2 * u + scale * q_t
                    ends = np.sort([low(*points), high(*points)], axis=0)
                    # an odd map has no error at 0
                    at = u != 0.0 if component == "u_perp" else u == u
                    inside.extend(between(ends[0], truth, ends[1])[at])
    assert len(inside) > 1000
    assert 0.63 <= np.mean(inside) <= 0.73


def test_the_68_percent_band_of_the_response_covers_as_often():
    chosen, inside = toys.settings(min_events=400, replicas=REPLICAS), []
    for number in range(60):
        events = toys.events(toys.columns(4000, 700 + number))
        q_t = np.hypot(*events.boson)
        events.met["pf"] -= 0.5 * np.exp(-q_t / 30.0) * events.boson
        u_par, _, q_t = events.recoil(events.met["pf"])
        curves = derive_response(sample(events, None, REPLICAS), u_par, q_t, chosen).curves
        at = curves["nominal"].nodes
        truth = 1.0 - 0.5 * np.exp(-at / 30.0)
        inside.extend(between(curves["stat_down"](at), truth, curves["stat_up"](at)))
    assert 0.63 <= np.mean(inside) <= 0.73


def test_slopes_and_modulations_on_the_other_half_are_as_large_as_chance_makes_them():
    pulls, p_values, inside = [], [], []
    at = np.array([14.0, 20.0, 26.0])
    for number in range(200):
        rng = np.random.default_rng(number)
        halves = []
        for _ in range(2):
            n_pv = rng.poisson(20.0, 1250).astype(np.float64)
            met = rng.normal(0.0, 28.0, (2, 1250)) + np.outer([0.3, 0.0], n_pv)
            halves.append((met, n_pv, np.ones(1250)))
        met, n_pv, weight = halves[0]
        lines = tuple(fit(profile(n_pv, met[axis], weight, 100.0), 1) for axis in (0, 1))
        for line, truth in zip(lines, (0.3 * at, 0.0), strict=True):
            error = line.error(at)
            inside.append(between(line(at) - error, truth, line(at) + error))
        value, error = slope(*halves[1], Offsets(lines), 0, 100.0)
        pulls.append(value / error)
        p_values.append(phi_p_value(*halves[1], Offsets(lines)))
    assert 0.63 <= np.mean(inside) <= 0.73
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
        inside.append(between(low, truth, high))
    assert 0.63 <= np.mean(inside) <= 0.73
