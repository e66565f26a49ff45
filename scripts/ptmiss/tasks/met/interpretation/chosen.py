"""Which events of a sample are looked at, and reading them a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, from_arrow
from ptmiss.events.columns import CANDIDATE_COLUMNS, IDENTITY, PUPPI, layout_of, skim_schema
from ptmiss.events.samples import Part, Sample, grouped, part_of
from ptmiss.tasks.met.estimators.table import event_columns

CHUNK_EVENTS = 64
"""Events in memory at a time: with 4500 candidates each and all permuted features, 100 MB."""

_CHOICE = [*IDENTITY, "fold"]
_VECTORS = ("boson", "gen_met")
_EVENT = ("run", "lumi", "event", *(f"{name}_p{axis}" for name in _VECTORS for axis in "xy"))


@dataclass(frozen=True)
class Chosen:
    """Events of one row group. rows: their places in it, rising; hashes: of their identities."""

    file: str
    group: int
    rows: np.ndarray
    hashes: np.ndarray

    def only(self, which: np.ndarray | slice) -> Chosen:
        """Return some of these events."""
        return Chosen(self.file, self.group, self.rows[which], self.hashes[which])


@dataclass(frozen=True)
class CandidateEvents:
    """A few events. boson, true_met: (2, n) in GeV, NaN where missing; hashes: uint64 (n,)."""

    run: np.ndarray
    lumi: np.ndarray
    event: np.ndarray
    hashes: np.ndarray
    boson: np.ndarray
    true_met: np.ndarray
    candidates: Ragged

    def keep(self, which: np.ndarray) -> CandidateEvents:
        """Return the events where `which`, bool (n,), is true."""
        if which.all():
            return self
        arrays = {
            name: getattr(self, name)[..., which]
            for name in ("run", "lumi", "event", "hashes", "boson", "true_met")
        }
        return CandidateEvents(**arrays, candidates=self.candidates.keep_events(which))


def has_truth(sample: Sample) -> bool:
    """Return whether the candidates of a sample have the truth."""
    return "cand_truth" in sample.parts[0].schema.names


def samples(files: Iterable[PathLike]) -> list[Sample]:
    """Return the samples that skims make up, by name.

    Raises `UserError` for a file that is not a skim, a part given twice, and skims of one sample
    of which only some have the truth.
    """
    parts = [part_of(file, event_columns, "make the skim again") for file in files]
    if not parts:
        raise UserError("--skims: no file given; expected at least one skim")
    groups = grouped(parts)
    for members in groups:
        for part in members[1:]:
            _require_alike(members[0], part)
    return [Sample(members) for members in groups]


def _require_alike(first: Part, other: Part) -> None:
    if ("cand_truth" in first.schema.names) != ("cand_truth" in other.schema.names):
        raise UserError(
            f"{other.path}: cand_truth is in only one of this file and {first.path} of the same"
            " sample; make both skims again"
        )
    if first.info.puppi_flavour != other.info.puppi_flavour:
        raise UserError(
            f"{other.path}: made with another skim.puppi_flavour than {first.path} of the same"
            " sample; make both skims again"
        )


def choose(sample: Sample, test_folds: Sequence[int], n_events: int) -> list[Chosen]:
    """Return at most `n_events` events that may be used: of the test folds, of data any.

    Those with the smallest hash of their identity, so that the choice is random and does not depend
    on the order of files. Reads no candidates.
    """
    places = []
    for group in sample.row_groups(_CHOICE):
        identity = (group.table[name].to_numpy() for name in IDENTITY)
        hashes, usable = sample.repeats.apply(group.first, event_hash(*identity))
        rows = np.flatnonzero(usable & sample.usable(group.table["fold"].to_numpy(), test_folds))
        places.append(Chosen(group.file, group.number, rows, hashes[rows]))
    chosen = [place for place in places if len(place.rows)]
    if not chosen:
        return []
    limit = largest_hash(chosen, n_events)
    return [place.only(place.hashes <= limit) for place in chosen if (place.hashes <= limit).any()]


def largest_hash(chosen: Sequence[Chosen], n_events: int) -> np.uint64:
    """Return the hash up to which there are `n_events` of the events; the largest of fewer."""
    every = np.sort(np.concatenate([place.hashes for place in chosen]))
    return np.uint64(every[min(n_events, len(every)) - 1])


def read(
    chosen: Iterable[Chosen], has_truth: bool, puppi: str = PUPPI, size: int = CHUNK_EVENTS
) -> Iterator[CandidateEvents]:
    """Yield the chosen events, at most `size` at a time, one row group after the other.

    puppi: the column that the network reads as PUPPI weight.
    """
    wanted = {*skim_schema(has_truth).names, puppi}
    needed = [name for name in CANDIDATE_COLUMNS if name in wanted]
    columns = [*_EVENT, *needed]
    layout = layout_of(columns)
    for place in chosen:
        with parquet.reading(place.file) as file:
            group = parquet.read_group(file, place.file, place.group, columns, layout)
        for first in range(0, len(place.rows), size):
            rows = place.rows[first : first + size]
            table = group.take(pa.array(rows))
            yield CandidateEvents(
                **{name: table[name].to_numpy() for name in ("run", "lumi", "event")},
                hashes=place.hashes[first : first + size],
                boson=_vector(table, "boson"),
                true_met=_vector(table, "gen_met"),
                candidates=from_arrow(table, needed),
            )


def _vector(table: pa.Table, name: str) -> np.ndarray:
    return np.stack([parquet.float64(table, f"{name}_p{axis}") for axis in "xy"])
