"""Settings of the samples: where the events of each come from and how they are selected."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
    model_validator,
)

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import FieldName, FilePath, Name, each_once, one_line
from ptmiss.events.readers.names import READERS, WITH_RUNS, WITHOUT_CANDIDATES
from ptmiss.events.settings.weights import EventWeight

Path = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,199}\??$")]
"""A branch of true or false; with a ? at the end it may be missing."""

FoldNumber = Annotated[int, Field(ge=0, le=9)]

Label = Annotated[
    str,
    Field(min_length=1, max_length=80, description="name in figures; $...$ is set as a formula"),
    AfterValidator(one_line),
]

_LEAST_FACTOR, _LARGEST_FACTOR = 1e-25, 1e15
"""With generators' own weights, up to 1e10, products are numbers that single precision can hold."""


def _known_source(source: str) -> str:
    if READERS.knows(source):
        return source
    known = ", ".join(repr(name) for name in ("simulated", *READERS.names()))
    raise ValueError(
        f"allowed {known}, or a reader that is installed (entry point {READERS.group})"
    )


def _kind_of(sample: object) -> str:
    """Tell which class a sample is of: every other source than "simulated" is a format of files."""
    source = sample.get("source") if isinstance(sample, dict) else getattr(sample, "source", "")
    return "simulated" if source == "simulated" else ""


class SimulatedSample(Section):
    """Events generated here."""

    source: Literal["simulated"]
    label: Label
    process: Annotated[Name, Field(description="a card in resources/processes")]
    setting: Annotated[Name, Field(description="an entry of simulate.settings")]
    events: Annotated[int, Field(ge=1, le=10_000_000, description="events to generate")]
    folds: Annotated[
        tuple[FoldNumber, ...],
        Field(min_length=1, description="folds to generate events for"),
        AfterValidator(each_once),
    ]
    selection: Annotated[Name, Field(description="an entry of skim.selections")]

    @property
    def files_beside(self) -> tuple[str, ...]:
        """Files that the settings name beside those with events."""
        return ()


class FileSample(Section):
    """Events read from files the user has.

    What may be left out: sqrt_s, which is not known then, sum_of_weights, which the files say then,
    and triggers, filters, golden_json and weights, without which nothing is asked of an event.
    """

    source: Annotated[
        str,
        Field(
            description="format: pfnano, nanoaod, delphes, or the name of an installed reader",
            examples=list(READERS.built_in),
        ),
        AfterValidator(_known_source),
    ]
    label: Label
    files: Annotated[
        tuple[FilePath, ...],
        Field(
            min_length=1,
            description="paths, globs, root:// addresses, or @list.txt with one of these a line",
        ),
        AfterValidator(each_once),
    ]
    files_per_part: Annotated[int, Field(ge=1, le=100_000, description="files of one job")]
    is_data: Annotated[bool, Field(description="recorded collisions: no truth, weight 1")]
    cross_section: Annotated[
        float, Field(gt=0, le=1e12, description="in pb; 1 leaves the weights alone")
    ]
    sum_of_weights: Annotated[
        float | None,
        Field(
            gt=0,
            le=1e30,
            description="of all generated events; 1 leaves the weights alone; null or left out:"
            " what the files say (NanoAOD, PFNano)",
        ),
    ] = None
    selection: Annotated[Name, Field(description="an entry of skim.selections")]
    triggers: Annotated[
        tuple[Path, ...],
        AfterValidator(each_once),
        Field(
            description="branches such as HLT_IsoMu24, of which one must have fired; a ? at the"
            " end: files without this one are read, it did not fire in them"
        ),
    ] = ()
    filters: Annotated[
        tuple[Path, ...],
        AfterValidator(each_once),
        Field(
            description="branches such as Flag_goodVertices, which must all be true; a ? at the"
            " end: files without this one are read, it is taken for true in them"
        ),
    ] = ()
    golden_json: Annotated[
        FilePath | None,
        Field(description="certified luminosity blocks of recorded collisions; null: all"),
    ] = None
    weights: Annotated[
        dict[FieldName, EventWeight],
        Field(
            default_factory=dict,
            description="weights of simulated events by correctionlib, by names of their own",
        ),
    ]
    sqrt_s: Annotated[
        float | None,
        Field(gt=0, le=1000, description="centre-of-mass energy, TeV; null or left out: not known"),
    ] = None

    @model_validator(mode="after")
    def _only_data_are_certified(self) -> Self:
        if self.golden_json is not None and not self.is_data:
            raise ValueError("golden_json is of recorded collisions, but is_data is false")
        return self

    @model_validator(mode="after")
    def _only_simulation_is_weighted(self) -> Self:
        if self.weights and self.is_data:
            raise ValueError("weights are of simulated events, but is_data is true")
        return self

    @property
    def files_beside(self) -> tuple[str, ...]:
        """Files that the settings name beside those with events."""
        certified = () if self.golden_json is None else (self.golden_json,)
        return (*certified, *dict.fromkeys(one.file for one in self.weights.values()))

    @property
    def needs_sum(self) -> bool:
        """Whether the files are asked for the sum of their weights, to use or to compare."""
        return not self.is_data and self.source in WITH_RUNS and self.sum_of_weights != 1.0

    @property
    def has_candidates(self) -> bool:
        """Whether the format has candidates; without them METs are those that the files store."""
        return self.source not in WITHOUT_CANDIDATES

    @model_validator(mode="after")
    def _weights_stay_numbers(self) -> Self:
        if self.sum_of_weights is None:
            if not self.is_data and self.source not in WITH_RUNS:
                raise ValueError(
                    f"sum_of_weights is left out, but files of source {self.source!r} do not say it"
                )
            return self
        factor = self.cross_section / self.sum_of_weights
        if not _LEAST_FACTOR <= factor <= _LARGEST_FACTOR:
            raise ValueError(
                f"cross_section / sum_of_weights is {factor:.3g}, expected {_LEAST_FACTOR:g} to"
                f" {_LARGEST_FACTOR:g}: beyond, weights are 0 or infinite in single precision;"
                " the cross section is in pb"
            )
        return self


Sample = Annotated[
    Annotated[SimulatedSample, Tag("simulated")] | Annotated[FileSample, Tag("")],
    Discriminator(_kind_of),
]


class AnySample(RootModel[Sample]):
    """A sample of either kind, to parse one alone; `root` holds it."""
