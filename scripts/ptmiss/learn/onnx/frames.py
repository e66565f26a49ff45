"""Messages between a job and the process that runs a model of others: JSON, then plain arrays.

A message is the length of its header (4 bytes), the header as JSON with the types and shapes of the
arrays, and their bytes. Nothing is ever unpickled: the other side may be in the hands of a model.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping

import numpy as np

LONGEST_HEADER = 1 << 20
TYPES = ("float32", "int32", "int64", "uint8")

Message = tuple[dict[str, object], dict[str, np.ndarray]]


class MessageError(Exception):
    """Bytes that are not a message of the expected size."""


def encode(
    header: Mapping[str, object], arrays: Mapping[str, np.ndarray] | None = None
) -> Iterator[memoryview]:
    """Yield the pieces of a message. Raises `MessageError` for a header that is too long."""
    arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    text = json.dumps({**header, "arrays": described}).encode()
    if len(text) > LONGEST_HEADER:
        raise MessageError(f"a header of {len(text)} bytes, at most {LONGEST_HEADER} are sent")
    yield memoryview(struct.pack("<I", len(text)) + text)
    for array in arrays.values():
        if array.size:
            yield array.data.cast("B")


def decode(exactly: Callable[[int], bytes | bytearray], most: int) -> Message:
    """Return header and arrays; exactly(n) gives the next n bytes, most: bytes of all arrays.

    Raises `MessageError` for anything else than such a message.
    """
    (length,) = struct.unpack("<I", exactly(4))
    if length > LONGEST_HEADER:
        raise MessageError(f"a header of {length} bytes")
    try:
        header = json.loads(exactly(length))
        described = [
            (str(name), np.dtype(kind), tuple(map(int, shape)))
            for name, kind, shape in header.pop("arrays")
        ]
        if {str(kind) for _, kind, _ in described} - set(TYPES):
            raise ValueError
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise MessageError(f"a header that is not understood ({type(error).__name__})") from None
    arrays = {}
    for name, kind, shape in described:
        size = math.prod(shape) * kind.itemsize
        if min(shape, default=0) < 0 or size > most:
            raise MessageError(f"an array of shape {shape}")
        most -= size
        arrays[name] = np.frombuffer(exactly(size), kind).reshape(shape)
    return header, arrays
