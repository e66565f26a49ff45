"""From CSV to Parquet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, csv, parquet
from ptmiss.core.io.text import read
from ptmiss.events.folds import fold_of
from shower_energy.settings import Sample
from shower_energy.words import LAYERS, TRUTH

COLUMNS = ("event", TRUTH, *LAYERS)


def skim(
    ntuples: Sequence[str], sample: str, part: str, spec: Sample, events: str, ledger: str
) -> None:
    """Write the showers of CSV files; raises `UserError` for what is no number."""
    values = [row for path in ntuples for row in _numbers(path)]
    table = {name: np.array([row[i] for row in values]) for i, name in enumerate(COLUMNS)}
    n = len(values)
    one, event = np.ones(n, np.uint32), table["event"].astype(np.uint64)
    columns = {
        "run": one,
        "lumi": one,
        "event": event,
        "fold": fold_of(one, one, event),
        "weight": np.ones(n),
        **{name: table[name].astype(np.float32) for name in (TRUTH, *LAYERS)},
    }
    fields = [
        pa.field(name, pa.from_numpy_dtype(array.dtype), nullable=False)
        for name, array in columns.items()
    ]
    about = {"sample": sample, "part": part, "label": spec.label, "is_data": "false"}
    parquet.write(events, pa.table(list(columns.values()), pa.schema(fields, metadata=about)))
    atomic.write_json(ledger, {"sample": sample, "part": part, "events": {"in": n, "kept": n}})


def _numbers(path: str) -> list[list[float]]:
    rows = []
    for line, row in csv.rows(read(path, "skim"), path, "skim", COLUMNS):
        try:
            rows.append([float(row[name]) for name in COLUMNS])
        except ValueError:
            raise UserError(f"{path} line {line}: not a number; correct the file") from None
    return rows
