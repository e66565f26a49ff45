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
    rows = []
    judged = {
        n: verdict
        for n, verdict in summary["gate"].items()
        if verdict["judged"] or not verdict["passed"]
    }
    for names, several in _together(judged, lambda verdict: verdict["passed"]):
        text = "accepted" if several[0]["passed"] else "refused"
        rows.append(_verdict(f"gate {names}: {text}", several[0]["passed"], "verdicts"))
    for names, several in _together(summary["closure"], lambda verdict: verdict["passed"]):
        tests = [test for verdict in several for test in verdict["tests"]]
        passed = sum(bool(test.get("passed")) for test in tests)
        text = f"closure {names}: {passed} of {len(tests)} tests hold"
        if undecided := sum(len(verdict.get("undecided", ())) for verdict in several):
            text += f", {undecided} undecided for lack of events"
        rows.append(_verdict(text, several[0]["passed"], "verdicts"))
    for names, several in _together(
        summary["parity"], lambda verdict: _worst(verdict) <= _limit_of(verdict)
    ):
        worst = max(map(_worst, several))
        good = worst <= _limit_of(several[0])
        rows.append(_verdict(f"ONNX {names}: within {worst:.1g} GeV", good, "parity"))
    books = summary["ledger"].values()
    if books:
        held = all(book["balanced"] for book in books)
        events = sum(book["in"] for book in books)
        text = "adds up" if held else "is broken"
        rows.append(_verdict(f"ledger of {count(events)} events {text}", held, "ledger"))
    return rows


def _together(
    judged: Mapping[str, Values], good: Callable[[Values], bool]
) -> Iterator[tuple[str, list[Values]]]:
    """Yield all trainings that are good with their names, then each of the others."""
    passed = {name: verdict for name, verdict in judged.items() if good(verdict)}
    if passed:
        many = len(passed) > MOST_NAMES
        names = f"of {len(passed)} trainings" if many else ", ".join(passed)
        yield names, list(passed.values())
    for name, verdict in judged.items():
        if name not in passed:
            yield name, [verdict]


def _worst(record: Values) -> float:
    return float(max(record["largest_difference_gev"].values()))


def _limit_of(record: Values) -> float:
    return float(record["limit_gev"])


def _verdict(text: str, good: object, link: str) -> dict[str, Any]:
    return {"text": text, "state": "good" if good else "bad", "link": link}


def tests(summary: Values) -> list[dict[str, Any]]:
    """Return one row for each test of gates and closures, failed ones first."""
    rows = []
    for stage in ("gate", "closure"):
        for training, verdict in summary[stage].items():
            for test in verdict["tests"]:
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
            if not verdict["tests"] and not verdict["passed"]:
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
