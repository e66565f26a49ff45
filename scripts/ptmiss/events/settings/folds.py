"""Settings of the folds: which part of the events each purpose may use."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import each_once
from ptmiss.events.n_folds import N_FOLDS
from ptmiss.events.settings.samples import FoldNumber

FoldList = Annotated[tuple[FoldNumber, ...], AfterValidator(each_once)]


class FoldSettings(Section):
    """The ten folds, each given to exactly one purpose."""

    train: Annotated[FoldList, Field(description="empty where nothing is trained")]
    validation: Annotated[FoldList, Field(description="empty where nothing is trained")]
    test: Annotated[FoldList, Field(min_length=1)]

    @model_validator(mode="after")
    def _each_fold_once(self) -> Self:
        used = sorted((*self.train, *self.validation, *self.test))
        if used != list(range(N_FOLDS)):
            raise ValueError(
                f"the lists hold the folds {used}; each of 0..9 must stand in exactly one of them"
            )
        return self
