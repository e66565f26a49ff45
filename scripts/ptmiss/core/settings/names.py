"""Names in settings: of things that exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST = 20
"""Allowed names that a message lists."""


def unknown(where: str, name: str, allowed: Iterable[str]) -> str:
    """Return one line on a name that does not exist: what is allowed, and what is spelled alike."""
    allowed = sorted(allowed)
    listed = ", ".join(allowed[:MOST]) or "none"
    more = f" and {len(allowed) - MOST} more" if len(allowed) > MOST else ""
    near = difflib.get_close_matches(name, allowed, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{where} is {name!r}, allowed: {listed}{more}{meant}"
