"""Random numbers inside compiled kernels: one 64-bit state an event, nothing shared.

An event's numbers follow from its own seed only, so they do not depend on the number of cores,
on the size of a chunk or on which events were simulated before it.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.hashing import event_hash
from ptmiss.core.splitmix import GOLDEN, mix

_S11 = np.uint64(11)
_LAYER = np.uint64(127)
_TAIL, _AREA = 3.442619855899, 9.91256303526217e-3


def _edges() -> np.ndarray:
    """Return the right edges of the ziggurat's layers, shape (129,), from the base to the top."""
    edges = [_AREA * math.exp(0.5 * _TAIL * _TAIL), _TAIL]
    while len(edges) < 128:
        x = edges[-1]
        edges.append(math.sqrt(-2.0 * math.log(_AREA / x + math.exp(-0.5 * x * x))))
    return np.array([*edges, 0.0])


_EDGE = _edges()
_INSIDE = np.append(_EDGE[1:] / _EDGE[:-1], 0.0)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _word(state: np.ndarray) -> np.uint64:
    """Return 64 random bits and advance `state` (SplitMix64)."""
    state[0] += GOLDEN
    return mix(state[0])


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def uniform(state: np.ndarray) -> float:
    """Return a number in [0, 1) and advance `state` (uint64, shape (1,)); 53 bits are used."""
    return float(_word(state) >> _S11) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def normal(state: np.ndarray) -> float:
    """Return a standard normal number.

    Ziggurat of 128 layers (Marsaglia and Tsang, J. Stat. Softw. 5, 2000; constants and form of
    Doornik, 2005): 98.8 % of the numbers cost one word and no function. The layer comes from the
    lowest 7 bits of the word, the place in it from the highest 53.
    """
    while True:
        word = _word(state)
        layer = np.int64(word & _LAYER)
        u = float(word >> _S11) * (2.0 / 9007199254740992.0) - 1.0
        x = u * float(_EDGE[layer])
        if abs(u) < _INSIDE[layer]:
            return x
        if layer == 0:
            while True:  # beyond the outermost layer: Marsaglia's tail
                x = -math.log(1.0 - uniform(state)) / _TAIL
                y = -math.log(1.0 - uniform(state))
                if 2.0 * y >= x * x:
                    return _TAIL + x if u > 0.0 else -_TAIL - x
        low = math.exp(-0.5 * (_EDGE[layer] ** 2 - x * x))
        high = math.exp(-0.5 * (_EDGE[layer + 1] ** 2 - x * x))
        if high + uniform(state) * (low - high) < 1.0:
            return x


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def exponential(state: np.ndarray) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(1.0 - uniform(state))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def poisson(state: np.ndarray, mean: float) -> int:
    """Return a Poisson number; means up to a few hundred (product of uniforms in pieces)."""
    n = 0
    left = mean
    while left > 0.0:
        step = min(left, 50.0)
        left -= step
        limit = math.exp(-step)
        product = uniform(state)
        while product > limit:
            n += 1
            product *= uniform(state)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def gamma_unit_mean(state: np.ndarray, variance: float) -> float:
    """Return a positive number of mean 1 and the given variance.

    Gamma distribution (Marsaglia and Tsang, ACM TOMS 26, 2000). Unlike a normal number cut at
    zero it keeps the mean however wide it is.
    """
    boost = variance
    k = 1.0 / variance
    if k < 1.0:
        boost *= math.exp(math.log(1.0 - uniform(state)) * variance)
        k += 1.0
    d = k - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = 1.0 - uniform(state)
        x2 = x * x
        if u < 1.0 - 0.0331 * x2 * x2:  # the squeeze of the paper: saves both logarithms
            return d * v * boost
        if math.log(u) < 0.5 * x2 + d - d * v + d * math.log(v):
            return d * v * boost


def event_seeds(seed: int, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return one 64-bit seed for each event, uint64, shape (n,), from its identity and `seed`."""
    return event_hash(np.full(len(event), seed, dtype=np.uint64), lumi, event)
