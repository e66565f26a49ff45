"""Hashes of what events hold, and which hashes came before."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ptmiss.core.hashing import event_hash


def hashed(columns: Iterable[np.ndarray]) -> np.ndarray:
    """Return one 64-bit hash of the numbers of each event, each array (n,); all NaN are alike."""
    total = None
    for number, values in enumerate(columns):
        bits = np.where(np.isnan(values), np.nan, values + 0.0).astype(np.float64).view(np.uint64)
        before = np.zeros_like(bits) if total is None else total
        total = event_hash(before, bits, np.full_like(bits, number))
    return np.zeros(0, dtype=np.uint64) if total is None else total


class Seen:
    """Hashes so far: 8 bytes each."""

    def __init__(self) -> None:
        self._hashes = np.zeros(0, dtype=np.uint64)

    def again(self, own: np.ndarray) -> np.ndarray:
        """Return which hashes were there before, here or in an earlier call, and remember all."""
        _, first = np.unique(own, return_index=True)
        again = np.ones(len(own), dtype=bool)
        again[first] = False
        if len(self._hashes):
            at = np.searchsorted(self._hashes, own)
            again |= self._hashes[np.minimum(at, len(self._hashes) - 1)] == own
        # both parts are sorted runs, which this kind of sort merges in linear time
        joined = np.concatenate([self._hashes, np.sort(own[~again])])
        self._hashes = np.sort(joined, kind="stable")
        return again
