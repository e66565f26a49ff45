"""Columns that an input may lack, made from those it has."""

from __future__ import annotations

import numpy as np

from ptmiss.jets import cluster, count_jets
from ptmiss.puppi.parameters import RUN2_V15
from ptmiss.puppi.weights import puppi_weights
from ptmiss.ragged import Ragged
from ptmiss.readers.batch import UNKNOWN, EventBatch
from ptmiss.rho import median_density

USED_IN_FIT = 7
"""Value of pvAssocQuality: the track was used in the fit of its own vertex, whichever that is."""


def association(columns: Ragged, tight: float, loose: float) -> tuple[np.ndarray, int]:
    """Return from_pv where the input leaves it open, int32, and the number derived.

    Neutral candidates get 3, as in MiniAOD. A track within `tight` (cm) of the primary vertex in
    z gets 3 if it was used in a vertex fit (or if nothing is known about that), else 2; within
    `loose` 1, beyond 0. A charged candidate without track detail, whose dz nobody knows, gets 1
    (undecided): these are soft. This stands in for fromPV, it does not reproduce it: at
    |dz| < `tight` pile-up vertices that happen to be near are not told apart.
    """
    given = columns.columns.get("from_pv")
    if given is not None and not (given == UNKNOWN).any():
        return given, 0
    charged = columns["charge"] != 0
    open_ = np.ones(len(charged), dtype=bool) if given is None else given == UNKNOWN
    with np.errstate(invalid="ignore"):
        distance = np.abs(columns["dz"])
        near = np.where(distance < tight, 3, np.where(distance >= loose, 0, 1))  # NaN: undecided
    quality = columns.columns.get("quality")
    if quality is not None:
        near = np.where((near == 3) & (quality < USED_IN_FIT), 2, near)
    error = columns.columns.get("dz_error")
    if error is not None:
        near = np.where(error < 0, 1, near)
    derived = np.where(charged, near, 3)
    if given is not None:
        derived = np.where(open_, derived, given)
    return derived.astype(np.int32), int(np.count_nonzero(open_ & charged))


def puppi(columns: Ragged, n_pv_good: np.ndarray, flavour: str) -> np.ndarray:
    """Return the PUPPI weights by the tune of the CMS Run 2 re-reconstruction (v15), float32."""
    return puppi_weights(columns, n_pv_good, RUN2_V15, no_lepton=flavour == "no_lepton")


def density(columns: Ragged) -> np.ndarray:
    """Return the median energy density in GeV, float32, shape (n_events,)."""
    return median_density(columns["pt"], columns["eta"], columns["phi"], columns.offsets)


def n_jets(events: EventBatch, columns: Ragged, leptons: Ragged) -> np.ndarray:
    """Return the jets above 20 GeV with |eta| < 3 that are no lepton, uint8, shape (n_events,).

    Jets of the input where it has some, else anti-kT 0.4 jets of all candidates.
    """
    jets = events.jets
    if jets is None:
        momentum = (columns[name] for name in ("pt", "eta", "phi", "mass"))
        jets = cluster(*momentum, columns.offsets, radius=0.4, min_pt=20.0)
    return count_jets(jets, leptons)
