"""Public sample files: the source distribution of coffea (BSD-3-Clause), through pip, cached.

The files are never committed. Their hashes are fixed here, so that a changed archive is noticed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

RELEASE = "2026.9.0"
SHA256 = {
    "pfnano.root": "504f10f40146005184a1365dcf8b6c8235983597567fab04d1b4b6cc25603939",
    "pfnano_rntuple.root": "51e972ce9fe3ff7bfa96998323e975acbe6ba9fd5ecb859fc0bf1630eaa0a97c",
    "nano_dy_SpecialTree.root": "c5386e45c645e4394145d0a270cfddc470279ea3b102039c2607c83f4083c4dd",
    "delphes.root": "af2ea9ad3982751f6fec7b39b6be8a35dbae9a4244cfb56fbd35ae5b9d5bd7ea",
    "nano_tt_v12.root": "bc9afdac1e5e1bf820f79e4f8d4942c893ed2accfcb2e49bb63b69727b59af3b",
    "nano_tt_v15.root": "0ee769872082459bf2ccbef08b916c26b3070b64969812aea4d75a0cfa006256",
    "nano_dy.root": "159b17b34b4d13ea4960d36fb9b01f2a505cc1a5a8de0fb3cfa185154543c81c",
    "nano_dimuon.root": "eac7c0a973e054e890766ec4c61ca784d3d49e4f82ec0c8b9dfbe55c233297a9",
    "nano_dy_empty.root": "6357b85ab2af3c012b9be1a2839ee42ba7e74be0ee98323397bf4179bec90fb4",
}
CACHE = Path(__file__).parents[2] / ".cache" / "samples"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _complete() -> bool:
    return all(
        (CACHE / name).is_file() and _sha256(CACHE / name) == digest
        for name, digest in SHA256.items()
    )


def _fetch() -> None:
    """Download the archive and take these files out of it, each under its bare name."""
    with tempfile.TemporaryDirectory() as folder:
        # pip builds the archive's metadata in an environment of its own to read its version
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
            "coffea", "--timeout", "15", "--retries", "1", "--dest", folder, f"coffea=={RELEASE}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        archives = list(Path(folder).glob("coffea-*.tar.gz"))
        if done.returncode or not archives:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            pytest.skip(f"sample files need a package index: {reason[:150]}")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archives[0]) as archive:
            for member in archive:
                parts = Path(member.name).parts
                name = parts[-1] if parts else ""
                if name in SHA256 and parts[1:] == ("tests", "samples", name) and member.isfile():
                    part = CACHE / f".{name}.part"
                    part.write_bytes(archive.extractfile(member).read())
                    part.replace(CACHE / name)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder with the sample files; skips where neither cache nor index has them."""
    if not _complete():
        try:
            _fetch()
        except subprocess.TimeoutExpired:
            pytest.skip("sample files: the package index did not answer within 240 s")
        assert _complete(), f"the archive of coffea {RELEASE} has other sample files than expected"
    return CACHE
