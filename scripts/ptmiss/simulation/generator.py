"""Hard collisions: Pythia's events as flat arrays of stable particles, with weights in pb."""

from __future__ import annotations

import math
from dataclasses import dataclass

import awkward as ak
import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.simulation.cards import Card, Slice
from ptmiss.simulation.pythia import MB_TO_PB, start
from ptmiss.simulation.record import BATCH, Record, concatenate, next_batch

HOPELESS = 5000
"""Tries without an event in the slice's window after which a card is considered wrong."""


@dataclass(frozen=True)
class Generated:
    """Hard collisions.

    particles: stable particles with the columns pt, eta, phi, mass (float32, GeV), pdg_id (int32),
        charge (int8), vx, vy, vz (float32, cm, relative to the collision) and prompt (uint8, for
        electrons and muons: 1 from a boson or the hard process, 2 through a tau, 0 from a hadron).
    weight: float64 (n,), pb; the sum over a slice's part is the cross-section of its window and of
        what the card accepts.
    boson_pt, boson_phi: float32 (n,), of the card's boson after the showers; NaN where none.
    n_tried: events generated to keep these; cross_section_pb: of the slice before its window;
    sqrt_s: centre-of-mass energy, TeV.
    """

    particles: Ragged
    weight: np.ndarray
    boson_pt: np.ndarray
    boson_phi: np.ndarray
    n_tried: int
    cross_section_pb: float
    sqrt_s: float


def generate(
    card: Card, cut: Slice, n_events: int, seed: int, parts_of_slice: int = 1
) -> Generated:
    """Generate `n_events` collisions inside the slice's window and the card's acceptance.

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
        tries_each = n_tried / n_kept if n_kept else 1.0
        record = next_batch(pythia, min(math.ceil(missing * tries_each), BATCH), where)
        flat = Record.of(record)
        weight = ak.to_numpy(record["info", "weights"][:, 0]).astype(np.float64)
        boson = flat.boson(card.boson)
        inside = _inside(boson[0], cut)
        if card.accept is not None:
            inside &= flat.has_leptons(card.accept)
        if n_kept + inside.sum() >= n_events:
            # the events after the last one needed were never tried, as far as the weights go
            last = np.flatnonzero(inside)[n_events - n_kept - 1] + 1
            inside[last:] = False
        else:
            last = len(inside)
        kept.append(Record.of(record[inside]).stable(pythia, charge_of))
        bosons.append(boson[:, inside])
        weights.append(weight[inside])
        n_kept += int(inside.sum())
        n_tried += int(last)
        sum_tried += float(weight[:last].sum())
        if n_kept == 0 and n_tried >= HOPELESS:
            raise UserError(
                f"{where}: none of {n_tried} events has a boson pT in its window "
                f"({cut.low} to {cut.high} GeV) and the leptons of accept; correct the window, the"
                " pTHat limits or accept in the card"
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
        sqrt_s=float(pythia.settings.parm("Beams:eCM")) / 1000.0,
    )


def _inside(pt: np.ndarray, cut: Slice) -> np.ndarray:
    if not cut.has_window:
        return np.ones(len(pt), dtype=bool)
    high = np.inf if cut.high is None else cut.high
    return (pt >= cut.low) & (pt < high)
