"""From a trained network to a file that other software runs, if it gives the same numbers."""

from __future__ import annotations

import hashlib
import json
import logging
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
from ptmiss.core.paths import PathLike
from ptmiss.learn import records, writers
from ptmiss.learn.data import dataset
from ptmiss.learn.features import Features
from ptmiss.learn.network import Network
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import parity, triton, writer
from ptmiss.learn.onnx.interface import ESTIMATE_KEY, inputs
from ptmiss.learn.onnx.network import OnnxNetwork
from ptmiss.learn.settings.export import ExportSettings
from ptmiss.learn.task import DatasetLayout, LearningTask
from ptmiss.learn.training.storage import load_model

LICENCE = "BSD-3-Clause"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportInputs:
    """What the stage train wrote, and a dataset, on whose events parity is shown."""

    model: Path
    record: Path
    dataset: Path


@dataclass(frozen=True)
class ExportOutputs:
    """The files that `export` writes."""

    onnx: Path
    triton: Path
    parity: Path


def export(
    inputs: ExportInputs,
    task: LearningTask,
    settings: ExportSettings,
    outputs: ExportOutputs,
    threads: int,
) -> dict[str, object]:
    """Write model.onnx, config.pbtxt and parity.json of a trained network; return the latter.

    Raises `UserError`, and writes nothing, if model and record do not belong together or if the
    two networks differ by more than the settings allow on any event.
    """
    network = load_model(inputs.model)
    record = _record(inputs.record, network)
    proto = build(network, task, record)
    content = proto.SerializeToString(deterministic=True)
    wanted = interface(network)
    checked = onnx_file.accept(onnx.load_model_from_string(content), outputs.onnx, wanted)
    runner = OnnxNetwork(checked, threads, network.head.scale)
    runner.size = network.spec.layout.size_place
    result = show_parity(network, task, runner, inputs.dataset, settings)
    result["opset"] = checked.opset
    result["onnx_sha256"] = hashlib.sha256(content).hexdigest()
    result["weights_sha256"] = record["weights_sha256"]
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # the three belong together: all are on disk before the first gets its name
    with (
        atomic.replacing(outputs.onnx) as onnx_path,
        atomic.replacing(outputs.triton) as triton_path,
    ):
        onnx_path.write_bytes(content)
        triton_path.write_text(triton.config(md5, settings, wanted), encoding="utf-8")
        atomic.write_json(outputs.parity, result)
    return result


def interface(network: Network) -> onnx_file.Wanted:
    """Return the inputs and the output of a network in ONNX."""
    head = network.head
    return onnx_file.Wanted(
        network.spec.network.kind, inputs(network.spec.layout), head.output_name, len(head.columns)
    )


def build(network: Network, task: LearningTask, record: Mapping[str, object]) -> onnx.ModelProto:
    """Return a network as an ONNX model; record: what training.json says."""
    spec, head, head_kind = network.spec, network.head, network.spec.head.kind
    header = writer.Header(spec.network.kind, task.description, metadata(network, task, record))
    output = writer.Output(head.output_name, len(head.columns))
    if writers.has_writers(network):
        add_backbone, add_head = writers.BACKBONES[spec.network.kind], writers.HEADS[head_kind]
        return writer.write(
            spec.layout,
            lambda graph, tensors: add_backbone(graph, tensors, network),
            lambda graph, tensors, outputs: add_head(graph, tensors, outputs, network),
            output,
            header,
        )
    # the converter takes 4 s to import
    from ptmiss.learn.onnx.convert import convert

    return convert(
        lambda x, codes: network((x, codes), training=False), spec.layout, output, header
    )


def metadata(network: Network, task: LearningTask, record: Mapping[str, object]) -> dict[str, str]:
    """Return what the file says of itself: what to feed, how to read the output, its origin."""
    spec, head = network.spec, network.head
    pinned = spec.layout.pinned
    about = {
        **spec.network.model_dump(mode="json"),
        **spec.head.model_dump(mode="json", exclude={"kind"}),
        "head": spec.head.kind,
        "transform": spec.transform,
        # a string, as in files of before, which knew infinity
        f"pinned_{spec.layout.size}": repr(pinned.above) if pinned else None,
    }
    estimate = {
        "columns": [[column.name, column.unit] for column in head.columns],
        "scale": head.scale,
    }
    values = {
        "licence": LICENCE,
        "ptmiss.training": record["training"],
        "ptmiss.weights_sha256": record["weights_sha256"],
        "ptmiss.network": about,
        ESTIMATE_KEY: estimate,
        **task.metadata(spec.details, spec.layout),
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in values.items()
    }


def show_parity(
    network: Network,
    task: LearningTask,
    runner: OnnxNetwork,
    events: PathLike,
    settings: ExportSettings,
) -> dict[str, object]:
    """Return the largest differences in the estimate's unit, which is GeV for momenta.

    Raises `UserError` if one is above the limit.
    """
    rng = np.random.default_rng(0)  # of pads and orders: equal files give equal results
    worst: dict[str, float] = {}
    total = distinct = candidates = 0
    reference, layout = _reference(network), network.spec.layout
    blocks = parity.enough_events(
        _events(events, task.dataset_for(network.spec.network, network.spec.head)),
        settings.parity_events,
        layout,
    )
    for block, copy in blocks:
        n = len(block.offsets) - 1
        total, candidates = total + n, candidates + len(block.continuous)
        distinct += n if copy == 0 else 0
        for name, value in parity.compare(block, reference, runner, rng).items():
            # not max(): it would let NaN pass
            if not value <= worst.get(name, -1.0):
                worst[name] = value
    if total == 0:
        raise UserError(f"{events}: the dataset is empty, parity cannot be shown")
    if not all(value <= settings.parity_limit for value in worst.values()):
        differences = ", ".join(f"{name} {value:.1e} GeV" for name, value in worst.items())
        raise UserError(
            f"{runner.model.path}: not written, because the exported network differs: {differences}"
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
        "versions": {
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tensorflow": tf.__version__,
        },
    }


def _reference(network: Network) -> parity.Reference:
    def run(x: np.ndarray, codes: np.ndarray, event: np.ndarray, n: int) -> np.ndarray:
        inputs = (tf.constant(x), tf.constant(codes, tf.int32), tf.constant(event))
        return np.asarray(network.flat(*inputs, n, training=False).numpy())

    return run


def _events(path: PathLike, layout: DatasetLayout) -> Iterator[Features]:
    width = layout.features.width
    for group in dataset.groups(path, layout):
        codes = group.categories.astype(np.int32)
        yield Features(group.offsets, group.continuous[:, :width], codes, {})


def _record(path: PathLike, network: Network) -> dict[str, object]:
    """Return what training.json says, after making sure that it is about this network."""
    record: dict[str, object] = read_values(records.TrainedNetwork, path, "train")
    recorded, name = record["weights_sha256"], record["training"]
    digest = hashlib.sha256()
    for variable in network.variables:
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    if recorded != digest.hexdigest():
        raise UserError(
            f"{path}: the record of {name} is of another network (its weights differ);"
            " give model.keras and training.json of one training"
        )
    return record
