"""Which branches a format must and may have, and whether a tree has them with the right type."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import yaml

from ptmiss.core.errors import UserError
from ptmiss.core.resources import RESOURCES
from ptmiss.events.readers.asked import Asked
from ptmiss.events.readers.branch import Branch, Table

# The safe loader in C where PyYAML has it: the one in Python takes as long as a thousand events.
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FOLDER = RESOURCES / "branches"

_SHAPES = {
    "flat": "one number an event",
    "jagged": "a list of numbers an event",
    "single": "a list of one number an event",
}


_TO_OWN = {
    unit: np.float32(factor)
    for unit, factor in {"mm": 0.1, "m": 100.0, "MeV": 1e-3, "TeV": 1e3}.items()
}
"""Units of a branch that is not in GeV or cm, and the factor that makes it so."""


@dataclass(frozen=True)
class Field:
    """What the reader wants: one quantity under one of several names.

    names: in which `*` stands for the collection; group: collections that stand for each other,
    such as those of all candidates, are groups of fields of which a file needs one; empty for
    fields of every file; scale: from the file's unit to GeV or cm; asked: which setting asks
    for it, empty for those of the format.
    """

    names: tuple[str, ...]
    shape: str
    kind: str
    required: bool | str
    group: str = ""
    scale: np.float32 | None = None
    asked: str = ""

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values of the file in GeV or cm."""
        return values if self.scale is None else values * self.scale

    def within(self, *collections: str) -> tuple[str, ...]:
        """Return the names in some collections, in the order of these; each name once."""
        names = (name.replace("*", place) for place in collections or ("",) for name in self.names)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Expected:
    """The expectation of a format, as resources/branches holds it.

    leptons: kind -> its collection, of formats with identifications; aliases: what other versions
    of the format call an identification.
    """

    tree: str
    rhythm: str
    collections: tuple[str, ...]
    fields: dict[str, Field]
    leptons: dict[str, str]
    aliases: dict[str, tuple[str, ...]]

    def with_asked(self, asked: Asked, address: str) -> Expected:
        """Return the expectation with the branches that settings ask for.

        Fields: `{kind}_id_{name}`, `flag_{name}`, `column_{name}`. Raises `UserError` for an
        identification in a format that has none; `address` names the file.
        """
        more: dict[str, Field] = {}
        for kind, names in (("muon", asked.muon), ("electron", asked.electron)):
            if names and kind not in self.leptons:
                raise UserError(
                    f"{address}: this format has no {names[0]} of {kind}s, which the selection asks"
                    " for; choose a selection without it"
                )
            for name in names:
                known = (name, *self.aliases.get(name, ()))
                full = tuple(f"{self.leptons[kind]}_{one}" for one in known)
                more[f"{kind}_id_{name}"] = Field(
                    full, "jagged", "number", True, asked="the selection"
                )
        for name in asked.flags:
            required = name not in asked.optional
            what = "triggers and filters" if required else ""
            more[f"flag_{name}"] = Field((name,), "flat", "number", required, asked=what)
        for name in asked.columns:
            more[f"column_{name}"] = Field((name,), "flat", "number", True, asked="weights")
        return replace(self, fields=self.fields | more) if more else self


@functools.cache
def expected(name: str) -> Expected:
    """Return the expectation of a format ("pfnano", "nanoaod", "delphes").

    One that extends another has the fields of that as well, unless it has its own of that name.
    """
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    values = yaml.load(text, Loader=SAFE_LOADER)
    base = expected(values["extends"]) if "extends" in values else None
    fields = dict(base.fields) if base else {}
    fields |= {
        key: Field(
            tuple(field["names"]),
            field["shape"],
            field["type"],
            field["required"],
            field.get("group", ""),
            _TO_OWN[field["unit"]] if "unit" in field else None,
        )
        for key, field in values["fields"].items()
    }
    collections = tuple(values.get("collections", ()))
    leptons = values.get("leptons", base.leptons if base else {})
    aliases = values.get("aliases", base.aliases if base else {})
    aliases = {name: tuple(others) for name, others in aliases.items()}
    return Expected(values["tree"], values["candidates"], collections, fields, leptons, aliases)


def bind(table: Table, address: str, want: Expected, is_data: bool) -> dict[str, Branch]:
    """Return field -> branch for every field that a table has.

    Fields of candidates come from one collection: the first that the table has. Of several groups
    of fields the first that is complete is taken, and nothing of the others.

    Parameters
    ----------
    table
        An open TTree or RNTuple.
    address
        Of its file, for messages.
    want
        The fields of the format.
    is_data
        Recorded collisions: fields of the generator may be missing.

    Raises
    ------
    UserError
        For a required branch that is missing, naming the nearest name that is there, and for any
        wanted branch that does not hold numbers of the right shape.
    """
    present = set(table.names)
    collection, group = collection_of(present, want), _group(want, present)
    branches = {}
    for key, field in want.fields.items():
        if field.group not in ("", group):
            continue
        names = field.within(*([collection] if collection else want.collections))
        name = next((name for name in names if name in present), None)
        if name is not None:
            branch = table.branch(name)
            _check(branch, field)
            branches[key] = branch.prepare(table.n_events)
        elif field.required is True or (field.required == "simulation" and not is_data):
            others = [
                other.names[0]
                for other in want.fields.values()
                if other.group not in ("", field.group) and other.required is True and field.group
            ]
            if field.asked:
                raise UserError(_not_there(address, names, table, field.asked))
            raise UserError(_missing(address, names, table, field.required, others))
    return branches


def collection_of(present: Collection[str], want: Expected) -> str | None:
    """Return which collection holds the candidates, None if the format has one or the file none."""
    rhythm = want.fields[want.rhythm]
    return next(
        (
            name
            for name in want.collections
            if any(branch in present for branch in rhythm.within(name))
        ),
        None,
    )


def _group(want: Expected, present: set[str]) -> str:
    """Return the first group whose required fields are all there, the first one if none is."""
    groups = list(dict.fromkeys(field.group for field in want.fields.values() if field.group))
    for group in groups:
        needed = [f for f in want.fields.values() if f.group == group and f.required is True]
        if all(present & set(field.names) for field in needed):
            return group
    return groups[0] if groups else ""


def _missing(
    address: str,
    names: Sequence[str],
    table: Table,
    required: bool | str,
    instead: Sequence[str] = (),
) -> str:
    (name, *others), present = names, table.names
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
    return (
        f"{text}{friends_of(table)}; this format needs it (resources/branches), produce the file "
        "with it"
    )


def _not_there(address: str, names: Sequence[str], table: Table, asked: str) -> str:
    """Say that a branch is missing which the settings ask for, and what is spelled alike."""
    near = [name for wanted in names for name in difflib.get_close_matches(wanted, table.names)]
    alike = ", ".join(dict.fromkeys(near)) or "none"
    others = f" (nor {', '.join(names[1:])})" if names[1:] else ""
    return (
        f"{address}: no branch {names[0]}{others}, which {asked} of the sample ask for; near names:"
        f" {alike}{friends_of(table)}; correct the name"
    )


def friends_of(table: Table) -> str:
    """Return what a refusal says of friend trees, which may hold what is missed; empty if none."""
    if not table.friends:
        return ""
    return (
        f"; the tree has friends ({', '.join(table.friends)[:80]}), which are not read: write one "
        "tree with the branches of all of them"
    )


def _check(branch: Branch, field: Field) -> None:
    kind = "" if branch.dtype is None or branch.dtype.shape else branch.dtype.kind
    if branch.has_lists == (field.shape == "flat") or kind not in ("i", "u", "f", "b"):
        raise UserError(
            f"{branch.address}: branch {branch.name} is {branch.typename}, expected "
            f"{_SHAPES[field.shape]}; is this the right format (samples: source)?"
        )
    if field.kind == "integer" and kind not in "iu":
        raise UserError(
            f"{branch.address}: branch {branch.name} is {branch.typename}, expected whole numbers"
        )


def single(branch: Branch, start: int, stop: int, address: str, name: str) -> np.ndarray:
    """Return the one number that each event start .. stop has in a list of length 1."""
    content, counts = branch.jagged(start, stop)
    if (counts != 1).any():
        event = start + int(np.flatnonzero(counts != 1)[0])
        n = int(counts[event - start])
        raise UserError(f"{address}: event {event} has {n} entries in {name}, expected exactly 1")
    return content
