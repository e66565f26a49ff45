"""The stage performance on a million synthetic events: time, CPU time and peak memory.

    PYTHONPATH=scripts:tests python tests/benchmarks/million_events.py FOLDER [EVENTS [CORES]]

Writes estimates of five estimators in ten parts below FOLDER (0.2 GB) and runs the command with the
replicas of config.yaml. The bar: 60 s on 2 cores within 4 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import performance_toys as toys
from ptmiss.core.settings.base import to_json

ESTIMATORS = {
    "pf": (0.9, 25.0), "chs": (0.9, 26.0), "puppi": (0.8, 18.0), "deepmet": (0.95, 15.0),
    "oracle": (1.0, 8.0),
}  # fmt: skip
PARTS = 10
FOLDS = json.dumps({"train": [0], "validation": [1], "test": [2, 3, 4, 5, 6, 7, 8, 9]})
SCRIPT = Path(__file__).parents[2] / "scripts" / "performance.py"


def write(folder: Path, n_events: int) -> list[Path]:
    """Write W-like events (boson, neutrino and truth: every quantity), all in test folds."""
    paths = []
    for part in range(PARTS):
        path = folder / f"{n_events}-{part}.parquet"
        if not path.exists():
            columns = toys.toy(n_events // PARTS, seed=part + 1, kind="w", estimators=ESTIMATORS)
            columns["fold"] = columns["fold"] % 8 + 2
            columns["n_jets"] = np.random.default_rng(part).poisson(1.0, columns["event"].size)
            toys.write(path, columns, str(part), rows_per_group=1000, sample="wmunu",
                       selection="wmunu")  # fmt: skip
        paths.append(path)
    return paths


def main() -> None:
    folder = Path(sys.argv[1])
    n_events = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    n_cores = sys.argv[3] if len(sys.argv) > 3 else "2"
    folder.mkdir(parents=True, exist_ok=True)
    paths = write(folder, n_events)
    outputs = [
        text
        for flag in ("table", "gains", "spectra", "roc", "slices", "coverage", "headline")
        for text in (f"--{flag}", str(folder / f"out.{flag}"))
    ]
    command = [sys.executable, str(SCRIPT), "--estimates", *map(str, paths), "--folds", FOLDS,
               "--settings", to_json(toys.settings()), *outputs]  # fmt: skip
    for run in ("with compilation", "compiled"):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": n_cores})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{n_events} events, {run}: {time.monotonic() - start:.1f} s, {cpu:.1f} s of CPU,"
            f" peak {after.ru_maxrss / 1e6:.2f} GB"
        )


if __name__ == "__main__":
    main()
