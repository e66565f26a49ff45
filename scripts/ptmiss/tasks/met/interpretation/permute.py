"""Permuting one feature among the candidates of an event, and nothing else.

A permuted feature has its distribution and loses its relation to the candidate: what gets worse by
it is what the feature was good for (Breiman, "Random forests", 2001; Fisher, Rudin, Dominici,
arXiv:1801.01489). A feature whose content others repeat (charge and pdgId, PUPPI and the vertex)
looks less important than it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.hashing import event_hash
from ptmiss.core.splitmix import GOLDEN, mix
from ptmiss.learn.features import Features
from ptmiss.tasks.met.features import CATEGORIES, CONTINUOUS, PT, PX, PY

MOMENTUM = "momentum"
"""pt, px and py together: they are one vector, and one of them alone would contradict the rest."""

DIRECTION = "direction"
"""px and py turned to the azimuth of another candidate, pt kept."""

PERMUTED = ("d0", "dz", "eta", "mass", "puppi", *CATEGORIES, MOMENTUM, DIRECTION)
"""What is permuted, one at a time."""

NEIGHBOURS = "neighbours"
"""All features of what lies around a candidate together, in networks that see them."""


def names_of(n_features: int) -> tuple[str, ...]:
    """Return what is permuted for a network with so many continuous features."""
    return (*PERMUTED, NEIGHBOURS) if n_features > len(CONTINUOUS) else PERMUTED


@njit(cache=True, nogil=True)
def _shuffle(offsets: np.ndarray, states: np.ndarray, out: np.ndarray) -> None:
    for i in range(states.size):
        first, last = offsets[i], offsets[i + 1]
        for j in range(first, last):
            out[j] = j
        s = states[i]
        for j in range(last - 1, first, -1):
            s = s + GOLDEN
            k = first + np.int64(mix(s) % np.uint64(j - first + 1))
            out[j], out[k] = out[k], out[j]


def sources_of(offsets: np.ndarray, hashes: np.ndarray, seed: int, feature: str) -> np.ndarray:
    """Return for each candidate another one of its event, int64 (n_candidates,): a permutation.

    hashes: of the events' identities, uint64 (n_events,). The same event gets the same permutation
    in every file; each feature has its own. Fisher-Yates with SplitMix64.
    """
    number = (*PERMUTED, NEIGHBOURS).index(feature)
    states = event_hash(hashes, np.full_like(hashes, seed), np.full_like(hashes, number))
    out = np.empty(int(offsets[-1]), dtype=np.int64)
    _shuffle(np.asarray(offsets, dtype=np.int64), states, out)
    return out


def permuted(features: Features, feature: str, source: np.ndarray) -> Features:
    """Return features in which each candidate has `feature` of the candidate `source`."""
    if feature in CATEGORIES:
        categories = features.categories.copy()
        column = CATEGORIES.index(feature)
        categories[:, column] = categories[source, column]
        return replace(features, categories=categories)
    continuous = features.continuous.copy()
    if feature == MOMENTUM:
        columns = [PT, PX, PY]
        continuous[:, columns] = continuous[source][:, columns]
    elif feature == NEIGHBOURS:
        continuous[:, len(CONTINUOUS) :] = continuous[source, len(CONTINUOUS) :]
    elif feature == DIRECTION:
        pt = continuous[source, PT]
        scale = np.where(pt > 0, continuous[:, PT] / np.where(pt > 0, pt, 1), np.float32(0))
        for column in (PX, PY):
            continuous[:, column] = scale * continuous[source, column]
    else:
        column = CONTINUOUS.index(feature)
        continuous[:, column] = continuous[source, column]
    return replace(features, continuous=continuous)
