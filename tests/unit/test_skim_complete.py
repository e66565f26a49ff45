"""All candidates, or the constituents of jets only? The stored raw MET tells."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from ptmiss.core.errors import UserError
from ptmiss.tasks.met.report import ledgers, record_rows
from ptmiss.tasks.met.report.samples import Kind
from skims import skim
from toys import write_pfnano


def jets_only(branches):
    """Keep the hard candidates, as a jet's constituents mostly are."""
    branches["PFCands"] = branches["PFCands"][branches["PFCands"].pt > 2.0]


def test_the_constituents_of_jets_are_refused(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, edit=jets_only)
    with pytest.raises(UserError, match="constituents of jets only") as caught:
        skim(tmp_path / "a.root", tmp_path / "out")
    assert "a.root" in str(caught.value)
    assert "skim.incomplete_candidates: accept" in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_each_file_is_looked_at(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, seed=1)
    write_pfnano(tmp_path / "b.root", 20, seed=2, edit=jets_only)
    with pytest.raises(UserError, match=r"b\.root"):
        skim([tmp_path / "a.root", tmp_path / "b.root"], tmp_path)


def test_a_setting_goes_on_and_the_number_is_on_ledger_and_page(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, seed=1)
    write_pfnano(tmp_path / "b.root", 20, seed=2, edit=jets_only)
    table, book = skim(
        [tmp_path / "a.root", tmp_path / "b.root"], tmp_path, {"incomplete_candidates": "accept"}
    )
    assert table.num_rows == 40
    whole, part = (entry["off_raw_met"] for entry in book.inputs)
    assert whole < 0.01
    assert part > 5
    [found] = ledgers.read([tmp_path / "ledger.json"])
    assert found.off_raw_met == part
    [row] = record_rows.ledger([found], {"test": Kind("Test", "", "")})
    assert (row["off_raw_met"], row["incomplete"]) == (f"{part:.2g}", True)


def test_the_first_events_that_are_kept_are_compared(tmp_path):
    def edit(branches):
        branches["genWeight"] = np.where(np.arange(20) < 12, np.nan, 1).astype(np.float32)
        jets_only(branches)

    write_pfnano(tmp_path / "a.root", 20, edit=edit)
    with pytest.raises(UserError, match="median of 3 events"):
        skim(tmp_path / "a.root", tmp_path, {"chunk_events": 5})


def test_a_file_without_stored_met_is_not_compared(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, edit=jets_only, drop=("RawMET_pt", "RawMET_phi"))
    assert "off_raw_met" not in skim(tmp_path / "a.root", tmp_path).ledger.inputs[0]


def test_events_without_a_finite_met_do_not_count(tmp_path):
    def edit(branches):
        branches["RawMET_pt"] = np.where(np.arange(20) % 2, np.nan, branches["RawMET_pt"])

    write_pfnano(tmp_path / "a.root", 20, edit=edit)
    assert skim(tmp_path / "a.root", tmp_path).ledger.inputs[0]["off_raw_met"] < 0.01


def test_our_own_simulation_is_not_compared(tmp_path):
    write_pfnano(tmp_path / "a.root", 20, edit=jets_only)
    spec = {
        "source": "simulated", "label": "x", "process": "zmumu", "setting": "nominal", "events": 20,
        "folds": [0], "selection": "none",
    }  # fmt: skip
    from ptmiss.core.settings.base import from_mapping
    from ptmiss.events.settings.samples import AnySample
    from ptmiss.events.skim.stream import Skim
    from skims import settings_of

    job = Skim("s", "0", from_mapping(AnySample, spec, "samples.s").root, settings_of())
    book = job.run(
        [str(tmp_path / "a.root")], tmp_path / "events.parquet", tmp_path / "ledger.json"
    )
    assert set(book.inputs[0]) == {"name", "sha256", "events"}


def test_weighted_candidates_are_told(tmp_path):
    def edit(branches):
        cands = branches["PFCands"]
        cands["pt"] = ak.values_astype(cands["pt"] * cands["puppiWeight"], np.float32)

    write_pfnano(tmp_path / "a.root", 20, edit=edit)
    with pytest.raises(UserError, match="PUPPI"):
        skim(tmp_path / "a.root", tmp_path)
