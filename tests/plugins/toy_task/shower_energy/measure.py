"""The stage performance: relative error of every estimator in bins of the true energy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ptmiss.core.io import atomic, parquet
from ptmiss.core.stats.bootstrap import copies, interval, streams
from ptmiss.core.tables import Row
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.skim import info
from shower_energy.settings import PerformanceSettings
from shower_energy.words import AXES, BASELINES, NETWORK, QUANTITIES, TABLE, TRUTH


def performance(
    estimates: Sequence[str], folds: FoldSettings, settings: PerformanceSettings, table: str
) -> None:
    """Write the table; estimates of several parts of a sample count together."""
    by_sample: dict[str, list[pa.Table]] = {}
    for path in estimates:
        with parquet.reading(path) as file:
            sample = info.read(file.schema_arrow, path, "run evaluate again", estimates=True).sample
            by_sample.setdefault(sample, []).append(file.read())
    rows: list[Row] = []
    for sample, tables in by_sample.items():
        whole = pa.concat_tables(tables)
        kept = np.isin(whole.column("fold").to_numpy(), folds.test)
        rows += _rows(sample, whole.filter(pa.array(kept)), settings)
    atomic.write_text(table, TABLE.csv(rows))


def _rows(sample: str, table: pa.Table, settings: PerformanceSettings) -> Iterator[Row]:
    column = {name: table.column(name).to_numpy() for name in table.column_names}
    state = streams(column["run"], column["lumi"], column["event"], settings.seed)
    weight = copies(state, settings.replicas).astype(np.float64)
    (axis,) = AXES
    for name in (NETWORK, *BASELINES):
        ratio = column[f"{name}_{TRUTH}"] / column[TRUTH]
        for low, high in itertools.pairwise(settings.energy_edges):
            inside = (column[TRUTH] >= low) & (column[TRUTH] < high)
            n = int(inside.sum())
            values = measured(ratio[inside], weight[inside]) if n else {}
            for quantity in QUANTITIES:
                numbers = (math.nan,) * 3
                if quantity in values:
                    numbers = (float(values[quantity][0]), *interval(values[quantity]))
                yield sample, name, axis, low, high, quantity, *numbers, n


def measured(ratio: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Return each quantity of estimate / truth, (n,), with weights (n, 1 + replicas)."""
    total = weight.sum(axis=0)
    mean = ratio @ weight / total
    square = np.square(ratio) @ weight / total
    return {"bias": mean - 1.0, "resolution": np.sqrt(np.maximum(square - mean**2, 0.0))}
