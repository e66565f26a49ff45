"""Settings of the stage uncertainty: the pile-up profile, and which numbers get uncertainties."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import each_once

Axis = Literal["all", "qt", "n_pv", "n_pv_low_qt", "n_pv_high_qt", "gen_ht", "gen_met"]
Quantity = Literal[
    "response",
    "response_met",
    "sigma_par",
    "sigma_perp",
    "sigma_xy",
    "sigma_met",
    "bias_x",
    "bias_y",
    "mean_met",
]


class UncertaintySettings(Section):
    """What the stage uncertainty does."""

    pileup: Annotated[
        float, Field(ge=0.0, le=0.3, description="relative shift of the mean number of vertices")
    ]
    axes: Annotated[tuple[Axis, ...], Field(min_length=1), AfterValidator(each_once)]
    quantities: Annotated[tuple[Quantity, ...], Field(min_length=1), AfterValidator(each_once)]
