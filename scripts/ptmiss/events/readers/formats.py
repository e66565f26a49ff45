"""The readers by the name that a sample's `source` gives."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ptmiss.core.errors import UserError
from ptmiss.events.readers.delphes import DelphesReader
from ptmiss.events.readers.names import READERS
from ptmiss.events.readers.nanoaod import NanoAODReader
from ptmiss.events.readers.pfnano import PFNanoReader
from ptmiss.events.readers.reader import Input, Reader

_BUILT_IN: dict[str, type[Reader]] = {
    "simulated": PFNanoReader,
    "pfnano": PFNanoReader,
    "nanoaod": NanoAODReader,
    "delphes": DelphesReader,
}


def reader_of(source: str) -> type[Reader]:
    """Return the class that reads files of a source, importing a plug-in if it is one's name.

    Raises `UserError` if there is none, or none that can be used.
    """
    if source in _BUILT_IN:
        return _BUILT_IN[source]
    plugin = READERS.load(source)
    if isinstance(plugin, type) and issubclass(plugin, Reader):
        return plugin
    raise UserError(
        f"reader {source!r}: {plugin!r} is no subclass of Reader; correct or uninstall it"
    )


def open_reader(address: str, source: str, given: Input) -> AbstractContextManager[Reader]:
    """Return the reader of a file, which is open inside the `with`; see `Reader.open`."""
    return reader_of(source).open(address, given)
