"""Settings of heads: `trainings.NAME.head`, one class a kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name, each_once

BiasForm = Literal["caption", "training_code", "shipped"]
Tune = Literal["resolution", "response"]


class VectorSumHead(Section):
    """A vector: the weighted sum of constituents, each with a bias."""

    kind: Literal["vector_sum"]
    bias: Annotated[BiasForm, Field(description="how weight and bias enter the sum")]
    tune: Annotated[
        Tune, Field(description="resolution: error alone; response: mean response held at 1")
    ]


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


Head = Annotated[VectorSumHead | RegressionHead, Field(discriminator="kind")]
