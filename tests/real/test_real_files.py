"""Real CMS and Delphes files go through the skim and the estimators."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from models import LIMITS
from ptmiss.errors import UserError
from ptmiss.ragged import from_arrow, segment_sum
from skims import skim

pytestmark = pytest.mark.real


def missing(table) -> tuple[np.ndarray, np.ndarray]:
    """Minus the sum of all candidates, summed in float64."""
    cands = from_arrow(table, ["cand_pt", "cand_phi"])
    pt, phi = (cands[name].astype(np.float64) for name in ("cand_pt", "cand_phi"))
    return (
        -segment_sum(pt * np.cos(phi), cands.offsets),
        -segment_sum(pt * np.sin(phi), cands.offsets),
    )


def distance(table) -> np.ndarray:
    px, py = missing(table)
    stored = (table[f"stored_raw_pf_{axis}"].to_numpy() for axis in ("px", "py"))
    return np.hypot(*(own - other for own, other in zip((px, py), stored, strict=True)))


def test_cms_candidates_add_up_to_the_stored_met(samples, tmp_path):
    table, ledger = skim(samples / "pfnano.root", tmp_path)
    assert table.num_rows == 10
    assert ledger.candidates_in == ledger.candidates_kept == 18197
    assert (distance(table) < 0.5).all()
    assert table["n_pv"].to_pylist() == [21, 21, 17, 22, 21, 21, 22, 37, 20, 35]
    cands = from_arrow(table, ["cand_d0", "cand_dz", "cand_charge", "cand_pdg_id"])
    assert (cands["cand_dz"][cands["cand_charge"] == 0] == 0).all()
    assert set(np.abs(cands["cand_pdg_id"])) == {1, 2, 11, 13, 22, 130, 211}
    assert ledger.derived == {"fromPV from dz": 8053}


def test_delphes_candidates_add_up_to_the_stored_met(samples, tmp_path):
    table, ledger = skim(samples / "delphes.root", tmp_path, source="delphes")
    assert table.num_rows == 25
    assert (distance(table) < 1e-4).all()
    true = np.hypot(table["gen_met_px"].to_numpy(), table["gen_met_py"].to_numpy())
    assert 100 < true.max() < 110
    # tracks without transverse momentum and direction, of which the file has 14
    assert ledger.dropped == {"|eta| above 10": 14}
    cands = from_arrow(table, ["cand_pdg_id", "cand_puppi"])
    assert set(np.abs(cands["cand_pdg_id"])) <= {1, 2, 11, 13, 22, 130, 211}
    assert ((cands["cand_puppi"] >= 0) & (cands["cand_puppi"] <= 1)).all()


@pytest.mark.parametrize(
    ("name", "source", "bound"), [("pfnano", "pfnano", 0.5), ("delphes", "delphes", 1e-4)]
)
def test_estimates_of_real_files(samples, tmp_path, name, source, bound):
    classical = pytest.importorskip("ptmiss.evaluate")
    settings = pytest.importorskip("ptmiss.settings.evaluate").EvaluateSettings
    skim(samples / f"{name}.root", tmp_path, source=source)
    out = tmp_path / "estimates.parquet"
    values = {"estimators": ["pf", "chs", "puppi"], "external": {}, "limits": LIMITS}
    classical.evaluate(
        str(tmp_path / "events.parquet"), "classical", "nominal",
        settings.model_validate_json(json.dumps(values)), str(out),
    )  # fmt: skip
    table = pq.read_table(out)
    for axis in ("px", "py"):
        difference = table[f"pf_{axis}"].to_numpy() - table[f"stored_raw_pf_{axis}"].to_numpy()
        assert (np.abs(difference) < bound).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [("nano_tt_v15.root", "constituents of fat jets"), ("nano_dy.root", "without particle-flow")],
)
def test_files_without_all_candidates_are_refused(samples, tmp_path, name, says):
    with pytest.raises(UserError, match=says) as caught:
        skim(samples / name, tmp_path)
    assert name in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_file_without_events_passes(samples, tmp_path):
    table, ledger = skim(samples / "nano_dy_empty.root", tmp_path)
    assert table.num_rows == 0
    assert ledger.as_dict()["events"] == {"in": 0, "kept": 0, "rejected": {}}
