"""From a trained network to a file that other software runs, if it gives the same numbers."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic
from ptmiss.core.io.records import read_values
from ptmiss.learn import features as ft
from ptmiss.learn import records
from ptmiss.learn.backbones.deepmet import DeepMET, weights_of
from ptmiss.learn.backbones.layers import EPSILON
from ptmiss.learn.data import dataset
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import graph, parity, triton
from ptmiss.learn.onnx.network import RULES_KEY, NetworkEstimator
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.training.storage import load_model

LICENCE = "BSD-3-Clause"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportInputs:
    """What the stage train wrote, and a dataset, on whose events parity is shown."""

    model: str | os.PathLike[str]
    record: str | os.PathLike[str]
    dataset: str | os.PathLike[str]


@dataclass(frozen=True)
class ExportOutputs:
    """The files that `export` writes."""

    onnx: Path
    triton: Path
    parity: Path


def export(
    inputs: ExportInputs, settings: ExportSettings, outputs: ExportOutputs, threads: int
) -> dict[str, object]:
    """Write model.onnx, config.pbtxt and parity.json of a trained network; return the latter.

    Raises `UserError`, and writes nothing, if model and record do not belong together or if the two
    networks differ by more than the settings allow on any event.
    """
    network = load_model(inputs.model)
    record = _record(inputs.record, network)
    proto = build(network, record)
    content = proto.SerializeToString(deterministic=True)
    checked = onnx_file.accept(onnx.load_model_from_string(content), outputs.onnx)
    result = show_parity(network, NetworkEstimator(checked, threads), inputs.dataset, settings)
    result["onnx_sha256"] = hashlib.sha256(content).hexdigest()
    result["weights_sha256"] = record["weights_sha256"]
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # the three belong together: all are on disk before the first gets its name
    with (
        atomic.replacing(outputs.onnx) as onnx_path,
        atomic.replacing(outputs.triton) as triton_path,
    ):
        onnx_path.write_bytes(content)
        triton_path.write_text(triton.config(md5, settings), encoding="utf-8")
        atomic.write_json(outputs.parity, result)
    return result


def build(network: DeepMET, record: Mapping[str, object]) -> onnx.ModelProto:
    """Return a network as an ONNX model; record: what training.json says."""
    spec = network.spec
    return graph.build(
        weights_of(network), spec.bias, spec.pinned_pt, EPSILON, metadata(network, record)
    )


def metadata(network: DeepMET, record: Mapping[str, object]) -> dict[str, str]:
    """Return what the file says of itself: what to feed, how to read the output, its origin."""
    spec = network.spec
    codes = {"charge": ft.CHARGES, "pdg_id": ft.PDG_IDS, "from_pv": ft.FROM_PVS}
    values = {
        "licence": LICENCE,
        "ptmiss.training": record["training"],
        "ptmiss.weights_sha256": record["weights_sha256"],
        "ptmiss.network": {
            "bias": spec.bias,
            "transform": spec.transform,
            # a string, because JSON knows no infinity
            "pinned_pt": repr(spec.pinned_pt),
        },
        RULES_KEY: spec.rules.as_dict(),
        "ptmiss.continuous": ft.CONTINUOUS,
        "ptmiss.units": "d0, dz: cm; mass: GeV; pt, px, py: 50 GeV; charge, pdg_id, from_pv: codes",
        "ptmiss.categories": ft.CATEGORIES,
        "ptmiss.codes": codes,
        "ptmiss.unknown_codes": spec.rules.table_sizes() if spec.rules.unknown_codes else None,
        "ptmiss.output": f"pTmiss (px, py) = {ft.SCALE:g} GeV x {onnx_file.OUTPUT}",
        "ptmiss.padding": "a slot with pt = 0 counts nothing; all inputs must be finite",
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in values.items()
    }


def show_parity(
    network: DeepMET,
    estimator: NetworkEstimator,
    events: str | os.PathLike[str],
    settings: ExportSettings,
) -> dict[str, object]:
    """Return the largest differences in GeV; raises `UserError` if one is above the limit."""
    rng = np.random.default_rng(0)  # of pads and orders: equal files give equal results
    worst: dict[str, float] = {}
    total = distinct = candidates = 0
    reference = _reference(network)
    for block, copy in parity.enough_events(_events(events), settings.parity_events):
        n = len(block.offsets) - 1
        total, candidates = total + n, candidates + len(block.continuous)
        distinct += n if copy == 0 else 0
        for name, value in parity.compare(block, reference, estimator, rng).items():
            # not max(): it would let NaN pass
            if not value <= worst.get(name, -1.0):
                worst[name] = value
    if total == 0:
        raise UserError(f"{events}: the dataset is empty, parity cannot be shown")
    if not all(value <= settings.parity_limit for value in worst.values()):
        found = ", ".join(f"{name} {value:.1e} GeV" for name, value in worst.items())
        raise UserError(
            f"{estimator.model.path}: not written, because the exported network differs: {found}"
            f" on one of {total} events of {events}; at most {settings.parity_limit:g} GeV is"
            " allowed (nan: a result is not finite)"
        )
    _LOG.info("parity on %d events: %s", total, worst)
    return {
        "events": total,
        "distinct_events": distinct,
        "candidates": candidates,
        "limit_gev": settings.parity_limit,
        "largest_difference_gev": worst,
        "opset": graph.OPSET,
        "versions": {
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tensorflow": tf.__version__,
        },
    }


def _reference(network: DeepMET) -> parity.Reference:
    def run(x: np.ndarray, codes: np.ndarray, event: np.ndarray, n: int) -> np.ndarray:
        inputs = (tf.constant(x), tf.constant(codes, tf.int32), tf.constant(event))
        return network.flat(*inputs, n, training=False).numpy()

    return run


def _events(path: str | os.PathLike[str]) -> Iterator[ft.Features]:
    for group in dataset.groups(path):
        yield ft.Features(group.offsets, group.continuous, group.categories.astype(np.int32), {})


def _record(path: str | os.PathLike[str], network: DeepMET) -> dict[str, object]:
    """Return what training.json says, after making sure that it is about this network."""
    record = read_values(records.TrainedNetwork, path, "train")
    found, name = record["weights_sha256"], record["training"]
    digest = hashlib.sha256()
    for variable in network.variables:
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    if found != digest.hexdigest():
        raise UserError(
            f"{path}: the record of {name} is of another network (its weights differ);"
            " give model.keras and training.json of one training"
        )
    return record
