"""Settings of the stage evaluate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ptmiss.settings.base import Section
from ptmiss.settings.types import FieldName, FilePath, each_once

Estimator = Literal["pf", "chs", "puppi", "oracle"]

TAKEN = ("pf", "chs", "puppi", "oracle", "deepmet", "calibrated", "boson", "gen_met")
"""Names that an external model cannot have: they begin columns of their own."""


def _not_taken(models: dict[str, str]) -> dict[str, str]:
    for name in models:
        if name in TAKEN or name.startswith("stored_"):
            raise ValueError(f"the name {name!r} is taken; choose another")
    return models


class EvaluateSettings(Section):
    """Which estimators are computed from the candidates, besides a training's own network."""

    estimators: Annotated[
        tuple[Estimator, ...],
        AfterValidator(each_once),
        Field(min_length=1, description="classical estimators; oracle needs simulated truth"),
    ]
    external: Annotated[
        dict[FieldName, FilePath],
        AfterValidator(_not_taken),
        Field(description="models with DeepMET's interface: name -> ONNX file"),
    ]
