"""Distances of the recoil of data and simulation, before and after the quantile maps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats.distance import Outcome, Pair, compare, pair
from ptmiss.tasks.met.calibration.apply import Applied, Recoil
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.inputs import Side
from ptmiss.tasks.met.calibration.store import Stored
from ptmiss.tasks.met.closure.outcomes import Measured, Probability, Remainder, Subject
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

Region = tuple[float, float]
"""Range of q_t in GeV."""

ALL: Region = (0.0, np.inf)
_BEFORE = 400
"""Permutations without the correction: that p-value decides nothing."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Distances:
    """Distances of one estimator between data and simulation of one side."""

    side: Side
    tool: Applied
    stored: Stored
    bins: Bins
    settings: CalibrationSettings
    limit: float

    def tests(self, component: str, regions: Sequence[Region]) -> list[Measured]:
        """Return p-value and reduction in each region of q_t."""
        first, second, after = self._recoils()
        displaced = self._displaced(component, first, second)
        tests: list[Measured] = []
        for number, region in enumerate(regions):
            seed = self.settings.seed + 7919 * number
            most = self.settings.closure.permutations
            before = self._compare(component, region, first, second, None, (_BEFORE, seed))
            outcomes = self._compare(component, region, first, after, displaced, (most, seed + 1))
            if before is None or outcomes is None:
                _LOG.warning(
                    "closure: %s, sample %s: no events to compare in q_t of %g to %g GeV, no test"
                    " there",
                    self.tool.estimator,
                    self.side.name,
                    *region,
                )
                continue
            tests += self._measured(component, region, before, outcomes)
        return tests

    def _recoils(self) -> tuple[Recoil, Recoil, Recoil]:
        """Return the recoil of data, of simulation and background, and of both after the maps."""
        side, tool = self.side, self.tool
        simulation = tool.recoil(side.simulation, "simulation")
        mapped = tool.mapped(side.simulation, simulation)
        rest = [] if side.background is None else [tool.recoil(side.background, "data")]
        return (
            tool.recoil(side.data, "data"),
            _joined([simulation, *rest]),
            _joined([mapped, *rest]),
        )

    def _displaced(self, component: str, first: Recoil, second: Recoil) -> np.ndarray:
        """Return how replicas of the map differ from it, (replicas, n), n events of both samples.

        For data, where the map is not applied: at the recoil that the map would take to its own.
        """
        nominal, replicas = self.stored.maps[component], self.stored.replicas[component]
        data, q_t = first.component(component), np.concatenate([first.q_t, second.q_t])
        jets = np.concatenate([self.side.data.n_jets, *self._second("n_jets")])
        at = data.copy()
        for _ in range(3):
            at += data - nominal(at, first.q_t, self.side.data.n_jets)
        u = np.concatenate([at, second.component(component)])
        mapped = nominal(u, q_t, jets)
        out = np.empty((replicas[0].shape[0], u.size))
        for number, row in enumerate(out):
            replica = nominal.with_shifts(shifts[number] for shifts in replicas)
            row[:] = replica(u, q_t, jets) - mapped
        if self.side.background is not None:
            out[:, -self.side.background.size :] = 0.0
        return out

    def _second(self, field: str) -> list[np.ndarray]:
        parts = [self.side.simulation, self.side.background]
        return [getattr(part, field) for part in parts if part is not None]

    def _compare(
        self,
        component: str,
        region: Region,
        first: Recoil,
        second: Recoil,
        displaced: np.ndarray | None,
        chance: tuple[int, int],
    ) -> Outcome | None:
        inside = [(one.q_t >= region[0]) & (one.q_t < region[1]) for one in (first, second)]
        if min(np.count_nonzero(one) for one in inside) < 2:
            return None
        two = self._pair(component, first, second, inside)
        if not two.shares.any():  # no bin has weight in both
            return None
        rows = None if displaced is None else displaced[:, np.concatenate(inside)]
        return compare(two, *chance, rows)

    def _pair(
        self, component: str, first: Recoil, second: Recoil, inside: Sequence[np.ndarray]
    ) -> Pair:
        weights = self._weights(first, second)
        jets = (self.side.data.n_jets, np.concatenate(self._second("n_jets")))
        (left, right) = (
            (
                recoil.component(component)[which],
                weight[which],
                self.bins.number(recoil.q_t[which], n_jets[which]),
            )
            for recoil, weight, n_jets, which in zip(
                (first, second), weights, jets, inside, strict=True
            )
        )
        return pair(*zip(left, right, strict=True))

    def _weights(self, first: Recoil, second: Recoil) -> tuple[np.ndarray, np.ndarray]:
        """Return weights; the simulation's stand for what of data is not background, by bin."""
        data, simulation = self.side.data.weight, self.side.simulation.weight
        if self.side.background is None:
            return data, simulation
        n, n_simulated = self.bins.size, simulation.size
        jets = np.concatenate(self._second("n_jets"))
        number = self.bins.number(second.q_t, jets)
        background = self.side.background.weight
        of_data = np.bincount(self.bins.number(first.q_t, self.side.data.n_jets), data, n)
        of_background = np.bincount(number[n_simulated:], background, n)
        of_simulation = np.bincount(number[:n_simulated], simulation, n)
        wanted = np.maximum(of_data - of_background, 0.0)
        factor = np.divide(wanted, of_simulation, np.zeros(n), where=of_simulation > 0.0)
        return data, np.concatenate([simulation * factor[number[:n_simulated]], background])

    def _measured(
        self, component: str, region: Region, before: Outcome, after: Outcome
    ) -> tuple[Probability, Remainder]:
        what = "u_par - q_t" if component == "u_par" else "u_perp"
        name = "all" if region == ALL else f"qt_{region[0]:g}_{region[1]:g}"
        subject = Subject(self.tool.estimator, self.side.name, name)
        return (
            Probability(
                "distance_p",
                subject,
                f"p-value of the distance of {what} to data",
                before.p_value,
                after.p_value,
            ),
            Remainder(
                "distance_left",
                subject,
                f"share of the distance of {what} to data that is left",
                before,
                after,
                self.limit,
            ),
        )


def _joined(parts: Sequence[Recoil]) -> Recoil:
    return Recoil(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("u_par", "u_perp", "q_t"))
    )
