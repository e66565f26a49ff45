"""Settings of the trainings: what each network learns from and what for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name


class Training(Section):
    """One network."""

    samples: Annotated[
        dict[Name, Annotated[float, Field(ge=1e-6, le=1e6)]],
        Field(min_length=1, description="sample -> share of the loss, relative to the others"),
    ]
    tune: Annotated[
        Literal["resolution", "response"],
        Field(description="resolution: error alone; response: mean response held at 1"),
    ]
    bias: Annotated[
        Literal["caption", "training_code", "shipped"],
        Field(description="how weight and bias enter the sum"),
    ]
    seed: Annotated[int, Field(ge=1, le=900_000_000, description="of start values and order")]
    use_puppi: Annotated[bool, Field(description="false: the network sees no PUPPI weight")]
