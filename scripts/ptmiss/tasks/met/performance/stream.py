"""Estimates files: which belong together, and their events, a bounded number at a time."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.conditions import COLUMNS, Condition
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.stats.bootstrap import states_of
from ptmiss.events.columns import layout_of
from ptmiss.events.repeats import Repeats, find
from ptmiss.events.skim import info
from ptmiss.tasks.met.estimators.table import declared
from ptmiss.tasks.met.features import ESTIMATE

CHUNK_EVENTS = 8192
"""Events in memory at a time: their bootstrap copies (4 MB for 500 replicas) stay in the cache."""

MOST_VERTICES = 65535
"""What the column of a skim can hold."""

_TRUTH = ("gen_met_px", "gen_met_py", "gen_ht")
_BOSON = ("boson_px", "boson_py")
_EVENT = ("run", "lumi", "event", "fold", "weight", "n_pv", *_TRUTH, *_BOSON)
_DERIVED = {"q_t": _BOSON, "gen_met": _TRUTH[:2]}
_HASH = "hash"
_REMEDY = "make it again with the stage evaluate"


@dataclass(frozen=True)
class Chunk:
    """Events. Shapes (n,), boson and true_met (2, n), met (estimators, 2, n); GeV; NaN: missing.

    states: generator states of the bootstrap; boson_has_neutrino: the boson is a lepton and a
    neutrino, so that its momentum is only partly visible.
    """

    states: np.ndarray
    weight: np.ndarray
    n_pv: np.ndarray
    gen_ht: np.ndarray
    boson: np.ndarray
    true_met: np.ndarray
    met: np.ndarray
    boson_has_neutrino: bool = False


@dataclass(frozen=True)
class Source:
    """The files of one sample and variation, and what they say of themselves.

    files: in the order of the parts; sqrt_s: centre-of-mass energy in TeV, empty where it is not
    known.
    """

    training: str
    sample: str
    variation: str
    label: str
    is_data: bool
    boson_has_neutrino: bool
    estimators: tuple[str, ...]
    files: tuple[str, ...]
    sqrt_s: str = ""

    @functools.cached_property
    def repeats(self) -> Repeats:
        """Events that several of the files hold."""
        return find(self.files, self.is_data)

    def chunks(
        self,
        test_folds: Sequence[int],
        seed: int,
        size: int = CHUNK_EVENTS,
        where: Condition | None = None,
    ) -> Iterator[Chunk]:
        """Yield the events that may be used: those of the test folds, of data all; each only once.

        where: a further condition on them.
        """
        columns = [*_EVENT, *(f"{name}_p{axis}" for name in self.estimators for axis in "xy")]
        columns += [name for name in COLUMNS if where and name in where.columns - set(_DERIVED)
                    and name not in columns]  # fmt: skip
        layout = layout_of(columns)
        waiting: list[pa.Table] = []
        row = 0
        for file in self.files:
            for table in parquet.row_groups(file, columns, layout):
                kept, identity = self.repeats.rows(_check(table, file), row)
                waiting.append(kept.append_column(_HASH, pa.array(identity)))
                row += table.num_rows
                while sum(part.num_rows for part in waiting) >= size:
                    joined = pa.concat_tables(waiting)
                    yield self._chunk(joined.slice(0, size), test_folds, seed, where)
                    waiting = [joined.slice(size)]
        if sum(part.num_rows for part in waiting):
            yield self._chunk(pa.concat_tables(waiting), test_folds, seed, where)

    def _chunk(
        self, table: pa.Table, test_folds: Sequence[int], seed: int, where: Condition | None
    ) -> Chunk:
        if not self.is_data:
            kept = np.isin(table["fold"].to_numpy(), np.asarray(test_folds, dtype=np.uint8))
            table = table.filter(pa.array(kept))
        if where is not None:
            table = table.filter(pa.array(where.holds(_columns(table, where))))
        whole = ("event", _HASH)  # numbers that float64 cannot hold
        number = {name: _float64(table, name) for name in table.column_names if name not in whole}
        met = [[number[f"{name}_p{axis}"] for axis in "xy"] for name in self.estimators]
        return Chunk(
            states=states_of(table[_HASH].to_numpy(), seed),
            weight=number["weight"],
            n_pv=number["n_pv"],
            gen_ht=number["gen_ht"],
            boson=np.stack([number[name] for name in _BOSON]),
            true_met=np.stack([number["gen_met_px"], number["gen_met_py"]]),
            met=np.array(met).reshape(len(self.estimators), 2, table.num_rows),
            boson_has_neutrino=self.boson_has_neutrino,
        )


def _columns(table: pa.Table, where: Condition) -> dict[str, np.ndarray]:
    """Return the columns of a condition, and one that tells how many events there are."""
    found = {"weight": _float64(table, "weight")}
    for name in where.columns:
        parts = [_float64(table, part) for part in _DERIVED.get(name, (name,))]
        found[name] = parts[0] if len(parts) == 1 else np.hypot(*parts)
    return found


class Replay:
    """Gives the same events again with every call; those of a small sample are read only once.

    make: reads the events; most: chunks that are kept in memory, so that this stays bounded.
    """

    def __init__(self, make: Callable[[], Iterable[Chunk]], most: int = 8) -> None:
        self._make, self._most = make, most
        self._kept: list[Chunk] | None = None

    def __call__(self) -> Iterator[Chunk]:
        """Yield the events."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Chunk] | None = []
        for chunk in self._make():
            if kept is not None:
                kept = [*kept, chunk] if len(kept) < self._most else None
            yield chunk
        self._kept = kept


def _float64(table: pa.Table, name: str) -> np.ndarray:
    """Return a column as float64; null becomes NaN."""
    column = table[name].combine_chunks().cast(pa.float64())
    return column.to_numpy(zero_copy_only=False)


def _check(table: pa.Table, file: str) -> pa.Table:
    weight = _float64(table, "weight")
    if not np.isfinite(weight).all():
        row = int(np.flatnonzero(~np.isfinite(weight))[0])
        identity = ":".join(str(table[name][row]) for name in ("run", "lumi", "event"))
        raise UserError(
            f"{file}: event {identity}: weight is {weight[row]}, expected a finite number;"
            f" {_REMEDY}"
        )
    n_pv = _float64(table, "n_pv")
    if n_pv.size and not 0.0 <= n_pv.min() <= n_pv.max() <= MOST_VERTICES:
        raise UserError(
            f"{file}: n_pv reaches from {n_pv.min():g} to {n_pv.max():g}, expected numbers of"
            f" vertices up to {MOST_VERTICES}; {_REMEDY}"
        )
    return table.replace_schema_metadata(None)


def sources(files: Iterable[str | os.PathLike[str]], stored: Sequence[str]) -> list[Source]:
    """Return the sources that the files make up, sorted by sample and variation.

    stored: METs of the input that are measured besides the estimators. Raises `UserError` for a
    file that is not an estimates file, a part given twice, files of several trainings, and files of
    one sample that do not hold the same estimators.
    """
    groups: dict[tuple[str, str], list[tuple[str, str, int, Source]]] = {}
    for file in sorted(os.fspath(file) for file in files):
        part, rows, source = _describe(file, stored)
        key = source.sample, source.variation
        groups.setdefault(key, []).append((part, file, rows, source))
    found = []
    for key in sorted(groups):
        members = sorted(groups[key], key=lambda member: member[:2])
        part, file, *_ = members[0]
        # an input without events does not tell whether it would have had, say, the truth
        first_rows, first = next((m[2:] for m in members if m[2]), members[0][2:])
        for other_part, other_file, rows, other in members[1:]:
            if other_part == part:
                raise UserError(
                    f"{other_file}: holds part {part!r} of sample {key[0]}, which {file} holds too;"
                    " give each part once"
                )
            part, file = other_part, other_file
            if rows:
                _alike(first, other)
        names = tuple(file for _, file, rows, _ in members if rows or not first_rows)
        found.append(Source(**{**first.__dict__, "files": names}))
    for other in found[1:]:
        if other.training != found[0].training:
            raise UserError(
                f"--estimates: {found[0].files[0]} is of training {found[0].training!r},"
                f" {other.files[0]} of {other.training!r}; make one table for each training"
            )
    if not found:
        raise UserError("--estimates: no file given; expected at least one estimates file")
    return found


def _alike(first: Source, other: Source) -> None:
    for name in ("training", "label", "is_data", "boson_has_neutrino", "estimators", "sqrt_s"):
        mine, its = getattr(first, name), getattr(other, name)
        if mine != its:
            raise UserError(
                f"{other.files[0]}: {name} is {its!r}, but {mine!r} in {first.files[0]} of the same"
                f" sample; {_REMEDY}"
            )


def _describe(file: str, stored: Sequence[str]) -> tuple[str, int, Source]:
    """Return part, number of events and what the file is."""
    with parquet.reading(file) as opened:
        schema, rows = opened.schema_arrow, opened.metadata.num_rows
    missing = [name for name in _EVENT if name not in schema.names]
    if missing:
        raise UserError(
            f"{file}: column {missing[0]} is missing, so these are not estimates; {_REMEDY}"
        )
    said = info.read(schema, file, _REMEDY, estimates=True)
    columns_of = declared(schema, file, _REMEDY)
    estimators = [name for name, columns in columns_of.items() if columns == ESTIMATE]
    estimators += [f"stored_{name}" for name in stored if f"stored_{name}_px" in schema.names]
    if not estimators:
        raise UserError(f"{file}: holds no estimator of pTmiss (px and py in GeV); {_REMEDY}")
    return (
        said.part,
        rows,
        Source(
            training=said.training,
            sample=said.sample,
            variation=said.variation,
            label=said.label,
            is_data=said.is_data,
            boson_has_neutrino=said.boson_has_neutrino,
            estimators=tuple(estimators),
            files=(file,),
            sqrt_s=said.sqrt_s,
        ),
    )
