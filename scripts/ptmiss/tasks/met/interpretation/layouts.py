"""The tables that the stage interpret writes."""

from __future__ import annotations

from ptmiss.core.tables import BIN, VALUE, Layout, count, word

WEIGHTS = Layout(
    "interpret",
    "interpretation/{training}.weights.csv",
    "a mean weight",
    (
        word("sample", "name of the sample"),
        word("estimator", "name of the estimator"),
        word("group", "kind of candidates; `all` has every candidate"),
        word("axis", "what bins are of; `all` has one bin"),
        *BIN,
        *VALUE,
        count("n_candidates", "number of candidates in the bin"),
    ),
)
IMPORTANCE = Layout(
    "interpret",
    "interpretation/{training}.importance.csv",
    "what a permuted feature costs: growth of a resolution",
    (
        word("sample", "name of the sample"),
        word("feature", "what is permuted among the candidates of an event"),
        word("quantity", "resolution that grows"),
        *VALUE,
        count("n_events", "number of events"),
    ),
)
