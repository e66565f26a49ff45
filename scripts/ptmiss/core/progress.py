"""How far a command has come: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO, TypeVar

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

_WIDTH = 30
_BAR, _LINE = 0.2, 30.0
"""Seconds between two states of a bar, and between two lines: a quick job writes none."""


@dataclass
class Progress:
    """Counts what is done and says now and then how fast it goes and how long the rest takes.

    done: what an earlier run did already; line: seconds between two lines; stream: where a bar is
    drawn if it is a terminal.
    """

    name: str
    total: int
    done: int = 0
    unit: str = "events"
    line: float = _LINE
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._terminal = self.stream.isatty()
        self._started = self._last = self.clock()
        self._first = self.done

    @property
    def rate(self) -> float:
        """How much a second since the start."""
        return (self.done - self._first) / max(self.clock() - self._started, 1e-9)

    def step(self, size: int, more: str = "") -> None:
        """Count; if it is time, tell. more: what else is said then."""
        self.done += size
        now = self.clock()
        if now - self._last < (_BAR if self._terminal else self.line):
            return
        self._last = now
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        passed = (now - self._started) / max(self.done - self._first, 1)
        left = max(passed * (self.total - self.done), 0.0)
        words = f"{self.done:,} of {self.total:,} {self.unit}, {_minutes(left)} left"
        words += f", {more}" if more else ""
        if self._terminal:
            bar = "#" * round(_WIDTH * share)
            self.stream.write(f"\r{self.name} [{bar:<{_WIDTH}}] {share:4.0%}, {words}\x1b[K")
            self.stream.flush()
        else:
            _LOG.info("%s: %s", self.name, words)

    def close(self) -> None:
        """Take a bar away."""
        if self._terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def progress(
    items: Iterable[_T],
    name: str,
    total: int,
    size: Callable[[_T], int],
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[_T]:
    """Yield items, and say in between how much is done and how long the rest takes.

    Parameters
    ----------
    items
        What is worked on.
    name
        What the bar or the line begins with.
    total, size
        Number of events of all items, and of one.
    stream
        Where a bar is drawn if it is a terminal, stderr if left out.
    clock
        Seconds that pass.
    """
    counter = Progress(name, total, stream=stream or sys.stderr, clock=clock)
    for item in items:
        yield item
        counter.step(size(item))
    counter.close()


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
