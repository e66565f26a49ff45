"""The headline numbers of each training: gains, resolutions and responses with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ptmiss.core.errors import UserError
from ptmiss.core.io.records import read_values
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met import records

LIMIT = "oracle"
"""The estimator that knows pile-up."""

BINS = "_bincorr"
"""Suffix of a resolution that is corrected by the response of the events' own bins."""

OF_PTMISS = ("sigma_xy", "sigma_met")
"""Resolutions corrected by the response to true pTmiss where a sample has that."""

_BOUNDS = ("value", "low", "high")

Headline = dict[str, Any]
"""What performance/{training}.headline.json says of one sample and variation."""


def read(paths: Iterable[PathLike]) -> dict[str, list[Headline]]:
    """Return training -> what is said of each of its samples, both sorted.

    Raises `UserError` for a file that is not such a file, or two of one training.
    """
    by_training: dict[str, list[Headline]] = {}
    for path in sorted(map(Path, paths)):
        value = read_values(records.Headline, path, "performance")
        training, samples = value["training"], value["samples"]
        if training in by_training:
            raise UserError(f"{path}: a second file of training {training!r}; give each once")
        by_training[training] = sorted(
            samples, key=lambda sample: (sample["sample"], sample["variation"])
        )
    return dict(sorted(by_training.items()))


def quantities(sample: Headline) -> dict[str, dict[str, Any]]:
    """Return resolution -> axis and bin it is quoted for, in the order of the file.

    They are named by the gains; a sample measured with a single estimator has none.
    """
    return {
        gain["quantity"]: {key: gain[key] for key in ("axis", "bin_low", "bin_high")}
        for gain in sample["gains"]
    }


def stands_in(sample: Headline, quantity: str) -> str:
    """Return the resolution to show for one: itself, or corrected in the events' own bins.

    Where the response plateau has too few events no estimator has the first, but some the second.
    """
    plain, other = (
        [
            values[name]["value"]
            for values in sample["estimators"].values()
            if values.get(name) is not None
        ]
        for name in (quantity, f"{quantity}{BINS}")
    )
    empty = all(value is None for value in plain)
    return f"{quantity}{BINS}" if empty and any(one is not None for one in other) else quantity


def on_plateau(sample: Headline, quantity: str) -> int:
    """Return the events on the response plateau of a resolution, of the estimator with most."""
    names = ("response_met", "response") if quantity in OF_PTMISS else ("response",)
    events = [
        next((values[name] for name in names if values.get(name) is not None), None)
        for values in sample["estimators"].values()
    ]
    return max((int(one.get("n_events", 0)) for one in events if one is not None), default=0)


def gain(sample: Headline, estimator: str, over: str, quantity: str) -> dict[str, Any] | None:
    """Return value, low and high of one gain (1 - ratio), None where it is not in the file."""
    for entry in (*sample["gains"], *sample.get("gains_bincorr", ())):
        if (entry["estimator"], entry["over"], entry["quantity"]) == (estimator, over, quantity):
            return {key: entry[key] for key in _BOUNDS}
    return None


def over(sample: Headline) -> list[str]:
    """Return over whom gains are quoted: PUPPI and PF, then others in the order of the file."""
    return list(dict.fromkeys(("puppi", "pf", *(entry["over"] for entry in sample["gains"]))))


def way_bounds(sample: Headline, estimator: str, quantity: str) -> dict[str, Any] | None:
    """Return value, low and high of the way to the limit as the stage performance measured it."""
    for entry in sample.get("limit", ()):
        if (entry["estimator"], entry["quantity"]) == (estimator, quantity):
            return {key: entry[key] for key in _BOUNDS}
    return None


def way_to_limit(sample: Headline, estimator: str, quantity: str) -> float | None:
    """Return the covered share of the way from PUPPI to the oracle, None where there is none."""
    measured = way_bounds(sample, estimator, quantity)
    if measured is not None:
        share: float | None = measured["value"]
        return share

    def value(name: str) -> float | None:
        bounds = sample["estimators"].get(name, {}).get(quantity)
        return None if bounds is None else bounds["value"]

    start, own, end = value("puppi"), value(estimator), value(LIMIT)
    if start is None or own is None or end is None or start <= end:
        return None
    return (start - own) / (start - end)


Key = tuple[str, str, str, str, str, str, float, float]
"""Training, sample, variation, estimator, quantity, axis, lower and upper bin edge."""


def index(frame: pd.DataFrame, names: Iterable[str]) -> dict[Key, float]:
    """Return the finite numbers of the tables, of the quantities `names`, by what they are."""
    rows = frame[frame["quantity"].isin(list(names)) & frame["value"].notna()]
    columns = ("training", "sample", "variation", "estimator", "quantity", "axis")
    parts = [rows[name].tolist() for name in (*columns, "bin_low", "bin_high", "value")]
    return {tuple(key): value for *key, value in zip(*parts, strict=True)}


def key_of(
    training: str, sample: Headline, estimator: str, quantity: str, where: dict[str, Any]
) -> Key:
    """Return the key in `index` of the number that a headline is quoted for."""
    low = -math.inf if where["bin_low"] is None else where["bin_low"]
    high = math.inf if where["bin_high"] is None else where["bin_high"]
    names = (training, sample["sample"], sample["variation"], estimator, quantity, where["axis"])
    return (*names, float(low), float(high))


def compare(numbers: dict[Key, float], headlines: dict[str, list[Headline]]) -> None:
    """Check that headlines and tables (as `index`) are of the same run: equal numbers in both.

    Raises `UserError` at the first difference beyond rounding.
    """
    for training, sample, estimator, quantity, where, own in _quoted(headlines):
        listed = numbers.get(key_of(training, sample, estimator, quantity, where))
        if own is None or listed is None:
            equal = own is listed
        else:
            equal = math.isclose(own, listed, rel_tol=1e-9)
        if not equal:
            raise UserError(
                f"training {training}, sample {sample['sample']}, {estimator}: {quantity} is {own} "
                f"among the headline numbers and {listed} in the table, so the two are of "
                "different runs; delete both and run the stage performance again"
            )


def _quoted(
    headlines: dict[str, list[Headline]],
) -> Iterator[tuple[str, Headline, str, str, dict[str, Any], Any]]:
    """Yield training, sample, estimator, quantity, bin and value of each resolution."""
    for training, samples in headlines.items():
        for sample in samples:
            for quantity, where in quantities(sample).items():
                for estimator, values in sample["estimators"].items():
                    if values.get(quantity) is not None:
                        value = values[quantity]["value"]
                        yield training, sample, estimator, quantity, where, value
            for form in sample.get("forms", ()):
                for estimator, bounds in form["estimators"].items():
                    yield training, sample, estimator, form["quantity"], form, bounds["value"]
