"""The calibration: shifts, response and distributions before and after, and the maps themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series, empty_bins
from ptmiss.core.html.text import plain_mathtext
from ptmiss.tasks.met.report.plots.shared import groups, names_of, series_of
from ptmiss.tasks.met.report.style import Look, looks
from ptmiss.tasks.met.report.tables import as_csv

DATA = "data"
BOTH = "both"
"""The tables `before` and `after` in one figure: their pseudo-data are the same."""

_MAIN = ("deepmet", "puppi", "pf")
"""The estimator whose calibration is shown in full: the first of these."""

_FIRST_QT = 2.0
"""Where the logarithmic axis of the response begins, in GeV."""

MOST_NODES = 7
"""So many q_T of a map can be told apart."""

_DATASETS = {
    "data": Look("pseudo-data", "#000000", "o", True, 0),
    "data_fit": Look("fit, pseudo-data", "#000000", "", True, 1),
    "data_corrected": Look("pseudo-data, xy-corrected", "#555555", "s", False, 2),
    "simulation": Look("simulation", "#0072B2", "s", True, 3),
    "simulation_fit": Look("fit, simulation", "#0072B2", "", True, 4),
    "simulation_corrected": Look("simulation, corrected", "#D55E00", "D", True, 5),
}


@dataclass(frozen=True)
class _About:
    """What is said of a table."""

    heading: str
    text: str
    scale: str
    style: str
    ratio: bool


_TABLES = {
    "xy": _About(
        "Shift of pTmiss",
        "Mean components of pTmiss in bins of the number of vertices "
        "with the fitted lines, which are subtracted.",
        "centred",
        "points",
        False,
    ),
    "phi": _About(
        "Direction of pTmiss",
        "Before and after the lines are subtracted. Flat is right.",
        "zero",
        "steps",
        False,
    ),
    "response": _About(
        "Response in Z events",
        "Mean recoil along the boson over q_T, after the "
        "correction of shifts, with the fitted curves.",
        "response",
        "points",
        False,
    ),
    "map": _About(
        "Quantile map",
        "By how much the correction moves a recoil component of "
        "simulation, for several q_T in GeV.",
        "data",
        "line",
        False,
    ),
    BOTH: _About(
        "Recoil before and after the calibration",
        "Events that the corrections were not derived from.",
        "zero",
        "steps",
        True,
    ),
}
_OTHER = _About("Calibration", "", "data", "points", False)
_AXES = {
    "n_pv": ("reconstructed vertices", "number of vertices"),
    "qt": (r"$q_T$ [GeV]", "q_T of the boson"),
    "u_par": (r"$u_{\parallel} - q_T$ [GeV]", "u_par \u2212 q_T"),
    "u_perp": (r"$u_{\perp}$ [GeV]", "u_perp"),
    "met": (r"$p_T^{miss}$ [GeV]", "pTmiss"),
    "mt": (r"$m_T$ [GeV]", "transverse mass"),
    "phi": (r"$\phi$ of $p_T^{miss}$ [rad]", "phi of pTmiss"),
}


def figures(frame: pd.DataFrame) -> Iterator[Figure]:
    """Yield one figure for each table, estimator, axis and quantity, a series for each dataset."""
    frame = frame.copy()
    frame.loc[frame["table"].isin(["before", "after"]), "table"] = BOTH
    frame.loc[(frame["table"] == "xy") & (frame["axis"] == "phi"), "table"] = "phi"
    columns = ["training", "table", "estimator", "axis", "quantity"]
    frame = frame.drop_duplicates([*columns, "dataset", "bin_low", "bin_high"])
    parts = {
        (training, table, estimator, axis, quantity): part
        for (training, table, estimator, axis, quantity), part in groups(frame, *columns)
    }
    present = {(training, estimator) for training, _, estimator, *_ in parts}
    first = min(training for training, _ in present) if present else ""
    for key in sorted(parts, key=lambda key: (key[0], *_place(key[1], key[2]))):
        main = next((name for name in _MAIN if (key[0], name) in present), key[2])
        wanted = _wanted(key, key[2] == main, key[0] == first)
        if wanted and parts[key]["value"].notna().any():
            yield _figure(key, parts[key])


def _wanted(key: tuple[str, str, str, str, str], main: bool, first: bool) -> bool:
    """Return whether a figure is drawn: everything of the main estimator of the first training, of
    other trainings what differs, of other estimators what a reader compares. All is in the tables.
    """
    _, table, estimator, _, quantity = key
    if table == "plateau":  # one number, for the table alone
        return False
    bare = quantity == "density"
    if main and first:
        return table != "map" or quantity in ("shift_0_jets", "shift_all_jets")
    if main:
        return table in ("xy", "response") or (table == BOTH and bare)
    return first and estimator in ("puppi", "pf") and (table == "phi" or (table == BOTH and bare))


def _place(table: str, estimator: str) -> tuple[int, int]:
    """Return the order of tables and, within one, of estimators: the network's first."""
    names = list(_TABLES)
    order = ("deepmet", "puppi", "pf", "chs")
    return (
        names.index(table) if table in names else len(names),
        order.index(estimator) if estimator in order else len(order),
    )


def _figure(key: tuple[str, str, str, str, str], rows: pd.DataFrame) -> Figure:
    training, table, estimator, axis, quantity = key
    about = _TABLES.get(table, _OTHER)
    symbol, words = _AXES.get(axis, (plain_mathtext(axis), axis))
    if table == "map":
        rows = _some_nodes(rows)
    series = _series(rows, about.style)
    datasets = list(_looks(rows["dataset"]))
    ratio = datasets.index(DATA) if about.ratio and DATA in datasets and len(series) > 1 else None
    label = looks([estimator])[estimator].label
    x_range = None
    if table == "response" and (rows["bin_high"] > _FIRST_QT).any():
        # half of the events are at a few GeV, and the last bin is as wide as all others
        x_range = (_FIRST_QT, float(rows["bin_high"].max()))
        series = tuple(replace(one, left=np.maximum(one.left, _FIRST_QT)) for one in series)
    heading = f"{about.heading}, {label}{_quantity(quantity)}, against {words}"
    chart = Chart(
        series,
        symbol,
        _vertical(quantity, axis),
        f"{label}{_quantity(quantity)}",
        y_range=about.scale,
        guide={"centred": 0.0, "response": 1.0}.get(about.scale),
        ratio=ratio,
        ratio_label="/ pseudo-data",
        x_range=x_range,
        x_log=x_range is not None,
    )
    bands = "Bands: 68 % intervals"
    bands += ", after the correction with all its sources." if table == BOTH else "."
    n = len(empty_bins(series))
    empty = f" {n} bin{'s' if n > 1 else ''} without a value." if n else ""
    return Figure(
        section="calibration",
        group=training,
        parts=(training, "calibration", *key[1:]),
        heading=heading,
        caption=f"Training {training}, {label}. {about.text} {bands}{empty}",
        alt=f"Training {training}: {heading}, for {names_of(series)}. {chart.origin}.",
        chart=chart,
        table=as_csv(rows),
        training=training,
        quantity=(f"calibration_{table}", f"calibration, {about.heading.lower()}"),
        axis=(axis, words),
    )


def _some_nodes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of some datasets, evenly chosen."""
    names = list(dict.fromkeys(rows["dataset"]))
    if len(names) > MOST_NODES:
        last = len(names) - 1
        names = [names[round(i * last / (MOST_NODES - 1))] for i in range(MOST_NODES)]
    return rows[rows["dataset"].isin(names)]


def _quantity(name: str) -> str:
    """Return what a quantity says beyond its kind: a region, a sample, a number of jets."""
    rest = name.partition("_")[2] if name.startswith(("density", "shift_")) else ""
    region = re.search(r"qt_([0-9.]+)_([0-9.]+)$", rest)
    if region:
        rest = rest[: region.start()] + f"q_T {region[1]}\u2013{region[2]} GeV"
    if name.startswith("mean_"):
        rest = f"{name[-1]} component"
    return f", {rest.replace('_', ' ').replace('q T', 'q_T').strip()}" if rest else ""


def _vertical(quantity: str, axis: str) -> str:
    if quantity.startswith("mean_"):
        return f"mean $p_{quantity[-1]}^{{miss}}$ [GeV]"
    if quantity.startswith("shift"):
        return "shift [GeV]"
    if quantity.startswith("density"):
        return f"share of events per {'rad' if axis == 'phi' else 'GeV'}"
    return plain_mathtext(quantity)


def _looks(names: pd.Series) -> dict[str, Look]:
    datasets = list(dict.fromkeys(names))
    known = [name for name in _DATASETS if name in datasets]
    others = {
        name: Look(_node(name), colour, "^", True, 9)
        for name, colour in zip(
            (name for name in datasets if name not in _DATASETS),
            ("#009E73", "#CC79A7", "#332288", "#882255", "#999933", "#661100") * 9,
            strict=False,
        )
    }
    return {**{name: _DATASETS[name] for name in known}, **others}


def _node(name: str) -> str:
    """Return what a dataset is called that is a node of the map: its q_T."""
    node = re.fullmatch(r"qt_([0-9.]+)", name)
    return f"q_T {node[1]} GeV" if node else name.replace("_", " ")


def _series(rows: pd.DataFrame, style: str) -> tuple[Series, ...]:
    styles = _looks(rows["dataset"])
    series = series_of(rows, "dataset", lambda _: styles, style)
    return tuple(
        replace(one, style="points" if name == DATA else "line" if "fit" in name else one.style)
        for name, one in zip(styles, series, strict=True)
    )
