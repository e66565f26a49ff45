"""Events for the calibration: estimates of one sample in memory, split in two halves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.performance.recoil import met_of, recoil

DERIVE, JUDGE = 0, 1
"""The two halves: corrections are derived on one and judged on the other."""


@dataclass(frozen=True)
class BosonEvents:
    """Events with a boson. Shapes (n,); boson and unseen (2, n), met of each estimator (2, n); GeV.

    states: of the bootstrap; half: DERIVE or JUDGE; other: a second half, independent of the first;
    unseen: what of the boson is invisible (the neutrino of W -> l nu, nothing of Z -> ll); run: run
    number. met may hold numbers that are not finite: `finite` says where an estimator can be used.
    """

    run: np.ndarray
    states: np.ndarray
    half: np.ndarray
    other: np.ndarray
    weight: np.ndarray
    n_pv: np.ndarray
    n_jets: np.ndarray
    boson: np.ndarray
    unseen: np.ndarray
    met: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        """Return the number of events."""
        return int(self.weight.size)

    def finite(self, estimator: str) -> np.ndarray:
        """Return in which events an estimator is a finite vector, bool, (n,)."""
        finite: np.ndarray = np.isfinite(self.met[estimator]).all(axis=0)
        return finite

    def take(self, which: np.ndarray) -> BosonEvents:
        """Return the events that a mask or index array selects."""
        met = {name: values[:, which] for name, values in self.met.items()}
        return BosonEvents(**{f: getattr(self, f)[..., which] for f in _FIELDS}, met=met)

    def scaled(self, factor: float) -> BosonEvents:
        """Return the events with their weights times a factor."""
        return dataclasses.replace(self, weight=self.weight * factor)

    def recoil(self, met: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return u_par, u_perp and q_t of these events for pTmiss `met`, shape (2, n)."""
        return recoil(*met, *self.boson, *self.unseen)

    def met_of(self, u_par: np.ndarray, u_perp: np.ndarray) -> np.ndarray:
        """Return the pTmiss, shape (2, n), that has this recoil: the inverse of `recoil`."""
        return np.stack(met_of(u_par, u_perp, *self.boson, *self.unseen))


_FIELDS = tuple(field.name for field in dataclasses.fields(BosonEvents) if field.name != "met")


def join(parts: Sequence[BosonEvents]) -> BosonEvents:
    """Return the events of several samples as one."""
    met = {
        name: np.concatenate([part.met[name] for part in parts], axis=-1) for name in parts[0].met
    }
    return BosonEvents(
        **{f: np.concatenate([getattr(part, f) for part in parts], axis=-1) for f in _FIELDS},
        met=met,
    )
