"""What is said at the end of a run: what was made, and where to look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ptmiss.core.paths import PathLike


def words(results: PathLike) -> list[str]:
    """Return the lines; none where the run has not come to the page.

    results: the folder of the results.
    """
    page, summary = Path(results, "report", "report.html"), Path(results, "summary.json")
    if not page.is_file() or not summary.is_file():
        return []
    try:
        numbers = json.loads(summary.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    lines = [
        f"{page}  the page: open it in a browser ({page.stat().st_size / 1e6:.1f} MB)",
        f"{summary}  its numbers, machine readable",
    ]
    try:
        return lines + _of_trainings(numbers, Path(results))
    except (AttributeError, KeyError, TypeError, ValueError):
        return lines  # edited by hand: no reason to end a run that has succeeded with an error


def _of_trainings(numbers: dict[str, Any], results: Path) -> list[str]:
    lines = []
    for training, gains in numbers.get("generalisation", {}).items():
        gain = gains.get("mean_gain_over_puppi")
        if gain is not None:
            model = Path(results, "models", training, "onnx", "model.onnx")
            lines.append(f"{model}  mean gain over PUPPI {100 * gain:.1f} %")
    for stage in ("gate", "closure"):
        refused = [
            name for name, verdict in numbers.get(stage, {}).items() if not verdict["passed"]
        ]
        if refused:
            lines.append(f"{stage} refused {', '.join(refused)}: see the verdicts on the page")
    return lines
