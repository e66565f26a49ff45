"""Settings of the stage export: the parity that is asked for, and the server's configuration."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name, each_once


class ExportSettings(Section):
    """How a network becomes a file for other software."""

    parity_events: Annotated[
        int, Field(ge=2000, le=1_000_000, description="events on which parity is shown")
    ]
    parity_limit: Annotated[
        float, Field(gt=0, le=1e-3, description="largest difference of pTmiss px or py, GeV")
    ]
    server_name: Annotated[Name, Field(description="name of the model on a Triton server")]
    max_batch_size: Annotated[int, Field(ge=1, le=10_000, description="most events of a request")]
    preferred_batch_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=10_000)], ...],
        AfterValidator(each_once),
        Field(description="batch sizes that the server waits for"),
    ]

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        for size in self.preferred_batch_sizes:
            if size > self.max_batch_size:
                raise ValueError(
                    f"preferred_batch_sizes has {size}, above max_batch_size {self.max_batch_size};"
                    " a Triton server does not load such a model"
                )
        return self
