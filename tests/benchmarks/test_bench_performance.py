"""Speed of the performance stage as a ratio to the usual way: pandas and a loop over replicas."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pandas as pd
import pytest

import performance_toys as toys
from ptmiss.core.stats.bootstrap import copies
from ptmiss.tasks.met.performance.measure import cores, measure
from ptmiss.tasks.met.performance.observables import names, observe, variables
from ptmiss.tasks.met.performance.resolution import Measured
from ptmiss.tasks.met.performance.stream import CHUNK_EVENTS, Chunk

N_EVENTS, REPLICAS, PANDAS_REPLICAS = 40_000, 500, 2
ESTIMATORS = {"pf": (0.9, 25.0), "puppi": (0.8, 18.0)}
SETTINGS = toys.settings(replicas=REPLICAS)


def _parts(whole: Chunk) -> list[Chunk]:
    alike = ("boson_has_neutrino", "lepton", "more")
    fields = [f.name for f in dataclasses.fields(whole) if f.name not in alike]
    starts = range(0, whole.weight.size, CHUNK_EVENTS)
    return [
        dataclasses.replace(
            whole, **{name: getattr(whole, name)[..., i : i + CHUNK_EVENTS] for name in fields}
        )
        for i in starts
    ]


def _measure(parts: list[Chunk]) -> int:
    found = measure(lambda: parts, tuple(ESTIMATORS), SETTINGS, workers=cores())
    numbers = 0
    for e in range(len(ESTIMATORS)):
        one = Measured(found, e, SETTINGS)
        for b in range(len(found.grid.bins)):
            numbers += sum(value.values is not None for value in one.quantities(b).values())
    return numbers


def _pandas(whole: Chunk, replicas: int) -> int:
    """Widths (16-84 %) and RMS in the bins of every axis: sorted once, then grouped per replica.

    The response correction, which the stage also computes, is left out here.
    """
    counts = copies(whole.states, replicas).astype(np.float64)
    seen = variables(whole)
    low = seen["qt"] < SETTINGS.qt_split
    axes = {
        "qt": pd.cut(seen["qt"], SETTINGS.qt_edges, right=False),
        "n_pv": pd.cut(seen["n_pv"], SETTINGS.n_pv_edges, right=False),
        "n_pv_low_qt": pd.cut(np.where(low, seen["n_pv"], np.nan), SETTINGS.n_pv_edges),
        "n_pv_high_qt": pd.cut(np.where(low, np.nan, seen["n_pv"]), SETTINGS.n_pv_edges),
        "gen_ht": pd.cut(seen["gen_ht"], SETTINGS.gen_ht_edges, right=False),
        "gen_met": pd.cut(seen["gen_met"], SETTINGS.gen_met_edges, right=False),
    }
    wanted, numbers = names(has_boson=True, has_truth=True), 0
    for e in range(len(ESTIMATORS)):
        for x in observe(whole, e, wanted, SETTINGS):
            order = np.argsort(x, kind="stable")
            for codes in axes.values():
                frame = pd.DataFrame({"bin": codes.codes[order], "x": x[order]})
                for r in range(1, replicas + 1):
                    frame["w"] = whole.weight[order] * counts[order, r]
                    frame["wx"], frame["wx2"] = (
                        frame["w"] * frame["x"],
                        frame["w"] * frame["x"] ** 2,
                    )
                    grouped = frame.groupby("bin")
                    sums = grouped[["w", "wx", "wx2"]].sum()
                    rms = np.sqrt(sums["wx2"] / sums["w"] - (sums["wx"] / sums["w"]) ** 2)
                    share = grouped["w"].cumsum() / frame["bin"].map(sums["w"])
                    edges = [
                        frame[share >= level].groupby("bin")["x"].first() for level in (0.16, 0.84)
                    ]
                    numbers += len(rms) + len((edges[1] - edges[0]) / 2.0)
    return numbers


def _seconds(work, *arguments) -> float:
    start = time.process_time()  # of all threads: what else runs on the machine does not count
    work(*arguments)
    return time.process_time() - start


@pytest.mark.benchmark_ratio
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_stage_is_faster_than_pandas_with_a_loop_over_replicas():
    whole = toys.chunk(toys.toy(N_EVENTS, estimators=ESTIMATORS))
    parts = _parts(whole)
    _measure([parts[-1]])  # compile
    own = _seconds(_measure, parts)
    loop = _seconds(_pandas, whole, PANDAS_REPLICAS) * REPLICAS / PANDAS_REPLICAS
    ratio = loop / own
    print(f"\nperformance: {own:.2f} s of CPU, pandas {loop:.0f} s: {ratio:.0f} times")
    assert ratio >= 5.0
