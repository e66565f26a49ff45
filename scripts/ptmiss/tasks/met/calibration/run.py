"""The stage calibrate: from estimates to corrections and the tables of the figures."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence

from ptmiss.core.io import atomic
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration import document, inputs, store, submission, tables
from ptmiss.tasks.met.calibration.apply import Applied, Document, prefix, read
from ptmiss.tasks.met.calibration.bins import check_finite, make_bins
from ptmiss.tasks.met.calibration.derive import Corrections, derive
from ptmiss.tasks.met.calibration.distributions import ALL, rows_of_phi, rows_of_recoil
from ptmiss.tasks.met.calibration.events import DERIVE, JUDGE
from ptmiss.tasks.met.calibration.layouts import CALIBRATION, Number
from ptmiss.tasks.met.calibration.samples import sample
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

Path = str | os.PathLike[str]
_LOG = logging.getLogger(__name__)


def calibrate(
    estimates: Sequence[Path],
    folds: FoldSettings,
    settings: CalibrationSettings,
    corrections: Path,
    fits: Path,
    table: Path,
    hepdata: Path,
    root: Path | None = None,
) -> None:
    """Derive the corrections of every estimator of a training on one half of the events.

    Writes the correctionlib document, fits and replicas for `closure`, the table of all numbers in
    figures, the same table as a HEPData submission and, to `root`, as ROOT histograms. Raises
    `UserError` for events that nothing can be derived from.
    """
    found = inputs.load_inputs(estimates, folds, settings)
    half = found.dilepton.half(DERIVE)
    _LOG.info("deriving from %s", inputs.n_events(half))
    samples = {
        "data": sample(half.data, half.background, settings.replicas),
        "simulation": sample(half.simulation, None, settings.replicas),
    }
    check_finite(found.estimators, samples, settings)
    bins = make_bins(samples, settings)
    _LOG.info("bins of q_t for jets from %s: %s", list(bins.jet_edges), bins.ranges)
    derived = [derive(name, samples, bins, settings) for name in found.estimators]
    store.write(fits, {one.estimator: one.stored() for one in derived}, bins)
    before = prefix(found.training, settings)
    document.write(corrections, document.document(derived, document.about(found, before), before))
    rows = list(_numbers(derived, read(corrections), found, settings))
    atomic.write_text(table, CALIBRATION.csv(rows))
    submission.write(hepdata, rows, found.training, found.simulated)
    if root is not None:
        from ptmiss.tasks.met.calibration import histograms

        histograms.write(root, rows, bins, found.training, found.simulated)


def _numbers(
    derived: Sequence[Corrections],
    corrections: Document,
    found: inputs.Inputs,
    settings: CalibrationSettings,
) -> Iterator[Number]:
    """Yield the table of a training.

    Distributions before and after are of the half that the corrections were not derived from, which
    are applied as a user does it.
    """
    judged = found.dilepton.half(JUDGE)
    for one in derived:
        tool = Applied(corrections, one.estimator, prefix(found.training, settings))
        yield from tables.rows(one, settings)
        yield from rows_of_phi(judged.finite(one.estimator), tool)
        counts = one.estimator in settings.closure.estimators
        ranges = [ALL, *(settings.closure.qt_ranges if counts else ())]
        usable = judged.finite(one.estimator)
        yield from rows_of_recoil(one.maps, tool, usable, ranges, "")
        for side in found.control:
            usable = side.finite(one.estimator)
            yield from rows_of_recoil(one.maps, tool, usable, [ALL], side.name)
