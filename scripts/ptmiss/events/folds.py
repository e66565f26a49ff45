"""Folds: which events may train, validate or test, decided by the event's identity alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ptmiss.core.hashing import event_hash

N_FOLDS = 10
"""Number of folds; the value is part of the data model and of every stored file."""


def fold_of(run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return the fold 0..9 of each event, shape (n,), uint8."""
    return (event_hash(run, lumi, event) % np.uint64(N_FOLDS)).astype(np.uint8)


def in_folds(fold: np.ndarray, folds: Sequence[int]) -> np.ndarray:
    """Return which events are in one of these folds, bool, (n,)."""
    return np.isin(fold, np.asarray(folds, dtype=np.uint8))
