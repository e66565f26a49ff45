"""Run, luminosity block and event numbers of simulated events, in the folds that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ptmiss.events.folds import fold_of

RUN = 1
EVENTS_OF_A_PART = 10_000_000
"""Event numbers set aside for a part: unique over a sample for up to 1e6 events in one fold."""


class Numbers(NamedTuple):
    """Luminosity block, event numbers (uint64, (n,)) and folds (uint8, (n,)) of events."""

    lumi: int
    event: np.ndarray
    fold: np.ndarray


def number_events(part: int, n_events: int, folds: Sequence[int]) -> Numbers:
    """Return the numbers of the events of a part.

    The luminosity block is part + 1. Event numbers rise from part x EVENTS_OF_A_PART + 1 and leave
    out those whose fold is not in `folds`. Raises ValueError if the range of a part is too small.
    """
    lumi = part + 1
    first = part * EVENTS_OF_A_PART + 1
    chosen = np.zeros(0, dtype=np.uint64)
    size = 12 * max(n_events, 10) // len(set(folds))
    begin = 0
    while len(chosen) < n_events:
        if begin >= EVENTS_OF_A_PART - 1:
            raise ValueError(f"a part has no room for {n_events} events in the folds {folds}")
        end = min(begin + size, EVENTS_OF_A_PART - 1)
        numbers = np.arange(first + begin, first + end, dtype=np.uint64)
        fold = fold_of(np.full(len(numbers), RUN), np.full(len(numbers), lumi), numbers)
        chosen = np.concatenate([chosen, numbers[np.isin(fold, list(folds))]])
        begin = end
    chosen = chosen[:n_events]
    fold = fold_of(np.full(n_events, RUN), np.full(n_events, lumi), chosen)
    return Numbers(lumi, chosen, fold)
