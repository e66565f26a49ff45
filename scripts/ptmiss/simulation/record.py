"""Pythia's event records as flat arrays: many events at once, no loop over particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.simulation.cards import Acceptance
from ptmiss.simulation.particles import is_hadron

BATCH = 200
"""Events of one call into Pythia: about 30 MB of event record."""

PROMPT_DIRECT, PROMPT_TAU = 1, 2
"""Values of the column `prompt`; 0 is everything else."""


@dataclass(frozen=True)
class Record:
    """A batch of Pythia's event records, flattened.

    offsets: int64 (n + 1,); entry 0 of each event stands for the event as a whole.
    pdg_id, mother (int64, flat index of the first mother; an entry without one is its own
    event's entry 0), final (bool); rows: the entries with all of Pythia's fields.
    """

    offsets: np.ndarray
    pdg_id: np.ndarray
    mother: np.ndarray
    final: np.ndarray
    rows: ak.Array

    @classmethod
    def of(cls, batch: ak.Array) -> Record:
        """Flatten what `nextBatch` returned."""
        offsets = offsets_of(ak.to_numpy(ak.num(batch.prt)))
        rows = ak.flatten(batch.prt)
        first = np.repeat(offsets[:-1], np.diff(offsets))
        return cls(
            offsets=offsets,
            pdg_id=ak.to_numpy(rows.id).astype(np.int32),
            mother=ak.to_numpy(rows.mother1).astype(np.int64) + first,
            final=ak.to_numpy(rows.status) > 0,
            rows=rows,
        )

    def boson(self, pdg_ids: tuple[int, ...]) -> np.ndarray:
        """Return pT and phi, shape (2, n), of the last copy of a boson; NaN where none."""
        n = len(self.offsets) - 1
        result = np.full((2, n), np.nan)
        copies = np.flatnonzero(np.isin(np.abs(self.pdg_id), pdg_ids))
        if len(copies) == 0:
            return result
        event = np.searchsorted(self.offsets, copies, side="right") - 1
        # a later assignment wins: what remains is the copy after all showers, just before decay
        last = np.full(n, -1)
        last[event] = copies
        has = last >= 0
        p = self.rows.p[last[has]]
        px, py = ak.to_numpy(p.px), ak.to_numpy(p.py)
        result[0, has], result[1, has] = np.hypot(px, py), np.arctan2(py, px)
        return result

    def has_leptons(self, accept: Acceptance) -> np.ndarray:
        """Return which events have the prompt leptons asked for, bool (n,)."""
        n = len(self.offsets) - 1
        index = np.flatnonzero(self.final & (np.abs(self.pdg_id) == accept.pdg_id))
        index = index[prompt(self.pdg_id, self.mother, index, self.offsets) > 0]
        p = self.rows.p[index]
        px, py, pz = (ak.to_numpy(p[axis]) for axis in ("px", "py", "pz"))
        pt = np.hypot(px, py)
        good = (pt > accept.pt) & (np.abs(pz) < pt * np.sinh(accept.abs_eta))
        event = np.searchsorted(self.offsets, index[good], side="right") - 1
        return np.bincount(event, minlength=n) >= accept.number

    def stable(self, pythia: Any, charge_of: dict[int, int]) -> Ragged:
        """Return the stable particles; `charge_of` remembers the charges looked up in Pythia."""
        index = np.flatnonzero(self.final)
        rows = self.rows[index]
        px, py, pz = (ak.to_numpy(rows.p[axis]) for axis in ("px", "py", "pz"))
        pt = np.hypot(px, py)
        pdg_id = self.pdg_id[index]
        # an unset production vertex means the collision point itself
        x, y, z = (ak.to_numpy(ak.fill_none(rows.vProd[a], 0.0)) for a in ("px", "py", "pz"))
        counts = np.diff(np.searchsorted(index, self.offsets))
        return Ragged(
            offsets_of(counts),
            {
                "pt": pt.astype(np.float32),
                # what stays in the beam has no transverse momentum; any huge eta will do
                "eta": np.arcsinh(pz / np.maximum(pt, 1e-9)).astype(np.float32),
                "phi": np.arctan2(py, px).astype(np.float32),
                "mass": np.maximum(ak.to_numpy(rows.m), 0.0).astype(np.float32),
                "pdg_id": pdg_id,
                "charge": charges(pythia, pdg_id, charge_of),
                "vx": (x * 0.1).astype(np.float32),
                "vy": (y * 0.1).astype(np.float32),
                "vz": (z * 0.1).astype(np.float32),
                "prompt": prompt(self.pdg_id, self.mother, index, self.offsets),
            },
        )


def charges(pythia: Any, pdg_id: np.ndarray, known: dict[int, int]) -> np.ndarray:
    """Return the electric charges in units of e, int8; `known` is filled with new ones."""
    values, inverse = np.unique(pdg_id, return_inverse=True)
    for value in values.tolist():
        if value not in known:
            known[value] = pythia.particleData.chargeType(value) // 3
    return np.array([known[value] for value in values.tolist()], dtype=np.int8)[inverse]


def prompt(
    pdg_id: np.ndarray, mother: np.ndarray, index: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Say which electrons and muons do not come from hadrons, uint8 (len(index),).

    pdg_id, mother: of all entries, see `Record`; index: the entries asked for; offsets: where
    each event begins. 1: no hadron and no tau among the ancestors; 2: a tau but no hadron; 0: all
    other particles. The ancestry follows first mothers.
    """
    result = np.zeros(len(index), dtype=np.uint8)
    kind = np.abs(pdg_id)
    active = np.flatnonzero(np.isin(kind[index], (11, 13)))
    result[active] = PROMPT_DIRECT
    current = mother[index[active]]
    # entries 0, 1 and 2 of an event are the system and the beams, which are hadrons themselves
    top = np.zeros(len(pdg_id), dtype=bool)
    top[(offsets[:-1, None] + np.arange(3)).ravel()] = True
    while len(active):
        hadron = is_hadron(kind[current]) & ~top[current]
        result[active[hadron]] = 0
        result[active[~hadron & (kind[current] == 15)]] = PROMPT_TAU
        going = ~hadron & ~top[current]
        active, current = active[going], mother[current[going]]
    return result


def next_batch(pythia: Any, n: int, where: str) -> ak.Array:
    """Return n events as Pythia's record; an event that fails is replaced by the next one."""
    try:
        # the factor bounds the tries: a process without cross-section would never return
        return pythia.nextBatch(n, 10.0)
    except RuntimeError as error:
        raise UserError(f"{where}: Pythia stops generating ({error}); see its card") from None


def concatenate(parts: list[Ragged]) -> Ragged:
    """Return the events of all parts, in order; they must have the same columns."""
    counts = np.concatenate([part.counts for part in parts])
    return Ragged(
        offsets_of(counts),
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns},
    )
