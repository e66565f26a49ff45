"""Closure: do the corrections do what they say, on events they were not derived from?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.settings.names import unknown
from ptmiss.core.stats.distance import Outcome, Pair, compare, pair
from ptmiss.core.stats.merging import effective
from ptmiss.tasks.met.calibration import modulation
from ptmiss.tasks.met.calibration.apply import COMPONENTS, Applied, Document, Recoil, prefix
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.events import JUDGE, Events, join
from ptmiss.tasks.met.calibration.inputs import Inputs, Side
from ptmiss.tasks.met.calibration.quantile import QuantileMap
from ptmiss.tasks.met.calibration.store import Stored
from ptmiss.tasks.met.calibration.verdict import Comparison, Verdict, verdict_of
from ptmiss.tasks.met.settings.calibration import CalibrationSettings, ClosureSettings

Test = dict[str, Any]
_ALL = (0.0, np.inf)
_BEFORE = 400
"""Permutations without the correction: that p-value decides nothing."""
_LEAST = 10
"""Effective events below which a mean has no error to speak of; `min_events` is never less."""
_LOG = logging.getLogger(__name__)


def closure(
    inputs: Inputs,
    corrections: Document,
    stored: dict[str, Stored],
    bins: Bins,
    settings: CalibrationSettings,
) -> Verdict:
    """Judge the corrections of all estimators on the half that they were not derived from.

    Returns three lists of tests: `tests`, which count; `undecided`, where so few events could not
    even show a perfect correction; `others`, of estimators that do not count. Each estimator is
    judged in the events in which it is finite, `masked` says in how many it is not. Raises
    `UserError` for an estimator that counts and is not there, and for too few events.

    A test: name, estimator, sample, region, what (was compared), value, limit, bound (`least` or
    `most`: what the limit is), before (the number without the correction, None where there is
    none), passed. Probabilities and slopes are of all tests of that
    name and estimator together (Holm, Scand. J. Stat. 6 (1979) 65), because of twenty slopes that
    are zero one lies beyond two standard deviations; `alone` is the number by itself.
    """
    for name in settings.closure.estimators:
        if name not in inputs.estimators:
            raise UserError(unknown("calibration.closure.estimators", name, inputs.estimators))
    tests = []
    judged = inputs.dilepton.half(JUDGE)
    for e, name in enumerate(inputs.estimators):
        tool = Applied(corrections, name, e, prefix(inputs.training, settings))
        own = judged.finite(e)
        few = _few(own, name)
        if few and name in settings.closure.estimators:
            raise UserError(few)
        if few:
            _LOG.warning(few)
            continue
        tests += _flatness(own, tool, stored[name], settings)
        for side in (judged, *inputs.control):
            limit = settings.closure.reduction_apply
            regions = [_ALL]
            if side is judged:
                limit = settings.closure.reduction
                regions += [(float(low), float(high)) for low, high in settings.closure.qt_ranges]
            some = side.finite(e).thinned(settings.closure.max_events)
            task = _Distances(some, tool, stored[name], bins, settings, limit)
            for component in COMPONENTS:
                tests += task.tests(component, regions)
    _adjust(tests, settings.closure)
    groups: dict[str, list[Comparison]] = {"tests": [], "undecided": [], "others": []}
    for test in tests:
        counts, decisive = test["estimator"] in settings.closure.estimators, test.pop("decisive")
        kind = "others" if not counts else "tests" if decisive else "undecided"
        groups[kind].append(Comparison(**test))
    if groups["undecided"]:
        _LOG.warning(
            "closure: %d of %d tests are not decided: the correction is smaller than what so few"
            " events can show",
            len(groups["undecided"]),
            len(tests) - len(groups["others"]),
        )
    return Verdict(
        gate="closure",
        training=inputs.training,
        passed=verdict_of([test.passed for test in groups["tests"]]),
        **{kind: tuple(found) for kind, found in groups.items()},
        **({"masked": inputs.masked} if inputs.masked else {}),
    )


def _few(side: Side, estimator: str) -> str:
    """Say in which sample the events of an estimator are too few to judge anything, if in any."""
    data = _less_background(side)
    for name, events in ((side.data_name, data), (side.name, side.simulation)):
        found = effective(events.weight)
        if found < _LEAST:
            return (
                f"closure: sample {name} has {found:.0f} effective events of {estimator} in the"
                f" half that is judged, fewer than {_LEAST}; add events"
            )
    return ""


def _less_background(side: Side) -> Events:
    return side.data if side.background is None else join([side.data, side.background.scaled(-1.0)])


def _flatness(
    side: Side, tool: Applied, stored: Stored, settings: CalibrationSettings
) -> list[Test]:
    """Return the tests of the xy correction: phi flat, means that do not move with n_pv."""
    data = _less_background(side)
    tests = []
    samples = (("data", side.data_name, data), ("simulation", side.name, side.simulation))
    for dataset, sample, events in samples:
        head = {"estimator": tool.estimator, "sample": sample, "region": "all"}
        args = (events.met[tool.e], events.n_pv, events.weight)
        offsets = (modulation.Offsets(None), modulation.Offsets(stored.xy[dataset]))
        before, after = (modulation.phi_p_value(*args, one) for one in offsets)
        tests.append(
            {
                **head,
                "name": "phi_flat",
                "what": "p-value of phi(pTmiss) being flat",
                "before": before,
                "p": after,
            }
        )
        for axis, letter in enumerate("xy"):
            slopes = [modulation.slope(*args, one, axis, settings.min_events) for one in offsets]
            before, after = (modulation.two_sided(*one) for one in slopes)
            tests.append(
                {
                    **head,
                    "name": f"slope_{letter}",
                    "what": f"slope of the mean p{letter} versus n_pv, standard deviations",
                    "before": modulation.sigmas(before),
                    "p": after,
                    "slope": slopes[1][0],
                }
            )
    return tests


@dataclass(frozen=True)
class _Distances:
    """Distances of one estimator between data and simulation of one side."""

    side: Side
    tool: Applied
    stored: Stored
    bins: Bins
    settings: CalibrationSettings
    limit: float

    def tests(self, component: str, regions: Sequence[tuple[float, float]]) -> list[Test]:
        """Return p-value and reduction in each region of q_t."""
        first, second, after = self._recoils()
        displaced = self._displaced(component, first, second, after)
        tests = []
        for number, region in enumerate(regions):
            seed = self.settings.seed + 7919 * number
            most = self.settings.closure.permutations
            before = self._compare(component, region, first, second, None, (_BEFORE, seed))
            found = self._compare(component, region, first, after, displaced, (most, seed + 1))
            if before is None or found is None:
                _LOG.warning(
                    "closure: %s, sample %s: no events to compare in q_t of %g to %g GeV, no test"
                    " there",
                    self.tool.estimator,
                    self.side.name,
                    *region,
                )
                continue
            tests += self._judge(component, region, before, found)
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

    def _displaced(
        self, component: str, first: Recoil, second: Recoil, after: Recoil
    ) -> np.ndarray:
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
            shifts = tuple(one[number].astype(np.float64) for one in replicas)
            one = QuantileMap(
                nominal.knots, nominal.jet_edges, nominal.qt_high, nominal.nodes, shifts
            )
            row[:] = one(u, q_t, jets) - mapped
        if self.side.background is not None:
            out[:, -self.side.background.size :] = 0.0
        return out

    def _second(self, field: str) -> list[np.ndarray]:
        parts = [self.side.simulation, self.side.background]
        return [getattr(part, field) for part in parts if part is not None]

    def _compare(
        self,
        component: str,
        region: tuple[float, float],
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
        samples = zip((first, second), weights, jets, inside, strict=True)
        values, kept, strata = [], [], []
        for one, weight, n_jets, which in samples:
            values.append(one.component(component)[which])
            kept.append(weight[which])
            strata.append(self.bins.number(one.q_t[which], n_jets[which]))
        return pair(tuple(values), tuple(kept), tuple(strata))

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

    def _judge(
        self, component: str, region: tuple[float, float], before: Outcome, after: Outcome
    ) -> list[Test]:
        what = "u_par - q_t" if component == "u_par" else "u_perp"
        name = "all" if region == _ALL else f"qt_{region[0]:g}_{region[1]:g}"
        head = {"estimator": self.tool.estimator, "sample": self.side.name, "region": name}
        left = after.distance / before.distance if before.distance > 0.0 else 1.0
        return [
            {
                **head,
                "name": "distance_p",
                "what": f"p-value of the distance of {what} to data",
                "before": before.p_value,
                "p": after.p_value,
            },
            {
                **head,
                "name": "distance_left",
                "what": f"share of the distance of {what} to data that is left",
                "value": left,
                "limit": 1.0 / self.limit,
                "bound": "most",
                "before": None,
                "distance_before": before.distance,
                "distance_after": after.distance,
                "chance": after.chance,
                "floor": after.floor,
                "decisive": after.floor * self.limit <= before.distance,
            },
        ]


def _joined(parts: Sequence[Recoil]) -> Recoil:
    return Recoil(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("u_par", "u_perp", "q_t"))
    )


def _adjust(tests: list[Test], settings: ClosureSettings) -> None:
    """Fill in value, limit and verdict; probabilities of a family of tests are taken together."""
    families: dict[tuple[str, str], list[Test]] = {}
    for test in tests:
        kind = "slope" if test["name"].startswith("slope") else test["name"]
        if "p" in test:
            families.setdefault((kind, test["estimator"]), []).append(test)
    for (kind, _), members in families.items():
        for test, p in zip(members, holm([one["p"] for one in members]), strict=True):
            alone = test.pop("p")
            test["decisive"] = True
            if kind == "slope":
                numbers = modulation.sigmas(p), settings.slope_sigmas, modulation.sigmas(alone)
                bound = "most"
            else:
                numbers, bound = (p, settings.p_value, alone), "least"
            test["value"], test["limit"], test["alone"] = numbers
            test["bound"] = bound
    for test in tests:
        low = test["bound"] == "least"
        test["passed"] = bool(
            test["value"] >= test["limit"] if low else test["value"] <= test["limit"]
        )
        test["decisive"] = bool(test["decisive"])


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: they are below a with probability a."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty(p.size)
    out[order] = np.minimum(raised, 1.0)
    return [float(value) for value in out]
