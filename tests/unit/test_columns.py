from __future__ import annotations

import pyarrow as pa
import pytest

from ptmiss.core.errors import UserError
from ptmiss.events.columns import CANDIDATE_COLUMNS, NEIGHBOURS, puppi_column, skim_schema
from ptmiss.events.mets import STORED_METS


def test_schema_is_the_published_data_model():
    schema = skim_schema(has_truth=True)
    assert schema.field("run").type == pa.uint32()
    assert schema.field("event").type == pa.uint64()
    assert schema.field("weight").type == pa.float64()
    assert schema.field("cand_pdg_id").type.value_type == pa.int16()
    assert schema.field("cand_pinned").type.value_type == pa.bool_()
    assert all(f"stored_{name}_px" in schema.names for name in STORED_METS)
    flavours = {"cand_puppi_standard", "cand_puppi_no_lepton"}
    optional = {*flavours, *(f"cand_nb_{name}" for name in NEIGHBOURS)}
    assert {*schema.names, *optional} >= {*CANDIDATE_COLUMNS}
    assert len(schema.names) == len(set(schema.names)) == 13 + 12 + 12


def test_both_flavours_of_puppi_and_what_a_model_gets():
    schema = skim_schema(has_truth=False, other_puppi="standard")
    schema = schema.with_metadata({"puppi_flavour": "no_lepton"})
    assert schema.names[-1] == "cand_puppi_standard"
    assert puppi_column(schema, "no_lepton", "skim", "model") == "cand_puppi"
    assert puppi_column(schema, "standard", "skim", "model") == "cand_puppi_standard"
    assert puppi_column(schema, None, "skim", "model") == "cand_puppi"


def test_a_skim_without_the_wanted_flavour_is_refused():
    schema = skim_schema(has_truth=False).with_metadata({"puppi_flavour": "no_lepton"})
    with pytest.raises(UserError, match=r"a\.parquet.*m\.onnx wants 'standard'"):
        puppi_column(schema, "standard", "a.parquet", "m.onnx")
    with pytest.raises(UserError, match=r"a\.parquet: does not say which PUPPI"):
        puppi_column(skim_schema(has_truth=False), "standard", "a.parquet", "m.onnx")


def test_truth_column_only_where_there_is_truth():
    assert "cand_truth" not in skim_schema(has_truth=False).names
    assert "cand_truth" in skim_schema(has_truth=True).names


def test_every_column_says_what_it_means():
    assert all(field.metadata[b"meaning"] for field in skim_schema(has_truth=True))
