"""Distributions of pTmiss and recoil before and after the corrections, of the events that these
were not derived from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.merging import effective_in, sums_in
from ptmiss.tasks.met.calibration.apply import Applied, Recoil
from ptmiss.tasks.met.calibration.bosons import BosonEvents
from ptmiss.tasks.met.calibration.derive import Corrections
from ptmiss.tasks.met.calibration.inputs import Side
from ptmiss.tasks.met.calibration.layouts import Number
from ptmiss.tasks.met.calibration.maps import Maps
from ptmiss.tasks.met.calibration.names import COMPONENTS
from ptmiss.tasks.met.calibration.tables import Head
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

SOURCES = ("background", "form", "jets")
"""Systematic sources of a map beside its statistics; each has a variation up and down."""

_N_BINS = 40
_N_PHI = 12

Region = tuple[float, float]
"""Range of q_t in GeV."""

ALL: Region = (0.0, math.inf)


@dataclass(frozen=True)
class Density:
    """A distribution. Shapes (bins,).

    value: density of all events (those outside the edges count too), NaN without events or where
    subtracted ones outweigh the others; error: of it; n_events: effective events of each bin.
    """

    value: np.ndarray
    error: np.ndarray
    n_events: np.ndarray

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The density and the bounds of its interval."""
        return self.value, self.value - self.error, self.value + self.error


def density(values: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> Density:
    """Return the distribution of weighted values, each (n,)."""
    total = weight.sum()
    n = effective_in(values, weight, edges)
    if not total > 0.0:
        return Density(np.full(n.size, np.nan), np.full(n.size, np.nan), n)
    per_unit = 1.0 / (total * np.diff(edges))
    sums, squares = sums_in(values, weight, edges)
    return Density(sums * per_unit, np.sqrt(squares) * per_unit, n)


def rows(
    corrections: Corrections,
    tool: Applied,
    judged: Side,
    control: Sequence[Side],
    settings: CalibrationSettings,
) -> Iterator[Number]:
    """Yield the distributions of an estimator before and after its corrections.

    tool: these, as a user applies them; judged: events that they were not derived from; control:
    further samples.
    """
    usable = judged.finite(corrections.estimator)
    yield from _phi(usable, tool)
    counts = corrections.estimator in settings.closure.estimators
    regions = [ALL, *(settings.closure.qt_ranges if counts else ())]
    yield from _recoil(corrections.maps, tool, usable, regions, "")
    for side in control:
        yield from _recoil(
            corrections.maps, tool, side.finite(corrections.estimator), [ALL], side.name
        )


def _phi(side: Side, tool: Applied) -> Iterator[Number]:
    """Yield the distributions of phi of pTmiss in data and simulation, before and after."""
    edges = np.linspace(-np.pi, np.pi, _N_PHI + 1)
    for dataset, events in (("data", side.less_background), ("simulation", side.simulation)):
        for suffix, corrected in (("", None), ("_corrected", dataset)):
            met = tool.met(events, corrected)
            head = Head("xy", tool.estimator, f"{dataset}{suffix}", "phi", "density")
            contents = density(np.arctan2(met[1], met[0]), events.weight, edges)
            yield from head.numbers(edges, contents.bounds, contents.n_events)


def _recoil(
    maps: dict[str, Maps], tool: Applied, side: Side, regions: Sequence[Region], sample: str
) -> Iterator[Number]:
    """Yield the distributions of the recoil in each region, before and after the maps.

    sample: name of a further sample that stands in the names of quantities, or empty.
    """
    data = side.less_background
    of_data, plain = tool.recoil(data, "data"), tool.recoil(side.simulation, "simulation")
    names = ["nominal", *(f"{s}_{d}" for s in SOURCES for d in ("up", "down"))]
    mapped = {name: tool.mapped(side.simulation, plain, name) for name in names}
    for component in COMPONENTS:
        moved = _replicas(maps[component], component, side.simulation, plain)
        knots = maps[component].nominal.knots
        reach = math.ceil(max(abs(knots[1]), abs(knots[-2])) / 10.0) * 10.0
        edges = np.linspace(-reach, reach, _N_BINS + 1)
        for low, high in regions:
            region = "" if math.isinf(high) else f"_qt_{low:g}_{high:g}"
            quantity = f"density{'_' if sample else ''}{sample}{region}"
            kept = (of_data.q_t >= low) & (of_data.q_t < high)
            contents = density(of_data.component(component)[kept], data.weight[kept], edges)
            for table in ("before", "after"):
                head = Head(table, tool.estimator, "data", component, quantity)
                yield from head.numbers(edges, contents.bounds, contents.n_events)
            kept = (plain.q_t >= low) & (plain.q_t < high)
            weight = side.simulation.weight[kept]
            contents = density(plain.component(component)[kept], weight, edges)
            head = Head("before", tool.estimator, "simulation", component, quantity)
            yield from head.numbers(edges, contents.bounds, contents.n_events)
            varied = {
                name: density(values.component(component)[kept], weight, edges)
                for name, values in mapped.items()
            }
            spread = np.std([density(u[kept], weight, edges).value for u in moved], axis=0)
            head = Head("after", tool.estimator, "simulation_corrected", component, quantity)
            nominal = varied["nominal"]
            yield from head.numbers(edges, _bounds(varied, spread), nominal.n_events)


def _bounds(
    varied: dict[str, Density], spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nominal density and its bounds by statistics and all sources in quadrature.

    spread: standard deviation by the replicas of the map, (bins,).
    """
    value, error = varied["nominal"].value, varied["nominal"].error
    down = up = error**2 + spread**2
    for source in SOURCES:
        shifts = [varied[f"{source}_{d}"].value - value for d in ("up", "down")]
        down = down + np.minimum(np.min(shifts, axis=0), 0.0) ** 2
        up = up + np.maximum(np.max(shifts, axis=0), 0.0) ** 2
    return value, value - np.sqrt(down), value + np.sqrt(up)


def _replicas(
    maps: Maps, component: str, events: BosonEvents, measured: Recoil
) -> list[np.ndarray]:
    """Return the recoil after each replica of the map, (n,) each."""
    return [
        maps.replica(number)(measured.component(component), measured.q_t, events.n_jets)
        for number in range(len(maps.replicas[0]))
    ]
