"""What a network does with the candidates: mean weights, importance of features, single events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series, empty_bins
from ptmiss.core.html.text import count, plain_mathtext
from ptmiss.core.io.records import Values
from ptmiss.tasks.met.report.event_display import Display
from ptmiss.tasks.met.report.plots.quantities import QUANTITIES
from ptmiss.tasks.met.report.plots.shared import (
    Context,
    arrays,
    groups,
    most_events,
    names_of,
    series_of,
)
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import TRAINED, cycle, looks
from ptmiss.tasks.met.report.tables import as_csv

GROUPS = {
    "charged_pv": ("charged, hard vertex", "#0072B2"),
    "charged_pileup": ("charged, pile-up", "#D55E00"),
    "photon": ("photons", "#E69F00"),
    "neutral_hadron": ("neutral hadrons", "#009E73"),
    "forward": ("forward", "#CC79A7"),
    "muon": ("muons", "#332288"),
    "electron": ("electrons", "#882255"),
    "other": ("other", "#888888"),
    "all": ("all", "#000000"),
}
_AXES = {
    "pt": (r"candidate $p_T$ [GeV]", "p_T of the candidate"),
    "abs_eta": (r"$|\eta|$ of the candidate", "|eta| of the candidate"),
    "abs_dz": (r"$|d_z|$ of the track [cm]", "|dz| of the track"),
    "puppi": ("PUPPI weight", "PUPPI weight"),
    "from_pv": ("vertex class (fromPV)", "vertex class"),
}
_LOG = ("pt", "abs_dz")
_FEATURES = {
    "puppi": "PUPPI weight",
    "pdg_id": "particle type",
    "from_pv": "vertex class",
    "direction": "azimuth",
}
_SHORT_GROUPS = {
    "charged_pv": "charged\nhard",
    "charged_pileup": "charged\npile-up",
    "neutral_hadron": "neutral\nhadron",
}


def weights(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield mean weights of the network's candidates in bins, a series for each group, and of
    every estimator by group, in the first sample that each training was looked at in."""
    first = frame.groupby("training", sort=False)["sample"].transform("first")
    frame = frame[frame["sample"] == first]
    for (training, sample), part in groups(frame, "training", "sample"):
        kind = context.kinds[sample]
        if part["value"].notna().any():
            yield _by_group(part, training, sample, kind)
        trained = next((name for name in TRAINED if name in set(part["estimator"])), None)
        mine = part[(part["estimator"] == trained) & (part["group"] != "all")]
        for axis in _AXES:
            rows = mine[mine["axis"] == axis]
            if rows["value"].notna().any():
                yield _weights(rows, training, sample, axis, kind)


def _by_group(part: pd.DataFrame, training: str, sample: str, kind: Kind) -> Figure:
    rows = part[part["axis"] == "all"]
    names = [name for name in GROUPS if name in set(rows["group"])]
    drawn = []
    for estimator, look in looks(rows["estimator"]).items():
        own = rows[rows["estimator"] == estimator].set_index("group")
        value, low, high = arrays(own.reindex(names), "value", "err_low", "err_high")
        left = np.arange(len(names), dtype=np.float64) - 0.4
        drawn.append(
            Series(look.label, look.colour, left, left + 0.8, value, low, high, look.marker)
        )
    series = tuple(drawn)
    total = rows[rows["group"] == "all"]["n_candidates"].max()
    n = 0.0 if np.isnan(total) else float(total)
    chart = Chart(
        series,
        "",
        "mean weight",
        _what(kind, n),
        kind.origin,
        x_range=(-0.5, len(names) - 0.5),
        ticks=tuple((float(i), _SHORT_GROUPS.get(name, name)) for i, name in enumerate(names)),
        guide=1.0,
    )
    return _figure(
        (training, sample, "group"),
        kind,
        chart,
        rows,
        "candidate type",
        "Mean weight of every estimator's candidates by type; charged candidates by where they "
        "truly come from.",
    )


def _weights(rows: pd.DataFrame, training: str, sample: str, axis: str, kind: Kind) -> Figure:
    symbol, words = _AXES[axis]
    rows = rows[np.isfinite(rows["bin_low"]) & np.isfinite(rows["bin_high"])]
    has = {group for group, part in rows.groupby("group") if part["value"].notna().any()}
    groups = {name: GROUPS[name] for name in GROUPS if name in has}
    colours = cycle(groups, {name: label for name, (label, _) in groups.items()})
    colours = {name: replace(look, colour=groups[name][1]) for name, look in colours.items()}
    rows = rows[rows["group"].isin(has)]
    series = series_of(rows, "group", lambda _: colours)
    positive = rows["bin_low"][rows["bin_low"] > 0]
    x_range = None
    if axis in _LOG and len(positive):
        # the first bin starts at zero, which a logarithmic axis does not have
        first = float(positive.min()) / 3
        series = tuple(replace(one, left=np.maximum(one.left, first)) for one in series)
        x_range = (first, float(rows["bin_high"].max()))
    n = float(rows["n_candidates"].sum())
    chart = Chart(
        series,
        symbol,
        "mean weight",
        _what(kind, n),
        kind.origin,
        guide=1.0,
        x_range=x_range,
        x_log=x_range is not None,
        ticks=_classes(rows) if axis == "from_pv" else (),
    )
    return _figure(
        (training, sample, axis),
        kind,
        chart,
        rows,
        words,
        "Mean weight that the network gives to candidates.",
    )


def _classes(rows: pd.DataFrame) -> tuple[tuple[float, str], ...]:
    """Return the middles of bins that hold a whole number each, and those numbers."""
    middles = sorted(
        {(low + high) / 2 for low, high in zip(rows["bin_low"], rows["bin_high"], strict=True)}
    )
    return tuple((middle, f"{middle:g}") for middle in middles)


def _what(kind: Kind, n_candidates: float) -> str:
    return kind.what(None) + (f", {count(n_candidates)} candidates" if n_candidates else "")


def _figure(
    key: tuple[str, str, str], kind: Kind, chart: Chart, rows: pd.DataFrame, words: str, text: str
) -> Figure:
    training, sample, axis = key
    n = len(empty_bins(chart.series))
    empty = f" {n} bin{'s' if n > 1 else ''} without a value for lack of candidates." if n else ""
    return Figure(
        section="interpretation",
        group=training,
        parts=(training, sample, "weight", axis),
        heading=f"Mean weight against {words}, {kind.label}",
        caption=f"{kind.label}. Training {training}. {text} Bands: 68 % interval of the bootstrap "
        f"over events.{empty}",
        alt=f"{kind.label}, training {training}: mean weight against {words}, for "
        f"{names_of(chart.series)}. {kind.origin}.",
        chart=chart,
        table=as_csv(rows),
        sample=sample,
        training=training,
        quantity=("weight", "mean weight"),
        axis=(axis, words),
    )


def importance(frame: pd.DataFrame, context: Context) -> Iterator[Figure]:
    """Yield one figure a training and resolution: loss of resolution by permuted feature."""
    for (training, quantity), part in groups(frame, "training", "quantity"):
        if not part["value"].notna().any():
            continue
        names = sorted(set(part["feature"]), key=lambda name: _largest(part, name), reverse=True)
        drawn = []
        samples = [name for name, _ in context.in_order(part)]
        labels = {name: context.kinds[name].label for name in samples}
        for sample, look in cycle(samples, labels).items():
            own = part[part["sample"] == sample].set_index("feature").reindex(names)
            value, low, high = (100 * c for c in arrays(own, "value", "err_low", "err_high"))
            places = np.arange(len(names), dtype=np.float64)
            drawn.append(
                Series(look.label, look.colour, places, places, value, low, high, look.marker)
            )
        words = QUANTITIES[quantity].words if quantity in QUANTITIES else quantity
        n_events = most_events(part[part["feature"] == names[0]], "sample")
        kind = context.kinds[samples[0]]
        what = f"training {training}"
        what += f", {count(n_events)} events" if n_events else ""
        chart = Chart(
            tuple(drawn),
            f"loss of {words} [%]",
            "",
            what,
            kind.origin,
            rows=tuple(_FEATURES.get(n, plain_mathtext(n)) for n in names),
            guide=0.0,
        )
        yield Figure(
            section="interpretation",
            group=str(training),
            parts=(str(training), "importance", str(quantity)),
            heading=f"Importance of the features, {words}",
            caption=f"Training {training}. Relative growth of the response-corrected resolution "
            "when one feature is permuted among the candidates of an event, with 68 % intervals. "
            "Zero: the network does not need it.",
            alt=f"Training {training}: loss of {words} when a feature is permuted, for "
            f"{names_of(drawn)}. {kind.origin}.",
            chart=chart,
            table=as_csv(part),
            training=str(training),
            quantity=("importance", "importance of features"),
            axis=("feature", "feature"),
        )


def _largest(part: pd.DataFrame, feature: str) -> float:
    value = part[part["feature"] == feature]["value"].max()
    return -np.inf if np.isnan(value) else float(value)


def displays(chosen: Mapping[str, Sequence[Values]], context: Context) -> Iterator[Figure]:
    """Yield one figure for each event shown, of the first two samples."""
    for training, events in chosen.items():
        first = list(dict.fromkeys(event["sample"] for event in events))[:2]
        for event in events:
            if event["sample"] not in first:
                continue
            kind = context.kinds[event["sample"]]
            group = np.array(event["group"], dtype=str)
            known = [name for name in GROUPS if name in set(group)]
            names = [*known, *sorted(set(group) - set(GROUPS))]
            arrows = {"true": ("#000000", *event["true"])}
            for name, look in looks(event["estimates"]).items():
                if name != "chs":
                    arrows[look.label] = (look.colour, *event["estimates"][name])
            if "oracle (limit)" in arrows:
                arrows["oracle (limit)"] = ("#888888", *event["estimates"]["oracle"])
            numbers = {k: np.array(event[k], dtype=np.float64) for k in _CANDIDATE}
            display = Display(
                f"{kind.what(None)}, event {event['event']}",
                group=group,
                groups={name: GROUPS.get(name, (name, "#888888")) for name in names},
                arrows=arrows,
                origin=kind.origin,
                **numbers,
            )
            left_out = int(event.get("left_out", {}).get("candidates", 0))
            soft = f" The {count(left_out)} softest candidates are not drawn." if left_out else ""
            table = pd.DataFrame({**numbers, "group": group})
            yield Figure(
                section="interpretation",
                group=training,
                parts=(training, event["sample"], "event", event["event"].replace(":", "_")),
                heading=f"A {event['why']} event of {kind.label}",
                caption=f"Training {training}, event {event['event']}. Each circle is a candidate, "
                "its area proportional to p_T, above as it is and below times its weight. Dotted: "
                "directions of pTmiss. Right: true and estimated pTmiss in the transverse plane."
                + soft,
                alt=f"{kind.label}, training {training}: candidates of the {event['why']} event "
                f"{event['event']} in eta and phi before and after weighting, and pTmiss: "
                f"{', '.join(arrows)}. {kind.origin}.",
                chart=display,
                table=table.to_csv(index=False, lineterminator="\n"),
                sample=event["sample"],
                training=training,
                quantity=("display", "event displays"),
                axis=("eta", "eta and phi"),
            )


_CANDIDATE = ("pt", "eta", "phi", "weight")
