"""An own configuration over the default one: what replaces, what joins, what empties."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel

from ptmiss.core.errors import UserError

Values = Mapping[str, object]


def merged(default: Values, own: Values, kind: type[BaseModel]) -> dict[str, object]:
    """Return the values of a run.

    kind: the class of the whole configuration. Mappings are merged key by key. Own `samples`
    replace the default ones, and with them the trainings, which learn from the default samples; own
    `trainings` replace the default ones. An empty mapping empties one whose names are free, such as
    `performance.slices`, because nothing else could be meant; where the keys are fixed it changes
    nothing.
    """
    base = {**default, "trainings": {}} if "samples" in own else dict(default)
    base = {key: value for key, value in base.items() if key not in own or key not in _REPLACED}
    try:
        return _merged(base, own, kind)
    except RecursionError:
        raise UserError("the configuration is nested too deeply; no setting is") from None


def joined(first: Values, second: Values) -> dict[str, object]:
    """Return two own configurations as one, key by key as Snakemake joins its --configfiles."""
    try:
        return _merged(first, second, None)
    except RecursionError:
        raise UserError("the configuration is nested too deeply; no setting is") from None


_REPLACED = ("samples", "trainings")


def _merged(default: Values, own: Values, kind: object) -> dict[str, object]:
    result = copy.deepcopy(dict(default))
    for key, value in own.items():
        inner, before = _kind_of(kind, key), result.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            emptied = not value and _has_free_names(inner)
            result[key] = {} if emptied else _merged(before, value, inner)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _plain(kind: object) -> object:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _has_free_names(kind: object) -> bool:
    return get_origin(_plain(kind)) is dict


def _kind_of(kind: object, key: str) -> object:
    """Return the type of what stands under a key; None where it is not known."""
    kind = _plain(kind)
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and key in kind.model_fields:
        return kind.model_fields[key].annotation
    return None
