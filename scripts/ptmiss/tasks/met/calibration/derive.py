"""Derive all corrections of an estimator: xy, response, quantile maps, and their variations."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.stats.bootstrap import copies, interval
from ptmiss.core.stats.merging import effective, merge
from ptmiss.tasks.met.calibration.bins import DATASETS, SYSTEMATICS, Bins
from ptmiss.tasks.met.calibration.events import Events, join
from ptmiss.tasks.met.calibration.lines import Line, choose, profile
from ptmiss.tasks.met.calibration.quantile import QuantileMap, monotone
from ptmiss.tasks.met.calibration.response import Curve, curve, ratios
from ptmiss.tasks.met.calibration.shifts import shifts_of_bin
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LEVELS = np.array(
    [0.001, 0.003, 0.007, 0.015, 0.03, 0.05, 0.08, 0.12, 0.17, 0.22, 0.28, 0.34, 0.4, 0.46]
)
"""Probabilities at which the grid of u has its knots, and their mirror images."""


_SIGNS = {"up": 1.0, "down": -1.0}


@dataclass(frozen=True)
class Sample:
    """Events of one side with their bootstrap.

    copies: uint8 (n, 1 + replicas), column 0 is one; shares: of the background uncertainty that an
    event's weight carries: 1 for subtracted background, 0 for all else.
    """

    events: Events
    copies: np.ndarray
    shares: np.ndarray

    def only(self, e: int) -> Sample:
        """Return the events in which estimator number `e` is finite, with this estimator alone."""
        met = self.events.met[e : e + 1]
        finite = self.events.finite(e)
        one = dataclasses.replace(self.events, met=met)
        if finite.all():
            return Sample(one, self.copies, self.shares)
        return Sample(one.take(finite), self.copies[finite], self.shares[finite])

    def weights(self, which: np.ndarray, replicas: bool, background: float = 0.0) -> np.ndarray:
        """Return weights (rows, n) of the events `which`: nominal, then replicas if asked for.

        background: relative change of the subtracted background.
        """
        w = self.events.weight[which] * (1.0 + background * self.shares[which])
        if not replicas:
            return w[None, :]
        return w * self.copies[which].T


@dataclass(frozen=True)
class Corrections:
    """All corrections of one estimator. The dictionaries go by data set, then by systematic.

    plateau: response above calibration.plateau_low, None with too few events;
    replicas: component -> shifts of each category, (replicas, nodes, knots), on the nominal nodes.
    """

    estimator: str
    xy: dict[str, tuple[Line, Line]]
    response: dict[str, dict[str, Curve]]
    plateau: dict[str, dict[str, float] | None]
    maps: dict[str, dict[str, QuantileMap]]
    replicas: dict[str, tuple[np.ndarray, ...]]


def sample(events: Events, background: Events | None, replicas: int) -> Sample:
    """Return events less background, with their bootstrap copies."""
    parts = [events] if background is None else [events, background.scaled(-1.0)]
    shares = np.repeat([0.0, 1.0][: len(parts)], [part.size for part in parts])
    whole = join(parts)
    return Sample(whole, copies(whole.states, replicas), shares)


def corrected(one: Sample, e: int, lines: tuple[Line, Line]) -> Events:
    """Return the events with the xy offset of estimator number `e` subtracted from its pTmiss."""
    return dataclasses.replace(one.events, met=shifted(one.events, e, lines)[None])


def shifted(events: Events, e: int, lines: tuple[Line, Line]) -> np.ndarray:
    """Return pTmiss less its mean offset at the event's n_pv, shape (2, n)."""
    return events.met[e] - np.stack([line(events.n_pv) for line in lines])


def make_bins(data: Sample, simulation: Sample, settings: CalibrationSettings) -> Bins:
    """Return bins that hold enough effective events in both samples.

    Categories of jets are joined first, then bins of q_t in each. Where an estimator is not finite
    in some events, a bin holds enough of the others too. Raises `UserError` if all events together
    are too few.
    """
    both, n = (data, simulation), settings.min_events
    top = settings.qt_edges[-1]
    usable = [_usable(one.events, top) for one in both]
    for name, one, masks in zip(DATASETS, both, usable, strict=True):
        found = effective(one.events.weight[masks[0]])
        if found < n:
            raise UserError(
                f"calibration: {name} has {found:.0f} effective events with a boson below"
                f" {top:g} GeV, fewer than the {n} that one bin needs (calibration.min_events); add"
                " events or lower it"
            )
    edges = np.array([*settings.jets, 256.0])
    numbers = [np.searchsorted(edges, one.events.n_jets, side="right") - 1 for one in both]
    categories = merge(_pairs(both, numbers, usable), edges.size - 1, n)
    edges = edges[[first for first, _ in categories] + [categories[-1][1]]]
    ranges = []
    for first, last in itertools.pairwise(edges):
        numbers = []
        for one in both:
            inside = (one.events.n_jets >= first) & (one.events.n_jets < last)
            number = np.searchsorted(settings.qt_edges, np.hypot(*one.events.boson), "right") - 1
            numbers.append(np.where(inside, number, -1))
        pairs = _pairs(both, numbers, usable)
        merged = merge(pairs, len(settings.qt_edges) - 1, n)
        ranges.append(tuple((settings.qt_edges[a], settings.qt_edges[b]) for a, b in merged))
    return Bins(edges, tuple(ranges))


def _usable(events: Events, top: float) -> list[np.ndarray]:
    """Return which events below a q_t can be used: all, and by each estimator that lacks some."""
    below = np.hypot(*events.boson) < top
    each = [events.finite(e) for e in range(len(events.met))]
    return [below, *(below & one for one in each if not one.all())]


def _pairs(
    samples: Sequence[Sample], numbers: Sequence[np.ndarray], usable: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return number of the bin (-1: none) and weight of each event, for each of `usable`."""
    return [
        (np.where(mask, number, -1), one.events.weight)
        for one, number, masks in zip(samples, numbers, usable, strict=True)
        for mask in masks
    ]


def check_finite(
    estimators: Sequence[str], data: Sample, simulation: Sample, settings: CalibrationSettings
) -> None:
    """Raise `UserError` for an estimator that is finite in too few events to be calibrated."""
    for e, estimator in enumerate(estimators):
        for name, one in zip(DATASETS, (data, simulation), strict=True):
            finite = one.events.finite(e)
            if finite.all() or effective(one.events.weight[finite]) >= settings.min_events:
                continue
            raise UserError(
                f"calibration: {estimator} is finite in {np.count_nonzero(finite)} of {finite.size}"
                f" events of {name}, fewer than the {settings.min_events} effective ones that one"
                " bin needs (calibration.min_events); mend this estimator or leave it out of"
                " evaluate.estimators and evaluate.external"
            )


def derive(
    estimator: str,
    e: int,
    data: Sample,
    simulation: Sample,
    bins: Bins,
    settings: CalibrationSettings,
) -> Corrections:
    """Return the corrections of estimator number `e`. `bins`: from `make_bins`.

    Of the events in which this estimator is finite.
    """
    sides = dict(zip(DATASETS, (data.only(e), simulation.only(e)), strict=True))
    xy, response, plateau, recoils = {}, {}, {}, {}
    for name, one in sides.items():
        xy[name] = tuple(_line(one.events, 0, axis, settings) for axis in (0, 1))
        events = corrected(one, 0, xy[name])
        recoils[name] = events.recoil(events.met[0])
        u_par, _, q_t = recoils[name]
        response[name], plateau[name] = response_of(one, u_par, q_t, settings)
    maps, replicas = {}, {}
    for component in ("u_par", "u_perp"):
        values = {name: _component(component, recoils[name]) for name in DATASETS}
        odd = component == "u_perp"
        maps[component], replicas[component] = _maps(sides, values, odd, bins, settings)
    return Corrections(estimator, xy, response, plateau, maps, replicas)


def _component(component: str, recoil: tuple[np.ndarray, ...]) -> np.ndarray:
    u_par, u_perp, q_t = recoil
    return u_par - q_t if component == "u_par" else u_perp


def _line(events: Events, e: int, axis: int, settings: CalibrationSettings) -> Line:
    found = profile(events.n_pv, events.met[e, axis], events.weight, settings.min_events)
    return choose(found, settings.xy_order, settings.second_order_p)


def response_of(
    one: Sample, u_par: np.ndarray, q_t: np.ndarray, settings: CalibrationSettings
) -> tuple[dict[str, Curve], dict[str, float] | None]:
    """Return response curve and plateau by systematic; no plateau with too few events.

    u_par, q_t: of the sample's events, (n,) in GeV.
    """
    edges = np.array(settings.qt_edges)
    number = np.searchsorted(edges, q_t, side="right") - 1
    merged = merge([(number, one.events.weight)], edges.size - 1, settings.min_events)
    changes = {f"background_{d}": s * settings.background_uncertainty for d, s in _SIGNS.items()}
    nodes, rows, shifted = [], [], {name: [] for name in changes}
    for first, last in merged:
        which = np.flatnonzero((number >= first) & (number < last))
        w = one.weights(which, replicas=True)
        nodes.append(float(w[0] @ q_t[which] / w[0].sum()))
        rows.append(ratios(u_par[which], q_t[which], w))
        for name, change in changes.items():
            w = one.weights(which, False, change)
            shifted[name].append(ratios(u_par[which], q_t[which], w)[0])
    values = np.array(rows)
    at, nominal, error = np.array(nodes), values[:, 0], values[:, 1:].std(axis=1)
    curves = dict.fromkeys(SYSTEMATICS, curve(at, nominal, error))
    curves["stat_up"] = curve(at, nominal + error, error)
    curves["stat_down"] = curve(at, nominal - error, error)
    for name, found in shifted.items():
        curves[name] = curve(at, np.array(found), error)
    which = np.flatnonzero((q_t >= settings.plateau_low) & (q_t < settings.plateau_high))
    if effective(one.events.weight[which]) < settings.min_events:
        return curves, None
    replicas = ratios(u_par[which], q_t[which], one.weights(which, replicas=True))
    plateau = dict.fromkeys(SYSTEMATICS, float(replicas[0]))
    plateau["stat_down"], plateau["stat_up"] = (float(bound) for bound in interval(replicas))
    for name, change in changes.items():
        w = one.weights(which, False, change)
        plateau[name] = float(ratios(u_par[which], q_t[which], w)[0])
    return curves, plateau


def _maps(
    sides: dict[str, Sample],
    values: dict[str, np.ndarray],
    odd: bool,
    bins: Bins,
    settings: CalibrationSettings,
) -> tuple[dict[str, QuantileMap], tuple[np.ndarray, ...]]:
    task = _Task(sides, values, odd, settings, _knots(values["simulation"], odd))
    nodes, rows = task.run(bins, settings.form, replicas=True)
    replicas = tuple(one[1:] for one in rows)
    nominal = task.made(bins, nodes, [one[0] for one in rows])
    maps = {"nominal": nominal}
    for name, percent in (("stat_up", 84.0), ("stat_down", 16.0)):
        maps[name] = task.made(bins, nodes, [task.bound(r, percent) for r in replicas])
    for direction, sign in _SIGNS.items():
        name, change = f"background_{direction}", sign * settings.background_uncertainty
        if sides["data"].shares.any():
            _, varied = task.run(bins, settings.form, background=change)
            maps[name] = task.made(bins, nodes, [one[0] for one in varied])
        else:
            maps[name] = nominal
    _, varied = task.run(bins, settings.form_variation)
    maps["form_up"] = task.made(bins, nodes, [one[0] for one in varied])
    maps["form_down"] = _mirrored(nominal, maps["form_up"])
    alone = make_bins(*sides.values(), settings.model_copy(update={"jets": (0,)}))
    one_nodes, varied = task.run(alone, settings.form)
    inclusive = task.made(alone, one_nodes, [one[0] for one in varied])
    union = tuple(np.unique(np.concatenate([q, *one_nodes])) for q in nodes)
    maps["jets_up"] = inclusive.at(union, bins.jet_edges)
    maps["jets_down"] = _mirrored(nominal.at(union, bins.jet_edges), maps["jets_up"])
    return {name: maps[name] for name in SYSTEMATICS}, replicas


def _knots(u: np.ndarray, odd: bool) -> np.ndarray:
    """Return where a map of the component u is stored, GeV; on both sides of 0 alike if `odd`."""
    levels = np.concatenate([_LEVELS, [0.5], 1.0 - _LEVELS[::-1]])
    if odd:
        u = np.concatenate([u, -u])
    knots = np.unique(np.round(np.quantile(u, levels), 2))
    return np.unique(np.concatenate([knots, -knots])) if odd else knots


def _mirrored(nominal: QuantileMap, varied: QuantileMap) -> QuantileMap:
    """Return the map as far from `nominal` as `varied`, on the other side; of equal nodes."""
    pairs = zip(nominal.shifts, varied.shifts, strict=True)
    shifts = tuple(monotone(2.0 * n - v, nominal.knots) for n, v in pairs)
    return dataclasses.replace(nominal, shifts=shifts)


@dataclass(frozen=True)
class _Task:
    """What the maps of one component have in common.

    odd: an event and its mirror image are equally likely, so the map must not tell left from right.
    That holds for u_perp, whatever the xy offset, as bosons have no preferred azimuth; the mean of
    a bin's few events would otherwise be taken for a shift.
    """

    sides: dict[str, Sample]
    values: dict[str, np.ndarray]
    odd: bool
    settings: CalibrationSettings
    knots: np.ndarray

    def run(
        self, bins: Bins, form: str, replicas: bool = False, background: float = 0.0
    ) -> tuple[tuple[np.ndarray, ...], list[np.ndarray]]:
        """Return nodes and shifts (rows, nodes, knots) of each category."""
        all_nodes, all_shifts = [], []
        for category, ranges in enumerate(bins.ranges):
            nodes, shifts = [], []
            for number in range(len(ranges)):
                pairs, few = [], np.inf
                for name in ("simulation", "data"):
                    one = self.sides[name]
                    which = bins.which(one.events, category, number)
                    w = one.weights(which, replicas, background)
                    pairs.append((self.values[name][which], w))
                    few = min(few, effective(w[0]))
                    if name == "simulation":
                        q_t = np.hypot(*one.events.boson[:, which])
                        # to 1e-6 GeV: nodes of two maps that differ in the last bit would
                        # become edges of one binning, which correctionlib cannot tell apart
                        nodes.append(round(float(w[0] @ q_t / w[0].sum()), 6))
                tail = max(self.settings.tail, 1.0 / few)
                width = self.settings.kernel_width
                found = shifts_of_bin(form, width, *pairs, self.knots, tail)
                shifts.append(0.5 * (found - found[:, ::-1]) if self.odd else found)
            all_nodes.append(np.array(nodes))
            all_shifts.append(np.stack(shifts, axis=1))
        return tuple(all_nodes), all_shifts

    def bound(self, replicas: np.ndarray, percent: float) -> np.ndarray:
        """Return a percentile of shifts (replicas, ..., knots); of odd ones up means outwards."""
        found = np.percentile(replicas, percent, axis=0)
        if not self.odd:
            return found
        return np.where(self.knots < 0.0, np.percentile(replicas, 100.0 - percent, axis=0), found)

    def made(
        self, bins: Bins, nodes: tuple[np.ndarray, ...], shifts: list[np.ndarray]
    ) -> QuantileMap:
        return QuantileMap(
            self.knots,
            bins.jet_edges,
            self.settings.qt_edges[-1],
            nodes,
            tuple(np.ascontiguousarray(monotone(one, self.knots)) for one in shifts),
        )
