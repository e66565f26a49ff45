"""The numbers behind the figures of the corrections, as rows of one tidy table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ptmiss.core.stats.bootstrap import intervals
from ptmiss.tasks.met.calibration.derive import Corrections, Offset
from ptmiss.tasks.met.calibration.layouts import Number
from ptmiss.tasks.met.calibration.maps import Maps
from ptmiss.tasks.met.calibration.response import Response
from ptmiss.tasks.met.settings.calibration import CalibrationSettings


class Head(NamedTuple):
    """What the numbers of a figure's series are of; its axis is cut into bins by `edges`."""

    table: str
    estimator: str
    dataset: str
    axis: str
    quantity: str

    def numbers(
        self,
        edges: np.ndarray,
        values: tuple[np.ndarray, np.ndarray, np.ndarray],
        n_events: np.ndarray | None = None,
    ) -> Iterator[Number]:
        """Yield the numbers in each bin.

        edges: (bins + 1,); values: the number and the bounds of its interval, each (bins,);
        n_events: (bins,), None of a curve through several bins.
        """
        n = np.full(edges.size - 1, np.nan) if n_events is None else n_events
        rows = zip(itertools.pairwise(edges), *values, n, strict=True)
        for (low, high), value, err_low, err_high, effective in rows:
            yield Number(*self[:4], low, high, self.quantity, value, err_low, err_high, effective)


def rows(corrections: Corrections, settings: CalibrationSettings) -> Iterator[Number]:
    """Yield what the corrections of an estimator are fitted to, and the fits."""
    for dataset, offsets in corrections.xy.items():
        for axis, offset in zip("xy", offsets, strict=True):
            yield from _xy(corrections.estimator, dataset, f"mean_{axis}", offset)
    for dataset, response in corrections.response.items():
        yield from _response(corrections.estimator, dataset, response)
    for dataset, response in corrections.response.items():
        yield from _plateau(corrections.estimator, dataset, response, settings)
    for component, maps in corrections.maps.items():
        yield from _maps(corrections.estimator, component, maps)


def _xy(estimator: str, dataset: str, quantity: str, offset: Offset) -> Iterator[Number]:
    p, line = offset.profile, offset.line
    head = Head("xy", estimator, dataset, "n_pv", quantity)
    yield from head.numbers(p.edges, (p.mean, p.mean - p.error, p.mean + p.error), offset.n_events)
    value, error = line(p.centre), line.error(p.centre)
    fit = head._replace(dataset=f"{dataset}_fit")
    yield from fit.numbers(p.edges, (value, value - error, value + error))


def _response(estimator: str, dataset: str, response: Response) -> Iterator[Number]:
    head = Head("response", estimator, dataset, "qt", "response")
    low, high = intervals(response.values).T
    measured = response.values[:, 0], low, high
    yield from head.numbers(response.edges, measured, response.n_events)
    nominal, down, up = (
        response.curves[name](response.centres) for name in ("nominal", "stat_down", "stat_up")
    )
    fit = head._replace(dataset=f"{dataset}_fit")
    yield from fit.numbers(response.edges, (nominal, down, up))


def _plateau(
    estimator: str, dataset: str, response: Response, settings: CalibrationSettings
) -> Iterator[Number]:
    if response.plateau is None:
        return
    edges = np.array([settings.plateau_low, settings.plateau_high])
    value, low, high = (
        np.array([response.plateau[name]]) for name in ("nominal", "stat_down", "stat_up")
    )
    head = Head("plateau", estimator, dataset, "qt", "response")
    yield from head.numbers(edges, (value, low, high), np.array([response.plateau_events]))


def _maps(estimator: str, component: str, maps: Maps) -> Iterator[Number]:
    nominal = maps.nominal
    for j, (q_t, shifts) in enumerate(zip(nominal.nodes, nominal.shifts, strict=True)):
        # up means outwards across the boson, which is down on one side
        down, up = (maps.by_systematic[name].shifts[j] for name in ("stat_down", "stat_up"))
        low, high = np.minimum(down, up), np.maximum(down, up)
        quantity = f"shift_{_jets(nominal.jet_edges, j)}"
        for i, q in enumerate(q_t):
            head = Head("map", estimator, f"qt_{q:.0f}", component, quantity)
            value, below, above = (0.5 * (a[i, 1:] + a[i, :-1]) for a in (shifts, low, high))
            n = np.full(value.size, maps.n_events[j][i])
            yield from head.numbers(nominal.knots, (value, below, above), n)


def _jets(edges: np.ndarray, j: int) -> str:
    low, high = int(edges[j]), int(edges[j + 1]) - 1
    if high >= 255:
        return "all_jets" if low == 0 else f"{low}_jets_or_more"
    return f"{low}_jets" if low == high else f"{low}_to_{high}_jets"
