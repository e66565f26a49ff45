"""The performance tables: read, checked, and cut into what one figure shows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ptmiss.errors import UserError
from ptmiss.io import manifest

COLUMNS = (
    "sample",
    "variation",
    "estimator",
    "axis",
    "bin_low",
    "bin_high",
    "quantity",
    "value",
    "err_low",
    "err_high",
    "n_events",
)
"""Columns of performance/{training}.csv: tidy, one number a row."""

_TEXT = ("sample", "variation", "estimator", "axis", "quantity")
_NUMBERS = tuple(name for name in COLUMNS if name not in _TEXT)
_REMEDY = "delete it and run the workflow again"


def read(paths: Iterable[str | os.PathLike[str]]) -> pd.DataFrame:
    """Read performance tables into one frame with the further first column `training`.

    The training is the file's stem. An empty number becomes NaN and is drawn as an empty bin.
    Rows keep the order of the files (sorted by training) and within a file. Raises `UserError`
    for a file that cannot be read, misses a column, holds a word in place of a number, or names
    the same number twice.
    """
    frames = [_read_one(Path(path)) for path in paths]
    names = [frame.attrs["training"] for frame in frames]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--tables: two files are named {name}.csv; a training has one table")
    frames.sort(key=lambda frame: frame.attrs["training"])
    for frame in frames:
        frame.insert(0, "training", frame.attrs.pop("training"))
    if not frames:
        return pd.DataFrame(columns=["training", *COLUMNS])
    return pd.concat(frames, ignore_index=True)


def _read_one(path: Path) -> pd.DataFrame:
    manifest.check(path)
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage performance") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path}: not a readable table ({error}); {_REMEDY}") from None
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise UserError(
            f"{path}: found the columns {', '.join(map(str, frame.columns[:12]))}; missing "
            f"{', '.join(missing)}; {_REMEDY}"
        )
    frame = frame[list(COLUMNS)].copy()
    for name in _NUMBERS:
        values = pd.to_numeric(frame[name].replace("", "nan"), errors="coerce")
        words = values.isna() & ~frame[name].str.strip().str.lower().isin(["", "nan"])
        if words.any():
            row = int(np.flatnonzero(words)[0])
            raise UserError(
                f"{path}: line {row + 2}, column {name}: found {frame[name].iloc[row][:40]!r}, "
                f"expected a number; {_REMEDY}"
            )
        # an infinite value is no more drawable than a missing one; bin edges may be infinite
        drawable = values if name.startswith("bin") else values.where(np.isfinite(values))
        frame[name] = drawable.astype(np.float64)
    twice = frame.duplicated([*_TEXT, "bin_low", "bin_high"])
    if twice.any():
        row = int(np.flatnonzero(twice.to_numpy())[0])
        raise UserError(
            f"{path}: line {row + 2}: the second row of the same sample, variation, estimator, "
            f"axis, bin and quantity; {_REMEDY}"
        )
    frame.attrs["training"] = path.stem
    return frame


def as_csv(frame: pd.DataFrame) -> str:
    """Return rows as CSV text with the contract's columns, numbers in their shortest exact form."""
    return frame[list(COLUMNS)].to_csv(index=False, lineterminator="\n")


TOGETHER = "all"
"""What stands for the training in a frame that holds several."""

MOST_TOGETHER = 4
"""More trainings than this are not drawn into one figure."""


def together(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the tables of several trainings as one, so that a figure compares them.

    Estimators whose numbers agree in all tables (those that nothing trains) are kept once; of the
    others each training's becomes an estimator `{estimator}:{training}` of its own. A single
    training, or more than `MOST_TOGETHER`, are returned as they are.
    """
    if not 1 < frame["training"].nunique() <= MOST_TOGETHER:
        return frame
    key = [name for name in COLUMNS if name not in ("value", "err_low", "err_high", "n_events")]
    once = frame.drop_duplicates(list(COLUMNS))
    trained = frame["estimator"].isin(set(once.loc[once.duplicated(key), "estimator"]))
    own = frame[trained].copy()
    own["estimator"] = own["estimator"].str.cat(own["training"], sep=":")
    joined = pd.concat([once[~trained.loc[once.index]], own], ignore_index=True)
    joined["training"] = TOGETHER
    return joined
