"""The stage evaluate: the network and the plain sum, shower by shower."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ptmiss.core.io import parquet
from ptmiss.learn.features import Features
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.interface import inputs
from ptmiss.learn.onnx.network import OnnxNetwork, estimate_columns
from shower_energy.learning import LAYOUT, features
from shower_energy.words import BASELINES, LAYERS, NETWORK, TRUTH

WANTED = onnx_file.Wanted("network of showers", inputs(LAYOUT), "output", 1)
EVENT = ("run", "lumi", "event", "fold", "weight", TRUTH)


def evaluate(skim: str, training: str, model: str, threads: int, estimates: str) -> None:
    """Write the estimates of a part: {estimator}_energy in GeV."""
    with parquet.reading(skim) as file:
        table, about = file.read(), file.schema_arrow.metadata
    interface = onnx_file.read(model, WANTED)
    declared = estimate_columns(interface)
    assert declared, "our export declares what it estimates"
    network = OnnxNetwork(interface, threads, declared[1])
    n = table.num_rows
    codes = np.zeros((n, 0), np.int32)
    values, _ = network.values(Features(np.arange(n + 1), features(table), codes, {}))
    total = sum(table.column(name).to_numpy().astype(np.float64) for name in LAYERS)
    columns = {NETWORK: values[:, 0], BASELINES[0]: total}
    result = table.select(EVENT)
    for name, array in columns.items():
        result = result.append_column(f"{name}_{TRUTH}", pa.array(array))
    more = {"training": training, "variation": "nominal"}
    parquet.write(estimates, result.replace_schema_metadata({**about, **more}))
