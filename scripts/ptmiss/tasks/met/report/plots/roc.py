"""How well a cut on pTmiss tells a signal from events without neutrinos."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.core.html.text import count
from ptmiss.tasks.met.report.plots.shared import Context, arrays, groups, names_of, of_training
from ptmiss.tasks.met.report.samples import common_origin
from ptmiss.tasks.met.report.style import looks
from ptmiss.tasks.met.report.tables import as_csv


def figures(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield one figure for each signal: efficiencies of a rising threshold, against the background
    that comes first on the page."""
    order = list(context.kinds)
    for (training, signal), every in groups(frame, "training", "signal"):
        background = min(set(every["background"]), key=order.index)
        rows = every[every["background"] == background]
        series = tuple(_series(rows))
        if not series:
            continue
        mine, other = context.kinds[signal], context.kinds[background]
        chart = Chart(
            series,
            "efficiency of the signal",
            "efficiency of the background",
            f"{mine.short(22)} / {other.short(20)}",
            common_origin([mine, other]),
            x_range=(0.0, 1.0),
            y_range=_range(series),
            y_log=True,
        )
        yield Figure(
            section=context.section(signal),
            group=signal,
            parts=(training, signal, background, "roc"),
            heading=f"Cut on pTmiss against {other.label}",
            caption=f"{mine.label}.{of_training(training)} Share of signal and of {other.label} "
            "events with pTmiss above a threshold, for all thresholds, with 68 % intervals of the "
            f"background's efficiency. Lower is better.{_events(context, signal, background)}",
            alt=f"{mine.label}: efficiency for {other.label} against the signal's, for "
            f"{names_of(series)}. {chart.origin}.",
            chart=chart,
            table=as_csv(rows),
            sample=signal,
            training=training,
            quantity=("roc", "signal against background"),
            axis=("efficiency", "efficiency of the signal"),
            group_text=mine.sentence,
        )


def _events(context: Context, *samples: str) -> str:
    known = [count(context.events[name]) for name in samples if name in context.events]
    return f" {' and '.join(known)} test events." if len(known) == len(samples) else ""


def _series(rows: pd.DataFrame) -> Iterator[Series]:
    parts = {str(name): part for name, part in rows.groupby("estimator")}
    for name, look in looks(parts).items():
        part = parts[name].dropna(subset=["signal_efficiency", "background_efficiency"])
        part = part[part["background_efficiency"] > 0.0].sort_values("threshold")
        if len(part):
            x, y, low, high = arrays(
                part,
                "signal_efficiency",
                "background_efficiency",
                "background_low",
                "background_high",
            )
            yield Series(look.label, look.colour, x, x, y, low, high, "", style="line")


def _range(series: tuple[Series, ...]) -> tuple[float, float]:
    low = min(float(one.value.min()) for one in series)
    return max(low, 1e-4) * 0.7, 1.0
