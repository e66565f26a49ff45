"""How far two weighted samples are apart, and how far chance alone would put them.

Energy distance (Szekely and Rizzo, J. Stat. Plann. Inference 143 (2013) 1249) of one variable,
2 E|X - Y| - E|X - X'| - E|Y - Y'| = 2 integral (F - G)^2 dx, in GeV. It needs no bins and, unlike
the largest difference of distribution functions, its expectation under chance can be subtracted, so
that a sample too small to see a difference does not pretend to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_ENOUGH = 25
"""Permutations as far apart as the samples after which a p-value is known well enough."""

_LEAST = 200
"""Permutations that are always made: they also give mean and spread of chance."""


@dataclass(frozen=True)
class Pair:
    """Two samples of one variable, pooled. Shapes (n,).

    values: in GeV; shares: weights, of the first sample positive and summing to 1 in all, of the
    second negative and summing to -1, except that events of negative weight have the other sign;
    first: which events are of the first; strata: the group within which events are exchangeable.
    """

    values: np.ndarray
    shares: np.ndarray
    first: np.ndarray
    strata: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """A distance in GeV less what chance makes on average, and what chance can make.

    chance: that average; p_value: of a distance as large by chance; floor: the distance (less
    `chance`) that a perfect correction with its statistical error stays below in 95 of 100 cases.
    """

    distance: float
    chance: float
    p_value: float
    floor: float


def pair(
    values: tuple[np.ndarray, np.ndarray],
    weights: tuple[np.ndarray, np.ndarray],
    strata: tuple[np.ndarray, np.ndarray],
) -> Pair:
    """Return two samples pooled, the second given the first's sum of weights in each stratum.

    A correction changes the recoil at a given q_t and number of jets, not how many events have
    those. Strata without weight in one of the samples are left out.
    """
    n = 1 + max(int(number.max(initial=0)) for number in strata)
    sums = [np.bincount(s, w, n) for s, w in zip(strata, weights, strict=True)]
    good = (sums[0] > 0.0) & (sums[1] > 0.0)
    factor = np.where(good, sums[0] / np.where(good, sums[1], 1.0), 0.0)
    shares = [weights[0] * good[strata[0]], -weights[1] * factor[strata[1]]]
    total = shares[0].sum()
    return Pair(
        np.concatenate(values),
        np.concatenate(shares) / (total if total > 0.0 else 1.0),
        np.repeat([True, False], [values[0].size, values[1].size]),
        np.concatenate(strata),
    )


def energy(values: np.ndarray, shares: np.ndarray) -> float:
    """Return the energy distance in GeV of signed shares (see `Pair`)."""
    order = np.argsort(values)
    difference = np.cumsum(shares[order])[:-1]
    return float(2.0 * (difference**2 @ np.diff(values[order])))


def compare(
    two: Pair, permutations: int, seed: int, displacement: np.ndarray | None = None
) -> Outcome:
    """Return distance and p-value of two samples.

    permutations: at most; fewer where the p-value is clear before (Besag and Clifford, Biometrika
    78 (1991) 301). displacement: (replicas, n), how far an event of the second sample would lie
    elsewhere in replicas of the correction applied to it: the correction's own statistical error is
    part of what chance can do.
    """
    distance = energy(two.values, two.shares)
    plain, displaced = [], []
    beyond = 0
    for number, (shares, first) in enumerate(_permuted(two, permutations, seed)):
        if number < _LEAST or displacement is None:
            plain.append(energy(two.values, shares))
        chance = plain[-1]
        if displacement is not None:
            shift = np.where(first, 0.0, displacement[number % len(displacement)])
            chance = energy(two.values + shift, shares)
        displaced.append(chance)
        beyond += chance >= distance
        if beyond >= _ENOUGH and number + 1 >= _LEAST:
            break
    mean = float(np.mean(plain))
    p_value = (1 + beyond) / (1 + len(displaced))
    return Outcome(distance - mean, mean, p_value, float(np.quantile(displaced, 0.95)) - mean)


def _permuted(two: Pair, n: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield shares and sample of each event with the events of a stratum exchanged at random."""
    rng = np.random.default_rng(seed)
    grouped = np.argsort(two.strata, kind="stable")
    for _ in range(n):
        # sorted by (stratum, random number): a random order within each stratum
        mixed = np.lexsort((rng.random(two.strata.size), two.strata))
        shares, first = np.empty_like(two.shares), np.empty_like(two.first)
        shares[mixed], first[mixed] = two.shares[grouped], two.first[grouped]
        yield shares, first
