"""The whole configuration: all sections together, and what must hold between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ptmiss.core.errors import UserError
from ptmiss.core.settings.configuration import CLASSICAL, Configuration
from ptmiss.core.settings.names import Named, require_known, unknown, written
from ptmiss.core.settings.types import Name
from ptmiss.events.mets import STORED_METS
from ptmiss.events.n_folds import N_FOLDS
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.settings.samples import FileSample, Sample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.settings.train import TrainSettings
from ptmiss.simulation.settings import SimulateSettings
from ptmiss.tasks.met.settings.calibration import CalibrationSettings
from ptmiss.tasks.met.settings.evaluate import CLASSICAL as ESTIMATORS
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.settings.gate import GateSettings
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.report import ReportSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings
from ptmiss.tasks.met.settings.vary import VarySettings

NETWORK = "deepmet"
"""The estimator that every training has, and a run without trainings has not."""


class Config(Configuration):
    """Everything that config.yaml says."""

    task: Annotated[
        Literal["met"], Field(description="what is estimated: missing transverse momentum")
    ]
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
            **dict.fromkeys(ESTIMATORS),
            **self.evaluate.external,
            NETWORK: None,
            **{f"stored_{name}": None for name in self.performance.stored},
            **(dict.fromkeys(STORED_METS) if self.without_candidates else {}),
        }
        for name in self.performance.over:
            _known("performance.over", name, estimators)
        return self

    @property
    def without_candidates(self) -> tuple[str, ...]:
        """The samples whose files have METs and no candidates."""
        return tuple(
            name
            for name, sample in self.samples.items()
            if isinstance(sample, FileSample) and not sample.has_candidates
        )

    @property
    def measured_folds(self) -> FoldSettings:
        """The folds for stages that measure: all where no network can have learned from any.

        An external model may have been trained here, in an earlier run.
        """
        if self.trainings or self.evaluate.external:
            return self.folds
        return FoldSettings(train=(), validation=(), test=tuple(range(N_FOLDS)))

    def cross_checked(self, own: Mapping[str, object]) -> Self:
        """Return the configuration with a calibration that names nothing that does not exist.

        Only default lists can: of what the user wrote, `own`, every name must stand for something.
        """
        require_known(_named(self, own))
        if written(own, "vary", "samples") is not None:
            for name in self.vary.samples:
                sample = self.samples[name]
                if isinstance(sample, FileSample) and sample.is_data:
                    raise UserError(
                        f"setting vary.samples has {name}, which is data; only simulation is varied"
                    )
        calibration, samples, known = self.calibration, set(self.samples), _estimators(self)
        named = calibration.closure.estimators
        counting = tuple(name for name in named if name in known)
        if not counting and {calibration.data, calibration.simulation} <= samples:
            raise UserError(
                f"setting calibration.closure.estimators: none of {', '.join(named)} is evaluated,"
                f" so nothing would be tested; name some of {', '.join(known)}"
            )
        update = {
            "backgrounds": tuple(name for name in calibration.backgrounds if name in samples),
            "apply": {a: b for a, b in calibration.apply.items() if {a, b} <= samples},
            "closure": calibration.closure.model_copy(update={"estimators": counting or named}),
        }
        return self.model_copy(update={"calibration": calibration.model_copy(update=update)})

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
            if not sample.has_candidates:
                raise ValueError(
                    f"{where} has {name}, whose source {sample.source!r} has no candidates to learn"
                    " from"
                )
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


def _named(config: Config, own: Mapping[str, object]) -> Iterator[Named]:
    """Yield key, names and allowed names of each list that the user wrote."""
    calibration, samples = config.calibration, list(config.samples)
    if any(written(own, "calibration", role) is not None for role in ("data", "simulation")):
        for role in ("data", "simulation"):  # whoever names one wants a calibration
            yield f"calibration.{role}", [getattr(calibration, role)], samples
    pairs = written(own, "calibration", "apply")
    if isinstance(pairs, Mapping):  # a mapping is merged with the default one
        yield "calibration.apply", map(str, pairs), samples
        yield "calibration.apply", map(str, pairs.values()), samples
    with_candidates = [name for name in samples if name not in config.without_candidates]
    lists = [
        ("calibration.backgrounds", calibration.backgrounds, samples),
        ("calibration.closure.estimators", calibration.closure.estimators, _estimators(config)),
        ("performance.leave_out", config.performance.leave_out, samples),
        ("interpret.samples", config.interpret.samples, with_candidates),
        ("vary.samples", config.vary.samples, samples),
        ("vary.trainings", config.vary.trainings, [*config.trainings, CLASSICAL]),
    ]
    for setting in lists:
        if written(own, *setting[0].split(".")) is not None:
            yield setting


def _estimators(config: Config) -> list[str]:
    """Return the estimators that data of the calibration can have."""
    calibration = config.calibration
    if calibration.data in config.without_candidates:
        return list(STORED_METS)
    data = config.samples.get(calibration.data)
    from_file = isinstance(data, FileSample)
    truth = not (isinstance(data, FileSample) and data.is_data)
    classical = [name for name in config.evaluate.estimators if truth or name != "oracle"]
    network = [NETWORK] if config.trainings else []
    stored = [f"stored_{name}" for name in calibration.stored] if from_file else []
    return [*network, *classical, *config.evaluate.external, *stored]
