"""Names in settings: of things that exist, and whether the user wrote them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from ptmiss.core.errors import UserError

MOST = 20
"""Allowed names that a message lists."""

Named = tuple[str, Iterable[str], Iterable[str]]
"""Key of a setting, the names that stand there, and the names that may."""


def unknown(where: str, name: str, allowed: Iterable[str]) -> str:
    """Return one line on a name that does not exist: what is allowed, and what is spelled alike."""
    allowed = sorted(allowed)
    listed = ", ".join(allowed[:MOST]) or "none"
    more = f" and {len(allowed) - MOST} more" if len(allowed) > MOST else ""
    near = difflib.get_close_matches(name, allowed, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{where} is {name!r}, allowed: {listed}{more}{meant}"


def require_known(settings: Iterable[Named]) -> None:
    """Raise `UserError` at the first name that does not exist: in silence it would mean none."""
    for path, names, allowed in settings:
        for name in names:
            if name not in allowed:
                raise UserError(f"setting {unknown(path, name, allowed)}")


def written(own: object, *path: str) -> object:
    """Return what the user wrote under a key, such as ("calibration", "data"); None for nothing."""
    for key in path:
        own = own.get(key) if isinstance(own, Mapping) else None
    return own
