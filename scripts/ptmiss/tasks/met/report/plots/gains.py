"""What a network gains over PUPPI and PF, and how far it has come on the way to the limit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.core.html.text import capital
from ptmiss.core.io.records import Values
from ptmiss.tasks.met.report.forms import leading
from ptmiss.tasks.met.report.plots.quantities import AXES, QUANTITIES
from ptmiss.tasks.met.report.plots.shared import (
    Context,
    Words,
    drawn_variations,
    groups,
    most_events,
    names_of,
    narrowest,
    numbers,
    of_training,
    series_of,
)
from ptmiss.tasks.met.report.samples import common_origin
from ptmiss.tasks.met.report.style import TRAINED, Look, looks, training_looks
from ptmiss.tasks.met.report.summary import further_looks
from ptmiss.tasks.met.report.tables import as_csv

LIMIT = "limit"
"""What stands for the compared estimator in rows with the share of the way to the oracle."""

ALL = "all-final-states"
"""The group of figures that hold all samples."""

_SHORT = {
    "sigma_par": r"$\sigma(u_{\parallel})$",
    "sigma_perp": r"$\sigma(u_{\perp})$",
    "sigma_xy": "",
}
_WORDS = {"puppi": "PUPPI", "pf": "PF"}


def overview(summary: Values, context: Context) -> Iterator[Figure]:
    """Yield the figures of all samples: gains over PUPPI, PF and others with 95 % intervals, and
    the covered share of the way from PUPPI to the oracle."""
    further = {name: look.label for name, look in further_looks(summary).items()}
    for over, words in {**_WORDS, **further}.items():
        heading = f"Gain over {words} in every final state"
        text = (
            f"One minus the ratio of resolutions to that of {words}, with the 95 % interval of the "
            "paired bootstrap. Resolution: of a component of pTmiss where there is a true one, "
            "else along and across the boson; corrected by the response of each event's own bin."
        )
        yield from _forest(
            summary, context, ("gain", over), Words(heading, text), f"gain over {words} [%]", "gain"
        )
    yield from _forest(
        summary,
        context,
        ("way", "oracle"),
        Words(
            "Share of the way from PUPPI to the oracle",
            "How much of the distance between the resolutions of PUPPI and of the oracle is "
            "covered. 100 %: as good as if pile-up were known. The intervals are at 95 %.",
        ),
        "covered share of the way from PUPPI to the oracle [%]",
        "way_to_oracle",
    )


def _forest(
    summary: Values,
    context: Context,
    what: tuple[str, str],
    words: Words,
    title: str,
    quantity: str,
) -> Iterator[Figure]:
    trainings = summary["trainings"]
    rows: list[tuple[str, str]] = []
    points: dict[str, dict[tuple[str, str], tuple[float, float, float]]] = {}
    records = []
    for training, samples in trainings.items():
        for sample in samples:
            estimator = next((name for name in TRAINED if name in sample["estimators"]), None)
            if estimator is None or sample["variation"] != "nominal":
                continue
            for formed in leading(sample):
                name, values = formed.quantity, formed.estimators.get(estimator)
                bounds = None if values is None else _bounds(values, what)
                if name in _SHORT and bounds is not None:
                    key = (sample["sample"], name)
                    rows.append(key)
                    points.setdefault(training, {})[key] = bounds
                    records.append((training, *key, *what, *(b / 100 for b in bounds)))
    if not rows:
        return
    order = list(context.kinds)
    keys = sorted(set(rows), key=lambda key: (order.index(key[0]), list(_SHORT).index(key[1])))
    series = tuple(
        _row_series(look, [points[name].get(key, (np.nan,) * 3) for key in keys])
        for name, look in training_looks(points).items()
    )
    labels = tuple(f"{context.kinds[s].short(24)} {_SHORT[q]}".strip() for s, q in keys)
    origin = common_origin(context.kinds[sample] for sample, _ in keys)
    chart = Chart(
        series,
        title,
        "",
        "95 % intervals",
        origin,
        "trained on",
        rows=labels,
        guide=0.0,
        y_range=(-60.0, 120.0),
    )
    columns = ("training", "sample", "quantity", "number", "over", "value", "low", "high")
    yield Figure(
        section="final-states",
        group=ALL,
        parts=("all", *what),
        heading=words.heading,
        caption=words.text,
        alt=f"{words.heading}, for {names_of(series)}. {origin}.",
        chart=chart,
        table=pd.DataFrame(records, columns=columns).to_csv(index=False, lineterminator="\n"),
        training="all",
        quantity=(quantity, "gains"),
        axis=("sample", "final state"),
    )


def _bounds(values: Values, what: tuple[str, str]) -> tuple[float, float, float] | None:
    """Return a number and its bounds in percent."""
    if what[0] == "way":
        return _way(values)
    gain = values["gain_over"].get(what[1])
    if gain is None or gain["value"] is None:
        return None
    return _percent(gain)


def _way(values: Values) -> tuple[float, float, float] | None:
    if values["way_to_oracle"] is None:
        return None
    bounds = values["way_to_oracle_bounds"] or {"value": values["way_to_oracle"]}
    return _percent(bounds)


def _percent(bounds: Values) -> tuple[float, float, float]:
    value, low, high = (
        math.nan if bounds.get(key) is None else 100.0 * bounds[key]
        for key in ("value", "low", "high")
    )
    return value, low, high


def _row_series(look: Look, values: Sequence[tuple[float, float, float]]) -> Series:
    places = np.arange(len(values), dtype=np.float64)
    value, low, high = np.array(values, dtype=np.float64).T
    return Series(
        look.label, look.colour, places, places, value, low, high, look.marker, look.filled
    )


def binned(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield gains over PUPPI in bins of q_T and of vertices, and the way to the oracle, in the
    first sample with a boson: paired intervals, narrower than those of two resolutions."""
    wanted = frame[frame["variation"].isin(drawn_variations(frame))]
    first = next((name for name in context.kinds if name in context.bosons - context.brief), None)
    for over, words in (("puppi", "gain over PUPPI"), (LIMIT, "share of the way to the oracle")):
        part = wanted[(wanted["over"] == over) & (wanted["sample"] == first)]
        for (training, sample, variation), mine in groups(part, "training", "sample", "variation"):
            for quantity, axis in (
                ("sigma_par", "qt"),
                ("sigma_perp", "qt"),
                ("sigma_par", "n_pv"),
                ("sigma_perp", "n_pv"),
            ):
                if over == LIMIT and axis != "qt":
                    continue
                rows = mine[(mine["quantity"] == quantity) & (mine["axis"] == axis)]
                rows = rows[rows["estimator"].str.split(":").str[0].isin(TRAINED)]
                if rows["value"].notna().any():
                    key = (training, sample, variation)
                    yield _binned(rows, key, (quantity, axis), over, words, context)


def _binned(
    rows: pd.DataFrame,
    key: tuple[str, str, str],
    measured: tuple[str, str],
    over: str,
    words: str,
    context: Context,
) -> Figure:
    (training, sample, _), (quantity, axis) = key, measured
    kind, about, along = context.kinds[sample], QUANTITIES[quantity], AXES[axis]
    rows = narrowest(rows)
    percent = rows.assign(**{name: 100 * rows[name] for name in ("value", "err_low", "err_high")})
    series = series_of(percent, look_of=looks)
    n_events = most_events(rows)
    chart = Chart(
        series,
        along.symbol,
        f"{words}, {about.symbol} [%]",
        kind.what(n_events),
        kind.origin,
        y_range="data",
        guide=0.0,
    )
    return Figure(
        section="performance",
        group=sample,
        parts=(*key, "gain", over, quantity, axis),
        heading=f"{capital(words)}, {about.words}, against {along.words}",
        caption=f"{kind.label}.{of_training(training)} From the same events and replicas, "
        "with 68 % intervals." + numbers(n_events, chart, along.unit),
        alt=f"{kind.label}: {words}, {about.words}, against {along.words}, for "
        f"{names_of(series)}. {kind.origin}.",
        chart=chart,
        table=as_csv(rows),
        sample=sample,
        training=training,
        quantity=("gain", "gains"),
        axis=(axis, along.words),
        group_text=kind.sentence,
    )
