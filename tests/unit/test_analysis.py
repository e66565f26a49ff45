"""The analyst's library: corrections and networks on arrays give the numbers of the workflow."""

from __future__ import annotations

import tomllib
from pathlib import Path

import awkward as ak
import numpy as np
import onnx
import pytest
import yaml
from packaging.requirements import Requirement

import calibration_toys as toys
from alone import modules, run_alone
from models import pf_model
from ptmiss.analysis.corrections import Boson, load
from ptmiss.analysis.network import LIMITS, Network
from ptmiss.core.errors import UserError
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.apply import Applied, Recoil, read
from ptmiss.tasks.met.calibration.names import SYSTEMATICS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    data = toys.toy(3000, 1, 20, response=0.93, sigma=26.0, slope=(0.1, 0.0))
    made = toys.derived(data, toys.toy(3000, 2, 20), toys.settings(replicas=20))
    path = tmp_path_factory.mktemp("corrections") / "corrections.json.gz"
    document.write(path, document.document([made], "toy"))
    return path


def polar(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.hypot(*vector), np.arctan2(vector[1], vector[0])


def vector(pt: np.ndarray, phi: np.ndarray) -> np.ndarray:
    return np.stack([pt * np.cos(phi), pt * np.sin(phi)])


@pytest.mark.parametrize("w", [False, True])
@pytest.mark.parametrize("variation", SYSTEMATICS)
def test_simulation_is_corrected_as_the_package_does(path, w, variation):
    events = toys.events(toys.columns(5000, 7), 7)
    events = toys.with_neutrino(events) if w else events
    tool = Applied(read(path), "pf")
    met = tool.met(events, "simulation", variation)
    u_par, u_perp, q_t = events.recoil(met)
    moved = tool.mapped(events, Recoil(u_par - q_t, u_perp, q_t), variation)
    expected = events.met_of(moved.u_par + q_t, moved.u_perp)

    ours = load(path, "pf")
    full, visible = polar(events.boson), polar(events.boson - events.unseen)
    boson = Boson(*full, events.n_jets, *(visible if w else ()))
    found = ours.correct(*polar(events.met["pf"]), events.n_pv, boson, variation)
    np.testing.assert_allclose(vector(*found), expected, rtol=0.0, atol=1e-6)
    found = ours.correct(*polar(events.met["pf"]), events.n_pv, variation=variation)
    np.testing.assert_allclose(vector(*found), met, rtol=0.0, atol=1e-9)


def test_data_have_their_own_offset(path):
    events = toys.events(toys.columns(2000, 8, slope=(0.1, 0.0)), 8)
    expected = Applied(read(path), "pf").met(events, "data")
    found = load(path, "pf", "data").correct(*polar(events.met["pf"]), events.n_pv)
    np.testing.assert_allclose(vector(*found), expected, rtol=0.0, atol=1e-9)


def test_arrays_of_all_kinds_are_taken(path):
    met = load(path, "pf")
    pt, phi, n_pv = [20.0, 30.0], [0.1, -2.0], [18, 31]
    plain = met.correct(pt, phi, n_pv)
    for other in (
        met.correct(ak.Array(pt), ak.Array(phi), ak.Array(n_pv)),
        met.correct(np.array(pt, np.float32), np.array(phi), np.array(n_pv, np.uint8)),
    ):
        np.testing.assert_allclose(other.pt, plain.pt, rtol=1e-6)
        np.testing.assert_allclose(other.phi, plain.phi, rtol=1e-6)
    one = met.correct(20.0, 0.1, 18, Boson(40.0, 1.0, 2))
    assert one.pt.shape == (1,)
    several = met.correct(20.0, 0.1, [18, 18], Boson([40.0, 40.0], 1.0, 2))
    np.testing.assert_array_equal(several.pt, [one.pt[0]] * 2)
    none = met.correct([], [], [], Boson([], [], []))
    assert none.pt.shape == none.phi.shape == (0,)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"variation": "stat"}, "variation is 'stat', allowed: .*; did you mean stat_up?"),
        ({"n_pv": [1, 2, 3]}, "different lengths: pt 2, phi 2, n_pv 3"),
        ({"n_pv": ak.Array([1, None])}, "n_pv: Array is no array of one number an event"),
        ({"pt": ak.Array([[1.0], []])}, "pt: Array is no array of one number an event"),
        ({"pt": [[1.0], [2.0]]}, "pt: has 2 dimensions"),
        ({"boson": Boson([1.0], [1.0], [0], [1.0])}, "given together or not at all"),
    ],
)
def test_mistakes_are_one_line(path, how, text):
    given = {"pt": [20.0, 30.0], "phi": [0.1, -2.0], "n_pv": [18, 31], **how}
    with pytest.raises(UserError, match=text) as caught:
        load(path, "pf").correct(**given)
    assert "\n" not in str(caught.value)


def test_what_is_not_in_the_file_is_one_line(path):
    with pytest.raises(UserError, match="estimator is 'puppy', allowed: pf"):
        load(path, "puppy")
    with pytest.raises(UserError, match="dataset is 'mc', allowed: data, simulation"):
        load(path, "pf", "mc")
    boson = Boson([1.0], [1.0], [0])
    with pytest.raises(UserError, match="the recoil of data is not corrected"):
        load(path, "pf", "data").correct([1.0], [1.0], [20], boson)


CANDIDATES = {
    "pt": [[30.0, 40.0], [], [25.0]],
    "eta": [[0.4, -1.1], [], [2.0]],
    "phi": [[0.0, np.pi / 2], [], [np.pi]],
    "mass": [[0.14, 0.0], [], [0.14]],
    "d0": [[0.0, 0.0], [], [0.001]],
    "dz": [[0.0, 0.0], [], [0.002]],
    "charge": [[1, 0], [], [-1]],
    "pdgId": [[211, 22], [], [-211]],
    "fromPV": [[3, 0], [], [3]],
    "puppiWeight": [[1.0, 0.5], [], [1.0]],
}


def candidates(**changes) -> ak.Array:
    fields = {**CANDIDATES, **changes}
    return ak.zip({name: ak.Array(values) for name, values in fields.items() if values is not None})


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    onnx.save(pf_model(), path)
    return path


def test_the_short_program_of_the_documentation_runs_with_the_core_alone(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = modules(Requirement(line).name for line in project["dependencies"])
    program = ROOT / "docs" / "calibrated_met.py"
    code = (
        "import ptmiss.analysis.network\n"
        "sys.argv.pop(0)\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    text = run_alone(
        code, "-", program, path, "pf", allowed={"ptmiss", *core}, path=ROOT / "scripts"
    )
    assert [line.split()[0] for line in text.splitlines()] == list(SYSTEMATICS)
    code = program.read_text(encoding="utf-8").rpartition('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 15


def test_a_network_takes_awkward_candidates(network):
    pt, phi = Network(network).met(candidates())
    assert pt == pytest.approx([50.0, 0.0, 25.0], abs=1e-3)  # minus the sum of all
    assert phi[0] == pytest.approx(np.arctan2(-40.0, -30.0), abs=1e-5)
    again, _ = Network(network).met(candidates(d0=None, dxy=CANDIDATES["d0"]))
    np.testing.assert_array_equal(again, pt)


def test_a_slice_of_events_is_read_from_its_own_beginning(network):
    some = candidates()[1:]
    np.testing.assert_allclose(Network(network).met(some).pt, [0.0, 25.0], atol=1e-3)


def test_unusable_candidates_are_removed_and_counted(network):
    found = Network(network)
    pt, _ = found.met(candidates(pt=[[30.0, np.nan], [], [25.0]], fromPV=[[3, 9], [], [9]]))
    assert pt == pytest.approx([30.0, 0.0, 25.0], abs=1e-3)
    assert found.repairs == {
        "pt, eta, phi or mass not finite or beyond 1e6": 1, "fromPV not 0..3": 1,
    }  # fmt: skip


def test_the_vertex_of_candidates_that_lack_it_is_derived_and_counted(network):
    found = Network(network)
    pt, _ = found.met(candidates(fromPV=None))
    assert pt == pytest.approx([50.0, 0.0, 25.0], abs=1e-3)
    assert found.repairs == {"fromPV from dz and PUPPI weight": 2}


def test_limits_are_those_of_the_skim():
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["skim"]
    assert tuple(LIMITS) == tuple(values[f"from_pv_{name}"] for name in LIMITS._fields)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (lambda: candidates(d0=None), "no field d0 or dxy, which the network needs"),
        (lambda: candidates(puppiWeight=None), "no field puppiWeight, which"),
        (lambda: ak.Array([1.0, 2.0]), "expected a list of records an event"),
        (lambda: candidates()[0], "expected a list of records an event"),
        (lambda: candidates(pt=[[30.0, None], [], [25.0]]), "candidates: pt: "),
    ],
)
def test_candidates_of_another_kind_are_one_line(network, given, text):
    with pytest.raises(UserError, match=text) as caught:
        Network(network).met(given())
    assert "\n" not in str(caught.value)
