"""Is the input in GeV and radians, and are all candidates there? Repairs would hide that."""

from __future__ import annotations

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.ledger import OFF_RAW_MET
from ptmiss.events.readers.batch import Vector

ENOUGH = 200
"""Fewer candidates than this say nothing about units."""

MANY = 20_000
"""Of more than these, evenly spread ones are looked at."""

TYPICAL_PT = (0.02, 30.0)
"""GeV. The median candidate of any collision lies between: 0.5 GeV with pile-up, 1 GeV without."""

FIRST_EVENTS = 100
"""So many events are compared with their stored raw MET: 5 ms, and a median good to a tenth."""


def check_units(columns: Ragged, address: str) -> None:
    """Raise `UserError` with a guess of the factor if pt or phi cannot be in GeV and radians."""
    step = max(1, len(columns["pt"]) // MANY)
    pt, phi = columns["pt"][::step], columns["phi"][::step]
    if len(pt) < ENOUGH:
        return
    median = float(np.median(pt))
    low, high = TYPICAL_PT
    if median > high:
        raise UserError(
            f"{address}: the median candidate pt is {median:.0f}, expected about 0.5 GeV: pt seems "
            "to be in MeV; divide pt and mass by 1000 (and other momenta alike)"
        )
    if 0 < median < low:
        raise UserError(
            f"{address}: the median candidate pt is {median:.2g}, expected about 0.5 GeV: pt seems "
            "to be in TeV, or weighted by PUPPI; multiply pt and mass by 1000 (and other momenta "
            "alike), or store candidates as they are"
        )
    large = float(np.mean(np.abs(phi) > 2 * np.pi + 0.01))
    if large > 0.1:
        raise UserError(
            f"{address}: {100 * large:.0f} % of the candidates have |phi| above 2 pi: phi seems to "
            "be in degrees; multiply it by pi / 180"
        )


def off_raw_met(
    columns: Ragged, whole: np.ndarray, stored: Vector | None
) -> tuple[float, int] | None:
    """Return how far the sum of the candidates is from the stored raw MET: median in GeV, events.

    columns: usable candidates of some events, pt and phi; whole: the events, (n_events,), that lost
    none as unusable; stored: the raw MET, None where the input has none. The first `FIRST_EVENTS`
    that are whole and have a finite MET count; None without any.
    """
    if stored is None:
        return None
    usable = whole & np.isfinite(stored.px) & np.isfinite(stored.py)
    events = np.flatnonzero(usable)[:FIRST_EVENTS]
    if not len(events):
        return None
    n = int(events[-1]) + 1
    offsets = columns.offsets[: n + 1]
    pt = columns["pt"][: offsets[-1]].astype(np.float64)
    phi = columns["phi"][: offsets[-1]].astype(np.float64)
    px = stored.px[:n] + segment_sum(pt * np.cos(phi), offsets)
    py = stored.py[:n] + segment_sum(pt * np.sin(phi), offsets)
    return float(np.median(np.hypot(px, py)[events])), len(events)


def refuse_incomplete(off: tuple[float, int], per_event: float, address: str) -> None:
    """Raise `UserError` if a file's candidates cannot be all those its raw MET was made of.

    off: what `off_raw_met` found; per_event: candidates of an event.
    """
    median, n = off
    if median <= OFF_RAW_MET:
        return
    raise UserError(
        f"{address}: the sum of the candidates is {median:.1f} GeV off the raw PF MET stored in "
        f"the file (median of {n} events with {per_event:.0f} candidates), expected below "
        f"{OFF_RAW_MET:g}: not all candidates are stored, or they are weighted (constituents of "
        "jets only? PUPPI?); produce the file with all of them, or set "
        "skim.incomplete_candidates: accept"
    )
