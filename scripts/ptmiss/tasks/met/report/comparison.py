"""Trainings against each other: tables of gains, the best of each row marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmiss.core.html.text import DASH
from ptmiss.core.io.records import Values
from ptmiss.core.report.sections import identifier
from ptmiss.tasks.met.report.rows import all_rows, gain_cell, points
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.summary import further_looks


def matrices(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return gains over PUPPI, over PF and over others, responses and ways to the oracle: tables of
    final states against trainings, the best of each row marked."""
    leading = [row for row in all_rows(summary, kinds) if row["leads"]]
    trainings = list(summary["trainings"])
    general = summary["generalisation"]
    tables = []
    for over, name, heading in (
        ("over_puppi", "gains-puppi", "Gain over PUPPI [%]"),
        ("over_pf", "gains-pf", "Gain over PF [%]"),
        *(
            (f"over_{name}", identifier("gains", "over", name), f"Gain over {look.label} [%]")
            for name, look in further_looks(summary).items()
        ),
        ("plateau", "responses", "Response on the plateau"),
        ("to_oracle", "ways", "Way from PUPPI to the oracle [%]"),
    ):
        lines: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in leading:
            key = (row["sample"], row["label"], row["quantity"])
            line = lines.setdefault(key, {**row, "gains": {}})
            line["gains"][row["training"]] = row.get(over, gain_cell(None))
        filled = [
            {
                **line,
                "gains": _marked([line["gains"].get(t, gain_cell(None)) for t in trainings], over),
            }
            for line in lines.values()
        ]
        means = [points(general.get(t, {}).get(f"mean_gain_{over}")) for t in trainings]
        best = [general.get(t, {}).get(over.replace("over", "best_over")) for t in trainings]
        tables.append(
            {
                "name": name,
                "heading": heading,
                "trainings": trainings,
                "rows": filled,
                "means": means if any(mean != DASH for mean in means) else [],
                "best": [DASH if n is None else str(n) for n in best],
            }
        )
    return tables


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
    """Return one row a training: mean gains and in how many final states it is the best."""
    return [
        {
            "training": training,
            "puppi": points(one.get("mean_gain_over_puppi")),
            "pf": points(one.get("mean_gain_over_pf")),
            "best": f"{one.get('best_over_puppi', 0)} of {one['final_states']}",
        }
        for training, one in summary["generalisation"].items()
    ]


def lead_training(summary: Values) -> str:
    """Return the training that the first screen shows: the one of the largest mean gain."""
    general = summary["generalisation"]
    gains = {name: one.get("mean_gain_over_puppi") for name, one in general.items()}
    known: dict[str, float] = {name: value for name, value in gains.items() if value is not None}
    if known:
        return max(known, key=lambda name: known[name])
    return str(next(iter(summary["trainings"]), ""))
