"""Kill a run with SIGKILL at random moments: the next one must end as if nothing had happened.

    python tests/faults/kill.py --count 100 --seed 1 --folder /tmp/kill [--training]

After each kill the lock is removed (`--unlock`), the same command runs to its end, and every
artefact must have the bytes of an undisturbed run. The page and the summary show run times: for the
comparison every job gets the same ones, and both are drawn again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from pathlib import Path

from toy_run import ToyRun, kill_tree, rules_started, write_inputs


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names of files that differ, are missing or should not be there."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def prove(count: int, seed: int, folder: Path, training: bool) -> None:
    """Kill `count` runs; raise `AssertionError` if one cannot be completed to the same bytes."""
    configuration = write_inputs(folder / "input", training)
    undisturbed = ToyRun(folder / "undisturbed", configuration)
    start = time.monotonic()
    undisturbed.complete()
    length = time.monotonic() - start
    undisturbed.forget_times()
    expected = undisturbed.artefacts()
    print(f"undisturbed: {length:.0f} s, {len(expected)} artefacts", flush=True)

    rng = random.Random(seed)
    for number in range(1, count + 1):
        run = ToyRun(folder / f"kill{number}", configuration)
        moment = rng.uniform(0.0, length)
        process = run.start()
        time.sleep(moment)
        kill_tree(process)
        begun = rules_started(run.output_path.read_text())
        run.complete()
        run.forget_times()
        wrong = differences(run.artefacts(), expected)
        last = begun[-1] if begun else "planning"
        print(
            f"kill {number}: after {moment:.1f} s, during or after {last}: {wrong or 'equal'}",
            flush=True,
        )
        assert not wrong
        assert not list(run.folder.rglob("*incomplete*/*")), "Snakemake still marks files"
        shutil.rmtree(run.folder)
    print(f"{count} kills, every artefact equal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, required=True, help="number of kills")
    parser.add_argument("--seed", type=int, required=True, help="of the moments")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the runs")
    parser.add_argument("--training", action="store_true", help="train and export a network too")
    options = parser.parse_args()
    prove(options.count, options.seed, options.folder, options.training)
