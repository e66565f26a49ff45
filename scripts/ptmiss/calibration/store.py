"""Fits and replicas of all corrections as plain arrays: what closure needs besides the JSON."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ptmiss.calibration.bins import DATASETS, Bins
from ptmiss.calibration.lines import Line
from ptmiss.calibration.quantile import QuantileMap
from ptmiss.errors import UserError
from ptmiss.io import manifest
from ptmiss.io.atomic import replacing

COMPONENTS = ("u_par", "u_perp")
_LINE = ("coefficients", "covariance", "low", "high", "chi2", "ndf")


@dataclass(frozen=True)
class Stored:
    """Fits and maps of one estimator: lines by data set; nominal map and replicas by component."""

    xy: dict[str, tuple[Line, Line]]
    maps: dict[str, QuantileMap]
    replicas: dict[str, tuple[np.ndarray, ...]]


class Fitted(Protocol):
    """What `derive.Corrections` has and is stored; closure must not depend on how it is made."""

    estimator: str
    xy: dict[str, tuple[Line, Line]]
    maps: dict[str, dict[str, QuantileMap]]
    replicas: dict[str, tuple[np.ndarray, ...]]


def write(path: str | os.PathLike[str], found: Sequence[Fitted], bins: Bins) -> None:
    """Write fits, nominal maps and replicas (float32) as npz; equal content, equal bytes."""
    arrays = {"estimators": np.array([one.estimator for one in found]), **_of_bins(bins)}
    for one in found:
        name = one.estimator
        for dataset in DATASETS:
            for axis, line in zip("xy", one.xy[dataset], strict=True):
                for field in _LINE:
                    key = f"{name}/xy/{dataset}/{axis}/{field}"
                    arrays[key] = np.asarray(getattr(line, field))
        for component in COMPONENTS:
            key = f"{name}/{component}"
            nominal = one.maps[component]["nominal"]
            arrays[f"{key}/knots"] = nominal.knots
            arrays[f"{key}/qt_high"] = np.asarray(nominal.qt_high)
            for i, (q_t, shifts) in enumerate(zip(nominal.nodes, nominal.shifts, strict=True)):
                arrays[f"{key}/nodes/{i}"], arrays[f"{key}/shifts/{i}"] = q_t, shifts
                arrays[f"{key}/replicas/{i}"] = one.replicas[component][i].astype(np.float32)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Stored], Bins]:
    """Read what `write` wrote, by estimator; raises `UserError` for a damaged file."""
    manifest.check(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        bins = _to_bins(arrays)
        names = [str(name) for name in arrays["estimators"]]
        return {name: _stored(arrays, name, bins) for name in names}, bins
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not the fits that the stage calibrate writes ({error}); delete it and run the"
            " workflow again"
        ) from None


def _of_bins(bins: Bins) -> dict[str, np.ndarray]:
    ranges = {f"bins/ranges/{i}": np.array(one) for i, one in enumerate(bins.ranges)}
    return {"bins/jet_edges": bins.jet_edges, **ranges}


def _to_bins(arrays: Mapping[str, np.ndarray]) -> Bins:
    edges = arrays["bins/jet_edges"]
    ranges = (arrays[f"bins/ranges/{i}"] for i in range(edges.size - 1))
    return Bins(edges, tuple(tuple((float(a), float(b)) for a, b in one) for one in ranges))


def _stored(arrays: Mapping[str, np.ndarray], name: str, bins: Bins) -> Stored:
    xy, maps, replicas = {}, {}, {}
    for dataset in DATASETS:
        lines = []
        for axis in "xy":
            c, v, *rest = (arrays[f"{name}/xy/{dataset}/{axis}/{field}"] for field in _LINE)
            low, high, chi2, ndf = (float(value) for value in rest)
            lines.append(Line(c, v, low, high, chi2, int(ndf)))
        xy[dataset] = tuple(lines)
    categories = range(bins.jet_edges.size - 1)
    for component in COMPONENTS:
        key = f"{name}/{component}"
        maps[component] = QuantileMap(
            arrays[f"{key}/knots"],
            bins.jet_edges,
            float(arrays[f"{key}/qt_high"]),
            tuple(arrays[f"{key}/nodes/{i}"] for i in categories),
            tuple(arrays[f"{key}/shifts/{i}"] for i in categories),
        )
        replicas[component] = tuple(arrays[f"{key}/replicas/{i}"] for i in categories)
    return Stored(xy, maps, replicas)
