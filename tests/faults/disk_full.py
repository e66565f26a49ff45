"""Let the disk run full at many positions: one clear error each time, and nothing half-written.

    python tests/faults/disk_full.py --positions 20 --toy network --folder /tmp/full

Needs root: the run's folder is a small tmpfs that grows a little after each failure, by as many
steps in a job that writes little as in others. Every run goes on where the one before stopped, so
that each failure is followed by a run that gets past it, and the last one must end with the bytes
of a run on a large disk.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from toy_run import TOYS, ToyRun, libraries_read, rules_started, steps, write_inputs

SAYS = re.compile(r"the disk is full|No space left on device")
SAYS_AT_END = re.compile(r"^error: \d+ bytes are free on the disk of ", re.MULTILINE)
"""Where not even the job's log had room."""


def occupied(folder: Path) -> int:
    """Return the bytes of all files, in pages as tmpfs counts them."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // 4096) * 4096 for size in sizes)


def words_of(run: ToyRun, output: str) -> str:
    """Return what Snakemake and the jobs that it names said."""
    logs = re.findall(r"^    log: (\S+)", output, re.MULTILINE)
    texts = [(run.folder / log).read_text() for log in logs if (run.folder / log).is_file()]
    return "\n".join([output, *texts])


def check_failure(run: ToyRun, output: str, expected: dict[str, str]) -> str:
    """Check what a run left that met a full disk; return the rule that failed."""
    says = SAYS_AT_END if re.search(r"^Logfile .*: empty file$", output, re.MULTILINE) else SAYS
    assert says.search(words_of(run, output)), "no clear error:\n" + words_of(run, output)[-3000:]
    before, _, after = output.partition("Error in rule ")
    assert not rules_started(after), "a job was started after the failure"
    for name, digest in run.artefacts().items():
        # a record may be there before its file is: then it is the right one
        assert not Path(name).name.startswith("."), f"{name} was left behind"
        assert expected.get(name) == digest, f"{name} is not whole"
    return after.partition(":")[0] or f"Snakemake itself, after {rules_started(before)[-1:]}"


def prove(positions: int, folder: Path, toy: str) -> None:
    """Fill the disk at this many positions; raise `AssertionError` if a check fails."""
    configuration = write_inputs(folder / "input", toy)
    with libraries_read(folder / "server", toy) as server:
        small = ToyRun(folder / "small", configuration, server, cores=1)
        if not mount(small.folder, "size=4096"):
            print("skipped: no right to mount a tmpfs")
            return
        try:
            large = ToyRun(folder / "large", configuration, server, cores=1)
            sizes = growth(large)
            fill(small, spread(sizes, positions), 4 * sizes[-1], large.artefacts())
        finally:
            subprocess.run(["umount", str(small.folder)], check=True)


def growth(run: ToyRun) -> list[int]:
    """Run to the end; return the bytes that were occupied before and after each job."""
    process, sizes = run.start(), [0]
    while process.poll() is None:
        time.sleep(0.05)
        if sum(not started for _, started in steps(run.words())) >= len(sizes):
            sizes.append(occupied(run.folder))
    assert process.returncode == 0, run.words()[-4000:]
    return sorted([*sizes, occupied(run.folder)])


def spread(sizes: list[int], positions: int) -> list[int]:
    """Return disk sizes that are too small, as many for a job that writes little as for others."""
    places = (np.arange(positions) + 0.5) / positions * (len(sizes) - 1)
    return [max(4096, int(size)) for size in np.interp(places, np.arange(len(sizes)), sizes)]


def fill(run: ToyRun, sizes: list[int], large: int, expected: dict[str, str]) -> None:
    """Run on a disk that grows, then on a large one."""
    failures: Counter[str] = Counter()
    for size in sizes:
        assert mount(run.folder, f"remount,size={size}")
        status, output = run.run()
        if status == 0:
            print(f"{size} bytes: enough")
            break
        rule = check_failure(run, output, expected)
        failures[rule] += 1
        print(f"{size} bytes: the disk was full in {rule}", flush=True)
    assert mount(run.folder, f"remount,size={large}")
    run.complete()
    assert run.artefacts() == expected
    full = ", ".join(f"{rule} {n}" for rule, n in failures.items())
    print(f"{failures.total()} failures, then every artefact equal; full in: {full}")


def mount(folder: Path, options: str) -> bool:
    """Mount or resize a tmpfs; tell whether that was allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "ptmiss-test", str(folder)]
    if options.startswith("remount"):
        command = ["mount", "-o", options, str(folder)]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, required=True, help="number of disk sizes")
    parser.add_argument("--toy", choices=TOYS, required=True, help="which stages there are")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the runs")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error("needs tmpfs")
    prove(options.positions, options.folder, options.toy)
