"""Pipes, devices and folders where a file belongs: one line at once, never a wait without end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io import json, manifest, parquet
from ptmiss.events.readers.formats import open_reader
from ptmiss.events.readers.reader import Input
from skims import skim
from toys import write_pfnano

SMALL = {"pileup": 2.0, "per_collision": 8.0, "per_hard": 10.0}
NOT_FILES = ("pipe", "/dev/zero", "folder")


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """End a test that waits."""

    def give_up(*_: object) -> None:
        pytest.fail("waited for a pipe or read a device")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkdir("folder")
    return tmp_path


@pytest.mark.parametrize("name", NOT_FILES)
def test_an_ntuple_that_is_no_file(folder, name):
    with pytest.raises(UserError, match="expected a regular file"):
        skim(Path(name), folder / "out")
    with (
        pytest.raises(UserError, match="expected a regular file"),
        open_reader(name, "pfnano", Input(False, "no_lepton", "x")),
    ):
        pass


@pytest.mark.parametrize("name", NOT_FILES)
def test_a_sum_that_is_no_file(folder, name):
    write_pfnano("a.root", 3, **SMALL)
    os.symlink(name, "a.root.sha256")
    with pytest.raises(UserError, match=r"a\.root\.sha256: is a .* expected a regular file"):
        skim(Path("a.root"), folder / "out")


@pytest.mark.parametrize("name", NOT_FILES)
def test_a_skim_or_record_that_is_no_file(folder, name):
    def record(path):
        return json.value(path, "skim")

    for read in (lambda path: list(parquet.row_groups(path)), record, manifest.check):
        with pytest.raises(UserError, match="expected a regular file"):
            read(name)


def test_a_sum_of_any_size_is_read_at_its_beginning(folder):
    write_pfnano("a.root", 3, **SMALL)
    text = manifest.line(manifest.sha256_of("a.root"), "a.root")
    with open("a.root.sha256", "w") as handle:
        handle.write(text)
        handle.truncate(1 << 32)
    assert skim(Path("a.root"), folder / "out").table.num_rows == 3
