"""One sample under a network: everything that needs its candidates, in one pass over the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ptmiss.core.io import parquet
from ptmiss.core.stats.bootstrap import copies, states_of
from ptmiss.events.samples import Sample
from ptmiss.tasks.met.estimators import classical
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import features
from ptmiss.tasks.met.interpretation import chosen, weights
from ptmiss.tasks.met.interpretation.cells import Cells
from ptmiss.tasks.met.interpretation.chosen import CandidateEvents
from ptmiss.tasks.met.interpretation.displays import Event
from ptmiss.tasks.met.interpretation.groups import group_of
from ptmiss.tasks.met.interpretation.importance import Permuted
from ptmiss.tasks.met.interpretation.permute import names_of, permuted, sources_of
from ptmiss.tasks.met.interpretation.separate import SeparateNetwork
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.performance import PerformanceSettings

DEEPMET = "deepmet"
"""Name of the network among the estimators."""

COMPARED = ("puppi", "oracle")
"""Estimators whose mean weights stand beside the network's."""


@dataclass
class Look:
    """What one sample has shown.

    errors: |pTmiss of the network - true pTmiss| of each event in GeV, NaN where one is unknown;
    places: where each event is; bad_candidates, bad_events: left out of the mean weights and of the
    permuted events, because something is not finite; permuted: None without boson and truth.
    """

    sample: Sample
    means: weights.MeanWeights
    errors: list[np.ndarray] = field(default_factory=list)
    places: list[chosen.Chosen] = field(default_factory=list)
    permuted: Permuted | None = None
    bad_candidates: int = 0
    bad_events: int = 0


@dataclass(frozen=True)
class Looker:
    """A network, whole and separated, and the settings it is looked at with."""

    network: NetworkEstimator
    separate: SeparateNetwork
    performance: PerformanceSettings
    settings: InterpretSettings

    def look(self, sample: Sample, places: Sequence[chosen.Chosen]) -> Look:
        """Return what the chosen events of a sample show; a few events are in memory at a time.

        Raises `UserError` for skims without the PUPPI weight that the network wants.
        """
        for file in sample.files:
            with parquet.reading(file) as opened:
                self.network.read_from(opened.schema_arrow, file)
        cells = Cells(self.settings)
        compared = [name for name in COMPARED if name != "oracle" or chosen.has_truth(sample)]
        estimators = (DEEPMET, *compared)
        look = Look(sample, weights.MeanWeights(cells, estimators, self.performance.replicas))
        limit = chosen.largest_hash(places, self.settings.importance_events)
        parts = []
        for part in chosen.read(places, chosen.has_truth(sample), self.network.puppi):
            states = states_of(part.hashes, self.performance.seed)
            drawn = copies(states, self.performance.replicas)
            self._weigh(look, part, cells, compared, drawn)
            inside = part.hashes <= limit
            if inside.any():
                few = part.keep(inside)
                met = self._permute(few)
                parts.append((met, few.boson, few.true_met, few.hashes, drawn[inside].T))
        for place in places:
            look.places += [place.only(slice(i, i + 1)) for i in range(len(place.rows))]
        joined = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True))
        look.permuted, look.bad_events = _join(sample, *joined)
        return look

    def _weigh(
        self,
        look: Look,
        part: CandidateEvents,
        cells: Cells,
        compared: Sequence[str],
        drawn: np.ndarray,
    ) -> None:
        """Add the errors and weights of some events."""
        candidates = part.candidates
        result = self.network.estimate(candidates)
        true_x, true_y = part.true_met
        look.errors.append(np.hypot(result.px - true_x, result.py - true_y))
        others = (classical.candidate_weights(name, candidates) for name in compared)
        table = np.stack([np.asarray(result.weights), *others]).astype(np.float64)
        numbers = cells.numbers(candidates)
        broken = ~np.isfinite(table).all(axis=0)
        look.bad_candidates += int(np.count_nonzero(broken))
        numbers[:, broken], table[:, broken] = -1, 0.0
        look.means.add(candidates.offsets, group_of(candidates), numbers, table, drawn)

    def _permute(self, part: CandidateEvents) -> np.ndarray:
        """Return pTmiss as it is and with each feature permuted, (1 + features, 2, n) in GeV."""
        inputs = features(part.candidates, self.separate.rules, self.network.puppi)
        seen = [inputs]
        for feature in names_of(inputs.continuous.shape[1]):
            source = sources_of(inputs.offsets, part.hashes, self.settings.seed, feature)
            seen.append(permuted(inputs, feature, source))
        return self.separate.run(inputs, seen)

    def show(self, sample: Sample, place: chosen.Chosen) -> Event:
        """Return one event in full, with every estimator."""
        (part,) = chosen.read([place], chosen.has_truth(sample), self.network.puppi)
        candidates = part.candidates
        momentum = classical.transverse_momentum(candidates)
        result = self.network.estimate(candidates)
        estimates = {DEEPMET: np.concatenate([result.px, result.py])}
        for name in classical.COLUMNS:
            if name != "oracle" or chosen.has_truth(sample):
                weight = classical.candidate_weights(name, candidates)
                met = classical.missing_momentum(momentum, weight, candidates.offsets)
                estimates[name] = np.concatenate(met)
        return Event(
            sample=sample.name,
            identity=(int(part.run[0]), int(part.lumi[0]), int(part.event[0])),
            true=part.true_met[:, 0],
            estimates=estimates,
            pt=candidates["cand_pt"],
            eta=candidates["cand_eta"],
            phi=candidates["cand_phi"],
            weight=np.asarray(result.weights),
            group=group_of(candidates),
        )


def _join(
    sample: Sample,
    met: np.ndarray,
    boson: np.ndarray,
    true_met: np.ndarray,
    hashes: np.ndarray,
    drawn: np.ndarray,
) -> tuple[Permuted | None, int]:
    """Return the permuted events in the order of their hashes, and how many are left out."""
    dilepton = not sample.info.boson_has_neutrino and bool(np.isfinite(boson).any())
    known = np.isfinite(boson if dilepton else true_met).all(axis=0)
    if not known.any():
        return None, 0
    good = known & np.isfinite(met).all(axis=(0, 1))
    order = np.flatnonzero(good)[np.argsort(hashes[good], kind="stable")]
    joined = Permuted(
        dilepton, met[:, :, order], boson[:, order], true_met[:, order], drawn.T[order]
    )
    return joined, int(np.count_nonzero(~good))
