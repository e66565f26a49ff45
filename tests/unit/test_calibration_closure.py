"""Closure: distances, probabilities, verdicts; a good correction passes and a wrong one fails."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

import calibration_toys as toys
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import records
from ptmiss.core.stats.distance import compare, energy, pair
from ptmiss.core.stats.lines import Line
from ptmiss.tasks.met.calibration import document, store
from ptmiss.tasks.met.calibration.apply import read
from ptmiss.tasks.met.calibration.bins import make_bins
from ptmiss.tasks.met.calibration.bosons import DERIVE
from ptmiss.tasks.met.calibration.derive import derive
from ptmiss.tasks.met.calibration.inputs import Inputs, Side
from ptmiss.tasks.met.calibration.reading import splits_of
from ptmiss.tasks.met.calibration.replicas import sample
from ptmiss.tasks.met.calibration.verdict import problems
from ptmiss.tasks.met.closure import modulation
from ptmiss.tasks.met.closure.outcomes import holm
from ptmiss.tasks.met.closure.run import judge_all

OTHER = {"response": 0.97, "sigma": 30.0, "offset": (1.0, -2.0), "slope": (0.7, 0.1)}


def test_the_halves_do_not_depend_on_the_fold():
    c = toys.columns(20_000, 3)
    half, other = splits_of(event_hash(c["run"], c["lumi"], c["event"]))
    for fold in range(10):
        here = c["fold"] == fold
        assert half[here].mean() == pytest.approx(0.5, abs=0.05)
        assert other[here & (half == 0)].mean() == pytest.approx(0.5, abs=0.06)


def test_energy_distance_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    x, y, v, w = rng.normal(0, 1, 40), rng.normal(1, 2, 30), rng.random(40), rng.random(30)
    v, w = v / v.sum(), w / w.sum()
    mean = lambda a, p, b, q: float(p @ np.abs(a[:, None] - b) @ q)  # noqa: E731
    expected = 2 * mean(x, v, y, w) - mean(x, v, x, v) - mean(y, w, y, w)
    assert energy(np.concatenate([x, y]), np.concatenate([v, -w])) == pytest.approx(expected)


def test_samples_are_compared_at_equal_weight_in_each_stratum():
    zero, one = np.zeros(3, dtype=int), np.array([0, 1, 1])
    two = pair((np.arange(3.0), np.arange(3.0)), (np.ones(3), np.ones(3)), (zero, one))
    assert two.shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, -1.0, 0.0, 0.0])


def _compared(shift: float, seed: int, n: int = 600):
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 20.0, n) + shift, rng.normal(0.0, 20.0, n)
    weights = rng.random(n), rng.random(n)
    strata = rng.integers(0, 3, n), rng.integers(0, 3, n)
    return compare(pair(values, weights, strata), 200, seed)


def test_chance_is_subtracted_and_has_even_probabilities():
    found = [_compared(0.0, seed) for seed in range(30)]
    distances = np.array([one.distance for one in found])
    assert abs(distances.mean()) < 3.0 * distances.std() / np.sqrt(30.0)
    assert 0.3 < np.mean([one.p_value for one in found]) < 0.7
    assert _compared(8.0, 1).p_value < 0.02
    assert _compared(8.0, 1).distance > 5.0 * _compared(8.0, 1).chance


def test_p_values_of_a_family_are_raised():
    assert holm([0.01, 0.5, 0.02]) == pytest.approx([0.03, 0.5, 0.04])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])


def _line(value: float, slope: float = 0.0) -> Line:
    return Line(np.array([value, slope]), np.diag([1e-4, 1e-8]), 0.0, 60.0, 0.0, 5)


def test_an_offset_is_seen_in_phi_and_its_correction_is_not():
    one = toys.events(toys.columns(4000, 7, offset=(3.0, 0.0), slope=(0.1, 0.0)))
    args = (one.met["pf"], one.n_pv, one.weight)
    assert modulation.phi_p_value(*args, modulation.Offsets(None)) < 1e-4
    good = modulation.Offsets((_line(3.0, 0.1), _line(0.0)))
    assert modulation.phi_p_value(*args, good) > 0.01
    value, error = modulation.slope(*args, modulation.Offsets(None), 0, 100)
    assert abs(value - 0.1) < 3.0 * error
    assert value > 0.0
    value, error = modulation.slope(*args, good, 0, 100)
    assert abs(value) < 3.0 * error


def test_the_error_of_the_lines_is_part_of_what_is_tested():
    one = toys.events(toys.columns(1000, 7))
    args = (one.met["pf"], one.n_pv, one.weight)
    vague = dataclasses.replace(_line(2.0), covariance=np.diag([4.0, 1e-9]))
    exact = modulation.Offsets((_line(2.0), _line(0.0)))
    wide = modulation.Offsets((vague, _line(0.0)))
    assert modulation.phi_p_value(*args, wide) > modulation.phi_p_value(*args, exact)


def _inputs(seed: int, n: int = 6000, **other: object) -> Inputs:
    z = Side("data", "z", toys.events(toys.columns(n, seed, **other), 1),
             toys.events(toys.columns(n, seed + 1), 2), None)  # fmt: skip
    w = Side("w_data", "w", toys.events(toys.columns(n, seed + 2, w=True, **other), 3),
             toys.events(toys.columns(n, seed + 3, w=True), 4), None)  # fmt: skip
    return Inputs("toy", True, ("pf",), z, (w,))


def _derived(half: Side, chosen):
    samples = {
        name: sample(getattr(half, name), None, chosen.replicas) for name in ("data", "simulation")
    }
    bins = make_bins(samples, chosen)
    return derive("pf", samples, bins, chosen), bins


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Verdicts on corrections derived from the same kind of data, and from another kind."""
    folder = tmp_path_factory.mktemp("closure")
    chosen = toys.settings(
        closure={"permutations": 700, "qt_ranges": [[0, 50]]}, replicas=40, min_events=300
    )
    inputs = _inputs(21, **OTHER)
    found = {}
    for name, source in (("good", inputs), ("wrong", _inputs(31))):
        half = source.dilepton.half(DERIVE)
        made, bins = _derived(half, chosen)
        document.write(folder / f"{name}.json.gz", document.document([made], "toy"))
        store.write(folder / f"{name}.npz", {"pf": made.stored()}, bins)
        stored, bins = store.read(folder / f"{name}.npz")
        found[name] = judge_all(inputs, read(folder / f"{name}.json.gz"), stored, bins, chosen)
    return found


def plain(verdict):
    return records.to_values(verdict)


def test_of_many_events_the_same_share_of_each_sample_is_judged():
    side = _inputs(41).dilepton
    side = dataclasses.replace(side, background=side.simulation.take(np.arange(1200)))
    assert side.thinned(side.data.size) is side
    some = side.thinned(side.data.size // 3)
    for part, whole in ((some.data, side.data), (some.background, side.background)):
        assert part.size == pytest.approx(whole.size / 3, abs=4.0 * (whole.size * 2 / 9) ** 0.5)
    # a third of either half: what thins is not what halves
    assert np.mean(some.data.half) == pytest.approx(0.5, abs=0.05)
    alone = dataclasses.replace(side, simulation=some.simulation, background=None)
    np.testing.assert_array_equal(alone.thinned(side.data.size // 3).data.weight, some.data.weight)


def test_corrections_of_the_same_data_pass(judged):
    found = plain(judged["good"])
    failed = [
        (one["name"], one["region"], one["value"]) for one in found["tests"] if not one["passed"]
    ]
    assert failed == []
    assert found["passed"]
    decided = {(one["name"], one["sample"], one["region"]) for one in found["tests"]}
    assert ("distance_left", "z", "all") in decided
    assert ("distance_left", "w", "all") in decided
    assert ("distance_p", "z", "qt_0_50") in decided
    before = [one["before"] for one in found["tests"] if one["name"] == "phi_flat"]
    assert min(before) < 0.01


def test_corrections_of_other_data_fail(judged):
    found = plain(judged["wrong"])
    assert not found["passed"]
    failed = {one["name"] for one in found["tests"] if not one["passed"]}
    assert {"phi_flat", "distance_p", "distance_left"} <= failed
    assert any(name.startswith("slope") for name in failed)


def test_a_failure_names_test_value_and_limit(judged):
    lines = problems(judged["wrong"])
    assert re.match(r"closure, training toy, estimator pf, .* allowed at", lines[0])
    assert len(lines) == sum(not one.passed for one in judged["wrong"].tests)
    assert problems(judged["good"]) == []


def test_too_few_events_decide_nothing_on_the_reduction(tmp_path):
    chosen = toys.settings(replicas=20)
    inputs = _inputs(41, n=900, response=0.99)
    half = inputs.dilepton.half(DERIVE)
    made, bins = _derived(half, chosen)
    document.write(tmp_path / "c.json.gz", document.document([made], "toy"))
    store.write(tmp_path / "f.npz", {"pf": made.stored()}, bins)
    stored, bins = store.read(tmp_path / "f.npz")
    found = plain(judge_all(inputs, read(tmp_path / "c.json.gz"), stored, bins, chosen))
    assert {one["name"] for one in found["undecided"]} == {"distance_left"}
    assert "distance_left" not in {one["name"] for one in found["tests"]}


def test_events_that_all_lie_in_one_direction_are_surely_not_flat():
    """What an absurd offset makes of them: the covariance has no inverse then."""
    met = np.stack([np.full(50, 1e11), np.zeros(50)])
    ones = np.ones(50)
    assert modulation.phi_p_value(met, ones, ones, modulation.Offsets(None)) == 0.0
