"""JSON that a stage wrote, decoded strictly; `records` compares it with its layout."""

from __future__ import annotations

import json
from typing import Any

from ptmiss.core.errors import UserError
from ptmiss.core.io import text
from ptmiss.core.paths import PathLike


def value(path: PathLike, stage: str) -> Any:
    """Return the value of a JSON file whose layout the caller compares."""
    return decode(text.read(path, stage), path, stage)


def decode(content: str, path: PathLike, stage: str) -> Any:
    """Return the value of JSON text: finite numbers, no key twice, text that can be written."""
    try:
        value = json.loads(content, parse_constant=_refuse, object_pairs_hook=_object)
        if "\\u" in content:  # half of a surrogate pair cannot be written again
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise UserError(f"{path}: not JSON (nested too deeply); {text.again(stage)}") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); {text.again(stage)}") from None
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return mapping
