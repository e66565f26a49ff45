"""The history of a training, one row an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ptmiss.core.io import csv
from ptmiss.core.tables import Column, Layout, count, number

_COLUMNS: tuple[Column, ...] = (
    count("epoch", "number of the epoch, from 1"),
    number("learning_rate", "learning rate at the end of the epoch"),
    number("error", "mean error of the training events"),
    number("val_loss", "whole loss of the validation events"),
    number("val_error", "mean error of the validation events"),
)

HISTORY = Layout("train", "models/{training}/history.csv", "an epoch", _COLUMNS, more="val_{term}")
"""Further columns: what the loss of the head says of the validation events, term by term."""


def text(rows: Iterable[Sequence[float]], more: Sequence[str]) -> str:
    """Return a history as CSV; nine digits, which is what float32 holds. more: further columns."""
    written = ((str(int(row[0])), *(f"{value:.9g}" for value in row[1:])) for row in rows)
    return HISTORY.header(more) + csv.lines(written)
