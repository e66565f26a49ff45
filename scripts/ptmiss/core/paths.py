"""Paths and addresses: which are read over the network, and which nothing can carry.

Standard library only: the Snakefile imports this module in every job.
"""

from __future__ import annotations

import os
import unicodedata

PathLike = str | os.PathLike[str]  # what may be given as the place of a file
REMOTE = ("root://", "http://", "https://")


def is_remote(address: str) -> bool:
    """Tell whether an address is read over the network instead of from a disk."""
    return address.startswith(REMOTE)


def path_problem(path: str) -> str | None:
    """Return why Snakemake or a command line cannot carry a path; None if they can."""
    if any(unicodedata.category(one) == "Cc" for one in path):
        return "holds a line break or another control character"
    if any("\ud800" <= one <= "\udfff" for one in path):
        return "is not UTF-8"
    if not is_remote(path) and ("{" in path or "}" in path):
        return "holds braces, which Snakemake takes for a wildcard"
    return None
