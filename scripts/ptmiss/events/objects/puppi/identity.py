"""From vertex association to the four kinds of candidates that PUPPI knows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit

NEUTRAL = 0
"""Neutral, or charged without a clear vertex: gets a computed weight."""
PRIMARY = 1
"""Charged, from the primary vertex: weight 1."""
PILEUP = 2
"""Charged, from another vertex: weight 0."""
LEPTON = 3
"""Electron or muon in lepton-free PUPPI: weight 1, and nobody's neighbour."""


class Tracks(NamedTuple):
    """What decides where a candidate comes from; float64 and whole numbers, shape (n,) each.

    pt in GeV, dz in cm. from_pv: association to the primary vertex (3 used in its fit, 2 and 1
    near, 0 used by another). from_other: the largest such number with respect to the next vertices,
    or shape (0,) if it is not known, which counts as 0.
    """

    pt: np.ndarray
    eta: np.ndarray
    dz: np.ndarray
    pdg_id: np.ndarray
    charge: np.ndarray
    from_pv: np.ndarray
    from_other: np.ndarray


@njit(cache=True, nogil=True)
def identities(tracks: Tracks, rules: np.ndarray, no_lepton: bool) -> np.ndarray:
    """Return NEUTRAL, PRIMARY, PILEUP or LEPTON for each candidate, uint8, shape (n,).

    rules: records(Association), shape (1,). A dz that is not a number passes no cut.
    """
    pt, eta, dz, pdg_id, charge, from_pv, from_other = tracks
    rule = rules[0]
    kinds = np.zeros(len(pt), dtype=np.uint8)
    for i in range(len(pt)):
        if charge[i] == 0:
            continue
        if no_lepton and abs(pdg_id[i]) in (11, 13):
            kinds[i] = LEPTON
        elif from_pv[i] == 3:
            kinds[i] = PRIMARY
        elif from_pv[i] == 0:
            kinds[i] = PILEUP
            if (
                rule.other_vertices > 0
                and len(from_other) > 0
                and from_other[i] >= 2
                and abs(dz[i]) < rule.other_dz_cut
            ):
                kinds[i] = PRIMARY
        elif pt[i] > rule.sure_pt or abs(eta[i]) > rule.sure_abs_eta:
            kinds[i] = PRIMARY
        elif abs(eta[i]) >= rule.dz_min_abs_eta:
            kinds[i] = PRIMARY if abs(dz[i]) < rule.dz_cut else PILEUP
    return kinds
