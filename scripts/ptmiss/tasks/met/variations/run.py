"""The stage vary: from a skim to estimates of every variation, one row group at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, event_index, from_arrow, segment_sum
from ptmiss.events.columns import CANDIDATE_COLUMNS, IDENTITY, layout_of
from ptmiss.events.folds import in_folds
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.skim import info
from ptmiss.learn.features import EstimateColumn
from ptmiss.tasks.met.estimators import table
from ptmiss.tasks.met.estimators.evaluate import (
    Models,
    candidate_columns,
    check_finite,
    estimate_all,
    not_finite,
    usable,
)
from ptmiss.tasks.met.features import ESTIMATE
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.settings.vary import VarySettings
from ptmiss.tasks.met.variations.estimate import Varied
from ptmiss.tasks.met.variations.names import parse
from ptmiss.tasks.met.variations.shift import COLUMNS, shifts

BOSON_LEPTONS = {"zmumu": (13, 2), "zee": (11, 2), "wmunu": (13, 1), "wenu": (11, 1)}
"""Kind of selection -> PDG code of the leptons and how many of the leading ones make the boson."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sections:
    """Sections of the configuration that the stage reads."""

    settings: VarySettings
    evaluate: EvaluateSettings
    folds: FoldSettings


def vary(
    skim: PathLike,
    training: str,
    estimates: Mapping[str, PathLike],
    sections: Sections,
    models: Models,
) -> int:
    """Compute pTmiss with every estimator for every variation of the candidates of a skim.

    estimates: variation -> file to write, in the format of the stage evaluate; by the settings with
    the events of the test folds alone. Nothing but candidates moves, except that in the lepton
    scale the boson moves with its muons, which leaves the recoil where it is. Events are not
    selected anew. Returns the number of events. Raises `UserError` for an unknown variation, a file
    that is not a skim, recorded events, and a model that is not accepted.
    """
    settings, estimators = sections.settings, sections.evaluate
    for variation in estimates:
        parse(variation)
    with parquet.reading(skim) as file:
        schema = file.schema_arrow
    events = table.event_columns(schema, skim)
    about = info.read(schema, skim, "make the skim again")
    if about.is_data:
        raise UserError(
            f"{skim}: recorded events are not varied; take this sample out of vary.samples"
        )
    if not about.has_candidates:
        raise UserError(
            f"{skim}: has no candidates to move; stored METs have their own variations, which the"
            " stage uncertainty reads from nominal estimates"
        )
    fixed = usable(estimators.estimators, schema, skim)
    leptons = BOSON_LEPTONS.get(about.selection)
    with contextlib.ExitStack() as stack:
        networks = stack.enter_context(models.loaded(estimators, with_weights=False))
        for network in networks.values():
            network.read_from(schema, skim)
        wanted = {*candidate_columns(fixed, networks), *COLUMNS}
        needed = [column for column in CANDIDATE_COLUMNS if column in wanted]
        columns = [*events, *needed]
        counts = dict.fromkeys(("events", *networks), 0)
        writers = {}
        for variation, path in estimates.items():
            declared: dict[str, Sequence[EstimateColumn]] = dict.fromkeys(fixed, ESTIMATE)
            declared |= {name: network.columns for name, network in networks.items()}
            out = table.estimates_schema(schema, events, declared, training, variation)
            writers[variation] = stack.enter_context(parquet.writing(path, out)), out
        for group in parquet.row_groups(skim, columns, layout_of(columns)):
            if settings.folds == "test":
                kept = in_folds(group["fold"].to_numpy(), sections.folds.test)
                group = group.filter(pa.array(kept))
            if not group.num_rows:
                continue
            counts["events"] += group.num_rows
            candidates = from_arrow(group, needed)
            identity = event_hash(*(group[name].to_numpy() for name in IDENTITY))
            nominal, weights = estimate_all(candidates, fixed, networks)
            for name in networks:
                counts[name] += not_finite(nominal, name)
            varied = Varied(
                candidates, shifts(candidates, identity, settings), nominal, weights, networks
            )
            for variation, (writer, out) in writers.items():
                results, after, members = varied.estimate(variation)
                rows = group
                if parse(variation)[0] == "lepton_scale" and leptons:
                    rows = _with_boson(group, boson_shift(candidates, members, after, *leptons))
                writer.write_table(table.estimates_table(out, rows, results))
        check_finite(skim, counts, networks, estimators.limits)
    _LOG.info("%s: %d events varied in %d ways", skim, counts["events"], len(estimates))
    return counts["events"]


def boson_shift(
    candidates: Ragged, members: np.ndarray, after: Ragged, pdg_id: int, n_leptons: int
) -> np.ndarray:
    """Return by how much the leptons of the boson moved, GeV, shape (2, n_events).

    members: which candidates became `after`; the boson is of the `n_leptons` hardest of these that
    have the PDG code, whatever its sign.
    """
    old = candidates["cand_pt"][members].astype(np.float64)
    step = after["cand_pt"].astype(np.float64) - old
    owner = event_index(after.offsets)
    is_own = np.abs(after["cand_pdg_id"].astype(np.int64)) == pdg_id
    order = np.lexsort((-old, ~is_own, owner))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - after.offsets[owner[order]]
    step = np.where(is_own & (place < n_leptons), step, 0.0)
    phi = after["cand_phi"].astype(np.float64)
    return np.stack(
        [
            segment_sum(step * np.cos(phi), after.offsets),
            segment_sum(step * np.sin(phi), after.offsets),
        ]
    )


def _with_boson(group: pa.Table, shift: np.ndarray) -> pa.Table:
    """Return the rows with the boson moved, and with it the lepton of a W."""
    names = [name for name in ("boson", "lepton") if f"{name}_px" in group.column_names]
    moved = ((f"{name}_p{axis}", shift[k]) for name in names for k, axis in enumerate("xy"))
    for name, values in moved:
        place, field = group.schema.get_field_index(name), group.schema.field(name)
        column = group[name].combine_chunks()
        old = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = column.is_null().to_numpy(zero_copy_only=False)
        new = pa.array((old + values).astype(np.float32), type=field.type, mask=missing)
        group = group.set_column(place, field, new)
    return group
