"""Settings of the stage apply: which samples get friend trees, and what is in them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import FieldName, FilePath, Name, each_once

Form = Literal["ttree", "rntuple", "parquet"]
SUFFIX: dict[Form, str] = {"ttree": "root", "rntuple": "root", "parquet": "parquet"}
"""Format of a friend -> what the name of its file ends with."""

Names = Annotated[tuple[Name, ...], AfterValidator(each_once)]
Prefix = Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9]{0,31})?$")]


class ApplySettings(Section):
    """Calibrated pTmiss beside the files of samples, for events that no selection has touched."""

    samples: Annotated[Names, Field(description="samples that get friend trees; [] for none")]
    trainings: Annotated[
        Names, Field(description="trainings whose estimators and corrections are taken; [] for all")
    ]
    estimators: Annotated[
        tuple[FieldName, ...],
        AfterValidator(each_once),
        Field(description="[] for all that the corrections and the input have"),
    ]
    corrections: Annotated[
        FilePath | None,
        Field(description="a document of the stage calibrate; null: the one of this run"),
    ]
    recoil: Annotated[
        Names,
        Field(
            description="simulated samples of a single boson: where their selection finds it, the"
            " recoil is mapped to that of data"
        ),
    ]
    format: Annotated[Form, Field(description="ttree or rntuple in a ROOT file, or parquet")]
    prefix: Annotated[Prefix, Field(description="of the names of columns: CalibratedPuppiMET_pt")]

    @model_validator(mode="after")
    def _recoil_of_samples(self) -> Self:
        for name in self.recoil:
            if name not in self.samples:
                raise ValueError(f"recoil has {name}, which is not among the samples of apply")
        return self
