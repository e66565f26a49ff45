"""Checkpoints: the whole state of a training after an epoch, as plain numbers in one file."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ptmiss.core.io.atomic import replacing
from ptmiss.core.resources import PACKAGE

NAME = "training.npz"

_LOG = logging.getLogger(__name__)


def fingerprint(*values: object) -> str:
    """Return a hash of plain values and of the code below `learn`.

    A checkpoint is continued only by the same training: same data, same settings, same code.
    """
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in sorted((PACKAGE / "learn").rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def save(folder: Path, mark: str, arrays: dict[str, np.ndarray], epoch: int) -> None:
    """Write the state after `epoch` epochs, whole or not at all; the archive has checksums."""
    path = folder / NAME
    with replacing(path, recorded=False) as temporary, open(temporary, "wb") as file:
        values: dict[str, Any] = {"mark": np.array(mark), "epoch": np.array(epoch), **arrays}
        np.savez(file, **values)


def load(folder: Path, mark: str) -> tuple[dict[str, np.ndarray], int] | None:
    """Return the stored state and its epoch; None where there is none that this training made."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        # opened here, because np.load leaves a file open when it is no archive
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stored, epoch = str(arrays.pop("mark")), int(arrays.pop("epoch"))
    except Exception as error:  # whatever a damaged archive raises, it only costs time
        _LOG.warning("%s: damaged (%s); training starts from the beginning", path, error)
        return None
    if stored != mark:
        _LOG.info("%s: of another training; training starts from the beginning", path)
        return None
    return arrays, epoch


def remove(folder: Path) -> None:
    """Remove the checkpoint of a training that has ended."""
    (folder / NAME).unlink(missing_ok=True)
