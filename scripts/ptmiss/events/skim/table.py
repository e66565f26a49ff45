"""A batch of repaired events as rows of the skim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ptmiss.core.ragged import Ragged, segment_sum, to_arrow
from ptmiss.events.columns import CANDIDATE_COLUMNS, WEIGHT, with_prefix
from ptmiss.events.folds import fold_of
from ptmiss.events.mets import STORED_METS
from ptmiss.events.readers.batch import EventBatch, Vector


class Derived(NamedTuple):
    """What the skim makes of events: weight, rho in GeV, n_jets of shape (n_events,), the boson and
    the lepton of a W, None for other selections; variations of the weight by name."""

    weight: np.ndarray
    rho: np.ndarray
    boson: Vector
    n_jets: np.ndarray
    lepton: Vector | None = None
    weights: Mapping[str, np.ndarray] = {}


def to_table(
    schema: pa.Schema, events: EventBatch, candidates: Ragged | None, derived: Derived
) -> pa.Table:
    """Return the rows of a batch; values that the input does not have, or not finite, are null.

    candidates: columns named as in the data model, without `cand_`; None for a
    schema that has none.
    """
    values: dict[str, np.ndarray | None] = {
        "run": events.run,
        "lumi": events.lumi,
        "event": events.event,
        "fold": fold_of(events.run, events.lumi, events.event),
        "weight": derived.weight,
        "n_pv": np.clip(events.n_pv, 0, 65535),
        "rho": derived.rho,
        "gen_ht": None,
        "n_jets": derived.n_jets,
        **{f"{WEIGHT}{name}": values for name, values in derived.weights.items()},
    }
    if events.gen_jets is not None:
        values["gen_ht"] = segment_sum(events.gen_jets["pt"], events.gen_jets.offsets)
    vectors = {
        "gen_met": events.gen_met,
        "boson": derived.boson,
        "lepton": derived.lepton,
    }
    vectors |= {f"stored_{name}": events.stored.get(name) for name in STORED_METS}
    vectors |= {f"stored_{name}": vector for name, vector in events.shifts.items()}
    for name, vector in vectors.items():
        values[f"{name}_px"] = None if vector is None else vector.px
        values[f"{name}_py"] = None if vector is None else vector.py
    columns, lists = [], None if candidates is None else with_prefix(candidates)
    for field in schema:
        if lists is not None and field.name in CANDIDATE_COLUMNS:
            flat = lists[field.name]
            columns.append(to_arrow(flat, lists.offsets, field.type.value_type))
        else:
            columns.append(_column(values[field.name], field, events.n_events))
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: np.ndarray | None, field: pa.Field, n: int) -> pa.Array:
    if values is None:
        return pa.nulls(n, field.type)
    kind = field.type.to_pandas_dtype()
    if not field.nullable:
        return pa.array(values.astype(kind), type=field.type)
    with np.errstate(over="ignore", invalid="ignore"):
        small = values.astype(kind)
    return pa.array(small, type=field.type, mask=~np.isfinite(small))
