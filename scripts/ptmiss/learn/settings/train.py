"""Settings of the stage train: network preset, loss, optimiser and batches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import LowerEdges


class TrainSettings(Section):
    """How a network is trained."""

    features: Annotated[
        Literal["faithful", "log"], Field(description="what the network does to features first")
    ]
    epochs: Annotated[int, Field(ge=1, le=100_000, description="most passes over the dataset")]
    presentations: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000_000_000,
            description="events to show in all, repeats counted: sets the epochs",
        ),
    ]
    patience: Annotated[
        int, Field(ge=1, le=100_000, description="epochs without improvement before stopping")
    ]
    batch_events: Annotated[int, Field(ge=1, le=100_000, description="most events of a batch")]
    batch_candidates: Annotated[
        int, Field(ge=1, le=10_000_000, description="most candidates of a batch")
    ]
    learning_rate: Annotated[float, Field(ge=1e-10, le=1, description="peak of the schedule")]
    warm_up: Annotated[float, Field(ge=0, lt=1, description="part of the schedule that rises")]
    final_rate: Annotated[float, Field(ge=0, le=1, description="last rate / peak rate")]
    weight_decay: Annotated[float, Field(ge=0, le=1, description="of AdamW")]
    clip_norm: Annotated[float, Field(ge=1e-6, le=1e6, description="largest norm of the gradient")]
    average: Annotated[
        float, Field(ge=0, lt=1, description="decay of averaged weights per step; 0: none")
    ]
    huber: Annotated[
        float,
        Field(ge=0, le=1e6, description="error above which the loss is linear, GeV; 0: squared"),
    ]
    response: Annotated[float, Field(ge=0, le=1e4, description="factor of the response term")]
    response_recoil_edges: LowerEdges
    response_met_edges: LowerEdges
    response_min_events: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000_000,
            description="training events below which a bin of the term is left out",
        ),
    ]
    response_memory: Annotated[
        float, Field(ge=1, le=1e6, description="batches that the response term remembers")
    ]
    compile: Annotated[bool, Field(description="compile the step with XLA")]
    cache_mb: Annotated[
        int, Field(ge=0, le=1_000_000, description="decoded events kept in memory, MB")
    ]
