"""Real NanoAOD without candidates, v7 to v15, goes from file to performance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import uproot

from models import LIMITS
from performance_toys import settings
from ptmiss.events.columns import content_of
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.estimators.evaluate import evaluate
from ptmiss.tasks.met.performance.run import Outputs, performance
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from skims import skim

pytestmark = pytest.mark.real

FOLDS = FoldSettings(train=(), validation=(), test=tuple(range(10)))
CLASSICAL = EvaluateSettings.model_validate_json(
    json.dumps({"estimators": ["pf", "puppi"], "external": {}, "limits": LIMITS})
)
WIDTHS = {
    "nano_tt_v12": {
        "raw_pf": 28.1, "raw_puppi": 25.7, "deepmet_resolution": 22.4, "deepmet_response": 25.4,
    },
    "nano_tt_v15": {
        "raw_pf": 27.2, "raw_puppi": 23.1, "deepmet_resolution": 21.1, "deepmet_response": 26.0,
    },
}  # fmt: skip
"""GeV; half of the central 68 % of a component of MET - GenMET, from the branches alone."""


def estimates(samples, name, tmp_path, **sample):
    _, ledger = skim(samples / f"{name}.root", tmp_path, source="nanoaod", **sample)
    out = tmp_path / "estimates.parquet"
    evaluate(str(tmp_path / "events.parquet"), "classical", CLASSICAL, str(out))
    return pq.read_table(out), ledger


@pytest.mark.parametrize("name", WIDTHS)
def test_widths_of_stored_mets(samples, tmp_path, name):
    table, ledger = estimates(samples, name, tmp_path)
    assert table.num_rows == ledger.events_kept == 200
    names = ("t", "gains", "spectra", "roc", "s", "coverage", "h")
    outputs = Outputs(*(tmp_path / flag for flag in names))
    performance([tmp_path / "estimates.parquet"], FOLDS, settings(replicas=30), outputs)
    frame = pd.read_csv(tmp_path / "t")
    rows = frame[(frame["axis"] == "all") & (frame["quantity"] == "sigma_xy_raw")]
    measured = dict(zip(rows["estimator"], rows["value"], strict=True))
    for estimator, width in WIDTHS[name].items():
        both = np.stack([table[f"{estimator}_p{a}"].to_numpy() for a in "xy"])
        true = np.stack([table[f"gen_met_p{a}"].to_numpy() for a in "xy"])
        low, high = np.nanquantile(both - true, [0.16, 0.84])
        assert 0.5 * (high - low) == pytest.approx(width, abs=0.3)
        # of 200 events the histograms of the replicas have cells of 3 GeV
        assert measured[estimator] == pytest.approx(width, abs=0.6)


@pytest.mark.parametrize(
    ("name", "stored", "shifted"),
    [
        ("nano_dy", {"raw_pf", "pf", "puppi"}, {"pf_unclustered"}),
        ("nano_tt_v12", None, {"pf_unclustered", "puppi_jes", "puppi_jer", "puppi_unclustered"}),
        ("nano_tt_v15", None, {"pf_unclustered", "puppi_unclustered"}),
    ],
)
def test_what_each_version_stores(samples, tmp_path, name, stored, shifted):
    table, ledger = skim(samples / f"{name}.root", tmp_path, source="nanoaod")
    content = content_of(table.schema)
    if stored is not None:
        assert set(content.stored) == stored
    else:
        assert len(content.stored) == 6
    assert set(content.shifts) == {f"{one}_{way}" for one in shifted for way in ("up", "down")}
    with uproot.open(samples / f"{name}.root") as file:
        names = ["PuppiMET_pt", "PuppiMET_phi", "PV_npvs"]
        tree = file["Events"].arrays(names, library="np")
    px = tree["PuppiMET_pt"] * np.cos(tree["PuppiMET_phi"])
    np.testing.assert_allclose(table["stored_puppi_px"].to_numpy(), px, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(table["n_pv"].to_numpy(), tree["PV_npvs"])
    for met, n in ledger.not_finite.items():
        assert table[f"stored_{met}_px"].null_count == n > 0


def test_recorded_dimuons_have_bosons(samples, tmp_path):
    table, ledger = estimates(samples, "nano_dimuon", tmp_path, is_data=True, selection="zmumu")
    assert ledger.events_in == 40
    assert sum(ledger.rejected.values()) + table.num_rows == 40
    assert table["gen_met_px"].null_count == table.num_rows
