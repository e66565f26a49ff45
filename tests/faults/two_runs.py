"""Start a second run where one is going on: refused at once, with the way to unlock.

python tests/faults/two_runs.py --folder /tmp/two
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from toy_run import ToyRun, libraries_read, rules_started, write_inputs


def prove(folder: Path) -> None:
    """Raise `AssertionError` if the second run is not refused, or unlocking does not help."""
    configuration = write_inputs(folder / "input", "classical")
    with libraries_read(folder / "server", "classical") as server:
        first, second = (ToyRun(folder / "run", configuration, server) for _ in range(2))
        second.name = "second"
        locks = first.folder / ".snakemake/locks"
        process = first.start()
        try:
            while not list(locks.glob("*")):
                assert process.poll() is None, first.words()
                time.sleep(0.05)
            status, output = second.run()
            assert process.poll() is None, "the first run ended too early"
        finally:
            first.kill(process)
        assert status != 0
        assert "cannot be locked" in output, output
        assert "--unlock" in output, output
        assert rules_started(output) == []

        assert list(locks.glob("*")), "a killed run leaves its lock"
        assert second.run("--unlock")[0] == 0
        assert not list(locks.glob("*"))
    print("the second run was refused, the lock was removed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the runs")
    prove(parser.parse_args().folder)
