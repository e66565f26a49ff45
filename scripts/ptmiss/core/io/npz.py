"""Arrays that a stage wrote with `numpy.savez`: plain numbers, as many as the file holds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, text
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike


class Arrays:
    """The arrays of a file by name; each is compared with what is expected when it is taken."""

    def __init__(self, path: PathLike, stage: str, arrays: Mapping[str, np.ndarray]) -> None:
        self._path, self._stage, self._arrays = path, stage, arrays

    def names(self, name: str) -> list[str]:
        """Return an array of words."""
        array = self._get(name)
        if array.dtype.kind != "U" or array.ndim != 1:
            raise self.wrong(f"{name} is {_described(array)}, expected a list of words")
        return [str(one) for one in array]

    def numbers(self, name: str, *shape: int | None) -> np.ndarray:
        """Return finite numbers, with their stored type, of a shape (None: any length)."""
        array = self._get(name)
        same = len(shape) == array.ndim and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
        )
        if not same or array.dtype.kind not in "iuf":
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise self.wrong(f"{name} is {_described(array)}, expected numbers of shape ({wanted})")
        if not np.isfinite(array).all():
            raise self.wrong(f"{name} holds numbers that are not finite")
        return array

    def number(self, name: str, finite: bool = True) -> float:
        """Return a single number. finite: it must be."""
        if finite:
            return float(self.numbers(name))
        array = self._get(name)
        if array.shape != () or array.dtype.kind not in "iuf":
            raise self.wrong(f"{name} is {_described(array)}, expected a number")
        return float(array)

    def rising(self, name: str, length: int | None = None) -> np.ndarray:
        """Return a list of at least one finite number, each above the one before."""
        array = self.numbers(name, length)
        if not array.size or (np.diff(array.astype(np.float64)) <= 0.0).any():
            raise self.wrong(f"{name} is not a list of rising numbers")
        return array

    def wrong(self, what: str) -> UserError:
        """Return the error that says what is wrong with the file."""
        return UserError(
            f"{self._path}: not what the stage {self._stage} writes: {what}; "
            f"{text.again(self._stage)}"
        )

    def _get(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            raise self.wrong(f"no array {name}")
        return self._arrays[name]


def read(path: PathLike, stage: str) -> Arrays:
    """Read all arrays of a file; raises `UserError` for one that is missing or damaged."""
    require_regular(path, text.again(stage))
    manifest.check(path)
    try:
        with open(path, "rb") as opened, zipfile.ZipFile(opened) as archive:
            arrays = {
                member.filename.removesuffix(".npy"): _array(archive, member)
                for member in archive.infolist()
            }
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage {stage}") from None
    except Exception as error:  # an archive can be damaged in more ways than libraries have errors
        reason = str(error) or type(error).__name__
        raise UserError(
            f"{path}: not a readable file of arrays ({reason[:100]}); {text.again(stage)}"
        ) from None
    return Arrays(path, stage, arrays)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return an array; raises `ValueError` before memory is taken for more than is there."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed, which the stage does not do")
    content = archive.read(member)
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise ValueError(f"arrays of version {version} are not known")
    shape, fortran, kind = header(stream)
    size = kind.itemsize
    for length in shape:
        size *= length
    if kind.hasobject or size != len(content) - stream.tell():
        raise ValueError(f"{member.filename} has not as many numbers as it says")
    flat = np.frombuffer(content, dtype=kind, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"
