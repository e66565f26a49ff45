"""PUPPI weights of all candidates of a batch of events."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ptmiss.puppi.calibration import median_and_spread, probability
from ptmiss.puppi.identity import LEPTON, NEUTRAL, PILEUP, PRIMARY, identities
from ptmiss.puppi.neighbours import alpha_at, fill_grid, grid_shape
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
    columns = candidates.columns
    kinds = identities(
        columns["pt"],
        columns["eta"],
        columns["dz"],
        columns["pdg_id"],
        columns["charge"],
        columns["from_pv"],
        columns.get("from_other_pv", np.zeros(0, dtype=np.uint8)),
        records(parameters.association),
        no_lepton,
    )
    return _weights(
        columns["pt"],
        columns["eta"],
        columns["phi"],
        columns["mass"],
        kinds,
        columns["pdg_id"] == 22,
        candidates.offsets,
        np.asarray(n_pv, dtype=np.float64),
        records(*parameters.metrics),
        records(*parameters.regions),
        records(parameters.protection),
        parameters.calibration_abs_eta,
        no_lepton,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(
    pt,
    eta,
    phi,
    mass,
    kinds,
    photons,
    offsets,
    n_pv,
    metrics,
    regions,
    protections,
    calibration_abs_eta,
    no_lepton,
):
    weights = np.zeros(len(pt), dtype=np.float32)
    largest = 0
    for event in range(len(n_pv)):
        largest = max(largest, offsets[event + 1] - offsets[event])
    points = np.empty((4, 2 * largest))
    for event in range(len(n_pv)):
        a, b = offsets[event], offsets[event + 1]
        _event_weights(
            pt[a:b].astype(np.float64),
            eta[a:b].astype(np.float64),
            phi[a:b].astype(np.float64),
            mass[a:b].astype(np.float64),
            kinds[a:b],
            photons[a:b],
            n_pv[event],
            metrics,
            regions,
            protections[0],
            calibration_abs_eta,
            no_lepton,
            points,
            weights[a:b],
        )
    return weights


@njit(cache=True, nogil=True, error_model="numpy")
def _event_weights(
    pt,
    eta,
    phi,
    mass,
    kinds,
    photons,
    n_pv,
    metrics,
    regions,
    protection,
    calibration_abs_eta,
    no_lepton,
    points,
    weights,
):
    n = len(pt)
    rapidity = np.empty(n)
    region = np.full(n, -1, dtype=np.int64)
    finite = np.empty(n, dtype=np.bool_)
    for i in range(n):
        finite[i] = math.isfinite(pt[i] + eta[i] + phi[i] + mass[i])
        if not finite[i]:
            continue
        phi[i] -= 2.0 * math.pi * math.floor(phi[i] / (2.0 * math.pi) + 0.5)
        rapidity[i] = _rapidity(pt[i], eta[i], mass[i])
        if pt[i] > 0.0:
            for k in range(len(regions)):
                if regions[k].low <= abs(eta[i]) < regions[k].high:
                    region[i] = k
        if region[i] >= 0 and kinds[i] in (PRIMARY, LEPTON):
            weights[i] = 1.0

    alphas = np.empty(n)
    members = np.empty(n, dtype=np.int64)
    for m in range(len(metrics)):
        metric = metrics[m]
        n_members = 0
        for i in range(n):
            wanted = kinds[i] == PRIMARY if metric.primary_only else kinds[i] != LEPTON
            if finite[i] and wanted:
                members[n_members] = i
                n_members += 1
        n_rows, n_columns = grid_shape(metric.cone)
        starts = np.empty(n_rows * n_columns + 1, dtype=np.int64)
        fill_grid(members[:n_members], pt, eta, phi, rapidity, metric.cone, starts, points)

        pileup = np.empty(n)
        primary = np.empty(n)
        n_pileup = 0
        n_primary = 0
        for i in range(n):
            if region[i] < 0 or kinds[i] == LEPTON:
                continue
            if kinds[i] == NEUTRAL:
                if regions[region[i]].metric == m:
                    alphas[i] = alpha_at(eta[i], phi[i], rapidity[i], metric.cone, starts, points)
            elif abs(eta[i]) < calibration_abs_eta and pt[i] >= metric.min_pt:
                alpha = alpha_at(eta[i], phi[i], rapidity[i], metric.cone, starts, points)
                if kinds[i] == PILEUP:
                    pileup[n_pileup] = alpha
                    n_pileup += 1
                else:
                    primary[n_primary] = alpha
                    n_primary += 1

        median, spread = 0.0, 0.0
        if n_pileup > 0:
            median, spread = median_and_spread(pileup[:n_pileup], primary[:n_primary])
        for i in range(n):
            if region[i] < 0 or kinds[i] != NEUTRAL or regions[region[i]].metric != m:
                continue
            place = regions[region[i]]
            weight = 1.0
            if n_pileup > 0:
                weight = probability(
                    alphas[i], median * place.median_scale, spread * place.rms_scale
                )
            if weight * pt[i] < place.neutral_pt + place.neutral_pt_slope * n_pv:
                weight = 0.0
            if (
                no_lepton
                and photons[i]
                and abs(eta[i]) < protection.photon_abs_eta
                and pt[i] > protection.photon_pt
            ):
                weight = 1.0
            else:
                ramp = (pt[i] - protection.start_pt) / (protection.full_pt - protection.start_pt)
                weight = min(max(ramp, weight), 1.0)
            weights[i] = weight if weight >= protection.min_weight else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _rapidity(pt, eta, mass):
    if mass <= 0.0:  # packed masses can be slightly negative
        return eta
    # asinh keeps the digits that ln((E + pz) / (E - pz)) loses at large |eta|
    return math.asinh(pt * math.sinh(eta) / math.hypot(pt, mass))
