"""The stage simulate: from a process card and the pile-up library to an ntuple."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.progress import progress
from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.objects.jets import cluster
from ptmiss.events.objects.puppi.parameters import RUN2_V15
from ptmiss.events.objects.puppi.weights import both_flavours
from ptmiss.events.objects.rho import median_density
from ptmiss.events.parts import events_of_part, n_simulated_parts
from ptmiss.events.settings.samples import SimulatedSample
from ptmiss.simulation import ntuple
from ptmiss.simulation.cards import load_card, slice_of_part
from ptmiss.simulation.constants import detector
from ptmiss.simulation.detector import Detected, detect
from ptmiss.simulation.generator import Generated, generate
from ptmiss.simulation.incoming import Incoming, prepare
from ptmiss.simulation.leptons import ELECTRON, MUON, leptons
from ptmiss.simulation.minbias import load_library
from ptmiss.simulation.numbering import RUN, number_events
from ptmiss.simulation.pileup import FoldLists, Profile, fold_lists, profile_of
from ptmiss.simulation.rng import event_seeds
from ptmiss.simulation.seeds import pythia_seed
from ptmiss.simulation.settings import SimulateSettings
from ptmiss.simulation.truth import truth_of

log = logging.getLogger(__name__)

CHUNK = 500
"""Events simulated at a time: about 150 MB, whatever the size of a part."""

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


@dataclass(frozen=True)
class PileUp:
    """What is overlaid: collisions, which of them each fold may use, how many."""

    library: Incoming
    lists: FoldLists
    profile: Profile


def load_pileup(paths: Sequence[str | os.PathLike[str]], profile: Profile) -> PileUp:
    """Read the minimum-bias library from its files."""
    library = load_library(paths)
    return PileUp(
        prepare(library.particles.offsets, library.particles.columns),
        fold_lists(library.collisions_of_fold),
        profile,
    )


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


def _columns(
    detected: Detected, hard: Ragged, generated: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, Ragged]]:
    """Return the branches of a chunk, without its identity: (scalars, collections)."""
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
    kept = weights > 0
    weighted = Ragged(
        candidates.offsets,
        {
            "pt": candidates["pt"] * weights,
            "eta": candidates["eta"],
            "phi": candidates["phi"],
            "mass": candidates["mass"] * weights,
        },
    ).keep_candidates(kept)
    jets = cluster(**weighted.columns, offsets=weighted.offsets, radius=0.4, min_pt=JET_MIN_PT)
    muons, electrons = leptons(candidates, MUON), leptons(candidates, ELECTRON)
    truth = truth_of(hard)
    rho = median_density(candidates["pt"], candidates["eta"], candidates["phi"], candidates.offsets)
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
            muons, pfRelIso04_all=muons["isolation"], looseId=np.ones(len(muons["pt"]), dtype=bool)
        ),
        "Electron": _with(
            electrons,
            pfRelIso03_all=electrons["isolation"],
            cutBased=np.full(len(electrons["pt"]), 2),
        ),
    }
    for name in ("pdgId",):
        for lepton in ("Muon", "Electron"):
            collections[lepton] = _with(
                collections[lepton], **{name: collections[lepton]["pdg_id"]}
            )
    return scalars, collections


def _with(ragged: Ragged, **columns: np.ndarray) -> Ragged:
    return Ragged(ragged.offsets, {**ragged.columns, **columns})


def chunks(
    generated: Generated,
    pileup: PileUp,
    constants: np.void,
    seed: int,
    lumi: int,
    numbers: np.ndarray,
    folds: np.ndarray,
    chunk: int = CHUNK,
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Ragged]]]:
    """Yield the branches of at most `chunk` events at a time: (scalars, collections).

    numbers, folds: event numbers and folds, shape (n_events,). An event does not depend on the
    size of the chunks.
    """
    particles = generated.particles
    no_boson = ~np.isfinite(generated.boson_pt)
    for begin in range(0, len(numbers), chunk):
        part = slice(begin, min(begin + chunk, len(numbers)))
        first, last = particles.offsets[part.start], particles.offsets[part.stop]
        hard = Ragged(
            particles.offsets[part.start : part.stop + 1] - first,
            {name: values[first:last] for name, values in particles.columns.items()},
        )
        number = numbers[part]
        n = len(number)
        seeds = event_seeds(seed, np.full(n, lumi), number)
        detected = detect(
            constants,
            prepare(hard.offsets, hard.columns),
            pileup.library,
            pileup.lists,
            folds[part],
            pileup.profile,
            seeds,
        )
        known = {
            "run": np.full(n, RUN),
            "luminosityBlock": np.full(n, lumi),
            "event": number,
            "genWeight": generated.weight[part],
            "GenVBoson_pt": np.where(no_boson, -1.0, generated.boson_pt)[part],
            "GenVBoson_phi": np.where(no_boson, -1.0, generated.boson_phi)[part],
        }
        yield _columns(detected, hard, known)


@dataclass(frozen=True)
class Files:
    """Card of a process and library of pile-up to read, ntuple to write."""

    process: str | os.PathLike[str]
    library: Sequence[str | os.PathLike[str]]
    ntuple: str | os.PathLike[str]


def simulate(
    sample: str, part: int, spec: SimulatedSample, settings: SimulateSettings, files: Files
) -> None:
    """Simulate a part of a sample and write its ntuple.

    part: index from 0. Equal arguments give equal bytes. Raises `UserError` for a card or library
    that cannot be used.
    """
    card = load_card(files.process)
    n_parts = n_simulated_parts(spec, settings.events_per_part)
    cut, parts_of_slice = slice_of_part(card, part, n_parts, settings.events_per_part)
    n_events = events_of_part(spec, part, settings.events_per_part)
    preset = settings.settings[spec.setting]
    pileup = load_pileup(files.library, profile_of(preset))
    generated = generate(
        card, cut, n_events, pythia_seed(settings.seed, sample, part), parts_of_slice
    )
    log.info("%s/%d: %d of %d generated events kept", sample, part, n_events, generated.n_tried)
    lumi, numbers, folds = number_events(part, n_events, spec.folds)
    seed = pythia_seed(settings.seed, sample, part, "detector")
    pieces = chunks(generated, pileup, detector(preset.detector), seed, lumi, numbers, folds)
    with ntuple.writing(files.ntuple, f"{sample}/{part:04d}", generated.sqrt_s) as writer:
        for scalars, collections in progress(
            pieces, f"{sample}/{part}", n_events, lambda piece: len(piece[0]["event"])
        ):
            writer.write(scalars, collections)
