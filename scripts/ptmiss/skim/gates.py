"""Is the input in GeV and radians? Repairs would hide a whole file in other units."""

from __future__ import annotations

import numpy as np

from ptmiss.errors import UserError
from ptmiss.ragged import Ragged

ENOUGH = 200
"""Fewer candidates than this say nothing about units."""

MANY = 20_000
"""Of more than these, evenly spread ones are looked at."""

TYPICAL_PT = (0.02, 30.0)
"""GeV. The median candidate of any collision lies between: 0.5 GeV with pile-up, 1 GeV without."""


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
            "to be in TeV; multiply pt and mass by 1000 (and other momenta alike)"
        )
    large = float(np.mean(np.abs(phi) > 2 * np.pi + 0.01))
    if large > 0.1:
        raise UserError(
            f"{address}: {100 * large:.0f} % of the candidates have |phi| above 2 pi: phi seems to "
            "be in degrees; multiply it by pi / 180"
        )
