"""Inputs read over the network: the same skims as from a disk, or one clear line."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ptmiss.core.errors import UserError
from skims import skim
from toys import write_pfnano

sys.path.insert(0, str(Path(__file__).parent))
from servers import HttpServer, XrootdServer, free_port, xrootd

PATIENT = {"remote_attempts": 4, "remote_wait": 0.01, "remote_timeout": 5}


@pytest.fixture(scope="module")
def ntuple():
    # not pytest's folder, which only its owner may enter: xrootd runs as a user of its own
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "toy.root"
        write_pfnano(path, 60, 1, pileup=3.0, events_per_basket=20)
        yield path


@pytest.fixture(scope="module")
def local(ntuple, tmp_path_factory):
    return artefacts(ntuple, tmp_path_factory.mktemp("local"))


def artefacts(address, folder):
    """Return the bytes of the skim and its ledger, without the hash that only local files have."""
    folder.mkdir(exist_ok=True)
    skim([address], folder, PATIENT)
    ledger = json.loads((folder / "ledger.json").read_text())
    for entry in ledger["inputs"]:
        del entry["sha256"]
    return (folder / "events.parquet").read_bytes(), ledger


def refusal(address, folder, **settings):
    with pytest.raises(UserError) as caught:
        skim([address], folder, PATIENT | settings)
    text = str(caught.value)
    assert text.startswith(f"{address}: ")
    assert "\n" not in text
    assert not folder.exists() or list(folder.iterdir()) == []
    return text


def test_http_gives_the_same_skim(ntuple, local, tmp_path):
    with HttpServer(ntuple) as server:
        assert artefacts(server.address, tmp_path) == local


@pytest.mark.parametrize("every", [2, 3, 7])
def test_http_that_drops_connections_gives_the_same_skim(ntuple, local, tmp_path, caplog, every):
    caplog.set_level(logging.WARNING)
    with HttpServer(ntuple, drop=lambda number: number % every == 0) as server:
        assert artefacts(server.address, tmp_path) == local
    assert "attempt 1 of 4 failed" in caplog.text
    assert "the next one in 0.01 s" in caplog.text


def test_http_that_always_drops_is_refused_after_all_attempts(ntuple, tmp_path, caplog):
    with HttpServer(ntuple, drop=lambda number: True) as server:
        text = refusal(server.address, tmp_path)
        assert server.gets == 4
    assert "; 4 attempts)" in text
    pauses = [record.args[-1] for record in caplog.records if "attempt" in record.msg]
    assert pauses == [0.01, 0.02, 0.04]


def test_http_that_breaks_in_the_middle_is_refused(ntuple, tmp_path):
    with HttpServer(ntuple, drop=lambda number: number > 12) as server:
        assert "; 4 attempts)" in refusal(server.address, tmp_path)


def test_http_that_recovers_is_read(ntuple, local, tmp_path):
    with HttpServer(ntuple, drop=lambda number: 5 <= number < 8) as server:
        assert artefacts(server.address, tmp_path) == local


def test_missing_file_is_refused_at_once(ntuple, tmp_path):
    with HttpServer(ntuple, status=404) as server:
        assert "no such file" in refusal(server.address, tmp_path)
        assert server.gets <= 1


def test_server_without_ranges_is_refused_at_once(ntuple, tmp_path):
    with HttpServer(ntuple, ranges=False) as server:
        assert "cannot send parts of a file" in refusal(server.address, tmp_path)
        assert server.gets == 1


def test_server_that_says_nothing_is_given_up(ntuple, tmp_path):
    start = time.monotonic()
    with HttpServer(ntuple, silent=True) as server:
        text = refusal(server.address, tmp_path, remote_timeout=1, remote_attempts=2)
    assert "; 2 attempts)" in text
    assert time.monotonic() - start < 15


def test_nobody_listens(ntuple, tmp_path):
    address = f"http://127.0.0.1:{free_port()}/toy.root"
    assert "; 4 attempts)" in refusal(address, tmp_path)


needs_xrootd = pytest.mark.skipif(
    not XrootdServer.is_installed() or os.geteuid() != 0, reason="xrootd-server is not installed"
)


@needs_xrootd
def test_root_protocol_gives_the_same_skim(ntuple, local, tmp_path):
    with xrootd(ntuple.parent) as server:
        assert artefacts(server.address(ntuple), tmp_path) == local


@needs_xrootd
def test_root_protocol_missing_file(ntuple, tmp_path):
    with xrootd(ntuple.parent) as server:
        address = server.address(ntuple.with_name("none.root"))
        assert "o such file" in refusal(address, tmp_path)


@needs_xrootd
def test_root_protocol_without_a_server_is_given_up(ntuple, tmp_path):
    server = XrootdServer(ntuple.parent)
    start = time.monotonic()
    text = refusal(server.address(ntuple), tmp_path, remote_attempts=2)
    assert "; 2 attempts)" in text
    assert time.monotonic() - start < 60
