"""Derive all corrections of an estimator: xy, response, quantile maps, and their variations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.lines import Line, Profile, choose, profile
from ptmiss.core.stats.merging import effective_in
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.maps import Maps, derive_maps
from ptmiss.tasks.met.calibration.names import COMPONENTS, DATASETS
from ptmiss.tasks.met.calibration.replicas import Replicated, Sides
from ptmiss.tasks.met.calibration.response import Response, derive_response
from ptmiss.tasks.met.calibration.store import Stored
from ptmiss.tasks.met.settings.calibration import CalibrationSettings


@dataclass(frozen=True)
class Offset:
    """Mean px or py of pTmiss against n_pv: measured with the effective events of each bin, and
    the line through it."""

    profile: Profile
    n_events: np.ndarray
    line: Line


@dataclass(frozen=True)
class Corrections:
    """All corrections of one estimator, with the numbers that they are fitted to.

    xy, response: by data set; maps: by component. What figures and tables show is here, so that
    nothing is derived a second time.
    """

    estimator: str
    xy: dict[str, tuple[Offset, Offset]]
    response: dict[str, Response]
    maps: dict[str, Maps]

    def stored(self) -> Stored:
        """Return what closure needs besides the document."""
        return Stored(
            {name: (x.line, y.line) for name, (x, y) in self.xy.items()},
            {name: maps.nominal for name, maps in self.maps.items()},
            {name: maps.replicas for name, maps in self.maps.items()},
        )


def derive(
    estimator: str, samples: Sides, bins: Bins, settings: CalibrationSettings
) -> Corrections:
    """Return the corrections of an estimator, from the events in which it is finite.

    bins: from `make_bins`.
    """
    sides = {name: samples[name].only(estimator) for name in DATASETS}
    xy, response, recoils = {}, {}, {}
    for name, side in sides.items():
        met, n_pv = side.events.met[estimator], side.events.n_pv
        xy[name] = fit_offset(side, met[0], settings), fit_offset(side, met[1], settings)
        corrected = met - np.stack([offset.line(n_pv) for offset in xy[name]])
        u_par, u_perp, q_t = side.events.recoil(corrected)
        recoils[name] = {"u_par": u_par - q_t, "u_perp": u_perp}
        response[name] = derive_response(side, u_par, q_t, settings)
    maps = {}
    for component in COMPONENTS:
        values = {name: recoil[component] for name, recoil in recoils.items()}
        maps[component] = derive_maps(sides, values, component == "u_perp", bins, settings)
    return Corrections(estimator, xy, response, maps)


def fit_offset(side: Replicated, values: np.ndarray, settings: CalibrationSettings) -> Offset:
    """Return px or py of pTmiss, `values` of shape (n,), against n_pv, and the line through it."""
    n_pv, weight = side.events.n_pv, side.events.weight
    points = profile(n_pv, values, weight, settings.min_events)
    line = choose(points, settings.xy_order, settings.second_order_p)
    return Offset(points, effective_in(n_pv, weight, points.edges), line)
