"""ROOT files written by uproot: whole or not at all, the same bytes for the same content."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

import uproot

from ptmiss.core.io.atomic import replacing
from ptmiss.core.paths import PathLike

_EPOCH = 0
"""What stands for every date in the file: the beginning of ROOT's time, 1 January 1995."""


@contextlib.contextmanager
def recreated(path: PathLike, identity: str) -> Iterator[Any]:
    """Yield an open ROOT file; its bytes depend on what is written alone.

    identity: what the file is called inside; its UUID follows from it. Baskets are compressed with
    zlib, whose checksum notices flipped bytes (those of zstd, as uproot reads them, often do not).
    """
    name = uuid.uuid5(uuid.NAMESPACE_OID, identity)
    with (
        # ROOT files hold the time of writing in every key, and copies of the keys in lists; the
        # library offers no way to set it, and to find them all afterwards is to write ROOT anew
        mock.patch.object(uproot._util, "datetime_to_code", return_value=_EPOCH),
        replacing(path) as temporary,
        # an open file and not its name, because the name would become part of the content
        open(temporary, "w+b") as sink,
        uproot.recreate(sink, compression=uproot.ZLIB(1), uuid_function=lambda: name) as file,
    ):
        yield file
