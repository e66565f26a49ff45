"""Records that a stage wrote for another one, read strictly: exact types, nothing missing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ptmiss.errors import UserError
from ptmiss.io import json as json_file


class Record(BaseModel):
    """What a stage wrote. Unknown keys, other types (`"false"` for false) and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Excerpt(BaseModel):
    """The part of a larger record that a stage needs: what else stands there does not matter."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


R = TypeVar("R", bound=BaseModel)


def read(kind: type[R], path: str | os.PathLike[str], stage: str) -> R:
    """Read the JSON record that a stage wrote; raises `UserError` for anything else, in one line.

    stage: which one writes it; the user is told to run it again.
    """
    return check(kind, json_file.value(path, stage), path, stage)


def check(kind: type[R], value: object, path: str | os.PathLike[str], stage: str) -> R:
    """Return the record of a JSON value that was read from `path`; see `read`."""
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        reason = problem["msg"].removeprefix("Value error, ")
        raise UserError(
            f"{path}: not what the stage {stage} writes ({key or 'the whole'}: {reason});"
            " delete it and run the workflow again"
        ) from None


def to_values(record: BaseModel) -> dict[str, Any]:
    """Return a record as plain values, with the keys that it was read with."""
    return record.model_dump(mode="json", exclude_unset=True)


def read_each(kind: type[R], paths: Sequence[str], stage: str) -> list[R]:
    """Read the record of each training; `UserError` where two are of one: it would count twice."""
    found: dict[str, tuple[str, R]] = {}
    for path in paths:
        one = read(kind, path, stage)
        if one.training in found:
            raise UserError(
                f"{path}: a second record of training {one.training!r}, beside"
                f" {found[one.training][0]}; give each once"
            )
        found[one.training] = path, one
    return [one for _, one in found.values()]
