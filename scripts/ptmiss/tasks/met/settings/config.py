"""The whole configuration: all sections together, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from ptmiss.core.settings.base import Section, from_mapping
from ptmiss.core.settings.names import unknown
from ptmiss.events.n_folds import N_FOLDS
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.settings.samples import Name, Sample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.settings.preprocess import PreprocessSettings
from ptmiss.learn.settings.train import TrainSettings
from ptmiss.learn.settings.trainings import Training
from ptmiss.simulation.settings import SimulateSettings
from ptmiss.tasks.met.settings import crosscheck
from ptmiss.tasks.met.settings.calibration import CalibrationSettings
from ptmiss.tasks.met.settings.evaluate import CLASSICAL, EvaluateSettings
from ptmiss.tasks.met.settings.gate import GateSettings
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.report import ReportSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.settings.vary import VarySettings


class Config(Section):
    """Everything that config.yaml says."""

    samples: Annotated[dict[Name, Sample], Field(min_length=1)]
    trainings: dict[Name, Training]
    folds: FoldSettings
    simulate: SimulateSettings
    skim: SkimSettings
    preprocess: PreprocessSettings
    train: TrainSettings
    export: ExportSettings
    evaluate: EvaluateSettings
    vary: VarySettings
    performance: PerformanceSettings
    uncertainty: UncertaintySettings
    interpret: InterpretSettings
    calibration: CalibrationSettings
    gate: GateSettings
    report: ReportSettings

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, sample in self.samples.items():
            _known(f"samples.{name}.selection", sample.selection, self.skim.selections)
            if isinstance(sample, SimulatedSample):
                _known(f"samples.{name}.setting", sample.setting, self.simulate.settings)
        estimators = {
            **dict.fromkeys(CLASSICAL),
            **self.evaluate.external,
            "deepmet": None,
            **{f"stored_{name}": None for name in self.performance.stored},
        }
        for name in self.performance.over:
            _known("performance.over", name, estimators)
        return self

    @property
    def measured_folds(self) -> FoldSettings:
        """The folds for stages that measure: all where no network can have learned from any.

        An external model may have been trained here, in an earlier run.
        """
        if self.trainings or self.evaluate.external:
            return self.folds
        return FoldSettings(train=(), validation=(), test=tuple(range(N_FOLDS)))

    @model_validator(mode="after")
    def _trainings_can_learn(self) -> Self:
        for purpose in ("train", "validation"):
            if self.trainings and not getattr(self.folds, purpose):
                raise ValueError(f"folds.{purpose} is empty, but there are trainings")
        if self.preprocess.pinned_pt != self.skim.pinned_pt:
            raise ValueError(
                f"preprocess.pinned_pt is {self.preprocess.pinned_pt:g} and skim.pinned_pt"
                f" {self.skim.pinned_pt:g}; they must be equal"
            )
        if self.train.batch_candidates < self.skim.max_candidates:
            raise ValueError(
                f"train.batch_candidates is {self.train.batch_candidates}, but an event may have"
                f" {self.skim.max_candidates} candidates (skim.max_candidates)"
            )
        for name, training in self.trainings.items():
            for key in training.samples:
                _known(f"trainings.{name}.samples", key, self.samples)
                self._has_truth_and_folds(f"trainings.{name}.samples", key)
        return self

    def _has_truth_and_folds(self, where: str, name: str) -> None:
        sample = self.samples[name]
        if not isinstance(sample, SimulatedSample):
            if sample.is_data:
                raise ValueError(f"{where} has {name}, which is data and has no truth")
            return
        for purpose in ("train", "validation"):
            if not set(sample.folds) & set(getattr(self.folds, purpose)):
                raise ValueError(
                    f"{where} has {name}, but samples.{name}.folds has none of the"
                    f" {purpose} folds {list(getattr(self.folds, purpose))}"
                )


def _known(key: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise ValueError(unknown(key, value, allowed))


def load(values: Mapping[str, object], own: Mapping[str, object] | None = None) -> Config:
    """Check the values of a configuration file; raises `UserError` in one line.

    own: those that the user wrote; None for all. A name that stands there must exist. Lists of
    config.yaml name its own samples, trainings and estimators, which an own configuration may have
    replaced: what does not exist is left out of the calibration then.
    """
    config = from_mapping(Config, dict(values), "")
    crosscheck.names_exist(config, values if own is None else own)
    return crosscheck.reduced(config)
