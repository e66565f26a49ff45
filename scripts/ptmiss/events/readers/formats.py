"""The formats by the name that a sample's `source` gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ptmiss.events.readers.delphes import DelphesReader
from ptmiss.events.readers.pfnano import PFNanoReader, refuse_without_candidates
from ptmiss.events.readers.reader import Reader, open_columns
from ptmiss.events.readers.remote import ONCE, Remote


@contextlib.contextmanager
def open_reader(
    address: str,
    source: str,
    is_data: bool,
    puppi_flavour: str,
    identity: str,
    remote: Remote = ONCE,
) -> Iterator[Reader]:
    """Yield the reader of a file.

    source: "simulated" and "pfnano" (both NanoAOD with candidates) or "delphes"; puppi_flavour:
    "no_lepton" or "standard"; identity: a text that differs between files with different content;
    remote: how patient to be with an address that is read over the network.
    Raises `UserError` for a file that cannot be read or lacks something that is required.
    """
    if source == "delphes":
        with open_columns(address, "delphes", is_data, remote) as columns:
            yield DelphesReader(columns, identity)
    else:
        with open_columns(address, "pfnano", is_data, remote, refuse_without_candidates) as columns:
            yield PFNanoReader(columns, puppi_flavour)
