"""A stage on a disk that runs full at twenty positions; the workflow's proof is `disk_full.py`."""

from __future__ import annotations

import os
import subprocess

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from skims import skim
from toys import write_pfnano

PAGE = 4096
POSITIONS = 20


def mount(*arguments: str) -> bool:
    """Mount or resize a tmpfs; tell whether that is allowed here."""
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=64m", "ptmiss-test", str(folder)):
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_full_disk_leaves_nothing_half_written(disk, tmp_path):
    path = tmp_path / "toy.root"
    write_pfnano(path, 60, 1, pileup=3.0, events_per_basket=20)
    skim(path, disk)
    whole = files(disk)
    pages = sum(-(-len(content) // PAGE) for content in whole.values())
    assert pages > POSITIONS

    failures = 0
    for position in range(POSITIONS):
        for name in files(disk):
            (disk / name).unlink()
        size = PAGE * (1 + position * (pages - 1) // POSITIONS)
        assert mount("-o", f"remount,size={size}", str(disk))
        with pytest.raises(UserError, match=r"(parquet|json): the disk is full; free some space"):
            skim(path, disk)
        failures += 1
        left = files(disk)
        assert left.items() <= whole.items()
        for name in left:
            manifest.check(disk / name)
    assert failures == POSITIONS

    assert mount("-o", "remount,size=64m", str(disk))
    skim(path, disk)
    assert files(disk) == whole
