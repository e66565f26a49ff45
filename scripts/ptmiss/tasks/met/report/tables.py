"""The performance tables: read, checked, and cut into what one figure shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.tables import Layout
from ptmiss.tasks.met.calibration.layouts import CALIBRATION
from ptmiss.tasks.met.interpretation.layouts import IMPORTANCE, WEIGHTS
from ptmiss.tasks.met.performance.layouts import (
    COVERAGE,
    GAINS,
    PERFORMANCE,
    ROC,
    SLICES,
    SPECTRA,
)
from ptmiss.tasks.met.uncertainty.layouts import UNCERTAINTIES

LARGEST = 1e100
"""No figure shows more; axes that reach further overflow."""

KINDS = {
    "tables": PERFORMANCE,
    "gains": GAINS,
    "spectra": SPECTRA,
    "roc": ROC,
    "slices": SLICES,
    "coverage": COVERAGE,
    "weights": WEIGHTS,
    "importance": IMPORTANCE,
    "uncertainties": UNCERTAINTIES,
    "calibration": CALIBRATION,
}
"""The tables that the page reads, by the flag that names their files."""


def read(paths: Iterable[PathLike], layout: Layout = PERFORMANCE) -> pd.DataFrame:
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
        return pd.DataFrame(columns=["training", *layout.names])
    return pd.concat(frames, ignore_index=True)


def _read_one(path: Path, layout: Layout) -> pd.DataFrame:
    frame: pd.DataFrame = layout.table(path).to_pandas()
    for name in layout.numbers:
        if name not in layout.key:
            # a number that no figure could show is no more drawable than a missing one
            frame[name] = frame[name].where(frame[name].abs() <= LARGEST)
    frame.attrs["training"] = layout.training_of(path)
    return frame


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
    once = frame.drop_duplicates(list(layout.names))
    trained = frame["estimator"].isin(set(once.loc[once.duplicated(layout.key), "estimator"]))
    own = frame[trained].copy()
    own["estimator"] = own["estimator"].str.cat(own["training"], sep=":")
    joined = pd.concat([once[~trained.loc[once.index]], own], ignore_index=True)
    joined["training"] = TOGETHER
    return joined
