"""Writing where something stands in the way: one line, and nothing of anybody else is touched."""

from __future__ import annotations

import errno
import os

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io.atomic import fresh_folder, replacing, write_text
from ptmiss.learn.data.spill import Spill
from ptmiss.tasks.met.learning import TASK


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("temporary", [".a.incomplete.json", ".a.incomplete.json.sha256"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_that_somebody_prepared_is_not_written_through(tmp_path, temporary, link):
    victim, folder = tmp_path / "victim", tmp_path / "out"
    victim.write_text("mine")
    folder.mkdir()
    link(victim, folder / temporary)
    write_text(folder / "a.json", "new")
    assert victim.read_text() == "mine"
    assert names(folder) == ["a.json", "a.json.sha256"]
    assert (folder / "a.json").read_text() == "new"
    assert not (folder / "a.json").is_symlink()


def test_a_link_that_appears_while_a_stage_writes_is_not_read(tmp_path):
    (tmp_path / "other").write_text("other")
    with (
        pytest.raises(UserError, match=r"a\.json: cannot be written"),
        replacing(tmp_path / "a.json") as temporary,
    ):
        temporary.unlink()
        temporary.symlink_to(tmp_path / "other")
    assert names(tmp_path) == ["other"]


@pytest.mark.parametrize("make", [lambda path: path.write_text("half"), os.mkfifo])
def test_what_a_killed_process_left_behind_is_replaced(tmp_path, make):
    make(tmp_path / ".a.incomplete.json")
    write_text(tmp_path / "a.json", "new")
    assert names(tmp_path) == ["a.json", "a.json.sha256"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder, expected a regular file"),
        ("pipe", "is a named pipe"),
        ("record", r"record\.sha256: is a folder"),
        ("busy", r"cannot be written \(Is a directory\)"),
        ("file/a.json", r"cannot be written \((Not a directory|File exists)\)"),
        ("x" * 250, r"\(File name too long\)"),
        ("x" * 245, r"cannot be written \(File name too long\)"),
        ("x" * 300 + "/a.json", r"\(File name too long\)"),
        ("loop", "Too many levels of symbolic links"),
        ("dangling/a.json", r"cannot be written \(File exists\)"),
        ("..", "names no file"),
    ],
)
def test_a_place_where_no_file_can_be_is_one_line(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "record.sha256").mkdir()
    (tmp_path / ".busy.incomplete").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = names(tmp_path)
    with pytest.raises(UserError, match=says) as caught:
        write_text(tmp_path / name, "x")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == before


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    # behind a link: a writer that is wrong replaces the link, not the device of this machine
    path = tmp_path / "device"
    path.symlink_to("/dev/null")
    with pytest.raises(UserError, match="device: is a device"):
        write_text(path, "x")
    assert path.is_symlink()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, code):
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)  # root may write anywhere
    with pytest.raises(UserError, match=rf"a\.json: cannot be written \({os.strerror(code)}\)"):
        write_text(tmp_path / "a.json", "x")
    assert names(tmp_path) == []


def test_an_error_of_the_stage_itself_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.json"):
        (tmp_path / "input").read_text()
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_folder_for_temporary_files_is_made_anew(tmp_path, kind):
    path, other = tmp_path / "spill", tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("x")
    if kind == "folder":
        path.mkdir()
        (path / "old").write_text("x")
    elif kind == "file":
        path.write_text("x")
    else:
        path.symlink_to(other)
    with fresh_folder(path) as folder:
        assert names(folder) == []
        assert not folder.is_symlink()
    assert names(tmp_path) == ["other"]
    with Spill(path, 1, TASK.dataset) as spill:
        assert spill.read(0) is None
    assert names(other) == ["mine"]


def test_no_folder_for_temporary_files_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(UserError, match=r"spill: cannot be written"),
        Spill(tmp_path / "file/spill", 1, TASK.dataset),
    ):
        pass
