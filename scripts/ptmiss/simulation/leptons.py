"""Muons and electrons of an event, with their isolation, out of the candidates."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged, offsets_of, segment_sum

MUON, ELECTRON = 13, 11

CONES = {MUON: 0.4, ELECTRON: 0.3}
"""Radius of the isolation of each flavour, as in NanoAOD's pfRelIso04_all and pfRelIso03_all."""

MIN_PT = {MUON: 3.0, ELECTRON: 5.0}
"""GeV; NanoAOD stores muons and electrons from about here."""

NEUTRAL_PER_CHARGED = 1.1
"""Neutral over charged transverse momentum of pile-up, candidates above 0.5 GeV, |eta| < 2.4.

CMS subtracts one half. The ratio is larger here, where noise and the fluctuations of overlapping
showers add neutral hadrons (measured: 10.7 against 9.9 GeV per unit area at mean pile-up 29); one
half would reject a third of all Z muons, more of them the more pile-up there is.
"""


class _Columns(NamedTuple):
    """Columns of candidates, flat."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    pdg_id: np.ndarray
    charge: np.ndarray
    from_pv: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def _isolation(
    index: np.ndarray, event: np.ndarray, offsets: np.ndarray, at: _Columns, cone: float
) -> np.ndarray:
    """Return the relative isolation of the candidates `index`, which lie in the events `event`."""
    result = np.empty(len(index))
    for i in range(len(index)):
        k = index[i]
        charged = neutral = pileup = 0.0
        for j in range(offsets[event[i]], offsets[event[i] + 1]):
            d_eta = at.eta[j] - at.eta[k]
            if j == k or abs(d_eta) > cone:
                continue
            d_phi = (at.phi[j] - at.phi[k] + math.pi) % (2.0 * math.pi) - math.pi
            if d_eta * d_eta + d_phi * d_phi > cone * cone:
                continue
            if at.charge[j] != 0:
                if abs(at.pdg_id[j]) != 211:
                    continue
                if at.from_pv[j] >= 2:
                    charged += at.pt[j]
                elif at.pt[j] > 0.5:
                    pileup += at.pt[j]
            elif at.pt[j] > 0.5:
                neutral += at.pt[j]
        result[i] = (charged + max(neutral - NEUTRAL_PER_CHARGED * pileup, 0.0)) / at.pt[k]
    return result


def leptons(candidates: Ragged, flavour: int) -> Ragged:
    """Return muons (13) or electrons (11) by falling pT.

    candidates: columns pt, eta, phi, mass, pdg_id, charge, from_pv. Columns of the result: pt,
    eta, phi, mass (float32), charge, pdg_id (int32), isolation (float32): PF sums in the cone of
    `CONES`, over pT, neutral pile-up subtracted by its charged sum times `NEUTRAL_PER_CHARGED`
    (the delta-beta method of CMS, arXiv:1804.04528).
    """
    chosen = (np.abs(candidates["pdg_id"]) == flavour) & (candidates["pt"] > MIN_PT[flavour])
    index = np.flatnonzero(chosen)
    event = np.searchsorted(candidates.offsets, index, side="right") - 1
    order = np.lexsort((-candidates["pt"][index], event))
    index, event = index[order], event[order]
    columns = {
        name: candidates[name][index] for name in ("pt", "eta", "phi", "mass", "charge", "pdg_id")
    }
    at = _Columns(*(candidates[name] for name in _Columns._fields))
    isolation = _isolation(index, event, candidates.offsets, at, CONES[flavour])
    columns["isolation"] = isolation.astype(np.float32)
    return Ragged(offsets_of(segment_sum(chosen.astype(np.int64), candidates.offsets)), columns)
