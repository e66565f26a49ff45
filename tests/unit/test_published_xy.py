"""met_xy_corrections: read as analyses read it, it gives our own numbers."""

from __future__ import annotations

import dataclasses
import gzip
import json
from types import SimpleNamespace

import correctionlib
import numpy as np
import pytest
from correctionlib.cli import main as correction

import calibration_toys as toys
from ptmiss.core.errors import UserError
from ptmiss.core.stats.lines import Line
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.apply import Applied, read
from ptmiss.tasks.met.calibration.published_lines import derive_lines
from ptmiss.tasks.met.calibration.published_xy import xy_document

POINTS = 100_000
RANGES = {"2022C": [10, 19], "2022D": [20, 29], "2022E": [40, 49]}
OTHER = {"offset": (1.5, -2.0), "slope": (0.2, -0.1)}
ABOUT = SimpleNamespace(
    training="toy", simulated=True, prefix="",
    dilepton=SimpleNamespace(data_name="pseudodata", name="zmumu"),
)  # fmt: skip


def chosen(**changes: object):
    published = {**toys.section()["published"], "era": "2022EE", "run_ranges": RANGES, **changes}
    return toys.settings(published=published)


def with_runs(n: int, seed: int, **how: object):
    """Events of five groups of ten runs; those from run 40 have another offset."""
    columns = toys.columns(n, seed, **how)
    columns["run"] = (10 + np.arange(n) % 50).astype(np.uint32)
    late = columns["run"] >= 40
    columns["pf_px"] = columns["pf_px"] + np.where(late, 5.0, 0.0)
    return toys.sample(toys.events(columns, seed), None, 40)


@pytest.fixture(scope="module")
def sides():
    return {"data": with_runs(6000, 1, **OTHER), "simulation": toys.toy(6000, 2, slope=(0.1, 0.0))}


@pytest.fixture(scope="module")
def made(sides):
    return toys.derived(sides["data"], sides["simulation"], chosen())


@pytest.fixture(scope="module")
def lines(made, sides):
    return derive_lines(made, sides, chosen())


@pytest.fixture(scope="module")
def path(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("xy") / "met_xy_corrections.json.gz"
    document.write(path, xy_document([lines], ABOUT, chosen().published))
    return path


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(4)
    n_pv = rng.poisson(25.0, POINTS)
    n_pv[:3] = 0, 250, 1
    return SimpleNamespace(
        pt=rng.exponential(40.0, POINTS).astype(np.float32),
        phi=rng.uniform(-np.pi, np.pi, POINTS).astype(np.float32),
        n_pv=n_pv,
        run=rng.integers(5, 65, POINTS),
    )


def vector(pt: np.ndarray, phi: np.ndarray) -> np.ndarray:
    pt, phi = (np.asarray(values, dtype=np.float64) for values in (pt, phi))
    return np.stack([pt * np.cos(phi), pt * np.sin(phi)])


def run3(path, events, variation, dtmc="DATA", met_type="MET", epoch="2022EE", key="variation"):
    """As users of jsonPOG do: pt, then phi, from the same uncorrected pair."""
    evaluator = correctionlib.CorrectionSet.from_file(str(path))["met_xy_corrections"]
    n_pv = events.n_pv.astype(np.float32)
    names = ("pt", "phi")
    if key == "pt_phi" and variation != "nom":
        names, variation = (f"pt_{variation}", f"phi_{variation}"), "nom"
    pt, phi = (
        evaluator.evaluate(
            name, met_type, epoch, dtmc, variation, events.pt, events.phi, n_pv
        )
        for name in names
    )  # fmt: skip
    return pt, phi


def run2(path, events, kind):
    evaluator = correctionlib.CorrectionSet.from_file(str(path))
    run, n_pv = events.run.astype(np.float32), events.n_pv.astype(np.float32)
    return tuple(
        evaluator[f"{name}_metphicorr_pfmet_{kind}"].evaluate(events.pt, events.phi, n_pv, run)
        for name in ("pt", "phi")
    )


def offset(lines: tuple[Line, Line], n_pv: np.ndarray, signs=(0.0, 0.0)) -> np.ndarray:
    return np.stack(
        [line(n_pv) - s * line.error(n_pv) for line, s in zip(lines, signs, strict=True)]
    )


def same(found: tuple[np.ndarray, np.ndarray], expected: np.ndarray) -> None:
    np.testing.assert_allclose(vector(*found), expected, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(found[0], np.hypot(*expected), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("dataset", ["data", "simulation"])
def test_the_published_file_equals_the_corrections_of_the_project(
    path, made, events, dataset, tmp_path
):
    document.write(tmp_path / "own.json.gz", document.document([made], "toy"))
    met = vector(events.pt, events.phi)
    ours = SimpleNamespace(met={"pf": met}, n_pv=events.n_pv.astype(np.float64))
    expected = Applied(read(tmp_path / "own.json.gz"), "pf").met(ours, dataset)
    dtmc = {"data": "DATA", "simulation": "MC"}[dataset]
    assert np.abs(expected - met).max() > 1.0
    for met_type in ("MET", "PFMET", "pf"):
        same(run3(path, events, "nom", dtmc, met_type), expected)
    if dataset == "simulation":
        same(run2(path, events, "mc"), expected)


@pytest.mark.parametrize("key", ["variation", "pt_phi"])
@pytest.mark.parametrize(
    ("variation", "signs"),
    [
        ("stat_xup", (1.0, 0.0)), ("stat_xdn", (-1.0, 0.0)),
        ("stat_yup", (0.0, 1.0)), ("stat_ydn", (0.0, -1.0)),
    ],
)  # fmt: skip
def test_statistical_variations_move_one_axis(path, lines, events, variation, signs, key):
    met = vector(events.pt, events.phi)
    for dtmc, own in (("DATA", lines.data), ("MC", lines.simulation)):
        found = run3(path, events, variation, dtmc, key=key)
        same(found, met - offset(own, events.n_pv, signs))
        moved = vector(*found) - vector(*run3(path, events, "nom", dtmc))
        (axis,) = np.flatnonzero(signs)
        assert (np.sign(moved[axis]) == signs[axis]).all()
        assert np.abs(moved[1 - axis]).max() < 1e-9


def test_pile_up_varies_simulation_alone(path, lines, events):
    met = vector(events.pt, events.phi)
    for variation in ("pu_up", "pu_dn"):
        same(
            run3(path, events, variation, "MC"), met - offset(lines.pileup[variation], events.n_pv)
        )
        with pytest.raises((IndexError, RuntimeError)):
            run3(path, events, variation, "DATA")
    change = offset(lines.pileup["pu_up"], events.n_pv) - offset(lines.simulation, events.n_pv)
    assert 1e-4 < np.abs(change).max() < 1.0


def test_each_range_of_runs_has_its_own_correction(path, lines, events):
    met = vector(events.pt, events.phi)
    for name in RANGES:
        same(run3(path, events, "nom", epoch=name), met - offset(lines.ranges[name], events.n_pv))
    late, early = (offset(lines.ranges[name], np.array([20.0]))[0] for name in ("2022E", "2022C"))
    assert late - early == pytest.approx(5.0, abs=1.0)
    expected = met - offset(lines.data, events.n_pv)  # of runs in no range, such as 30 to 39
    for name, (first, last) in RANGES.items():
        inside = (events.run >= first) & (events.run <= last)
        expected[:, inside] = (met - offset(lines.ranges[name], events.n_pv))[:, inside]
    same(run2(path, events, "data"), expected)


def test_what_is_no_number_of_vertices_changes_nothing(path, events):
    few = SimpleNamespace(
        pt=events.pt[:3], phi=events.phi[:3], n_pv=np.array([np.nan, np.inf, -np.inf])
    )
    pt, phi = run3(path, few, "nom")
    np.testing.assert_array_equal(pt, few.pt)
    np.testing.assert_array_equal(phi, few.phi)


def test_inputs_have_the_published_names_and_order(path):
    corrections = correctionlib.CorrectionSet.from_file(str(path))
    names = {name: [one.name for one in corrections[name].inputs] for name in corrections}
    kinds = {name: [one.type for one in corrections[name].inputs] for name in corrections}
    assert names["met_xy_corrections"] == [
        "pt_phi", "met_type", "epoch", "dtmc", "variation", "met_pt", "met_phi", "npvGood",
    ]  # fmt: skip
    assert kinds["met_xy_corrections"] == ["string"] * 5 + ["real"] * 3
    for kind in ("mc", "data"):
        for quantity in ("pt", "phi"):
            name = f"{quantity}_metphicorr_pfmet_{kind}"
            assert names[name] == ["met_pt", "met_phi", "npvs", "run"]
            assert kinds[name] == ["real"] * 4
    assert len(names) == 5


def test_descriptions_say_what_goes_wrong_else(path):
    content = correctionlib.CorrectionSet.from_file(str(path))
    for name in content:
        assert "from the same uncorrected pair" in content[name].description
    assert "format's word" in content["met_xy_corrections"].description
    with gzip.open(path, "rt") as file:
        assert "pseudo-data" in json.load(file)["description"]


def test_the_validator_of_correctionlib_accepts_it(path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["correction", "validate", str(path)])
    assert correction() == 0


def test_errors_of_the_fit_are_the_scatter_of_its_replicas(made, lines):
    n_pv = np.array([15.0, 20.0, 25.0])
    for dataset, own in (("data", lines.data), ("simulation", lines.simulation)):
        for offset_, line in zip(made.xy[dataset], own, strict=True):
            np.testing.assert_array_equal(line.coefficients, offset_.line.coefficients)
            assert line.error(n_pv) == pytest.approx(offset_.line.error(n_pv), rel=0.5)
            assert (line.error(n_pv) != offset_.line.error(n_pv)).all()


def test_background_counts_by_the_share_of_a_range(sides, made):
    background = toys.events(toys.columns(2000, 9, sigma=60.0), 9).scaled(0.3)
    data = toys.sample(sides["data"].events, background, 40)
    found = derive_lines(made, {**sides, "data": data}, chosen())
    pure = derive_lines(made, sides, chosen())
    # of the same mean as data but for the offsets, so that the difference is small, not nothing
    change = offset(found.ranges["2022E"], np.array([20.0])) - offset(
        pure.ranges["2022E"], np.array([20.0])
    )
    assert 0.05 < np.abs(change).max() < 5.0


def test_a_range_without_events_is_one_line(made, sides):
    settings = chosen(run_ranges={"2022C": [10, 19], "2023": [1000, 2000]})
    with pytest.raises(UserError, match=r"run_ranges: 2023, runs 1000 to 2000, has 0 effective"):
        derive_lines(made, sides, settings)


def test_two_estimators_of_one_name_are_one_line(lines):
    other = dataclasses.replace(lines, estimator="MET")
    with pytest.raises(UserError, match="pf and MET would both be MET"):
        xy_document([lines, other], ABOUT, chosen().published)


def test_what_the_input_stores_has_its_published_name(lines, events, tmp_path):
    stored = dataclasses.replace(lines, estimator="stored_pf", data=lines.ranges["2022E"])
    document.write(tmp_path / "xy.json.gz", xy_document([lines, stored], ABOUT, chosen().published))
    (own, _), (theirs, _) = (
        run3(tmp_path / "xy.json.gz", events, "nom", met_type=name) for name in ("pf", "MET")
    )
    assert np.abs(own - theirs).max() > 1.0  # a sum of candidates is no longer called MET
    names = set(correctionlib.CorrectionSet.from_file(str(tmp_path / "xy.json.gz")))
    assert {"pt_metphicorr_pfmet_mc", "pt_metphicorr_pf_mc"} < names


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"run_ranges": {"a": [20, 10]}}, "a ends with run 10, before it begins"),
        ({"run_ranges": {"a": [10, 20], "b": [20, 30]}}, "a and b both hold run 20"),
        ({"run_ranges": {"2022EE": [10, 20]}}, "which is the era of all runs"),
        ({"njet": [1, 2]}, "must begin with 0"),
        ({"ptll": [5.0, 10.0]}, "must begin at 0"),
        ({"era": "a b"}, "era"),
        ({"order": "N3LO"}, "order"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, text):
    with pytest.raises(UserError, match=text):
        chosen(**changes)
