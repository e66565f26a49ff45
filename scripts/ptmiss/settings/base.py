"""The shape of every settings section: frozen, complete, nothing unknown, errors in one line."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ptmiss.errors import UserError


class Section(BaseModel):
    """A group of settings. Unknown keys, wrong types and missing keys are refused.

    There are no defaults here: config.yaml holds every value with its reason, so that what a run
    used can be read in one place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=BaseModel)


def parse(kind: type[S], text: str, where: str) -> S:
    """Parse JSON into a section.

    kind: the section's class; text: JSON; where: how the user knows this section, such as
    "skim" or "samples.zmumu". Raises `UserError` naming the key, what was found and what is
    allowed.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise UserError(_explain(error, where)) from None


def from_mapping(kind: type[S], value: object, where: str) -> S:
    """Parse plain Python values (as a YAML file gives them) into a section; see `parse`."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"setting {where}: not plain YAML values ({error})") from None
    return parse(kind, text, where)


def to_json(section: BaseModel) -> str:
    """Return a section as sorted JSON: equal settings give equal text."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _explain(error: ValidationError, where: str) -> str:
    """Say in one line what is wrong with the first offending key, and how many others there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join([where, *(str(part) for part in first["loc"])]).strip(".")
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        text = f"setting {key}: unknown key; remove it or correct its spelling (see config.yaml)"
    elif kind == "missing":
        text = f"setting {key}: missing; config.yaml shows it with its default"
    elif kind == "union_tag_invalid":
        found, allowed = context.get("tag"), context.get("expected_tags")
        text = f"setting {key}: found {found!r}, allowed {allowed}"
    elif kind == "string_pattern_mismatch":
        text = f"setting {key}: found {first['input']!r}, allowed pattern {context['pattern']}"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        text = f"setting {key}: found {_short(first['input'])}; {reason}"
    others = len(problems) - 1
    return text + (f" (and {others} more)" if others else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
