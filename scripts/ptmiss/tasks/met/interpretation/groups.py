"""Groups of candidates that a reader of weights asks about."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged

GROUPS = ("charged_pv", "charged_pileup", "photon", "neutral_hadron", "forward", "muon", "electron")
"""Each candidate is in at most one of them; neutral candidates of unknown type are in none."""

TRACKED = ("charged_pv", "charged_pileup", "muon", "electron")
"""Groups whose candidates have a track, and so a vertex and an impact parameter."""

_MAIN_SHARE = 0.5
_IN_FIT = 3


def group_of(candidates: Ragged) -> np.ndarray:
    """Return the position in `GROUPS` of each candidate, int8 (n_candidates,); -1 for none.

    Charged hadrons are of the hard vertex if more than half of their momentum truly comes from the
    hard collision. Without the truth those count that were used in the fit of the primary vertex
    (cand_from_pv 3). forward: candidates of the forward calorimeter (|pdgId| 1 and 2).
    """
    kind = np.abs(candidates["cand_pdg_id"].astype(np.int32))
    charged = candidates["cand_charge"] != 0
    if "cand_truth" in candidates.columns:
        prompt = candidates["cand_truth"] > _MAIN_SHARE
    else:
        prompt = candidates["cand_from_pv"] == _IN_FIT
    conditions = {
        "muon": kind == 13,
        "electron": kind == 11,
        "forward": (kind == 1) | (kind == 2),
        "charged_pv": charged & prompt,
        "charged_pileup": charged,
        "photon": kind == 22,
        "neutral_hadron": kind == 130,
    }
    numbers = [GROUPS.index(name) for name in conditions]
    return np.select(list(conditions.values()), numbers, default=-1).astype(np.int8)
