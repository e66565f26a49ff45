"""ROOT files through uproot: opening them, and what lies in them beside events."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uproot

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import is_remote
from ptmiss.events.readers.branch import Table
from ptmiss.events.readers.decoding import decoding
from ptmiss.events.readers.remote import Remote, source_of
from ptmiss.events.readers.rntuple import NTupleTable
from ptmiss.events.readers.ttree import TreeTable

_LARGE = 1_000_000  # ROOT adds this to the version of a file whose addresses have 64 bits

_TABLES: dict[str, Callable[[Any, str], Table]] = {
    "TTree": TreeTable,
    "TNtuple": TreeTable,
    "TNtupleD": TreeTable,
    "ROOT::RNTuple": NTupleTable,
}


@contextlib.contextmanager
def opened(address: str, remote: Remote) -> Iterator[Any]:
    """Yield an open ROOT file; what cannot be one is refused with the reason.

    remote: how patient to be with an address that is read over the network.
    """
    with decoding(address):  # also what is missing to read an address at all
        if is_remote(address):
            options = source_of(address, remote)
        else:
            _look_at_header(address)
            # a local file is mapped into memory: the default opens it anew for every basket
            options = {"handler": uproot.source.file.MemmapSource}
        file = uproot.open({address: None}, **options)
    with file:
        yield file


def _look_at_header(address: str) -> None:
    """Refuse what is not a whole ROOT file, before any byte of it is interpreted."""
    path = Path(address)
    require_regular(path, "name a ROOT file")
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
    # signed, as ROOT reads it: some programs write versions of their own below zero
    version = int.from_bytes(head[4:8], "big", signed=True)
    end = int.from_bytes(head[12 : 20 if version >= _LARGE else 16], "big")
    if len(head) < 64 or size < end:
        expected = f"{end} bytes according to its header" if len(head) == 64 else "at least 64"
        raise UserError(
            f"{address}: truncated, found {size} bytes, expected {expected}; fetch the file again"
        )


def table_of(file: Any, address: str, name: str) -> Table:
    """Return the TTree or RNTuple `name` of an open file."""
    with decoding(address):
        classes = file.classnames(recursive=False)
    kinds = {key.split(";")[0]: kind for key, kind in classes.items()}
    if name not in kinds:
        present = ", ".join(sorted(kinds)) or "nothing"
        raise UserError(
            f"{address}: no tree {name!r}, found {present[:200]}; is this the right format "
            "(samples: source)?"
        )
    if kinds[name] not in _TABLES:
        raise UserError(
            f"{address}: {name!r} is a {kinds[name]}, expected a TTree or an RNTuple; convert the "
            "file"
        )
    with decoding(address, f"tree {name!r}"):
        return _TABLES[kinds[name]](file[name], address)


def energy_of(file: Any, address: str) -> float | None:
    """Return the centre-of-mass energy in TeV, which our simulation keeps as the text `sqrt_s`.

    None in files of other origin, whose format has no place for it. Raises `UserError` if there is
    a `sqrt_s` that is no energy.
    """
    with decoding(address, "text 'sqrt_s'"):
        kinds = file.classnames(recursive=False, cycle=False)
        if "sqrt_s" not in kinds:
            return None
        if kinds["sqrt_s"] != "TObjString":
            raise ValueError(f"it is a {kinds['sqrt_s']}, expected a TObjString")
        energy = float(str(file["sqrt_s"]))
        if not (math.isfinite(energy) and 0 < energy <= 1000):
            raise ValueError(f"found {energy:g}, expected TeV between 0 and 1000")
    return energy
