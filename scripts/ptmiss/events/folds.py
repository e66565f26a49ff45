"""Folds: which events may train, validate or test, decided by the event's identity alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ptmiss.core.hashing import event_hash
from ptmiss.events.n_folds import N_FOLDS


def fold_of(run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return the fold 0..9 of each event, shape (n,), uint8."""
    return (event_hash(run, lumi, event) % np.uint64(N_FOLDS)).astype(np.uint8)


def in_folds(fold: np.ndarray, folds: Sequence[int]) -> np.ndarray:
    """Return which events are in one of these folds, bool, (n,)."""
    return np.isin(fold, np.asarray(folds, dtype=np.uint8))
