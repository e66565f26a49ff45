"""The parts of samples that are simulated here or read from files, as a plan of jobs needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ptmiss.events.parts import file_parts, n_simulated_parts, part_name
from ptmiss.events.settings.samples import Sample, SimulatedSample
from ptmiss.simulation.cards import load_card, parts_of_slices


def parts_of(
    samples: Mapping[str, Sample], events_per_part: int, repository: Path
) -> dict[str, dict[str, Sequence[str]]]:
    """Return sample -> part -> input files, none for a part that is generated.

    repository: the folder of resources. Raises `UserError` for files that do not exist and for a
    process card that is missing, wrong or in need of more parts.
    """
    parts = {
        name: _generated(sample, events_per_part)
        if isinstance(sample, SimulatedSample)
        else file_parts(sample)
        for name, sample in samples.items()
    }
    for name, sample in samples.items():
        if isinstance(sample, SimulatedSample):
            card = load_card(repository / "resources/processes" / f"{sample.process}.yaml")
            parts_of_slices(card, len(parts[name]), events_per_part)
    return parts


def _generated(sample: SimulatedSample, events_per_part: int) -> dict[str, Sequence[str]]:
    return {part_name(i): () for i in range(n_simulated_parts(sample, events_per_part))}
