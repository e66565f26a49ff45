"""The sections of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.configuration import Configuration
from ptmiss.core.settings.names import unknown
from ptmiss.core.settings.types import EdgesFromZero, FilePath, Name, each_once, one_line
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.train import TrainSettings
from ptmiss.learn.settings.trainings import Training


class Sample(Section):
    """Showers of a beam."""

    label: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(one_line)]
    files: Annotated[
        tuple[FilePath, ...],
        Field(min_length=1, description="CSV files, a shower a line"),
        AfterValidator(each_once),
    ]


class PerformanceSettings(Section):
    """How estimators are measured."""

    energy_edges: EdgesFromZero
    replicas: Annotated[int, Field(ge=0, le=10_000)]
    seed: Annotated[int, Field(ge=0, le=900_000_000)]


class ReportSettings(Section):
    """The page."""

    title: Annotated[str, Field(min_length=1, max_length=120), AfterValidator(one_line)]
    dpi: Annotated[int, Field(ge=40, le=300)]


class Config(Configuration):
    """Everything that a configuration says."""

    task: Literal["shower_energy"]
    samples: Annotated[dict[Name, Sample], Field(min_length=1)]
    trainings: Annotated[dict[Name, Training], Field(min_length=1)]
    folds: FoldSettings
    preprocess: PreprocessSettings
    train: TrainSettings
    export: ExportSettings
    performance: PerformanceSettings
    report: ReportSettings

    @model_validator(mode="after")
    def _samples_exist(self) -> Self:
        for name, training in self.trainings.items():
            for sample in training.samples:
                if sample not in self.samples:
                    raise ValueError(unknown(f"trainings.{name}.samples", sample, self.samples))
        return self
