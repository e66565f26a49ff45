"""Repairs of candidates: what is out of range is mended or removed, and counted by reason.

A candidate is judged as a whole: one whose momentum is unusable is removed, never half-kept (an
element-wise repair can zero pt and keep px). Limits as in CMSSW's DeepMET producer, which takes
NaN and magnitudes above 1e6 for unusable.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import OTHER_FLAVOUR
from ptmiss.events.objects.species import known_pdg_id

LIMIT = 1e6
"""Magnitudes above this are taken for garbage."""

PACKING = 0.01
"""Weights are packed into 8 bits: this far outside 0..1 is rounding, more is garbage."""

MAX_ABS_ETA = 10.0

Counts = dict[str, int]


def remove_unusable(columns: Ragged) -> tuple[Ragged, Counts]:
    """Return the candidates whose momentum is usable, and how many were dropped by reason."""
    with np.errstate(invalid="ignore"):
        bad = np.zeros(len(columns["pt"]), dtype=bool)
        for name in ("pt", "eta", "phi", "mass"):
            bad |= ~(np.abs(columns[name]) <= LIMIT)
        negative = ~bad & (columns["pt"] < 0)
        steep = ~bad & ~negative & (np.abs(columns["eta"]) > MAX_ABS_ETA)
    dropped = _counts(
        {
            "pt, eta, phi or mass not finite or beyond 1e6": bad,
            "negative pt": negative,
            "|eta| above 10": steep,
        }
    )
    if not dropped:
        return columns, dropped
    return columns.keep_candidates(~(bad | negative | steep)), dropped


def mend(columns: Ragged) -> tuple[Ragged, Counts]:
    """Return the candidates with every other column in range, and the number mended by reason.

    d0, dz not usable: 0. charge other than -1, 0, 1: its sign. Unknown pdg_id: +-211 for charged,
    130 for neutral. from_pv outside 0..3: 0 for charged, 3 for neutral (as in MiniAOD). puppi and
    truth: 0 if not finite, else clipped to 0..1. Columns that are absent stay absent; a from_pv
    left open by the reader (UNKNOWN) must have been derived before.
    """
    out = dict(columns.columns)
    masks: dict[str, np.ndarray] = {}
    for name in ("d0", "dz"):
        bad = ~(np.abs(out[name]) <= LIMIT)
        masks[f"{name} not finite or beyond 1e6"] = bad
        out[name] = _replaced(out[name], bad, 0)
    charge = out["charge"]
    masks["charge not -1, 0 or 1"] = np.abs(charge) > 1
    charge = np.sign(charge)
    out["charge"] = charge.astype(np.int8)
    unknown = ~known_pdg_id(out["pdg_id"])
    masks["unknown pdgId"] = unknown
    if unknown.any():
        out["pdg_id"] = np.where(unknown, np.where(charge != 0, 211 * charge, 130), out["pdg_id"])
    out["pdg_id"] = out["pdg_id"].astype(np.int16)
    if "from_pv" in out:
        strange = (out["from_pv"] < 0) | (out["from_pv"] > 3)
        masks["fromPV not 0..3"] = strange
        replaced = _replaced(out["from_pv"], strange, np.where(charge != 0, 0, 3))
        out["from_pv"] = replaced.astype(np.uint8)
    fractions = {"puppi": "PUPPI weight"}
    fractions |= {f"puppi_{flavour}": f"PUPPI weight ({flavour})" for flavour in OTHER_FLAVOUR}
    fractions["truth"] = "truth fraction"
    for name, text in fractions.items():
        if name in out:
            values = out[name]
            outside = ~((values >= -PACKING) & (values <= 1 + PACKING))
            masks[f"{text} not within 0..1"] = outside
            out[name] = np.clip(_replaced(values, ~np.isfinite(values), 0), 0, 1)
    return Ragged(columns.offsets, out), _counts(masks)


def hardest(columns: Ragged, limit: int) -> tuple[Ragged, Counts]:
    """Return at most `limit` candidates of each event, the hardest, in their stored order."""
    counts = columns.counts
    if not (counts > limit).any():
        return columns, {}
    keep = np.ones(len(columns["pt"]), dtype=bool)
    for event in np.flatnonzero(counts > limit):
        first, last = columns.offsets[event], columns.offsets[event + 1]
        order = np.argsort(-columns["pt"][first:last], kind="stable")
        keep[first + order[limit:]] = False
    return columns.keep_candidates(keep), {"more than the limit of an event": int((~keep).sum())}


def _replaced(values: np.ndarray, where: np.ndarray, by: npt.ArrayLike) -> np.ndarray:
    return np.where(where, by, values).astype(values.dtype) if where.any() else values


def _counts(masks: dict[str, np.ndarray]) -> Counts:
    counts = {reason: int(np.count_nonzero(mask)) for reason, mask in masks.items()}
    return {reason: n for reason, n in counts.items() if n}
