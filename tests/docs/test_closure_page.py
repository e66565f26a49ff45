"""The page of the closure: every test in its cell, failures and undecided ones named."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "tools"))

from closure_page import page


def entry(name, value, passed=True, before=None, **more):
    head = {"estimator": "puppi", "sample": "zmumu", "region": "qt_0_60", "limit": 0.2}
    return head | {"name": name, "value": value, "passed": passed, "before": before} | more


DISTANCES = {"distance_before": 0.5, "distance_after": 0.05, "floor": 0.08, "what": "of u_perp"}


def test_verdicts_are_in_their_cells():
    verdict = {
        "training": "mixed",
        "tests": [
            entry("phi_flat", 0.4, before=0.001),
            entry("slope_x", 2.5, before=6.0, passed=False),
            entry("slope_y", 0.1, before=3.0),
            entry("distance_p", 0.7, what="of u_perp"),
            entry("distance_left", 0.1, **DISTANCES),
        ],
        "undecided": [entry("distance_left", 0.4, **DISTANCES | {"what": "of u_par - q_t"})],
    }
    verdict["tests"].append(entry("distance_p", 0.6, what="of u_par - q_t"))
    text = page(verdict)
    assert "5 of 6 tests that count are passed; undecided: 1." in text
    assert "| PUPPI | `zmumu` | 0.001 -> 0.4 | 6 -> 2.5 **failed** | 3 -> 0.1 |" in text
    row = "| PUPPI | `zmumu` | 0 to 60 | {} | 0.500 | 0.050 | {} (0.20) | 0.080 | {} | {} |"
    assert row.format("u_perp", "0.100", "0.700", "passed") in text
    assert row.format("u_par - qT", "0.400", "0.600", "undecided") in text
