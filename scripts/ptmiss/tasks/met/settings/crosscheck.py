"""Do names in one section of the settings stand for things that another section has?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ptmiss.core.errors import UserError
from ptmiss.core.settings.names import unknown
from ptmiss.events.settings.samples import FileSample
from ptmiss.tasks.met.settings.calibration import CalibrationSettings
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.vary import VarySettings

NETWORK = "deepmet"
"""The estimator that every training has, and a run without trainings has not."""

CLASSICAL = "classical"
"""What a run without trainings is called."""


class Sections(Protocol):
    """The sections that name what others have; `config.Config` is one."""

    samples: Mapping[str, Any]
    trainings: Mapping[str, Any]
    evaluate: EvaluateSettings
    vary: VarySettings
    performance: PerformanceSettings
    interpret: InterpretSettings
    calibration: CalibrationSettings

    def model_copy(self, *, update: Mapping[str, Any]) -> Sections:
        """Return the same with other sections."""


def names_exist(config: Sections, own: Mapping[str, object]) -> None:
    """Raise `UserError` at the first name in `own` that stands for nothing.

    own: what the user wrote. A misspelled name would otherwise mean none in silence.
    """
    for path, names, allowed in _named(config, own):
        for name in names:
            if name not in allowed:
                raise UserError(f"setting {unknown(path, name, allowed)}")
    if _wrote(own, "vary", "samples"):
        for name in config.vary.samples:
            sample = config.samples[name]
            if isinstance(sample, FileSample) and sample.is_data:
                raise UserError(
                    f"setting vary.samples has {name}, which is data; only simulation is varied"
                )
    if not _calibrates(config):
        return
    counting, known = config.calibration.closure.estimators, _estimators(config)
    if not set(counting) & set(known):
        raise UserError(
            f"setting calibration.closure.estimators: none of {', '.join(counting)} is evaluated,"
            f" so nothing would be tested; name some of {', '.join(known)}"
        )


def _named(
    config: Sections, own: Mapping[str, object]
) -> Iterator[tuple[str, Iterable[str], Iterable[str]]]:
    """Yield key, names and allowed names of each list that the user wrote."""
    calibration, samples = config.calibration, list(config.samples)
    roles = [role for role in ("data", "simulation") if _wrote(own, "calibration", role)]
    if roles:  # whoever names one wants a calibration
        for role in ("data", "simulation"):
            yield f"calibration.{role}", [getattr(calibration, role)], samples
    if _wrote(own, "calibration", "backgrounds"):
        yield "calibration.backgrounds", calibration.backgrounds, samples
    pairs = _at(own, "calibration", "apply")
    if isinstance(pairs, Mapping):  # a mapping is merged with the default one
        yield "calibration.apply", map(str, pairs), samples
        yield "calibration.apply", map(str, pairs.values()), samples
    if _wrote(own, "calibration", "closure", "estimators"):
        counting = calibration.closure.estimators
        yield "calibration.closure.estimators", counting, _estimators(config)
    if _wrote(own, "performance", "leave_out"):
        yield "performance.leave_out", config.performance.leave_out, samples
    if _wrote(own, "interpret", "samples"):
        yield "interpret.samples", config.interpret.samples, samples
    if _wrote(own, "vary", "samples"):
        yield "vary.samples", config.vary.samples, samples
    if _wrote(own, "vary", "trainings"):
        yield "vary.trainings", config.vary.trainings, [*config.trainings, CLASSICAL]


def _at(own: object, *path: str) -> object:
    for key in path:
        own = own.get(key) if isinstance(own, Mapping) else None
    return own


def _wrote(own: Mapping[str, object], *path: str) -> bool:
    return _at(own, *path) is not None


def _calibrates(config: Sections) -> bool:
    return {config.calibration.data, config.calibration.simulation} <= set(config.samples)


def _estimators(config: Sections) -> list[str]:
    """Return the estimators that data of the calibration can have."""
    data = config.samples.get(config.calibration.data)
    truth = not (isinstance(data, FileSample) and data.is_data)
    classical = [name for name in config.evaluate.estimators if truth or name != "oracle"]
    return [*([NETWORK] if config.trainings else []), *classical, *config.evaluate.external]


def reduced(config: Sections) -> Sections:
    """Return the configuration with a calibration that names nothing that does not exist.

    Only default lists can: `names_exist` has refused other ones.
    """
    calibration, samples = config.calibration, set(config.samples)
    closure = calibration.closure
    known = set(_estimators(config))
    counting = tuple(name for name in closure.estimators if name in known)
    update = {
        "backgrounds": tuple(name for name in calibration.backgrounds if name in samples),
        "apply": {a: b for a, b in calibration.apply.items() if {a, b} <= samples},
        "closure": closure.model_copy(update={"estimators": counting or closure.estimators}),
    }
    return config.model_copy(update={"calibration": calibration.model_copy(update=update)})
