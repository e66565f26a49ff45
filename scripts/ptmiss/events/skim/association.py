"""The vertex of a candidate where the input does not say it; numpy only, for analyses too."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.readers.batch import UNKNOWN

USED_IN_FIT, USED_IN_TIGHT_FIT = 6, 7
"""Values of pvAssocQuality: from the first on, the track was used in the fit of its own vertex,
whichever that is."""

_LEPTONS = (11, 13)


class Limits(NamedTuple):
    """Distances in z from the primary vertex in cm; see `skim.from_pv_*`."""

    tight: float
    weighted: float
    loose: float


def association(columns: Ragged, limits: Limits, flavour: str) -> tuple[np.ndarray, int]:
    """Return from_pv where the input leaves it open, int32, and the number derived.

    MiniAOD's own rule (pat::PackedCandidate::fromPV): 3 for a track in the tight fit of the primary
    vertex and for neutral candidates, 2 for one assigned to it otherwise and for every electron and
    muon, 1 for one that is in no fit, 0 for one in the fit of another vertex. Where the quality
    is not known, tracks near the vertex count as in its fit, and between `tight` and `loose` as 1.

    Whether its vertex is the primary one is told by dz below `tight`. A stored standard PUPPI
    weight, which is made from fromPV, tells it where there is no track detail, and of a track in a
    fit: 0 says another vertex however near, 1 this one, unless dz is above `weighted`, since tracks
    of the next vertices can have 1 too. A candidate of which neither dz nor weight is known has 1.
    flavour: of the column puppi.
    """
    given = columns.columns.get("from_pv")
    if given is not None and not (given == UNKNOWN).any():
        return given, 0
    charged = columns["charge"] != 0
    undecided = np.ones(len(charged), dtype=bool) if given is None else given == UNKNOWN
    lepton = np.isin(np.abs(columns["pdg_id"]), _LEPTONS)
    weight = _vertex_weight(columns, flavour, lepton)
    with np.errstate(invalid="ignore"):
        distance = np.abs(columns["dz"])
        detail = np.isfinite(distance)
        error = columns.columns.get("dz_error")
        if error is not None:
            detail &= ~(error < 0)
        primary = detail & (distance < limits.tight)
        weighed = (weight > 0.5) & ~(detail & (distance >= limits.weighted))
    quality = columns.columns.get("quality")
    fitted = np.zeros_like(detail) if quality is None else quality >= USED_IN_FIT
    primary = np.where(np.isfinite(weight) & (fitted | ~detail), weighed, primary)
    if quality is None:
        derived = np.where(primary, 3, np.where(detail & (distance < limits.loose), 1, 0))
    else:
        of_primary = np.where(quality >= USED_IN_TIGHT_FIT, 3, 2)
        derived = np.where(primary, of_primary, np.where(fitted, 0, 1))
    derived[~detail & ~np.isfinite(weight)] = 1
    derived[lepton] = np.maximum(derived[lepton], 2)
    derived = np.where(charged, derived, 3)
    if given is not None:
        derived = np.where(undecided, derived, given)
    return derived.astype(np.int32), int(np.count_nonzero(undecided & charged))


def _vertex_weight(columns: Ragged, flavour: str, lepton: np.ndarray) -> np.ndarray:
    """Return the stored weight that tells a charged candidate's vertex, NaN where none does."""
    names = {flavour: "puppi", OTHER_FLAVOUR[flavour]: f"puppi_{OTHER_FLAVOUR[flavour]}"}
    standard, other = (columns.columns.get(names[key]) for key in ("standard", "no_lepton"))
    if standard is not None:
        return standard
    if other is None:
        return np.full(len(lepton), np.nan)
    return np.where(lepton, np.nan, other)  # a lepton has 1 there whatever its vertex
