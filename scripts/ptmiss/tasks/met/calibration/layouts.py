"""The table that the stage calibrate writes."""

from __future__ import annotations

from typing import NamedTuple

from ptmiss.core.tables import BIN, VALUE, Layout, number, word

CALIBRATION = Layout(
    "calibrate",
    "calibration/{training}/tables.csv",
    "a number of a calibration figure",
    (
        word("table", "`xy`, `response`, `plateau`, `map`, `before` or `after`"),
        word("estimator", "name of the estimator"),
        word("dataset", "`data` or `simulation` with what was done to it, or a bin of q_t"),
        word("axis", "what bins are of"),
        *BIN,
        word("quantity", "what is measured"),
        *VALUE,
        number(
            "n_events",
            "effective events (sum w)^2 / sum w^2 of the bin, less background; of a map those of"
            " the side that has fewer; empty for a curve through several bins",
        ),
    ),
    once=False,
)


class Number(NamedTuple):
    """A row of the table."""

    table: str
    estimator: str
    dataset: str
    axis: str
    bin_low: float
    bin_high: float
    quantity: str
    value: float
    err_low: float
    err_high: float
    n_events: float
