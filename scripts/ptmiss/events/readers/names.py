"""The formats by name: those read here and those of installed plug-ins, which nothing here imports.

Settings look at names only, so that an edit of a reader concerns the stage that reads and no other.
"""

from __future__ import annotations

from ptmiss.core.plugins import Plugins

READERS = Plugins("ptmiss.readers", "reader", ("pfnano", "nanoaod", "delphes"))

WITH_RUNS = frozenset({"pfnano", "nanoaod"})
"""Formats whose files say the sum of their generator weights."""

WITHOUT_CANDIDATES = frozenset({"nanoaod"})
"""Formats whose files have METs and no candidates: nothing is summed, moved or learnt there."""
