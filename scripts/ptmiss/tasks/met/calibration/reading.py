"""The events of a calibration, read from estimates and checked for the part their sample plays."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io.parquet import float64
from ptmiss.core.stats.bootstrap import states_of
from ptmiss.events.columns import IDENTITY
from ptmiss.events.folds import in_folds
from ptmiss.events.samples import Part
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration.bosons import BosonEvents, join
from ptmiss.tasks.met.calibration.verdict import Masked
from ptmiss.tasks.met.performance.stream import Source
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LOG = logging.getLogger(__name__)

_SALT = np.uint64(0x68616C66)
_BATCH = 1 << 16  # all events at once would need a multiple of the memory of those that are kept
_NUMBERS = ("weight", "n_pv", "n_jets", "boson_px", "boson_py", "gen_met_px", "gen_met_py")


def splits_of(identity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two independent halves (0 or 1) of events with these hashes, int8.

    They are independent of the fold.
    """
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
    kept = join(parts)
    total, used = np.concatenate(weights).sum(), kept.weight.sum()
    return kept, (float(total / used) if used > 0.0 else 1.0)


def _nothing(estimators: Sequence[str]) -> BosonEvents:
    """Return no events: what is found in files without any."""
    none = np.zeros(0)
    half = none.astype(np.int8)
    vector = np.zeros((2, 0))
    met = dict.fromkeys(estimators, vector)
    run, states = none.astype(np.uint32), none.astype(np.uint64)
    return BosonEvents(run, states, half, half, none, none, none, vector, vector, met)


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
        run=table["run"].to_numpy(),
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


@dataclass(frozen=True)
class Reader:
    """Reads the samples of a calibration.

    masked: of which of the events read so far an estimator is not finite.
    """

    estimators: tuple[str, ...]
    folds: FoldSettings
    settings: CalibrationSettings
    masked: list[Masked] = field(default_factory=list)

    def data(self, source: Source) -> BosonEvents:
        """Return the events of data or pseudo-data: all folds, no network learns from them."""
        events, _ = self._load(source, None)
        return _usable(events, source)

    def _load(self, source: Source, folds: Sequence[int] | None) -> tuple[BosonEvents, float]:
        """Read a sample, and count where an estimator is not finite."""
        events, factor = load(source, self.estimators, folds, self.settings.seed)
        for name in self.estimators:
            bad = events.size - int(np.count_nonzero(events.finite(name)))
            if bad:
                _LOG.warning(
                    "%s: %s is not finite in %d of %d events, which are left out of its"
                    " calibration",
                    source.name,
                    name,
                    bad,
                    events.size,
                )
                self.masked.append(
                    Masked(estimator=name, sample=source.name, events=bad, of=events.size)
                )
        return events, factor

    def simulation(self, source: Source) -> BosonEvents:
        """Return simulated events of the test folds."""
        events, _ = self._load(source, self.folds.test)
        return _usable(events, source)

    def backgrounds(self, others: Sequence[Source]) -> BosonEvents | None:
        """Return the events of all backgrounds, weighted as in data; None without any."""
        parts = []
        for source in others:
            missing = set(self.estimators) - set(source.estimators)
            if missing:
                raise UserError(
                    f"{source.files[0]}: background {source.name} has no {min(missing)}, which"
                    " data and simulation have; evaluate all with the same estimators"
                )
            events, factor = self._load(source, self.folds.test)
            if events.size == 0:
                _LOG.warning(
                    "background %s: no event with a boson, nothing to subtract; give it"
                    " the selection of the data sample",
                    source.name,
                )
                continue
            _positive(events, source)
            parts.append(events.scaled(factor * self.settings.luminosity))
        return join(parts) if parts else None


def _usable(events: BosonEvents, source: Source) -> BosonEvents:
    if events.size == 0:
        raise UserError(
            f"{source.files[0]}: sample {source.name} has no event with a boson, so nothing can"
            " be calibrated in it; give it a selection of kind zmumu (or wmunu)"
        )
    _positive(events, source)
    return events


def _positive(events: BosonEvents, source: Source) -> None:
    if events.weight.sum() <= 0.0:
        raise UserError(
            f"{source.files[0]}: the weights of sample {source.name} add up to"
            f" {events.weight.sum():g}, expected a positive sum; check its weights"
        )
