"""JSON that a stage wrote: decoded, and compared with its layout before anything looks into it."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ptmiss.errors import UserError
from ptmiss.io import text

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Number = Annotated[float, Field(ge=-1e100, le=1e100)]
"""A finite number; nothing that is measured is beyond the limits, and sums of such cannot overflow.
"""


class Record(BaseModel):
    """What a reader needs of a JSON object; further keys are allowed and not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


def read(path: str | os.PathLike[str], layout: type[Record], stage: str) -> Any:
    """Return the value of a JSON file, which agrees with the layout.

    stage: that writes such files. Raises `UserError` for a file that is missing, damaged (a sum
    beside it tells), no JSON, or of another layout: what was found where, and what was expected.
    """
    found = value(path, stage)
    try:
        layout.model_validate(found)
    except ValidationError as error:
        raise UserError(
            f"{path}: not what the stage {stage} writes: {_first(error)}; {text.again(stage)}"
        ) from None
    return found


def value(path: str | os.PathLike[str], stage: str) -> Any:
    """Return the value of a JSON file whose layout the caller compares."""
    return decode(text.read(path, stage), path, stage)


def decode(content: str, path: str | os.PathLike[str], stage: str) -> Any:
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
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return found


def _first(error: ValidationError) -> str:
    """Say in a few words what the first deviation from a layout is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    if first["type"] == "missing":
        return f"{where} is missing"
    found = repr(first["input"])
    found = found if len(found) <= 40 else found[:37] + "..."
    return f"{where} is {found}: {first['msg'].removeprefix('Value error, ')}"
