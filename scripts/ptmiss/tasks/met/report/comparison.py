"""Trainings against each other: tables of gains, the best of each row marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ptmiss.core.html.text import DASH
from ptmiss.core.io.records import Values
from ptmiss.core.report.sections import identifier
from ptmiss.tasks.met.performance.names import FORMS, OWN, OWN_HIGH, PLATEAU
from ptmiss.tasks.met.report.rows import all_rows, gain_cell, high_range, points
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.summary import further_looks


def matrices(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return gains over PUPPI, over PF and over others, responses and ways to the oracle: tables of
    final states against trainings, the best of each row marked. Gains over PUPPI and PF in every
    form, all else in the leading one."""
    rows = [row for row in all_rows(summary, kinds) if row["leads"]]
    leading = [row for row in rows if row["first_form"]]
    by_form = {form: [row for row in rows if row["form"] == form] for form in (OWN_HIGH, PLATEAU)}
    further, high = further_looks(summary).items(), high_range(summary)
    chosen = [
        ("over_puppi", OWN, "gains-puppi", "Gain over PUPPI [%]", leading),
        *_other_forms("puppi", "PUPPI", by_form, high),
        ("over_pf", OWN, "gains-pf", "Gain over PF [%]", leading),
        *_other_forms("pf", "PF", by_form, high),
        *(
            (
                f"over_{name}",
                OWN,
                identifier("gains", "over", name),
                f"Gain over {look.label} [%]",
                leading,
            )
            for name, look in further
        ),
        ("plateau", "", "responses", "Response on the plateau", leading),
        ("to_oracle", OWN, "ways", "Way from PUPPI to the oracle [%]", leading),
    ]
    return [_matrix(summary, *one) for one in chosen]


_Chosen = tuple[str, str, str, str, list[dict[str, Any]]]


def _other_forms(
    over: str, words: str, by_form: Mapping[str, list[dict[str, Any]]], high: str
) -> Iterator[_Chosen]:
    """Yield the tables of gains in the forms that do not lead, where any row has one."""
    for form, ending, said in (
        (OWN_HIGH, "high", high),
        (PLATEAU, "plateau", "plateau form"),
    ):
        rows = by_form[form]
        if any(not row["first_form"] for row in rows):
            heading = f"Gain over {words}, {said} [%]"
            yield f"over_{over}", form, f"gains-{over}-{ending}", heading, rows


def _matrix(
    summary: Values, what: str, form: str, name: str, heading: str, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    trainings = list(summary["trainings"])
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["sample"], row["label"], row["quantity"])
        line = lines.setdefault(key, {**row, "gains": {}})
        line["gains"][row["training"]] = row.get(what, gain_cell(None))
    filled = [
        {
            **line,
            "gains": _marked([line["gains"].get(t, gain_cell(None)) for t in trainings], what),
        }
        for line in lines.values()
    ]
    general = [mean_gain(summary, training, what, form) for training in trainings]
    means = [points(mean) for mean in general]
    return {
        "name": name,
        "heading": heading,
        "trainings": trainings,
        "rows": filled,
        "means": means if any(mean != DASH for mean in means) else [],
    }


def mean_gain(summary: Values, training: str, what: str, form: str) -> float | None:
    """Return the mean gain of a training, "over_puppi" and so on, in a form: that of the plateau
    where headlines have no forms; None where there is none."""
    general = summary["generalisation"].get(training, {})
    key = f"mean_gain_{what}"
    mean: float | None = general.get(f"{key}_{form}")
    if mean is None and (form == PLATEAU or not _has_forms(summary)):
        mean = general.get(key)
    return mean


def _has_forms(summary: Values) -> bool:
    return any(
        sample.get("forms") for samples in summary["trainings"].values() for sample in samples
    )


def _marked(cells: list[dict[str, Any]], over: str) -> list[dict[str, Any]]:
    """Return the cells with `best` at the largest gain and `heat`, 0 to 5 for good, -1 for bad."""
    values = [cell.get("number") for cell in cells]
    known = [value for value in values if value is not None]
    gains = over != "plateau"
    return [
        {
            **cell,
            "best": gains and len(known) > 1 and value is not None and value == max(known),
            "heat": "" if value is None or not gains else _heat(value),
        }
        for cell, value in zip(cells, values, strict=True)
    ]


def _heat(value: float) -> str:
    """Return a class of the page's style: how large a gain is."""
    return "loss" if value < 0 else f"heat{min(int(value * 10), 5)}"


def generalisation(summary: Values) -> list[dict[str, str]]:
    """Return one row a training: mean gains in each form and in how many final states it is the
    best."""
    rows = []
    for training, one in summary["generalisation"].items():
        means = {
            f"{over}_{form}": points(mean_gain(summary, training, f"over_{over}", form))
            for over in ("puppi", "pf")
            for form in FORMS
        }
        best = one.get(f"best_over_puppi_{OWN}", one.get("best_over_puppi", 0))
        n = one.get(f"final_states_{OWN}", one["final_states"])
        rows.append({"training": training, **means, "best": f"{best} of {n}"})
    return rows


def lead_training(summary: Values) -> str:
    """Return the training that the first screen shows: of the largest mean gain over PUPPI."""
    trainings = summary["trainings"]
    gains = {name: mean_gain(summary, name, "over_puppi", OWN) for name in trainings}
    known: dict[str, float] = {name: value for name, value in gains.items() if value is not None}
    if known:
        return max(known, key=lambda name: known[name])
    return str(next(iter(trainings), ""))
