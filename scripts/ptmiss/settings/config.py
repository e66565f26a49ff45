"""The whole configuration: all sections together, and what must hold between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from ptmiss.settings.base import Section, from_mapping
from ptmiss.settings.evaluate import EvaluateSettings
from ptmiss.settings.folds import FoldSettings
from ptmiss.settings.performance import PerformanceSettings
from ptmiss.settings.report import ReportSettings
from ptmiss.settings.samples import Name, Sample, SimulatedSample
from ptmiss.settings.simulate import SimulateSettings
from ptmiss.settings.skim import SkimSettings


class Config(Section):
    """Everything that config.yaml says."""

    samples: Annotated[dict[Name, Sample], Field(min_length=1)]
    folds: FoldSettings
    simulate: SimulateSettings
    skim: SkimSettings
    evaluate: EvaluateSettings
    performance: PerformanceSettings
    report: ReportSettings

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, sample in self.samples.items():
            _known(f"samples.{name}.selection", sample.selection, self.skim.selections)
            if isinstance(sample, SimulatedSample):
                _known(f"samples.{name}.setting", sample.setting, self.simulate.settings)
        return self


def _known(key: str, value: str, allowed: Mapping[str, object]) -> None:
    if value not in allowed:
        raise ValueError(f"{key} is {value!r}, allowed: {', '.join(sorted(allowed))}")


def load(values: Mapping[str, object]) -> Config:
    """Check the values of a configuration file; raises `UserError` in one line."""
    return from_mapping(Config, dict(values), "")
