"""Branches of the ntuple from what the detector gives: PUPPI, jets, leptons, missing momentum."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.objects.jets import cluster
from ptmiss.events.objects.puppi.parameters import RUN2_V15
from ptmiss.events.objects.puppi.weights import both_flavours
from ptmiss.events.objects.rho import median_density
from ptmiss.simulation import ntuple
from ptmiss.simulation.detector import Detected
from ptmiss.simulation.leptons import ELECTRON, MUON, leptons
from ptmiss.simulation.truth import truth_of

JET_MIN_PT = 15.0
"""GeV; NanoAOD stores jets above it."""

RENAMED = {
    "pdg_id": "pdgId",
    "d0_error": "d0Err",
    "dz_error": "dzErr",
    "from_pv": "fromPV",
    "quality": "pvAssocQuality",
}
"""Names of candidate columns in the ntuple where they differ from ours."""


def met(candidates: Ragged, weight: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return pt, phi and sumEt (float64, shape (n_events,)) of minus the sum of candidates."""
    pt = candidates["pt"].astype(np.float64)
    phi = candidates["phi"].astype(np.float64)
    if weight is not None:
        pt = pt * weight
    x = -segment_sum(pt * np.cos(phi), candidates.offsets)
    y = -segment_sum(pt * np.sin(phi), candidates.offsets)
    return {
        "pt": np.hypot(x, y),
        "phi": np.arctan2(y, x),
        "sumEt": segment_sum(pt, candidates.offsets),
    }


def branches(
    detected: Detected, hard: Ragged, generated: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, Ragged]]:
    """Return the branches of a chunk of events: (scalars, collections), as `ntuple` writes them.

    hard: the generated particles; generated: branches that are known without a detector.
    """
    event = detected.event
    raw = detected.candidates
    candidates = Ragged(raw.offsets, ntuple.packed(raw.columns))
    n_pv = event["n_pv_good"]
    # the weights follow from the stored values, so that who recomputes them finds the same
    weights, no_lepton = (
        ntuple.round_mantissa(w, ntuple.DEFAULT_BITS)
        for w in both_flavours(candidates, n_pv, RUN2_V15)
    )
    columns = {RENAMED.get(name, name): values for name, values in candidates.columns.items()}
    columns |= {"puppiWeight": weights, "puppiWeightNoLep": no_lepton}
    weighted = Ragged(
        candidates.offsets,
        {
            "pt": candidates["pt"] * weights,
            "eta": candidates["eta"],
            "phi": candidates["phi"],
            "mass": candidates["mass"] * weights,
        },
    ).keep_candidates(weights > 0)
    jets = cluster(weighted, radius=0.4, min_pt=JET_MIN_PT)
    muons, electrons = leptons(candidates, MUON), leptons(candidates, ELECTRON)
    truth = truth_of(hard)
    rho = median_density(candidates)
    scalars = {
        "PV_npvs": np.maximum(event["n_pv"], 1),  # the beam spot stands in where none is found
        "PV_npvsGood": n_pv,
        **{f"PV_{axis}": event[f"pv_{axis}"] for axis in "xyz"},
        **{f"GenVtx_{axis}": event[f"gen_{axis}"] for axis in "xyz"},
        "Pileup_nTrueInt": event["mu"],
        "Pileup_nPU": event["n_pu"],
        "fixedGridRhoFastjetAll": rho,
        "GenMET_pt": np.hypot(truth.gen_met_px, truth.gen_met_py),
        "GenMET_phi": np.arctan2(truth.gen_met_py, truth.gen_met_px),
        **generated,
    }
    puppi = met(candidates, no_lepton.astype(np.float64))
    for name, values in (("RawMET", met(candidates)), ("PuppiMET", puppi), ("RawPuppiMET", puppi)):
        scalars |= {f"{name}_{field}": number for field, number in values.items()}
    collections = {
        "PFCands": Ragged(candidates.offsets, columns),
        "GenJet": truth.gen_jets,
        "Jet": jets,
        "Muon": _with(
            muons,
            pdgId=muons["pdg_id"],
            pfRelIso04_all=muons["isolation"],
            looseId=np.ones(len(muons["pt"]), dtype=bool),
        ),
        "Electron": _with(
            electrons,
            pdgId=electrons["pdg_id"],
            pfRelIso03_all=electrons["isolation"],
            cutBased=np.full(len(electrons["pt"]), 2),
        ),
    }
    return scalars, collections


def _with(ragged: Ragged, **columns: np.ndarray) -> Ragged:
    return Ragged(ragged.offsets, {**ragged.columns, **columns})
