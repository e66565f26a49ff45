"""Columns of a TTree, basket by basket, through uproot's own decoding of a basket."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from uproot.interpretation.identify import UnknownInterpretation
from uproot.interpretation.library import NumPy
from uproot.models.TBasket import Model_TBasket

from ptmiss.events.readers.branch import Branch, Piece
from ptmiss.events.readers.decoding import decoding

_NUMPY = NumPy()
_KEY = struct.Struct(">ihiIhh")  # bytes on disk, version, bytes unpacked, date, key length, cycle
_FAR = 1000  # ROOT adds this to the version of a key whose addresses have 64 bits
_LARGE = 1 << 28  # bytes; a basket that claims more is compared with what its branch holds in all


class TreeTable:
    """An open TTree."""

    def __init__(self, tree: Any, address: str) -> None:
        self._tree = tree
        self._address = address
        self.n_events = int(tree.num_entries)
        if self.n_events < 0:
            raise ValueError(f"{self.n_events} events")
        keys = tree.keys(recursive=True, full_paths=True)
        self.names: Sequence[str] = [key for key in keys if key.count("/") <= 1]
        self.top = frozenset(branch.name for branch in tree.branches)
        self.friends = _friends(tree)

    def branch(self, name: str) -> Branch:
        """Return a branch; raises `UserError` if its description is damaged."""
        with decoding(self._address, f"branch {name}"):
            return TreeBranch(self._tree[name], self._address, name)


def _friends(tree: Any) -> tuple[str, ...]:
    """Return the names of the trees that a tree was made friends with, "?" where not known."""
    return tuple(_name_of(friend) for friend in (tree.all_members.get("fFriends") or ()))


def _name_of(friend: Any) -> str:
    try:
        return f"{friend.member('fTreeName')} in {friend.member('fTitle') or 'the same file'}"
    except Exception:  # a hint for a message, from a class that uproot may not know
        return "?"


class TreeBranch(Branch):
    """One branch of a TTree."""

    def __init__(self, branch: Any, address: str, name: str) -> None:
        self._branch = branch
        interpretation = branch.interpretation
        content = dtype = None
        if not isinstance(interpretation, UnknownInterpretation):
            content = getattr(interpretation, "content", None)
            dtype = getattr(content or interpretation, "from_dtype", None)
        super().__init__(address, name, str(branch.typename), dtype, content is not None)
        self._normal = branch.num_baskets - len(branch.embedded_baskets)

    def _limits(self) -> list[int]:
        return list(self._branch.entry_offsets)

    def _read(self, i: int) -> Piece:
        branch = self._branch
        basket = self._basket(i) if i < self._normal else branch.basket(i)
        if basket.num_entries != self.edges[i + 1] - self.edges[i]:
            raise ValueError(f"it says that it holds {basket.num_entries} events")
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
        if isinstance(array, np.ndarray):
            return Piece(array, None)
        return Piece(array.content, array.offsets)

    def _basket(self, i: int) -> Any:
        """Return a basket, whose own header must say that it belongs to this branch."""
        branch = self._branch
        chunk, cursor = branch.basket_chunk_cursor(i)
        start = cursor.index
        head = bytes(chunk.get(start, start + _KEY.size, cursor, {}))
        stored, version, unpacked, _, length, _ = _KEY.unpack(head)
        if not 0 <= stored - length <= chunk.stop - start or unpacked < 0:
            raise ValueError(f"it claims to take {stored} bytes")
        if unpacked > max(_LARGE, int(branch.member("fTotBytes"))):
            raise ValueError(f"it claims to hold {unpacked} bytes")
        key = bytes(chunk.get(start, start + length, cursor, {}))
        own = _texts(key[_KEY.size + (16 if version > _FAR else 8) :], 2)[1]
        if own != branch.name:
            raise ValueError(f"it says that it is of branch {own!r}")
        return Model_TBasket.read(
            chunk, cursor, {"basket_num": i}, branch.file, branch.file, branch
        )


def _texts(data: bytes, n: int) -> list[str]:
    """Return the first n texts of some bytes, each preceded by its length."""
    texts = []
    for _ in range(n):
        length, first = data[0], 1
        if length == 255:  # a long one: four bytes of length follow
            length, first = int.from_bytes(data[1:5], "big"), 5
        texts.append(data[first : first + length].decode("utf-8", "surrogateescape"))
        data = data[first + length :]
    return texts
