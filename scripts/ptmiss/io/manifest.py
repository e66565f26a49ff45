"""What the inputs were: name and SHA-256 of each file, because ROOT files carry no checksum."""

from __future__ import annotations

import hashlib
import os
from pathlib import PurePosixPath

from ptmiss.errors import UserError


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a local file in hexadecimal; raises `UserError` if it is unreadable."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def base_name(address: str) -> str:
    """Return the last part of a path or address: what an artefact may say about its inputs."""
    return PurePosixPath(address.split("?", 1)[0] if "://" in address else address).name
