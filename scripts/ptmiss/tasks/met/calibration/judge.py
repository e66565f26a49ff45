"""The stage closure: from corrections and held-out events to a verdict."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, records
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration import store
from ptmiss.tasks.met.calibration.apply import read
from ptmiss.tasks.met.calibration.closure import closure as judge
from ptmiss.tasks.met.calibration.inputs import load_inputs
from ptmiss.tasks.met.calibration.verdict import problems
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

Path = str | os.PathLike[str]
_LOG = logging.getLogger(__name__)


def closure(
    estimates: Sequence[Path],
    folds: FoldSettings,
    settings: CalibrationSettings,
    corrections: Path,
    fits: Path,
    verdict: Path,
) -> None:
    """Judge the corrections on the other half of the events and write the verdict."""
    found = load_inputs(estimates, folds, settings)
    stored, bins = store.read(fits)
    for name in found.estimators:
        if name not in stored:
            raise UserError(
                f"{fits}: holds no fits of the estimator {name}, which the estimates have; run the"
                " stage calibrate again"
            )
    result = judge(found, read(corrections), stored, bins, settings)
    for line in problems(result):
        _LOG.warning("%s", line)
    atomic.write_json(verdict, records.to_values(result))
