"""PUPPI weights of all candidates of a batch of events."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.compiled import njit
from ptmiss.puppi.calibration import calibrate
from ptmiss.puppi.identity import LEPTON, NEUTRAL, PILEUP, PRIMARY, identities
from ptmiss.puppi.neighbours import alphas
from ptmiss.puppi.parameters import Tune, records
from ptmiss.ragged import Ragged


def puppi_weights(
    candidates: Ragged, n_pv: np.ndarray, parameters: Tune, no_lepton: bool = False
) -> np.ndarray:
    """Return the PUPPI weight 0..1 of each candidate, float32, shape (n_candidates,).

    candidates: columns pt (GeV), eta, phi, mass (GeV), pdg_id, charge, from_pv and dz (cm).
    An optional column from_other_pv holds the largest association to any of the next vertices;
    tunes that recover tracks of those vertices (v15) recover none where the column is absent.
    n_pv: reconstructed vertices (at least 4 degrees of freedom, |z| <= 24 cm), shape (n_events,).
    no_lepton: electrons and muons get weight 1 and influence no other candidate; photons above the
    tune's limit get weight 1 as well.

    Definition: Bertolini et al., arXiv:1407.6013, as configured in CMS (CMS-DP-2021-001). A
    candidate on the border of two eta regions belongs to the outer one. A candidate outside all
    regions, without transverse momentum, or with a value that is not finite gets weight 0; the last
    kind is nobody's neighbour. The weights do not depend on the order of the candidates.
    """
    if len(n_pv) != candidates.n_events:
        raise ValueError(f"n_pv has {len(n_pv)} entries for {candidates.n_events} events")
    columns, offsets = candidates.columns, candidates.offsets
    pt, eta, phi, mass = (
        np.asarray(columns[name], dtype=np.float64) for name in ("pt", "eta", "phi", "mass")
    )
    regions = records(*parameters.regions)
    phi, rapidity, region = _locate(pt, eta, phi, mass, regions)
    kinds = identities(
        pt,
        eta,
        np.asarray(columns["dz"], dtype=np.float64),
        columns["pdg_id"],
        columns["charge"],
        columns["from_pv"],
        columns.get("from_other_pv", np.zeros(0, dtype=np.uint8)),
        records(parameters.association),
        no_lepton,
    )
    finite, weighed = region != _NOT_FINITE, region >= 0
    calibrating = weighed & (np.abs(eta) < parameters.calibration_abs_eta)
    metric_of = np.where(weighed, regions["metric"][region], -1)

    weights = (weighed & ((kinds == PRIMARY) | (kinds == LEPTON))).astype(np.float32)
    for m, metric in enumerate(parameters.metrics):
        members = finite & (kinds == PRIMARY if metric.primary_only else kinds != LEPTON)
        neutral = (kinds == NEUTRAL) & (metric_of == m)
        pileup = calibrating & (kinds == PILEUP) & (pt >= metric.min_pt)
        primary = calibrating & (kinds == PRIMARY) & (pt >= metric.min_pt)
        wanted = neutral | pileup | primary
        alpha = alphas(pt, eta, phi, rapidity, members, wanted, offsets, metric.cone)
        median, spread = calibrate(alpha, pileup, primary, offsets)
        _weigh_neutrals(
            alpha,
            neutral,
            pt,
            (columns["pdg_id"] == 22) & (np.abs(eta) < parameters.protection.photon_abs_eta),
            region,
            offsets,
            np.asarray(n_pv, dtype=np.float64),
            median,
            spread,
            regions,
            records(parameters.protection),
            no_lepton,
            weights,
        )
    return weights


_OUTSIDE = -1
_NOT_FINITE = -2


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(pt, eta, phi, mass, regions):
    # returns phi within [-pi, pi], rapidity, and the index of the eta region or a number below 0
    n = len(pt)
    turned = np.empty(n)
    rapidity = np.empty(n)
    region = np.full(n, _OUTSIDE, dtype=np.int64)
    for i in range(n):
        if not math.isfinite(pt[i] + eta[i] + phi[i] + mass[i]):
            region[i] = _NOT_FINITE
            continue
        turned[i] = phi[i] - 2.0 * math.pi * math.floor(phi[i] / (2.0 * math.pi) + 0.5)
        rapidity[i] = eta[i]
        if mass[i] > 0.0:  # packed masses can be slightly negative
            # asinh keeps the digits that ln((E + pz) / (E - pz)) loses at large |eta|
            rapidity[i] = math.asinh(pt[i] * math.sinh(eta[i]) / math.hypot(pt[i], mass[i]))
        if pt[i] > 0.0:
            for k in range(len(regions)):
                if regions[k].low <= abs(eta[i]) < regions[k].high:
                    region[i] = k
    return turned, rapidity, region


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_neutrals(
    alpha,
    neutral,
    pt,
    photon,
    region,
    offsets,
    n_pv,
    medians,
    spreads,
    regions,
    protections,
    no_lepton,
    weights,
):
    protection = protections[0]
    for event in range(len(n_pv)):
        for i in range(offsets[event], offsets[event + 1]):
            if not neutral[i]:
                continue
            place = regions[region[i]]
            weight = 1.0  # without pile-up
            if not math.isnan(medians[event]):
                median = medians[event] * place.median_scale
                weight = _probability(alpha[i], median, spreads[event] * place.rms_scale)
            if weight * pt[i] < place.neutral_pt + place.neutral_pt_slope * n_pv[event]:
                weight = 0.0
            if no_lepton and photon[i] and pt[i] > protection.photon_pt:
                weight = 1.0
            else:
                ramp = (pt[i] - protection.start_pt) / (protection.full_pt - protection.start_pt)
                weight = min(max(ramp, weight), 1.0)
            weights[i] = weight if weight >= protection.min_weight else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _probability(alpha: float, median: float, spread: float) -> float:
    # chi2 distribution function, 1 degree of freedom; an alpha of 0 means no neighbours
    if alpha == 0.0 or not alpha > median:
        return 0.0
    return math.erf((alpha - median) / (abs(spread) * math.sqrt(2.0)))
