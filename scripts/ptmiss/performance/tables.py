"""The tidy table of a training and its headline numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

import numpy as np

from ptmiss.performance.bins import AXES
from ptmiss.performance.bootstrap import gain, interval
from ptmiss.performance.measure import Distributions
from ptmiss.performance.resolution import Measured, Value
from ptmiss.performance.stream import Source
from ptmiss.settings.performance import PerformanceSettings

COLUMNS = (
    "sample", "variation", "estimator", "axis", "bin_low", "bin_high", "quantity",
    "value", "err_low", "err_high", "n_events",
)  # fmt: skip
"""Columns of the table: one number a row, with the bounds of its 68 % interval."""

BASELINES = ("pf", "puppi")
"""Estimators over which gains are quoted."""

Row = tuple[str, ...]


def rows(source: Source, parts: Distributions, measured: list[Measured]) -> Iterator[Row]:
    """Yield the rows of one sample and variation, by estimator, axis, bin and quantity."""
    bins = [(number, item) for number, item in enumerate(parts.grid.bins) if not item.hidden]
    bins.sort(key=lambda pair: (AXES.index(pair[1].axis), pair[1].low, pair[1].high))
    for name, one in zip(parts.estimators, measured, strict=True):
        for number, item in bins:
            head = (source.sample, source.variation, name, item.axis, _text(item.low),
                    _text(item.high))  # fmt: skip
            for quantity, value in one.quantities(number).items():
                yield (*head, quantity, *_numbers(value), str(value.n_events))


def to_csv(table: list[Row]) -> str:
    """Return the table as CSV text with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(table)
    return text.getvalue()


def headline(
    source: Source,
    parts: Distributions,
    measured: list[Measured],
    settings: PerformanceSettings,
) -> dict[str, object]:
    """Return what a reader asks first of a sample; all intervals at 95 %.

    Plateau responses (`response_met`: to true pTmiss, where a sample has that) and corrected
    resolutions of every estimator, and their gains over the baselines. With a boson: sigma_par and
    sigma_perp for q_t within `headline_qt`; where there is true pTmiss: sigma_xy of all events.
    """
    chosen = []
    if parts.has_boson:
        number = parts.grid.find("qt", *settings.headline_qt)
        chosen += [("sigma_par", "qt", number), ("sigma_perp", "qt", number)]
    real_ptmiss = parts.has_truth and (parts.boson_has_neutrino or not parts.has_boson)
    if real_ptmiss:
        chosen.append(("sigma_xy", "all", parts.grid.find("all", -math.inf, math.inf)))
    estimators, gains = {}, []
    for e, (name, one) in enumerate(zip(parts.estimators, measured, strict=True)):
        widths = {sigma: _bounds(one.width(sigma, number)) for sigma, _, number in chosen}
        main = one.main_response
        estimators[name] = {
            "response": _bounds(one.plateau(main)) if main else None,
            **({"response_met": _bounds(one.plateau("along"))} if real_ptmiss else {}),
            "non_finite": int(parts.non_finite[e]),
            **widths,
        }
        for base in BASELINES:
            if base == name or base not in parts.estimators:
                continue
            other = measured[parts.estimators.index(base)]
            for sigma, axis, number in chosen:
                mine, its = one.width(sigma, number), other.width(sigma, number)
                both = mine.values is not None and its.values is not None
                value = Value(gain(mine.values, its.values) if both else None, mine.n_events)
                item = parts.grid.bins[number]
                gains.append({
                    "estimator": name, "over": base, "quantity": sigma, "axis": axis,
                    "bin_low": _finite(item.low), "bin_high": _finite(item.high),
                    **_bounds(value),
                })  # fmt: skip
    return {
        "sample": source.sample,
        "variation": source.variation,
        "label": source.label,
        "n_events": parts.n_events,
        "effective_events": _finite(_effective(parts, measured)),
        "estimators": estimators,
        "gains": gains,
    }


def _effective(parts: Distributions, measured: list[Measured]) -> float:
    number = parts.grid.find("all", -math.inf, math.inf)
    return max((one.effective(number) for one in measured), default=0.0)


def _bounds(value: Value) -> dict[str, object]:
    numbers: tuple[float, ...] = (math.nan,) * 3
    if value.values is not None:
        numbers = (float(value.values[0]), *interval(value.values, 0.95))
    names = ("value", "low", "high")
    return {
        **{name: _finite(number) for name, number in zip(names, numbers, strict=True)},
        "n_events": value.n_events,
    }


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _numbers(value: Value) -> tuple[str, str, str]:
    if value.values is None:
        return "", "", ""
    return tuple(map(_text, (value.values[0], *interval(value.values))))


def _text(number: float) -> str:
    """Return a number so that reading it gives the same float64; nothing for one that is not."""
    return "" if np.isnan(number) else repr(float(number))
