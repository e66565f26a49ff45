"""Settings of the stage gate: what a network must do before it is accepted."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ptmiss.core.settings.base import Section

Response = Annotated[float, Field(gt=0, le=10)]


class GateSettings(Section):
    """Limits on samples with real missing transverse momentum, and whether they bind."""

    response_low: Annotated[Response, Field(description="least response to true pTmiss")]
    response_high: Annotated[Response, Field(description="largest response to true pTmiss")]
    require: Annotated[
        bool, Field(description="false: a refused network is a warning, not the end of the run")
    ]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.response_low >= self.response_high:
            raise ValueError("response_low must be below response_high")
        return self
