"""fromPV of simulated ntuples, taken away and derived again, against what was stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptmiss.core.ragged import from_arrow
from ptmiss.simulation import constants, ntuple
from ptmiss.simulation.cards import load_card
from ptmiss.simulation.generator import generate
from ptmiss.simulation.ntuple import COLLECTIONS
from ptmiss.simulation.numbering import number_events
from ptmiss.simulation.pileup import PileUp, gaussian_profile
from ptmiss.simulation.simulate import chunks
from skims import skim
from unit.toy_collisions import one_list_each, soft_collisions

PROCESSES = Path(__file__).resolve().parents[2] / "resources" / "processes"
N = 20


def simulated(path: Path, process: str) -> None:
    """Write N events of a process under 30 interactions, as the stage simulate does."""
    card = load_card(PROCESSES / f"{process}.yaml")
    generated = generate(card, card.slices[0], N, 17)
    pileup = PileUp(soft_collisions(400, 3), one_list_each(400), gaussian_profile(30.0, 5.0))
    numbers = number_events(2, N, (1, 4, 7))
    parts = chunks(generated, pileup, constants.detector(), 11, numbers)
    with ntuple.writing(path, f"{process}/0002", generated.sqrt_s) as writer:
        for scalars, collections in parts:
            writer.write(scalars, collections)


@pytest.mark.parametrize("process", ["zmumu", "ttbar"])
def test_from_pv_is_guessed_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    simulated(tmp_path / "with.root", process)
    fields = {name: kind for name, kind in COLLECTIONS["PFCands"].items() if name != "fromPV"}
    monkeypatch.setitem(COLLECTIONS, "PFCands", fields)
    simulated(tmp_path / "without.root", process)
    tables = [
        skim(tmp_path / f"{name}.root", tmp_path / name).table for name in ("with", "without")
    ]
    names = ["cand_charge", "cand_from_pv", "cand_pt"]
    true, guessed = (from_arrow(table, names) for table in tables)
    charged = true["cand_charge"] != 0
    assert charged.sum() > 5000
    right = (true["cand_from_pv"] == guessed["cand_from_pv"])[charged]
    assert right.mean() > 0.95
    # the hard ones matter: what CHS drops by mistake, or keeps
    wrong = charged & ((true["cand_from_pv"] == 0) != (guessed["cand_from_pv"] == 0))
    assert np.average(wrong[charged], weights=true["cand_pt"][charged]) < 0.02
    assert (guessed["cand_from_pv"][~charged] == 3).all()
