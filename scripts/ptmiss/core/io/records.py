"""JSON that stages hand to each other, compared with its layout before anything looks into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ptmiss.core.errors import UserError
from ptmiss.core.io import json as json_file
from ptmiss.core.io import text
from ptmiss.core.paths import PathLike

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Number = Annotated[float, Field(ge=-1e100, le=1e100)]
"""A finite number; nothing that is measured is beyond the limits, and sums of such cannot overflow.
"""

Values = Mapping[str, Any]
"""What a JSON object of ours holds, whose layout has been checked."""


class Record(BaseModel):
    """What a stage wrote. Unknown keys, other types (`"false"` for false) and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Excerpt(BaseModel):
    """The part of a larger record that a stage needs: what else stands there does not matter."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


R = TypeVar("R", bound=BaseModel)


def read(kind: type[R], path: PathLike, stage: str) -> R:
    """Return the record in a JSON file that a stage wrote.

    stage: which one, the user is told to run it again. Raises `UserError` for a file that is
    missing, damaged (a sum beside it tells), no JSON, or of another layout: what stands where, and
    what was expected.
    """
    return check(kind, json_file.value(path, stage), path, stage)


def read_values(kind: type[R], path: PathLike, stage: str) -> Any:
    """Return the value of a JSON file that agrees with the layout, with all that it holds besides.

    See `read`.
    """
    value = json_file.value(path, stage)
    check(kind, value, path, stage)
    return value


def check(kind: type[R], value: object, path: PathLike, stage: str) -> R:
    """Return the record of a JSON value that was read from `path`; see `read`."""
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise UserError(
            f"{path}: not what the stage {stage} writes: {_first(error)}; {text.again(stage)}"
        ) from None


def _first(error: ValidationError) -> str:
    """Say in a few words what the first deviation from a layout is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    if first["type"] == "missing":
        return f"{where} is missing"
    value = repr(first["input"])
    value = value if len(value) <= 40 else value[:37] + "..."
    return f"{where} is {value}: {first['msg'].removeprefix('Value error, ')}"


def to_values(record: BaseModel) -> dict[str, Any]:
    """Return a record as plain values, with the keys that it was read with."""
    return record.model_dump(mode="json", exclude_unset=True)


def read_each(kind: type[R], paths: Sequence[str], stage: str) -> list[R]:
    """Read the record of each training; `UserError` where two are of one: it would count twice."""
    records: dict[str, tuple[str, R]] = {}
    for path in paths:
        record = read(kind, path, stage)
        training = to_values(record)["training"]
        if training in records:
            raise UserError(
                f"{path}: a second record of training {training!r}, beside"
                f" {records[training][0]}; give each once"
            )
        records[training] = path, record
    return [record for _, record in records.values()]


Text = Annotated[str, Field(min_length=1, max_length=1000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Counts = dict[str, Count]
Positive = Annotated[Number, Field(ge=0.0)]
