"""Which branches a format must and may have, and whether a tree has them with the right type."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ptmiss.errors import UserError
from ptmiss.readers.rootfile import Branch

# The safe loader in C where PyYAML has it: the one in Python takes as long as a thousand events.
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "branches"

_SHAPES = {
    "flat": "one number an event",
    "jagged": "a list of numbers an event",
    "single": "a list of one number an event",
}


@dataclass(frozen=True)
class Field:
    """What the reader wants: one quantity under one of several names.

    group: collections that stand for each other, such as those of all candidates, are groups of
    fields of which a file needs one; empty for fields of every file.
    """

    names: tuple[str, ...]
    shape: str
    kind: str
    required: bool | str
    group: str = ""


@dataclass(frozen=True)
class Expected:
    """The expectation of a format, as resources/branches holds it."""

    tree: str
    rhythm: str
    fields: dict[str, Field]


@functools.cache
def expected(name: str) -> Expected:
    """Return the expectation of a format ("pfnano", "delphes")."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    values = yaml.load(text, Loader=SAFE_LOADER)
    fields = {
        key: Field(
            tuple(field["names"]),
            field["shape"],
            field["type"],
            field["required"],
            field.get("group", ""),
        )
        for key, field in values["fields"].items()
    }
    return Expected(values["tree"], values["candidates"], fields)


def bind(tree: Any, address: str, want: Expected, is_data: bool) -> dict[str, Branch]:
    """Return field -> branch for every field of `want` that the tree has.

    Raises `UserError` for a required branch that is missing, naming the nearest name that is
    there, and for any wanted branch that does not hold numbers of the right shape. Fields of the
    generator are required only where `is_data` is false. Of several groups of fields the first that
    is complete is taken, and nothing of the others.
    """
    present = {key: tree[key] for key in _keys(tree)}
    group = _group(want, set(present))
    found = {}
    for key, field in want.fields.items():
        if field.group not in ("", group):
            continue
        name = next((name for name in field.names if name in present), None)
        if name is not None:
            _check(present[name], name, address, field)
            found[key] = Branch(present[name], address)
        elif field.required is True or (field.required == "simulation" and not is_data):
            others = [
                other.names[0]
                for other in want.fields.values()
                if other.group not in ("", field.group) and other.required is True and field.group
            ]
            raise UserError(_missing(address, field, list(present), field.required, others))
    return found


def _group(want: Expected, present: set[str]) -> str:
    """Return the first group whose required fields are all there, the first one if none is."""
    groups = list(dict.fromkeys(field.group for field in want.fields.values() if field.group))
    for group in groups:
        needed = [f for f in want.fields.values() if f.group == group and f.required is True]
        if all(present & set(field.names) for field in needed):
            return group
    return groups[0] if groups else ""


def _keys(tree: Any) -> list[str]:
    return [key for key in tree.keys(recursive=True, full_paths=True) if key.count("/") <= 1]


def _missing(
    address: str,
    field: Field,
    present: list[str],
    required: bool | str,
    instead: Sequence[str] = (),
) -> str:
    name, *others = field.names
    text = f"{address}: no branch {name}"
    if others:
        text += f" (nor {', '.join(others)})"
    near = difflib.get_close_matches(name, present, n=1, cutoff=0.75) or difflib.get_close_matches(
        name.lower(), [key.lower() for key in present], n=1, cutoff=0.75
    )
    if near:
        spelled = next(key for key in present if key.lower() == near[0].lower())
        text += f"; the nearest name is {spelled}"
    if instead:
        text += f"; {instead[0].split('/')[0]} alone would do too"
    if required == "simulation":
        text += "; recorded collisions need is_data: true in their sample"
    return text + "; this format needs it (resources/branches), produce the file with it"


def _check(branch: Any, name: str, address: str, field: Field) -> None:
    interpretation = branch.interpretation
    content = getattr(interpretation, "content", None)
    dtype = getattr(content or interpretation, "from_dtype", None)
    shape = "flat" if content is None else "jagged"
    wanted = "flat" if field.shape == "flat" else "jagged"
    numeric = dtype is not None and dtype.shape == () and dtype.kind in "iufb"
    if shape != wanted or not numeric:
        raise UserError(
            f"{address}: branch {name} is {branch.typename}, expected {_SHAPES[field.shape]}; "
            "is this the right format (samples: source)?"
        )
    if field.kind == "integer" and dtype.kind not in "iu":
        raise UserError(f"{address}: branch {name} is {branch.typename}, expected whole numbers")


def single(branch: Branch, start: int, stop: int, address: str, name: str) -> np.ndarray:
    """Return the one number that each event start .. stop has in a list of length 1."""
    content, counts = branch.jagged(start, stop)
    if (counts != 1).any():
        event = start + int(np.flatnonzero(counts != 1)[0])
        n = int(counts[event - start])
        raise UserError(f"{address}: event {event} has {n} entries in {name}, expected exactly 1")
    return content
