"""Pile-up: how many collisions, which ones, where. Each event draws only from its own fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ptmiss.events.n_folds import N_FOLDS
from ptmiss.simulation.incoming import Incoming
from ptmiss.simulation.settings import Preset


class Profile(NamedTuple):
    """Number of interactions: mean values and their cumulative probability, float64, (n,)."""

    mu: np.ndarray
    cumulative: np.ndarray


class FoldLists(NamedTuple):
    """The collisions each fold may use: offsets int64 (11,), collisions int64 (n,)."""

    offsets: np.ndarray
    collisions: np.ndarray


class PileUp(NamedTuple):
    """What is overlaid: collisions, which of them each fold may use, how many."""

    library: Incoming
    lists: FoldLists
    profile: Profile


def gaussian_profile(mean: float, width: float) -> Profile:
    """Return a Gaussian profile of the mean number of interactions, cut at 0 and at 5 widths."""
    if width == 0:
        return Profile(np.array([float(mean)]), np.array([1.0]))
    mu = np.linspace(max(0.0, mean - 5 * width), mean + 5 * width, 401)
    return histogram_profile(
        [(m, w) for m, w in zip(mu, np.exp(-0.5 * ((mu - mean) / width) ** 2), strict=True)]
    )


def histogram_profile(points: Sequence[tuple[float, float]]) -> Profile:
    """Return a profile from pairs (mean number of interactions, weight)."""
    mu = np.array([point[0] for point in points], dtype=np.float64)
    weight = np.array([point[1] for point in points], dtype=np.float64)
    if len(mu) == 0 or (weight < 0).any() or weight.sum() <= 0 or (mu < 0).any():
        raise ValueError(
            "a pile-up profile needs means >= 0 and weights >= 0 that do not all vanish"
        )
    cumulative = np.cumsum(weight) / weight.sum()
    cumulative[-1] = 1.0
    return Profile(mu, cumulative)


def fold_lists(collisions_of_fold: Sequence[np.ndarray]) -> FoldLists:
    """Return the collisions of each fold as flat arrays; a fold may be empty."""
    if len(collisions_of_fold) != N_FOLDS:
        raise ValueError(f"{len(collisions_of_fold)} folds given, there are {N_FOLDS}")
    parts = [np.asarray(part, dtype=np.int64) for part in collisions_of_fold]
    offsets = np.zeros(N_FOLDS + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return FoldLists(offsets, np.concatenate(parts))


def profile_of(preset: Preset) -> Profile:
    """Return the profile that a preset of the settings asks for: its histogram or a Gaussian."""
    if preset.profile:
        return histogram_profile(preset.profile)
    return gaussian_profile(preset.pileup_mean, preset.pileup_width)
