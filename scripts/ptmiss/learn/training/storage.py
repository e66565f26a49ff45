"""model.keras: written so that equal networks give equal files, read so that no code can run."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, text
from ptmiss.core.io.atomic import replacing
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike
from ptmiss.learn.network import Network, NetworkSpec

_EPOCH = (1980, 1, 1, 0, 0, 0)
_CLASS = "ptmiss>Network"


def save_model(model: Network, path: PathLike) -> None:
    """Write a network as a .keras file without the clock that Keras puts into it."""
    with replacing(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as file:
            content = {name: file.read(name) for name in sorted(file.namelist())}
        metadata = json.loads(content["metadata.json"])
        metadata["date_saved"] = ""
        content["metadata.json"] = json.dumps(metadata, sort_keys=True).encode()
        with zipfile.ZipFile(temporary, "w") as file:
            for name, data in content.items():
                file.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def load_model(path: PathLike) -> Network:
    """Read a network that `save_model` wrote.

    Only the numbers are taken from the file: the network is built by this package from the few
    plain settings in it, so that a file made by somebody else cannot bring its own layers or
    code. Raises `UserError` for any other file.
    """
    require_regular(path, "train again")
    manifest.check(path)
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(_member(file, "config.json"))
            weights = _member(file, "model.weights.h5")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage train") from error
    except Exception as error:  # an archive can be damaged in more ways than zipfile has errors
        raise _damaged(path, "not a network of this project", error) from None
    name = config.get("registered_name") if isinstance(config, dict) else None
    if name != _CLASS:
        raise UserError(
            f"{path}: holds {name!r}, expected {_CLASS!r}; only networks that this version of the"
            " project has trained are read, train again"
        )
    try:
        spec = NetworkSpec.model_validate_json(json.dumps(config["config"]["spec"]))
        model = Network(spec.model_dump(mode="json"), name="network")
        model.build()
        _load_weights(model, weights)
    except Exception as error:  # whatever Keras and HDF5 raise for numbers that do not fit
        raise _damaged(path, "damaged or of another version", error) from None
    return model


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; raises `ValueError` for one that unpacks to far too much."""
    if file.getinfo(name).file_size > text.LARGEST:
        raise ValueError(f"{name} is larger than any of this project")
    return file.read(name)


def _damaged(path: PathLike, what: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path}: {what} ({reason}); train again")


def _load_weights(model: Network, weights: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.weights.h5"
        path.write_bytes(weights)
        model.load_weights(path)
