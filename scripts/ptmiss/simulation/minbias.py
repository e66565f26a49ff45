"""The library of minimum-bias collisions that are overlaid as pile-up, separated by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, from_arrow, to_arrow
from ptmiss.events.n_folds import N_FOLDS
from ptmiss.simulation.particles import is_invisible
from ptmiss.simulation.pythia import start
from ptmiss.simulation.record import BATCH, Record, concatenate, next_batch
from ptmiss.simulation.seeds import pythia_seed
from ptmiss.simulation.settings import SimulateSettings

PROCESS = ("SoftQCD:inelastic = on",)
"""Non-diffractive and diffractive collisions; elastic ones leave nothing in the detector."""

MAX_ABS_ETA = 5.2
"""Edge of the forward calorimeter (CMS, JINST 3 S08004, section 5.5)."""

MIN_PT = 0.1
"""GeV. What is softer are 19 % of the particles with 2.7 % of the scalar pT sum (measured)."""

_COLUMNS = {
    "pt": pa.float32(),
    "eta": pa.float32(),
    "phi": pa.float32(),
    "mass": pa.float32(),
    "pdg_id": pa.int32(),
    "charge": pa.int8(),
    "vx": pa.float32(),
    "vy": pa.float32(),
    "vz": pa.float32(),
}
"""Particle columns of the library; units as in `generator.Generated`."""

SCHEMA = pa.schema(
    [
        pa.field("collision", pa.uint32(), nullable=False),
        pa.field("fold", pa.uint8(), nullable=False),
        *(
            pa.field(name, pa.list_(pa.field("item", kind, nullable=False)), nullable=False)
            for name, kind in _COLUMNS.items()
        ),
    ]
)


@dataclass(frozen=True)
class MinBias:
    """A library in memory, ordered by collision.

    particles: columns pt, eta, phi, mass, vx, vy, vz (float32, GeV and cm), pdg_id (int32),
        charge (int8).
    collision: uint32 (n,), ascending; fold: uint8 (n,).
    collisions_of_fold: for each of the ten folds the row numbers of its collisions, int64.
    """

    particles: Ragged
    collision: np.ndarray
    fold: np.ndarray
    collisions_of_fold: tuple[np.ndarray, ...]


def collision_range(part: int, n_parts: int, n_events: int) -> range:
    """Return the numbers of the collisions that a part generates; all parts cover 0..n_events-1."""
    if not 0 <= part < n_parts:
        raise UserError(f"part {part} of the pile-up library: expected 0 to {n_parts - 1}")
    return range(n_events * part // n_parts, n_events * (part + 1) // n_parts)


def fold_of_collision(collision: np.ndarray) -> np.ndarray:
    """Return the fold of each collision: the last decimal digit of its number, uint8."""
    return (collision % N_FOLDS).astype(np.uint8)


def minbias(part: int, parts: int, settings: SimulateSettings, library: PathLike) -> None:
    """Generate a part of the library of `parts` parts and write it; the stage minbias."""
    events = settings.minbias.events
    parquet.write(library, generate_minbias(settings.seed, part, parts, events))


def generate_minbias(seed: int, part: int, n_parts: int, n_events: int) -> pa.Table:
    """Generate one part of a library of `n_events` collisions, a table of `SCHEMA`.

    Particles beyond `MAX_ABS_ETA`, below `MIN_PT` and neutrinos are dropped; a collision that
    leaves nothing stays as an empty row, because it is a pile-up interaction too.
    """
    numbers = collision_range(part, n_parts, n_events)
    where = "minimum bias"
    pythia = start(where, PROCESS, pythia_seed(seed, "minbias", part))
    charge_of: dict[int, int] = {}
    batches = []
    missing = len(numbers)
    while missing:
        record = Record.of(next_batch(pythia, min(missing, BATCH), where))
        particles = record.stable(pythia, charge_of)
        seen = (
            (particles["pt"] > MIN_PT)
            & (np.abs(particles["eta"]) < MAX_ABS_ETA)
            & ~is_invisible(particles["pdg_id"])
        )
        batches.append(particles.keep_candidates(seen))
        missing -= particles.n_events
    if not batches:
        return SCHEMA.empty_table()
    library = concatenate(batches)
    collision = np.asarray(numbers, dtype=np.uint32)
    arrays = [pa.array(collision), pa.array(fold_of_collision(collision))]
    arrays += [to_arrow(library[name], library.offsets, kind) for name, kind in _COLUMNS.items()]
    return pa.table(arrays, schema=SCHEMA)


def load_library(paths: Sequence[PathLike]) -> MinBias:
    """Read all parts of a library; their order does not matter.

    Raises `UserError` if a file is damaged or not a library, if a collision occurs twice or if a
    fold has no collision.
    """
    tables = []
    for path in paths:
        tables += list(parquet.row_groups(path, SCHEMA.names, SCHEMA))
    if not tables:
        raise UserError("pile-up library: no file given; run minbias first")
    tables = [table for table in tables if table.num_rows]
    tables.sort(key=lambda table: table.column("collision")[0].as_py())
    if not tables:
        raise UserError("pile-up library: it holds no collision; set simulate.minbias.events")
    collision = np.concatenate([table.column("collision").to_numpy() for table in tables])
    if (np.diff(collision.astype(np.int64)) <= 0).any():
        raise UserError(
            f"pile-up library {', '.join(map(str, paths))}: a collision occurs twice; delete the "
            "files and run the workflow again"
        )
    fold = np.concatenate([table.column("fold").to_numpy() for table in tables])
    of_fold = tuple(np.flatnonzero(fold == f) for f in range(N_FOLDS))
    empty = [f for f in range(N_FOLDS) if len(of_fold[f]) == 0]
    if empty:
        raise UserError(
            f"pile-up library: folds {empty} have no collision among {len(collision)}; raise "
            "simulate.minbias.events"
        )
    particles = concatenate([from_arrow(table, list(_COLUMNS)) for table in tables])
    return MinBias(particles, collision, fold, of_fold)
