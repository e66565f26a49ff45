"""The files that evaluate writes: estimates per event, and weights per candidate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import to_arrow
from ptmiss.events.columns import CANDIDATE_COLUMNS, IDENTITY, OTHER_FLAVOUR, PUPPI, skim_schema

NOMINAL = "nominal"
"""The variation that changes nothing."""


def event_columns(schema: pa.Schema, skim: str | os.PathLike[str]) -> list[str]:
    """Return the names of a skim's event columns; every column of the data model must be there.

    Raises `UserError` naming the first column that is missing or of another type.
    """
    other = next((key for key in OTHER_FLAVOUR if f"{PUPPI}_{key}" in schema.names), None)
    expected = skim_schema("cand_truth" in schema.names, other)
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


def estimates_schema(
    schema: pa.Schema,
    events: Sequence[str],
    names: Sequence[str],
    training: str,
    variation: str,
) -> pa.Schema:
    """Return the schema of estimates: event columns, two columns an estimator, stored METs.

    schema: of the skim, whose description is carried on; events: its event columns; names: of the
    estimators.
    """
    stored = [name for name in events if name.startswith("stored_")]
    fields = [schema.field(name) for name in events if name not in stored]
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
