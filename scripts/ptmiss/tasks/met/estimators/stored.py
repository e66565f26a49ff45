"""The METs that an input stores as estimators: of files without candidates they are all there is.

There they have their own names (`pf`, `puppi`, `deepmet_resolution` ...). Where an input has
candidates, `pf` and `puppi` are sums over these, and its METs are called `stored_pf` and so on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.events.columns import Content, content_of, layout_of
from ptmiss.tasks.met.estimators import table
from ptmiss.tasks.met.features import ESTIMATE

STORED = "stored_"
"""What the names of stored METs begin with where there are candidates."""

_LOG = logging.getLogger(__name__)


def evaluate_stored(
    skim: PathLike, schema: pa.Schema, training: str, estimates: PathLike
) -> dict[str, int]:
    """Write the stored METs of a skim without candidates as estimates.

    Columns: those of an event, `{estimator}_px` and `_py` in GeV, float64, NaN where the input has
    no finite number, then `{estimator}_{shift}_px` and `_py` of those that the input has varied.
    Returns the number of events and, per estimator, of events whose result is not finite. Raises
    `UserError` for a file that is not a skim or holds no MET.
    """
    content = content_of(schema)
    events = table.event_columns(schema, skim)
    with parquet.reading(skim) as file:
        rows = file.metadata.num_rows
    if rows and not content.stored:
        raise UserError(
            f"{skim}: neither candidates nor stored METs, so there is no estimator; make the skim"
            " again from files with one of them"
        )
    own = [name for name in events if not name.startswith(STORED)]
    wanted = _columns(content)
    out = table.estimates_schema(
        schema, own, dict.fromkeys(content.stored, ESTIMATE), training, table.NOMINAL
    )
    for name in wanted:
        if name not in out.names:
            meaning = schema.field(f"{STORED}{name}").metadata
            out = out.append(pa.field(name, pa.float64(), nullable=False, metadata=meaning))
    columns = [*own, *(f"{STORED}{name}" for name in wanted)]
    counts = dict.fromkeys(("events", *content.stored), 0)
    with parquet.writing(estimates, out) as writer:
        for group in parquet.row_groups(skim, columns, layout_of(columns)):
            results = {name: parquet.float64(group, f"{STORED}{name}") for name in wanted}
            counts["events"] += group.num_rows
            for name in content.stored:
                counts[name] += _not_finite(results, name)
            writer.write_table(table.estimates_table(out, group, results))
    _LOG.info("%s: no candidates; %d events of stored METs", skim, counts["events"])
    for name in content.stored:
        if counts[name]:
            _LOG.warning("%s: %d events of %s are not finite", skim, counts[name], name)
    return counts


def _columns(content: Content) -> list[str]:
    return [f"{name}_p{axis}" for name in (*content.stored, *content.shifts) for axis in "xy"]


def _not_finite(results: Mapping[str, np.ndarray], name: str) -> int:
    finite = np.isfinite(results[f"{name}_px"]) & np.isfinite(results[f"{name}_py"])
    return int(np.count_nonzero(~finite))
