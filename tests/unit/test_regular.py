"""What is no regular file is refused before it is opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular


def test_a_file_a_link_to_one_and_nothing_pass(tmp_path: Path):
    file = tmp_path / "a.root"
    file.write_bytes(b"root")
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for path in (file, tmp_path / "link", tmp_path / "dangling", tmp_path / "no", file / "below"):
        require_regular(path)


def test_pipe_device_folder_and_socket_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 characters
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path, kind in (
            ("pipe", "a named pipe"),
            ("link", "a named pipe"),
            ("/dev/zero", "a device"),
            (tmp_path, "a folder"),
            ("socket", "a socket"),
        ):
            with pytest.raises(UserError, match=f"is {kind}, expected a regular file; copy it"):
                require_regular(path, "copy it")


def test_a_path_that_cannot_be_asked_is_one_line(tmp_path: Path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "loop", "a" * 300, "a\0b"):
        with pytest.raises(UserError, match="cannot be read"):
            require_regular(path)
