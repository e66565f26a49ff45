"""Systematic uncertainties: totals as bands on every estimator, and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure
from ptmiss.core.html.text import capital
from ptmiss.tasks.met.report.plots.quantities import AXES, QUANTITIES
from ptmiss.tasks.met.report.plots.shared import (
    Context,
    Words,
    groups,
    names_of,
    narrowest,
    series_of,
)
from ptmiss.tasks.met.report.style import TRAINED, cycle, looks
from ptmiss.tasks.met.report.tables import as_csv

TOTAL, SYSTEMATIC = "total", "systematic"
"""Sums in quadrature: of all sources and the statistics, and of all sources."""

_DRAWN = {
    True: (("response", "qt"), ("sigma_par", "qt"), ("sigma_perp", "qt")),
    False: (("response_met", "gen_met"), ("sigma_xy", "gen_met")),
}
"""Whether a sample has a boson -> what is drawn; all other numbers are in the table."""

_BY_SOURCE = {("sigma_par", "qt"), ("sigma_xy", "gen_met")}
"""Of these the sources are drawn too."""

_WORDS = {
    "jes": "jet scale",
    "jer": "jet resolution",
    "unclustered": "unclustered, all",
    "unclustered_charged": "soft charged",
    "unclustered_photon": "soft photons",
    "unclustered_neutral": "soft neutral",
    "unclustered_forward": "soft forward",
    "pileup": "pile-up",
    "lepton_scale": "lepton scale",
    SYSTEMATIC: "all sources",
}


def figures(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield, for each sample, quantity and axis, the totals and the sources of the network's."""
    for (training, sample), part in groups(frame, "training", "sample"):
        for quantity, axis in _DRAWN[sample in context.bosons]:
            mine = part[(part["quantity"] == quantity) & (part["axis"] == axis)]
            if mine["nominal"].notna().any():
                mine = narrowest(mine)
                key = (training, sample, quantity, axis)
                yield _totals(mine, key, context)
                if (quantity, axis) in _BY_SOURCE:
                    yield from _sources(mine, key, context)


def _totals(rows: pd.DataFrame, key: tuple[str, str, str, str], context: Context) -> Figure:
    about = QUANTITIES[key[2]]
    total = rows[rows["source"] == TOTAL]
    nominal = total["nominal"]
    bounds = total.assign(low=nominal + total["down"], high=nominal + total["up"])
    series = series_of(bounds, columns=("nominal", "low", "high"))
    unit = f" [{about.unit}]" if about.unit else ""
    names = list(looks(total["estimator"]))
    with_ratio = "puppi" in names and key[2].startswith("sigma") and len(names) > 1
    chart = Chart(
        series,
        AXES[key[3]].symbol,
        about.symbol + unit,
        _what(key[1], context),
        context.kinds[key[1]].origin,
        y_range=about.scale,
        guide=about.guide,
        ratio=names.index("puppi") if with_ratio else None,
        ratio_label="/ PUPPI",
    )
    caption = Words(
        f"{capital(about.words)} with total uncertainty",
        "Bands: statistical interval and all sources added in quadrature.",
    )
    return _figure(key, "total", chart, total, context, caption)


def _what(sample: str, context: Context) -> str:
    return context.kinds[sample].what(context.events.get(sample))


def _sources(
    rows: pd.DataFrame, key: tuple[str, str, str, str], context: Context
) -> Iterator[Figure]:
    about = QUANTITIES[key[2]]
    own = [name for name in looks(rows["estimator"]) if name.split(":")[0] in TRAINED]
    name = own[-1] if own else "puppi"
    part = rows[(rows["estimator"] == name) & (rows["nominal"] != 0)]
    largest = 100 * part[["up", "down"]].abs().max(axis=1) / part["nominal"].abs()
    sources = cycle(_sources_of(part), _WORDS)
    if not sources:
        return
    if SYSTEMATIC in sources:
        sources[SYSTEMATIC] = replace(sources[SYSTEMATIC], colour="#000000")
    sized = part.assign(value=largest, err_low=np.nan, err_high=np.nan)
    label = looks([name])[name].label
    chart = Chart(
        series_of(sized, "source", lambda _: sources),
        AXES[key[3]].symbol,
        f"uncertainty of {about.symbol} [%]",
        _what(key[1], context),
        context.kinds[key[1]].origin,
    )
    caption = Words(
        f"Sources of uncertainty, {about.words}, {label}",
        f"Larger of the two shifts of {label} relative to the nominal value, by source.",
    )
    yield _figure(key, "sources", chart, part, context, caption)


def _sources_of(rows: pd.DataFrame) -> list[str]:
    """Return the sources in the order of the table, their sum last."""
    sources = [name for name in dict.fromkeys(rows["source"]) if name not in (TOTAL, SYSTEMATIC)]
    return [*sources, *({SYSTEMATIC} & set(rows["source"]))]


def _figure(
    key: tuple[str, str, str, str],
    which: str,
    chart: Chart,
    rows: pd.DataFrame,
    context: Context,
    words: Words,
) -> Figure:
    training, sample, quantity, axis = key
    kind, along = context.kinds[sample], AXES[axis]
    against = along.words
    if along.side:
        sign = {"<": "<", ">=": "\u2265"}[along.side]
        against += f", q_T {sign} {context.qt_split:g} GeV"
    return Figure(
        section="uncertainties",
        group=training,
        parts=(training, sample, "uncertainty", which, quantity, axis),
        heading=f"{words.heading}, against {against}, {kind.label}",
        caption=f"{kind.label}. Training {training}. {words.text}",
        alt=f"{kind.label}, training {training}: {words.heading} against {against}, for "
        f"{names_of(chart.series)}. {kind.origin}.",
        chart=chart,
        table=as_csv(rows),
        sample=sample,
        training=training,
        quantity=(f"uncertainty_{which}", f"uncertainty, {which}"),
        axis=(axis, against),
    )
