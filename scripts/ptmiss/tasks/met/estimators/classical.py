"""The classical estimators: minus the vector sum of candidates, each with a fixed weight.

All four are one sum with other weights, so that they differ in nothing else:

- pf: every candidate counts fully.
- chs, charged hadron subtraction: charged candidates whose track belongs to another collision's
  vertex are left out (CMS, arXiv:1706.04965, section 9; CMS, arXiv:2003.00503, section 3).
- puppi: the probability that a candidate comes from the primary collision
  (Bertolini et al., arXiv:1407.6013).
- oracle: the true fraction of the candidate that came from the hard collision. Known in simulated
  events only; it shows what the detector would allow if pile-up were known.
"""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged, segment_sum

OTHER_VERTEX = 0
"""Value of cand_from_pv of a charged candidate that was used in the fit of another vertex."""

COLUMNS = {
    "pf": (),
    "chs": ("cand_charge", "cand_from_pv"),
    "puppi": ("cand_puppi",),
    "oracle": ("cand_truth",),
}
"""Estimator -> candidate columns that its weights need."""

MOMENTUM_COLUMNS = ("cand_pt", "cand_phi")
"""Candidate columns that every estimator needs."""


def candidate_weights(estimator: str, candidates: Ragged) -> np.ndarray:
    """Return the weight of each candidate, float64, shape (n_candidates,).

    estimator: a key of `COLUMNS`; candidates: events with at least the columns named there and
    cand_pt.
    """
    if estimator == "chs":
        dropped = (candidates["cand_charge"] != 0) & (candidates["cand_from_pv"] == OTHER_VERTEX)
        return np.where(dropped, 0.0, 1.0)
    if estimator == "puppi":
        return candidates["cand_puppi"].astype(np.float64)
    if estimator == "oracle":
        return candidates["cand_truth"].astype(np.float64)
    if estimator == "pf":
        return np.ones(len(candidates["cand_pt"]))
    raise ValueError(f"no classical estimator is called {estimator!r}")


def transverse_momentum(candidates: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Return px and py of each candidate in GeV, float64, each of shape (n_candidates,)."""
    pt = candidates["cand_pt"].astype(np.float64)
    phi = candidates["cand_phi"].astype(np.float64)
    return pt * np.cos(phi), pt * np.sin(phi)


def missing_momentum(
    momentum: tuple[np.ndarray, np.ndarray], weights: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return minus the weighted sum of the candidates of each event.

    momentum: px and py of `transverse_momentum`; weights: shape (n_candidates,); offsets: of the
    events, shape (n_events + 1,). Returns px and py of pTmiss in GeV, float64, (n_events,) each;
    an event without candidates has exactly 0 (and not -0, which would print as such).
    """
    px, py = (0.0 - segment_sum(weights * component, offsets) for component in momentum)
    return px, py
