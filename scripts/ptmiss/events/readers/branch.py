"""A column of a file as flat arrays, whatever container holds it.

Content and offsets are taken as they are stored, without building nested arrays, and only those
stretches are decompressed that hold an event the caller wants.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ptmiss.events.readers.decoding import decoding


class Piece(NamedTuple):
    """A stretch of a column. offsets: None where each event has one number, else the limits of the
    events in `content`, (n_events + 1,).
    """

    content: np.ndarray
    offsets: np.ndarray | None


class Branch(abc.ABC):
    """A column of numbers, read as flat arrays. Keeps the last stretch, so that neighbouring
    ranges that share it do not decompress it twice.

    name, typename: as the file has them; dtype: type of a number, None if it holds none; jagged:
    whether an event has a list of them; edges: numbers of the events at which the stretches begin,
    and the number of events.
    """

    unit = "basket"

    def __init__(
        self, address: str, name: str, typename: str, dtype: np.dtype | None, jagged: bool
    ) -> None:
        self.address = address
        self.name = name
        self.typename = typename
        self.dtype = None if dtype is None else dtype.newbyteorder("=")
        self.has_lists = jagged
        self.edges: list[int] = []
        self._last: tuple[int, Piece] | None = None

    @abc.abstractmethod
    def _read(self, i: int) -> Piece:
        """Decompress a stretch; may raise anything if the file is damaged."""

    @abc.abstractmethod
    def _limits(self) -> list[int]:
        """Return `edges`; may raise anything if the file is damaged."""

    def prepare(self, n_events: int) -> Branch:
        """Look up where the stretches are, once it is known that the column will be read.

        Raises `UserError` unless they cover the file's events.
        """
        with decoding(self.address, f"branch {self.name}"):
            edges = [int(edge) for edge in self._limits()]
            if edges[0] != 0 or edges[-1] != n_events or any(np.diff(edges) < 0):
                raise ValueError(f"its {self.unit}s do not hold the file's {n_events} events")
            self.edges = edges
        return self

    def _piece(self, i: int) -> Piece:
        if self._last is not None and self._last[0] == i:
            return self._last[1]
        with decoding(self.address, f"branch {self.name}, {self.unit} {i}"):
            piece = self._read(i)
            _check(piece, self.edges[i + 1] - self.edges[i])
        self._last = (i, piece)
        return piece

    def _overlapping(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield (stretch, first event, last event + 1) of each stretch in the range."""
        for i, (low, high) in enumerate(zip(self.edges, self.edges[1:], strict=False)):
            if low < stop and high > start:
                yield i, max(low, start), min(high, stop)

    def flat(self, start: int, stop: int) -> np.ndarray:
        """Return one number an event for the events start .. stop."""
        pieces = [
            self._piece(i).content[low - self.edges[i] : high - self.edges[i]]
            for i, low, high in self._overlapping(start, stop)
        ]
        return self._joined(pieces)

    def jagged(
        self, start: int, stop: int, keep: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (content, counts) of the events start .. stop where `keep` is true (all if None).

        A stretch without a wanted event is not decompressed.
        """
        pieces, counts = [], []
        for i, low, high in self._overlapping(start, stop):
            wanted = None if keep is None else keep[low - start : high - start]
            if wanted is not None and not wanted.any():
                continue
            content, offsets = self._piece(i)
            if offsets is None:
                raise TypeError(f"branch {self.name} has one number an event")
            own = offsets[low - self.edges[i] : high - self.edges[i] + 1]
            n = np.diff(own)
            if wanted is None:
                pieces.append(content[own[0] : own[-1]])
                counts.append(n)
                continue
            counts.append(n[wanted])
            # runs of wanted events are cut out as slices: much cheaper than a mask of candidates
            steps = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
            bounds = own[steps].tolist()
            pieces += [
                content[first:last] for first, last in zip(bounds[::2], bounds[1::2], strict=True)
            ]
        joined = np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)
        return self._joined(pieces), joined

    def _joined(self, pieces: list[np.ndarray]) -> np.ndarray:
        """Return the pieces as one array in the machine's byte order."""
        out = np.empty(sum(len(piece) for piece in pieces), dtype=self.dtype)
        first = 0
        with np.errstate(over="ignore", invalid="ignore"):  # 1e300 becomes inf and is counted later
            for piece in pieces:
                out[first : first + len(piece)] = piece
                first += len(piece)
        return out


def _check(piece: Piece, n_events: int) -> None:
    """Raise `ValueError` unless a stretch holds `n_events` events, each of them whole."""
    content, offsets = piece
    n = len(content) if offsets is None else len(offsets) - 1
    if n != n_events:
        raise ValueError(f"it holds {n} events, expected {n_events}")
    if offsets is None or n_events == 0:
        return
    if offsets[0] < 0 or offsets[-1] > len(content) or (np.diff(offsets) < 0).any():
        raise ValueError(f"its {len(content)} numbers are not those its offsets tell of")


class Table(Protocol):
    """An open TTree or RNTuple.

    names: those of all columns, "Collection/Collection.Field" where they lie below a collection;
    top: the names without what lies below; friends: other trees that belong to it and are not read.
    """

    n_events: int
    names: Sequence[str]
    top: frozenset[str]
    friends: tuple[str, ...]

    def branch(self, name: str) -> Branch:
        """Return a column, which is not read before `Branch.prepare`."""
