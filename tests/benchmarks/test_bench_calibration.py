"""Speed of the quantile map against correctionlib and against a loop over events."""

from __future__ import annotations

import time
from bisect import bisect_right

import numpy as np
import pytest

import calibration_toys as toys
from ptmiss.core.stats.quantile_map import QuantileMap
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.apply import read

N, N_LOOP = 1_000_000, 5_000


def _loop(one: QuantileMap, u, q_t, n_jets) -> list[float]:
    """The same map as a reader would write it down, event by event."""
    knots, out = one.knots.tolist(), []
    nodes = [q.tolist() for q in one.nodes]
    shifts = [s.tolist() for s in one.shifts]
    for x, q, jets in zip(u.tolist(), q_t.tolist(), n_jets.tolist(), strict=True):
        if not (0.0 <= q < one.qt_high and jets < one.jet_edges[-1]):
            out.append(x)
            continue
        j = bisect_right(one.jet_edges.tolist(), jets) - 1
        rows = []
        for row in shifts[j]:
            k = min(max(bisect_right(knots, x) - 1, 0), len(knots) - 2)
            s = min(max((x - knots[k]) / (knots[k + 1] - knots[k]), 0.0), 1.0)
            rows.append(row[k] + s * (row[k + 1] - row[k]))
        i = min(max(bisect_right(nodes[j], q) - 1, 0), max(len(rows) - 2, 0))
        if len(rows) == 1:
            out.append(x + rows[0])
            continue
        t = min(max((q - nodes[j][i]) / (nodes[j][i + 1] - nodes[j][i]), 0.0), 1.0)
        out.append(x + rows[i] + t * (rows[i + 1] - rows[i]))
    return out


def _seconds(work, *arguments) -> float:
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


@pytest.mark.benchmark_ratio
def test_the_map_is_as_fast_as_correctionlib_and_far_faster_than_a_loop(tmp_path):
    chosen = toys.settings(replicas=20)
    data = toys.toy(4000, 1, 20, response=0.95, sigma=24.0)
    made = toys.derived(data, toys.toy(4000, 2, 20), chosen)
    document.write(tmp_path / "c.json.gz", document.document([made], "toy"))
    theirs = read(tmp_path / "c.json.gz")["pf_u_par"]
    ours = made.maps["u_par"].nominal
    rng = np.random.default_rng(1)
    points = rng.normal(0.0, 30.0, N), rng.exponential(60.0, N), rng.integers(0, 4, N)
    few = tuple(one[:N_LOOP] for one in points)
    np.testing.assert_allclose(_loop(ours, *few), ours(*few), atol=1e-9)
    own = min(_seconds(ours, *points) for _ in range(3))
    library = _seconds(theirs.evaluate, "nominal", *points)
    loop = _seconds(_loop, ours, *few) * N / N_LOOP
    print(
        f"\nquantile map: {N / own / 1e6:.1f} million events/s, correctionlib"
        f" {N / library / 1e6:.1f}, a loop takes {loop / own:.0f} times"
    )
    assert N / own > 1e6
    assert N / library > 1e6
    assert loop / own > 10.0
    assert library / own > 0.5
