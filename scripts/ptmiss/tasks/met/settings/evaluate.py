"""Settings of the stage evaluate."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import FieldName, FilePath, each_once
from ptmiss.learn.settings.models import ModelLimits

Estimator = Literal["pf", "chs", "puppi", "oracle"]
CLASSICAL: tuple[str, ...] = get_args(Estimator)

TAKEN = (*CLASSICAL, "deepmet", "deepmet_rescaled", "calibrated", "boson", "gen_met")
"""Names that an external model cannot have: they begin columns of their own."""


class ExternalModel(Section):
    """A model of others that wants a fixed number of slots."""

    path: FilePath
    slots: Annotated[
        int, Field(ge=1, le=100_000, description="each event gets as many; the softest beyond go")
    ]


def _kind(value: object) -> str:
    return "path" if isinstance(value, str) else "model"


External = Annotated[
    Annotated[FilePath, Tag("path")] | Annotated[ExternalModel, Tag("model")], Discriminator(_kind)
]


def _not_taken(models: dict[str, str | ExternalModel]) -> dict[str, str | ExternalModel]:
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
        dict[FieldName, External],
        AfterValidator(_not_taken),
        Field(description="models with DeepMET's interface: name -> ONNX file, or path and slots"),
    ]
    limits: ModelLimits

    def external_paths(self) -> dict[str, str]:
        """Return the file of each external model."""
        return {
            name: one if isinstance(one, str) else one.path for name, one in self.external.items()
        }

    def slots(self) -> dict[str, int]:
        """Return the number of slots of those external models that have a setting for it."""
        return {name: one.slots for name, one in self.external.items() if not isinstance(one, str)}
