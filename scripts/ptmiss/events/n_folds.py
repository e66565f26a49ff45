"""The number of folds, apart from what computes them: planning needs no numba."""

from __future__ import annotations

N_FOLDS = 10
"""Number of folds; the value is part of the data model and of every stored file."""
