"""Which samples play which part, and their events, ready for derivation and closure."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.core.settings.names import unknown
from ptmiss.events.samples import require_one_energy
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration.bosons import BosonEvents, join
from ptmiss.tasks.met.calibration.reading import Reader
from ptmiss.tasks.met.calibration.verdict import Masked
from ptmiss.tasks.met.estimators.stored import STORED
from ptmiss.tasks.met.performance.stream import Source, sources
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Side:
    """A sample in data and its simulation, under the name of the latter.

    background: events that data holds besides the simulated process; None where there are none.
    """

    data_name: str
    name: str
    data: BosonEvents
    simulation: BosonEvents
    background: BosonEvents | None

    @property
    def less_background(self) -> BosonEvents:
        """The events of data with those of the background subtracted."""
        if self.background is None:
            return self.data
        return join([self.data, self.background.scaled(-1.0)])

    def half(self, number: int) -> Side:
        """Return one half of the events."""
        return self._each(lambda events: events.take(events.half == number))

    def finite(self, estimator: str) -> Side:
        """Return the events in which an estimator is finite."""

        def usable(events: BosonEvents) -> BosonEvents:
            mask = events.finite(estimator)
            return events if mask.all() else events.take(mask)

        return self._each(usable)

    def thinned(self, most: int) -> Side:
        """Return a random part of the events, the same share of each, at most about `most` of one.

        An event is always drawn or never, whatever the others are.
        """
        parts = (self.data, self.simulation, self.background)
        largest = max(part.size for part in parts if part is not None)
        if largest <= most:
            return self
        last = np.uint64(most / largest * 2.0**64)
        return self._each(lambda events: events.take(events.states < last))

    def _each(self, change: Callable[[BosonEvents], BosonEvents]) -> Side:
        background = None if self.background is None else change(self.background)
        return dataclasses.replace(
            self, data=change(self.data), simulation=change(self.simulation), background=background
        )


@dataclass(frozen=True)
class Inputs:
    """Everything a calibration reads.

    simulated: what plays the part of data is simulated; control: where maps are only applied;
    masked: what was read with an estimator that is not finite; prefix: what names of corrections
    begin with: nothing, or the training and a dot. No name of a training or an estimator has a dot,
    so that two of them never give the same name.
    """

    training: str
    simulated: bool
    estimators: tuple[str, ...]
    dilepton: Side
    control: tuple[Side, ...]
    masked: tuple[Masked, ...] = ()
    prefix: str = ""


def load_inputs(
    estimates: Sequence[PathLike], folds: FoldSettings, settings: CalibrationSettings
) -> Inputs:
    """Read all samples of the calibration.

    Simulated events are those of the test folds, which no network has learnt from. Raises
    `UserError` where a sample is missing or not fit for its part.
    """
    by_name = {source.name: source for source in sources(estimates, settings.stored)}
    require_one_energy(by_name.values(), "calibration")
    for role in ("data", "simulation"):
        name = getattr(settings, role)
        if name not in by_name:
            raise UserError(
                f"calibration.{role} is {name!r}, of which there are no estimates (found:"
                f" {', '.join(sorted(by_name))}); name a sample with a dilepton selection"
            )
    data, simulation = by_name[settings.data], by_name[settings.simulation]
    estimators = _estimators(by_name, settings)
    if not estimators:
        raise UserError(
            f"samples {data.name} and {simulation.name} have no estimator in common;"
            " evaluate both with the same evaluate.estimators"
        )
    for name in settings.backgrounds:
        if name not in by_name:
            raise UserError(
                f"{unknown('calibration.backgrounds', name, by_name)}; of these there are estimates"
            )
    read = Reader(estimators, folds, settings)
    background = read.backgrounds([by_name[name] for name in settings.backgrounds])
    events = read.data(data)
    if background is not None and not data.is_data and settings.mix_backgrounds:
        # one half is mixed in and the other subtracted, so that they fluctuate independently
        mixed, background = (background.take(background.other == i).scaled(2.0) for i in (0, 1))
        events = join([events, mixed])
    dilepton = Side(data.name, simulation.name, events, read.simulation(simulation), background)
    control = []
    for name, counterpart in sorted(settings.apply.items()):
        for sample in (name, counterpart):
            if sample not in by_name:
                raise UserError(
                    f"{unknown('calibration.apply', sample, by_name)}; of these there are estimates"
                )
        pair = read.data(by_name[counterpart]), read.simulation(by_name[name])
        control.append(Side(counterpart, name, *pair, None))
    training = simulation.info.training
    return Inputs(
        training=training,
        simulated=not data.is_data,
        estimators=estimators,
        dilepton=dilepton,
        control=tuple(control),
        masked=tuple(read.masked),
        prefix=f"{training}." if settings.names == "training" else "",
    )


def _estimators(by_name: Mapping[str, Source], settings: CalibrationSettings) -> tuple[str, ...]:
    """Return the estimators that are calibrated: those that data and simulation have, of stored
    METs those that all samples have.

    Raises `UserError` for samples with and without candidates: in one of them `puppi` is a sum of
    candidates, in the other what the input stores.
    """
    pairs = [name for pair in settings.apply.items() for name in pair]
    names = [settings.data, settings.simulation, *settings.backgrounds, *pairs]
    used = [by_name[name] for name in dict.fromkeys(names) if name in by_name]
    kinds = {source.info.has_candidates: source.name for source in used}
    if len(kinds) == 2:
        raise UserError(
            f"calibration: sample {kinds[True]} has candidates and {kinds[False]} has none, so that"
            " estimators of one name are not the same; give both source: nanoaod"
        )
    both = [name for name in used[1].estimators if name in used[0].estimators]
    return tuple(
        name
        for name in both
        if not name.startswith(STORED)
        or all(name in one.estimators and one.info.stored is not None for one in used)
    )


def n_events(side: Side) -> str:
    """Return one line on the number of events of a side."""
    background = 0 if side.background is None else side.background.size
    return (
        f"{side.data_name}: {side.data.size} events, {side.name}: {side.simulation.size},"
        f" background: {background}"
    )
