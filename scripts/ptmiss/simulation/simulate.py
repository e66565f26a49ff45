"""The stage simulate: from a process card and the pile-up library to an ntuple."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.paths import PathLike
from ptmiss.core.progress import progress
from ptmiss.core.ragged import Ragged
from ptmiss.events.parts import events_of_part, n_simulated_parts
from ptmiss.events.settings.samples import SimulatedSample
from ptmiss.simulation import ntuple
from ptmiss.simulation.branches import branches
from ptmiss.simulation.cards import load_card, slice_of_part
from ptmiss.simulation.constants import Detector, detector
from ptmiss.simulation.detector import detect
from ptmiss.simulation.generator import Generated, generate
from ptmiss.simulation.incoming import prepare
from ptmiss.simulation.minbias import load_library
from ptmiss.simulation.numbering import RUN, Numbers, number_events
from ptmiss.simulation.pileup import PileUp, Profile, fold_lists, profile_of
from ptmiss.simulation.rng import event_seeds
from ptmiss.simulation.seeds import pythia_seed
from ptmiss.simulation.settings import SimulateSettings

log = logging.getLogger(__name__)

CHUNK = 500
"""Events simulated at a time: about 150 MB, whatever the size of a part."""


def load_pileup(paths: Sequence[PathLike], profile: Profile) -> PileUp:
    """Read the minimum-bias library from its files."""
    library = load_library(paths)
    return PileUp(
        prepare(library.particles.offsets, library.particles.columns),
        fold_lists(library.collisions_of_fold),
        profile,
    )


def chunks(
    generated: Generated,
    pileup: PileUp,
    d: Detector,
    seed: int,
    numbers: Numbers,
    size: int = CHUNK,
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Ragged]]]:
    """Yield the branches of at most `size` events at a time: (scalars, collections).

    An event does not depend on the size of the chunks.

    Parameters
    ----------
    generated
        The hard collisions.
    pileup
        What is overlaid.
    d, seed
        The detector, and the seed of its random numbers.
    numbers
        Of the events, as many as there are hard collisions.
    size
        Events of a chunk.
    """
    particles = generated.particles
    no_boson = ~np.isfinite(generated.boson_pt)
    for begin in range(0, len(numbers.event), size):
        part = slice(begin, min(begin + size, len(numbers.event)))
        first, last = particles.offsets[part.start], particles.offsets[part.stop]
        hard = Ragged(
            particles.offsets[part.start : part.stop + 1] - first,
            {name: values[first:last] for name, values in particles.columns.items()},
        )
        number = numbers.event[part]
        lumi = np.full(len(number), numbers.lumi)
        detected = detect(
            d,
            prepare(hard.offsets, hard.columns),
            pileup,
            numbers.fold[part],
            event_seeds(seed, lumi, number),
        )
        known = {
            "run": np.full(len(number), RUN),
            "luminosityBlock": lumi,
            "event": number,
            "genWeight": generated.weight[part],
            "GenVBoson_pt": np.where(no_boson, -1.0, generated.boson_pt)[part],
            "GenVBoson_phi": np.where(no_boson, -1.0, generated.boson_phi)[part],
        }
        yield branches(detected, hard, known)


@dataclass(frozen=True)
class Files:
    """Card of a process and library of pile-up to read, ntuple to write."""

    process: PathLike
    library: Sequence[PathLike]
    ntuple: PathLike


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
    numbers = number_events(part, n_events, spec.folds)
    seed = pythia_seed(settings.seed, sample, part, "detector")
    pieces = chunks(generated, pileup, detector(preset.detector), seed, numbers)
    with ntuple.writing(files.ntuple, f"{sample}/{part:04d}", generated.sqrt_s) as writer:
        for scalars, collections in progress(
            pieces, f"{sample}/{part}", n_events, lambda piece: len(piece[0]["event"])
        ):
            writer.write(scalars, collections)
