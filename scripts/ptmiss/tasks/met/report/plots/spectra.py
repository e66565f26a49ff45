"""Distributions of pTmiss and of the transverse mass, true and fake."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.tasks.met.report.plots.shared import (
    Context,
    arrays,
    drawn_variations,
    groups,
    most_events,
    names_of,
    numbers,
    of_training,
    series_of,
)
from ptmiss.tasks.met.report.style import looks
from ptmiss.tasks.met.report.tables import as_csv

TRUTH = "truth"
"""What stands for the estimator in rows of the true distribution."""

_SPECTRA = {"met": (r"$p_T^{miss}$", "pTmiss"), "mt": (r"$m_T$", "transverse mass")}
_SMALLEST = 1e-4
"""Bins below this share of the highest are left to the table."""

_DECADES = 30.0
"""With this ratio between the largest and the smallest bin the axis is logarithmic."""


def figures(
    frame: pd.DataFrame, context: Context, signals: Container[str], edges: pd.DataFrame
) -> Iterator[Figure]:
    """Yield one figure for each sample and spectrum; the true one is a dashed line in it.

    signals: samples whose pTmiss is shown as a cut against background instead. edges: performance
    tables, for the widths and edges of transverse masses.
    """
    wanted = frame[frame["variation"].isin(drawn_variations(frame))]
    hidden = {s for s in wanted["sample"].unique() if s in signals and s not in context.bosons}
    wanted = wanted[~wanted["sample"].isin(hidden | context.brief)]
    for (training, sample, variation), part in groups(wanted, "training", "sample", "variation"):
        kind, key = context.kinds[sample], (training, sample, variation)
        for spectrum, (symbol, words) in _SPECTRA.items():
            true = part[part["spectrum"] == f"gen_{spectrum}"]
            rows = part[part["spectrum"] == spectrum]
            true = pd.concat([true, rows[rows["estimator"] == TRUTH]])
            rows = rows[rows["estimator"] != TRUTH]
            if not rows["value"].notna().any():
                continue
            series = tuple(replace(one, style="steps") for one in series_of(rows)) + _true(true)
            value = rows["value"].to_numpy(np.float64)
            value = value[value > 0]
            # the edge of the transverse mass is seen on a linear axis
            y_log = spectrum == "met" and value.max(initial=0) > _DECADES * value.min(initial=1)
            n_events = most_events(rows)
            chart = Chart(
                series,
                f"{symbol} [GeV]",
                "share of events per GeV",
                kind.what(n_events),
                kind.origin,
                y_log=y_log,
                x_range=_reach(rows),
            )
            has_none = not len(true) and spectrum == "met" and sample in context.bosons
            fake = " There is no true pTmiss here: all of it is fake." if has_none else ""
            yield Figure(
                section=context.section(sample),
                group=sample,
                parts=(training, sample, variation, "spectrum", spectrum),
                heading=f"Distribution of {words}",
                caption=f"{kind.label}.{of_training(training)} Normalised to one in the drawn "
                f"range.{fake}{_edge(edges, key) if spectrum == 'mt' else ''}"
                + numbers(n_events, chart, "GeV"),
                alt=f"{kind.label}: distribution of {words}, for {names_of(series)}. "
                f"{kind.origin}.",
                chart=chart,
                table=as_csv(pd.concat([rows, true])),
                sample=sample,
                training=training,
                quantity=("spectrum", "distributions"),
                axis=(f"spectrum_{spectrum}", words),
                group_text=kind.sentence,
            )


def _reach(rows: pd.DataFrame) -> tuple[float, float] | None:
    """Return the range up to the last bin that a figure can show; all of it where none is."""
    seen = rows[rows["value"] > rows["value"].max() * _SMALLEST]
    if not len(seen):
        return None
    return float(rows["bin_low"].min()), float(seen["bin_high"].max())


def _edge(frame: pd.DataFrame, key: tuple[str, str, str]) -> str:
    """Return the sentence on the right edge of the transverse mass, for every estimator."""
    mine = frame[(frame["axis"] == "all") & frame["value"].notna()]
    for column, name in zip(("training", "sample", "variation"), key, strict=True):
        mine = mine[mine[column] == name]
    texts = []
    for name, look in looks(mine["estimator"]).items():
        own = mine[mine["estimator"] == name].set_index("quantity")["value"]
        if {"mt_width", "mt_edge"} <= set(own.index):
            texts.append(f"{look.label} {own['mt_edge']:.0f} ({own['mt_width']:.0f})")
    if not texts:
        return ""
    return f" Right half maximum, and its distance from the peak, in GeV: {', '.join(texts)}."


def _true(rows: pd.DataFrame) -> tuple[Series, ...]:
    if not rows["value"].notna().any():
        return ()
    rows = rows.drop_duplicates("bin_low").sort_values("bin_low")
    left, right, value, low, high = arrays(
        rows, "bin_low", "bin_high", "value", "err_low", "err_high"
    )
    return (Series("true", "0.35", left, right, value, low, high, style="steps", dashed=True),)
