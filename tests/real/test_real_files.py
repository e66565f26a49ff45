"""Real CMS and Delphes files go through the skim and the estimators."""

from __future__ import annotations

import json
from unittest import mock

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from models import LIMITS
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import from_arrow, segment_sum
from ptmiss.events.readers.batch import Candidates
from ptmiss.events.readers.pfnano import PFNanoReader
from ptmiss.events.readers.rntuple import _columns
from ptmiss.tasks.met.estimators.classical import (
    candidate_weights,
    missing_momentum,
    transverse_momentum,
)
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
    assert ledger.derived == {"fromPV from dz and PUPPI weight": 8053}


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
    classical = pytest.importorskip("ptmiss.tasks.met.estimators.evaluate")
    settings = pytest.importorskip("ptmiss.tasks.met.settings.evaluate").EvaluateSettings
    skim(samples / f"{name}.root", tmp_path, source=source)
    out = tmp_path / "estimates.parquet"
    values = {"estimators": ["pf", "chs", "puppi"], "external": {}, "limits": LIMITS}
    classical.evaluate(
        str(tmp_path / "events.parquet"), "classical",
        settings.model_validate_json(json.dumps(values)), str(out),
    )  # fmt: skip
    table = pq.read_table(out)
    for axis in ("px", "py"):
        difference = table[f"pf_{axis}"].to_numpy() - table[f"stored_raw_pf_{axis}"].to_numpy()
        assert (np.abs(difference) < bound).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nano_tt_v15.root", "constituents of fat jets"),
        ("nano_dy.root", "without particle-flow"),
        ("nano_dy_SpecialTree.root", "without particle-flow"),  # a version below zero
    ],
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


def test_charged_hadron_subtraction_equals_the_stored_one(samples, tmp_path):
    # the file has no fromPV: what CHS leaves out shows how well it is derived
    table, _ = skim(samples / "pfnano.root", tmp_path)
    names = ["cand_pt", "cand_phi", "cand_charge", "cand_from_pv"]
    cands = from_arrow(table, names)
    momentum = transverse_momentum(cands)
    own = missing_momentum(momentum, candidate_weights("chs", cands), cands.offsets)
    with uproot.open(samples / "pfnano.root") as file:
        stored = file["Events"].arrays(["ChsMET_pt", "ChsMET_phi"], library="np")
    pt, phi = (stored[f"ChsMET_{name}"].astype(np.float64) for name in ("pt", "phi"))
    away = np.sort(np.hypot(own[0] - pt * np.cos(phi), own[1] - pt * np.sin(phi)))
    assert np.median(away) < 5
    assert away[8] < 6  # nine of ten; the tenth has a hard track of a vertex beside the primary one


def test_both_puppi_weights_of_a_cms_file_are_kept(samples, tmp_path):
    table, _ = skim(samples / "pfnano.root", tmp_path)
    with uproot.open(samples / "pfnano.root") as file:
        branches = [f"PFCands_{name}" for name in ("puppiWeight", "puppiWeightNoLep")]
        stored = file["Events"].arrays(branches)
    for column, branch in zip(("cand_puppi_standard", "cand_puppi"), branches, strict=True):
        values = from_arrow(table, [column])[column]
        # packed weights can be a hair below 0
        packed = ak.to_numpy(ak.flatten(stored[branch]))
        np.testing.assert_array_equal(values, np.clip(packed, 0, 1))


def test_an_rntuple_gives_the_same_skim(samples, tmp_path):
    tables = [
        skim(samples / f"{name}.root", tmp_path).table for name in ("pfnano", "pfnano_rntuple")
    ]
    assert tables[0].equals(tables[1])


def test_a_page_that_is_not_what_its_sum_says_is_one_line(samples, tmp_path):
    content = bytearray((samples / "pfnano_rntuple.root").read_bytes())
    with uproot.open(samples / "pfnano_rntuple.root") as file:
        ntuple = file["Events"]
        *_, numbers = _columns(ntuple["PFCands_pt"].to_akform()[0])
        page = ntuple.page_link_list[0][numbers].pages[0]
    content[page.locator.offset + page.locator.num_bytes // 2] ^= 1
    (tmp_path / "a.root").write_bytes(content)
    with pytest.raises(UserError, match=r"PFCands_pt, cluster 0 cannot be read .*sums"):
        skim(tmp_path / "a.root", tmp_path)


def test_the_constituents_of_jets_are_refused(samples, tmp_path):
    """What PFNano stores unless it is told to keep everything."""
    with uproot.open(samples / "pfnano.root") as file:
        names = ("JetPFCands_pFCandsIdx", "FatJetPFCands_pFCandsIdx")
        index = [file["Events"][name].array(library="np") for name in names]
    chosen = [np.unique(np.concatenate(pair)) for pair in zip(*index, strict=True)]
    read = PFNanoReader.candidates

    def of_jets(reader, start, stop, keep):
        found = read(reader, start, stop, keep).columns
        jets = [own for own, kept in zip(chosen[start:stop], keep, strict=True) if kept]
        pairs = zip(found.counts, jets, strict=True)
        mask = [np.isin(np.arange(count), own) for count, own in pairs]
        return Candidates(found.keep_candidates(np.concatenate(mask)))

    with mock.patch.object(PFNanoReader, "candidates", of_jets):
        with pytest.raises(UserError, match=r"(\d\d)\.\d GeV off the raw PF MET"):
            skim(samples / "pfnano.root", tmp_path)
        accepted = skim(samples / "pfnano.root", tmp_path, {"incomplete_candidates": "accept"})
    assert accepted.ledger.inputs[0]["off_raw_met"] == pytest.approx(40.0, abs=1.0)
    whole = skim(samples / "pfnano.root", tmp_path).ledger
    assert whole.inputs[0]["off_raw_met"] == pytest.approx(0.195, abs=0.01)
