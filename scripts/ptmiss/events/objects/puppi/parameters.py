"""Tunes of PUPPI: what differs between eta regions and what does not.

Sources: Bertolini, Harris, Low, Tran, arXiv:1407.6013 (algorithm); the PUPPI configuration of CMSSW
in CommonTools/PileupAlgos (values); CMS-DP-2021-001 (what the Run 2 tunes v14 and v15 are for).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class Metric:
    """How alpha = ln(sum of pT^2 / dR^2 over the neighbours) is formed.

    cone: radius in rapidity and azimuth within which a candidate is a neighbour.
    min_pt: transverse momentum in GeV that a charged candidate needs to count in median and spread.
    primary_only: neighbours are the charged candidates of the primary vertex, otherwise all.
    """

    cone: float
    min_pt: float
    primary_only: bool


@dataclass(frozen=True)
class EtaRegion:
    """A range low <= |eta| < high with its metric, its cuts and its corrections.

    metric: index into Tune.metrics.
    neutral_pt, neutral_pt_slope: a neutral candidate needs weight x pT of at least
    neutral_pt + neutral_pt_slope x (number of vertices), in GeV and GeV per vertex.
    median_scale, rms_scale: factors on median and spread, which are measured centrally.
    """

    low: float
    high: float
    metric: int
    neutral_pt: float
    neutral_pt_slope: float
    median_scale: float
    rms_scale: float


@dataclass(frozen=True)
class Association:
    """When a charged candidate belongs to the primary vertex; lengths in cm, momenta in GeV.

    Above `sure_pt` or beyond `sure_abs_eta` a candidate near any vertex counts as primary. From
    |eta| = `dz_min_abs_eta` on, dz decides with the cut `dz_cut`. With `other_vertices` > 0, a
    candidate used by one of that many next vertices is primary if its dz is below `other_dz_cut`.
    """

    dz_cut: float
    dz_min_abs_eta: float
    sure_pt: float
    sure_abs_eta: float
    other_vertices: int
    other_dz_cut: float


@dataclass(frozen=True)
class Protection:
    """Limits on the weights of neutral candidates; momenta in GeV.

    full_pt, start_pt: a neutral weight is at least (pT - start_pt) / (full_pt - start_pt).
    photon_pt, photon_abs_eta: photons above and within get weight 1, in lepton-free PUPPI only.
    min_weight: a smaller weight becomes 0.
    """

    full_pt: float
    start_pt: float
    photon_pt: float
    photon_abs_eta: float
    min_weight: float


@dataclass(frozen=True)
class Tune:
    """A complete set of PUPPI parameters.

    calibration_abs_eta: median and spread are measured with charged candidates within it.
    """

    name: str
    metrics: tuple[Metric, ...]
    regions: tuple[EtaRegion, ...]
    association: Association
    protection: Protection
    calibration_abs_eta: float


def records(*items: Metric | EtaRegion | Association | Protection) -> np.ndarray:
    """Return dataclasses of one kind as a structured array, float64 fields, shape (n,)."""
    names = [field.name for field in fields(items[0])]
    rows = [tuple(float(getattr(item, name)) for name in names) for item in items]
    return np.array(rows, dtype=[(name, np.float64) for name in names])


_CENTRAL = Metric(cone=0.4, min_pt=0.1, primary_only=True)
_FORWARD = Metric(cone=0.4, min_pt=0.5, primary_only=False)
_PROTECTION = Protection(
    full_pt=200.0, start_pt=20.0, photon_pt=20.0, photon_abs_eta=2.5, min_weight=0.01
)

RUN2_V14 = Tune(
    name="v14",
    metrics=(_CENTRAL, _FORWARD),
    regions=(
        EtaRegion(0.0, 2.5, 0, 0.2, 0.015, median_scale=1.0, rms_scale=1.0),
        EtaRegion(2.5, 3.0, 1, 1.7, 0.08, median_scale=0.90, rms_scale=1.20),
        EtaRegion(3.0, 10.0, 1, 2.0, 0.08, median_scale=0.75, rms_scale=0.95),
    ),
    association=Association(
        dz_cut=0.3,
        dz_min_abs_eta=2.4,
        sure_pt=20.0,
        sure_abs_eta=99999.0,
        other_vertices=0,
        other_dz_cut=0.2,
    ),
    protection=_PROTECTION,
    calibration_abs_eta=2.0,
)
"""Run 2, tune v14."""

RUN2_V15 = replace(
    RUN2_V14, name="v15", association=replace(RUN2_V14.association, other_vertices=2)
)
"""Run 2 ultra-legacy, tune v15: v14 plus the recovery of tracks used by the next two vertices."""

PHASE2 = replace(
    RUN2_V15,
    name="phase2",
    regions=(
        EtaRegion(0.0, 2.5, 0, 0.2, 0.015, median_scale=1.0, rms_scale=1.0),
        EtaRegion(2.5, 3.5, 0, 0.2, 0.030, median_scale=1.0, rms_scale=1.0),
        EtaRegion(3.5, 10.0, 1, 2.0, 0.08, median_scale=0.75, rms_scale=1.0),
    ),
    association=replace(RUN2_V15.association, dz_cut=0.1, dz_min_abs_eta=4.0),
)
"""High-luminosity detector with tracks up to |eta| = 4."""

TUNES = {tune.name: tune for tune in (RUN2_V14, RUN2_V15, PHASE2)}
"""All tunes by name."""
