from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.conditions import COLUMNS, parse
from ptmiss.core.errors import UserError

EVENTS = {name: np.array([0.0, 1.0, 2.0, 30.0, np.nan]) for name in COLUMNS}
EVENTS["q_t"] = np.array([5.0, 25.0, 45.0, 65.0, 85.0])
EVENTS["weight"] = np.array([1.0, -1.0, 0.5, 1.0, 1.0])


def _holds(text: str) -> list[int]:
    return np.flatnonzero(parse(text).holds(EVENTS)).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_jets >= 2", [2, 3]),
        ("n_jets>=2", [2, 3]),
        ("2 <= n_jets", [2, 3]),
        ("n_jets == 1 or n_jets == 2", [1, 2]),
        ("20 <= q_t < 50", [1, 2]),
        ("10 < q_t <= 65 != n_jets", [1, 2, 3]),
        ("not q_t > 20", [0]),
        ("not not q_t > 20", [1, 2, 3, 4]),
        ("weight < 0", [1]),
        ("weight == -1", [1]),
        ("weight > -.6e0 and weight < +1.", [2]),
        # and binds more closely than or, parentheses more than both
        ("q_t < 10 or q_t < 30 and n_jets > 5", [0]),
        ("(q_t < 10 or q_t < 30) and n_jets < 5", [0, 1]),
        # a missing value is in no comparison, so in each denied one
        ("n_jets != 7", [0, 1, 2, 3]),
        ("not n_jets == 7", [0, 1, 2, 3, 4]),
        ("1 < 2", [0, 1, 2, 3, 4]),
        ("rho > (1)", [2, 3]),
        (" n_jets\n>= 2", [2, 3]),
    ],
)
def test_conditions(text, expected):
    assert _holds(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "position 1: found the end, expected comparisons of numbers and n_jets, n_pv"),
        ("n_jets", "position 1: found 'n_jets', expected comparisons"),
        ("n_jet > 2", "position 1: found 'n_jet', expected comparisons of numbers and n_jets"),
        (" n_jet > 2", "position 2: found 'n_jet'"),
        ("n_jets > 2 3", "found '2|found '3'"),
        ("n_jets > 2 and", "position 15: found the end"),
        ("(n_jets > 2", "position 1: found '\\('"),
        ("n_jets > 2)", "position 11: found '\\)'"),
        ("n_jets = 2", "found 'n_jets'|found '='"),
        ("n_jets > 2x", "position 10: found '2x'"),
        ("n_jets > --2", "position 10: found '--2'"),
        ("n_jets > 2 AND rho > 1", "position 12: found 'AND'"),
        ("n_jets is 2", "position 1: found 'n_jets is 2'"),
        ("__import__('os')", 'position 12: found "\'"'),
        ("rho() > 1", "position 1: found 'rho\\(\\)'"),
        ("rho.real > 1", "position 1: found 'rho.real'"),
        ("rho > True", "position 7: found 'True'"),
        ("rho > 2j", "position 7: found '2j'"),
        ("rho > 1e999", "position 7: found '1e999'"),
        ("rho > " + "9" * 400, "position 7: found '999"),
        ("rho > 1 # and more", "position 9: found '#'"),
        ("(" * 300 + "rho > 1" + ")" * 300, "condition"),
        ("not " * 30 + "rho > 1", "at most 20 levels"),
        ("not " * 240 + "rho > 1", "at most 20 levels"),
        ("rho > 1 or " * 200 + "rho > 1", "expected at most 1000"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, problem):
    with pytest.raises(UserError, match=problem) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_columns_that_a_condition_needs():
    assert parse("1 < rho < 2 and not (q_t > 5 or rho > 7)").columns == {"rho", "q_t"}


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="nqt_jes ()<>=!-.019andortrho\n#'[]{}*,:\\\0", max_size=40))
def test_any_text_is_a_condition_or_a_mistake_of_the_user(text):
    try:
        found = parse(text)
    except UserError:
        return
    assert found.holds(EVENTS).dtype == bool
