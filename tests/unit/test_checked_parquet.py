"""Estimates, skims and datasets with other columns, types, lists and descriptions."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import performance_toys
from ptmiss.core.io import parquet
from ptmiss.learn.data import dataset
from ptmiss.tasks.met.estimators.table import event_columns
from ptmiss.tasks.met.interpretation import chosen as events
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.performance.stream import sources
from refusals import refused
from toys import toy_skim

SMALL = {"pileup": 1.0, "per_collision": 5.0, "per_hard": 5.0}


def estimates(path):
    (source,) = sources([path], [])
    return list(source.chunks((6, 7, 8, 9), 1))


@pytest.fixture
def table(tmp_path) -> pa.Table:
    performance_toys.write(tmp_path / "good.parquet", performance_toys.toy(50))
    return pq.read_table(tmp_path / "good.parquet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace_schema_metadata(None), "does not say its sample"),
        (lambda t: t.replace_schema_metadata({b"\xff": b"x"}), "not a readable Parquet file"),
        (lambda t: t.replace_schema_metadata({**t.schema.metadata, b"label": b"\xff"}), "readable"),
        (lambda t: t.rename_columns(["run", "run", *t.column_names[2:]]), "the same name"),
        (lambda t: _set(t, "pf_px", pa.array(["x"] * 50)), "column pf_px has type string"),
        (lambda t: _set(t, "pf_px", pa.nulls(50, pa.float64())), "pf_px has .* empty values"),
        (lambda t: _set(t, "fold", pa.nulls(50)), "column fold has type null"),
        (lambda t: _set(t, "n_pv", pa.array([1 << 40] * 50)), "n_pv reaches from"),
        (lambda t: _set(t, "event", pa.array([1.5] * 50)), "column event has type double"),
    ],
)
def test_estimates_with_other_columns_or_descriptions(tmp_path, table, change, says):
    path = tmp_path / "bad.parquet"
    pq.write_table(change(table), path)
    refused(path, estimates, says)


def _set(table: pa.Table, name: str, values) -> pa.Table:
    at = table.column_names.index(name)
    values = values.slice(0, len(table))
    return table.set_column(at, pa.field(name, values.type), values)


def test_skims_whose_lists_differ(tmp_path):
    toy_skim(tmp_path / "good.parquet", 10, **SMALL)
    table = pq.read_table(tmp_path / "good.parquet")
    lists = table.column("cand_eta").to_pylist()
    lists[0] = lists[0][:-1]
    path = tmp_path / "bad.parquet"
    kind = table.schema.field("cand_eta").type
    pq.write_table(_set(table, "cand_eta", pa.array(lists, kind)), path)

    def read(path):
        (sample,) = events.samples([path])
        return list(events.read(events.choose(sample, range(10), 5), True))

    assert len(read(tmp_path / "good.parquet")) == 1
    refused(path, read, "other numbers of candidates")
    lists[0] = [*lists[0], None]
    pq.write_table(_set(table, "cand_eta", pa.array(lists, pa.list_(pa.float32()))), path)
    refused(path, read, "column cand_eta has type")


def test_a_skim_with_a_column_of_another_type(tmp_path):
    toy_skim(tmp_path / "good.parquet", 5, **SMALL)
    table = pq.read_table(tmp_path / "good.parquet")
    path = tmp_path / "bad.parquet"
    pq.write_table(_set(table, "n_jets", pa.array(["x"] * 5)), path)

    def read(path):
        with parquet.reading(path) as file:
            return event_columns(file.schema_arrow, path)

    refused(path, read, "column n_jets has type string, expected uint8")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("continuous", b"x" * 31, "not 32 bytes for each candidate"),
        ("categories", b"\xff" * 6, "no such code"),
        ("n_candidates", -2, "not 32 bytes"),
        ("weight", None, "empty values"),
    ],
)
def test_a_dataset_whose_rows_do_not_fit(tmp_path, name, value, says):
    row = {
        "key": 1, "sample": 0, "weight": 1.0, "truth_px": 0.0, "truth_py": 0.0, "pinned_px": 0.0,
        "pinned_py": 0.0, "n_candidates": 2, "continuous": b"\0" * 64, "categories": b"\0" * 6,
    }  # fmt: skip
    path = tmp_path / "d.parquet"
    pq.write_table(pa.Table.from_pylist([row], schema=dataset.schema(TASK.dataset)), path)
    assert [group.n_events for group in dataset.groups(path, TASK.dataset)] == [1]
    schema = pa.schema([field.with_nullable(True) for field in dataset.schema(TASK.dataset)])
    pq.write_table(pa.Table.from_pylist([row | {name: value}], schema=schema), path)
    refused(path, lambda path: list(dataset.groups(path, TASK.dataset)), says)


# Corrections
