"""Settings of the folds: which part of the events each purpose may use."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ptmiss.settings.base import Section
from ptmiss.settings.samples import FoldNumber

FoldList = Annotated[tuple[FoldNumber, ...], Field(min_length=1)]


class FoldSettings(Section):
    """The ten folds, each given to exactly one purpose."""

    train: Annotated[tuple[FoldNumber, ...], Field(description="empty where nothing is trained")]
    validation: Annotated[
        tuple[FoldNumber, ...], Field(description="empty where nothing is trained")
    ]
    test: FoldList

    @model_validator(mode="after")
    def _each_fold_once(self) -> Self:
        used = sorted((*self.train, *self.validation, *self.test))
        if used != list(range(10)):
            raise ValueError(
                f"the lists hold the folds {used}; each of 0..9 must stand in exactly one of them"
            )
        return self
