"""The performance tables: read, checked, and cut into what one figure shows."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ptmiss.core.errors import UserError
from ptmiss.core.io import csv, text
from ptmiss.core.io.csv import EMPTY, Layout

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


LARGEST = 1e100
"""No figure shows more; axes that reach further overflow."""

_VALUE = ("value", "err_low", "err_high")
_BIN = ("bin_low", "bin_high")

PERFORMANCE = Layout(
    "performance", COLUMNS, ("sample", "variation", "estimator", "axis", "quantity"), suffix=".csv"
)
SLICES = Layout(
    "performance", ("slice", *COLUMNS), ("slice", *PERFORMANCE.words), suffix=".slices.csv"
)
GAINS = Layout(
    "performance",
    ("sample", "variation", "estimator", "over", "axis", *_BIN, "quantity", *_VALUE, "n_events"),
    ("sample", "variation", "estimator", "over", "axis", "quantity"),
    suffix=".gains.csv",
)
SPECTRA = Layout(
    "performance",
    ("sample", "variation", "estimator", "spectrum", *_BIN, *_VALUE, "n_events"),
    ("sample", "variation", "estimator", "spectrum"),
    suffix=".spectra.csv",
)
ROC = Layout(
    "performance",
    (
        "signal", "background", "estimator", "threshold",
        "signal_efficiency", "signal_low", "signal_high",
        "background_efficiency", "background_low", "background_high",
    ),
    ("signal", "background", "estimator"),
    ("threshold",),
    ".roc.csv",
)  # fmt: skip
UNCERTAINTIES = Layout(
    "performance",
    (
        "sample", "estimator", "axis", *_BIN, "quantity",
        "nominal", "stat_low", "stat_high", "source", "up", "down",
    ),
    ("sample", "estimator", "axis", "quantity", "source"),
    suffix=".uncertainties.csv",
)  # fmt: skip
WEIGHTS = Layout(
    "interpret",
    ("sample", "estimator", "group", "axis", *_BIN, *_VALUE, "n_candidates"),
    ("sample", "estimator", "group", "axis"),
    suffix=".weights.csv",
)
IMPORTANCE = Layout(
    "interpret",
    ("sample", "feature", "quantity", *_VALUE, "n_events"),
    ("sample", "feature", "quantity"),
    (),
    ".importance.csv",
)
CALIBRATION = Layout(
    "calibrate",
    ("table", "estimator", "dataset", "axis", *_BIN, "quantity", *_VALUE),
    ("table", "estimator", "dataset", "axis", "quantity"),
    once=False,
)


def read(paths: Iterable[str | os.PathLike[str]], layout: Layout = PERFORMANCE) -> pd.DataFrame:
    """Read tables of a kind into one frame with the further first column `training`.

    The training is what stands before the suffix in the file's name. An empty number becomes NaN
    and is drawn as an empty bin. Rows keep the order of the files (sorted by training) and within
    a file. Raises `UserError` for a file that cannot be read, misses a column, holds a word in
    place of a number, or names the same number twice.
    """
    frames = [_read_one(Path(path), layout) for path in paths]
    names = [frame.attrs["training"] for frame in frames]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"--results: two tables are named {name}{layout.suffix}; a training has one table"
            )
    frames.sort(key=lambda frame: frame.attrs["training"])
    for frame in frames:
        frame.insert(0, "training", frame.attrs.pop("training"))
    if not frames:
        return pd.DataFrame(columns=["training", *layout.columns])
    return pd.concat(frames, ignore_index=True)


def training_of(path: Path, suffix: str) -> str:
    """Return the training a file belongs to."""
    return path.name.removesuffix(suffix) if suffix else path.absolute().parent.name


def _read_one(path: Path, layout: Layout) -> pd.DataFrame:
    content = text.read(path, layout.stage)
    frame = _typed(content, layout)
    if frame is None:
        frame = _converted(path, layout)
    twice = frame.duplicated(layout.key)
    if layout.once and twice.any():
        row = int(np.flatnonzero(twice.to_numpy())[0])
        raise UserError(
            f"{path}: line {row + 2}: the second row of the same "
            f"{', '.join(name for name in layout.key if name not in _BIN)} and bin; "
            f"{text.again(layout.stage)}"
        )
    for name in set(layout.numbers) - set(layout.edges):
        # a number that no figure could show is no more drawable than a missing one
        frame[name] = frame[name].where(frame[name].abs() <= LARGEST)
    frame.attrs["training"] = training_of(path, layout.suffix)
    return frame


def _typed(content: str, layout: Layout) -> pd.DataFrame | None:
    """Return a table read in one go; None for one of which it has to be said what is wrong."""
    n_lines = content.count("\n")
    names = content.partition("\n")[0].split(",")
    alike = content.count(",") == n_lines * (len(names) - 1) and content.endswith("\n")
    if not alike or '"' in content or len(set(names)) < len(names):
        return None
    types = {name: np.float64 if name in layout.numbers else str for name in layout.columns}
    empty = dict.fromkeys(layout.numbers, EMPTY)
    try:
        frame = pd.read_csv(
            io.StringIO(content), dtype=types, usecols=list(layout.columns), na_values=empty,
            keep_default_na=False, index_col=False,
        )[list(layout.columns)]  # fmt: skip
    except (ValueError, OverflowError):
        return None
    if len(frame) != n_lines - 1 or frame[[*layout.words, *layout.edges]].isna().any(axis=None):
        return None
    if "bin_low" in frame and not (frame["bin_low"] <= frame["bin_high"]).all():
        return None
    return frame


def _converted(path: Path, layout: Layout) -> pd.DataFrame:
    """Return a table, every value looked at."""
    rows = [[row[name] for name in layout.columns] for _, row in csv.read(path, layout)]
    frame = pd.DataFrame(rows, columns=list(layout.columns), dtype=str)
    for name in layout.numbers:
        frame[name] = [float(value.strip() or "nan") for value in frame[name]]
    return frame.astype(dict.fromkeys(layout.numbers, np.float64))


def as_csv(frame: pd.DataFrame) -> str:
    """Return rows as CSV text, numbers in their shortest exact form, without the training where
    all rows are of the same."""
    if "training" in frame and frame["training"].nunique() <= 1:
        frame = frame.drop(columns="training")
    return frame.to_csv(index=False, lineterminator="\n")


TOGETHER = "all"
"""What stands for the training in a frame that holds several."""

MOST_TOGETHER = 4
"""More trainings than this are not drawn into one figure."""


def together(frame: pd.DataFrame, layout: Layout = PERFORMANCE) -> pd.DataFrame:
    """Return the tables of several trainings as one, so that a figure compares them.

    Estimators whose numbers agree in all tables (those that nothing trains) are kept once; of the
    others each training's becomes an estimator `{estimator}:{training}` of its own. A single
    training, or more than `MOST_TOGETHER`, are returned as they are.
    """
    if not 1 < frame["training"].nunique() <= MOST_TOGETHER:
        return frame
    once = frame.drop_duplicates(list(layout.columns))
    trained = frame["estimator"].isin(set(once.loc[once.duplicated(layout.key), "estimator"]))
    own = frame[trained].copy()
    own["estimator"] = own["estimator"].str.cat(own["training"], sep=":")
    joined = pd.concat([once[~trained.loc[once.index]], own], ignore_index=True)
    joined["training"] = TOGETHER
    return joined
