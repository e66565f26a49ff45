"""Random numbers inside compiled kernels: one 64-bit state an event, nothing shared.

An event's numbers follow from its own seed only, so they do not depend on the number of cores,
on the size of a chunk or on which events were simulated before it.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.compiled import njit
from ptmiss.folds import event_hash

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit(cache=True, nogil=True, error_model="numpy")
def uniform(state: np.ndarray) -> float:
    """Return a number in [0, 1) and advance `state` (uint64, shape (1,)).

    SplitMix64 (Steele, Lea, Flood, OOPSLA 2014); 53 bits are used.
    """
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    z = z ^ (z >> _S31)
    return float(z >> _S11) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True, error_model="numpy")
def normal(state: np.ndarray) -> float:
    """Return a standard normal number (polar method of Marsaglia and Bray, SIAM Rev. 6, 1964)."""
    while True:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        s = a * a + b * b
        if 0.0 < s < 1.0:
            return a * math.sqrt(-2.0 * math.log(s) / s)


@njit(cache=True, nogil=True, error_model="numpy")
def exponential(state: np.ndarray) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(1.0 - uniform(state))


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def gamma_unit_mean(state: np.ndarray, relative_width: float) -> float:
    """Return a positive number of mean 1 and standard deviation `relative_width`.

    Gamma distribution (Marsaglia and Tsang, ACM TOMS 26, 2000). Unlike a normal number cut at
    zero it keeps the mean however wide it is.
    """
    shape = 1.0 / (relative_width * relative_width)
    boost = 1.0
    k = shape
    if k < 1.0:
        boost = (1.0 - uniform(state)) ** (1.0 / k)
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
            return d * v * boost / shape
        if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v * boost / shape


def event_seeds(seed: int, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return one 64-bit seed for each event, uint64, shape (n,), from its identity and `seed`."""
    return event_hash(np.full(len(event), seed, dtype=np.uint64), lumi, event)
