"""What follows from the verdicts of gates and closures: an error, or warnings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, records
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met import gate
from ptmiss.tasks.met.calibration import verdict
from ptmiss.tasks.met.settings.calibration import CalibrationSettings
from ptmiss.tasks.met.settings.gate import GateSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """All verdicts, written if nothing is refused: of the gates, and of the closures if wanted."""

    accepted: PathLike
    confirmed: PathLike | None


def accept(
    gates: Sequence[str],
    closures: Sequence[str],
    settings: GateSettings,
    calibration: CalibrationSettings,
    outputs: Outputs,
) -> None:
    """End with an error if a gate or a closure refused a training and the settings say so.

    Raises `UserError` with the first problem that binds, and for a verdict that is damaged.
    """
    judged = records.read_each(gate.Verdict, gates, "gate")
    closed = records.read_each(verdict.Verdict, closures, "closure")
    problems = [
        (line, "gate.require", settings.require) for v in judged for line in gate.problems(v)
    ]
    problems += [
        (line, "calibration.require_closure", calibration.require_closure)
        for v in closed
        for line in verdict.problems(v)
    ]
    require_none(problems)
    atomic.write_json(outputs.accepted, [records.to_values(v) for v in judged])
    if outputs.confirmed is not None:
        atomic.write_json(outputs.confirmed, [records.to_values(v) for v in closed])


def require_none(problems: Sequence[tuple[str, str, bool]]) -> None:
    """Log each problem; raise `UserError` with the first of those that bind.

    problems: line, setting that turns such an error into a warning, whether it binds.
    """
    binding = [(line, setting) for line, setting, binds in problems if binds]
    if binding:
        line, setting = binding[0]
        more = f" (and {len(binding) - 1} more)" if len(binding) > 1 else ""
        raise UserError(f"{line}{more}; see the report; {setting}: false turns this into a warning")
    for line, _, _ in problems:
        _LOG.warning("%s", line)
