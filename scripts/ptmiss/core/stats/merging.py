"""Effective numbers of events, and bins that are joined until each has enough of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def effective(weight: np.ndarray) -> float:
    """Return (sum w)^2 / sum w^2, what a bin is worth; 0 where the sum is not positive."""
    total = float(weight.sum())
    return total * total / float((weight * weight).sum()) if total > 0.0 else 0.0


def sums_in(
    values: np.ndarray, weight: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of weights and of their squares in each bin, (bins,); the last is closed."""
    sums, squares = (np.histogram(values, edges, weights=w)[0] for w in (weight, weight**2))
    return sums, squares


def effective_in(values: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the effective events of each bin, (bins,); 0 where their sum is not positive."""
    sums, squares = sums_in(values, weight, edges)
    return np.asarray(np.divide(sums**2, squares, np.zeros(sums.size), where=sums > 0.0))


def merge(
    samples: Sequence[tuple[np.ndarray, np.ndarray]], n_bins: int, needed: float
) -> list[tuple[int, int]]:
    """Join neighbouring bins until each has `needed` effective events in every sample.

    samples: (bin of each event, -1 for none; weight of each event). Returns ranges [first, last) of
    bins that cover all of them, in order. They are made from the last bin down, because weights of
    generated samples fall with q_t: a few heavy events in a bin hide the many light ones above. A
    remainder that is too small joins the first range; if all bins together have too few events, the
    one range of all of them is returned.
    """
    sums = np.zeros((len(samples), 2, n_bins))
    for pair, (number, weight) in zip(sums, samples, strict=True):
        inside = (number >= 0) & (number < n_bins)
        for row, values in zip(pair, (weight, weight * weight), strict=True):
            row += np.bincount(number[inside], values[inside], n_bins)
    ranges, last = [], n_bins
    for first in range(n_bins - 1, -1, -1):
        total, squares = sums[:, :, first:last].sum(axis=2).T
        if ((total > 0.0) & (total * total >= needed * squares)).all():
            ranges.append((first, last))
            last = first
    if last > 0:
        ranges = [*ranges[:-1], (0, ranges[-1][1] if ranges else n_bins)]
    return ranges[::-1]
