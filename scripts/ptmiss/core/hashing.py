"""Hashes of identities: the same number on every machine and in every file."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Words = TypeVar("Words", np.uint64, npt.NDArray[np.uint64])

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What SplitMix64 adds to its state for each number."""

_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)


def mix(words: Words) -> Words:
    """Scramble 64-bit integers: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).

    `core.splitmix` compiles this very function with njit, for kernels.
    """
    words = (words ^ (words >> _SHIFT_1)) * _FACTOR_1
    words = (words ^ (words >> _SHIFT_2)) * _FACTOR_2
    return words ^ (words >> _SHIFT_3)


def event_hash(run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of (run, luminosity block, event), shape (n,), uint64.

    The same event gets the same hash on every machine and in every file.
    """
    with np.errstate(over="ignore"):
        h = mix(np.asarray(run, dtype=np.uint64) + GOLDEN)
        h = mix(h + np.asarray(lumi, dtype=np.uint64) + GOLDEN)
        return mix(h + np.asarray(event, dtype=np.uint64) + GOLDEN)
