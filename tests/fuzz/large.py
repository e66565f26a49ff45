"""The large run of all fuzzers: a table of what became of every case; exit status 1 for a failure.

python tests/fuzz/large.py [--fraction 0.1] [--seed 1] [--family NAME [--only CASE]]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from fuzz import harness  # noqa: E402

COUNTS = {
    "settings": 5000,
    "onnx": 5000,
    "root": 4000,
    "intermediates": 4000,
    "corrections": 1000,
    "paths": 100,
}
"""Cases of each family in a whole run, those that take longest first."""


def run(name: str, seed: int, count: int, folder: Path, only: int | None) -> tuple[Counter, float]:
    """Return outcomes and seconds of a family."""
    started = time.monotonic()
    module = f"fuzz.family_{name}"
    if only is not None:
        return harness.run(module, seed, count, folder, only), time.monotonic() - started
    found = importlib.import_module(module).run(seed, count, folder)
    return found, time.monotonic() - started


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--fraction", type=float, default=1.0, help="of the number of cases")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--family", action="append", choices=COUNTS, help="only these")
    p.add_argument("--only", type=int, help="a single case")
    p.add_argument("--processes", type=int, default=2, help="families at a time")
    args = p.parse_args()
    names = args.family or list(COUNTS)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.processes) as pool:
        jobs = {
            name: pool.submit(
                run, name, args.seed, max(1, round(args.fraction * COUNTS[name])),
                Path(folder, name), args.only,
            )
            for name in names
        }  # fmt: skip
        table = {name: job.result() for name, job in jobs.items()}
    print(f"{'family':15}" + "".join(f"{name:>19}" for name in (*harness.OUTCOMES, "seconds")))
    bad = 0
    for name, (found, seconds) in table.items():
        print(f"{name:15}" + "".join(f"{found[o]:>19}" for o in harness.OUTCOMES), end="")
        print(f"{seconds:>19.0f}")
        bad += sum(n for outcome, n in found.items() if outcome not in harness.GOOD)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
