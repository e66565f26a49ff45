"""ROOT files through uproot, down to flat arrays; every kind of damage becomes one line.

Baskets are taken as flat content and offsets, without building nested arrays, and only those
baskets are decompressed that hold an event the caller wants.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from uproot.interpretation.library import _regularize_library

from ptmiss.errors import UserError
from ptmiss.inputs import is_remote
from ptmiss.readers.remote import Remote, source_of

_NUMPY = _regularize_library("np")
_LARGE = 1_000_000  # ROOT adds this to the version of a file whose addresses have 64 bits


@contextlib.contextmanager
def opened(address: str, remote: Remote) -> Iterator[Any]:
    """Yield an open ROOT file; what cannot be one is refused with the reason.

    remote: how patient to be with an address that is read over the network.
    """
    if is_remote(address):
        options = source_of(address, remote)
    else:
        _look_at_header(address)
        # a local file is mapped into memory: the default opens it anew for every basket
        options = {"handler": uproot.source.file.MemmapSource}
    try:
        file = uproot.open({address: None}, **options)
    except Exception as error:  # uproot has no common class for what damaged bytes cause
        raise _unreadable(address, error) from error
    with file:
        yield file


def _look_at_header(address: str) -> None:
    """Refuse what is not a whole ROOT file, before any byte of it is interpreted."""
    path = Path(address)
    try:
        size = path.stat().st_size
        with open(path, "rb") as handle:
            head = handle.read(64)
    except OSError as error:
        raise UserError(f"{address}: cannot be read ({error.strerror})") from None
    if size == 0:
        raise UserError(f"{address}: 0 bytes; the copy failed, fetch the file again")
    if not b"root".startswith(head[:4]):
        text = head.lstrip().lower()
        guess = (
            "it is a web page, probably an error message or a login form of a server"
            if text.startswith((b"<!doctype", b"<html", b"<?xml"))
            else "it begins with other bytes"
        )
        raise UserError(f"{address}: not a ROOT file, {guess}; fetch the file again")
    version = int.from_bytes(head[4:8], "big")
    end = int.from_bytes(head[12 : 20 if version >= _LARGE else 16], "big")
    if len(head) < 64 or size < end:
        expected = f"{end} bytes according to its header" if len(head) == 64 else "at least 64"
        raise UserError(
            f"{address}: truncated, found {size} bytes, expected {expected}; fetch the file again"
        )


def _unreadable(address: str, error: Exception, what: str = "") -> UserError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = "no such file"
    if isinstance(error, ModuleNotFoundError):
        reason = f"the package {error.name} is needed for this address and is not installed"
    return UserError(
        f"{address}: {what}cannot be read ({reason[:160]}); the file is damaged or out of reach, "
        "check it or fetch it again"
    )


def tree_of(file: Any, address: str, name: str) -> Any:
    """Return the TTree `name` of an open file."""
    try:
        classes = file.classnames(recursive=False)
    except Exception as error:
        raise _unreadable(address, error) from error
    kinds = {key.split(";")[0]: kind for key, kind in classes.items()}
    if name not in kinds:
        found = ", ".join(sorted(kinds)) or "nothing"
        raise UserError(
            f"{address}: no tree {name!r}, found {found[:200]}; is this the right format "
            "(samples: source)?"
        )
    if kinds[name] not in ("TTree", "TNtuple", "TNtupleD"):
        raise UserError(
            f"{address}: {name!r} is a {kinds[name]}, expected a TTree; convert the file"
        )
    try:
        return file[name]
    except Exception as error:
        raise _unreadable(address, error, f"tree {name!r} ") from error


def energy_of(file: Any, address: str) -> float | None:
    """Return the centre-of-mass energy in TeV, which our simulation keeps as the text `sqrt_s`.

    None in files of other origin, whose format has no place for it.
    """
    try:
        if file.classnames(recursive=False).get("sqrt_s;1") != "TObjString":
            return None
        return float(str(file["sqrt_s"]))
    except Exception as error:
        raise _unreadable(address, error, "text 'sqrt_s' ") from error


class Branch:
    """One branch of numbers, read as flat arrays. Keeps the last basket, so that neighbouring
    ranges that share it do not decompress it twice.
    """

    def __init__(self, branch: Any, address: str, dtype: np.dtype | None = None) -> None:
        self._branch = branch
        self._address = address
        self._dtype = dtype
        self._edges = [int(edge) for edge in branch.entry_offsets]
        self._last: tuple[int, Any] = (-1, None)

    @property
    def edges(self) -> list[int]:
        """Numbers of the events at which the baskets begin, and the number of events."""
        return self._edges

    def _basket(self, i: int) -> Any:
        if self._last[0] == i:
            return self._last[1]
        branch = self._branch
        try:
            basket = branch.basket(i)
            array = branch.interpretation.basket_array(
                basket.data,
                basket.byte_offsets,
                basket,
                branch,
                branch.context,
                basket.member("fKeylen"),
                _NUMPY,
                {},
            )
            n = len(array) if isinstance(array, np.ndarray) else len(array.offsets) - 1
            if n != self._edges[i + 1] - self._edges[i]:
                raise ValueError(f"basket {i} holds {n} events")
        except Exception as error:  # damaged bytes cause errors of any class
            where = f"branch {branch.name}, basket {i} "
            raise _unreadable(self._address, error, where) from error
        self._last = (i, array)
        return array

    def _overlapping(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield (basket, first event, last event + 1) of each basket in the range."""
        for i, (low, high) in enumerate(zip(self._edges, self._edges[1:], strict=False)):
            if low < stop and high > start:
                yield i, max(low, start), min(high, stop)

    def flat(self, start: int, stop: int) -> np.ndarray:
        """Return one number an event for the events start .. stop."""
        pieces = [
            self._basket(i)[low - self._edges[i] : high - self._edges[i]]
            for i, low, high in self._overlapping(start, stop)
        ]
        return self._joined(pieces)

    def jagged(
        self, start: int, stop: int, keep: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (content, counts) of the events start .. stop where `keep` is true (all if None).

        A basket without a wanted event is not decompressed.
        """
        pieces, counts = [], []
        for i, low, high in self._overlapping(start, stop):
            wanted = None if keep is None else keep[low - start : high - start]
            if wanted is not None and not wanted.any():
                continue
            array = self._basket(i)
            own = array.offsets[low - self._edges[i] : high - self._edges[i] + 1]
            n = np.diff(own)
            if wanted is None:
                pieces.append(array.content[own[0] : own[-1]])
                counts.append(n)
                continue
            counts.append(n[wanted])
            # runs of wanted events are cut out as slices: much cheaper than a mask of candidates
            steps = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
            bounds = own[steps].tolist()
            pieces += [
                array.content[first:last]
                for first, last in zip(bounds[::2], bounds[1::2], strict=True)
            ]
        joined = np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)
        return self._joined(pieces), joined

    def _joined(self, pieces: list[np.ndarray]) -> np.ndarray:
        """Return the pieces as one array of the wanted type in the machine's byte order."""
        content = self._branch.interpretation
        stored = getattr(content, "content", content).from_dtype.newbyteorder("=")
        dtype = self._dtype or stored
        out = np.empty(sum(len(piece) for piece in pieces), dtype=dtype)
        first = 0
        with np.errstate(over="ignore", invalid="ignore"):  # 1e300 becomes inf and is counted later
            for piece in pieces:
                out[first : first + len(piece)] = piece
                first += len(piece)
        return out
