"""Verdicts of the stages gate and closure, records and histories of trainings, single events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from ptmiss.errors import UserError
from ptmiss.io import manifest
from ptmiss.report.headlines import load_json
from ptmiss.report.tables import training_of

Paths = Iterable[str | os.PathLike[str]]

_DISPLAY = ("sample", "event", "why", "true", "estimates", "pt", "eta", "phi", "weight", "group")


def gates(paths: Paths) -> dict[str, dict[str, object]]:
    """Return training -> what the gate says: passed, judged and tests.

    Raises `UserError` for a file that is not a verdict.
    """
    found = {}
    for path in sorted(map(Path, paths)):
        value = _load(path, "gate", ("training", "passed", "tests"))
        found[str(value["training"])] = {
            "passed": bool(value["passed"]),
            "judged": bool(value.get("judged", True)),
            "tests": list(value["tests"]),
        }
    return dict(sorted(found.items()))


def closures(paths: Paths) -> dict[str, dict[str, object]]:
    """Return training -> what its closure.json says: passed, tests and undecided ones, and where
    estimators were masked, how often."""
    found = {}
    for path in sorted(map(Path, paths)):
        value = _load(path, "closure", ("passed", "tests"))
        found[path.absolute().parent.name] = {
            "passed": bool(value["passed"]),
            "tests": list(value["tests"]),
            "undecided": list(value.get("undecided", ())),
            **{key: list(value[key]) for key in ("masked",) if key in value},
        }
    return found


def records(paths: Paths) -> dict[str, dict[str, object]]:
    """Return training -> its record: best epoch, epochs, events, parameters, seed."""
    found = {}
    for path in sorted(map(Path, paths)):
        value = _load(path, "train", ("best_epoch", "epochs", "seed"))
        keys = ("best_epoch", "epochs", "events", "parameters", "seed")
        found[path.absolute().parent.name] = {key: value.get(key) for key in keys}
    return found


def histories(paths: Paths) -> dict[str, pd.DataFrame]:
    """Return training -> its history, one row an epoch, sorted by training."""
    found = {}
    for path in sorted(map(Path, paths), key=lambda path: training_of(path, "")):
        manifest.check(path)
        try:
            frame = pd.read_csv(path, encoding="utf-8").apply(pd.to_numeric, errors="coerce")
            frame["epoch"]  # a missing column is what we look for
        except (KeyError, ValueError, OSError) as error:
            raise UserError(
                f"{path}: not the history of a training ({error!r}); delete it and run the stage "
                "train again"
            ) from None
        if len(frame):
            found[training_of(path, "")] = frame
    return found


def displays(paths: Paths) -> dict[str, list[dict[str, object]]]:
    """Return training -> the events shown."""
    found = {}
    for path in sorted(map(Path, paths)):
        value = _load(path, "interpret", ("displays",))
        for event in value["displays"]:
            missing = [key for key in _DISPLAY if key not in event]
            if missing:
                raise _bad(path, "interpret", f"an event has no {missing[0]}")
        found[training_of(path, ".displays.json")] = list(value["displays"])
    return found


def _load(path: Path, stage: str, keys: Iterable[str]) -> Mapping[str, object]:
    value = load_json(path, f"delete it and run the stage {stage} again")
    if not isinstance(value, Mapping):
        raise _bad(path, stage, "not an object")
    missing = [key for key in keys if key not in value]
    if missing:
        raise _bad(path, stage, f"no {missing[0]}")
    return value


def _bad(path: Path, stage: str, what: str) -> UserError:
    return UserError(
        f"{path}: not what the stage {stage} writes ({what}); delete it and run it again"
    )
