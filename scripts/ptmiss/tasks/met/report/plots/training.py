"""Training curves, from the history that each training writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from ptmiss.core.figures.chart import Chart, Figure, Series
from ptmiss.core.html.text import shorten
from ptmiss.core.io.records import Values
from ptmiss.tasks.met.report.plots.shared import Words, names_of
from ptmiss.tasks.met.report.style import Look, cycle, training_looks

_RESPONSE = "val_response_"


def figures(
    histories: Mapping[str, pd.DataFrame], records: Mapping[str, Values]
) -> Iterator[Figure]:
    """Yield the validation errors of all trainings in one figure, then the curves of each."""
    if len(histories) > 1:
        yield _together(histories)
    for training, history in histories.items():
        record = records.get(training, {})
        best = record.get("best_epoch")
        about = f" The network of epoch {best} was kept." if best else ""
        yield from _losses(training, history, about)
        yield from _responses(training, history, about)


def _together(histories: Mapping[str, pd.DataFrame]) -> Figure:
    series = tuple(
        _series(history, "val_error", look)
        for (_, look), history in zip(
            training_looks(histories).items(), histories.values(), strict=True
        )
        if "val_error" in history
    )
    rows = pd.concat([h.assign(training=name) for name, h in histories.items()])
    caption = Words(
        "Error on validation events of every training",
        "Huber error per event on events that are not trained on; each training has its own "
        "mix of samples, so heights of different trainings do not compare.",
    )
    return _figure("all", "val_error", series, rows, caption)


def _losses(training: str, history: pd.DataFrame, about: str) -> Iterator[Figure]:
    words = {
        "error": "error, training events",
        "val_error": "error, validation events",
        "val_loss": "loss, validation events",
        "val_response_term": "response term, validation",
    }
    series = tuple(
        _series(history, name, look)
        for name, look in cycle([n for n in words if n in history], words).items()
    )
    if series:
        caption = Words(f"Training curves of {training}", "Loss = error + response term." + about)
        yield _figure(training, "loss", series, history, caption)


def _responses(training: str, history: pd.DataFrame, about: str) -> Iterator[Figure]:
    names = [name for name in map(str, history) if name.startswith(_RESPONSE) and name != _TERM]
    words = {name: _bin(name.removeprefix(_RESPONSE)) for name in names}
    series = tuple(_series(history, n, look) for n, look in cycle(names, words).items())
    if series:
        caption = Words(
            f"Response in validation events of {training}",
            "Mean response in bins of true recoil and true pTmiss, named by their lower edges "
            "in GeV. One is right." + about,
        )
        yield _figure(training, "response", series, history, caption)


_TERM = "val_response_term"


def _bin(name: str) -> str:
    kind, _, edge = name.partition("_")
    return f"{ {'recoil': 'recoil', 'met': 'pTmiss'}.get(kind, kind) } > {edge}"


def _series(history: pd.DataFrame, column: str, look: Look) -> Series:
    epoch = history["epoch"].to_numpy(np.float64)
    none = np.full(len(epoch), np.nan)
    value = history[column].to_numpy(np.float64)
    return Series(
        look.label, look.colour, epoch, epoch, value, none, none, look.marker, True, "line"
    )


def _figure(
    training: str, quantity: str, series: tuple[Series, ...], rows: pd.DataFrame, words: Words
) -> Figure:
    response = quantity == "response"
    values = np.concatenate([one.value for one in series])
    values = values[np.isfinite(values)]
    fits = len(values) and response and values.min() > 0.4
    last = max(float(one.left[-1]) for one in series)
    chart = Chart(
        series,
        "epoch",
        "response" if response else "loss or error",
        shorten("all trainings" if training == "all" else training, 34),
        y_range="data" if fits else "response" if response else "zero",
        x_range=(0.5, last + 0.5),
        guide=1.0 if response else None,
    )
    return Figure(
        section="training",
        group="all" if training == "all" else training,
        parts=(training, "training", quantity),
        heading=words.heading,
        caption=words.text,
        alt=f"{words.heading} against the epoch: {names_of(series)}. {chart.origin}.",
        chart=chart,
        table=rows.to_csv(index=False, lineterminator="\n"),
        training=training,
        quantity=("training", "training curves"),
        axis=("epoch", "epoch"),
    )
