"""Fits and replicas of all corrections as plain arrays: what closure needs besides the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ptmiss.core.io import npz
from ptmiss.core.io.atomic import replacing
from ptmiss.core.paths import PathLike
from ptmiss.core.stats.lines import Line
from ptmiss.core.stats.quantile_map import QuantileMap
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.names import COMPONENTS, DATASETS

_LINE = ("coefficients", "covariance", "low", "high", "chi2", "ndf")


@dataclass(frozen=True)
class Stored:
    """Fits and maps of one estimator: lines by data set; nominal map and replicas by component."""

    xy: dict[str, tuple[Line, Line]]
    maps: dict[str, QuantileMap]
    replicas: dict[str, tuple[np.ndarray, ...]]


def write(path: PathLike, stored: Mapping[str, Stored], bins: Bins) -> None:
    """Write fits, nominal maps and replicas (float32) by estimator as npz; equal content, equal
    bytes."""
    arrays = {"estimators": np.array(list(stored)), **_of_bins(bins)}
    for name, content in stored.items():
        for dataset in DATASETS:
            for axis, line in zip("xy", content.xy[dataset], strict=True):
                for field in _LINE:
                    key = f"{name}/xy/{dataset}/{axis}/{field}"
                    arrays[key] = np.asarray(getattr(line, field))
        for component in COMPONENTS:
            key = f"{name}/{component}"
            nominal = content.maps[component]
            arrays[f"{key}/knots"] = nominal.knots
            arrays[f"{key}/qt_high"] = np.asarray(nominal.qt_high)
            for i, (q_t, shifts) in enumerate(zip(nominal.nodes, nominal.shifts, strict=True)):
                arrays[f"{key}/nodes/{i}"], arrays[f"{key}/shifts/{i}"] = q_t, shifts
                arrays[f"{key}/replicas/{i}"] = content.replicas[component][i].astype(np.float32)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(path: PathLike) -> tuple[dict[str, Stored], Bins]:
    """Read what `write` wrote, by estimator; raises `UserError` for a damaged file."""
    arrays = npz.read(path, "calibrate")
    bins = _to_bins(arrays)
    return {name: _stored(arrays, name, bins) for name in arrays.names("estimators")}, bins


def _of_bins(bins: Bins) -> dict[str, np.ndarray]:
    ranges = {f"bins/ranges/{i}": np.array(one) for i, one in enumerate(bins.ranges)}
    return {"bins/jet_edges": bins.jet_edges, **ranges}


def _to_bins(arrays: npz.Arrays) -> Bins:
    edges = arrays.rising("bins/jet_edges")
    ranges = (arrays.numbers(f"bins/ranges/{i}", None, 2) for i in range(edges.size - 1))
    return Bins(edges, tuple(tuple((float(a), float(b)) for a, b in one) for one in ranges))


def _stored(arrays: npz.Arrays, name: str, bins: Bins) -> Stored:
    xy = {
        dataset: (_line(arrays, f"{name}/xy/{dataset}/x"), _line(arrays, f"{name}/xy/{dataset}/y"))
        for dataset in DATASETS
    }
    maps, replicas = {}, {}
    categories = range(bins.jet_edges.size - 1)
    for component in COMPONENTS:
        key = f"{name}/{component}"
        knots = arrays.rising(f"{key}/knots")
        nodes = tuple(arrays.rising(f"{key}/nodes/{i}") for i in categories)
        shapes = [(one.size, knots.size) for one in nodes]
        shifts = (arrays.numbers(f"{key}/shifts/{i}", *shapes[i]) for i in categories)
        maps[component] = QuantileMap(
            knots, bins.jet_edges, arrays.number(f"{key}/qt_high"), nodes, tuple(shifts)
        )
        replicas[component] = tuple(
            arrays.numbers(f"{key}/replicas/{i}", None, *shapes[i]) for i in categories
        )
        if len({len(one) for one in replicas[component]}) > 1:
            raise arrays.wrong(f"{key}/replicas are not equally many in each category of jets")
    return Stored(xy, maps, replicas)


def _line(arrays: npz.Arrays, key: str) -> Line:
    coefficients = arrays.numbers(f"{key}/coefficients", None)
    n = coefficients.size
    if not 1 <= n <= 3:
        raise arrays.wrong(f"{key}/coefficients has {n} numbers, expected 1 to 3")
    low, high, ndf = (arrays.number(f"{key}/{field}") for field in ("low", "high", "ndf"))
    covariance = arrays.numbers(f"{key}/covariance", n, n)
    chi2 = arrays.number(f"{key}/chi2", finite=False)
    return Line(coefficients, covariance, low, high, chi2, int(ndf))
