"""What a reader is: one open file, whatever its format. A plug-in is a subclass of `Reader`."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from typing import ClassVar, NamedTuple

import numpy as np

from ptmiss.events.readers.asked import NOTHING, Asked
from ptmiss.events.readers.batch import Candidates, EventBatch
from ptmiss.events.readers.remote import ONCE, Remote

Identity = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Run, luminosity block (uint32) and event (uint64), each of shape (n_events,)."""


class Input(NamedTuple):
    """What the settings say of a file that is opened.

    is_data: recorded collisions, without truth; puppi_flavour: "no_lepton" or "standard", which
    weight the column puppi is; identity: a text that differs between files with different content;
    remote: how patient to be with an address that is read over the network; asked: further
    branches, which a format need not be able to give.
    """

    is_data: bool
    puppi_flavour: str
    identity: str
    remote: Remote = ONCE
    asked: Asked = NOTHING


class Reader(abc.ABC):
    """One open input file.

    address: its path or address; n_events: how many it has; sqrt_s: centre-of-mass energy in TeV,
    None where the file does not say it. Readers give momenta in GeV, lengths in cm, azimuth in
    radians. truth_name: what holds the truth of the candidates in this format; numbers_events:
    whether run, luminosity block and event of recorded collisions are those of the experiment;
    has_candidates: whether the format has candidates; without them it needs jets, a density rho and
    stored METs.
    """

    has_candidates: ClassVar[bool] = True
    truth_name: ClassVar[str] = "truth of the candidates"
    numbers_events: ClassVar[bool] = True

    def __init__(self, address: str, n_events: int, sqrt_s: float | None = None) -> None:
        self.address = address
        self.n_events = n_events
        self.sqrt_s = sqrt_s

    @classmethod
    @abc.abstractmethod
    def open(cls, address: str, given: Input) -> AbstractContextManager[Reader]:
        """Return the reader of a file, which is open inside the `with`.

        Raises `UserError` for a file that cannot be read or lacks something that is required.
        """

    @property
    @abc.abstractmethod
    def has_truth(self) -> bool:
        """Whether the candidates carry their fraction from the hard collision."""

    @classmethod
    def generated(cls, address: str, remote: Remote) -> float | None:
        """Return the sum of the generator weights of all events that were generated for a file.

        None where the file, or its format, does not say it.
        """
        del address, remote
        return None

    @abc.abstractmethod
    def identities(self, start: int, stop: int) -> Identity:
        """Return the identity of the events start .. stop."""

    @abc.abstractmethod
    def events(self, start: int, stop: int) -> EventBatch:
        """Return the events start .. stop without candidates."""

    @abc.abstractmethod
    def candidates(self, start: int, stop: int, keep: np.ndarray) -> Candidates:
        """Return the candidates of the events start .. stop where `keep` (bool) is true."""

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        """Return ranges of at most `limit` events that cover the file, in order."""
        return [
            (first, min(first + limit, self.n_events)) for first in range(0, self.n_events, limit)
        ]
