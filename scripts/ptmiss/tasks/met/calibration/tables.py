"""The numbers behind every figure of the calibration, as one tidy table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from ptmiss.core.stats.bootstrap import interval
from ptmiss.core.stats.merging import effective, merge
from ptmiss.core.tables import Row
from ptmiss.tasks.met.calibration.apply import COMPONENTS, Applied, Recoil
from ptmiss.tasks.met.calibration.bins import DATASETS, Bins
from ptmiss.tasks.met.calibration.derive import Corrections, Sample, corrected
from ptmiss.tasks.met.calibration.events import JUDGE, Events, join
from ptmiss.tasks.met.calibration.inputs import Inputs, Side
from ptmiss.tasks.met.calibration.lines import profile
from ptmiss.tasks.met.calibration.quantile import QuantileMap
from ptmiss.tasks.met.calibration.response import ratios
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

SOURCES = ("background", "form", "jets")
"""Systematic sources of a map beside its statistics; each has a variation up and down."""

_N_BINS = 40
_N_PHI = 12


def rows(
    found: Sequence[Corrections],
    samples: dict[str, Sample],
    tools: Sequence[Applied],
    inputs: Inputs,
    bins: Bins,
    settings: CalibrationSettings,
) -> list[Row]:
    """Return the table of a training.

    samples: those that the corrections were derived from, by data set; tools: the corrections as a
    user applies them; bins: of the maps. Distributions before and after are of the half that was
    not used for that.
    """
    every = _events_of_maps(samples, bins)
    judged = inputs.dilepton.half(JUDGE)
    out: list[Row] = []
    for one, tool in zip(found, tools, strict=True):
        own = {name: sample.only(tool.e) for name, sample in samples.items()}
        whole = all(own[name].events.size == samples[name].events.size for name in samples)
        out += _xy(one, own, settings)
        out += _response(one, own, settings)
        out += _plateau(one, own, settings)
        out += _maps(one, every if whole else _events_of_maps(own, bins))
        out += _phi(judged.finite(tool.e), tool)
        ranges = settings.closure.qt_ranges if one.estimator in settings.closure.estimators else ()
        for side in (judged, *inputs.control):
            here = [(0.0, math.inf), *(ranges if side is judged else ())]
            name = "" if side is judged else side.name
            out += _spectra(one, tool, side.finite(tool.e), here, name)
    return out


def _rows(
    head: tuple[str, str, str, str],
    edges: np.ndarray,
    quantity: str,
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    n: np.ndarray | None = None,
) -> list[Row]:
    columns = (value, low, high, np.full(np.size(value), np.nan) if n is None else n)
    return [
        (*head, a, b, quantity, *numbers)
        for (a, b), numbers in zip(
            itertools.pairwise(edges), zip(*columns, strict=True), strict=True
        )
    ]


def _xy(
    one: Corrections, samples: dict[str, Sample], settings: CalibrationSettings
) -> Iterator[Row]:
    for dataset in DATASETS:
        events = samples[dataset].events
        for i, axis in enumerate("xy"):
            p = profile(events.n_pv, events.met[0, i], events.weight, settings.min_events)
            line = one.xy[dataset][i]
            head = ("xy", one.estimator, dataset, "n_pv")
            yield from _rows(
                head, p.edges, f"mean_{axis}", p.mean, p.mean - p.error, p.mean + p.error,
                _effective(events.n_pv, events.weight, p.edges),
            )  # fmt: skip
            head = ("xy", one.estimator, f"{dataset}_fit", "n_pv")
            value, error = line(p.centre), line.error(p.centre)
            yield from _rows(head, p.edges, f"mean_{axis}", value, value - error, value + error)


def _response(
    one: Corrections, samples: dict[str, Sample], settings: CalibrationSettings
) -> Iterator[Row]:
    edges = np.array(settings.qt_edges)
    for dataset in DATASETS:
        sample = samples[dataset]
        events = corrected(sample, 0, one.xy[dataset])
        u_par, _, q_t = events.recoil(events.met[0])
        number = np.searchsorted(edges, q_t, side="right") - 1
        bins = merge([(number, events.weight)], edges.size - 1, settings.min_events)
        values, bounds, centres, n = [], [], [], []
        for first, last in bins:
            which = np.flatnonzero((number >= first) & (number < last))
            w = sample.weights(which, replicas=True)
            replicas = ratios(u_par[which], q_t[which], w)
            values.append(replicas[0])
            bounds.append(interval(replicas))
            centres.append(float(w[0] @ q_t[which] / w[0].sum()))
            n.append(effective(w[0]))
        used = edges[[first for first, _ in bins] + [bins[-1][1]]]
        head = ("response", one.estimator, dataset, "qt")
        measured = np.array(values), *np.array(bounds).T, np.array(n)
        yield from _rows(head, used, "response", *measured)
        curves = one.response[dataset]
        at = np.array(centres)
        numbers = (curves[name](at) for name in ("nominal", "stat_down", "stat_up"))
        head = ("response", one.estimator, f"{dataset}_fit", "qt")
        yield from _rows(head, used, "response", *numbers)


def _plateau(
    one: Corrections, samples: dict[str, Sample], settings: CalibrationSettings
) -> Iterator[Row]:
    edges = np.array([settings.plateau_low, settings.plateau_high])
    for dataset in DATASETS:
        found = one.plateau[dataset]
        if found is None:
            continue
        events = samples[dataset].events
        numbers = (np.array([found[name]]) for name in ("nominal", "stat_down", "stat_up"))
        n = _effective(np.hypot(*events.boson), events.weight, edges)
        yield from _rows(("plateau", one.estimator, dataset, "qt"), edges, "response", *numbers, n)


def _events_of_maps(samples: dict[str, Sample], bins: Bins) -> list[list[float]]:
    """Return the effective events behind each node of each category: those of the lesser side."""
    both = [samples[name].events for name in DATASETS]
    return [
        [
            min(effective(events.weight[bins.which(events, category, i)]) for events in both)
            for i in range(len(ranges))
        ]
        for category, ranges in enumerate(bins.ranges)
    ]


def _maps(one: Corrections, behind: Sequence[Sequence[float]]) -> Iterator[Row]:
    for component, maps in one.maps.items():
        nominal = maps["nominal"]
        between = nominal.knots
        for j, (q_t, shifts) in enumerate(zip(nominal.nodes, nominal.shifts, strict=True)):
            jets = _jets(nominal.jet_edges, j)
            # up means outwards across the boson, which is down on one side
            ends = [maps[name].shifts[j] for name in ("stat_down", "stat_up")]
            low, high = np.minimum(*ends), np.maximum(*ends)
            for i, q in enumerate(q_t):
                head = ("map", one.estimator, f"qt_{q:.0f}", component)
                middle = [0.5 * (a[i, 1:] + a[i, :-1]) for a in (shifts, low, high)]
                n = np.full(middle[0].size, behind[j][i])
                yield from _rows(head, between, f"shift_{jets}", *middle, n)


def _jets(edges: np.ndarray, j: int) -> str:
    low, high = int(edges[j]), int(edges[j + 1]) - 1
    if high >= 255:
        return "all_jets" if low == 0 else f"{low}_jets_or_more"
    return f"{low}_jets" if low == high else f"{low}_to_{high}_jets"


def _phi(side: Side, tool: Applied) -> Iterator[Row]:
    edges = np.linspace(-np.pi, np.pi, _N_PHI + 1)
    data = side.data if side.background is None else join([side.data, side.background.scaled(-1.0)])
    for dataset, events in (("data", data), ("simulation", side.simulation)):
        for suffix, met in (
            ("", tool.met(events, None)),
            ("_corrected", tool.met(events, dataset)),
        ):
            head = ("xy", tool.estimator, f"{dataset}{suffix}", "phi")
            value, error, n = _density(np.arctan2(met[1], met[0]), events.weight, edges)
            yield from _rows(head, edges, "density", value, value - error, value + error, n)


def _density(
    values: np.ndarray, weight: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the density of all events (those outside the edges count too), its error, and the
    effective events of each bin. NaN without events, or where subtracted ones outweigh the others.
    """
    total = weight.sum()
    n = _effective(values, weight, edges)
    if not total > 0.0:
        return np.full(n.size, np.nan), np.full(n.size, np.nan), n
    per_unit = 1.0 / (total * np.diff(edges))
    sums, squares = _sums(values, weight, edges)
    return sums * per_unit, np.sqrt(squares) * per_unit, n


def _sums(values: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> list[np.ndarray]:
    return [np.histogram(values, edges, weights=w)[0] for w in (weight, weight**2)]


def _effective(values: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the effective events of each bin, (bins,); 0 where their sum is not positive."""
    sums, squares = _sums(values, weight, edges)
    return np.divide(sums**2, squares, np.zeros(sums.size), where=sums > 0.0)


def _spectra(
    one: Corrections,
    tool: Applied,
    side: Side,
    regions: Sequence[tuple[float, float]],
    sample: str,
) -> Iterator[Row]:
    data = side.data if side.background is None else join([side.data, side.background.scaled(-1.0)])
    of_data, plain = tool.recoil(data, "data"), tool.recoil(side.simulation, "simulation")
    names = ["nominal", *(f"{s}_{d}" for s in SOURCES for d in ("up", "down"))]
    mapped = {name: tool.mapped(side.simulation, plain, name) for name in names}
    for component in COMPONENTS:
        moved = _replicas(one, component, side.simulation, plain)
        knots = one.maps[component]["nominal"].knots
        reach = math.ceil(max(abs(knots[1]), abs(knots[-2])) / 10.0) * 10.0
        edges = np.linspace(-reach, reach, _N_BINS + 1)
        for low, high in regions:
            region = "" if math.isinf(high) else f"_qt_{low:g}_{high:g}"
            quantity = f"density{'_' if sample else ''}{sample}{region}"
            kept = (of_data.q_t >= low) & (of_data.q_t < high)
            value, error, n = _density(of_data.component(component)[kept], data.weight[kept], edges)
            for table in ("before", "after"):
                head = (table, one.estimator, "data", component)
                yield from _rows(head, edges, quantity, value, value - error, value + error, n)
            kept = (plain.q_t >= low) & (plain.q_t < high)
            weight = side.simulation.weight[kept]
            value, error, n = _density(plain.component(component)[kept], weight, edges)
            head = ("before", one.estimator, "simulation", component)
            yield from _rows(head, edges, quantity, value, value - error, value + error, n)
            found = {
                name: _density(values.component(component)[kept], weight, edges)
                for name, values in mapped.items()
            }
            value, error, n = found["nominal"]
            spread = np.std([_density(u[kept], weight, edges)[0] for u in moved], axis=0)
            squares = [error**2 + spread**2] * 2
            for source in SOURCES:
                shifts = [found[f"{source}_{d}"][0] - value for d in ("up", "down")]
                squares[0] = squares[0] + np.minimum(np.min(shifts, axis=0), 0.0) ** 2
                squares[1] = squares[1] + np.maximum(np.max(shifts, axis=0), 0.0) ** 2
            head = ("after", one.estimator, "simulation_corrected", component)
            bounds = value - np.sqrt(squares[0]), value + np.sqrt(squares[1])
            yield from _rows(head, edges, quantity, value, *bounds, n)


def _replicas(one: Corrections, component: str, events: Events, found: Recoil) -> list[np.ndarray]:
    """Return the recoil after each replica of the map, (n,) each."""
    nominal, replicas = one.maps[component]["nominal"], one.replicas[component]
    out = []
    for b in range(replicas[0].shape[0]):
        shifts = tuple(np.ascontiguousarray(shift[b]) for shift in replicas)
        replica = QuantileMap(
            nominal.knots, nominal.jet_edges, nominal.qt_high, nominal.nodes, shifts
        )
        out.append(replica(found.component(component), found.q_t, events.n_jets))
    return out
