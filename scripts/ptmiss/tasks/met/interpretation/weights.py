"""Mean weight of candidates in bins, for several estimators, in all replicas at once.

Each candidate counts once, whatever its momentum and whatever the weight of its event: the mean is
what a candidate of the bin may expect. Replicas draw events, because candidates of one event are
not independent. Weights are rounded to 2**-20 and summed as integers in float64, which is exact, so
that no result depends on the order of events.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.stats.bootstrap import interval
from ptmiss.core.tables import Row
from ptmiss.tasks.met.interpretation.cells import ALL, N_GROUPS, Cells
from ptmiss.tasks.met.interpretation.groups import GROUPS

UNIT = 2.0**20


@njit(cache=True, nogil=True)
def _fill(
    offsets: np.ndarray,
    groups: np.ndarray,
    numbers: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
) -> None:
    every = out.shape[1] - 1
    for i in range(offsets.size - 1):
        for j in range(offsets[i], offsets[i + 1]):
            for axis in range(numbers.shape[0]):
                cell = numbers[axis, j]
                if cell < 0:
                    continue
                out[i, every, cell, 0] += 1.0
                for e in range(weights.shape[0]):
                    out[i, every, cell, 1 + e] += weights[e, j]
                if groups[j] >= 0:
                    out[i, groups[j], cell, 0] += 1.0
                    for e in range(weights.shape[0]):
                        out[i, groups[j], cell, 1 + e] += weights[e, j]


class MeanWeights:
    """Sums over the candidates of a sample, and the means that follow from them."""

    def __init__(self, cells: Cells, estimators: Sequence[str], replicas: int) -> None:
        self._cells, self._estimators = cells, tuple(estimators)
        self._shape = (N_GROUPS, len(cells.cells), 1 + len(self._estimators))
        self._sums = np.zeros((1 + replicas, int(np.prod(self._shape))))

    def add(
        self,
        offsets: np.ndarray,
        groups: np.ndarray,
        numbers: np.ndarray,
        weights: np.ndarray,
        copies: np.ndarray,
    ) -> None:
        """Add events.

        offsets (n_events + 1,); groups: `groups.group_of`; numbers: `Cells.numbers`; weights
        (estimators, n_candidates), finite; copies (n_events, 1 + replicas): `bootstrap.copies`.
        """
        n = len(offsets) - 1
        per_event = np.zeros((n, *self._shape))
        rounded = np.rint(np.asarray(weights, dtype=np.float64) * UNIT)
        _fill(offsets, groups, numbers, rounded, per_event)
        self._sums += copies.T.astype(np.float64) @ per_event.reshape(n, -1)

    def rows(self, sample: str, min_candidates: int) -> Iterator[Row]:
        """Yield the rows of the table; a bin with too few candidates has empty numbers."""
        sums = self._sums.reshape(-1, *self._shape)
        for e, estimator in enumerate(self._estimators):
            for g, group in enumerate((*GROUPS, ALL)):
                for c, cell in enumerate(self._cells.cells):
                    if not cell.is_of(group):
                        continue
                    count, total = sums[:, g, c, 0], sums[:, g, c, 1 + e]
                    n = int(count[0])
                    numbers = (math.nan, math.nan, math.nan)
                    if n >= min_candidates:
                        with np.errstate(divide="ignore", invalid="ignore"):
                            mean = total / count / UNIT
                        numbers = (mean[0], *interval(mean))
                    head = (sample, estimator, group, cell.axis, cell.low, cell.high)
                    yield (*head, *numbers, n)
