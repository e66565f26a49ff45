"""Distributions of pTmiss and of the transverse mass, true and fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ptmiss.report.chart import Chart, Figure, Series
from ptmiss.report.plots.shared import (
    Context,
    drawn_variations,
    most_events,
    names_of,
    numbers,
    series_of,
    whose,
)
from ptmiss.report.tables import as_csv

TRUTH = "truth"
"""What stands for the estimator in rows of the true distribution."""

_SPECTRA = {
    "met": (r"$p_T^{miss}$", "pTmiss"),
    "mt": (r"$m_T$", "transverse mass"),
}
_DECADES = 30.0
"""With this ratio between the largest and the smallest bin the axis is logarithmic."""


def figures(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield one figure for each sample and spectrum; the true one is a dashed line in it."""
    wanted = frame[frame["variation"].isin(drawn_variations(frame))]
    for (training, sample, variation), part in wanted.groupby(
        ["training", "sample", "variation"], sort=False
    ):
        kind = context.kinds[sample]
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
            y_log = bool(len(value)) and value.max() > _DECADES * value.min()
            n_events = most_events(rows)
            chart = Chart(
                series,
                f"{symbol} [GeV]",
                "share of events per GeV",
                kind.what(n_events),
                kind.origin,
                y_log=y_log,
            )
            has_none = not len(true) and spectrum == "met" and sample in context.bosons
            fake = " There is no true pTmiss here: all of it is fake." if has_none else ""
            yield Figure(
                section=context.section(sample),
                group=sample,
                parts=(training, sample, variation, "spectrum", spectrum),
                heading=f"Distribution of {words}",
                caption=f"{kind.label}.{whose(training)} Normalised to one in the drawn range."
                f"{fake}" + numbers(n_events, chart, "GeV"),
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


def _true(rows: pd.DataFrame) -> tuple[Series, ...]:
    if not rows["value"].notna().any():
        return ()
    columns = ("bin_low", "bin_high", "value", "err_low", "err_high")
    rows = rows.drop_duplicates("bin_low").sort_values("bin_low")
    found = (rows[name].to_numpy(np.float64) for name in columns)
    return (Series("true", "0.35", *found, style="steps", dashed=True),)
