"""Verdicts of the stages gate and closure, records and histories of trainings, single events."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ptmiss.core.io.records import read, read_values, to_values
from ptmiss.core.paths import PathLike
from ptmiss.learn.records import TrainingRecord
from ptmiss.learn.training.history import HISTORY
from ptmiss.tasks.met import gate
from ptmiss.tasks.met.calibration import verdict
from ptmiss.tasks.met.records import Displays
from ptmiss.tasks.met.report.tables import LARGEST

Paths = Iterable[PathLike]


def gates(paths: Paths) -> dict[str, dict[str, Any]]:
    """Return training -> what the gate says: passed, judged and tests.

    Raises `UserError` for a file that is not a verdict.
    """
    by_training = {}
    for path in sorted(map(Path, paths)):
        value = to_values(read(gate.Verdict, path, "gate"))
        by_training[value["training"]] = {key: value[key] for key in ("passed", "judged", "tests")}
    return dict(sorted(by_training.items()))


def closures(paths: Paths) -> dict[str, dict[str, Any]]:
    """Return training -> what its closure.json says: passed, tests and undecided ones, and where
    estimators were masked, how often."""
    by_training = {}
    for path in sorted(map(Path, paths)):
        value = to_values(read(verdict.Verdict, path, "closure"))
        by_training[path.absolute().parent.name] = {
            "passed": value["passed"],
            "tests": value["tests"],
            "undecided": value["undecided"],
            **{key: value[key] for key in ("masked",) if key in value},
        }
    return by_training


def records(paths: Paths) -> dict[str, dict[str, Any]]:
    """Return training -> its record: best epoch, epochs, events, parameters, seed."""
    by_training = {}
    for path in sorted(map(Path, paths)):
        value = read_values(TrainingRecord, path, "train")
        keys = ("best_epoch", "epochs", "events", "parameters", "seed")
        by_training[path.absolute().parent.name] = {key: value.get(key) for key in keys}
    return by_training


def histories(paths: Paths) -> dict[str, pd.DataFrame]:
    """Return training -> its history, one row an epoch, sorted by training."""
    by_training = {}
    for path in sorted(map(Path, paths), key=HISTORY.training_of):
        frame = pd.DataFrame([numbers | words for _, words, numbers in HISTORY.read(path)])
        if len(frame):
            frame = frame.apply(pd.to_numeric, errors="coerce")
            by_training[HISTORY.training_of(path)] = frame.where(frame.abs() <= LARGEST)
    return by_training


def displays(paths: Paths) -> dict[str, list[dict[str, Any]]]:
    """Return training -> the events shown."""
    by_training = {}
    for path in sorted(map(Path, paths)):
        value = read_values(Displays, path, "interpret")
        by_training[path.name.removesuffix(".displays.json")] = value["displays"]
    return by_training
