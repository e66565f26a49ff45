"""The files that evaluate writes: estimates per event, and weights per candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import to_arrow
from ptmiss.events.columns import (
    CANDIDATE_COLUMNS,
    IDENTITY,
    OTHER_FLAVOUR,
    PUPPI,
    content_of,
    skim_schema,
)
from ptmiss.learn.features import EstimateColumn

ESTIMATORS = "estimators"
"""Metadata: name of each estimator -> its columns and their units, as JSON."""

NOMINAL = "nominal"
"""The variation that changes nothing."""


def event_columns(schema: pa.Schema, skim: PathLike) -> list[str]:
    """Return the names of a skim's event columns; every column of the data model must be there.

    Raises `UserError` naming the first column that is missing or of another type.
    """
    other = next((key for key in OTHER_FLAVOUR if f"{PUPPI}_{key}" in schema.names), None)
    expected = skim_schema("cand_truth" in schema.names, other, content_of(schema))
    for field in expected:
        if field.name not in schema.names:
            raise UserError(f"{skim}: column {field.name} is missing, so this is not a skim")
        kind = schema.field(field.name).type
        if kind != field.type:
            raise UserError(
                f"{skim}: column {field.name} has type {kind}, expected {field.type};"
                " make the skim again"
            )
    return [name for name in expected.names if name not in CANDIDATE_COLUMNS]


def estimates_schema(
    schema: pa.Schema,
    events: Sequence[str],
    estimators: Mapping[str, Sequence[EstimateColumn]],
    training: str,
    variation: str,
) -> pa.Schema:
    """Return the schema of estimates: event columns, those of each estimator, stored METs.

    schema: of the skim, whose description is carried on; events: its event columns; estimators:
    name -> its columns, which the file declares, see `declared`.
    """
    stored = [name for name in events if name.startswith("stored_")]
    fields = [schema.field(name) for name in events if name not in stored]
    for name, columns in estimators.items():
        for column in columns:
            meaning = {"meaning": _meaning(name, column)}
            full = f"{name}_{column.name}"
            fields.append(pa.field(full, pa.float64(), nullable=False, metadata=meaning))
    fields += [schema.field(name) for name in stored]
    metadata = {
        key.decode(): value.decode()
        for key, value in (schema.metadata or {}).items()
        if not key.startswith((b"ARROW", b"pandas"))
    }
    own = {"training": training, "variation": variation, ESTIMATORS: declaration(estimators)}
    return pa.schema(fields, metadata={**metadata, **own})


def _meaning(estimator: str, column: EstimateColumn) -> str:
    if column.name in ("px", "py"):
        return f"pTmiss of {estimator} along {column.name[1]} in {column.unit}"
    return f"{column.name} of {estimator} in {column.unit}"


def declaration(estimators: Mapping[str, Sequence[EstimateColumn]]) -> str:
    """Return what a file of estimates says under the key `ESTIMATORS`."""
    values = {
        name: [[column.name, column.unit] for column in columns]
        for name, columns in estimators.items()
    }
    return json.dumps(values)


def declared(
    schema: pa.Schema, path: PathLike, remedy: str
) -> dict[str, tuple[EstimateColumn, ...]]:
    """Return the columns `{estimator}_{name}` that a file of estimates declares, by estimator.

    Raises `UserError` with the remedy for a file that declares none, and for one that lacks a
    column that it declares.
    """
    try:
        values = json.loads((schema.metadata or {})[ESTIMATORS.encode()])
        estimators = {
            str(name): tuple(EstimateColumn(name=n, unit=unit) for n, unit in columns)
            for name, columns in values.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise UserError(f"{path}: does not say which estimates it holds; {remedy}") from None
    for name, columns in estimators.items():
        for column in columns:
            if f"{name}_{column.name}" not in schema.names:
                raise UserError(
                    f"{path}: column {name}_{column.name} is missing, which it declares; {remedy}"
                )
    return estimators


def weights_schema(
    schema: pa.Schema, names: Sequence[str], metadata: Mapping[bytes, bytes]
) -> pa.Schema:
    """Return the schema of candidate weights: identity, and a list `{estimator}_weight` each."""
    item = pa.list_(pa.field("item", pa.float32(), nullable=False))
    fields = [schema.field(name) for name in IDENTITY]
    fields += [pa.field(f"{name}_weight", item, nullable=False) for name in names]
    return pa.schema(fields, metadata=dict(metadata))


def estimates_table(
    schema: pa.Schema, skim: pa.Table, results: Mapping[str, np.ndarray]
) -> pa.Table:
    """Return the estimates of a row group; results: column name -> float64 (n_events,)."""
    columns = [
        pa.array(results[name]) if name in results else skim.column(name) for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def weights_table(
    schema: pa.Schema, skim: pa.Table, weights: Mapping[str, np.ndarray], offsets: np.ndarray
) -> pa.Table:
    """Return the weights of a row group; weights: estimator -> (n_candidates,)."""
    columns = [skim.column(name) for name in IDENTITY]
    for name in schema.names[len(IDENTITY) :]:
        columns.append(to_arrow(weights[name.removesuffix("_weight")], offsets, pa.float32()))
    return pa.Table.from_arrays(columns, schema=schema)
