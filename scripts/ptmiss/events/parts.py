"""Parts: how a sample is cut into jobs."""

from __future__ import annotations

from collections.abc import Sequence

from ptmiss.core.workflow.inputs import expand
from ptmiss.events.settings.samples import FileSample, SimulatedSample


def part_name(index: int) -> str:
    """Return the name of a part: four digits, so that names sort like numbers."""
    return f"{index:04d}"


def n_simulated_parts(sample: SimulatedSample, events_per_part: int) -> int:
    """Return how many jobs generate a sample."""
    return -(-sample.events // events_per_part)


def events_of_part(sample: SimulatedSample, index: int, events_per_part: int) -> int:
    """Return how many events the part with this index generates; the last may be smaller."""
    return min(events_per_part, sample.events - index * events_per_part)


def file_parts(sample: FileSample) -> dict[str, Sequence[str]]:
    """Return part name -> input files, for a sample that is read from files."""
    files = expand(sample.files)
    size = sample.files_per_part
    return {
        part_name(i): files[first : first + size]
        for i, first in enumerate(range(0, len(files), size))
    }
