"""From a skim to estimates."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import LIMITS, pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.io.manifest import record_of
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators.evaluate import Models, check_finite, evaluate, external_models
from ptmiss.tasks.met.estimators.table import declaration, declared
from ptmiss.tasks.met.features import ESTIMATE
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from toys import met_of, toy_skim

BOUNDS = ModelLimits(**LIMITS)
ALL = EvaluateSettings(estimators=("pf", "chs", "puppi", "oracle"), external={}, limits=BOUNDS)
SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}


@pytest.fixture
def skim(tmp_path: Path) -> Path:
    path = tmp_path / "skim.parquet"
    toy_skim(path, n_events=30, rows_per_group=7, **SMALL)
    return path


def run(skim: Path, settings: EvaluateSettings = ALL, variation: str = "nominal") -> pa.Table:
    out = skim.with_name("estimates.parquet")
    evaluate(skim, "zmumu", variation, settings, out)
    return pq.read_table(out)


def rewrite(skim: Path, table: pa.Table) -> None:
    parquet.write(skim, table)


def test_estimates_of_streamed_groups_equal_the_sums_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "skim.parquet"
    toy = toy_skim(path, n_events=30, rows_per_group=7, **SMALL)
    table = run(path)
    for name, weights in (("pf", None), ("puppi", "puppi"), ("oracle", "truth")):
        px, py = met_of(toy, None if weights is None else toy.candidates[weights])
        np.testing.assert_allclose(table[f"{name}_px"], px, atol=1e-9)
        np.testing.assert_allclose(table[f"{name}_py"], py, atol=1e-9)
    assert not np.allclose(table["chs_px"], table["pf_px"], atol=0.1)


def test_order_of_the_columns_their_types_and_the_description(skim: Path) -> None:
    table = run(skim)
    names = table.column_names
    assert names[:5] == ["run", "lumi", "event", "fold", "weight"]
    start = names.index("pf_px")
    assert names[start - 1] == "n_jets"
    expected = [f"{name}_p{axis}" for name in ALL.estimators for axis in "xy"]
    assert names[start : start + 8] == expected
    assert all(name.startswith("stored_") for name in names[start + 8 :])
    assert table.schema.field("pf_px").type == pa.float64()
    assert table.schema.field("stored_pf_px").type == pa.float32()
    assert {key.decode(): value.decode() for key, value in table.schema.metadata.items()} == {
        "sample": "toy", "part": "0", "source": "simulated", "label": "Toy", "has_truth": "true",
        "is_data": "false", "sqrt_s": "13", "training": "zmumu", "variation": "nominal",
        "puppi_flavour": "no_lepton",
        "estimators": declaration(dict.fromkeys(ALL.estimators, ESTIMATE)),
    }  # fmt: skip


def test_event_columns_and_stored_mets_are_those_of_the_skim(skim: Path) -> None:
    table, source = run(skim), pq.read_table(skim)
    for name in [name for name in table.column_names if name in source.column_names]:
        assert table[name].equals(source[name]), name
    np.testing.assert_allclose(table["pf_px"], table["stored_raw_pf_px"], atol=1e-3)


def test_row_groups_stay_as_small_as_in_the_skim(skim: Path) -> None:
    run(skim)
    assert pq.ParquetFile(skim.with_name("estimates.parquet")).num_row_groups == 5


def test_without_truth_there_is_no_oracle_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "skim.parquet"
    toy_skim(path, n_events=5, is_data=True, **SMALL)
    with caplog.at_level(logging.INFO):
        table = run(path)
    assert "oracle_px" not in table.column_names
    assert "pf_px" in table.column_names
    assert table["gen_met_px"].null_count == 5
    assert "no oracle" in caplog.text


def test_only_the_oracle_of_a_sample_without_truth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "skim.parquet"
    toy_skim(path, n_events=5, has_truth=False, **SMALL)
    with pytest.raises(UserError, match="oracle"):
        run(
            path,
            EvaluateSettings(estimators=("oracle",), external={}, limits=BOUNDS),
        )
    assert not path.with_name("estimates.parquet").exists()


@pytest.mark.parametrize("keep_group", [True, False])
def test_an_empty_skim_gives_empty_estimates(skim: Path, keep_group: bool) -> None:
    table = pq.read_table(skim).slice(0, 0)
    with parquet.writing(skim, table.schema) as writer:
        if keep_group:
            writer.write_table(table)
    result = run(skim)
    assert result.num_rows == 0
    assert "oracle_py" in result.column_names


def test_an_event_without_candidates_gives_zero(skim: Path) -> None:
    table = pq.read_table(skim)
    columns = []
    for field in table.schema:
        values = table[field.name].to_pylist()
        if field.name.startswith("cand_"):
            values[3] = []
        columns.append(pa.array(values, field.type))
    rewrite(skim, pa.Table.from_arrays(columns, schema=table.schema))
    result = run(skim)
    assert result["pf_px"][3].as_py() == 0.0
    assert result["pf_px"][4].as_py() != 0.0


def test_events_that_are_not_finite_are_counted_and_kept(
    skim: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pq.read_table(skim)
    values = table["cand_pt"].to_pylist()
    values[2][0] = float("nan")
    place = table.schema.get_field_index("cand_pt")
    field = table.schema.field("cand_pt")
    rewrite(skim, table.set_column(place, field, pa.array(values, field.type)))
    out = skim.with_name("estimates.parquet")
    counts = evaluate(skim, "zmumu", "nominal", ALL, out)
    assert counts == {"events": 30, "pf": 1, "chs": 1, "puppi": 1, "oracle": 1}
    assert "1 events of pf are not finite" in caplog.text
    assert pq.read_table(out).num_rows == 30


def test_weights_are_those_of_the_candidates_in_the_skims_order(skim: Path) -> None:
    out = skim.with_name("weights.parquet")
    evaluate(skim, "zmumu", "nominal", ALL, skim.with_name("estimates.parquet"), weights=out)
    weights, source = pq.read_table(out), pq.read_table(skim)
    assert weights.column_names[:3] == ["run", "lumi", "event"]
    assert weights["puppi_weight"].to_pylist() == source["cand_puppi"].to_pylist()
    assert weights["pf_weight"][0].as_py() == [1.0] * len(source["cand_pt"][0])


@pytest.mark.parametrize(
    ("column", "kind", "text"),
    [
        ("cand_from_pv", None, "cand_from_pv is missing"),
        ("n_pv", pa.int64(), "n_pv has type int64"),
        ("cand_puppi_standard", pa.list_(pa.float64()), "cand_puppi_standard has type list"),
    ],
)
def test_what_is_not_a_skim_is_refused_in_one_line(
    skim: Path, column: str, kind: pa.DataType | None, text: str
) -> None:
    table = pq.read_table(skim)
    place = table.schema.get_field_index(column)
    changed = (
        table.remove_column(place)
        if kind is None
        else table.set_column(place, column, table[column].cast(kind))
    )
    rewrite(skim, changed)
    with pytest.raises(UserError, match=text) as caught:
        run(skim)
    assert str(skim) in str(caught.value)
    assert not skim.with_name("estimates.parquet").exists()


def test_a_variation_that_would_change_nothing_is_refused(skim: Path) -> None:
    with pytest.raises(UserError, match="scale_up"):
        run(skim, variation="scale_up")


def test_a_damaged_skim_leaves_nothing_behind(skim: Path) -> None:
    group = pq.ParquetFile(skim).metadata.row_group(2)
    chunks = [group.column(i) for i in range(group.num_columns)]
    pt = next(chunk for chunk in chunks if chunk.path_in_schema.startswith("cand_pt."))
    content = bytearray(skim.read_bytes())
    content[pt.data_page_offset + pt.total_compressed_size // 2] ^= 0xFF
    skim.write_bytes(content)
    record_of(skim).unlink()  # so that the damage shows in the middle of the work
    with pytest.raises(UserError, match=r"skim\.parquet"):
        run(skim)
    assert [path.name for path in skim.parent.iterdir()] == ["skim.parquet"]


def test_the_same_skim_gives_the_same_bytes(skim: Path) -> None:
    run(skim)
    first = skim.with_name("estimates.parquet").read_bytes()
    run(skim)
    assert skim.with_name("estimates.parquet").read_bytes() == first


def test_an_estimator_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        EvaluateSettings(estimators=("pf", "pf"), external={}, limits=BOUNDS)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "pf.onnx"
    path.write_bytes(pf_model().SerializeToString())
    return path


def test_models_are_estimators_beside_the_classical_ones(
    skim: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out, weights = skim.with_name("estimates.parquet"), skim.with_name("weights.parquet")
    fixed = model.with_name("fixed.onnx")
    fixed.write_bytes(pf_model(1, 4500).SerializeToString())
    models = Models(model, {"theirs": fixed}, threads=1)
    with caplog.at_level(logging.INFO):
        counts = evaluate(skim, "zmumu", "nominal", ALL, out, models, weights)
    table = pq.read_table(out)
    names = table.column_names
    assert names.index("deepmet_px") == names.index("oracle_py") + 1
    for name in ("deepmet", "theirs"):
        for axis in "xy":
            np.testing.assert_allclose(
                table[f"{name}_p{axis}"], table[f"pf_p{axis}"].to_numpy(), atol=2e-4
            )
    assert counts["deepmet"] == counts["theirs"] == 0
    assert "theirs_weight" not in pq.read_schema(weights).names
    assert "pf.onnx does not give weights" in caplog.text
    assert "repaired for theirs: none" in caplog.text


def test_a_model_that_is_not_accepted_leaves_nothing_behind(skim: Path, model: Path) -> None:
    model.write_bytes(b"no model")
    wrong = Models(None, {"x": model}, threads=1)
    with pytest.raises(UserError, match=r"pf\.onnx: not an ONNX file"):
        evaluate(skim, "t", "nominal", ALL, skim.with_name("e.parquet"), wrong)
    assert not skim.with_name("e.parquet").exists()


def test_external_models_of_settings_and_command_line_join() -> None:
    settings = EvaluateSettings(estimators=("pf",), external={"one": "a.onnx"}, limits=BOUNDS)
    assert external_models([], settings) == {"one": "a.onnx"}
    assert external_models(["two=b=c.onnx", "one=a.onnx"], settings) == {
        "one": "a.onnx", "two": "b=c.onnx",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a.onnx"], "expected NAME=FILE"),
        (["x="], "external.x"),
        (["pf=a.onnx"], "'pf' is taken"),
        (["stored_pf=a.onnx"], "is taken"),
        (["../up=a.onnx"], "pattern"),
        (["x=a.onnx", "x=b.onnx"], "given twice"),
    ],
)
def test_external_models_that_cannot_be(texts: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        external_models(texts, ALL)


@pytest.mark.parametrize(
    ("bad", "events", "ends"),
    [(1, 5, False), (10, 450, False), (11, 450, True), (3, 3, True), (1, 1, False),
     (20, 50_000, False), (60, 50_000, True)],
)  # fmt: skip
def test_single_events_of_a_small_part_do_not_end_a_run(tmp_path, bad, events, ends):
    """Before: one event of a last, small part did: the cut into jobs decided."""
    network = SimpleNamespace(model=SimpleNamespace(path="theirs.onnx"))
    limits = ModelLimits(**LIMITS)
    given = (tmp_path, {"events": events, "x": bad}, {"x": network}, limits)
    if ends:
        with pytest.raises(UserError, match=f"{bad} of {events} estimates of x"):
            check_finite(*given)
    else:
        check_finite(*given)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, "does not say which estimates it holds; run evaluate"),
        ({"estimators": "[1]"}, "does not say which"),
        ({"estimators": '{"pf": [["px", 3]]}'}, "does not say which"),
        ({"estimators": declaration({"pf": ESTIMATE})}, "column pf_py is missing, which it"),
    ],
)
def test_estimates_are_those_that_a_file_declares(metadata: dict[str, str], says: str) -> None:
    fields = [pa.field(name, pa.float64()) for name in ("pf_px", "mine_px", "mine_py")]
    with pytest.raises(UserError, match=says):
        declared(pa.schema(fields, metadata=metadata), "e.parquet", "run evaluate")
    mine = pa.schema(fields, metadata={"estimators": declaration({"mine": ESTIMATE})})
    assert declared(mine, "e.parquet", "") == {"mine": ESTIMATE}
