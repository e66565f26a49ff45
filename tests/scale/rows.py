"""A million events through the stages that read every event: memory must hardly grow with them.

    python tests/scale/rows.py --events 1000000 --folder /tmp/scale

Skims of toy events of a few candidates each, one of simulation and one of data with a quarter as
many, go through evaluate, performance and calibrate with the settings of config.yaml.
Prints CPU time and largest resident memory of each stage for a quarter of the events and for all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
sys.path[:0] = [str(TESTS), str(REPOSITORY / "scripts")]

LIMIT_MB = 4000.0
GROWTH = {"evaluate": 1.6, "performance": 1.1, "calibrate": 2.0}
"""Largest ratio of memory for all events to that for a quarter of them. A file of a million events
has a footer of a thousand row groups; corrections without bins need all events at once."""
BLOCK = 20_000
TABLES = ("table", "gains", "spectra", "roc", "slices", "coverage")
"""What `performance` writes beside the headline."""


@dataclass(frozen=True)
class Cost:
    """What a command took: largest memory and seconds of CPU."""

    memory_mb: float
    seconds: float


def write_skim(path: Path, sample: str, n_events: int, first_seed: int, is_data: bool) -> None:
    """Write a skim of toy events, all different, in row groups of 1000."""
    import pyarrow.parquet as pq

    from ptmiss.core.io import parquet
    from toys import skim_schema, toy_skim

    block = path.with_name("block.parquet")
    physics = {"pileup": 1.0, "per_collision": 4.0, "per_hard": 4.0}
    schema = skim_schema(has_truth=not is_data, other_puppi="standard")
    schema = schema.with_metadata(
        {
            "sample": sample, "part": "0000", "source": "simulated", "label": sample,
            "has_truth": str(not is_data).lower(), "is_data": str(is_data).lower(),
            "sqrt_s": "13", "selection": "zmumu", "puppi_flavour": "no_lepton",
        }
    )  # fmt: skip
    with parquet.writing(path, schema) as writer:
        for start in range(0, n_events, BLOCK):
            n, seed = min(BLOCK, n_events - start), first_seed + start // BLOCK
            toy_skim(block, n, seed, is_data=is_data, **physics)
            writer.write_table(pq.read_table(block).cast(schema), row_group_size=1000)
    block.unlink()


def written(*arguments: object) -> None:
    """Write a skim in another process: what this one holds would count for its children too."""
    child = multiprocessing.get_context("spawn").Process(target=write_skim, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit("writing the skim failed")


def run(stage: str, *arguments: str) -> Cost:
    """Run a command."""
    command = [sys.executable, str(REPOSITORY / f"scripts/{stage}.py"), *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{stage} failed with status {child.returncode}: {text}")
    cost = Cost(usage.ru_maxrss / 1000, usage.ru_utime + usage.ru_stime)
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"  {stage}: {cost.memory_mb:.0f} MB, {cost.seconds:.0f} s, {cpu:.0f} s of CPU", flush=True
    )
    return cost


def measure(n_events: int, folder: Path) -> dict[str, Cost]:
    """Return stage -> cost for `n_events` of simulation and a quarter as many of data."""
    import yaml

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    calibration = config["calibration"] | {
        "data": "data", "simulation": "simulation", "backgrounds": [], "apply": {},
    }  # fmt: skip
    folder.mkdir(parents=True)
    print(f"{n_events} events", flush=True)
    samples = {"simulation": n_events, "data": n_events // 4}
    estimates, costs = [], {}
    for first_seed, (sample, n) in zip((1, 501), samples.items(), strict=True):
        skim = folder / f"{sample}.parquet"
        estimates.append(str(folder / f"{sample}.estimates.parquet"))
        written(skim, sample, n, first_seed, sample == "data")
        cost = run(
            "evaluate",
            *("--skim", str(skim), "--training", "classical", "--variation", "nominal"),
            *("--settings", json.dumps(config["evaluate"]), "--threads", "1"),
            *("--estimates", estimates[-1]),
        )
        costs.setdefault("evaluate", cost)
        skim.unlink()
    costs["performance"] = run(
        "performance",
        *("--estimates", *estimates, "--folds", json.dumps(config["folds"])),
        *("--settings", json.dumps(config["performance"])),
        *("--headline", str(folder / "headline.json")),
        *(word for name in TABLES for word in (f"--{name}", str(folder / f"{name}.csv"))),
    )
    costs["calibrate"] = run(
        "calibrate",
        *("--estimates", *estimates, "--folds", json.dumps(config["folds"])),
        *("--settings", json.dumps(calibration)),
        *("--corrections", str(folder / "corrections.json.gz")),
        *("--met_xy", str(folder / "met_xy_corrections.json.gz")),
        *("--recoil", str(folder / "recoil")),
        *("--fits", str(folder / "fits.npz")),
        *("--table", str(folder / "calibration.csv")),
        *("--hepdata", str(folder / "hepdata.tar.gz")),
    )
    return costs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, required=True, help="events of simulation")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the files")
    options = parser.parse_args()
    few = measure(options.events // 4, options.folder / "few")
    many = measure(options.events, options.folder / "many")
    for stage, cost in many.items():
        before = few[stage].memory_mb
        print(f"{stage}: {before:.0f} MB for a quarter, {cost.memory_mb:.0f} MB for all")
        assert cost.memory_mb < LIMIT_MB
        assert cost.memory_mb < GROWTH[stage] * before
