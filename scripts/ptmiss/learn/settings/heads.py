"""Settings of heads: `trainings.NAME.head`, one class a kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import LowerEdges, Name, each_once

# not strict: the list of a JSON file has become one of Python where a short form was taken
_Edges = Annotated[LowerEdges, Field(strict=False)]

BiasForm = Literal["none", "caption", "training_code", "shipped"]
Tune = Literal["resolution", "response"]


class VectorSumHead(Section):
    """A vector: the weighted sum of constituents, each with a bias."""

    kind: Literal["vector_sum"]
    bias: Annotated[BiasForm, Field(description="how weight and bias enter the sum")]
    tune: Annotated[
        Tune, Field(description="resolution: error alone; response: mean response held at 1")
    ]
    labels: Annotated[
        float,
        Field(ge=0, le=1e4, description="factor of the cross-entropy with the true share"),
    ] = 0.0


class EventHead(Section):
    """A vector sum without biases, corrected by what the whole event shows, with its uncertainty.

    The layers of the event are trained after the backbone, on its sums.
    """

    kind: Literal["event"]
    tune: Annotated[
        Tune, Field(description="resolution: error alone; response: mean response held at 1")
    ]
    labels: Annotated[
        float, Field(gt=0, le=1e4, description="factor of the cross-entropy with the true share")
    ] = 5.0
    units: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], ...],
        Field(min_length=1, max_length=16, strict=False, description="hidden layers of the event"),
    ] = (64, 32, 48)
    members: Annotated[
        int, Field(ge=1, le=20, description="networks of the event whose outputs are averaged")
    ] = 8
    epochs: Annotated[int, Field(ge=1, le=100_000, description="passes over the sums")] = 30
    batch_events: Annotated[int, Field(ge=1, le=1_000_000, description="events of a batch")] = 1000
    learning_rate: Annotated[float, Field(ge=1e-10, le=1, description="first of the schedule")] = (
        0.004
    )
    weight_decay: Annotated[float, Field(ge=0, le=1, description="of AdamW")] = 0.1
    response: Annotated[float, Field(ge=0, le=1e4, description="factor of the response term")] = 0.1
    response_recoil_edges: _Edges = (30.0, 50.0, 80.0, 120.0, 170.0, 230.0)
    response_met_edges: _Edges = (50.0, 80.0, 120.0)
    response_memory: Annotated[
        float, Field(ge=1, le=1e6, description="batches that the response term remembers")
    ] = 10.0
    likelihood: Annotated[
        float, Field(ge=0, le=1e4, description="factor of the likelihood of the widths")
    ] = 0.02


class RegressionHead(Section):
    """One number or several for each event."""

    kind: Literal["regression"]
    targets: Annotated[
        tuple[Name, ...],
        AfterValidator(each_once),
        Field(min_length=1, strict=False, description="which of the task's targets are estimated"),
    ]
    huber: Annotated[
        float, Field(ge=0, le=1e6, description="error above which the loss is linear; 0: squared")
    ]


def wants_labels(head: VectorSumHead | EventHead | RegressionHead) -> bool:
    """Say whether a head learns from the true share of each constituent."""
    return not isinstance(head, RegressionHead) and head.labels > 0.0


Head = Annotated[VectorSumHead | EventHead | RegressionHead, Field(discriminator="kind")]
