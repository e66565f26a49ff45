"""The stage calibrate: from estimates to corrections and the tables of the figures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptmiss.core.io import atomic
from ptmiss.core.paths import PathLike
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration import distributions, document, inputs, store, submission, tables
from ptmiss.tasks.met.calibration.apply import Applied, read
from ptmiss.tasks.met.calibration.bins import check_finite, make_bins
from ptmiss.tasks.met.calibration.bosons import DERIVE, JUDGE
from ptmiss.tasks.met.calibration.derive import derive
from ptmiss.tasks.met.calibration.layouts import CALIBRATION, Number
from ptmiss.tasks.met.calibration.published_lines import derive_lines
from ptmiss.tasks.met.calibration.published_moments import derive_recoil, published_bins
from ptmiss.tasks.met.calibration.published_recoil import recoil_document
from ptmiss.tasks.met.calibration.published_xy import xy_document
from ptmiss.tasks.met.calibration.replicas import sample
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """The correctionlib document, fits and replicas for `closure`, the table of all numbers in
    figures, the same table as a HEPData submission and, where wanted, as ROOT histograms.

    met_xy: the xy corrections in the layouts of CMS; recoil: folder of the recoil corrections, a
    file ESTIMATOR.json.gz each.
    """

    corrections: PathLike
    met_xy: PathLike
    recoil: PathLike
    fits: PathLike
    table: PathLike
    hepdata: PathLike
    histograms: PathLike | None


def calibrate(
    estimates: Sequence[PathLike],
    folds: FoldSettings,
    settings: CalibrationSettings,
    outputs: Outputs,
) -> None:
    """Derive the corrections of every estimator of a training on one half of the events.

    Raises `UserError` for events that nothing can be derived from.
    """
    loaded = inputs.load_inputs(estimates, folds, settings)
    half = loaded.dilepton.half(DERIVE)
    _LOG.info("deriving from %s", inputs.n_events(half))
    samples = {
        "data": sample(half.data, half.background, settings.replicas),
        "simulation": sample(half.simulation, None, settings.replicas),
    }
    check_finite(loaded.estimators, samples, settings)
    bins = make_bins(samples, settings)
    _LOG.info("bins of q_t for jets from %s: %s", list(bins.jet_edges), bins.ranges)
    derived = [derive(name, samples, bins, settings) for name in loaded.estimators]
    own = settings.published
    lines = [derive_lines(one, samples, settings) for one in derived]
    xy = xy_document(lines, loaded, own)  # before anything is written: it refuses empty run ranges
    store.write(outputs.fits, {maps.estimator: maps.stored() for maps in derived}, bins)
    text = document.about(loaded)
    document.write(outputs.corrections, document.document(derived, text, loaded.prefix))
    opened, judged = read(outputs.corrections), loaded.dilepton.half(JUDGE)
    document.write(outputs.met_xy, xy)
    wide = published_bins(samples, settings)
    rows: list[Number] = []
    for maps in derived:
        tool = Applied(opened, maps.estimator, loaded.prefix)
        rows += tables.rows(maps, settings)
        rows += distributions.rows(maps, tool, judged, loaded.control, settings)
        recoil = derive_recoil(maps, tool, samples, judged, wide, settings)
        path = Path(outputs.recoil, f"{maps.estimator}.json.gz")
        document.write(path, recoil_document(recoil, loaded, own))
    atomic.write_text(outputs.table, CALIBRATION.csv(rows))
    submission.write(outputs.hepdata, rows, loaded.training, loaded.simulated)
    if outputs.histograms is not None:
        from ptmiss.tasks.met.calibration import roothistograms

        roothistograms.write(outputs.histograms, rows, bins, loaded.training, loaded.simulated)
