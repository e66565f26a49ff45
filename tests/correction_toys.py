"""Corrections made by hand, with numbers that a reader can add up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from ptmiss.tasks.met.calibration.names import SYSTEMATICS

SLOPE = 0.1
"""GeV along x for each vertex."""

OFFSETS = {"simulation": (1.0, 2.0), "data": (4.0, -2.0)}
"""GeV along x and y without vertices."""


def write_corrections(path: Path, estimators: Sequence[str]) -> None:
    """Write corrections of these estimators, all alike.

    The offset is OFFSETS + SLOPE n_pv along x, 0.5 GeV more in stat_up and less in stat_down; u_par
    becomes 0.9 (u_par - q_t) - 2, u_perp 1.2 u_perp, both with 1 GeV more in form_up for each jet.
    """
    corrections = [one for name in estimators for one in (*_offsets(name), *_maps(name))]
    content = json.dumps({"schema_version": 2, "corrections": corrections})
    path.write_bytes(gzip.compress(content.encode(), mtime=0))


def _offsets(name: str) -> list[dict[str, object]]:
    def formula(dataset: str, axis: int, systematic: str) -> str:
        step = {"stat_up": 0.5, "stat_down": -0.5}.get(systematic, 0.0)
        slope = (SLOPE, 0.0)[axis]
        return f"{OFFSETS[dataset][axis] + step} + {slope} * x"

    return [
        _correction(
            f"{name}_xy_{letter}",
            ("dataset", "systematic", "n_pv"),
            _category(
                "dataset",
                {
                    dataset: _category(
                        "systematic",
                        {way: _formula(formula(dataset, axis, way), "n_pv") for way in SYSTEMATICS},
                    )
                    for dataset in OFFSETS
                },
            ),
        )
        for axis, letter in enumerate("xy")
    ]


def _maps(name: str) -> list[dict[str, object]]:
    texts = {"u_par": "0.9 * x - 2", "u_perp": "1.2 * x"}
    inputs = ("systematic", "u", "q_t", "n_jets")
    return [
        _correction(
            f"{name}_{component}",
            inputs,
            _category(
                "systematic",
                {
                    way: _formula(f"{text} + y" if way == "form_up" else text, "u", "n_jets")
                    for way in SYSTEMATICS
                },
            ),
        )
        for component, text in texts.items()
    ]


def _correction(name: str, inputs: Sequence[str], data: object) -> dict[str, object]:
    kinds = {"dataset": "string", "systematic": "string"}
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": one, "type": kinds.get(one, "real")} for one in inputs],
        "output": {"name": "value", "type": "real"},
        "data": data,
    }


def _category(name: str, content: dict[str, object]) -> dict[str, object]:
    pairs = [{"key": key, "value": value} for key, value in content.items()]
    return {"nodetype": "category", "input": name, "content": pairs}


def _formula(text: str, *variables: str) -> dict[str, object]:
    return {
        "nodetype": "formula", "expression": text, "parser": "TFormula",
        "variables": list(variables),
    }  # fmt: skip
