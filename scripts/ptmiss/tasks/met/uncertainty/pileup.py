"""Another pile-up profile by weights of events.

Of all profiles with another mean number of vertices, the one nearest to the observed one (in the
sense of relative entropy) has the weights exp(lambda n). They turn a Poisson profile into another
Poisson, and shift a Gaussian one without changing its width (I. Csiszar, Ann. Probab. 3 (1975)
146). Nothing but the observed profile is needed, and no event gets an extreme weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np


def profile(chunks: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the sum of weights for each number of vertices 0, 1, ...; chunks: (n_pv, weight)."""
    total: np.ndarray = np.zeros(1)
    for n_pv, weight in chunks:
        more = np.bincount(n_pv.astype(np.int64), weights=weight, minlength=len(total))
        more[: len(total)] += total
        total = more
    return total


def tilted(profile: np.ndarray, shift: float) -> np.ndarray | None:
    """Return the factor for each number of vertices that moves the mean by a relative `shift`.

    The sum of weights stays. None where the profile cannot have that mean: too few events, or all
    with the same number of vertices. Negative sums count as none.
    """
    weight = np.maximum(profile, 0.0)
    filled = np.flatnonzero(weight)
    if not filled.size:
        return None
    number = np.arange(len(weight), dtype=np.float64)
    mean = float(np.average(number, weights=weight))
    target = mean * (1.0 + shift)
    if shift == 0.0:
        return np.ones(len(weight))
    if not filled[0] < target < filled[-1]:
        return None
    low, high = -50.0, 50.0
    while high - low > 1e-14 * max(1.0, abs(low)):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _mean(weight, number, middle) < target:
            low = middle
        else:
            high = middle
    factor = _factor(number, filled, 0.5 * (low + high))
    factor[weight == 0.0] = 0.0
    return np.asarray(factor * (weight.sum() / math.fsum(weight * factor)))


def _factor(number: np.ndarray, filled: np.ndarray, tilt: float) -> np.ndarray:
    """Return exp(tilt n) up to a constant that makes it at most 1 where there are events."""
    edge = filled[-1] if tilt > 0.0 else filled[0]
    return np.asarray(np.exp(np.minimum(tilt * (number - edge), 0.0)))


def _mean(weight: np.ndarray, number: np.ndarray, tilt: float) -> float:
    new = weight * _factor(number, np.flatnonzero(weight), tilt)
    return float(np.average(number, weights=new))
