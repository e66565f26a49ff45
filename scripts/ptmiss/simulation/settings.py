"""Settings of the stage simulate: seeds, sizes, pile-up and detector presets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name
from ptmiss.simulation.limits import problem

Constant = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Preset(Section):
    """One combination of detector and pile-up."""

    pileup_mean: Annotated[float, Field(ge=0, le=300, description="mean interactions a crossing")]
    pileup_width: Annotated[float, Field(ge=0, le=100, description="spread of that mean")]
    profile: Annotated[
        tuple[
            tuple[Annotated[float, Field(ge=0, le=300)], Annotated[float, Field(ge=0, le=1e15)]],
            ...,
        ],
        Field(
            max_length=10_000,
            description="histogram [[interactions, weight], ...] instead of mean and width",
        ),
    ]
    detector: Annotated[
        dict[Constant, float],
        Field(description="detector constants that differ from those in simulation/constants.py"),
    ]

    @field_validator("profile")
    @classmethod
    def _some_weight(
        cls, value: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        # a profile is of events counted or their shares; below, cumulative sums lose every entry
        if value and max(weight for _, weight in value) < 1e-15:
            raise ValueError("the weights add up to 0; give at least one above 1e-15, or []")
        return value

    @field_validator("detector")
    @classmethod
    def _known_constants(cls, value: dict[str, float]) -> dict[str, float]:
        wrong = problem(value)
        if wrong:
            raise ValueError(wrong)
        return value


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
