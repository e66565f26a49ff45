"""Events for the calibration: estimates of one sample in memory, split in two halves."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io.parquet import float64
from ptmiss.core.stats.bootstrap import states_of
from ptmiss.events.columns import IDENTITY
from ptmiss.events.folds import in_folds
from ptmiss.events.samples import Part
from ptmiss.tasks.met.performance.recoil import along_and_across, recoil
from ptmiss.tasks.met.performance.stream import Source

DERIVE, JUDGE = 0, 1
"""The two halves: corrections are derived on one and judged on the other."""

_SALT = np.uint64(0x68616C66)
_BATCH = 1 << 16  # all events at once would need a multiple of the memory of those that are kept
_NUMBERS = (
    "weight", "n_pv", "n_jets", "boson_px", "boson_py", "gen_met_px", "gen_met_py",
)  # fmt: skip


@dataclass(frozen=True)
class BosonEvents:
    """Events with a boson. Shapes (n,); boson and unseen (2, n), met of each estimator (2, n); GeV.

    states: of the bootstrap; half: DERIVE or JUDGE; other: a second half, independent of the first;
    unseen: what of the boson is invisible (the neutrino of W -> l nu, nothing of Z -> ll). met may
    hold numbers that are not finite: `finite` says where an estimator can be used.
    """

    states: np.ndarray
    half: np.ndarray
    other: np.ndarray
    weight: np.ndarray
    n_pv: np.ndarray
    n_jets: np.ndarray
    boson: np.ndarray
    unseen: np.ndarray
    met: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        """Return the number of events."""
        return int(self.weight.size)

    def finite(self, estimator: str) -> np.ndarray:
        """Return in which events an estimator is a finite vector, bool, (n,)."""
        finite: np.ndarray = np.isfinite(self.met[estimator]).all(axis=0)
        return finite

    def take(self, which: np.ndarray) -> BosonEvents:
        """Return the events that a mask or index array selects."""
        met = {name: values[:, which] for name, values in self.met.items()}
        return BosonEvents(**{f: getattr(self, f)[..., which] for f in _FIELDS}, met=met)

    def scaled(self, factor: float) -> BosonEvents:
        """Return the events with their weights times a factor."""
        return dataclasses.replace(self, weight=self.weight * factor)

    def recoil(self, met: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return u_par, u_perp and q_t of these events for pTmiss `met`, shape (2, n)."""
        return recoil(*met, *self.boson, *self.unseen)

    def met_of(self, u_par: np.ndarray, u_perp: np.ndarray) -> np.ndarray:
        """Return the pTmiss, shape (2, n), that has this recoil: the inverse of `recoil`."""
        size = along_and_across(*-self.boson, *-self.boson)[0]
        none = size == 0.0
        axis = np.where(none, np.array([[1.0], [0.0]]), -self.boson / np.where(none, 1.0, size))
        ux, uy = u_par * axis[0] - u_perp * axis[1], u_par * axis[1] + u_perp * axis[0]
        met: np.ndarray = -(self.boson - self.unseen + np.stack([ux, uy]))
        return met


_FIELDS = tuple(field.name for field in dataclasses.fields(BosonEvents) if field.name != "met")


def join(parts: Sequence[BosonEvents]) -> BosonEvents:
    """Return the events of several samples as one."""
    met = {
        name: np.concatenate([part.met[name] for part in parts], axis=-1) for name in parts[0].met
    }
    return BosonEvents(
        **{f: np.concatenate([getattr(part, f) for part in parts], axis=-1) for f in _FIELDS},
        met=met,
    )


def splits(run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two independent coins (0 or 1) for each event, independent of its fold, int8."""
    return splits_of(event_hash(run, lumi, event))


def splits_of(identity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coins of events with these hashes."""
    mixed = event_hash(identity, np.full_like(identity, _SALT), np.zeros_like(identity))
    return (mixed >> np.uint64(63)).astype(np.int8), (mixed & np.uint64(1)).astype(np.int8)


def seed_of(seed: int, sample: str) -> int:
    """Return a bootstrap seed of a sample.

    Simulated samples number their events alike. With one seed for all, an event of pseudo-data and
    one of simulation with the same number would fluctuate together, their difference too little.
    """
    digest = hashlib.sha256(f"{seed}:{sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def load(
    source: Source, estimators: Sequence[str], folds: Sequence[int] | None, seed: int
) -> tuple[BosonEvents, float]:
    """Read the events of a sample that have a boson.

    folds: those whose events may be used; None for all. Returns the events and the factor by which
    their weights must be multiplied to stand for all folds. Raises `UserError` for a file without a
    needed column and for weights and numbers of vertices and jets that are not finite. An estimator
    that is not finite in an event keeps the event: the others may be.
    """
    names = [f"{name}_p{axis}" for name in estimators for axis in "xy"]
    parts, weights = [_nothing(estimators)], [np.zeros(0)]
    not_finite = dict.fromkeys(("weight", "n_pv", "n_jets"), 0)
    for table, identity in _batches(source, [*IDENTITY, "fold", *_NUMBERS, *names]):
        events = _events(table, identity, source, estimators, seed)
        for name in not_finite:
            not_finite[name] += int(np.count_nonzero(~np.isfinite(getattr(events, name))))
        usable = np.isfinite(events.boson).all(axis=0) & np.isfinite(events.unseen).all(axis=0)
        weights.append(events.weight[usable])
        if folds is not None:
            usable &= in_folds(table["fold"].to_numpy(), folds)
        parts.append(events.take(usable))
    _all_finite(not_finite, source)
    found = join(parts)
    total, used = np.concatenate(weights).sum(), found.weight.sum()
    return found, (float(total / used) if used > 0.0 else 1.0)


def _nothing(estimators: Sequence[str]) -> BosonEvents:
    """Return no events: what is found in files without any."""
    none = np.zeros(0)
    coin = none.astype(np.int8)
    vector = np.zeros((2, 0))
    met = dict.fromkeys(estimators, vector)
    return BosonEvents(none.astype(np.uint64), coin, coin, none, none, none, vector, vector, met)


def _batches(source: Source, columns: list[str]) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield these columns of a sample and a hash of each event, about `_BATCH` at a time."""
    for part in source.parts:
        _require(part, columns)
    tables: list[pa.Table] = []
    hashes: list[np.ndarray] = []
    for group in source.row_groups(columns):
        table, identity = source.distinct(group)
        tables.append(table.replace_schema_metadata(None))
        hashes.append(identity)
        if sum(identity.size for identity in hashes) >= _BATCH:
            yield pa.concat_tables(tables), np.concatenate(hashes)
            tables, hashes = [], []
    if tables:
        yield pa.concat_tables(tables), np.concatenate(hashes)


def _events(
    table: pa.Table, identity: np.ndarray, source: Source, estimators: Sequence[str], seed: int
) -> BosonEvents:
    """Return all events of a table. identity: a hash of each."""
    number = {name: float64(table, name) for name in _NUMBERS}
    half, other = splits_of(identity)
    truth = np.stack([number["gen_met_px"], number["gen_met_py"]])
    return BosonEvents(
        states=states_of(identity, seed_of(seed, source.name)),
        half=half,
        other=other,
        weight=number["weight"],
        n_pv=number["n_pv"],
        n_jets=number["n_jets"],
        boson=np.stack([number["boson_px"], number["boson_py"]]),
        unseen=truth if source.info.boson_has_neutrino else np.zeros_like(truth),
        met={
            name: np.stack([float64(table, f"{name}_p{axis}") for axis in "xy"])
            for name in estimators
        },
    )


def _require(part: Part, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in part.schema.names]
    if missing:
        raise UserError(
            f"{part.path}: column {missing[0]} is missing, which the calibration needs; make the"
            " file again with the stage evaluate"
        )


def _all_finite(not_finite: Mapping[str, int], source: Source) -> None:
    for name, bad in not_finite.items():
        if bad:
            raise UserError(
                f"{source.files[0]}: sample {source.name} has {bad} events whose {name} is not"
                " finite; make it again with the stage evaluate"
            )
