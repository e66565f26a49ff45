"""Which events of a sample are looked at, and reading them a few at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.ragged import Ragged, from_arrow
from ptmiss.events.columns import CANDIDATE_COLUMNS, PUPPI, layout_of, skim_schema
from ptmiss.events.repeats import find
from ptmiss.events.skim import info
from ptmiss.tasks.met.estimators.table import event_columns

CHUNK_EVENTS = 64
"""Events in memory at a time: with 4500 candidates each and all permuted features, 100 MB."""

_CHOICE = ["run", "lumi", "event", "fold"]
_VECTORS = ("boson", "gen_met")
_EVENT = ("run", "lumi", "event", *(f"{name}_p{axis}" for name in _VECTORS for axis in "xy"))


@dataclass(frozen=True)
class Sample:
    """The skims of one sample and what they say of themselves.

    selection: see the skim; flavour: of the PUPPI weight cand_puppi, empty where not said.
    """

    name: str
    files: tuple[str, ...]
    is_data: bool
    has_truth: bool
    selection: str
    flavour: str


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
class Events:
    """A few events. boson, true_met: (2, n) in GeV, NaN where missing; hashes: uint64 (n,)."""

    run: np.ndarray
    lumi: np.ndarray
    event: np.ndarray
    hashes: np.ndarray
    boson: np.ndarray
    true_met: np.ndarray
    candidates: Ragged

    def keep(self, which: np.ndarray) -> Events:
        """Return the events where `which`, bool (n,), is true."""
        if which.all():
            return self
        arrays = {
            name: getattr(self, name)[..., which]
            for name in ("run", "lumi", "event", "hashes", "boson", "true_met")
        }
        return Events(**arrays, candidates=self.candidates.keep_events(which))


def _schema(file: str | os.PathLike[str]) -> tuple[pa.Schema, int]:
    with parquet.reading(file) as opened:
        return opened.schema_arrow, opened.metadata.num_rows


def samples(files: Iterable[str | os.PathLike[str]]) -> list[Sample]:
    """Return the samples that skims make up, by name.

    Raises `UserError` for a file that is not a skim, a part given twice, and skims of one sample
    of which only some have the truth.
    """
    found: dict[str, dict[str, tuple[str, Sample]]] = {}
    opened = {os.fspath(file): _schema(file) for file in files}
    # those without events last: an empty input does not tell whether it would have had the truth
    for file in sorted(opened, key=lambda file: (opened[file][1] == 0, file)):
        schema, n_events = opened[file]
        event_columns(schema, file)
        said = info.read(schema, file, "make the skim again")
        sample = Sample(
            name=said.sample,
            files=(file,),
            is_data=said.is_data,
            has_truth="cand_truth" in schema.names,
            selection=said.selection,
            flavour=said.puppi_flavour,
        )
        parts = found.setdefault(sample.name, {})
        if parts and not n_events:
            continue
        if said.part in parts:
            raise UserError(
                f"{file}: holds part {said.part!r} of sample {sample.name}, which"
                f" {parts[said.part][0]} holds too; give each part once"
            )
        for other, its in parts.values():
            if its.has_truth != sample.has_truth:
                raise UserError(
                    f"{file}: cand_truth is in only one of this file and {other} of the same"
                    " sample; make both skims again"
                )
            if its.flavour != sample.flavour:
                raise UserError(
                    f"{file}: made with another skim.puppi_flavour than {other} of the same sample;"
                    " make both skims again"
                )
        parts[said.part] = (file, sample)
    if not found:
        raise UserError("--skims: no file given; expected at least one skim")
    return [
        Sample(**{
            **next(iter(parts.values()))[1].__dict__,
            "files": tuple(file for _, (file, _) in sorted(parts.items())),
        })
        for _, parts in sorted(found.items())
    ]  # fmt: skip


def choose(sample: Sample, test_folds: Sequence[int], n_events: int) -> list[Chosen]:
    """Return at most `n_events` events that may be used: of the test folds, of data any.

    Those with the smallest hash of their identity, so that the choice is random and does not depend
    on the order of files. Reads no candidates.
    """
    places, first = [], 0
    repeats = find(sample.files, sample.is_data)
    layout = layout_of(_CHOICE)
    for file in sample.files:
        for group, table in enumerate(parquet.row_groups(file, _CHOICE, layout)):
            identity = (table[name].to_numpy() for name in ("run", "lumi", "event"))
            hashes, usable = repeats.apply(first, event_hash(*identity))
            first += table.num_rows
            if not sample.is_data:
                usable &= np.isin(table["fold"].to_numpy(), np.array(test_folds, dtype=np.uint8))
            rows = np.flatnonzero(usable)
            hashes = hashes[rows]
            places.append(Chosen(file, group, rows, hashes))
    chosen = [place for place in places if len(place.rows)]
    if not chosen:
        return []
    limit = largest_hash(chosen, n_events)
    return [place.only(place.hashes <= limit) for place in chosen if (place.hashes <= limit).any()]


def largest_hash(chosen: Sequence[Chosen], n_events: int) -> np.uint64:
    """Return the hash up to which there are `n_events` of the events; the largest of fewer."""
    every = np.sort(np.concatenate([place.hashes for place in chosen]))
    return every[min(n_events, len(every)) - 1]


def read(
    chosen: Iterable[Chosen], has_truth: bool, puppi: str = PUPPI, size: int = CHUNK_EVENTS
) -> Iterator[Events]:
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
            yield Events(
                **{name: table[name].to_numpy() for name in ("run", "lumi", "event")},
                hashes=place.hashes[first : first + size],
                boson=_vector(table, "boson"),
                true_met=_vector(table, "gen_met"),
                candidates=from_arrow(table, needed),
            )


def _vector(table: pa.Table, name: str) -> np.ndarray:
    columns = [table[f"{name}_p{axis}"].combine_chunks().cast(pa.float64()) for axis in "xy"]
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns])
