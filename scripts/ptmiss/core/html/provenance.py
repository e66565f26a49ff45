"""What a result was made with: versions, settings, seeds, inputs. No clock, host or path."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike

PACKAGES = (
    "snakemake",
    "numpy",
    "numba",
    "pandas",
    "pyarrow",
    "uproot",
    "awkward",
    "scipy",
    "pythia8mc",
    "fastjet",
    "tensorflow-cpu",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "correctionlib",
    "matplotlib",
    "mplhep",
    "jinja2",
    "pydantic",
)
"""Packages whose version can change a number or a figure."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed where the page is made.

    With an environment per stage not all are: those are left out, their pins stand in envs/.
    """
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def seeds(config: object, where: str = "") -> dict[str, int]:
    """Return every setting called `seed` (or ending in `_seed`) with its place, such as
    "simulate.seed"."""
    values: dict[str, int] = {}
    if isinstance(config, Mapping):
        for key in sorted(config):
            place = f"{where}.{key}" if where else str(key)
            value = config[key]
            if isinstance(value, int) and (key == "seed" or str(key).endswith("_seed")):
                values[place] = value
            else:
                values.update(seeds(value, place))
    return values


def sha256(path: PathLike) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    require_regular(path)
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def digest_of(hashes: Iterable[str]) -> str:
    """Return one SHA-256 for a set of files: that of their sorted hashes, one a line."""
    text = "".join(f"{value}\n" for value in sorted(hashes))
    return hashlib.sha256(text.encode()).hexdigest()


def files(paths: Iterable[PathLike]) -> dict[str, str]:
    """Return name -> SHA-256 of the files a page was drawn from.

    The name is the end of the path that tells a file from the others; never an absolute path.
    """
    every = sorted({Path(path).absolute() for path in paths})
    sums = {}
    for path in every:
        depth = 1
        while any(other != path and other.parts[-depth:] == path.parts[-depth:] for other in every):
            depth += 1
        sums["/".join(path.parts[-depth:])] = sha256(path)
    return sums


def config_text(config: Mapping[str, object]) -> str:
    """Return the configuration as indented, sorted JSON with short lists on one line."""
    return _indented(config, 0)


def _indented(value: object, depth: int) -> str:
    if isinstance(value, Mapping) and value:
        flat = json.dumps(value, sort_keys=True, ensure_ascii=False)
        if depth >= 2 and len(flat) + 2 * depth <= 100:
            return flat
        inner = ",\n".join(
            "  " * (depth + 1)
            + f"{json.dumps(key, ensure_ascii=False)}: {_indented(value[key], depth + 1)}"
            for key in sorted(value)
        )
        return "{\n" + inner + "\n" + "  " * depth + "}"
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
