"""A skim that holds features of neighbours, and one that does not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ptmiss.core.ragged import from_arrow
from ptmiss.events.columns import (
    CANDIDATE_COLUMNS,
    layout_of,
    skim_schema,
    with_neighbours,
    without_prefix,
)
from ptmiss.events.objects.neighbours import INPUTS, NAMES, VERSION, neighbour_features
from ptmiss.tasks.met.estimators.table import event_columns
from skims import skim
from toys import write_pfnano

COLUMNS = [f"cand_nb_{name}" for name in NAMES]


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[pa.Table, pa.Table]:
    """The same events without and with the features; muons of Z are pinned, 60 candidates kept."""
    folder = tmp_path_factory.mktemp("skims")
    write_pfnano(folder / "a.root", 30, pileup=5.0)
    limit = {"max_candidates": 60, "chunk_events": 7}
    plain, full = (
        skim(folder / "a.root", folder / str(wanted), {"neighbours": wanted, **limit}).table
        for wanted in (False, True)
    )
    return plain, full


def test_off_there_is_nothing(tables):
    plain, _ = tables
    assert not {*COLUMNS} & {*plain.schema.names}
    assert b"neighbours" not in plain.schema.metadata


def test_on_there_are_18_columns_more_and_their_version(tables):
    plain, full = tables
    assert full.schema.names == [*plain.schema.names, *COLUMNS]
    assert full.schema.metadata[b"neighbours"] == str(VERSION).encode() == b"1"
    assert full.select(plain.schema.names).equals(plain)
    assert full.schema.equals(layout_of(full.schema.names))
    assert {*COLUMNS} <= {*CANDIDATE_COLUMNS}


def test_they_are_those_of_the_candidates_that_are_kept(tables):
    _, full = tables
    names = [f"cand_{name}" for name in (*INPUTS, "pinned")]
    candidates = without_prefix(from_arrow(full, names))
    assert candidates["pinned"].any()
    stored = np.stack([from_arrow(full, [name])[name] for name in COLUMNS], axis=1)
    assert np.array_equal(stored, neighbour_features(candidates, candidates["pinned"]))
    assert not np.array_equal(
        stored, neighbour_features(candidates, np.zeros_like(candidates["pinned"]))
    )


def test_each_column_has_its_own_feature(tables):
    _, full = tables
    candidates = from_arrow(full, ["cand_pt"])
    features = np.arange(18.0) + np.zeros((len(candidates["cand_pt"]), 1))
    columns = with_neighbours(candidates, features).columns
    assert [int(columns[f"nb_{name}"][0]) for name in NAMES] == list(range(18))


def test_estimates_are_made_of_such_a_skim_too(tables):
    plain, full = tables
    assert event_columns(full.schema, "a") == event_columns(plain.schema, "a")


def test_the_default_schema_has_none():
    assert not {*COLUMNS} & {*skim_schema(True, "standard").names}
