"""The stage interpret: from skims and a network to tables of weights, importance, and events."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic
from ptmiss.core.paths import PathLike
from ptmiss.core.tables import Row
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.interface import ESTIMATE_KEY
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import RULES_KEY
from ptmiss.tasks.met.interpretation import chosen, displays, importance
from ptmiss.tasks.met.interpretation.layouts import IMPORTANCE, WEIGHTS
from ptmiss.tasks.met.interpretation.look import Look, Looker
from ptmiss.tasks.met.interpretation.separate import SeparateNetwork
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.performance import PerformanceSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sections:
    """Sections of the configuration that the stage reads."""

    folds: FoldSettings
    performance: PerformanceSettings
    settings: InterpretSettings


@dataclass(frozen=True)
class Outputs:
    """Files to write: two tables in CSV and the events in JSON."""

    weights: PathLike
    importance: PathLike
    displays: PathLike


def interpret_skims(
    skims: Sequence[str], model: str, sections: Sections, threads: int, outputs: Outputs
) -> None:
    """Look at each sample with the network in a file; the stage interpret. See `interpret`."""
    interpret(skims, onnx_file.read(model), sections, threads, outputs)


def interpret(
    skims: Iterable[PathLike],
    model: onnx_file.OnnxModel,
    sections: Sections,
    threads: int,
    outputs: Outputs,
) -> None:
    """Look at each sample of the skims and write the three results.

    A sample without truth has no displays, and without a boson as well no importance; a network of
    ours that a converter has written has neither these nor weights. The log says so. Raises
    `UserError` for files that are not skims or do not belong together, and for a model that was not
    written by this project.
    """
    looker = _looker(model, threads, sections)
    weight_rows: list[Row] = []
    importance_rows: list[Row] = []
    events: list[dict[str, object]] = []
    for sample in chosen.samples(skims):
        if looker is None:
            continue
        places = chosen.choose(sample, sections.folds.test, sections.settings.events)
        if not places:
            folds = list(sections.folds.test)
            _LOG.warning(
                "%s: no event in the test folds %s, so nothing is shown", sample.name, folds
            )
            continue
        look = looker.look(sample, places)
        weight_rows += look.means.rows(sample.name, sections.settings.min_candidates)
        importance_rows += _importance(look, sections.performance)
        events += _displays(look, looker)
        _report(look)
    atomic.write_text(outputs.weights, WEIGHTS.csv(weight_rows))
    atomic.write_text(outputs.importance, IMPORTANCE.csv(importance_rows))
    values = {"displays": events}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    atomic.write_text(outputs.displays, text + "\n")


def _looker(model: onnx_file.OnnxModel, threads: int, sections: Sections) -> Looker | None:
    """Return what looks at samples; None for a network of ours that cannot be looked into."""
    network = NetworkEstimator(model, threads, with_weights=True)
    if not network.has_weights:
        if RULES_KEY in model.metadata and ESTIMATE_KEY in model.metadata:
            _LOG.warning(
                "%s: a converter has written it, which keeps no weights of candidates, so nothing"
                " is shown",
                model.path,
            )
            return None
        raise UserError(
            f"{model.path}: gives no weights of candidates; give a model that the stage export"
            " wrote"
        )
    separate = SeparateNetwork(model, threads)
    return Looker(network, separate, sections.performance, sections.settings)


def _importance(look: Look, settings: PerformanceSettings) -> list[Row]:
    if look.permuted is None:
        return []
    limits = (settings.response_gen_met, settings.min_events)
    return list(importance.rows(look.sample.name, look.permuted, *limits))


def _displays(look: Look, looker: Looker) -> list[dict[str, object]]:
    errors = np.concatenate(look.errors)
    known = np.flatnonzero(np.isfinite(errors))
    hashes = np.array([place.hashes[0] for place in look.places])
    settings = looker.settings
    picked = displays.pick(errors[known], hashes[known], settings.typical, settings.worst)
    return [
        displays.entry(
            looker.show(look.sample, look.places[known[number]]), why, settings.display_candidates
        )
        for number, why in picked
    ]


def _report(look: Look) -> None:
    name, errors = look.sample.name, np.concatenate(look.errors)
    _LOG.info("%s: %d events", name, len(errors))
    if look.bad_candidates:
        _LOG.warning(
            "%s: %d candidates with a weight that is not finite are left out",
            name,
            look.bad_candidates,
        )
    if look.bad_events:
        _LOG.warning(
            "%s: %d events without a finite pTmiss or boson are left out of the importance",
            name,
            look.bad_events,
        )
    if look.permuted is None:
        _LOG.info("%s: neither boson nor truth, so no importance of features", name)
    if not np.isfinite(errors).any():
        _LOG.info("%s: no true pTmiss, so no event is shown", name)
