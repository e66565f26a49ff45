"""Branches that the settings of a sample ask for, beyond those of its format."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """Branches that only the settings of a sample ask for, by their names in the file.

    muon, electron: of these leptons, without the collection: columns `id_{name}` of
    `EventBatch.muons` and `electrons`; flags: true or false of an event; columns: numbers of an
    event; optional: those of the flags that may be missing.
    """

    muon: tuple[str, ...] = ()
    electron: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()


NOTHING = Asked()
