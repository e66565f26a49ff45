"""Quantile maps of an estimator: nominal, replicas and variations, in bins of q_t and jets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.merging import effective
from ptmiss.core.stats.quantile_map import QuantileMap, monotone
from ptmiss.tasks.met.calibration.bins import Bins, background_changes, make_bins
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.calibration.replicas import Sides
from ptmiss.tasks.met.calibration.shifts import shifts_of_bin
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LEVELS = np.array(
    [0.001, 0.003, 0.007, 0.015, 0.03, 0.05, 0.08, 0.12, 0.17, 0.22, 0.28, 0.34, 0.4, 0.46]
)
"""Probabilities at which the grid of u has its knots, and their mirror images."""


@dataclass(frozen=True)
class Maps:
    """The maps of one component.

    by_systematic: of each of `SYSTEMATICS`; replicas: shifts of each category, (replicas, nodes,
    knots), on the nominal nodes; n_events: effective events behind each node of each category,
    those of the side that has fewer.
    """

    by_systematic: dict[str, QuantileMap]
    replicas: tuple[np.ndarray, ...]
    n_events: tuple[np.ndarray, ...]

    @property
    def nominal(self) -> QuantileMap:
        """The map without variation."""
        return self.by_systematic["nominal"]

    def replica(self, number: int) -> QuantileMap:
        """Return the map of a replica."""
        return self.nominal.with_shifts(shifts[number] for shifts in self.replicas)


def derive_maps(
    sides: Sides,
    values: dict[str, np.ndarray],
    odd: bool,
    bins: Bins,
    settings: CalibrationSettings,
) -> Maps:
    """Return the maps of a component.

    Parameters
    ----------
    sides
        Events of data and simulation in which the estimator is finite.
    values
        u_par - q_t or u_perp of these events in GeV, (n,).
    odd
        Whether an event and its mirror image are equally likely (u_perp).
    bins
        From `make_bins`.
    """
    task = _Task(sides, values, odd, settings, _knots(values["simulation"], odd))
    fitted = task.run(bins, settings.form, replicas=True)
    replicas = tuple(one[1:] for one in fitted.shifts)
    nominal = task.map_of(bins, fitted.nodes, fitted.first)
    maps = {"nominal": nominal}
    for name, percent in (("stat_up", 84.0), ("stat_down", 16.0)):
        bounds = [task.bound(r, percent) for r in replicas]
        maps[name] = task.map_of(bins, fitted.nodes, bounds)
    for name, change in background_changes(settings).items():
        if sides["data"].shares.any():
            varied = task.run(bins, settings.form, background=change)
            maps[name] = task.map_of(bins, fitted.nodes, varied.first)
        else:
            maps[name] = nominal
    varied = task.run(bins, settings.form_variation)
    maps["form_up"] = task.map_of(bins, fitted.nodes, varied.first)
    maps["form_down"] = _mirrored(nominal, maps["form_up"])
    alone = make_bins(sides, settings.model_copy(update={"jets": (0,)}))
    varied = task.run(alone, settings.form)
    inclusive = task.map_of(alone, varied.nodes, varied.first)
    union = tuple(np.unique(np.concatenate([q, *varied.nodes])) for q in fitted.nodes)
    maps["jets_up"] = inclusive.at(union, bins.jet_edges)
    maps["jets_down"] = _mirrored(nominal.at(union, bins.jet_edges), maps["jets_up"])
    return Maps({name: maps[name] for name in SYSTEMATICS}, replicas, fitted.n_events)


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
class _Fitted:
    """By category of jets: q_t of each node; shifts (rows, nodes, knots); effective events."""

    nodes: tuple[np.ndarray, ...]
    shifts: tuple[np.ndarray, ...]
    n_events: tuple[np.ndarray, ...]

    @property
    def first(self) -> list[np.ndarray]:
        """The shifts of the measurement itself."""
        return [rows[0] for rows in self.shifts]


@dataclass(frozen=True)
class _Task:
    """What the maps of one component have in common.

    odd: an event and its mirror image are equally likely, so the map must not tell left from right.
    That holds for u_perp, whatever the xy offset, as bosons have no preferred azimuth; the mean of
    a bin's few events would otherwise be taken for a shift.
    """

    sides: Sides
    values: dict[str, np.ndarray]
    odd: bool
    settings: CalibrationSettings
    knots: np.ndarray

    def run(
        self, bins: Bins, form: str, replicas: bool = False, background: float = 0.0
    ) -> _Fitted:
        """Return nodes, shifts and effective events of each category.

        background: relative change of the subtracted background.
        """
        categories = []
        for category, ranges in enumerate(bins.ranges):
            columns = [
                self._bin(bins, (category, number), form, replicas, background)
                for number in range(len(ranges))
            ]
            categories.append(tuple(zip(*columns, strict=True)))
        return _Fitted(
            tuple(np.array(nodes) for nodes, _, _ in categories),
            tuple(np.stack(shifts, axis=1) for _, shifts, _ in categories),
            tuple(np.array(n_events) for _, _, n_events in categories),
        )

    def _bin(
        self, bins: Bins, place: tuple[int, int], form: str, replicas: bool, background: float
    ) -> tuple[float, np.ndarray, float]:
        """Return q_t, shifts (rows, knots) and effective events of a bin."""
        values, weights = {}, {}
        for name, side in self.sides.items():
            which = bins.which(side.events, *place)
            weights[name] = side.weights(which, replicas, background)
            values[name] = self.values[name][which]
            if name == "simulation":
                q_t = np.hypot(*side.events.boson[:, which])
                # to 1e-6 GeV: nodes of two maps that differ in the last bit would
                # become edges of one binning, which correctionlib cannot tell apart
                w = weights[name][0]
                node = round(float(w @ q_t / w.sum()), 6)
        few = min(effective(w[0]) for w in weights.values())
        simulation, data = ((values[name], weights[name]) for name in ("simulation", "data"))
        tail = max(self.settings.tail, 1.0 / few)
        moved = shifts_of_bin(form, self.settings.kernel_width, simulation, data, self.knots, tail)
        return node, 0.5 * (moved - moved[:, ::-1]) if self.odd else moved, few

    def bound(self, replicas: np.ndarray, percent: float) -> np.ndarray:
        """Return a percentile of shifts (replicas, ..., knots); of odd ones up means outwards."""
        bounds: np.ndarray = np.percentile(replicas, percent, axis=0)
        if not self.odd:
            return bounds
        return np.where(self.knots < 0.0, np.percentile(replicas, 100.0 - percent, axis=0), bounds)

    def map_of(
        self, bins: Bins, nodes: tuple[np.ndarray, ...], shifts: list[np.ndarray]
    ) -> QuantileMap:
        """Return a map that rises everywhere."""
        return QuantileMap(
            self.knots,
            bins.jet_edges,
            self.settings.qt_edges[-1],
            nodes,
            tuple(np.ascontiguousarray(monotone(one, self.knots)) for one in shifts),
        )
