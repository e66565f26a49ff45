"""Whether networks know how uncertain they are: rows of the page's table, numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmiss.core.io.records import Values
from ptmiss.core.report.sections import identifier
from ptmiss.tasks.met.report.rows import fixed_cell, gain_cell
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import looks

_SHARES = ("covered_68", "covered_95")
_NUMBERS = ("pull_par", "pull_perp", "spearman")


def rows(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return a row for every nominal sample, training and estimator with uncertainties, samples in
    the order of the page: shares that are covered, widths of pulls, rank correlation."""
    found = []
    for training, samples in summary["trainings"].items():
        for sample in samples:
            if sample["variation"] != "nominal":
                continue
            covered = sample.get("coverage", {})
            for name, look in looks(covered).items():
                values = covered[name]
                found.append(
                    {
                        "id": identifier("sample", sample["sample"]),
                        "sample": sample["sample"],
                        "label": kinds[sample["sample"]].label,
                        "training": training,
                        "estimator": look.label,
                        "cells": [
                            *(gain_cell(values.get(share)) for share in _SHARES),
                            *(fixed_cell(values.get(number)) for number in _NUMBERS),
                        ],
                    }
                )
    place = list(kinds)
    return sorted(found, key=lambda row: place.index(row["sample"]))
