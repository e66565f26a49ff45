"""The shape of every settings section: frozen, complete, nothing unknown, errors in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ptmiss.core.errors import UserError, quoted


class Section(BaseModel):
    """A group of settings. Unknown keys, wrong types and missing keys are refused.

    There are no defaults here: config.yaml holds every value with its reason, so that what a run
    used can be read in one place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=BaseModel)

_LEAST = 1e-30
"""Products of smaller numbers vanish in single precision, and no quantity here is so small."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def parse(kind: type[S], text: str, where: str) -> S:
    """Parse JSON into a section.

    kind: the section's class; text: JSON; where: how the user knows this section, such as
    "skim" or "samples.zmumu". Raises `UserError` naming the key, what was found and what is
    allowed.
    """
    try:
        section = kind.model_validate_json(text)
    except ValidationError as error:
        raise UserError(_explain(error, text, where)) from None
    for path, number in _numbers(section.model_dump(), [where] if where else []):
        if 0.0 < abs(number) < _LEAST:
            raise UserError(
                f"setting {'.'.join(path)}: found {number!r}; nothing is that small, write 0 or a"
                f" number above {_LEAST:g}"
            )
    return section


def from_mapping(kind: type[S], value: object, where: str) -> S:
    """Parse plain Python values (as a YAML file gives them) into a section; see `parse`."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        name = f"setting {where}" if where else "the settings"
        raise UserError(f"{name}: not plain YAML values ({reason})") from None
    return parse(kind, text, where)


def to_json(section: BaseModel) -> str:
    """Return a section as sorted JSON: equal settings give equal text."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _numbers(value: object, path: list[str]) -> Iterator[tuple[list[str], float]]:
    """Yield every float of nested mappings and lists, with the way to it."""
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, [*path, _part(key)])
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _numbers(inner, [*path, str(i)])


def _explain(error: ValidationError, given: str, where: str) -> str:
    """Say in one line what is wrong with the first offending key, and how many others there are.

    given: the JSON that was parsed.
    """
    problems = error.errors(include_url=False)
    first = problems[0]
    kind, context = first["type"], first.get("ctx", {})
    steps = _written(first["loc"], given, missing=kind == "missing")
    key = ".".join(filter(None, [where, *map(_part, steps)]))
    if kind == "extra_forbidden":
        text = f"setting {key}: unknown key; remove it or correct its spelling (see config.yaml)"
    elif kind == "missing":
        text = f"setting {key}: missing; config.yaml or the list of settings (docs) shows it"
    elif kind == "union_tag_not_found":
        name = str(context["discriminator"]).strip("'")
        text = f"setting {key}.{name}: missing; it says which kind is meant"
    elif kind == "union_tag_invalid":
        tag, allowed = context.get("tag"), context.get("expected_tags")
        text = f"setting {key}: found {quoted(tag)}, allowed {allowed}"
    elif kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        text = f"setting {key}: found {quoted(first['input'])}, allowed pattern {pattern}"
    elif kind == "too_short":
        least = context["min_length"]
        items = f"at least {least} item{'s' if least > 1 else ''}"
        text = f"setting {key}: found {quoted(first['input'])}, expected {items}"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        text = f"setting {key}: found {quoted(first['input'])}; {reason}{_hint(first)}"
    others = len(problems) - 1
    return text + (f" (and {others} more)" if others else "")


def _written(steps: Sequence[int | str], given: str, missing: bool) -> Iterator[int | str]:
    """Yield the steps to a key as the user wrote it, without the names of classes of a choice.

    missing: the last one is not there.
    """
    value: Any = json.loads(given) if steps else None
    for i, step in enumerate(steps):
        inside = (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        )
        if inside:
            value = value[step]
        if inside or (missing and i == len(steps) - 1) or str(step).startswith("["):
            yield step


def _part(part: object) -> str:
    """Return one step to a key, which may be a text of any length."""
    text = str(part)
    return text if len(text) <= 70 else f"{text[:67]}..."


def _hint(problem: Mapping[str, object]) -> str:
    """Say why a number that stands in a YAML file may have arrived as a text."""
    value = problem["input"]
    if problem["type"] not in ("float_type", "int_type") or not isinstance(value, str):
        return ""
    if not _NUMBER.fullmatch(value):
        return ""
    return " (YAML takes it for a text: write numbers without quotes, 1.0e-3 instead of 1e-3)"
