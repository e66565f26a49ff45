"""Hashes of identities: the same number on every machine and in every file."""

from __future__ import annotations

import numpy as np


def _mix(z: np.ndarray) -> np.ndarray:
    """Scramble 64-bit integers: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def event_hash(run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of (run, luminosity block, event), shape (n,), uint64.

    The same event gets the same hash on every machine and in every file.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        h = _mix(np.asarray(run, dtype=np.uint64) + golden)
        h = _mix(h + np.asarray(lumi, dtype=np.uint64) + golden)
        return _mix(h + np.asarray(event, dtype=np.uint64) + golden)
