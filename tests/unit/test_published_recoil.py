"""Recoil_correction_*: read as analyses read them, they give our own numbers."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import correctionlib
import numpy as np
import pytest
from correctionlib.cli import main as correction

import calibration_toys as toys
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.apply import Applied, Recoil, read
from ptmiss.tasks.met.calibration.bosons import join
from ptmiss.tasks.met.calibration.inputs import Side
from ptmiss.tasks.met.calibration.published_moments import Measured, derive_recoil, published_bins
from ptmiss.tasks.met.calibration.published_recoil import recoil_document

POINTS = 100_000
OTHER = {"response": 0.9, "sigma": 26.0}
ABOUT = SimpleNamespace(
    training="toy", simulated=True, prefix="",
    dilepton=SimpleNamespace(data_name="pseudodata", name="zmumu"),
)  # fmt: skip


def chosen(**changes: object):
    return toys.settings(published={**toys.section()["published"], "era": "2022EE", **changes})


@pytest.fixture(scope="module")
def made():
    data, simulation = toys.toy(8000, 1, **OTHER), toys.toy(8000, 2)
    return toys.derived(data, simulation, chosen()), {"data": data, "simulation": simulation}


@pytest.fixture(scope="module")
def own(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "corrections.json.gz"
    document.write(path, document.document([made[0]], "toy"))
    return Applied(read(path), "pf")


@pytest.fixture(scope="module")
def found(made, own):
    judged = Side("data", "z", toys.toy(8000, 3, **OTHER).events, toys.toy(8000, 4).events, None)
    settings = chosen()
    return derive_recoil(made[0], own, made[1], judged, published_bins(made[1], settings), settings)


@pytest.fixture(scope="module")
def path(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("recoil") / "pf.json.gz"
    document.write(path, recoil_document(found, ABOUT, chosen().published))
    return path


@pytest.fixture(scope="module", params=[False, True], ids=["z", "w"])
def events(request):
    """Events of a boson whose neutrino is unseen or that has none."""
    events = toys.events(toys.columns(POINTS, 7), 7)
    return toys.with_neutrino(events) if request.param else events


class Analysis:
    """What columnflow, CROWN and others do with these files, for plain arrays of px and py."""

    def __init__(self, path, *first: str) -> None:
        self.corrections = correctionlib.CorrectionSet.from_file(str(path))
        self.first = first

    def nominal(self, name, met, visible, full, njet):
        pt = np.hypot(*full)
        phi = np.arctan2(full[1], full[0])
        u = met + visible - full
        size, dphi = np.hypot(*u), np.arctan2(u[1], u[0]) - phi
        njet = njet.astype(np.float32)
        para, perp = (
            self.corrections[name].evaluate(*self.first, njet, pt, var, val)
            for var, val in (("Upara", size * np.cos(dphi)), ("Uperp", size * np.sin(dphi)))
        )
        return self.turned(para, perp, phi) - visible + full

    def varied(self, met, visible, full, njet, syst):
        """met: corrected with QuantileMapHist."""
        pt = np.hypot(*full)
        phi = np.arctan2(full[1], full[0])
        h = -met - visible
        size, dphi = np.hypot(*h), np.arctan2(h[1], h[0]) - phi
        para, perp = (
            self.corrections["Recoil_correction_Uncertainty"].evaluate(
                *self.first, njet.astype(np.float32), pt, var, val, syst
            )
            for var, val in (("Hpara", size * np.cos(dphi)), ("Hperp", size * np.sin(dphi)))
        )
        return -self.turned(para, perp, phi) - visible

    @staticmethod
    def turned(para, perp, phi):
        return np.stack([
            para * np.cos(phi) - perp * np.sin(phi), para * np.sin(phi) + perp * np.cos(phi)
        ])  # fmt: skip


@pytest.fixture(scope="module")
def analysis(path):
    return Analysis(path, "LO")


def parts(events, own):
    """pTmiss after the xy correction, visible and full boson."""
    return own.met(events, "simulation"), events.boson - events.unseen, events.boson


def test_u_is_our_recoil_without_a_change_of_sign(events, own):
    met, visible, full = parts(events, own)
    u = met + visible - full
    dphi = np.arctan2(u[1], u[0]) - np.arctan2(full[1], full[0])
    ours = own.recoil(events, "simulation")
    np.testing.assert_allclose(np.hypot(*u) * np.cos(dphi), ours.u_par, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(np.hypot(*u) * np.sin(dphi), ours.u_perp, rtol=0.0, atol=1e-9)
    h = -met - visible
    dphi = np.arctan2(h[1], h[0]) - np.arctan2(full[1], full[0])
    np.testing.assert_allclose(
        np.hypot(*h) * np.cos(dphi), -(ours.u_par + ours.q_t), rtol=0.0, atol=1e-9
    )
    np.testing.assert_allclose(np.hypot(*h) * np.sin(dphi), -ours.u_perp, rtol=0.0, atol=1e-9)


def test_the_quantile_map_is_the_map_of_the_project(events, own, analysis):
    mapped = own.mapped(events, own.recoil(events, "simulation"))
    expected = events.met_of(mapped.u_par + mapped.q_t, mapped.u_perp)
    met, visible, full = parts(events, own)
    theirs = analysis.nominal(
        "Recoil_correction_QuantileMapHist", met, visible, full, events.n_jets
    )
    np.testing.assert_allclose(theirs, expected, rtol=0.0, atol=1e-6)
    assert np.abs(expected - met).max() > 1.0


def test_rescaling_is_mean_and_rms_by_bin(events, own, found, analysis):
    ours = own.recoil(events, "simulation")
    number = found.bins.number(ours.q_t, events.n_jets)
    moved = []
    for component in ("u_par", "u_perp"):
        mean_data, mean_simulation, ratio = found.rescaling[component][number].T
        moved.append(mean_data + (ours.component(component) - mean_simulation) * ratio)
    expected = events.met_of(moved[0] + ours.q_t, moved[1])
    met, visible, full = parts(events, own)
    theirs = analysis.nominal("Recoil_correction_Rescaling", met, visible, full, events.n_jets)
    np.testing.assert_allclose(theirs, expected, rtol=0.0, atol=1e-6)


def test_uncertainties_equal_their_formulas(events, own, found, analysis):
    mapped = own.mapped(events, own.recoil(events, "simulation"))
    before = events.met_of(mapped.u_par + mapped.q_t, mapped.u_perp)
    number = found.bins.number(mapped.q_t, events.n_jets)
    category = np.searchsorted(found.bins.jet_edges, events.n_jets, side="right") - 1
    mean = found.response[number] * mapped.q_t
    u_par = mapped.u_par + mapped.q_t
    response, width = found.response_error[category], found.width_error[category]
    for sign, direction in ((1.0, "Up"), (-1.0, "Down")):
        expected = {
            "Resp": events.met_of(u_par + sign * response * mean, mapped.u_perp),
            "Resol": events.met_of(
                mean + (1.0 + sign * width) * (u_par - mean), (1.0 + sign * width) * mapped.u_perp
            ),
        }
        for name, met in expected.items():
            theirs = analysis.varied(
                before, events.boson - events.unseen, events.boson, events.n_jets, name + direction
            )
            np.testing.assert_allclose(theirs, met, rtol=0.0, atol=1e-6)
            assert np.abs(met - before).max() > 0.1


def test_means_and_widths_are_those_that_the_toys_have(found):
    for component, rows in found.rescaling.items():
        assert rows[:, 2] == pytest.approx(np.full(len(rows), 1.3), abs=0.15), component
    assert (found.rescaling["u_perp"][:, :2] == 0.0).all()
    low, high = (found.rescaling["u_par"][i, 0] for i in (0, 4))
    assert low == pytest.approx(-0.5, abs=2.0)  # a tenth of q_t is missing
    assert high == pytest.approx(-0.1 * 85.0, abs=3.0)
    # corrected simulation has the response of data; what is left is statistics
    assert found.response[[4, 9, 14]] == pytest.approx([0.9] * 3, abs=0.03)
    assert ((found.response_error > 0.001) & (found.response_error < 0.06)).all()
    assert ((found.width_error > 0.001) & (found.width_error < 0.06)).all()


def measured(weight: list[float], u_par: list[float], u_perp: list[float]) -> Measured:
    """Events of q_t 10 GeV in the only bin; u_par: less q_t."""
    recoil = Recoil(np.array(u_par), np.array(u_perp), np.full(len(weight), 10.0))
    return Measured(recoil, np.array(weight), np.zeros(len(weight), int), np.zeros(1, int))


def test_small_exact_numbers():
    one = measured([1.0, 1.0], [-1.0, 3.0], [6.0, -6.0])
    assert [float(a[0]) for a in one.moments("u_par", 150.0)] == pytest.approx([1.0, 2.0])
    assert [float(a[0]) for a in one.moments("u_perp", 150.0)] == pytest.approx([0.0, 6.0])
    # <u_par>/<q_t> = (9 + 13) / 20, from there -2 and 2, across 6 and -6
    assert [float(a[0]) for a in one.shape(150.0)] == pytest.approx([1.1, 1.1, 20.0**0.5])
    # what is beyond the range does not widen, and a subtracted event takes its twin away
    far = measured([1.0, 1.0, 1.0, -1.0], [-1.0, 3.0, 0.0, 0.0], [6.0, -6.0, 40.0, 40.0])
    assert far.moments("u_perp", 150.0)[1][0] == pytest.approx(6.0)
    alone = measured([1.0, 1.0, 1.0], [-1.0, 3.0, 0.0], [6.0, -6.0, 40.0])
    assert alone.moments("u_perp", 20.0)[1][0] == pytest.approx(6.0)
    nothing = measured([1.0, -1.0], [-1.0, 3.0], [6.0, -6.0])
    assert np.isnan(nothing.moments("u_par", 150.0)[1][0])


def test_what_does_not_close_is_an_uncertainty(made, own, found):
    judged = Side(
        "data", "z", toys.toy(8000, 3, response=0.8, sigma=32.0).events,
        toys.toy(8000, 4).events, None,
    )  # fmt: skip
    settings = chosen()
    worse = derive_recoil(made[0], own, made[1], judged, found.bins, settings)
    assert worse.response_error == pytest.approx([0.1 / 0.9] * 3, abs=0.04)
    assert worse.width_error == pytest.approx([32.0 / 26.0 - 1.0] * 3, abs=0.06)


def test_bins_are_those_of_the_settings(made, found):
    assert list(found.bins.jet_edges) == [0.0, 1.0, 2.0, 256.0]
    for ranges in found.bins.ranges:
        assert [low for low, _ in ranges] == [0.0, 10.0, 20.0, 30.0, 50.0]
    few = published_bins(made[1], chosen(njet=[0, 10], ptll=[0.0, 300.0]))
    assert few.ranges == (((0.0, 1e5),),)  # joined where there is nearly nothing


def test_negative_weights_are_events_like_others(made, own):
    data, simulation = made[1]["data"], made[1]["simulation"]
    background = toys.events(toys.columns(2000, 9, sigma=60.0), 9)
    with_it = toys.sample(join([data.events, background.scaled(0.5)]), background.scaled(0.5), 40)
    settings = chosen()
    samples = {"data": with_it, "simulation": simulation}
    judged = Side("data", "z", data.events, simulation.events, background.scaled(0.01))
    bins = published_bins(samples, settings)
    again = derive_recoil(made[0], own, samples, judged, bins, settings)
    plain = derive_recoil(made[0], own, made[1], judged, bins, settings)
    for component, rows in again.rescaling.items():
        # the very events that were added are subtracted
        np.testing.assert_allclose(rows, plain.rescaling[component], atol=1e-9)


@pytest.mark.parametrize("era", [False, True])
def test_inputs_have_the_published_names_and_order(found, tmp_path, era):
    path = tmp_path / "pf.json.gz"
    document.write(path, recoil_document(found, ABOUT, chosen(era_input=era).published))
    corrections = correctionlib.CorrectionSet.from_file(str(path))
    head = ["era"] if era else []
    for name in ("Rescaling", "QuantileMapHist"):
        inputs = [one.name for one in corrections[f"Recoil_correction_{name}"].inputs]
        assert inputs == [*head, "order", "njet", "ptll", "var", "val"]
    inputs = [one.name for one in corrections["Recoil_correction_Uncertainty"].inputs]
    assert inputs == [*head, "order", "njet", "ptll", "var", "val", "syst"]
    assert set(corrections) == {
        f"Recoil_correction_{name}" for name in ("Rescaling", "QuantileMapHist", "Uncertainty")
    }
    first = ("2022EE", "LO") if era else ("LO",)
    for name in ("Rescaling", "QuantileMapHist"):
        one = corrections[f"Recoil_correction_{name}"]
        assert np.isfinite(one.evaluate(*first, 2.0, 35.0, "Upara", -12.0))
    with gzip.open(path, "rt") as file:
        assert "pseudo-data" in json.load(file)["description"]


def test_the_validator_of_correctionlib_accepts_it(path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["correction", "validate", str(path)])
    assert correction() == 0


def test_beyond_the_bins_counts_the_last_one(path):
    one = correctionlib.CorrectionSet.from_file(str(path))["Recoil_correction_Rescaling"]
    last = one.evaluate("LO", 2.0, 900.0, "Upara", -12.0)
    assert one.evaluate("LO", 300.0, 1e6, "Upara", -12.0) == last
