"""What estimators do where there is little recoil: their responses, and gains in every form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmiss.core.io.records import Values
from ptmiss.core.report.sections import identifier
from ptmiss.tasks.met.performance.names import RESCALED
from ptmiss.tasks.met.report import forms
from ptmiss.tasks.met.report.rows import QUANTITY_NAMES, fixed_cell, gain_cell, range_words
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import TRAINED, looks


def tables(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return one table for each sample with a boson, in the order of the page: a row for every
    estimator, that of a network for every training; its responses in bins of q_T, and its gains
    over PUPPI in every form. Estimators that nothing trains stand once."""
    found: dict[str, dict[str, Any]] = {}
    for training, samples in summary["trainings"].items():
        for sample in samples:
            if sample.get("response_qt") and sample["variation"] == "nominal":
                _add(found, training, sample)
    place = list(kinds)
    return [
        {
            "id": identifier("low", "recoil", name),
            "label": kinds[name].label,
            "bins": found[name]["bins"],
            "forms": found[name]["forms"],
            "rows": _ordered(found[name]["rows"]),
        }
        for name in sorted(found, key=place.index)
    ]


def _add(found: dict[str, dict[str, Any]], training: str, sample: Values) -> None:
    formed = [one for one in forms.formed(sample) if one.where["axis"] == "qt"]
    bins = [(one["bin_low"], one["bin_high"]) for one in sample["response_qt"]]
    table = found.setdefault(
        sample["sample"],
        {
            "bins": [f"{low:g}\u2013{high:g}" for low, high in bins],
            "forms": [
                {
                    "symbol": QUANTITY_NAMES[one.quantity],
                    "corrected": one.words,
                    "range": range_words(one.where),
                }
                for one in formed
            ],
            "rows": {},
        },
    )
    for name, look in looks(sample["estimators"]).items():
        own = name in (*TRAINED, RESCALED)
        gains = [one.estimators.get(name, {}).get("gain_over", {}).get("puppi") for one in formed]
        table["rows"].setdefault(
            (name, training if own else ""),
            {
                "order": look.order,
                "estimator": look.label,
                "training": training if own else "",
                "responses": [
                    fixed_cell(one["estimators"].get(name)) for one in sample["response_qt"]
                ],
                "gains": [gain_cell(gain) for gain in gains],
            },
        )


def _ordered(rows: Mapping[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows by look; a network and its rescaling stand together."""
    return sorted(rows.values(), key=lambda row: (row["order"], row["training"]))
