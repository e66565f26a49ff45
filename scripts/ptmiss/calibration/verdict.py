"""What follows from closures: an error that names test, value and limit, or warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptmiss.errors import UserError


def problem(training: str, test: dict[str, Any]) -> str:
    """Return one line on a failed test."""
    return (
        f"closure, training {training}, estimator {test['estimator']}, sample {test['sample']},"
        f" region {test['region']}: {test['name']} ({test['what']}) is {test['value']:.3g}, allowed"
        f" at {test['bound']} {test['limit']:g}"
    )


def confirm(verdicts: Sequence[dict[str, Any]], require: bool) -> list[str]:
    """Return a line for each failed test; raise `UserError` with the first if they bind."""
    problems = [
        problem(one["training"], test)
        for one in verdicts
        for test in one["tests"]
        if not test["passed"]
    ]
    if problems and require:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(
            f"{problems[0]}{more}; see the report; calibration.require_closure: false turns this"
            " into a warning"
        )
    return problems
