"""Verdicts of gates, closures and parity as the page shows them: in words and in rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ptmiss.core.html.text import DASH, count, number
from ptmiss.core.io.records import Values

MOST_NAMES = 2
"""Trainings that a verdict on several calls by their names."""


def verdicts(summary: Values) -> list[dict[str, Any]]:
    """Return what the first screen says of gates, closures, parity and ledgers.

    What is good is said once of all trainings together, what is bad of each. state: "good" or
    "bad"; link: the section that says more.
    """
    found = []
    judged = {n: one for n, one in summary["gate"].items() if one["judged"] or not one["passed"]}
    for names, several in _together(judged, lambda one: one["passed"]):
        said = "accepted" if several[0]["passed"] else "refused"
        found.append(_verdict(f"gate {names}: {said}", several[0]["passed"], "verdicts"))
    for names, several in _together(summary["closure"], lambda one: one["passed"]):
        tests = [test for one in several for test in one["tests"]]
        passed = sum(bool(test.get("passed")) for test in tests)
        said = f"closure {names}: {passed} of {len(tests)} tests hold"
        if undecided := sum(len(one.get("undecided", ())) for one in several):
            said += f", {undecided} undecided for lack of events"
        found.append(_verdict(said, several[0]["passed"], "verdicts"))
    for names, several in _together(summary["parity"], lambda one: _worst(one) <= _limit_of(one)):
        worst = max(map(_worst, several))
        good = worst <= _limit_of(several[0])
        found.append(_verdict(f"ONNX {names}: within {worst:.1g} GeV", good, "parity"))
    ledgers_ = summary["ledger"].values()
    if ledgers_:
        held = all(one["balanced"] for one in ledgers_)
        events = sum(one["in"] for one in ledgers_)
        said = "adds up" if held else "is broken"
        found.append(_verdict(f"ledger of {count(events)} events {said}", held, "ledger"))
    return found


_One = Values


def _together(
    found: Mapping[str, _One], good: Callable[[_One], bool]
) -> Iterator[tuple[str, list[_One]]]:
    """Yield all trainings that are good with their names, then each of the others."""
    passed = {name: one for name, one in found.items() if good(one)}
    if passed:
        many = len(passed) > MOST_NAMES
        names = f"of {len(passed)} trainings" if many else ", ".join(passed)
        yield names, list(passed.values())
    for name, one in found.items():
        if name not in passed:
            yield name, [one]


def _worst(parity_: _One) -> float:
    return float(max(parity_["largest_difference_gev"].values()))


def _limit_of(parity_: _One) -> float:
    return float(parity_["limit_gev"])


def _verdict(text: str, good: object, link: str) -> dict[str, Any]:
    return {"text": text, "state": "good" if good else "bad", "link": link}


def tests(summary: Values) -> list[dict[str, Any]]:
    """Return one row for each test of gates and closures, failed ones first."""
    rows = []
    for stage in ("gate", "closure"):
        for training, one in summary[stage].items():
            for test in one["tests"]:
                rows.append(
                    {
                        "stage": stage,
                        "training": training,
                        "name": str(test.get("name") or test.get("quantity") or ""),
                        "what": " ".join(
                            str(test[key])
                            for key in ("what", "estimator", "sample", "region")
                            if test.get(key)
                        ),
                        "value": _any_number(test.get("value")),
                        "limit": _limit(test),
                        "passed": bool(test.get("passed")),
                    }
                )
            if not one["tests"] and not one["passed"]:
                rows.append(
                    {
                        "stage": stage,
                        "training": training,
                        "name": "nothing to judge by",
                        "what": "",
                        "value": DASH,
                        "limit": DASH,
                        "passed": False,
                    }
                )
    return sorted(rows, key=lambda row: row["passed"])


def _limit(test: Values) -> str:
    if "limit" in test:
        bound = f"at {test['bound']} " if test.get("bound") else ""
        return bound + _any_number(test["limit"])
    low, high = test.get("low"), test.get("high")
    if low is None and high is None:
        return DASH
    if high is None:
        return f"at least {low:g}"
    return f"{'' if low is None else f'{low:g}'}\u2013{high:g}"


def _any_number(value: object) -> str:
    return (
        number(value) if isinstance(value, int | float) else DASH if value is None else str(value)
    )
