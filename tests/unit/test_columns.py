from __future__ import annotations

import pyarrow as pa

from ptmiss.columns import CANDIDATE_COLUMNS, STORED_METS, skim_schema


def test_schema_is_the_published_data_model():
    schema = skim_schema(has_truth=True)
    assert schema.field("run").type == pa.uint32()
    assert schema.field("event").type == pa.uint64()
    assert schema.field("weight").type == pa.float64()
    assert schema.field("cand_pdg_id").type.value_type == pa.int16()
    assert schema.field("cand_pinned").type.value_type == pa.bool_()
    assert all(f"stored_{name}_px" in schema.names for name in STORED_METS)
    assert all(name in schema.names for name in CANDIDATE_COLUMNS)
    assert len(schema.names) == len(set(schema.names)) == 13 + 12 + 12


def test_truth_column_only_where_there_is_truth():
    assert "cand_truth" not in skim_schema(has_truth=False).names
    assert "cand_truth" in skim_schema(has_truth=True).names


def test_every_column_says_what_it_means():
    assert all(field.metadata[b"meaning"] for field in skim_schema(has_truth=True))
