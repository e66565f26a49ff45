"""Every estimator for varied candidates, at the cost of those candidates that move.

All classical estimators are sums over candidates, and so is a DeepMET: what a group of candidates
contributes does not depend on the others. The varied result is then the nominal one, minus what
the group contributed before, plus what it contributes after: the network runs again, but only on
candidates that changed. Whether a network is such a sum is not assumed: for every batch the
contributions of all groups are added up and compared with its result of the whole event. Networks
that are not run again on whole events.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.tasks.met.estimators import classical
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import COLUMNS as FEATURE_COLUMNS
from ptmiss.tasks.met.variations.shift import GROUPS, Shifts, moved

TOLERANCE, RELATIVE = 0.01, 3e-6
"""GeV, and part of the groups' results: what float32 sums may differ by, ten times over."""

_LOG = logging.getLogger(__name__)


class Varied:
    """The estimates of a batch of events under every variation.

    candidates: events with the columns of `shift.COLUMNS` and of the estimators; nominal: result
    columns (n_events,) in GeV; weights: of the classical estimators, (n_candidates,) each.
    """

    def __init__(
        self,
        candidates: Ragged,
        shifts: Shifts,
        nominal: Mapping[str, np.ndarray],
        weights: Mapping[str, np.ndarray],
        networks: Mapping[str, NetworkEstimator],
    ) -> None:
        self._candidates, self._shifts = candidates, shifts
        self._nominal, self._weights = nominal, weights
        self._networks = {
            name: _Network(network, candidates, shifts, _columns(network, nominal, name))
            for name, network in networks.items()
        }

    def estimate(self, variation: str) -> tuple[dict[str, np.ndarray], Ragged, np.ndarray]:
        """Return the result columns, the moved candidates and which these were."""
        members, factor = self._shifts.factor(variation)
        after = moved(self._candidates, members, factor)
        px, py = classical.transverse_momentum(after)
        old_pt = self._candidates["cand_pt"][members].astype(np.float64)
        phi = after["cand_phi"].astype(np.float64)
        change = {"x": px - old_pt * np.cos(phi), "y": py - old_pt * np.sin(phi)}
        results = {}
        for name, weights in self._weights.items():
            for axis, values in change.items():
                shift = segment_sum(weights[members] * values, after.offsets)
                results[f"{name}_p{axis}"] = self._nominal[f"{name}_p{axis}"] - shift
        for name, network in self._networks.items():
            names = [f"{name}_{column.name}" for column in network.columns]
            results |= dict(zip(names, network.varied(members, after), strict=True))
        return results, after, members


class _Network:
    """A network under variations of a batch."""

    def __init__(
        self, network: NetworkEstimator, candidates: Ragged, shifts: Shifts, nominal: np.ndarray
    ) -> None:
        self._network, self._candidates, self._nominal = network, candidates, nominal
        self._group = shifts.group
        self._columns = {*FEATURE_COLUMNS, network.puppi}
        self._before: dict[int, np.ndarray] = {}
        self.columns = network.columns
        # with fixed slots a small group costs as much as all; neighbours see other groups
        if network.model.slots is None and not network.model.context:
            for group in range(len(GROUPS)):
                self._before[group] = self._run(candidates.keep_candidates(shifts.group == group))
            if not self._adds_up():
                _LOG.warning(
                    "%s: not a sum over candidates; each variation runs on whole events",
                    network.model.path,
                )
                self._before = {}

    def varied(self, members: np.ndarray, after: Ragged) -> np.ndarray:
        """Return the columns, (k, n_events), where the candidates `members` have become `after`."""
        if not len(members):
            return self._nominal
        if self._before:
            before = self._before[self._group[members[0]]]
            return np.asarray(self._nominal + (self._run(after) - before))
        columns = {name: self._candidates[name].copy() for name in self._columns}
        for name in ("cand_pt", "cand_mass"):
            columns[name][members] = after[name]
        return self._run(Ragged(self._candidates.offsets, columns))

    def _run(self, candidates: Ragged) -> np.ndarray:
        result = self._network.estimate(candidates)
        return np.stack(list(result.columns("").values()))

    def _adds_up(self) -> bool:
        none = {name: self._candidates[name][:0] for name in self._columns}
        empty = self._run(Ragged(np.zeros(2, dtype=np.int64), none))
        parts = [before - empty for before in self._before.values()]
        difference = np.abs(empty + sum(parts) - self._nominal)
        limit = TOLERANCE + RELATIVE * sum(np.abs(part) for part in parts)
        return not np.any(difference > limit)  # a result that is not finite says nothing


def _columns(network: NetworkEstimator, results: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return np.stack([results[f"{name}_{column.name}"] for column in network.columns])
