"""Errors of estimators that say of each event how uncertain they are, in units of that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.features import ESTIMATE, WITH_ERRORS
from ptmiss.tasks.met.performance.recoil import along_and_across
from ptmiss.tasks.met.performance.stream import Chunk

_FAR = 1e6
"""Stands for what is infinite: an error where certainty was claimed."""


def columns(estimator: str) -> tuple[str, ...]:
    """Return the columns of the square root E of an estimator's covariance: xx, xy, yy, in GeV."""
    return tuple(f"{estimator}_{column.name}" for column in WITH_ERRORS[len(ESTIMATE) :])


@dataclass(frozen=True)
class Errors:
    """The errors of an estimator in some events, (n,) each; NaN where something is missing.

    chi2: e^T C^-1 e with C = E E; pulls (2, n): along and across an axis; size: sqrt(tr C) and
    error: |e| in GeV; bad: events that have an error but no uncertainty.
    """

    chi2: np.ndarray
    pulls: np.ndarray
    size: np.ndarray
    error: np.ndarray
    bad: int

    @classmethod
    def of(cls, chunk: Chunk, estimator: str, place: int, has_boson: bool) -> Errors:
        """Return those of the estimator at a place of the events.

        The axis is the true recoil where the sample has a boson, the estimate elsewhere.
        """
        xx, xy, yy = (chunk.more[name] for name in columns(estimator))
        met = chunk.met[place]
        axis = -chunk.boson if has_boson else met
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ex, ey = met - chunk.true_met
            error, size = np.hypot(ex, ey), np.sqrt(xx**2 + 2.0 * xy**2 + yy**2)
            known, said = np.isfinite(error), np.isfinite(size)
            good = known & said
            ex, ey = np.where(good, ex, np.nan), np.where(good, ey, np.nan)
            det = xx * yy - xy**2
            chi2 = ((yy * ex - xy * ey) / det) ** 2 + ((xx * ey - xy * ex) / det) ** 2
            # E n and E m, with m across the axis n, have the lengths of the predicted sizes
            first, second = (
                np.stack(along_and_across(*row, *axis)) for row in ((xx, xy), (xy, yy))
            )
            pulls = np.stack(along_and_across(ex, ey, *axis)) / np.hypot(first, second)
        return cls(
            np.where(good & (det == 0.0), _FAR, np.minimum(chi2, _FAR)),
            np.clip(pulls, -_FAR, _FAR),
            np.where(good, size, np.nan),
            np.where(good, error, np.nan),
            int(np.count_nonzero(known & ~said)),
        )
