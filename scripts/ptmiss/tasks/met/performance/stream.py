"""Estimates files: which belong together, and their events, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ptmiss.core.conditions import COLUMNS, Condition
from ptmiss.core.errors import UserError
from ptmiss.core.io.parquet import float64
from ptmiss.core.paths import PathLike
from ptmiss.core.stats.bootstrap import states_of
from ptmiss.events.samples import Part, Sample, grouped, part_of
from ptmiss.tasks.met.estimators.stored import STORED
from ptmiss.tasks.met.estimators.table import declared
from ptmiss.tasks.met.features import ESTIMATE, WITH_ERRORS

CHUNK_EVENTS = 8192
"""Events in memory at a time: their bootstrap copies (4 MB for 500 replicas) stay in the cache."""

MOST_VERTICES = 65535
"""What the column of a skim can hold."""

_TRUTH = ("gen_met_px", "gen_met_py", "gen_ht")
_BOSON = ("boson_px", "boson_py")
_LEPTON = ("lepton_px", "lepton_py")
_EVENT = ("run", "lumi", "event", "fold", "weight", "n_pv", *_TRUTH, *_BOSON)
_DERIVED = {"q_t": _BOSON, "gen_met": _TRUTH[:2]}
_HASH = "hash"
_REMEDY = "make it again with the stage evaluate"


@dataclass(frozen=True)
class Chunk:
    """Events. Shapes (n,), boson and true_met (2, n), met (estimators, 2, n); GeV; NaN: missing.

    states: generator states of the bootstrap; boson_has_neutrino: the boson is a lepton and a
    neutrino, so that its momentum is only partly visible; lepton: of a W where the file has it,
    (2, n), so that recorded events, whose boson is not known, have a transverse mass; more: further
    columns, as asked for.
    """

    states: np.ndarray
    weight: np.ndarray
    n_pv: np.ndarray
    gen_ht: np.ndarray
    boson: np.ndarray
    true_met: np.ndarray
    met: np.ndarray
    boson_has_neutrino: bool = False
    lepton: np.ndarray | None = None
    more: Mapping[str, np.ndarray] = field(default_factory=dict)


Chunks = Callable[[], Iterable[Chunk]]
"""Gives the events of a sample anew with every call."""


@dataclass(frozen=True)
class Source(Sample):
    """Estimates of one sample and variation.

    estimators: in the order of their columns; weight: the column of the weight.
    """

    estimators: tuple[str, ...]
    weight: str = "weight"

    def shifted(self, shift: str) -> dict[str, str]:
        """Return which estimators the file holds under a variation of its input, and the name of
        their columns: {"puppi": "puppi_jes_up"}.
        """
        names = self.parts[0].schema.names
        moved = {name: f"{name}_{shift}" for name in self.estimators}
        return {name: other for name, other in moved.items() if f"{other}_px" in names}

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The estimators that say of each event how uncertain they are, see `WITH_ERRORS`."""
        return _uncertain(self.parts[0])

    def chunks(
        self,
        test_folds: Sequence[int],
        seed: int,
        size: int = CHUNK_EVENTS,
        where: Condition | None = None,
        more: Sequence[str] = (),
    ) -> Iterator[Chunk]:
        """Yield the events that may be used: those of the test folds, of data all; each only once.

        where: a further condition on them; more: further columns that they are given with.
        """
        columns = [*_EVENT, *(f"{name}_p{axis}" for name in self.estimators for axis in "xy")]
        if _LEPTON[0] in self.parts[0].schema.names:
            columns += _LEPTON
        if self.weight not in columns:
            columns.append(self.weight)
        further = where.columns - set(_DERIVED) if where else set()
        columns += [name for name in COLUMNS if name in further and name not in columns]
        columns += [name for name in more if name not in columns]
        waiting: list[pa.Table] = []
        for group in self.row_groups(columns):
            _check(group.table, group.file)
            kept, identity = self.distinct(group)
            kept = kept.replace_schema_metadata(None)
            waiting.append(kept.append_column(_HASH, pa.array(identity)))
            while sum(part.num_rows for part in waiting) >= size:
                joined = pa.concat_tables(waiting)
                yield self._chunk(joined.slice(0, size), test_folds, seed, where, more)
                waiting = [joined.slice(size)]
        if sum(part.num_rows for part in waiting):
            yield self._chunk(pa.concat_tables(waiting), test_folds, seed, where, more)

    def _chunk(
        self,
        table: pa.Table,
        test_folds: Sequence[int],
        seed: int,
        where: Condition | None,
        more: Sequence[str],
    ) -> Chunk:
        usable = self.usable(table["fold"].to_numpy(), test_folds)
        if not usable.all():
            table = table.filter(pa.array(usable))
        if where is not None:
            table = table.filter(pa.array(where.holds(_columns(table, where))))
        whole = ("event", _HASH)  # numbers that float64 cannot hold
        number = {name: float64(table, name) for name in table.column_names if name not in whole}
        met = [[number[f"{name}_p{axis}"] for axis in "xy"] for name in self.estimators]
        return Chunk(
            states=states_of(table[_HASH].to_numpy(), seed),
            weight=number[self.weight],
            n_pv=number["n_pv"],
            gen_ht=number["gen_ht"],
            boson=np.stack([number[name] for name in _BOSON]),
            true_met=np.stack([number["gen_met_px"], number["gen_met_py"]]),
            met=np.array(met).reshape(len(self.estimators), 2, table.num_rows),
            boson_has_neutrino=self.info.boson_has_neutrino,
            lepton=np.stack([number[n] for n in _LEPTON]) if _LEPTON[0] in number else None,
            more={name: number[name] for name in more},
        )


def _columns(table: pa.Table, where: Condition) -> dict[str, np.ndarray]:
    """Return the columns of a condition, and one that tells how many events there are."""
    columns = {"weight": float64(table, "weight")}
    for name in where.columns:
        parts = [float64(table, part) for part in _DERIVED.get(name, (name,))]
        columns[name] = parts[0] if len(parts) == 1 else np.hypot(*parts)
    return columns


class Replay:
    """Gives the same events again with every call; those of a small sample are read only once.

    make: reads the events; most: chunks that are kept in memory, so that this stays bounded.
    """

    def __init__(self, make: Chunks, most: int = 8) -> None:
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


def _check(table: pa.Table, file: str) -> None:
    weight = float64(table, "weight")
    if not np.isfinite(weight).all():
        row = int(np.flatnonzero(~np.isfinite(weight))[0])
        identity = ":".join(str(table[name][row]) for name in ("run", "lumi", "event"))
        raise UserError(
            f"{file}: event {identity}: weight is {weight[row]}, expected a finite number;"
            f" {_REMEDY}"
        )
    n_pv = float64(table, "n_pv")
    if n_pv.size and not 0.0 <= n_pv.min() <= n_pv.max() <= MOST_VERTICES:
        raise UserError(
            f"{file}: n_pv reaches from {n_pv.min():g} to {n_pv.max():g}, expected numbers of"
            f" vertices up to {MOST_VERTICES}; {_REMEDY}"
        )


def sources(files: Iterable[PathLike], stored: Sequence[str]) -> list[Source]:
    """Return the sources that the files make up, sorted by sample and variation.

    stored: METs of the input that are measured besides the estimators. Raises `UserError` for a
    file that is not an estimates file, a part given twice, files of several trainings, and files of
    one sample that do not hold the same estimators.
    """
    parts = [part_of(file, _require_estimates, _REMEDY, estimates=True) for file in files]
    opened = []
    for members in grouped(parts):
        estimators = _estimators(members[0], stored)
        for part in members[1:]:
            _require_alike(members[0], part, stored)
        opened.append(Source(members, estimators))
    for other in opened[1:]:
        if other.info.training != opened[0].info.training:
            raise UserError(
                f"--estimates: {opened[0].files[0]} is of training {opened[0].info.training!r},"
                f" {other.files[0]} of {other.info.training!r}; make one table for each training"
            )
    if not opened:
        raise UserError("--estimates: no file given; expected at least one estimates file")
    return opened


def _require_alike(first: Part, other: Part, stored: Sequence[str]) -> None:
    names = ("training", "label", "is_data", "boson_has_neutrino", "sqrt_s")
    said = [
        {
            **{name: getattr(part.info, name) for name in names},
            "estimators": _estimators(part, stored),
            "estimators with uncertainties": _uncertain(part),
        }
        for part in (first, other)
    ]
    for name in said[0]:
        mine, its = (one[name] for one in said)
        if mine != its:
            raise UserError(
                f"{other.path}: {name} is {its!r}, but {mine!r} in {first.path} of the same"
                f" sample; {_REMEDY}"
            )


def _require_estimates(schema: pa.Schema, file: str) -> None:
    missing = [name for name in _EVENT if name not in schema.names]
    if missing:
        raise UserError(
            f"{file}: column {missing[0]} is missing, so these are not estimates; {_REMEDY}"
        )


def _estimators(part: Part, stored: Sequence[str]) -> tuple[str, ...]:
    """Return the estimators of a file, and those of the METs of its input that it has."""
    columns_of = declared(part.schema, part.path, _REMEDY)
    estimators = [name for name, columns in columns_of.items() if columns[:2] == ESTIMATE]
    there = stored if part.info.stored is None else part.info.stored
    estimators += [
        f"{STORED}{name}"
        for name in stored
        if name in there and f"{STORED}{name}_px" in part.schema.names
    ]
    if not estimators and (part.rows or part.info.has_candidates):
        raise UserError(f"{part.path}: holds no estimator of pTmiss (px and py in GeV); {_REMEDY}")
    return tuple(estimators)


def _uncertain(part: Part) -> tuple[str, ...]:
    columns_of = declared(part.schema, part.path, _REMEDY)
    return tuple(name for name, columns in columns_of.items() if columns == WITH_ERRORS)
