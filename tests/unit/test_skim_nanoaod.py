"""NanoAOD without candidates through the skim: METs, their variations, jets and density."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from nanoaod_toys import WIDTHS, branches, write_nanoaod
from ptmiss.core.errors import UserError
from ptmiss.events.columns import CANDIDATE_COLUMNS, Content, content_of
from ptmiss.events.skim import info
from skims import skim
from toys import write_pfnano, write_tree

SHIFTS = {
    "v15": {"pf_unclustered", "puppi_jes", "puppi_unclustered"},
    "v9": {"pf_unclustered", "puppi_jes", "puppi_unclustered"},
}


def both(table, name: str) -> np.ndarray:
    return np.stack([table[f"{name}_p{axis}"].to_numpy() for axis in "xy"])


@pytest.mark.parametrize("version", ["v9", "v15"])
def test_every_stored_met_and_no_candidate_is_in_the_skim(tmp_path, version):
    truth = write_nanoaod(tmp_path / "a.root", 50, version=version)
    table, ledger = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert table.num_rows == 50
    assert not set(CANDIDATE_COLUMNS) & set(table.column_names)
    for name in WIDTHS:
        np.testing.assert_allclose(both(table, f"stored_{name}"), truth.mets[name], atol=1e-3)
    content = content_of(table.schema)
    assert not content.candidates
    assert set(content.stored) == set(WIDTHS)
    assert set(content.shifts) == {f"{n}_{w}" for n in SHIFTS[version] for w in ("up", "down")}
    assert ledger.as_dict()["candidates"]["in"] == 0
    said = info.read(table.schema, "a", "")
    assert not said.has_candidates
    assert set(said.stored) == set(WIDTHS)


def test_variations_are_the_met_of_the_input_or_a_step_from_it(tmp_path):
    truth = write_nanoaod(tmp_path / "a.root", 30, version="v9")
    table, _ = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    jes = both(table, "stored_puppi_jes_up")
    np.testing.assert_allclose(jes, 1.05 * truth.mets["puppi"], rtol=1e-4, atol=1e-3)
    step = np.array([[2.0], [-1.0]])
    for way, sign in (("up", 1.0), ("down", -1.0)):
        moved = both(table, f"stored_pf_unclustered_{way}")
        np.testing.assert_allclose(moved, truth.mets["pf"] + sign * step, atol=1e-3)


def test_jets_and_density_are_those_of_the_input(tmp_path):
    def with_lepton(made):
        # a jet around the first muon does not count; one below 20 GeV and one at |eta| 3.5 neither
        muon = made["Muon"][:, :1]
        soft = ak.with_field(muon[["pt", "eta", "phi"]], muon.pt * 0 + 15.0, "pt")
        soft = ak.with_field(soft, soft.phi + 1.5, "phi")
        far = ak.with_field(soft, soft.eta + 3.5, "eta")
        far = ak.with_field(far, far.pt + 30.0, "pt")
        jets = [made["Jet"], muon[["pt", "eta", "phi"]], soft, far]
        made["Jet"] = ak.values_astype(ak.concatenate(jets, axis=1), np.float32)

    made, truth = branches(60)
    write_nanoaod(tmp_path / "a.root", 60, edit=with_lepton)
    table, _ = skim(tmp_path / "a.root", tmp_path, source="nanoaod", selection="zmumu")
    kept = {int(event) for event in table["event"].to_numpy()}
    chosen = [i for i, event in enumerate(made["event"]) if int(event) in kept]
    expected = (np.hypot(*truth.boson) > 30)[chosen]
    # a boson's jet may lie on the other muon
    assert (table["n_jets"].to_numpy() <= expected).all()
    assert table["n_jets"].to_numpy().sum() >= 0.7 * expected.sum() > 0
    rho = made["Rho_fixedGridRhoFastjetAll"][chosen]
    np.testing.assert_allclose(table["rho"].to_numpy(), rho)


def test_a_met_that_is_not_finite_is_null_and_counted(tmp_path):
    def spoil(made):
        made["DeepMETResponseTune_pt"][3] = np.nan
        made["PuppiMET_ptJESUp"][:2] = np.nan

    write_nanoaod(tmp_path / "a.root", 20, edit=spoil)
    table, ledger = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert table.num_rows == 20
    assert table["stored_deepmet_response_px"].null_count == 1
    counts = ledger.as_dict()["stored_mets_not_finite"]
    assert counts == {"deepmet_response": 1, "puppi_jes_up": 2}


def test_an_event_without_density_is_rejected_and_counted(tmp_path):
    def spoil(made):
        made["Rho_fixedGridRhoFastjetAll"][[2, 5]] = np.nan

    write_nanoaod(tmp_path / "a.root", 20, edit=spoil)
    table, ledger = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert table.num_rows == 18
    assert ledger.rejected == {"energy density not finite": 2}


def test_recorded_events_have_no_truth_and_no_variations(tmp_path):
    write_nanoaod(tmp_path / "a.root", 20, is_data=True)
    with uproot.open(tmp_path / "a.root") as file:
        assert "GenMET_pt" not in set(file["Events"].keys())
    table, _ = skim(tmp_path / "a.root", tmp_path, source="nanoaod", is_data=True)
    assert table["gen_met_px"].null_count == 20
    assert content_of(table.schema).shifts == ()


@pytest.mark.parametrize(
    ("drop", "says"),
    [
        ("Jet", r"no branch Jet_pt"),
        ("Rho_fixedGridRhoFastjetAll", r"no branch fixedGridRhoFastjetAll \(nor Rho_"),
        ("GenMET_pt", r"no branch GenMET_pt; .*is_data"),
        ("PV_npvs", ""),  # the good ones stand for all
    ],
)
def test_what_every_file_needs(tmp_path, drop, says):
    write_nanoaod(tmp_path / "a.root", 20, edit=lambda made: made.pop(drop))
    if not says:
        table, _ = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
        assert table.num_rows == 20
        return
    with pytest.raises(UserError, match=says) as caught:
        skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert "\n" not in str(caught.value)


def test_a_file_without_any_met_is_refused(tmp_path):
    made, _ = branches(10)
    kept = {name: values for name, values in made.items() if "MET" not in name}
    write_tree(tmp_path / "a.root", kept)
    with pytest.raises(UserError, match=r"none of the METs that NanoAOD stores \(RawMET_pt"):
        skim(tmp_path / "a.root", tmp_path, source="nanoaod")


def test_files_of_one_sample_hold_the_same_mets(tmp_path):
    write_nanoaod(tmp_path / "a.root", 10)
    write_nanoaod(
        tmp_path / "b.root", 10, first=100, edit=lambda made: made.pop("DeepMETResponseTune_pt")
    )
    with pytest.raises(UserError, match=r"b\.root: stored METs raw_pf, .* in .*a\.root") as caught:
        skim([tmp_path / "a.root", tmp_path / "b.root"], tmp_path, source="nanoaod")
    assert "make two samples" in str(caught.value)
    assert not (tmp_path / "events.parquet").exists()


def test_candidates_of_pfnano_are_ignored(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, pileup=2.0)
    table, ledger = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert not set(CANDIDATE_COLUMNS) & set(table.column_names)
    assert content_of(table.schema).stored == ("raw_pf", "raw_puppi")
    assert ledger.candidates_in == 0
    whole, _ = skim(tmp_path / "a.root", tmp_path, source="pfnano")
    assert content_of(whole.schema) == Content(stored=("raw_pf", "raw_puppi"))
    names = [name for name in table.column_names if name not in CANDIDATE_COLUMNS]
    assert whole.select(names).equals(table)


def test_a_skim_of_no_events_says_that_it_has_no_candidates(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("Events", {"run": np.uint32})
    table, _ = skim(tmp_path / "a.root", tmp_path, source="nanoaod")
    assert table.num_rows == 0
    assert not content_of(table.schema).candidates
