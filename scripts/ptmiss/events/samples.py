"""Which files make up a sample, and their events: each part once, each event once."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.events.columns import layout_of
from ptmiss.events.folds import in_folds
from ptmiss.events.repeats import Repeats, find
from ptmiss.events.skim import info
from ptmiss.events.skim.info import Info


@dataclass(frozen=True)
class Part:
    """A file of events and what it says of itself. rows: number of events."""

    path: str
    rows: int
    schema: pa.Schema
    info: Info


def part_of(
    path: PathLike,
    require: Callable[[pa.Schema, str], object],
    remedy: str,
    estimates: bool = False,
) -> Part:
    """Return a part of a sample.

    Parameters
    ----------
    path
        Parquet of a skim or of estimates.
    require
        Raises `UserError` where the columns are not those of such a file.
    remedy
        What to do about a file that does not say what it is.
    estimates
        Whether it is a file of estimates, which names its training and variation.

    Raises
    ------
    UserError
        For a file that cannot be read or does not say what it is.
    """
    name = os.fspath(path)
    with parquet.reading(name) as opened:
        schema, rows = opened.schema_arrow, opened.metadata.num_rows
    require(schema, name)
    return Part(name, rows, schema, info.read(schema, name, remedy, estimates))


def grouped(parts: Iterable[Part]) -> list[tuple[Part, ...]]:
    """Return the parts of each sample and variation, in their order, by sample and variation.

    Parts without events are left out where others have some: an empty input does not tell what it
    would have had, say, the truth. Raises `UserError` for a part that two files hold.
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.info.sample, part.info.variation), []).append(part)
    return [_each_once(groups[key]) for key in sorted(groups)]


def _each_once(parts: Sequence[Part]) -> tuple[Part, ...]:
    seen: dict[str, Part] = {}
    for part in sorted(parts, key=lambda part: (part.info.part, part.path)):
        first = seen.setdefault(part.info.part, part)
        if first is not part:
            raise UserError(
                f"{part.path}: holds part {part.info.part!r} of sample {part.info.sample}, which"
                f" {first.path} holds too; give each part once"
            )
    return tuple(part for part in seen.values() if part.rows) or tuple(seen.values())


class RowGroup(NamedTuple):
    """A row group of a sample. number: within its file; first: row of its first event, counted
    through all files of the sample."""

    file: str
    number: int
    first: int
    table: pa.Table


@dataclass(frozen=True)
class Sample:
    """A sample in one variation. parts: from `grouped`."""

    parts: tuple[Part, ...]

    @property
    def info(self) -> Info:
        """What the first part says, and so do all."""
        return self.parts[0].info

    @property
    def name(self) -> str:
        """The name of the sample."""
        return self.info.sample

    @property
    def is_data(self) -> bool:
        """Whether events were recorded."""
        return self.info.is_data

    @property
    def files(self) -> tuple[str, ...]:
        """The files in the order of the parts."""
        return tuple(part.path for part in self.parts)

    def has(self, column: str) -> bool:
        """Whether all parts have a column."""
        return all(column in part.schema.names for part in self.parts)

    @functools.cached_property
    def repeats(self) -> Repeats:
        """Events that several of the files hold."""
        return find(self.files, self.is_data)

    def row_groups(self, columns: Sequence[str]) -> Iterator[RowGroup]:
        """Yield the row groups of all files, with repeated events; see `distinct`."""
        layout = layout_of(columns)
        first = 0
        for file in self.files:
            tables = parquet.row_groups(file, list(columns), layout)
            for number, table in enumerate(tables):
                yield RowGroup(file, number, first, table)
                first += table.num_rows

    def distinct(self, group: RowGroup) -> tuple[pa.Table, np.ndarray]:
        """Return the events of a row group that no group before it holds, and a hash of each.

        The table needs the columns of the identity.
        """
        return self.repeats.rows(group.table, group.first)

    def usable(self, fold: np.ndarray, folds: Sequence[int]) -> np.ndarray:
        """Return which events of these folds may be used, bool, (n,): of data all, because no
        network learns from them."""
        return np.ones(fold.size, dtype=bool) if self.is_data else in_folds(fold, folds)


def require_one_energy(samples: Iterable[Sample], what: str) -> None:
    """Refuse samples of different centre-of-mass energies, where their files say one.

    what: is made of them. Raises `UserError` naming two of them.
    """
    energies = {sample.name: sample.info.sqrt_s for sample in samples if sample.info.sqrt_s}
    if len(set(energies.values())) > 1:
        first, *others = sorted(energies)
        other = next(name for name in others if energies[name] != energies[first])
        raise UserError(
            f"{what}: sample {other} is of sqrt(s) = {energies[other]} TeV, {first} of"
            f" {energies[first]} TeV; give it samples of one energy"
        )
