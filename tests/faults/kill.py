"""Kill a run with SIGKILL at random moments: the next one must end as if nothing had happened.

    python tests/faults/kill.py --count 100 --seed 1 --toy network --folder /tmp/kill

After each kill no artefact may be half there. Then the lock is removed (`--unlock`), the same
command runs to its end, and every artefact must have the bytes of an undisturbed run. The moments
are uniform over the length of a run, one in each of `count` equal slices of it, and are kept as
so many seconds after a job began or ended: the machine may be busier than it was.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections import Counter
from pathlib import Path

from toy_run import TOYS, ToyRun, libraries_read, rules_running, steps, write_inputs

LOOK = 0.05
"""s between two looks at what Snakemake says."""


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names of files that differ, are missing or should not be there."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def half_written(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return what a killed run left under a final name that is not the whole file."""
    return sorted(
        name
        for name, digest in found.items()
        if not Path(name).name.startswith(".") and expected.get(name) != digest
    )


def follow(run: ToyRun) -> list[float]:
    """Run to the end; return the seconds at which it started, each step was seen and it ended."""
    process, start, times = run.start(), time.monotonic(), [0.0]
    while process.poll() is None:
        time.sleep(LOOK)
        now = time.monotonic() - start
        times += [now] * (len(steps(run.words())) - len(times) + 1)
    assert process.returncode == 0, run.words()[-4000:]
    return [*times, time.monotonic() - start]


def moments(times: list[float], count: int, rng: random.Random) -> list[tuple[int, float]]:
    """Return moments as a number of steps and the seconds after the last of them."""
    found = []
    for i in range(count):
        moment = times[-1] * (i + rng.random()) / count
        step = sum(time <= moment for time in times) - 1
        found.append((step, moment - times[step]))
    rng.shuffle(found)
    return found


def kill_at(run: ToyRun, step: int, rest: float) -> None:
    """Start a run and kill it `rest` seconds after that step, unless it ends before."""
    process = run.start()
    while len(steps(run.words())) < step and process.poll() is None:
        time.sleep(LOOK)
    time.sleep(rest)
    run.kill(process)


def prove(count: int, seed: int, folder: Path, toy: str) -> None:
    """Kill `count` runs; raise `AssertionError` if one cannot be completed to the same bytes."""
    configuration = write_inputs(folder / "input", toy)
    with libraries_read(folder / "server", toy) as server:
        first = ToyRun(folder / "first", configuration, server)
        first.complete()  # compiles
        expected = first.artefacts()
        second = ToyRun(folder / "second", configuration, server)
        times = follow(second)
        assert not differences(second.artefacts(), expected), "two undisturbed runs differ"
        print(f"{toy}, undisturbed: {times[-1]:.1f} s, {len(expected)} files", flush=True)

        hit: Counter[str] = Counter()
        begin = time.monotonic()
        for number, moment in enumerate(moments(times, count, random.Random(seed)), 1):
            run = ToyRun(folder / f"kill{number}", configuration, server)
            kill_at(run, *moment)
            running, left = check_killed(run, expected)
            run.complete()
            wrong = differences(run.artefacts(), expected)
            print(f"kill {number}: {running}, {left} files left: {wrong or 'equal'}", flush=True)
            assert not wrong
            assert not list(run.folder.rglob("*incomplete*/*")), "Snakemake still marks files"
            hit[running] += 1
            shutil.rmtree(run.folder)
    spent = (time.monotonic() - begin) / count
    moments_hit = ", ".join(f"{stages} {n}" for stages, n in hit.most_common())
    print(f"{count} kills of {toy}, every file equal, {spent:.1f} s each; hit: {moments_hit}")


def check_killed(run: ToyRun, expected: dict[str, str]) -> tuple[str, int]:
    """Check that no file is half there; return which rules were killed and how many files are."""
    words, left = run.words(), run.artefacts()
    assert not half_written(left, expected), half_written(left, expected)
    nothing = "ending" if "Finished jobid: 0 " in words else "between jobs"
    nothing = nothing if steps(words) else "planning"
    return "+".join(sorted(rules_running(words))) or nothing, len(left)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, required=True, help="number of kills")
    parser.add_argument("--seed", type=int, required=True, help="of the moments")
    parser.add_argument("--toy", choices=TOYS, required=True, help="which stages there are")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the runs")
    options = parser.parse_args()
    prove(options.count, options.seed, options.folder, options.toy)
