"""Hard collisions: Pythia's events as flat arrays of stable particles, with weights in pb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from ptmiss.errors import UserError
from ptmiss.ragged import Ragged, offsets_of
from ptmiss.simulation.cards import Card, Slice
from ptmiss.simulation.pythia import MB_TO_PB, start

BATCH = 200
"""Events of one call into Pythia: about 30 MB of event record."""

HOPELESS = 5000
"""Tries without an event in the slice's window after which a card is considered wrong."""

PROMPT_DIRECT, PROMPT_TAU = 1, 2
"""Values of the column `prompt`; 0 is everything else."""


@dataclass(frozen=True)
class Generated:
    """Hard collisions.

    particles: stable particles with the columns pt, eta, phi, mass (float32, GeV), pdg_id (int32),
        charge (int8), vx, vy, vz (float32, cm, relative to the collision) and prompt (uint8, for
        electrons and muons: 1 from a boson or the hard process, 2 through a tau, 0 from a hadron).
    weight: float64 (n,), pb; the sum over a slice's part is the cross-section of its window.
    boson_pt, boson_phi: float32 (n,), of the card's boson after the showers; NaN where none.
    n_tried: events generated to keep these; cross_section_pb: of the slice before its window.
    """

    particles: Ragged
    weight: np.ndarray
    boson_pt: np.ndarray
    boson_phi: np.ndarray
    n_tried: int
    cross_section_pb: float


def generate(
    card: Card, cut: Slice, n_events: int, seed: int, parts_of_slice: int = 1
) -> Generated:
    """Generate `n_events` collisions inside the slice's window.

    seed: 1..900,000,000, equal seeds give equal arrays. parts_of_slice: in how many parts the
    slice is generated; the weights are divided by it, so that all parts of all slices together
    sum to the cross-section. Raises `UserError` if Pythia refuses the card or the window is empty.
    """
    where = f"process {card.title}, slice {cut.name}"
    pythia = start(where, (*card.pythia, *cut.pythia), seed, card.slha_text)
    charge_of: dict[int, int] = {}
    kept: list[Ragged] = []
    bosons: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    n_kept = n_tried = 0
    sum_tried = 0.0
    while n_kept < n_events:
        missing = n_events - n_kept
        # where the window keeps a fraction, try as many as will probably fill the gap
        size = missing if n_kept == 0 else int(np.ceil(missing * n_tried / n_kept))
        record = next_batch(
            pythia, int(np.clip(size, 10, BATCH)) if cut.has_window else min(size, BATCH), where
        )
        flat = Record.of(record)
        weight = ak.to_numpy(record["info", "weights"][:, 0]).astype(np.float64)
        boson = flat.boson(card.boson)
        inside = _inside(boson[0], cut)
        if n_kept + inside.sum() > n_events:
            # the events after the last one needed were never tried, as far as the weights go
            last = np.flatnonzero(inside)[n_events - n_kept - 1] + 1
            inside[last:] = False
        else:
            last = len(inside)
        kept.append(flat.stable(pythia, charge_of).keep_events(inside))
        bosons.append(boson[:, inside])
        weights.append(weight[inside])
        n_kept += int(inside.sum())
        n_tried += int(last)
        sum_tried += float(weight[:last].sum())
        if n_kept == 0 and n_tried >= HOPELESS:
            raise UserError(
                f"{where}: none of {n_tried} events has a boson pT in its window "
                f"({cut.low} to {cut.high} GeV); correct the window or the pTHat limits of the card"
            )
    cross_section = float(pythia.infoPython().sigmaGen()) * MB_TO_PB
    boson = np.concatenate(bosons, axis=1).astype(np.float32)
    return Generated(
        particles=concatenate(kept),
        weight=np.concatenate(weights) * (cross_section / sum_tried / parts_of_slice),
        boson_pt=boson[0],
        boson_phi=boson[1],
        n_tried=n_tried,
        cross_section_pb=cross_section,
    )


def concatenate(parts: list[Ragged]) -> Ragged:
    """Return the events of all parts, in order; they must have the same columns."""
    counts = np.concatenate([part.counts for part in parts])
    return Ragged(
        offsets_of(counts),
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns},
    )


def next_batch(pythia: Any, n: int, where: str) -> ak.Array:
    """Return n events as Pythia's record; an event that fails is replaced by the next one."""
    try:
        # the factor bounds the tries: a process without cross-section would never return
        return pythia.nextBatch(n, 10.0)
    except RuntimeError as error:
        raise UserError(f"{where}: Pythia stops generating ({error}); see its card") from None


def _inside(pt: np.ndarray, cut: Slice) -> np.ndarray:
    if not cut.has_window:
        return np.ones(len(pt), dtype=bool)
    high = np.inf if cut.high is None else cut.high
    return (pt >= cut.low) & (pt < high)


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
        found = np.flatnonzero(np.isin(np.abs(self.pdg_id), pdg_ids))
        if len(found) == 0:
            return result
        event = np.searchsorted(self.offsets, found, side="right") - 1
        # a later assignment wins: what remains is the copy after all showers, just before decay
        last = np.full(n, -1)
        last[event] = found
        has = last >= 0
        p = self.rows.p[last[has]]
        px, py = ak.to_numpy(p.px), ak.to_numpy(p.py)
        result[0, has], result[1, has] = np.hypot(px, py), np.arctan2(py, px)
        return result

    def stable(self, pythia: Any, charge_of: dict[int, int]) -> Ragged:
        """Return the stable particles; `charge_of` remembers the charges looked up in Pythia."""
        index = np.flatnonzero(self.final)
        rows = self.rows[index]
        px, py, pz = (ak.to_numpy(rows.p[axis]) for axis in ("px", "py", "pz"))
        pt = np.hypot(px, py)
        pdg_id = self.pdg_id[index]
        # an unset production vertex means the collision point itself
        x, y, z = (ak.to_numpy(ak.fill_none(rows.vProd[a], 0.0)) for a in ("px", "py", "pz"))
        counts = np.add.reduceat(self.final, self.offsets[:-1], dtype=np.int64)
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


def is_hadron(kind: np.ndarray) -> np.ndarray:
    """Return whether PDG codes (absolute values) are hadrons, diffractive systems included.

    Codes between one and nine million are supersymmetric particles (PDG numbering scheme).
    """
    return ((kind > 100) & (kind < 1_000_000)) | (kind >= 9_000_000)
