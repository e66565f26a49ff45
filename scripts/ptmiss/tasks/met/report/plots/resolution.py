"""Response and resolution in bins, from the performance tables."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, covered, empty_bins
from ptmiss.core.html.text import capital, plain_mathtext
from ptmiss.tasks.met.report.plots.quantities import AXES, FORMS, QUANTITIES
from ptmiss.tasks.met.report.plots.shared import (
    Context,
    drawn_variations,
    groups,
    most_events,
    names_of,
    narrowest,
    numbers,
    of_training,
    series_of,
)
from ptmiss.tasks.met.report.style import looks
from ptmiss.tasks.met.report.tables import as_csv

REFERENCE = "puppi"
"""The estimator that the lower panels divide by."""

MOST_BINS = 400
"""More bins than this cannot be told apart in a figure of a page."""

_PANELS = ("n_pv", "n_pv_low_qt", "n_pv_high_qt")
_DRAWN = (
    ("response", "qt"),
    ("sigma_par", "qt"),
    ("sigma_perp", "qt"),
    *((quantity, axis) for axis in _PANELS for quantity in ("sigma_par", "sigma_perp")),
    ("response", "gen_met"),
    ("response_met", "gen_met"),
    ("sigma_met_median", "gen_ht"),
    ("sigma_met", "gen_ht"),
    ("sigma_xy", "gen_ht"),
    ("sigma_xy", "gen_met"),
    ("sigma_phi", "gen_met"),
    ("tail_3sigma", "gen_met"),
    ("sigma_xy", "n_pv"),
    ("bias_x", "n_pv"),
    ("bias_y", "n_pv"),
)
"""Quantity and axis of every figure, in the order of the page."""

_ALSO_RMS = {
    ("sigma_par", "qt"),
    ("sigma_perp", "qt"),
    ("sigma_met_median", "gen_ht"),
    ("sigma_met", "gen_ht"),
}
"""Figures that are drawn in the second form too; all numbers of it are in the tables."""


_MAIN = {("response", "qt"), ("sigma_par", "qt"), ("sigma_perp", "qt"), ("sigma_xy", "gen_met")}
"""What is drawn of a subset of events; all numbers are in its table."""

_BRIEF = (_MAIN - {("sigma_xy", "gen_met")}) | {("bias_x", "n_pv"), ("bias_y", "n_pv")}
"""What is drawn of a sample that stands in for data."""


def figures(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield the figures of performance tables, by training, sample and variation.

    A combination without a finite number in any bin gives no figure; so do quantities that mean
    little in their sample (see `_skipped`).
    """
    for key, mine in _parts(frame):
        for quantity, axis, form, rows in chosen(mine):
            if key[1] in context.brief and (form == "rms" or (quantity, axis) not in _BRIEF):
                continue
            yield _figure(key, (quantity, axis), form, rows, context)


def slices(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield figures of the subsets of events that the configuration asks for, the main ones."""
    wanted = set(context.bosons - context.brief) or set(frame["sample"].unique())
    frame = frame[frame["sample"].isin(wanted)]
    for name, part in frame.groupby("slice", sort=False):
        for key, mine in _parts(part.drop(columns="slice")):
            for quantity, axis, form, rows in chosen(mine):
                if form == "rms" or (quantity, axis) not in _MAIN:
                    continue
                yield _figure(key, (quantity, axis), form, rows, context, str(name))


_Key = tuple[str, str, str]
_Mine = dict[tuple[str, str], pd.DataFrame]


def _parts(frame: pd.DataFrame) -> Iterator[tuple[_Key, _Mine]]:
    wanted = frame[frame["variation"].isin(drawn_variations(frame)) & (frame["axis"] != "all")]
    for (training, sample, variation), part in groups(wanted, "training", "sample", "variation"):
        measured = {
            (quantity, axis): rows
            for (quantity, axis), rows in groups(part, "quantity", "axis")
            if rows["value"].notna().any()
        }
        yield (training, sample, variation), measured


def chosen(mine: _Mine) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Yield quantity, axis, form and rows of the figures of a sample: 16-84 % before RMS."""
    skipped = _skipped(mine)
    for form, suffix in (("width", ""), ("rms", "_rms")):
        for quantity, axis in _DRAWN:
            is_width = (quantity + "_rms", axis) in mine or quantity.startswith("sigma")
            rows = mine.get((quantity + suffix, axis))
            if rows is None or (quantity, axis) in skipped:
                continue
            if form == "rms" and (quantity, axis) not in _ALSO_RMS:
                continue
            rows = narrowest(rows)
            if rows[["bin_low", "bin_high"]].drop_duplicates().shape[0] <= MOST_BINS:
                yield quantity, axis, form if is_width else "plain", rows


def _figure(
    key: _Key,
    measured: tuple[str, str],
    form: str,
    rows: pd.DataFrame,
    context: Context,
    condition: str = "",
) -> Figure:
    (training, sample, _), (quantity, axis) = key, measured
    kind = context.kinds[sample]
    about, along = QUANTITIES[quantity], AXES[axis]
    series = series_of(rows)
    names = list(looks(rows["estimator"]))
    reference = names.index(REFERENCE) if REFERENCE in names else None
    ratio = None
    if quantity.startswith("sigma") and len(series) > 1 and reference is not None:
        ratio = reference if (series[reference].value > 0.0).any() else None
    sign = {"<": "<", ">=": "\u2265", "": ""}[along.side]
    subset = f"q_T {sign} {context.qt_split:g} GeV" if sign else ""
    unit = f" [{about.unit}]" if about.unit else ""
    suffix = {"rms": ", RMS", "width": ", 16\u201384 %"}.get(form, "")
    n_events = most_events(rows)
    chart = Chart(
        series,
        along.symbol,
        about.symbol + suffix + unit,
        kind.what(n_events),
        kind.origin,
        title=" ".join(filter(None, (plain_mathtext(condition), subset.replace("q_T", "$q_T$")))),
        y_range=about.scale,
        x_range=covered(series),
        guide=about.guide,
        ratio=ratio,
        ratio_label="/ PUPPI",
    )
    definition = about.definition
    if quantity == "response" and axis != "qt":
        # without a boson, the response is the one to the true pTmiss
        definition = QUANTITIES["response_met"].definition
    against = along.words + (f", {subset}" if subset else "")
    in_form = f", {FORMS[form]}" if FORMS[form] else ""
    in_slice = f" Events with {condition}." if condition else ""
    bare = f"{about.words}{f' ({FORMS[form]})' if FORMS[form] else ''} against {against}"
    return Figure(
        section="slices" if condition else context.section(sample),
        group=condition or sample,
        parts=tuple(
            filter(None, (*key, quantity, axis, "rms" if form == "rms" else "", condition))
        ),
        heading=f"{capital(about.words)} against {against}{in_form}",
        caption=f"{kind.label}.{of_training(training)}{in_slice} {definition}"
        + numbers(n_events, chart, along.unit),
        alt=f"{kind.label}: {bare}, for {names_of(series)}. {kind.origin}.",
        chart=chart,
        table=as_csv(rows),
        sample=sample,
        training=training,
        quantity=(quantity, about.words),
        axis=(axis, against),
        form=form,
        further=form == "rms",
        empty_bins=() if form == "rms" else empty_bins(series),
        group_text="" if condition else kind.sentence,
    )


def _skipped(mine: _Mine) -> set[tuple[str, str]]:
    """Return which figures of a sample would say nothing of their own.

    Without neutrinos (true pTmiss in at most one bin) a dilepton sample has no resolution of true
    pTmiss besides that of its recoil; the shifts are those of the detector, shown where there is a
    boson; the response in bins of true pTmiss is the one to it where both exist; where the scaled
    magnitude is measured, the other resolutions in the same bins say the same.
    """
    has_boson = any(axis == "qt" for _, axis in mine)
    true_bins = mine.get(("sigma_xy", "gen_met"))
    n_true = 0
    if true_bins is not None:
        n_true = len(true_bins[true_bins["value"].notna()][["bin_low"]].drop_duplicates())
    skipped = set()
    if has_boson and n_true < 2:
        truth = ("sigma_xy", "sigma_met", "sigma_met_median", "sigma_phi", "tail_3sigma")
        skipped |= {pair for pair in _DRAWN if pair[0] in truth}
        skipped |= {("response", "gen_met"), ("response_met", "gen_met")}
    elif has_boson:
        skipped |= {pair for pair in _DRAWN if pair[1] == "gen_ht"} | {("sigma_xy", "n_pv")}
    if not has_boson:
        skipped |= {("bias_x", "n_pv"), ("bias_y", "n_pv")}
    if ("response_met", "gen_met") in mine:
        skipped.add(("response", "gen_met"))
    if ("sigma_met_median", "gen_ht") in mine:
        skipped |= {("sigma_met", "gen_ht"), ("sigma_xy", "gen_ht")}
    return skipped
