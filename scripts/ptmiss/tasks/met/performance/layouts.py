"""The tables that the stage performance writes."""

from __future__ import annotations

from ptmiss.core.tables import BIN, VALUE, Layout, count, edge, number, word

_STAGE = "performance"
_EVENTS = count("n_events", "number of events in the bin")
_OF = (
    word("sample", "name of the sample"),
    word("variation", "`nominal`, or a source with `_up` or `_down`"),
    word("estimator", "name of the estimator; `truth` for the true pTmiss"),
)
_WHERE = (
    word("axis", "what bins are of; `all` has one bin"),
    *BIN,
    word("quantity", "what is measured"),
)

PERFORMANCE = Layout(
    _STAGE, "performance/{training}.csv", "a quantity in a bin", (*_OF, *_WHERE, *VALUE, _EVENTS)
)
SLICES = Layout(
    _STAGE,
    "performance/{training}.slices.csv",
    "a quantity in a bin of a slice",
    (word("slice", "name of one of `performance.slices`"), *PERFORMANCE.columns),
)
GAINS = Layout(
    _STAGE,
    "performance/{training}.gains.csv",
    "a gain over PF or PUPPI, or (over = limit) the share of the way from PUPPI to the oracle",
    (*_OF, word("over", "what the gain is over"), *_WHERE, *VALUE, _EVENTS),
)
COVERAGE = Layout(
    _STAGE,
    "performance/{training}.coverage.csv",
    "how far errors are as large as an estimator with uncertainties says, in a bin",
    PERFORMANCE.columns,
)
SPECTRA = Layout(
    _STAGE,
    "performance/{training}.spectra.csv",
    "a bin of a spectrum, density in 1/GeV",
    (*_OF, word("spectrum", "`met`, `mt` or `gen_met`"), *BIN, *VALUE, _EVENTS),
)
ROC = Layout(
    _STAGE,
    "performance/{training}.roc.csv",
    "a threshold on pTmiss",
    (
        word("signal", "name of the sample with true pTmiss"),
        word("background", "name of the sample without"),
        word("estimator", "name of the estimator"),
        edge("threshold", "least pTmiss of an event that passes", "GeV"),
        number("signal_efficiency", "share of signal events that pass"),
        number("signal_low", "lower bound of its 68 % interval"),
        number("signal_high", "upper bound of its 68 % interval"),
        number("background_efficiency", "share of background events that pass"),
        number("background_low", "lower bound of its 68 % interval"),
        number("background_high", "upper bound of its 68 % interval"),
    ),
)
