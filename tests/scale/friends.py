"""A million events without candidates through the stage apply: memory must not grow with them.

    python tests/scale/friends.py --events 1000000 --folder /tmp/scale

Prints CPU time and largest resident memory for a quarter of the events and for all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from rows import REPOSITORY, Cost, run

LIMIT_MB, GROWTH, LEAST_RATE = 2000.0, 1.6, 20_000.0
"""Largest memory, and its ratio to that for a quarter: pages of mapped files count as resident, and
the check holds the identity of all events, 16 bytes each; events a second of CPU."""
BLOCK = 20_000


def write_inputs(ntuple: Path, corrections: Path, n_events: int) -> None:
    """Write NanoAOD whose events repeat with other numbers, and corrections."""
    import numpy as np
    import uproot

    from correction_toys import write_corrections
    from nanoaod_toys import WIDTHS, branches

    write_corrections(corrections, tuple(WIDTHS))
    block, _ = branches(BLOCK)
    types = {
        name: values.dtype if isinstance(values, np.ndarray) else values.type.content
        for name, values in block.items()
    }
    with uproot.recreate(ntuple, compression=uproot.LZ4(1)) as file:
        tree = file.mktree("Events", types)
        for start in range(0, n_events, BLOCK):
            n = min(BLOCK, n_events - start)
            numbers = np.arange(start, start + n, dtype=np.uint64)
            tree.extend({name: values[:n] for name, values in block.items()} | {"event": numbers})


def measure(n_events: int, folder: Path) -> Cost:
    """Return what the friend of `n_events` costs."""
    import yaml

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True)
    print(f"{n_events} events", flush=True)
    ntuple, corrections = folder / "nano.root", folder / "corrections.json.gz"
    # in another process: what this one holds would count for its children too
    child = multiprocessing.get_context("spawn").Process(
        target=write_inputs, args=(ntuple, corrections, n_events)
    )
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit("writing the input failed")
    spec = {
        "source": "nanoaod", "label": "Z", "files": [str(ntuple)], "files_per_part": 1,
        "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
    }  # fmt: skip
    cost = run(
        "apply",
        *("--ntuple", str(ntuple), "--corrections", str(corrections)),
        *("--sample", "dy", "--part", "0000", "--training", "classical"),
        *("--spec", json.dumps(spec), "--skim", json.dumps(config["skim"])),
        *("--settings", json.dumps(config["apply"])),
        *("--evaluate", json.dumps(config["evaluate"]), "--threads", "1"),
        *("--friend", str(folder / "friend.root"), "--ledger", str(folder / "ledger.json")),
    )
    ntuple.unlink()
    (folder / "friend.root").unlink()
    return cost


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, required=True, help="events of the file")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the files")
    options = parser.parse_args()
    few = measure(options.events // 4, options.folder / "few")
    many = measure(options.events, options.folder / "many")
    rate = 0.75 * options.events / (many.seconds - few.seconds)
    print(
        f"apply: {few.memory_mb:.0f} MB for a quarter, {many.memory_mb:.0f} MB for all,"
        f" {rate:.0f} events/s"
    )
    assert many.memory_mb < LIMIT_MB
    assert many.memory_mb < GROWTH * few.memory_mb
    assert rate > LEAST_RATE
