"""Settings of the samples: where the events of each come from and how they are selected."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel, StringConstraints

from ptmiss.settings.base import Section

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
"""What a sample, training or selection may be called: it becomes a file name."""

FoldNumber = Annotated[int, Field(ge=0, le=9)]


class SimulatedSample(Section):
    """Events generated here."""

    source: Literal["simulated"]
    label: Annotated[str, Field(min_length=1, max_length=80, description="name in figures")]
    process: Annotated[Name, Field(description="a card in resources/processes")]
    setting: Annotated[Name, Field(description="an entry of simulate.settings")]
    events: Annotated[int, Field(ge=1, le=10_000_000, description="events to generate")]
    folds: Annotated[
        tuple[FoldNumber, ...],
        Field(min_length=1, description="folds to generate events for"),
    ]
    selection: Annotated[Name, Field(description="an entry of skim.selections")]


class FileSample(Section):
    """Events read from files the user has.

    sqrt_s alone may be left out: not to know it is no default.
    """

    source: Literal["pfnano", "delphes"]
    label: Annotated[str, Field(min_length=1, max_length=80, description="name in figures")]
    files: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...],
        Field(
            min_length=1,
            description="paths, globs, root:// addresses, or @list.txt with one of these a line",
        ),
    ]
    files_per_part: Annotated[int, Field(ge=1, le=100_000, description="files of one job")]
    is_data: Annotated[bool, Field(description="recorded collisions: no truth, weight 1")]
    cross_section: Annotated[float, Field(gt=0, description="in pb; 1 leaves the weights alone")]
    sum_of_weights: Annotated[
        float, Field(gt=0, description="of all generated events; 1 leaves the weights alone")
    ]
    selection: Annotated[Name, Field(description="an entry of skim.selections")]
    sqrt_s: Annotated[
        float | None,
        Field(gt=0, le=1000, description="centre-of-mass energy, TeV; null or left out: not known"),
    ] = None


Sample = Annotated[SimulatedSample | FileSample, Field(discriminator="source")]


class AnySample(RootModel[Sample]):
    """A sample of either kind, to parse one alone; `root` holds it."""
