"""The quality gate: is a network an estimator of missing momentum, or has it learnt to shrink?

In Z to mumu the true pTmiss is zero, so a network that shrinks everything, the muons included,
looks superb there and is useless elsewhere. No network is therefore accepted on Z to mumu alone:
where there is real pTmiss its response must be near 1, and its response-corrected resolution must
not be worse than that of the plain sum of all candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptmiss.errors import UserError
from ptmiss.settings.gate import GateSettings

NETWORK = "deepmet"
"""The estimator that is judged; baselines and models of others are only compared with."""


def verdict(headline: dict[str, Any], settings: GateSettings) -> dict[str, Any]:
    """Judge the network of one training.

    headline: what the stage performance writes for it. Returns a dictionary with `training`,
    `gate`, `passed` and `tests`, one entry for each number compared: sample, quantity, value, low,
    high (limits, None where open), passed. A training without any sample that has real pTmiss
    fails, because nothing protects it from the degenerate solution; one without a network (the
    classical estimators alone) has nothing to be judged and passes.
    """
    tests = []
    has_network = False
    for sample in headline["samples"]:
        numbers = sample["estimators"].get(NETWORK)
        if numbers is None:
            continue
        has_network = True
        response = numbers.get("response_met") or {}
        if response.get("value") is None:
            continue
        limits = (settings.response_low, settings.response_high)
        tests.append(_test(sample["sample"], "response_met", response["value"], *limits))
        for gain in sample["gains"]:
            found = (gain["estimator"], gain["over"], gain["quantity"])
            if found == (NETWORK, "pf", "sigma_xy") and gain["high"] is not None:
                # the upper end of the interval: worse beyond doubt, not by chance
                tests.append(_test(sample["sample"], "gain over pf", gain["high"], 0.0, None))
    return {
        "gate": "quality",
        "training": headline["training"],
        "tests": tests,
        "judged": bool(tests),
        "passed": not has_network or (bool(tests) and all(test["passed"] for test in tests)),
    }


def accept(verdicts: Sequence[dict[str, Any]], require: bool) -> list[str]:
    """Return a line for each failed test; raise `UserError` with the first if they bind."""
    problems = [problem for one in verdicts if not one["passed"] for problem in _problems(one)]
    if problems and require:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(
            f"{problems[0]}{more}; see the report; gate.require: false turns this into a warning"
        )
    return problems


def _test(
    sample: str, quantity: str, value: float, low: float | None, high: float | None
) -> dict[str, Any]:
    passed = (low is None or value >= low) and (high is None or value <= high)
    return {
        "sample": sample,
        "quantity": quantity,
        "value": value,
        "low": low,
        "high": high,
        "passed": passed,
    }


def _problems(one: dict[str, Any]) -> list[str]:
    if not one["tests"]:
        return [
            f"{one['gate']} gate, training {one['training']}: no sample with real missing momentum"
            " has enough test events, so nothing shows that the network does not just shrink; add"
            " one such as ttbar"
        ]
    return [
        f"{one['gate']} gate, training {one['training']}, sample {test['sample']}:"
        f" {test['quantity']} is {test['value']:.3f}, allowed {_range(test['low'], test['high'])}"
        for test in one["tests"]
        if not test["passed"]
    ]


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"
