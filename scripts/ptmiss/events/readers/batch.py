"""What every reader yields, whatever the format of the input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ptmiss.core.ragged import Ragged


class Vector(NamedTuple):
    """A transverse momentum of each event: x and y in GeV, float64, shape (n_events,)."""

    px: np.ndarray
    py: np.ndarray

    def keep_events(self, mask: np.ndarray) -> Vector:
        """Return the events where `mask` (shape (n_events,)) is true."""
        return Vector(self.px[mask], self.py[mask])


@dataclass(frozen=True)
class EventBatch:
    """Consecutive events without their candidates; what an input does not have is None.

    run, lumi (uint32), event (uint64), n_pv, n_pv_good (int64), gen_weight, rho (float64): shape
    (n_events,). gen_met: the true invisible momentum. stored: name (one of
    `ptmiss.events.mets.STORED_METS`) -> MET of the input. muons: pt, eta, phi, mass and, where
    the input has them, charge, isolation, loose. electrons: pt, eta, phi and isolation likewise.
    Both: `id_{name}` that the settings ask for; electrons: mass, charge, eta_sc (of the
    supercluster) where the input has them. flags (bool), columns (float64): branches that the
    settings ask for, (n_events,) each, those that the input has.
    jets: pt, eta, phi. gen_jets: pt. shifts: METs of the input under its own systematic
    variations, such as "puppi_jes_up" (`ptmiss.events.mets.STORED_SHIFTS`).
    """

    run: np.ndarray
    lumi: np.ndarray
    event: np.ndarray
    gen_weight: np.ndarray | None
    n_pv: np.ndarray
    n_pv_good: np.ndarray
    rho: np.ndarray | None
    gen_met: Vector | None
    stored: dict[str, Vector]
    muons: Ragged
    electrons: Ragged
    jets: Ragged | None
    gen_jets: Ragged | None
    shifts: dict[str, Vector] = field(default_factory=dict)
    flags: dict[str, np.ndarray] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.event)

    def take(self, mask: np.ndarray) -> EventBatch:
        """Return the events where `mask` (shape (n_events,)) is true."""
        return EventBatch(
            run=self.run[mask],
            lumi=self.lumi[mask],
            event=self.event[mask],
            gen_weight=None if self.gen_weight is None else self.gen_weight[mask],
            n_pv=self.n_pv[mask],
            n_pv_good=self.n_pv_good[mask],
            rho=None if self.rho is None else self.rho[mask],
            gen_met=None if self.gen_met is None else self.gen_met.keep_events(mask),
            stored={name: vector.keep_events(mask) for name, vector in self.stored.items()},
            muons=self.muons.keep_events(mask),
            electrons=self.electrons.keep_events(mask),
            jets=None if self.jets is None else self.jets.keep_events(mask),
            gen_jets=None if self.gen_jets is None else self.gen_jets.keep_events(mask),
            shifts={name: vector.keep_events(mask) for name, vector in self.shifts.items()},
            flags={name: values[mask] for name, values in self.flags.items()},
            columns={name: values[mask] for name, values in self.columns.items()},
        )


UNKNOWN = -1000
"""Value of from_pv where the input leaves a candidate's association open."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of some events as the input has them, before any repair.

    columns: pt, eta, phi, mass, d0, dz (float32; lengths in cm, 0 without track detail), charge,
    pdg_id (int32) and, where the input has them, from_pv (int32), puppi, truth (float32),
    puppi_standard or puppi_no_lepton (float32, the flavour that puppi is not),
    dz_error (float32, cm, negative without track detail) and quality (int32, how a track belongs
    to its own vertex, whichever that is).
    """

    columns: Ragged


def vector_of(pt: np.ndarray | None, phi: np.ndarray | None) -> Vector | None:
    """Return the vector with this size in GeV and azimuth, None where either is None."""
    if pt is None or phi is None:
        return None
    size, angle = pt.astype(np.float64), phi.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite sizes and angles become NaN, counted later
        return Vector(size * np.cos(angle), size * np.sin(angle))
