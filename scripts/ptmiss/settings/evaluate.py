"""Settings of the stage evaluate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from ptmiss.settings.base import Section

Estimator = Literal["pf", "chs", "puppi", "oracle"]

TAKEN = ("pf", "chs", "puppi", "oracle", "deepmet", "calibrated", "boson", "gen_met")
"""Names that an external model cannot have: they begin columns of their own."""

ExternalName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each estimator is given once")
    return names


def _not_taken(models: dict[str, str]) -> dict[str, str]:
    for name in models:
        if name in TAKEN or name.startswith("stored_"):
            raise ValueError(f"the name {name!r} is taken; choose another")
    return models


class EvaluateSettings(Section):
    """Which estimators are computed from the candidates, besides a training's own network."""

    estimators: Annotated[
        tuple[Estimator, ...],
        AfterValidator(_each_once),
        Field(min_length=1, description="classical estimators; oracle needs simulated truth"),
    ]
    external: Annotated[
        dict[ExternalName, Annotated[str, Field(min_length=1, max_length=4096)]],
        AfterValidator(_not_taken),
        Field(description="models with DeepMET's interface: name -> ONNX file"),
    ]
