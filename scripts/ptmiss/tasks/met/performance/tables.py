"""The tidy tables of a training and its headline numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ptmiss.core.stats.bootstrap import intervals
from ptmiss.core.tables import Row
from ptmiss.tasks.met.performance.bins import AXES, Bin
from ptmiss.tasks.met.performance.gains import LIMIT, QUANTITIES, gains
from ptmiss.tasks.met.performance.measure import Distributions
from ptmiss.tasks.met.performance.resolution import Measured, Value
from ptmiss.tasks.met.performance.spectra import TRUTH, Spectra, right_edge
from ptmiss.tasks.met.performance.stream import Source
from ptmiss.tasks.met.settings.performance import PerformanceSettings

_BATCH = 2048

Item = tuple[Row, Value]
"""The first columns of a row, and what its numbers are made of."""


def items(source: Source, parts: Distributions, measured: Sequence[Measured]) -> Iterator[Item]:
    """Yield the rows of one sample and variation, by estimator, axis, bin and quantity."""
    for name, values in zip(parts.estimators, measured, strict=True):
        for number, place in _bins(parts):
            for quantity, value in values.quantities(number).items():
                yield (source.name, source.info.variation, name, *place, quantity), value


def gain_items(
    source: Source, parts: Distributions, measured: Sequence[Measured], over: Sequence[str]
) -> Iterator[Item]:
    """Yield the rows of the table of gains, by axis, bin, quantity and estimator; over: whom."""
    for number, place in _bins(parts):
        for name, base, quantity, value in gains(
            parts.estimators, measured, number, QUANTITIES, over
        ):
            yield (source.name, source.info.variation, name, base, *place, quantity), value


def spectrum_items(source: Source, shapes: Spectra) -> Iterator[Item]:
    """Yield the rows of the table of spectra: density per GeV, of unit area within the edges."""
    for (name, estimator), spectrum in shapes.items():
        head = (source.name, source.info.variation, estimator, name)
        for low, high, value in spectrum.values():
            yield (*head, low, high), value


def edge_items(source: Source, shapes: Spectra, settings: PerformanceSettings) -> Iterator[Item]:
    """Yield width and Jacobian edge of the transverse mass, rows of the axis `all`."""
    for (name, estimator), spectrum in shapes.items():
        if name != "mt" or estimator == TRUTH:
            continue
        n_events, effective = spectrum.events()
        enough = effective >= settings.min_events
        edges = right_edge(spectrum) if enough else (None, None)
        for quantity, values in zip(("mt_width", "mt_edge"), edges, strict=True):
            place = (source.name, source.info.variation, estimator, "all", -math.inf, math.inf)
            yield (*place, quantity), Value(values, n_events)


def _bins(parts: Distributions) -> list[tuple[int, Row]]:
    bins = [(number, item) for number, item in enumerate(parts.grid.bins) if not item.hidden]
    bins.sort(key=lambda pair: (AXES.index(pair[1].axis), pair[1].low, pair[1].high))
    return [(number, (item.axis, item.low, item.high)) for number, item in bins]


def rows(measured: Iterable[Item]) -> Iterator[Row]:
    """Yield rows with value, the bounds of the 68 % interval and the number of events."""
    waiting: list[Item] = []
    for item in measured:
        waiting.append(item)
        if len(waiting) == _BATCH:
            yield from _rows(waiting)
            waiting = []
    yield from _rows(waiting)


def _rows(measured: Sequence[Item]) -> Iterator[Row]:
    values = bounds([value for _, value in measured]).tolist()
    for (head, value), numbers in zip(measured, values, strict=True):
        yield (*head, *numbers, value.n_events)


def bounds(values: Sequence[Value], coverage: float = 0.68) -> np.ndarray:
    """Return value, lower and upper bound of each, shape (n, 3); NaN where there is none."""
    out = np.full((len(values), 3), np.nan)
    known = {i: one.values for i, one in enumerate(values) if one.values is not None}
    if known:
        full, stack = list(known), np.stack(list(known.values()))
        out[full, 0] = stack[:, 0]
        out[full, 1:] = intervals(stack, coverage)
    return out


def headline(
    source: Source,
    parts: Distributions,
    measured: Sequence[Measured],
    settings: PerformanceSettings,
) -> dict[str, object]:
    """Return what a reader asks first of a sample; all intervals at 95 %.

    Plateau responses (`response_met`: to true pTmiss, where a sample has that) and corrected
    resolutions of every estimator, their gains over those of the settings, and the shares of the
    way to the limit. With a boson: sigma_par and sigma_perp for q_t within `headline_qt`, and in
    `gains_bincorr` the gains of those corrected in each bin of q_t; where there is true pTmiss:
    sigma_xy of all events, and where no plateau has events enough, sigma_xy_bincorr in its place.
    `empty_bins`: those with too few effective events.
    """
    chosen, further = [], []
    if parts.has_boson:
        number = parts.grid.find("qt", *settings.headline_qt)
        chosen += [("sigma_par", number), ("sigma_perp", number)]
        further += [(f"{sigma}_bincorr", number) for sigma, _ in chosen]
    real_ptmiss = parts.has_truth and (parts.boson_has_neutrino or not parts.has_boson)
    if real_ptmiss:
        number = parts.grid.find("all", -math.inf, math.inf)
        chosen.append(("sigma_xy", number))
        if all(values.width("sigma_xy", number).values is None for values in measured):
            further.append(("sigma_xy_bincorr", number))
    estimators = {}
    for e, (name, values) in enumerate(zip(parts.estimators, measured, strict=True)):
        main = values.main_response
        quantities = [(sigma, values.quantities(number)) for sigma, number in [*chosen, *further]]
        estimators[name] = {
            "response": quoted(values.plateau(main)) if main else None,
            **({"response_met": quoted(values.plateau("along"))} if real_ptmiss else {}),
            "non_finite": int(parts.non_finite[e]),
            **{sigma: quoted(bins[sigma]) for sigma, bins in quantities if sigma in bins},
        }
    stated = stated_gains(parts, measured, chosen, settings.over)
    per_bin = stated_gains(parts, measured, further, settings.over)
    return {
        "sample": source.name,
        "variation": source.info.variation,
        "label": source.info.label,
        "n_events": parts.n_events,
        "effective_events": _finite(_effective(parts, measured)),
        "estimators": estimators,
        "gains": [entry for entry in stated if entry["over"] in settings.over],
        "gains_bincorr": [entry for entry in per_bin if entry["over"] in settings.over],
        "limit": [entry for entry in stated if entry["over"] == LIMIT],
        "empty_bins": empty_bins(parts, measured, settings),
    }


def stated_gains(
    parts: Distributions,
    measured: Sequence[Measured],
    chosen: Sequence[tuple[str, int]],
    over: Sequence[str],
) -> list[dict[str, object]]:
    """Return gains and shares of the limit of resolutions in bins (number), with 95 % intervals."""
    entries = []
    for sigma, number in chosen:
        item = parts.grid.bins[number]
        where = {"axis": item.axis, **edges_of(item)}
        for name, base, quantity, value in gains(parts.estimators, measured, number, [sigma], over):
            entries.append(
                {"estimator": name, "over": base, "quantity": quantity, **where, **quoted(value)}
            )
    return entries


def empty_bins(
    parts: Distributions, measured: Sequence[Measured], settings: PerformanceSettings
) -> list[dict[str, object]]:
    """Return the bins with fewer than `min_events` effective events, and of which estimators."""
    entries: list[dict[str, object]] = []
    for number, (axis, _, _) in _bins(parts):
        effective = {
            name: one.effective(number)
            for name, one in zip(parts.estimators, measured, strict=True)
            if one.main_response is not None
        }
        few = {name: n for name, n in effective.items() if n < settings.min_events}
        if few:
            item = parts.grid.bins[number]
            entries.append(
                {
                    "axis": axis,
                    **edges_of(item),
                    "estimators": list(few),
                    "effective_events": round(min(few.values()), 3),
                }
            )
    return entries


def _effective(parts: Distributions, measured: Sequence[Measured]) -> float:
    number = parts.grid.find("all", -math.inf, math.inf)
    return max((one.effective(number) for one in measured), default=0.0)


def quoted(value: Value) -> dict[str, object]:
    """Return a number with the bounds of its 95 % interval."""
    names = ("value", "low", "high")
    numbers = bounds([value], 0.95)[0].tolist()
    return {
        **{name: _finite(number) for name, number in zip(names, numbers, strict=True)},
        "n_events": value.n_events,
    }


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def edges_of(item: Bin) -> dict[str, float | None]:
    """Return the edges of a bin as JSON has them, None where it is open."""
    return {"bin_low": _finite(item.low), "bin_high": _finite(item.high)}
