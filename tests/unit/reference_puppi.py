"""PUPPI as its definition reads: one candidate after the other, nothing optimised.

Shares no code with ptmiss.events.objects.puppi but the tables of parameters.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtr
from scipy.stats import chi2

from ptmiss.core.ragged import Ragged
from ptmiss.events.objects.puppi.parameters import Tune


def reference_weights(
    candidates: Ragged, n_pv: np.ndarray, tune: Tune, no_lepton: bool = False
) -> np.ndarray:
    """Weights of all candidates, float64, shape (n_candidates,)."""
    weights = []
    for event in range(candidates.n_events):
        inside = slice(candidates.offsets[event], candidates.offsets[event + 1])
        columns = {
            name: np.asarray(values[inside], dtype=np.float64)
            for name, values in candidates.columns.items()
        }
        weights.append(_event(columns, float(n_pv[event]), tune, no_lepton))
    return np.concatenate(weights) if weights else np.zeros(0)


def _event(c: dict[str, np.ndarray], n_pv: float, tune: Tune, no_lepton: bool) -> np.ndarray:
    n = len(c["pt"])
    if n == 0:
        return np.zeros(0)
    kinds = np.array([_kind(c, i, tune, no_lepton) for i in range(n)])
    p_z = c["pt"] * np.sinh(c["eta"])
    energy = np.sqrt(c["pt"] ** 2 + p_z**2 + c["mass"] ** 2)
    rapidity = 0.5 * np.log((energy + p_z) / (energy - p_z))

    calibrations = []
    for metric in tune.metrics:
        used = (np.abs(c["eta"]) < tune.calibration_abs_eta) & (c["pt"] >= metric.min_pt)
        pileup = [
            _alpha(c, rapidity, kinds, i, metric) for i in np.flatnonzero(used & (kinds == 2))
        ]
        primary = [
            _alpha(c, rapidity, kinds, i, metric) for i in np.flatnonzero(used & (kinds == 1))
        ]
        calibrations.append(_median_and_rms(pileup, primary))

    weights = np.zeros(n)
    for i in range(n):
        region = [r for r in tune.regions if r.low <= abs(c["eta"][i]) < r.high]
        if not region or c["pt"][i] <= 0:
            continue
        region = region[0]
        if kinds[i] != 0:
            weights[i] = {1: 1.0, 2: 0.0, 3: 1.0}[kinds[i]]
            continue
        w = 1.0
        if calibrations[region.metric] is not None:
            median, rms = calibrations[region.metric]
            median, rms = median * region.median_scale, rms * region.rms_scale
            alpha = _alpha(c, rapidity, kinds, i, tune.metrics[region.metric])
            if alpha == 0:
                alpha = median
            x = (alpha - median) * abs(alpha - median) / rms**2
            w = chdtr(1, x) if x > 0 else 0.0  # distribution function of chi2
        if w * c["pt"][i] < region.neutral_pt + region.neutral_pt_slope * n_pv:
            w = 0.0
        limits = tune.protection
        photon = c["pdg_id"][i] == 22 and abs(c["eta"][i]) < limits.photon_abs_eta
        if no_lepton and photon and c["pt"][i] > limits.photon_pt:
            w = 1.0
        else:
            ramp = (c["pt"][i] - limits.start_pt) / (limits.full_pt - limits.start_pt)
            w = min(max(ramp, w), 1.0)
        weights[i] = 0.0 if w < limits.min_weight else w
    return weights


def _kind(c: dict[str, np.ndarray], i: int, tune: Tune, no_lepton: bool) -> int:
    rule = tune.association
    if c["charge"][i] == 0:
        return 0
    if no_lepton and abs(c["pdg_id"][i]) in (11, 13):
        return 3
    if c["from_pv"][i] == 3:
        return 1
    if c["from_pv"][i] == 0:
        near = "from_other_pv" in c and c["from_other_pv"][i] >= 2
        recovered = rule.other_vertices > 0 and near and abs(c["dz"][i]) < rule.other_dz_cut
        return 1 if recovered else 2
    if c["pt"][i] > rule.sure_pt or abs(c["eta"][i]) > rule.sure_abs_eta:
        return 1
    if abs(c["eta"][i]) >= rule.dz_min_abs_eta:
        return 1 if abs(c["dz"][i]) < rule.dz_cut else 2
    return 0


def _alpha(c, rapidity, kinds, i, metric) -> float:
    d_phi = np.abs(c["phi"] - c["phi"][i])
    d_phi = np.minimum(d_phi, 2 * np.pi - d_phi)
    near = np.hypot(rapidity - rapidity[i], d_phi) < metric.cone
    near &= kinds == 1 if metric.primary_only else kinds != 3
    d_r2 = (c["eta"] - c["eta"][i]) ** 2 + d_phi**2
    near &= d_r2 >= 1e-4
    total = np.sum(c["pt"][near] ** 2 / d_r2[near])
    return np.log(total) if total > 0 else 0.0


def _median_and_rms(pileup: list[float], primary: list[float]) -> tuple[float, float] | None:
    if not pileup:
        return None
    ordered = sorted(pileup)
    last_zero = max((k for k, value in enumerate(ordered) if value == 0), default=0)
    median = ordered[last_zero + int(0.5 * (len(ordered) - last_zero))]
    low = [value for value in ordered if value != 0 and value <= median]
    variance = sum((value - median) ** 2 for value in low) / max(len(low), 1)
    rms = np.sqrt(variance if variance > 0 else 1e-5)
    below = sum(value <= median for value in primary)
    fraction = below / (below + 0.5 * len(pileup))
    shift = np.sqrt(chi2.ppf(fraction, 1) * rms)
    return median - shift, rms - shift
