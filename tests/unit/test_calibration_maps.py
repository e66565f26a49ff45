"""The quantile map: identity, truth, edges; the document gives the same numbers."""

from __future__ import annotations

import gzip
import json

import correctionlib.schemav2 as schema
import numpy as np
import pytest
from correctionlib.cli import main as correction

import calibration_toys as toys
from ptmiss.core.errors import UserError
from ptmiss.core.stats.quantile_map import FAR, QuantileMap, monotone
from ptmiss.tasks.met.calibration import document, store
from ptmiss.tasks.met.calibration.apply import Applied, read
from ptmiss.tasks.met.calibration.bins import make_bins
from ptmiss.tasks.met.calibration.names import DATASETS, SYSTEMATICS

POINTS = 100_000
MAP = QuantileMap(
    np.array([-10.0, 0.0, 10.0]), np.array([0.0, 1.0, 256.0]), 1000.0,
    (np.array([10.0, 30.0]), np.array([20.0])),
    (np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]), np.array([[0.0, 0.0, -4.0]])),
)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    data = toys.toy(4000, 1, response=0.95, sigma=24.0, slope=(0.1, 0.0))
    return toys.derived(data, toys.toy(4000, 2), toys.settings(plateau_low=60.0, xy_order=2))


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("document") / "corrections.json.gz"
    document.write(path, document.document([made], "toy"))
    return path


@pytest.mark.parametrize(
    ("u", "q_t", "jets", "shift"),
    [
        (0.0, 10.0, 0, 2.0), (5.0, 10.0, 0, 2.5), (0.0, 20.0, 0, 3.0), (5.0, 20.0, 0, 3.5),
        (-99.0, 20.0, 0, 2.0), (99.0, 0.0, 0, 3.0), (99.0, 999.0, 0, 5.0),
        (5.0, 500.0, 3, -2.0), (5.0, 1000.0, 0, 0.0), (5.0, -1.0, 0, 0.0), (5.0, np.nan, 0, 0.0),
        (5.0, 20.0, 256, 0.0), (5.0, 20.0, -1, 0.0), (FAR, 20.0, 0, 0.0), (np.inf, 20.0, 0, 0.0),
    ],
)  # fmt: skip
def test_shifts_are_interpolated_and_defined_everywhere(u, q_t, jets, shift):
    (found,) = MAP(np.array([u]), np.array([q_t]), np.array([jets]))
    assert found == pytest.approx(u + shift) if np.isfinite(u) else found == u


def test_what_is_not_a_number_falls_back_to_itself():
    assert np.isnan(MAP(np.array([np.nan]), np.array([20.0]), np.array([0]))[0])


def test_other_nodes_hold_the_same_map():
    nodes = (np.array([10.0, 15.0, 30.0]), np.array([5.0, 20.0]), np.array([20.0, 40.0]))
    finer = MAP.at(nodes, np.array([0.0, 1.0, 2.0, 256.0]))
    rng = np.random.default_rng(2)
    u, q, j = rng.normal(0, 9, 500), rng.uniform(0, 60, 500), rng.integers(0, 5, 500)
    assert finer(u, q, j) == pytest.approx(MAP(u, q, j), abs=1e-12)


def test_a_map_always_rises():
    knots = np.array([0.0, 1.0, 2.0])
    shifts = monotone(np.array([[0.0, -5.0, 0.5]]), knots)
    assert (np.diff(knots + shifts) > 0.0).all()
    assert shifts[0, 2] == pytest.approx(0.5)


@pytest.mark.parametrize("form", ["gaussians", "kernel", "empirical"])
def test_simulation_mapped_to_itself_is_the_identity(form):
    one = toys.toy(1500, 5, replicas=20)
    other = "empirical" if form != "empirical" else "kernel"
    found = toys.derived(one, one, toys.settings(form=form, form_variation=other, replicas=20))
    rng = np.random.default_rng(1)
    u, q, j = rng.normal(0, 40, 5000), rng.gamma(1.6, 30, 5000), rng.integers(0, 4, 5000)
    for maps in found.maps.values():
        for name in SYSTEMATICS:
            assert np.abs(maps.by_systematic[name](u, q, j) - u).max() < 1e-6, name


def test_the_map_of_known_distributions(made):
    # both Gaussian: u' = -0.05 q_t + 1.2 u, and u' = 1.2 u
    q, j = np.full(3, 60.0), np.ones(3)
    u = np.array([-20.0, 0.0, 20.0])
    for component, mean in (("u_par", -3.0), ("u_perp", 0.0)):
        maps = made.maps[component].by_systematic
        error = 0.5 * np.abs(maps["stat_up"](u, q, j) - maps["stat_down"](u, q, j))
        assert (error < 7.0).all()
        assert (np.abs(maps["nominal"](u, q, j) - mean - 1.2 * u) <= 3.0 * error).all()


def test_maps_across_the_boson_do_not_tell_left_from_right(made):
    for name, one in made.maps["u_perp"].by_systematic.items():
        np.testing.assert_array_equal(one.knots, -one.knots[::-1])
        for shifts in one.shifts:
            np.testing.assert_allclose(shifts, -shifts[:, ::-1], atol=1e-9, err_msg=name)
    up, down = (made.maps["u_perp"].by_systematic[f"stat_{d}"].shifts[0] for d in ("up", "down"))
    outer = made.maps["u_perp"].nominal.knots > 1.0
    assert (up[:, outer] > down[:, outer]).all()  # up is the wider one


def _points(one: QuantileMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    u, q = rng.normal(0.0, 60.0, POINTS), rng.exponential(60.0, POINTS)
    jets = rng.integers(0, 6, POINTS)
    u[:500] = np.resize(one.knots, 500)
    q[500:1000] = np.resize(np.concatenate(one.nodes), 500)
    u[1000:1070] = np.resize([np.nan, np.inf, -np.inf, FAR, -FAR, 1e9, -1e9], 70)
    q[1070:1140] = np.resize([np.nan, np.inf, -np.inf, -1.0, 0.0, one.qt_high, 1e9], 70)
    jets[1140:1160] = np.resize([-1, 255, 256, 1000], 20)
    return u, q, jets


def test_the_document_gives_the_same_numbers_as_the_package(made, written):
    corrections = read(written)
    for component, maps in made.maps.items():
        points = _points(maps.nominal)
        for name in SYSTEMATICS:
            theirs = corrections[f"pf_{component}"].evaluate(name, *points)
            ours = maps.by_systematic[name](*points)
            np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=1e-6)
    q_t = points[1]
    n_pv = np.resize(np.concatenate([np.arange(0.0, 90.0, 0.25), [-1.0, 1e9, np.nan]]), POINTS)
    for dataset in DATASETS:
        for name in SYSTEMATICS:
            plateau = corrections["pf_plateau"].evaluate(dataset, name)
            assert plateau == pytest.approx(made.response[dataset].plateau[name], abs=1e-12)
            theirs = corrections["pf_response"].evaluate(dataset, name, q_t)
            assert np.abs(theirs - made.response[dataset].curves[name](q_t)).max() < 1e-6
            for axis, offset in zip("xy", made.xy[dataset], strict=True):
                line = offset.line
                sign = {"stat_up": 1.0, "stat_down": -1.0}.get(name, 0.0)
                theirs = corrections[f"pf_xy_{axis}"].evaluate(dataset, name, n_pv)
                ours = line(n_pv) + sign * line.error(n_pv)
                np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=1e-6)


def test_the_document_passes_the_validator_of_correctionlib(written, monkeypatch):
    monkeypatch.setattr("sys.argv", ["correction", "validate", str(written)])
    assert correction() == 0
    with gzip.open(written, "rt") as file:
        content = json.load(file)
    schema.CorrectionSet.model_validate(content)
    names = {one["name"] for one in content["corrections"]}
    ends = ("xy_x", "xy_y", "response", "plateau", "u_par", "u_perp")
    assert names == {f"pf_{end}" for end in ends}
    assert all(one["description"] for one in content["corrections"])


def nodes(tree: object):
    """Yield all nodes of a correction."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    for one in tree if isinstance(tree, list) else []:
        yield from nodes(one)


def test_every_number_is_a_real_input(written):
    # correctionlib before 2.6: "std::get: wrong index for variant" of a binning over integers
    with gzip.open(written, "rt") as file:
        corrections = json.load(file)["corrections"]
    for one in corrections:
        kinds = {item["name"]: item["type"] for item in one["inputs"]}
        kinds_of_bins = {
            kinds[node["input"]]
            for node in nodes(one["data"])
            if node.get("nodetype") in ("binning", "multibinning")
        }
        assert kinds_of_bins <= {"real"}, one["name"]
        assert set(kinds.values()) <= {"real", "string"}, one["name"]


def test_jets_may_be_an_array_of_any_numbers(written):
    correction = read(written)["pf_u_par"]
    u, q_t, jets = np.full(4, 5.0), np.full(4, 60.0), np.array([0, 1, 2, 200])
    found = correction.evaluate("nominal", u, q_t, jets.astype(np.float64))
    assert len(set(found[:2])) == 2
    for kind in (np.int64, np.int32, np.uint8, np.float32):
        np.testing.assert_array_equal(
            correction.evaluate("nominal", u, q_t, jets.astype(kind)), found
        )
    assert correction.evaluate("nominal", 5.0, 60.0, np.nan) == 5.0


def test_parabolas_are_in_the_document_too(made):
    assert {offset.line.order for offsets in made.xy.values() for offset in offsets} == {2}


def test_equal_corrections_give_equal_bytes(made, written, tmp_path):
    other = tmp_path / "another_name.json.gz"
    document.write(other, document.document([made], "toy"))
    assert other.read_bytes() == written.read_bytes()


def test_fits_are_read_back_as_they_were(made, tmp_path):
    bins = make_bins({"data": toys.toy(4000, 1), "simulation": toys.toy(4000, 2)}, toys.settings())
    store.write(tmp_path / "fits.npz", {"pf": made.stored()}, bins)
    found, same = store.read(tmp_path / "fits.npz")
    assert same.ranges == bins.ranges
    for component, maps in made.maps.items():
        points = _points(maps.nominal)
        np.testing.assert_array_equal(found["pf"].maps[component](*points), maps.nominal(*points))
    line, kept = made.xy["data"][0].line, found["pf"].xy["data"][0]
    assert (kept.low, kept.high, kept.ndf) == (line.low, line.high, line.ndf)
    np.testing.assert_array_equal(kept.covariance, line.covariance)


@pytest.mark.parametrize("name", ["fits.npz", "corrections.json.gz"])
def test_a_damaged_file_is_one_line(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"no such thing")
    with pytest.raises(UserError, match="delete it and run the stage calibrate again"):
        store.read(path) if name.endswith("npz") else read(path)


def test_the_whole_chain_moves_simulation_onto_data(made, written):
    data = toys.toy(3000, 11, response=0.95, sigma=24.0, slope=(0.1, 0.0)).events
    simulation = toys.toy(3000, 12).events
    tool = Applied(read(written), "pf")
    plain = tool.recoil(simulation, "simulation")
    mapped, wanted = tool.mapped(simulation, plain), tool.recoil(data, "data")
    for component in ("u_par", "u_perp"):
        before, after, there = (one.component(component) for one in (plain, mapped, wanted))
        assert abs(before.std() / there.std() - 1.0) > 0.1
        assert after.std() == pytest.approx(there.std(), rel=0.05)
        assert after.mean() == pytest.approx(there.mean(), abs=1.5)
    # and the recoil belongs to a pTmiss
    met = simulation.met_of(mapped.u_par + mapped.q_t, mapped.u_perp)
    u_par, u_perp, q_t = simulation.recoil(met)
    np.testing.assert_allclose(u_par - q_t, mapped.u_par, atol=1e-9)
    np.testing.assert_allclose(u_perp, mapped.u_perp, atol=1e-9)
