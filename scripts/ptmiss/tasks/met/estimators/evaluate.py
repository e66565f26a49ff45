"""From a skim to the pTmiss of every estimator, one row group at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import Ragged, from_arrow
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.columns import CANDIDATE_COLUMNS, content_of, layout_of
from ptmiss.learn.features import EstimateColumn
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.child import Child
from ptmiss.learn.onnx.file import Interface
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators import classical, table
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.estimators.padding import check_pads
from ptmiss.tasks.met.estimators.stored import evaluate_stored
from ptmiss.tasks.met.estimators.table import NOMINAL
from ptmiss.tasks.met.features import COLUMNS as FEATURE_COLUMNS
from ptmiss.tasks.met.features import ESTIMATE
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

DEEPMET = "deepmet"
"""Name of the estimator that a training's own model makes."""

_LOG = logging.getLogger(__name__)

FEW_EVENTS = 10
"""Events without a finite result that no share says anything about."""


@dataclass(frozen=True)
class Models:
    """ONNX models to evaluate. own: of the training, or None; external: name -> file."""

    own: PathLike | None
    external: Mapping[str, PathLike]
    threads: int

    @contextlib.contextmanager
    def loaded(
        self, settings: EvaluateSettings, with_weights: bool
    ) -> Iterator[dict[str, NetworkEstimator]]:
        """Give the estimators by name, for as long as the `with` statement lasts.

        The training's own model runs in this process if a sum beside it vouches that it is the file
        that somebody recorded; all others have a process of their own each. Raises `UserError` for
        a model that is not accepted.
        """
        with contextlib.ExitStack() as stack:
            files = {} if self.own is None else {DEEPMET: self.own}
            inside = {name for name, path in files.items() if manifest.record_of(path).exists()}
            files.update(self.external)
            children = {  # all are started before the first is waited for
                name: stack.enter_context(Child(self.threads, settings.limits))
                for name in files
                if name not in inside
            }
            networks = {}
            for name, path in files.items():
                if name in inside:
                    networks[name] = NetworkEstimator(
                        onnx_file.read(path), self.threads, with_weights
                    )
                else:
                    networks[name] = outside(children[name], name, path, settings, with_weights)
                for notice in networks[name].model.notices:
                    _LOG.warning("%s: %s", path, notice)
            yield networks


NO_MODELS = Models(own=None, external={}, threads=1)


def outside(
    child: Child, name: str, path: PathLike, settings: EvaluateSettings, with_weights: bool = False
) -> NetworkEstimator:
    """Return the estimator of a file that runs in a process of its own.

    name: in the settings, `DEEPMET` for a training's own. Raises `UserError` for a model that is
    not accepted, and for one that counts its pads without a setting that says how many it wants.
    """
    content = onnx_file.read_bytes(path)
    model = child.load(content, os.fspath(path), with_weights)
    model = with_slots(model, name, settings.slots().get(name))
    network = NetworkEstimator(model, child.threads, with_weights, child)
    check_pads(None if name == DEEPMET else name, network)
    return network


def with_slots(model: Interface, name: str, slots: int | None) -> Interface:
    """Return the model with the number of slots of the settings; None: none is set.

    Raises `UserError` if the file fixes another number, or if a fixed batch of that many candidates
    would be too large.
    """
    if slots is None or model.slots == slots:
        return model
    if model.slots is not None:
        raise UserError(
            f"{model.path}: takes {model.slots} slots, but evaluate.external.{name}.slots is"
            f" {slots}; correct it or leave it out"
        )
    if (model.batch or 1) * slots > onnx_file.MAX_SLOTS:
        raise UserError(
            f"{model.path}: {model.batch} events of evaluate.external.{name}.slots = {slots} are"
            f" more than {onnx_file.MAX_SLOTS} slots together"
        )
    return dataclasses.replace(model, slots=slots)


def external_models(texts: Sequence[str], settings: EvaluateSettings) -> dict[str, str]:
    """Return name -> file of the settings and of texts NAME=FILE together.

    Raises `UserError` for a text of another form, a name that is not allowed, and two files of one
    name.
    """
    models = settings.external_paths()
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals:
            raise UserError(f"external model {text!r}: expected NAME=FILE")
        if models.setdefault(name, path) != path:
            raise UserError(f"external model {name!r}: given twice, {models[name]} and {path}")
    values = {**settings.model_dump(mode="json"), "external": models}
    return from_mapping(EvaluateSettings, values, "evaluate").external_paths()


def evaluate(
    skim: PathLike,
    training: str,
    settings: EvaluateSettings,
    estimates: PathLike,
    models: Models = NO_MODELS,
    weights: PathLike | None = None,
) -> dict[str, int]:
    """Compute pTmiss with every estimator for every event of a skim.

    Writes `estimates` (event columns of the skim, `{estimator}_px` and `_py` in GeV, float64, then
    the stored METs) and, if asked for, `weights`: run, lumi, event and a list `{estimator}_weight`
    in the order of the skim's candidates; models of others have no weights to show. Returns the
    number of events and, per estimator, of events whose result is not finite. Raises `UserError`
    for a file that is not a skim and for a model that is not accepted. Of a skim without candidates
    the stored METs are the estimators, see `evaluate_stored`; no model is run.
    """
    with parquet.reading(skim) as file:
        schema = file.schema_arrow
    if not content_of(schema).candidates:
        if weights is not None:
            raise UserError(
                f"{skim}: has no candidates, so there are no weights; leave out weights"
            )
        return evaluate_stored(skim, schema, training, estimates)
    with contextlib.ExitStack() as stack:
        networks = stack.enter_context(models.loaded(settings, with_weights=weights is not None))
        for network in networks.values():
            network.read_from(schema, skim)
        fixed = usable(settings.estimators, schema, skim)
        names = [*fixed, *networks]
        events = table.event_columns(schema, skim)
        needed = candidate_columns(fixed, networks)
        columns = [*events, *needed]
        declared: dict[str, Sequence[EstimateColumn]] = dict.fromkeys(fixed, ESTIMATE)
        declared |= {name: network.columns for name, network in networks.items()}
        out_schema = table.estimates_schema(schema, events, declared, training, NOMINAL)
        counts = dict.fromkeys(("events", *names), 0)
        writer = stack.enter_context(parquet.writing(estimates, out_schema))
        weight_writer = None
        if weights is not None:
            weight_schema = table.weights_schema(
                schema, [*fixed, *_with_weights(networks)], out_schema.metadata
            )
            weight_writer = stack.enter_context(parquet.writing(weights, weight_schema))
        for group in parquet.row_groups(skim, columns, layout_of(columns)):
            candidates = from_arrow(group, needed)
            results, per_candidate = estimate_all(candidates, fixed, networks)
            counts["events"] += group.num_rows
            for name in names:
                counts[name] += not_finite(results, name)
            writer.write_table(table.estimates_table(out_schema, group, results))
            if weight_writer is not None:
                weight_writer.write_table(
                    table.weights_table(weight_schema, group, per_candidate, candidates.offsets)
                )
        # inside: an error here leaves no file
        check_finite(skim, counts, networks, settings.limits)
    _report(skim, counts, networks)
    return counts


def usable(estimators: Sequence[str], schema: pa.Schema, skim: PathLike) -> list[str]:
    """Return the estimators whose candidate columns exist; only the truth may be absent.

    estimators: wanted; schema: of the skim. Raises `UserError` if none is left.
    """
    names = []
    for name in estimators:
        if name == "oracle" and "cand_truth" not in schema.names:
            _LOG.info("%s: no cand_truth, so there is no oracle for this sample", skim)
            continue
        names.append(name)
    if not names:
        raise UserError(
            f"{skim}: none of the estimators {', '.join(estimators)} can be computed from it"
            " (oracle needs cand_truth); add another to evaluate.estimators"
        )
    return names


def candidate_columns(fixed: Sequence[str], networks: Mapping[str, NetworkEstimator]) -> list[str]:
    """Return the candidate columns that these classical estimators, and networks, need."""
    wanted = {column for name in fixed for column in classical.COLUMNS[name]}
    wanted |= {*classical.MOMENTUM_COLUMNS, *(FEATURE_COLUMNS if networks else ())}
    wanted |= {network.puppi for network in networks.values()}
    return [column for column in CANDIDATE_COLUMNS if column in wanted]


def _with_weights(networks: Mapping[str, NetworkEstimator]) -> list[str]:
    for name, network in networks.items():
        if not network.has_weights:
            _LOG.info("%s: %s does not give weights of candidates", name, network.model.path)
    return [name for name, network in networks.items() if network.has_weights]


def estimate_all(
    candidates: Ragged, fixed: Sequence[str], networks: Mapping[str, NetworkEstimator]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the result columns (n_events,) and the weights (n_candidates,) per estimator."""
    momentum = classical.transverse_momentum(candidates)
    results, per_candidate = {}, {}
    for name in fixed:
        per_candidate[name] = classical.candidate_weights(name, candidates)
        px, py = classical.missing_momentum(momentum, per_candidate[name], candidates.offsets)
        results[f"{name}_px"], results[f"{name}_py"] = px, py
    for name, network in networks.items():
        result = network.estimate(candidates)
        results |= result.columns(name)
        if result.weights is not None:
            per_candidate[name] = result.weights
    return results, per_candidate


def not_finite(results: Mapping[str, np.ndarray], name: str) -> int:
    """Return in how many events an estimator has no finite result."""
    finite = np.isfinite(results[f"{name}_px"]) & np.isfinite(results[f"{name}_py"])
    return int(np.count_nonzero(~finite))


def check_finite(
    skim: PathLike,
    counts: Mapping[str, int],
    networks: Mapping[str, NetworkEstimator],
    limits: ModelLimits,
) -> None:
    """Raise `UserError` for a model that has no finite result in too many events.

    counts: "events" and, for each network, events without a finite result; up to `FEW_EVENTS` pass,
    unless they are all.
    """
    for name, network in networks.items():
        bad, events = counts[name], counts["events"]
        # a part may be small: single events are left to the mask of the calibration
        if bad > max(FEW_EVENTS, limits.not_finite * events) or (
            1 < bad == events and limits.not_finite < 1.0
        ):
            raise UserError(
                f"{network.model.path}: {bad} of {events} estimates of {name}"
                f" for {skim} are not finite, more than the share {limits.not_finite:g} of"
                " evaluate.limits.not_finite; the model is broken or wants other features"
            )


def _report(
    skim: PathLike, counts: Mapping[str, int], networks: Mapping[str, NetworkEstimator]
) -> None:
    _LOG.info("%s: %d events", skim, counts["events"])
    for name in list(counts)[1:]:
        if counts[name]:
            _LOG.warning("%s: %d events of %s are not finite", skim, counts[name], name)
    for name, network in networks.items():
        repairs = {reason: n for reason, n in sorted(network.counts.items()) if n}
        text = ", ".join(f"{reason} {n}" for reason, n in repairs.items()) or "none"
        _LOG.info("%s: candidates repaired for %s: %s", skim, name, text)
