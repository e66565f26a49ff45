"""A million events through the stages that read every event: memory must not grow with them.

    python tests/scale/rows.py --events 1000000 --folder /tmp/scale

The skim holds toy events of a few candidates each, repeated under new event numbers, so that folds
and bootstrap see a million different ones. Prints the largest resident memory of each stage for a
tenth of the events and for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
sys.path[:0] = [str(TESTS), str(REPOSITORY / "scripts")]

LIMIT_MB, GROWTH = 4000.0, 1.25
BLOCK = 10_000
TABLES = ("table", "gains", "spectra", "roc", "slices")
"""What `performance` writes beside the headline."""


def write_skim(path: Path, n_events: int) -> None:
    """Write a skim of `n_events` toy events, in row groups of 1000."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ptmiss.folds import fold_of
    from ptmiss.io import parquet
    from toys import toy_skim

    small = path.with_name("block.parquet")
    toy_skim(small, BLOCK, pileup=0.3, per_collision=5.0, per_hard=5.0)
    block = pq.read_table(small)
    schema = block.schema.with_metadata(
        {**block.schema.metadata, b"selection": b"zmumu", b"sample": b"toy", b"part": b"0000"}
    )
    numbers = np.arange(BLOCK, dtype=np.uint64)
    with parquet.writing(path, schema) as writer:
        for start in range(0, n_events, BLOCK):
            n = min(BLOCK, n_events - start)
            run, lumi = np.ones(n, np.uint32), np.full(n, 1 + start // BLOCK, np.uint32)
            event = np.uint64(start) + numbers[:n]
            table = block.slice(0, n)
            new = {"run": run, "lumi": lumi, "event": event, "fold": fold_of(run, lumi, event)}
            for name, values in new.items():
                place = table.schema.get_field_index(name)
                field = table.schema.field(name)
                table = table.set_column(place, field, pa.array(values).cast(field.type))
            writer.write_table(table.cast(schema), row_group_size=1000)


def peak_mb(stage: str, *arguments: str) -> float:
    """Run a command; return its largest resident memory in MB."""
    command = [sys.executable, str(REPOSITORY / f"scripts/{stage}.py"), *arguments]
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{stage} failed with status {child.returncode}")
    return usage.ru_maxrss / 1000


def measure(n_events: int, folder: Path) -> dict[str, float]:
    """Return stage -> largest memory in MB for a skim of `n_events`."""
    import yaml

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True)
    skim, estimates = folder / "skim.parquet", folder / "estimates.parquet"
    write_skim(skim, n_events)
    return {
        "evaluate": peak_mb(
            "evaluate",
            *("--skim", str(skim), "--training", "classical", "--variation", "nominal"),
            *("--settings", json.dumps(config["evaluate"]), "--threads", "1"),
            *("--estimates", str(estimates)),
        ),
        "performance": peak_mb(
            "performance",
            *("--estimates", str(estimates), "--folds", json.dumps(config["folds"])),
            *("--settings", json.dumps(config["performance"])),
            *("--headline", str(folder / "headline.json")),
            *(word for name in TABLES for word in (f"--{name}", str(folder / f"{name}.csv"))),
        ),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, required=True, help="rows of the skim")
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the files")
    options = parser.parse_args()
    few = measure(options.events // 10, options.folder / "few")
    many = measure(options.events, options.folder / "many")
    for stage, memory in many.items():
        print(f"{stage}: {few[stage]:.0f} MB for a tenth of the events, {memory:.0f} MB for all")
        assert memory < LIMIT_MB
        assert memory < GROWTH * few[stage]
