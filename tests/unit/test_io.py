from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from ptmiss.errors import UserError
from ptmiss.io import parquet
from ptmiss.io.atomic import replacing, write_json, write_text


def test_replacing_leaves_nothing_when_the_block_fails(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_sorted_and_finite(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [1.5]})
    assert list(json.loads(path.read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, float("nan"))


@pytest.fixture
def table():
    return pa.table({"x": np.arange(1000, dtype=np.float64), "y": np.arange(1000)})


def test_row_groups_come_back_in_order(tmp_path, table):
    path = tmp_path / "a.parquet"
    parquet.write(path, table, rows_per_group=300)
    groups = list(parquet.row_groups(path, ["x"]))
    assert [len(group) for group in groups] == [300, 300, 300, 100]
    assert pa.concat_tables(groups).column("x").to_pylist() == list(range(1000))
    assert parquet.column_names(path) == ["x", "y"]


def test_writing_is_reproducible(tmp_path, table):
    parquet.write(tmp_path / "a.parquet", table)
    parquet.write(tmp_path / "b.parquet", table)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_every_flipped_byte_of_a_page_is_noticed(tmp_path, table):
    path = tmp_path / "a.parquet"
    parquet.write(path, table)
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    for position in rng.integers(4, len(good) // 2, 40):
        bad = bytearray(good)
        bad[position] ^= 0xFF
        path.write_bytes(bytes(bad))
        try:
            read = pa.concat_tables(parquet.row_groups(path))
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right, silence is not
        else:
            assert read.equals(table)


@pytest.mark.parametrize("length", [0, 3, 100, 2000])
def test_truncated_file_is_named_in_one_line(tmp_path, table, length):
    path = tmp_path / "a.parquet"
    parquet.write(path, table)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"a\.parquet: not a readable Parquet file") as caught:
        list(parquet.row_groups(path))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        parquet.column_names(tmp_path / "none.parquet")
