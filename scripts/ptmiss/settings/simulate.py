"""Settings of the stage simulate: seeds, sizes, pile-up and detector presets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ptmiss.settings.base import Section
from ptmiss.settings.samples import Name


class Preset(Section):
    """One combination of detector and pile-up."""

    pileup_mean: Annotated[float, Field(ge=0, le=300, description="mean interactions a crossing")]
    pileup_width: Annotated[float, Field(ge=0, le=100, description="spread of that mean")]


class MinBiasSettings(Section):
    """The library of collisions that are overlaid as pile-up."""

    events: Annotated[int, Field(ge=10, le=100_000_000, description="collisions in all parts")]
    parts: Annotated[int, Field(ge=1, le=10_000, description="jobs that generate them")]


class SimulateSettings(Section):
    """How much is simulated and with which detector."""

    seed: Annotated[int, Field(ge=1, le=900_000_000, description="every random number follows")]
    events_per_part: Annotated[int, Field(ge=1, le=1_000_000, description="events of one job")]
    minbias: MinBiasSettings
    settings: Annotated[dict[Name, Preset], Field(min_length=1)]
