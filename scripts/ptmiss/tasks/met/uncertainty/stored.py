"""Systematic variations that an input stores beside its METs: columns of nominal estimates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ptmiss.events.mets import STORED_SHIFTS
from ptmiss.tasks.met.estimators.stored import STORED
from ptmiss.tasks.met.performance.stream import Chunk, Chunks, Source


def candidate_estimators(source: Source) -> tuple[str, ...]:
    """Return the estimators that are made of candidates, which have files of each variation."""
    if not source.info.has_candidates:
        return ()
    return tuple(name for name in source.estimators if not name.startswith(STORED))


def stored_shifts(source: Source) -> dict[str, Mapping[str, str]]:
    """Return variation -> which estimators of a source have it stored, and under which columns."""
    shifts = {shift: source.shifted(shift) for shift in STORED_SHIFTS}
    own = candidate_estimators(source)
    kept = {
        shift: {name: column for name, column in columns.items() if name not in own}
        for shift, columns in shifts.items()
    }
    return {shift: columns for shift, columns in kept.items() if columns}


def with_columns(source: Source, columns: Mapping[str, str]) -> Source:
    """Return a source that reads estimators, then what they are under a variation."""
    return replace(source, estimators=(*columns, *columns.values()))


@dataclass(frozen=True)
class Shifted:
    """Events under a stored variation, of those estimators that have it.

    events: of `with_columns`. An event whose variation is not finite keeps its nominal estimate, so
    that the same events are compared; the ledger of the skim counts them.
    """

    events: Chunks

    def __call__(self) -> Iterator[Chunk]:
        """Yield the events."""
        for chunk in self.events():
            nominal, moved = np.split(chunk.met, 2)
            finite = np.isfinite(moved).all(axis=1, keepdims=True)
            yield replace(chunk, met=np.where(finite, moved, nominal))
