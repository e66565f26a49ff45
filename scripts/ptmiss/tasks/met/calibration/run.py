"""The stage calibrate: from estimates to corrections and the tables of the figures."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

from ptmiss.core.io import atomic
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.calibration import document, inputs, store, submission, tables
from ptmiss.tasks.met.calibration.apply import Applied, prefix, read
from ptmiss.tasks.met.calibration.derive import check_finite, derive, make_bins, sample
from ptmiss.tasks.met.calibration.events import DERIVE
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

Path = str | os.PathLike[str]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """The correctionlib document, fits and replicas for `closure`, the table of all numbers in
    figures, the same table as a HEPData submission and, where wanted, as ROOT histograms.
    """

    corrections: Path
    fits: Path
    table: Path
    hepdata: Path
    histograms: Path | None


def calibrate(
    estimates: Sequence[Path],
    folds: FoldSettings,
    settings: CalibrationSettings,
    outputs: Outputs,
) -> None:
    """Derive the corrections of every estimator of a training on one half of the events.

    Raises `UserError` for events that nothing can be derived from.
    """
    found = inputs.load_inputs(estimates, folds, settings)
    half = found.dilepton.half(DERIVE)
    _LOG.info("deriving from %s", inputs.n_events(half))
    samples = {
        "data": sample(half.data, half.background, settings.replicas),
        "simulation": sample(half.simulation, None, settings.replicas),
    }
    check_finite(found.estimators, *samples.values(), settings)
    bins = make_bins(*samples.values(), settings)
    _LOG.info("bins of q_t for jets from %s: %s", list(bins.jet_edges), bins.ranges)
    made = [
        derive(name, e, *samples.values(), bins, settings)
        for e, name in enumerate(found.estimators)
    ]
    store.write(outputs.fits, made, bins)
    before = prefix(found.training, settings)
    document.write(outputs.corrections, document.document(made, _about(found, before), before))
    opened = read(outputs.corrections)
    tools = [Applied(opened, name, e, before) for e, name in enumerate(found.estimators)]
    rows = tables.rows(made, samples, tools, found, bins, settings)
    atomic.write_text(outputs.table, tables.to_csv(rows))
    submission.write(outputs.hepdata, rows, found.training, found.simulated)
    if outputs.histograms is not None:
        from ptmiss.tasks.met.calibration import histograms

        histograms.write(outputs.histograms, rows, bins, found.training, found.simulated)


def _about(found: inputs.Inputs, before: str) -> str:
    """Return the description of a document: how its corrections are applied, and to what."""
    name = f"{before}NAME"
    kind = "pseudo-data (parametric simulation)" if found.simulated else "data"
    return (
        f"Calibration of pTmiss, training {found.training}, derived from"
        f" {found.dilepton.data_name} ({kind}) and {found.dilepton.name}. In order: subtract"
        f" {name}_xy_x and {name}_xy_y from pTmiss, in data and simulation; in simulation replace"
        f" u_par - q_t and u_perp by {name}_u_par and {name}_u_perp; divide u_par by"
        f" {name}_response of data where a response of 1 is wanted, pTmiss by {name}_plateau where"
        " q_t is not known."
        " u = -(visible boson + pTmiss), u_par along minus the boson. Systematics: stat,"
        " background, form of the distribution functions, jets (inclusive); down mirrors up for"
        " the last two."
    )
