"""Settings of the stage interpret: which events are looked at, and in which bins."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Edges, Name, each_once


class InterpretSettings(Section):
    """How a network's weights are shown. Momenta in GeV, lengths in cm."""

    samples: Annotated[
        tuple[Name, ...],
        AfterValidator(each_once),
        Field(description="samples to look at; none: those of the training, then the others"),
    ]
    max_samples: Annotated[int, Field(ge=1, le=1000, description="most samples of one training")]
    events: Annotated[
        int, Field(ge=2, le=100_000, description="events of a sample, all of test folds")
    ]
    importance_events: Annotated[
        int, Field(ge=2, le=20_000, description="of these, events whose features are permuted")
    ]
    seed: Annotated[int, Field(ge=0, le=900_000_000, description="of the permutations")]
    pt_edges: Edges
    abs_eta_edges: Edges
    abs_dz_edges: Edges
    puppi_edges: Edges
    min_candidates: Annotated[
        int, Field(ge=2, le=1_000_000_000, description="candidates a bin needs")
    ]
    typical: Annotated[int, Field(ge=0, le=20, description="events shown with a median error")]
    worst: Annotated[int, Field(ge=0, le=20, description="events shown with the largest error")]
    display_candidates: Annotated[
        int, Field(ge=1, le=5000, description="leading candidates of a shown event")
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.samples) > self.max_samples:
            raise ValueError(
                f"samples has {len(self.samples)} entries, more than max_samples {self.max_samples}"
            )
        if self.importance_events > self.events:
            raise ValueError("importance_events must not be above events")
        return self


def chosen_samples(
    settings: InterpretSettings, learnt: list[str], configured: list[str]
) -> list[str]:
    """Return the samples that one training is looked at in.

    learnt: samples of the training; configured: all samples in the order of the configuration. A
    list in the settings is taken as it is; without one the training's own samples come first.
    """
    if settings.samples:
        return list(settings.samples)
    own = [name for name in configured if name in learnt]
    others = [name for name in configured if name not in learnt]
    return (own + others)[: settings.max_samples]
