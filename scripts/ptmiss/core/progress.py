"""How far a command has come: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

_WIDTH = 30
_BAR, _LINE = 0.2, 30.0
"""Seconds between two states of a bar, and between two lines: a quick job writes none."""


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
    stream = stream or sys.stderr
    terminal = stream.isatty()
    started = last = clock()
    done = 0
    for item in items:
        yield item
        done += size(item)
        now = clock()
        if now - last < (_BAR if terminal else _LINE):
            continue
        last = now
        share = min(done / total, 1.0) if total else 1.0
        left = (now - started) * (total - done) / done if done else 0.0
        words = f"{done:,} of {total:,} events, {_minutes(max(left, 0.0))} left"
        if terminal:
            bar = "#" * round(_WIDTH * share)
            stream.write(f"\r{name} [{bar:<{_WIDTH}}] {share:4.0%}, {words}\x1b[K")
            stream.flush()
        else:
            _LOG.info("%s: %s", name, words)
    if terminal:
        stream.write("\r\x1b[K")
        stream.flush()


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
