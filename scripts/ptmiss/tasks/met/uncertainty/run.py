"""The stage uncertainty: from nominal and varied estimates to a table of uncertainties."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic
from ptmiss.core.paths import PathLike
from ptmiss.core.tables import Row
from ptmiss.events.columns import WEIGHT, content_of
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.estimators.table import NOMINAL
from ptmiss.tasks.met.performance.bins import AXES
from ptmiss.tasks.met.performance.layouts import PERFORMANCE
from ptmiss.tasks.met.performance.stream import Chunk, Chunks, Replay, Source, sources
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.uncertainty.combine import in_quadrature, shifts_of
from ptmiss.tasks.met.uncertainty.layouts import UNCERTAINTIES
from ptmiss.tasks.met.uncertainty.numbers import Key, Numbers, numbers
from ptmiss.tasks.met.uncertainty.pileup import profile, tilted
from ptmiss.tasks.met.uncertainty.stored import (
    Shifted,
    candidate_estimators,
    stored_shifts,
    with_columns,
)
from ptmiss.tasks.met.variations.names import SIGNS, VARIATIONS

SYSTEMATIC, TOTAL = "systematic", "total"
"""Rows with sums in quadrature: of all sources, and of these with the statistics."""

_LOG = logging.getLogger(__name__)
_Bounds = Mapping[tuple[str, Key], tuple[float, float]]


def uncertainty(
    estimates: Sequence[PathLike],
    measured: PathLike,
    folds: FoldSettings,
    performance: PerformanceSettings,
    settings: UncertaintySettings,
    table: PathLike,
) -> None:
    """Write the shift of every number under every source, and their sums in quadrature.

    estimates: nominal and varied ones of one training; measured: the table of the
    stage performance, which has the statistical intervals; performance: settings of both. Shifts
    are of the same events under both directions, so that statistical fluctuations cancel but for
    events that change a bin. Raises `UserError` for a sample without
    nominal estimates or without one of the variations, for recorded events, and for variations of
    other events than the nominal ones. METs that the input stores need no files of variations:
    those that it has varied are columns of the nominal estimates, the others are left out.
    """
    rows: list[Row] = []
    samples: dict[str, dict[str, Source]] = {}
    for source in sources(estimates, performance.stored):
        samples.setdefault(source.name, {})[source.info.variation] = source
    for sample, variations in samples.items():
        _check(sample, variations)
    bounds = _intervals(measured)
    task = _Task(folds, performance, settings)
    for variations in samples.values():
        rows.extend(task.rows(variations, bounds))
    atomic.write_text(table, UNCERTAINTIES.csv(rows))


def _check(sample: str, variations: Mapping[str, Source]) -> None:
    first = variations.get(NOMINAL)
    needed = VARIATIONS if first is None or first.info.has_candidates else ()
    missing = [name for name in (NOMINAL, *needed) if name not in variations]
    if missing:
        raise UserError(
            f"--estimates: sample {sample} lacks the variation {missing[0]}; make it with the stage"
            f" {'evaluate' if missing[0] == NOMINAL else 'vary'}"
        )
    nominal = variations[NOMINAL]
    if nominal.is_data:
        raise UserError(
            f"{nominal.files[0]}: sample {sample} is data; uncertainties are of simulated samples"
        )
    for name, source in variations.items():
        mine, its = candidate_estimators(nominal), candidate_estimators(source)
        if mine != its:
            raise UserError(
                f"{source.files[0]}: variation {name} of {sample} has the estimators"
                f" {', '.join(its)}, the nominal one {', '.join(mine)};"
                " make it again with the stage vary"
            )


@dataclass(frozen=True)
class _Task:
    """What the numbers of all samples have in common."""

    folds: FoldSettings
    performance: PerformanceSettings
    settings: UncertaintySettings

    def events(self, source: Source) -> Chunks:
        return Replay(lambda: source.chunks(self.folds.test, self.performance.seed))

    def measured(self, events: Chunks, estimators: tuple[str, ...]) -> Numbers:
        return numbers(events, estimators, self.performance, self.settings)

    def rows(self, variations: Mapping[str, Source], bounds: _Bounds) -> Iterator[Row]:
        """Yield the rows of a sample; variations: variation -> estimates."""
        given = variations[NOMINAL]
        own, stored = candidate_estimators(given), stored_shifts(given)
        moved = {name for columns in stored.values() for name in columns}
        source = replace(
            given, estimators=tuple(n for n in given.estimators if n in own or n in moved)
        )
        left_out = [name for name in given.estimators if name not in source.estimators]
        if left_out:
            _LOG.log(
                logging.INFO if own else logging.WARNING,
                "%s: the input has no variation of %s, left out here; closure shows how well their"
                " calibration is known",
                source.name,
                ", ".join(left_out),
            )
        if not source.estimators:
            return
        unchanged = self.events(source)
        nominal = self.measured(unchanged, source.estimators)
        varied: dict[str, dict[Key, float]] = {}
        for name in VARIATIONS if own else ():
            changed = self.measured(self.events(replace(variations[name], estimators=own)), own)
            if changed.n_events != nominal.n_events:
                raise UserError(
                    f"{variations[name].files[0]}: variation {name} of {source.name} has"
                    f" {changed.n_events} events in the test folds, the nominal one"
                    f" {nominal.n_events}; make both again"
                )
            varied[name] = changed.values
        for name, columns in stored.items():
            events = Shifted(self.events(with_columns(source, columns)))
            numbers_of = self.measured(events, tuple(columns)).values
            varied[name] = {**varied.get(name, {}), **numbers_of}
        weights = content_of(given.parts[0].schema).weights
        for name in weights:
            changed = self.measured(
                self.events(replace(source, weight=f"{WEIGHT}{name}")), source.estimators
            )
            varied[name] = changed.values
        tilts = {}
        if "pileup_up" not in weights:
            tilts = _pileup(source.name, unchanged, self.settings.pileup)
        for name, tilt in tilts.items():
            varied[name] = self.measured(tilt, source.estimators).values
        _LOG.info("%s: %d events, %d variations", source.name, nominal.n_events, len(varied))
        order = {name: i for i, name in enumerate(source.estimators)}
        quantities = self.settings.quantities

        def place(key: Key) -> tuple[int, int, float, float, int]:
            name, axis, low, high, quantity = key
            return order[name], AXES.index(axis), low, high, quantities.index(quantity)

        for key in sorted(nominal.values, key=place):
            value = nominal.values[key]
            missing = (math.nan, math.nan)
            interval = nominal.bounds.get(key) or bounds.get((source.name, key), missing)
            by_variation = {name: values.get(key) for name, values in varied.items()}
            yield from _rows(source.name, key, (value, *interval), shifts_of(value, by_variation))


def _rows(
    sample: str,
    key: Key,
    nominal: tuple[float, float, float],
    shifts: Mapping[str, tuple[float, float]],
) -> Iterator[Row]:
    """Yield a row for each source and for their sums; nominal: the number and its interval."""
    value, low, high = nominal
    up, down = in_quadrature(shifts.values())
    total = math.hypot(up, high - value), 0.0 - math.hypot(down, value - low)
    for source, both in {**shifts, SYSTEMATIC: (up, down), TOTAL: total}.items():
        yield (sample, *key, *nominal, source, *both)


def _pileup(sample: str, events: Chunks, shift: float) -> dict[str, Chunks]:
    """Return variation -> events with the weights of another pile-up profile."""
    observed = profile((chunk.n_pv, chunk.weight) for chunk in events())
    chunks: dict[str, Chunks] = {}
    for way, sign in SIGNS.items():
        factor = tilted(observed, sign * shift)
        if factor is None:
            _LOG.warning("%s: its vertices leave no room for another pile-up profile", sample)
            return {}
        chunks[f"pileup_{way}"] = _Reweighted(events, factor)
    return chunks


class _Reweighted:
    """Events whose weights are multiplied by a factor that depends on their vertices."""

    def __init__(self, events: Chunks, factor: np.ndarray) -> None:
        self._events, self._factor = events, factor

    def __call__(self) -> Iterator[Chunk]:
        for chunk in self._events():
            yield replace(chunk, weight=chunk.weight * self._factor[chunk.n_pv.astype(np.int64)])


def _intervals(path: PathLike) -> _Bounds:
    """Return (sample, key) -> bounds of the nominal numbers of a performance table."""
    bounds = {}
    for _, words, values in PERFORMANCE.read(path):
        low, high = values["err_low"], values["err_high"]
        if words["variation"] == NOMINAL and not (math.isnan(low) or math.isnan(high)):
            edges = values["bin_low"], values["bin_high"]
            key = (words["estimator"], words["axis"], *edges, words["quantity"])
            bounds[words["sample"], key] = low, high
    return bounds
