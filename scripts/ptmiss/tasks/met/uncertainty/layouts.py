"""The table that the stage uncertainty writes."""

from __future__ import annotations

from ptmiss.core.tables import BIN, Layout, number, word

_UNIT = "unit of the quantity"

UNCERTAINTIES = Layout(
    "uncertainty",
    "performance/{training}.uncertainties.csv",
    "a source; `systematic` adds all, `total` these and the statistics",
    (
        word("sample", "name of the sample"),
        word("estimator", "name of the estimator"),
        word("axis", "what bins are of; `all` has one bin"),
        *BIN,
        word("quantity", "what is measured"),
        number("nominal", "the number without variation", _UNIT),
        number("stat_low", "lower bound of its 68 % interval", _UNIT),
        number("stat_high", "upper bound of its 68 % interval", _UNIT),
        word("source", "source of the uncertainty"),
        number("up", "shift by the variation upwards", _UNIT),
        number("down", "shift by the variation downwards", _UNIT),
    ),
)
