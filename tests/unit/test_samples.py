"""Which files make up a sample: each part once, in order, without those that hold nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import performance_toys as toys
from ptmiss.core.errors import UserError
from ptmiss.events.samples import Part, Sample, grouped, part_of
from ptmiss.events.skim.info import Info


def part(path: str, sample: str = "z", number: str = "0", rows: int = 5, data: bool = False):
    said = Info(sample, number, sample, data, "none", "", "", "", "")
    return Part(path, rows, pa.schema([]), said)


def test_parts_are_grouped_and_ordered_whatever_the_order_of_files():
    parts = [part("c", number="1"), part("a", "w"), part("b", number="0")]
    for given in (parts, parts[::-1]):
        assert [[one.path for one in group] for group in grouped(given)] == [["a"], ["b", "c"]]


def test_parts_without_events_count_only_where_no_other_has_some():
    empty, full = part("a", rows=0), part("b", number="1")
    assert grouped([empty, full]) == [(full,)]
    assert grouped([empty]) == [(empty,)]


@pytest.mark.parametrize("rows", [5, 0])
def test_a_part_given_twice_is_refused(rows):
    with pytest.raises(UserError, match="b: holds part '0' of sample z, which a holds too"):
        grouped([part("b", rows=rows), part("a")])


def test_of_data_every_fold_may_be_used():
    fold = np.arange(10, dtype=np.uint8)
    simulated, data = (Sample((part("a", data=data),)) for data in (False, True))
    np.testing.assert_array_equal(np.flatnonzero(simulated.usable(fold, (3, 7))), [3, 7])
    assert data.usable(fold, (3, 7)).all()


def test_an_event_of_two_parts_is_there_once(tmp_path):
    columns = toys.toy(40)
    first = toys.write(tmp_path / "a.parquet", columns, part="0")
    second = toys.write(tmp_path / "b.parquet", {k: v[30:] for k, v in columns.items()}, part="1")
    parts = [part_of(path, lambda *_: None, "again", estimates=True) for path in (second, first)]
    (members,) = grouped(parts)
    sample = Sample(members)
    tables = [sample.distinct(g) for g in sample.row_groups(["run", "lumi", "event", "weight"])]
    assert sum(table.num_rows for table, _ in tables) == 40
    assert len(np.unique(np.concatenate([identity for _, identity in tables]))) == 40
