"""The stage closure: from corrections and held-out events to a verdict."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, records
from ptmiss.core.paths import PathLike
from ptmiss.core.settings.names import unknown
from ptmiss.core.stats.merging import effective
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration import store
from ptmiss.tasks.met.calibration.apply import Applied, Document, read
from ptmiss.tasks.met.calibration.bins import Bins
from ptmiss.tasks.met.calibration.bosons import JUDGE
from ptmiss.tasks.met.calibration.inputs import Inputs, Side, load_inputs
from ptmiss.tasks.met.calibration.names import COMPONENTS
from ptmiss.tasks.met.calibration.store import Stored
from ptmiss.tasks.met.calibration.verdict import Comparison, Verdict, problems, verdict_of
from ptmiss.tasks.met.closure import modulation
from ptmiss.tasks.met.closure.distances import ALL, Distances
from ptmiss.tasks.met.closure.outcomes import Measured, Probability, Subject, judge
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LEAST = 10
"""Effective events below which a mean has no error to speak of; `min_events` is never less."""
_LOG = logging.getLogger(__name__)


def closure(
    estimates: Sequence[PathLike],
    folds: FoldSettings,
    settings: CalibrationSettings,
    corrections: PathLike,
    fits: PathLike,
    verdict: PathLike,
) -> None:
    """Judge the corrections on the other half of the events and write the verdict."""
    loaded = load_inputs(estimates, folds, settings)
    stored, bins = store.read(fits)
    for name in loaded.estimators:
        if name not in stored:
            raise UserError(
                f"{fits}: holds no fits of the estimator {name}, which the estimates have; run the"
                " stage calibrate again"
            )
    result = judge_all(loaded, read(corrections), stored, bins, settings)
    for line in problems(result):
        _LOG.warning("%s", line)
    atomic.write_json(verdict, records.to_values(result))


def judge_all(
    inputs: Inputs,
    corrections: Document,
    stored: Mapping[str, Stored],
    bins: Bins,
    settings: CalibrationSettings,
) -> Verdict:
    """Judge the corrections of all estimators on the half that they were not derived from.

    Returns three lists of tests: `tests`, which count; `undecided`, where so few events could not
    even show a perfect correction; `others`, of estimators that do not count. Each estimator is
    judged in the events in which it is finite, `masked` says in how many it is not. Raises
    `UserError` for an estimator that counts and is not there, and for too few events.
    """
    counting = settings.closure.estimators
    for name in counting:
        if name not in inputs.estimators:
            raise UserError(unknown("calibration.closure.estimators", name, inputs.estimators))
    measured: list[Measured] = []
    judged = inputs.dilepton.half(JUDGE)
    for name in inputs.estimators:
        tool = Applied(corrections, name, inputs.prefix)
        few = _few(judged.finite(name), name)
        if few and name in counting:
            raise UserError(few)
        if few:
            _LOG.warning(few)
            continue
        measured += _flatness(judged.finite(name), tool, stored[name], settings)
        for side in (judged, *inputs.control):
            measured += _distances(side, side is judged, tool, stored[name], bins, settings)
    groups: dict[str, list[Comparison]] = {"tests": [], "undecided": [], "others": []}
    for test in judge(measured, settings.closure):
        counts = test.comparison.estimator in counting
        kind = "others" if not counts else "tests" if test.decisive else "undecided"
        groups[kind].append(test.comparison)
    if groups["undecided"]:
        _LOG.warning(
            "closure: %d of %d tests are not decided: the correction is smaller than what so few"
            " events can show",
            len(groups["undecided"]),
            len(measured) - len(groups["others"]),
        )
    verdict = Verdict(
        gate="closure",
        training=inputs.training,
        passed=verdict_of([test.passed for test in groups["tests"]]),
        tests=tuple(groups["tests"]),
        undecided=tuple(groups["undecided"]),
        others=tuple(groups["others"]),
    )
    return verdict.model_copy(update={"masked": inputs.masked}) if inputs.masked else verdict


def _few(side: Side, estimator: str) -> str:
    """Say in which sample the events of an estimator are too few to judge anything, if in any."""
    sides = ((side.data_name, side.less_background), (side.name, side.simulation))
    for name, events in sides:
        n_effective = effective(events.weight)
        if n_effective < _LEAST:
            return (
                f"closure: sample {name} has {n_effective:.0f} effective events of {estimator} in"
                f" the half that is judged, fewer than {_LEAST}; add events"
            )
    return ""


def _distances(
    side: Side,
    derived: bool,
    tool: Applied,
    stored: Stored,
    bins: Bins,
    settings: CalibrationSettings,
) -> Iterator[Measured]:
    """Yield the tests of the maps. derived: they were derived from the other half of the side."""
    limit, regions = settings.closure.reduction_apply, [ALL]
    if derived:
        limit = settings.closure.reduction
        regions += [(float(low), float(high)) for low, high in settings.closure.qt_ranges]
    some = side.finite(tool.estimator).thinned(settings.closure.max_events)
    distances = Distances(some, tool, stored, bins, settings, limit)
    for component in COMPONENTS:
        yield from distances.tests(component, regions)


def _flatness(
    side: Side, tool: Applied, stored: Stored, settings: CalibrationSettings
) -> Iterator[Probability]:
    """Yield the tests of the xy correction: phi flat, means that do not move with n_pv."""
    sides = (
        ("data", side.data_name, side.less_background),
        ("simulation", side.name, side.simulation),
    )
    for dataset, sample, events in sides:
        subject = Subject(tool.estimator, sample, "all")
        args = (events.met[tool.estimator], events.n_pv, events.weight)
        offsets = (modulation.Offsets(None), modulation.Offsets(stored.xy[dataset]))
        before, after = (modulation.phi_p_value(*args, one) for one in offsets)
        what = "p-value of phi(pTmiss) being flat"
        yield Probability("phi_flat", subject, what, before, after)
        for axis, letter in enumerate("xy"):
            slopes = [modulation.slope(*args, one, axis, settings.min_events) for one in offsets]
            before, after = (modulation.two_sided(*one) for one in slopes)
            what = f"slope of the mean p{letter} versus n_pv, standard deviations"
            sigmas = modulation.sigmas(before)
            yield Probability(f"slope_{letter}", subject, what, sigmas, after, slopes[1][0])
