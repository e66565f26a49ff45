"""Angles and hyperbolic functions in compiled form, quicker than those that work for any number."""

from __future__ import annotations

import math

from ptmiss.core.compiled import njit

TWO_PI = 2.0 * math.pi


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def wrapped(phi: float) -> float:
    """Return an angle within three rotations of zero in [-pi, pi), without a slow division."""
    while phi >= math.pi:
        phi -= TWO_PI
    while phi < -math.pi:
        phi += TWO_PI
    return phi


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def positive(phi: float) -> float:
    """Return an angle of [-2 pi, 2 pi) in [0, 2 pi]."""
    return phi + TWO_PI if phi < 0.0 else phi


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def asinh(x: float) -> float:
    """Return the inverse hyperbolic sine by one logarithm, to 1e-15 absolute."""
    return math.copysign(math.log(abs(x) + math.sqrt(x * x + 1.0)), x)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def sinh(x: float) -> float:
    """Return the hyperbolic sine by one exponential, to 1e-16 absolute near zero."""
    exponential = math.exp(x)
    return 0.5 * (exponential - 1.0 / exponential)
