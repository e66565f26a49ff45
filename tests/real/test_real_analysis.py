"""The analyst's library in a processor of coffea, on a real file."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest

import calibration_toys as toys
from models import pf_model
from ptmiss.analysis.corrections import load
from ptmiss.analysis.network import Network
from ptmiss.core.ragged import from_arrow
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import COLUMNS
from skims import skim

with warnings.catch_warnings():  # of its own dependencies
    warnings.simplefilter("ignore")
    from coffea import processor
    from coffea.nanoevents import NanoEventsFactory, PFNanoAODSchema

pytestmark = pytest.mark.real


class Calibrate(processor.ProcessorABC):
    """What an analysis does: a network on candidates, and corrections of a stored MET."""

    def __init__(self, network, corrections) -> None:
        self.network = Network(network)
        self.met = load(corrections, "pf")

    def process(self, events):
        met = events.PuppiMET
        return {
            "network": self.network.met(events.PFCands),
            **{
                name: self.met.correct(met.pt, met.phi, events.PV.npvs, variation=name)
                for name in self.met.variations
            },
        }

    def postprocess(self, accumulator):
        return accumulator


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    onnx.save(pf_model(), path)
    return path


@pytest.fixture(scope="module")
def corrections(tmp_path_factory):
    data = toys.toy(2000, 1, 20, offset=(4.0, 0.0))
    made = toys.derived(data, toys.toy(2000, 2, 20, offset=(1.0, 2.0)), toys.settings(replicas=20))
    path = tmp_path_factory.mktemp("corrections") / "corrections.json.gz"
    document.write(path, document.document([made], "toy"))
    return path


@pytest.fixture(scope="module")
def events(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return NanoEventsFactory.from_root(
            {str(samples / "pfnano.root"): "Events"}, schemaclass=PFNanoAODSchema, mode="eager"
        ).events()


def test_a_processor_calibrates_a_real_file(events, network, corrections):
    found = Calibrate(network, corrections).process(events)
    assert set(found) == {"network", *load(corrections, "pf").variations}
    stored = np.asarray(events.RawMET.pt)
    assert np.abs(found["network"].pt - stored).max() < 1.0  # the sum of all candidates
    x = found["nominal"].pt * np.cos(found["nominal"].phi)
    before = np.asarray(events.PuppiMET.pt) * np.cos(np.asarray(events.PuppiMET.phi))
    assert x == pytest.approx(before - 1.0, abs=1.0)
    assert np.abs(found["stat_up"].pt - found["nominal"].pt).max() > 0.0


def test_a_network_sees_what_it_sees_in_the_workflow(
    events, network, samples, tmp_path, monkeypatch
):
    seen = []
    estimate = NetworkEstimator.estimate

    def watched(self, candidates):
        seen.append((candidates, self.puppi))
        return estimate(self, candidates)

    monkeypatch.setattr(NetworkEstimator, "estimate", watched)
    Network(network).met(events.PFCands)
    table, ledger = skim(samples / "pfnano.root", tmp_path, {"puppi_flavour": "standard"})
    ((candidates, puppi),) = seen
    assert puppi == "cand_puppi"  # of the flavour that CMSSW's networks want
    expected = from_arrow(table, list(COLUMNS))
    np.testing.assert_array_equal(candidates.offsets, expected.offsets)
    for name in COLUMNS:
        np.testing.assert_array_equal(candidates[name], expected[name], err_msg=name)
    assert ledger.derived["fromPV from dz and PUPPI weight"] == 8053
