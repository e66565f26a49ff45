"""Tables: what a layout writes it reads, exactly, in one go and row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.errors import UserError
from ptmiss.core.tables import BIN, VALUE, Layout, count, word
from ptmiss.learn.training.history import HISTORY
from ptmiss.tasks.met.report.tables import KINDS

TOY = Layout(
    "toy",
    "toy/{training}.toy.csv",
    "a toy",
    (word("name", "what"), *BIN, *VALUE, count("n", "how")),
)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.lists(st.tuples(st.sampled_from(["a", 'b, "c"']), NUMBERS, NUMBERS, st.integers(0, 1 << 40)))
)
def test_numbers_come_back_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("t") / "x.toy.csv"
    rows = [(name, float(i), math.inf, a, b, a, n) for i, (name, a, b, n) in enumerate(values)]
    path.write_text(TOY.csv(rows))
    found = TOY.table(path)
    assert found["name"].to_pylist() == [row[0] for row in rows]
    for place, name in enumerate(TOY.names[1:], 1):
        stored = found[name].to_numpy()
        np.testing.assert_array_equal(stored, np.array([row[place] for row in rows], dtype=float))
    lines = [entry.line for entry in TOY.read(path)]
    assert lines == list(range(2, 2 + len(rows)))


def test_a_table_is_the_same_at_once_and_row_by_row(tmp_path):
    path = tmp_path / "x.toy.csv"
    path.write_text(TOY.csv([("a", 0.0, 1.0, 0.1 + 0.2, math.nan, -math.inf, 3)]))
    plain = TOY.table(path)
    path.write_text(path.read_text().replace("a,", '"a",'))
    assert TOY.table(path).equals(plain)
    assert plain["err_low"].null_count == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,0,1,2,1,3,4.5", "column n: found '4.5', expected a whole number"),
        ("a,0,1,2,1,3,", "column n: no number, expected one"),
        ("a,nan,1,2,1,3,4", "column bin_low: no number, expected one"),
        ("a,2,1,2,1,3,4", "bin_low is above bin_high"),
        ("a,0,1,two,1,3,4", "column value: found 'two', expected a number"),
        ("a,0,1,2,1,3,4\na,0,1,5,1,3,4", "line 3: the second row of the same name and bin"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path, row, says):
    path = tmp_path / "x.toy.csv"
    path.write_text(f"{TOY.header()}{row}\n")
    with pytest.raises(UserError, match=says) as caught:
        TOY.table(path)
    assert "\n" not in str(caught.value)


def test_a_table_belongs_to_the_training_in_its_path(tmp_path):
    for layout in (*KINDS.values(), HISTORY):
        path = tmp_path / layout.path.replace("{training}", "mixed")
        assert layout.training_of(path) == "mixed"
