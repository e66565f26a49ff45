"""The stage uncertainty: from nominal and varied estimates to a table of uncertainties."""

from __future__ import annotations

import csv
import io
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic
from ptmiss.core.io import csv as csv_file
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.estimators.table import NOMINAL
from ptmiss.tasks.met.performance.bins import AXES
from ptmiss.tasks.met.performance.stream import Chunk, Replay, Source, sources
from ptmiss.tasks.met.performance.tables import COLUMNS as PERFORMANCE
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.uncertainty.combine import in_quadrature, shifts_of
from ptmiss.tasks.met.uncertainty.numbers import Key, numbers
from ptmiss.tasks.met.uncertainty.pileup import profile, tilted
from ptmiss.tasks.met.variations.names import SIGNS, VARIATIONS

COLUMNS = (
    "sample", "estimator", "axis", "bin_low", "bin_high", "quantity",
    "nominal", "stat_low", "stat_high", "source", "up", "down",
)  # fmt: skip
"""Columns of the table: stat_low and stat_high bound the 68 % interval, up and down are shifts."""

SYSTEMATIC, TOTAL = "systematic", "total"
"""Rows with sums in quadrature: of all sources, and of these with the statistics."""

_TABLE = csv_file.Layout(
    "performance", PERFORMANCE, ("sample", "variation", "estimator", "axis", "quantity")
)

_LOG = logging.getLogger(__name__)
_Bounds = Mapping[tuple[str, Key], tuple[float, float]]


def uncertainty(
    estimates: Sequence[str | os.PathLike[str]],
    measured: str | os.PathLike[str],
    folds: FoldSettings,
    performance: PerformanceSettings,
    settings: UncertaintySettings,
    table: str | os.PathLike[str],
) -> None:
    """Write the shift of every number under every source, and their sums in quadrature.

    estimates: nominal and varied ones of one training; measured: the table of the
    stage performance, which has the statistical intervals; performance: settings of both. Shifts
    are of the same events under both directions, so that statistical fluctuations cancel but for
    events that change a bin. Raises `UserError` for a sample without
    nominal estimates or without one of the variations, for recorded events, and for variations of
    other events than the nominal ones.
    """
    rows: list[tuple[str, ...]] = []
    samples: dict[str, dict[str, Source]] = {}
    for source in sources(estimates, ()):
        samples.setdefault(source.sample, {})[source.variation] = source
    for sample, found in samples.items():
        _check(sample, found)
    bounds = _intervals(measured)
    for sample, found in samples.items():
        rows.extend(_of_sample(sample, found, folds, performance, settings, bounds))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    atomic.write_text(table, text.getvalue())


def _check(sample: str, found: Mapping[str, Source]) -> None:
    missing = [name for name in (NOMINAL, *VARIATIONS) if name not in found]
    if missing:
        raise UserError(
            f"--estimates: sample {sample} lacks the variation {missing[0]}; make it with the stage"
            f" {'evaluate' if missing[0] == NOMINAL else 'vary'}"
        )
    nominal = found[NOMINAL]
    if nominal.is_data:
        raise UserError(
            f"{nominal.files[0]}: sample {sample} is data; uncertainties are of simulated samples"
        )
    for name, source in found.items():
        if source.estimators != nominal.estimators:
            raise UserError(
                f"{source.files[0]}: variation {name} of {sample} has the estimators"
                f" {', '.join(source.estimators)}, the nominal one {', '.join(nominal.estimators)};"
                " make it again with the stage vary"
            )


def _of_sample(
    sample: str,
    found: Mapping[str, Source],
    folds: FoldSettings,
    performance: PerformanceSettings,
    settings: UncertaintySettings,
    bounds: _Bounds,
) -> Iterator[tuple[str, ...]]:
    source = found[NOMINAL]

    def events_of(name: str):
        return Replay(lambda: found[name].chunks(folds.test, performance.seed))

    def measured(events):
        wanted = (settings.axes, settings.quantities)
        return numbers(events, source.estimators, performance, *wanted)

    unchanged = events_of(NOMINAL)
    nominal, of_mean, n_events = measured(unchanged)
    varied = {}
    for name in VARIATIONS:
        varied[name], _, n_varied = measured(events_of(name))
        if n_varied != n_events:
            raise UserError(
                f"{found[name].files[0]}: variation {name} of {sample} has {n_varied} events in the"
                f" test folds, the nominal one {n_events}; make both again"
            )
    for name, events in _pileup(sample, unchanged, settings.pileup).items():
        varied[name] = measured(events)[0]
    _LOG.info("%s: %d events, %d variations", sample, n_events, len(varied))

    order = sorted(nominal, key=lambda key: _place(key, source.estimators, settings.quantities))
    for key in order:
        value = nominal[key]
        low, high = of_mean.get(key) or bounds.get((sample, key), (math.nan, math.nan))
        shifts = shifts_of(value, {name: values.get(key) for name, values in varied.items()})
        both = in_quadrature(shifts.values())
        shifts[SYSTEMATIC] = both
        shifts[TOTAL] = math.hypot(both[0], high - value), 0.0 - math.hypot(both[1], value - low)
        estimator, axis, left, right, quantity = key
        head = (sample, estimator, axis, _text(left), _text(right), quantity)
        head += (_text(value), _text(low), _text(high))
        for name, (up, down) in shifts.items():
            yield (*head, name, _text(up), _text(down))


def _pileup(sample: str, events, shift: float):
    """Return variation -> events with the weights of another pile-up profile."""
    observed = profile((chunk.n_pv, chunk.weight) for chunk in events())
    found = {}
    for way, sign in SIGNS.items():
        factor = tilted(observed, sign * shift)
        if factor is None:
            _LOG.warning("%s: its vertices leave no room for another pile-up profile", sample)
            return {}
        found[f"pileup_{way}"] = _Reweighted(events, factor)
    return found


class _Reweighted:
    """Events whose weights are multiplied by a factor that depends on their vertices."""

    def __init__(self, events, factor: np.ndarray) -> None:
        self._events, self._factor = events, factor

    def __call__(self) -> Iterator[Chunk]:
        for chunk in self._events():
            yield replace(chunk, weight=chunk.weight * self._factor[chunk.n_pv.astype(np.int64)])


def _place(key: Key, estimators: Sequence[str], quantities: Sequence[str]):
    name, axis, low, high, quantity = key
    return estimators.index(name), AXES.index(axis), low, high, quantities.index(quantity)


def _intervals(path: str | os.PathLike[str]) -> _Bounds:
    """Return (sample, key) -> bounds of the nominal numbers of a performance table."""
    found = {}
    for _, row in csv_file.read(path, _TABLE):
        if row["variation"] != NOMINAL or not row["err_low"] or not row["err_high"]:
            continue
        edges = float(row["bin_low"]), float(row["bin_high"])
        key = (row["estimator"], row["axis"], *edges, row["quantity"])
        found[row["sample"], key] = float(row["err_low"]), float(row["err_high"])
    return found


def _text(number: float) -> str:
    """Return a number so that reading it gives the same float64; nothing for one that is not."""
    return "" if math.isnan(number) else repr(float(number))
