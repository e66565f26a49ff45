"""Response of the recoil: measured, as a smooth, rising function of q_t, and its plateau."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from ptmiss.core.stats.bootstrap import interval
from ptmiss.core.stats.merging import effective, effective_in, merge
from ptmiss.core.stats.quantile_map import FAR
from ptmiss.tasks.met.calibration.bins import background_changes
from ptmiss.tasks.met.calibration.names import SYSTEMATICS
from ptmiss.tasks.met.calibration.replicas import Replicated
from ptmiss.tasks.met.settings.calibration import CalibrationSettings


@dataclass(frozen=True)
class Curve:
    """Response against q_t in GeV: cubic between nodes, rising, constant outside them.

    nodes: (n,); coefficients: (4, n - 1), of (q_t - node)^3 ... ^0 in each interval.
    """

    nodes: np.ndarray
    coefficients: np.ndarray

    def __call__(self, q_t: np.ndarray) -> np.ndarray:
        """Return the response at q_t, shape as given; 1 where q_t is not a finite number."""
        q_t = np.asarray(q_t, dtype=np.float64)
        known = np.abs(q_t) < FAR
        q = np.clip(np.where(known, q_t, 0.0), self.nodes[0], self.nodes[-1])
        if self.nodes.size == 1:
            return np.where(known, self.coefficients[3, 0], 1.0)
        i = np.clip(np.searchsorted(self.nodes, q, side="right") - 1, 0, self.nodes.size - 2)
        x = q - self.nodes[i]
        a, b, c, d = self.coefficients[:, i]
        return np.where(known, ((a * x + b) * x + c) * x + d, 1.0)


def curve(nodes: np.ndarray, values: np.ndarray, errors: np.ndarray) -> Curve:
    """Return the rising curve nearest to measured responses.

    Isotonic regression with the measurements' precision makes them rise; monotone cubic
    interpolation (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980) 238) joins them
    without steps or overshoot.
    """
    rising = isotonic_regression(values, weights=1.0 / np.maximum(errors, 1e-9) ** 2).x
    if nodes.size == 1:
        return Curve(nodes, np.array([[0.0], [0.0], [0.0], [rising[0]]]))
    return Curve(nodes, np.ascontiguousarray(PchipInterpolator(nodes, rising).c))


def ratios(u_par: np.ndarray, q_t: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return <u_par>/<q_t> for each row of weights (replicas, n): a ratio of means."""
    ratio: np.ndarray = (weights @ u_par) / (weights @ q_t)
    return ratio


@dataclass(frozen=True)
class Response:
    """The response of one data set.

    edges (bins + 1,), centres (bins,) in GeV of q_t; values (bins, 1 + replicas): measured there;
    n_events (bins,): effective; curves: through them, by systematic; plateau: in one number above
    calibration.plateau_low, by systematic, None with too few events; plateau_events: behind it.
    """

    edges: np.ndarray
    centres: np.ndarray
    values: np.ndarray
    n_events: np.ndarray
    curves: dict[str, Curve]
    plateau: dict[str, float] | None
    plateau_events: float


def derive_response(
    side: Replicated, u_par: np.ndarray, q_t: np.ndarray, settings: CalibrationSettings
) -> Response:
    """Return the response of a sample, curves and plateau.

    u_par, q_t: of the sample's events, (n,) in GeV.
    """
    edges = np.array(settings.qt_edges)
    number = np.searchsorted(edges, q_t, side="right") - 1
    merged = merge([(number, side.events.weight)], edges.size - 1, settings.min_events)
    changes = background_changes(settings)
    nodes, rows, n_events = [], [], []
    changed: dict[str, list[float]] = {name: [] for name in changes}
    for first, last in merged:
        which = np.flatnonzero((number >= first) & (number < last))
        w = side.weights(which, replicas=True)
        nodes.append(float(w[0] @ q_t[which] / w[0].sum()))
        rows.append(ratios(u_par[which], q_t[which], w))
        n_events.append(effective(w[0]))
        for name, change in changes.items():
            w = side.weights(which, False, change)
            changed[name].append(ratios(u_par[which], q_t[which], w)[0])
    values = np.array(rows)
    centres, nominal, error = np.array(nodes), values[:, 0], values[:, 1:].std(axis=1)
    curves = dict.fromkeys(SYSTEMATICS, curve(centres, nominal, error))
    curves["stat_up"] = curve(centres, nominal + error, error)
    curves["stat_down"] = curve(centres, nominal - error, error)
    for name, varied in changed.items():
        curves[name] = curve(centres, np.array(varied), error)
    plateau = (settings.plateau_low, settings.plateau_high)
    return Response(
        edges[[first for first, _ in merged] + [merged[-1][1]]],
        centres,
        values,
        np.array(n_events),
        curves,
        _plateau(side, u_par, q_t, settings),
        float(effective_in(q_t, side.events.weight, np.array(plateau))[0]),
    )


def _plateau(
    side: Replicated, u_par: np.ndarray, q_t: np.ndarray, settings: CalibrationSettings
) -> dict[str, float] | None:
    which = np.flatnonzero((q_t >= settings.plateau_low) & (q_t < settings.plateau_high))
    if effective(side.events.weight[which]) < settings.min_events:
        return None
    replicas = ratios(u_par[which], q_t[which], side.weights(which, replicas=True))
    plateau = dict.fromkeys(SYSTEMATICS, float(replicas[0]))
    plateau["stat_down"], plateau["stat_up"] = (float(bound) for bound in interval(replicas))
    for name, change in background_changes(settings).items():
        w = side.weights(which, False, change)
        plateau[name] = float(ratios(u_par[which], q_t[which], w)[0])
    return plateau
