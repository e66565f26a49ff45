"""Delphes: vertices by their index, particle-flow candidates alone, truth of the candidates."""

from __future__ import annotations

import logging

import awkward as ak
import numpy as np
import pytest

from delphes_toys import write_delphes
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import from_arrow, segment_sum
from skims import skim

NOW = ("ParticleFlowCandidate",)
ALONE = ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron")
COLUMNS = [
    "cand_pt", "cand_eta", "cand_phi", "cand_charge", "cand_pdg_id", "cand_from_pv", "cand_puppi",
    "cand_d0", "cand_dz",
]  # fmt: skip


def skimmed(tmp_path, name="a", **how):
    toy = write_delphes(tmp_path / f"{name}.root", **how)
    table, ledger = skim(tmp_path / f"{name}.root", tmp_path / name, source="delphes")
    return toy, table, ledger


def by_identity(table, toy):
    """Return the candidates of both in one order: of their momenta, event by event."""
    mine = from_arrow(table, [name for name in COLUMNS if name in table.column_names])
    order = np.lexsort((mine["cand_pt"], np.repeat(np.arange(mine.n_events), mine.counts)))
    theirs = np.lexsort((toy.candidates["pt"], np.repeat(np.arange(len(toy.counts)), toy.counts)))
    columns = {name: values[order] for name, values in mine.columns.items()}
    np.testing.assert_array_equal(columns["cand_pt"], toy.candidates["pt"][theirs])
    return columns, {name: values[theirs] for name, values in toy.candidates.items()}


def test_tracks_find_their_vertex_by_its_index_not_by_its_place(tmp_path):
    toy, table, ledger = skimmed(tmp_path)
    found, truth = by_identity(table, toy)
    charged = truth["charge"] != 0
    hard = truth["truth"] > 0
    assert (found["cand_from_pv"][charged & hard] == 3).all()
    assert (found["cand_from_pv"][charged & ~hard] == 0).all()
    for name in ("d0", "dz"):  # stored in mm
        assert found[f"cand_{name}"][charged] == pytest.approx(truth[name][charged], abs=1e-5)
    assert "fromPV from dz and PUPPI weight" not in ledger.derived


def test_vertices_in_any_order_give_the_same(tmp_path):
    tables = [skimmed(tmp_path, str(how), permuted=how)[1].select(COLUMNS) for how in (True, False)]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("how", ["no index", "all indices 0", "no vertices"])
def test_without_an_index_tracks_are_judged_by_dz(tmp_path, how):
    def edit(branches):
        if how == "all indices 0":
            vertices = branches["Vertex"]
            vertices["Index"] = ak.zeros_like(vertices["Index"])

    gone = {"no index": ("Vertex.Index",), "no vertices": ("Vertex",)}.get(how, ())
    drop = ("ParticleFlowCandidate", "IsPU", "HardEnergyFraction", *gone)
    toy, table, ledger = skimmed(tmp_path, drop=drop, edit=edit)
    found, truth = by_identity(table, toy)
    charged = truth["charge"] != 0
    assert ledger.derived["fromPV from dz and PUPPI weight"] == np.count_nonzero(charged)
    distance = np.abs(found["cand_dz"])
    assert (found["cand_from_pv"][charged & (distance < 0.01)] >= 2).all()
    far = charged & (distance > 1.0) & (np.abs(truth["pdg_id"]) == 211)  # leptons keep 2
    assert far.any()
    assert (found["cand_from_pv"][far] == 0).all()


def test_particle_flow_candidates_alone_are_enough(tmp_path):
    _, both, _ = skimmed(tmp_path, "both", drop=())
    toy, alone, ledger = skimmed(tmp_path, "alone", drop=ALONE)
    assert alone.num_rows == len(toy.counts)
    assert ledger.candidates_kept == toy.counts.sum()
    found, truth = by_identity(alone, toy)
    other, _ = by_identity(both, toy)
    for name in found:
        np.testing.assert_array_equal(found[name], other[name], err_msg=name)
    np.testing.assert_array_equal(found["cand_pdg_id"], truth["pdg_id"])
    px = from_arrow(alone, ["cand_pt", "cand_phi"])
    px = -segment_sum(
        px["cand_pt"].astype(float) * np.cos(px["cand_phi"].astype(float)), px.offsets
    )
    np.testing.assert_allclose(px, alone["stored_raw_pf_px"].to_numpy(), atol=1e-3)


def test_without_candidates_of_either_kind_both_are_named(tmp_path):
    with pytest.raises(UserError, match=r"EFlowTrack\.PT.*ParticleFlowCandidate alone"):
        skimmed(tmp_path, drop=("EFlowTrack", "ParticleFlowCandidate"))


@pytest.mark.parametrize(
    "drop", [NOW, ALONE, (*NOW, "EFlowTrack.HardEnergyFraction")], ids=["eflow", "alone", "IsPU"]
)
def test_fractions_of_the_hard_collision_are_the_truth(tmp_path, drop):
    toy, table, _ = skimmed(tmp_path, drop=drop)
    found = from_arrow(table, ["cand_truth", "cand_pt", "cand_charge"])
    event = np.repeat(np.arange(found.n_events), found.counts)
    mine = found["cand_truth"][np.lexsort((found["cand_pt"], event))]
    theirs = np.lexsort((toy.candidates["pt"], event))
    true, charged = (toy.candidates[name][theirs] for name in ("truth", "charge"))
    np.testing.assert_allclose(mine, np.where(charged != 0, true > 0, true), atol=1e-6)


@pytest.mark.parametrize("drop", [("ParticleFlowCandidate", "HardEnergyFraction"), ("IsPU", *NOW)])
def test_truth_needs_tracks_and_towers(tmp_path, drop):
    _, table, _ = skimmed(tmp_path, drop=drop)
    assert ("cand_truth" in table.column_names) == ("HardEnergyFraction" not in drop)


@pytest.mark.parametrize("drop", [NOW, ALONE], ids=["eflow", "alone"])
def test_fractions_that_no_module_filled_are_no_truth(tmp_path, caplog, drop):
    def edit(branches):
        for name in ("EFlowPhoton", "EFlowNeutralHadron", "ParticleFlowCandidate"):
            values = branches[name]
            neutral = ak.zeros_like(values["HardEnergyFraction"])
            if "Charge" in values.fields:
                neutral = ak.where(values["Charge"] == 0, neutral, values["HardEnergyFraction"])
            values["HardEnergyFraction"] = neutral

    with caplog.at_level(logging.WARNING):
        _, table, _ = skimmed(tmp_path, drop=drop, edit=edit)
    assert "cand_truth" not in table.column_names
    assert "was not filled" in caplog.text


def test_recorded_events_have_no_truth(tmp_path):
    write_delphes(tmp_path / "a.root", drop=NOW)
    table, _ = skim(tmp_path / "a.root", tmp_path, source="delphes", is_data=True)
    assert "cand_truth" not in table.column_names
