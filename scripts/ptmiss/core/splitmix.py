"""SplitMix64 inside compiled kernels: the numbers of `core.hashing`, which needs no compiler.

The state of a generator grows by `GOLDEN` with each number, and `mix` of the state is the number.
"""

from __future__ import annotations

from ptmiss.core import hashing
from ptmiss.core.compiled import njit
from ptmiss.core.hashing import GOLDEN

__all__ = ["GOLDEN", "mix"]

mix = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(hashing.mix)
