"""The table of a calibration as ROOT histograms, for those who draw with ROOT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from uproot.writing.identify import to_TAxis, to_TH1x, to_TH2x

from ptmiss.core.io.root import recreated
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.layouts import Number
from ptmiss.tasks.met.calibration.submission import NOTICE

_TITLES = {
    "n_pv": "reconstructed vertices",
    "phi": "#phi of p_{T}^{miss}",
    "qt": "q_{T} [GeV]",
    "u_par": "u_{#parallel} - q_{T} [GeV]",
    "u_perp": "u_{#perp} [GeV]",
}


def write(
    path: PathLike, rows: Sequence[Number], bins: Bins, training: str, simulated: bool
) -> None:
    """Write a histogram for every figure's series: ESTIMATOR/TABLE/AXIS/QUANTITY/DATASET.

    Its contents are the values and its errors half the 68 % intervals of the table's `rows`. Maps
    are TH2 of recoil and q_t, without DATASET. bins: of the maps; simulated: data are simulated
    themselves, which the text `about` then says. Equal rows give equal bytes.
    """
    series: dict[tuple[str, ...], list[Number]] = {}
    for row in rows:
        last = () if row.table == "map" else (row.dataset,)
        key = (row.estimator, row.table, row.axis, row.quantity, *last)
        series.setdefault(key, []).append(row)
    maps: dict[tuple[str, ...], int] = {}
    with recreated(path, f"calibration/{training}") as file:
        about = f"Calibration of missing transverse momentum, training {training}."
        file["about"] = f"{about} {NOTICE}" if simulated else about
        for key, members in series.items():
            title = " ".join(key).replace("_", " ")
            if key[1] == "map":  # its quantities follow each other as the categories of jets do
                category = maps.setdefault(key[:3], 0)
                maps[key[:3]] += 1
                q_t = _edges(bins.ranges[category])
                file["/".join(key)] = _histogram_2d(key[-1], title, key[2], members, q_t)
            else:
                file["/".join(key)] = _histogram(key[-1], title, key[2], members)


def _edges(ranges: Sequence[tuple[float, float]]) -> np.ndarray:
    return np.array([*(low for low, _ in ranges), ranges[-1][1]])


def _numbers(rows: Sequence[Number], *names: str) -> list[np.ndarray]:
    return [np.array([getattr(row, name) for row in rows], dtype=np.float64) for name in names]


def _contents(rows: Sequence[Number]) -> list[np.ndarray]:
    """Return values, variances and effective events of bins; 0 where there is no number."""
    value, low, high, n = _numbers(rows, "value", "err_low", "err_high", "n_events")
    return [np.nan_to_num(one) for one in (value, (0.5 * (high - low)) ** 2, n)]


def _axis(name: str, edges: np.ndarray, title: str) -> Any:
    return to_TAxis(name, title, edges.size - 1, edges[0], edges[-1], edges)


def _histogram(name: str, title: str, axis: str, rows: Sequence[Number]) -> Any:
    low, high = _numbers(rows, "bin_low", "bin_high")
    edges = np.append(low, high[-1])
    value, variance, n = _contents(rows)
    x = 0.5 * (low + high)
    return to_TH1x(
        name,
        title,
        np.pad(value, 1),
        n.sum(),
        value.sum(),
        variance.sum(),
        value @ x,
        value @ x**2,
        np.pad(variance, 1),
        _axis("xaxis", edges, _TITLES.get(axis, axis)),
    )


def _histogram_2d(name: str, title: str, axis: str, rows: Sequence[Number], q_t: np.ndarray) -> Any:
    n_y = q_t.size - 1
    each = len(rows) // n_y
    low, high = _numbers(rows[:each], "bin_low", "bin_high")
    edges = np.append(low, high[-1])
    value, variance, n = (np.reshape(a, (n_y, -1)) for a in _contents(rows))
    x, y = 0.5 * (low + high), 0.5 * (q_t[1:] + q_t[:-1])
    return to_TH2x(
        name,
        title,
        np.pad(value, 1).ravel(),
        n[:, 0].sum(),
        value.sum(),
        variance.sum(),
        (value @ x).sum(),
        (value @ x**2).sum(),
        (y @ value).sum(),
        (y**2 @ value).sum(),
        y @ value @ x,
        np.pad(variance, 1).ravel(),
        _axis("xaxis", edges, _TITLES.get(axis, axis)),
        _axis("yaxis", q_t, _TITLES["qt"]),
    )
