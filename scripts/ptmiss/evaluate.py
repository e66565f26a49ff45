"""From a skim to the pTmiss of every estimator, one row group at a time."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ptmiss.columns import CANDIDATE_COLUMNS, skim_schema
from ptmiss.errors import UserError
from ptmiss.estimators.classical import (
    COLUMNS,
    MOMENTUM_COLUMNS,
    candidate_weights,
    missing_momentum,
    transverse_momentum,
)
from ptmiss.io import parquet
from ptmiss.ragged import Ragged, from_arrow, to_arrow
from ptmiss.settings.evaluate import EvaluateSettings

VARIATIONS = ("nominal",)
"""Variations of the candidates that can be evaluated."""

IDENTITY = ("run", "lumi", "event")
"""Event columns that the file of per-candidate weights repeats."""

_LOG = logging.getLogger(__name__)


def evaluate(
    skim: str | os.PathLike[str],
    training: str,
    variation: str,
    settings: EvaluateSettings,
    estimates: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
) -> dict[str, int]:
    """Compute pTmiss with every estimator for every event of a skim.

    Writes `estimates` (event columns of the skim, `{estimator}_px` and `_py` in GeV, float64, then
    the stored METs) and, if asked for, `weights`: run, lumi, event and a list `{estimator}_weight`
    in the order of the skim's candidates. Returns the number of events and, per estimator, of
    events whose result is not finite. Raises `UserError` for a file that is not a skim.
    """
    if variation not in VARIATIONS:
        raise UserError(f"variation {variation!r}: not known; allowed: {', '.join(VARIATIONS)}")
    with parquet.reading(skim) as file:
        schema = file.schema_arrow
    names = _usable(settings.estimators, schema, skim)
    needed = _candidate_columns(names)
    event_columns = _event_columns(schema, skim)
    out_schema = _estimates_schema(schema, event_columns, names, training, variation)
    counts = dict.fromkeys(("events", *names), 0)
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(parquet.writing(estimates, out_schema))
        weight_writer = None
        if weights is not None:
            weight_schema = _weights_schema(schema, names, out_schema.metadata)
            weight_writer = stack.enter_context(parquet.writing(weights, weight_schema))
        for table in parquet.row_groups(skim, [*event_columns, *needed]):
            candidates = from_arrow(table, needed)
            results, per_candidate = _estimate(candidates, names)
            counts["events"] += table.num_rows
            for name in names:
                finite = np.isfinite(results[f"{name}_px"]) & np.isfinite(results[f"{name}_py"])
                counts[name] += int(np.count_nonzero(~finite))
            _append(writer, table, results)
            if weight_writer is not None:
                _append_weights(weight_writer, table, per_candidate, candidates.offsets)
    for name in names:
        if counts[name]:
            _LOG.warning("%s: %d events of %s are not finite", skim, counts[name], name)
    _LOG.info("%s: %d events, estimators %s", estimates, counts["events"], ", ".join(names))
    return counts


def _usable(
    estimators: Sequence[str], schema: pa.Schema, skim: str | os.PathLike[str]
) -> list[str]:
    """Return the estimators whose candidate columns exist; only the truth may be absent."""
    names = []
    for name in estimators:
        if name == "oracle" and "cand_truth" not in schema.names:
            _LOG.info("%s: no cand_truth, so there is no oracle for this sample", skim)
            continue
        names.append(name)
    if not names:
        raise UserError(
            f"{skim}: none of the estimators {', '.join(estimators)} can be computed from it"
            " (oracle needs cand_truth); add another to evaluate.estimators"
        )
    return names


def _candidate_columns(names: Sequence[str]) -> list[str]:
    wanted = {column for name in names for column in COLUMNS[name]} | set(MOMENTUM_COLUMNS)
    return [column for column in CANDIDATE_COLUMNS if column in wanted]


def _event_columns(schema: pa.Schema, skim: str | os.PathLike[str]) -> list[str]:
    """Return the names of the event columns; every column of the data model must be there."""
    expected = skim_schema(has_truth="cand_truth" in schema.names)
    for field in expected:
        if field.name not in schema.names:
            raise UserError(f"{skim}: column {field.name} is missing, so this is not a skim")
        found = schema.field(field.name).type
        if found != field.type:
            raise UserError(
                f"{skim}: column {field.name} has type {found}, expected {field.type};"
                " make the skim again"
            )
    return [name for name in expected.names if name not in CANDIDATE_COLUMNS]


def _estimates_schema(
    schema: pa.Schema,
    event_columns: Sequence[str],
    names: Sequence[str],
    training: str,
    variation: str,
) -> pa.Schema:
    """Return the schema of estimates; it carries what the skim says of itself and two names."""
    stored = [name for name in event_columns if name.startswith("stored_")]
    fields = [schema.field(name) for name in event_columns if name not in stored]
    for name in names:
        for axis in "xy":
            meaning = {"meaning": f"pTmiss of {name} along {axis} in GeV"}
            field = pa.field(f"{name}_p{axis}", pa.float64(), nullable=False, metadata=meaning)
            fields.append(field)
    fields += [schema.field(name) for name in stored]
    metadata = {
        key.decode(): value.decode()
        for key, value in (schema.metadata or {}).items()
        if not key.startswith((b"ARROW", b"pandas"))
    }
    return pa.schema(fields, metadata={**metadata, "training": training, "variation": variation})


def _weights_schema(
    schema: pa.Schema, names: Sequence[str], metadata: dict[bytes, bytes]
) -> pa.Schema:
    item = pa.list_(pa.field("item", pa.float32(), nullable=False))
    fields = [schema.field(name) for name in IDENTITY]
    fields += [pa.field(f"{name}_weight", item, nullable=False) for name in names]
    return pa.schema(fields, metadata=metadata)


def _estimate(
    candidates: Ragged, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the result columns (n_events,) and the weights (n_candidates,) per estimator."""
    momentum = transverse_momentum(candidates)
    results, per_candidate = {}, {}
    for name in names:
        per_candidate[name] = candidate_weights(name, candidates)
        px, py = missing_momentum(momentum, per_candidate[name], candidates.offsets)
        results[f"{name}_px"], results[f"{name}_py"] = px, py
    return results, per_candidate


def _append(writer: pq.ParquetWriter, table: pa.Table, results: dict[str, np.ndarray]) -> None:
    columns = [
        pa.array(results[field.name]) if field.name in results else table.column(field.name)
        for field in writer.schema
    ]
    writer.write_table(pa.Table.from_arrays(columns, schema=writer.schema))


def _append_weights(
    writer: pq.ParquetWriter,
    table: pa.Table,
    per_candidate: dict[str, np.ndarray],
    offsets: np.ndarray,
) -> None:
    columns = [table.column(name) for name in IDENTITY]
    columns += [
        to_arrow(per_candidate[field.name.removesuffix("_weight")], offsets, pa.float32())
        for field in writer.schema
        if field.name.endswith("_weight")
    ]
    writer.write_table(pa.Table.from_arrays(columns, schema=writer.schema))
