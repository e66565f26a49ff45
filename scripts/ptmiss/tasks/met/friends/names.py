"""What the columns of a friend tree are called, after the rules of NanoAOD."""

from __future__ import annotations

from collections.abc import Iterable

from ptmiss.core.errors import UserError

TREE = "Friends"
"""Name of the tree; the events of CMS are in a tree `Events`, whose name it must not have."""

IDENTITY = ("run", "luminosityBlock", "event")
"""Columns that name an event, as in NanoAOD."""

MAPPED = "recoilMapped"
"""Column that says in which events the recoil was mapped besides the xy correction."""

_WORDS = {"pf": "PF", "deepmet": "DeepMET", "jes": "JES", "jer": "JER"}


def _camel(name: str) -> str:
    return "".join(_WORDS.get(word, word.capitalize()) for word in name.split("_"))


def met_names(estimators: Iterable[str], prefix: str) -> dict[str, str]:
    """Return estimator -> what its columns begin with: PuppiMET, DeepMETResolution, ...

    Raises `UserError` for two estimators that would have the same columns.
    """
    names: dict[str, str] = {}
    for estimator in estimators:
        name = _camel(estimator)
        name = prefix + (name if "MET" in name else f"{name}MET")
        if name in names.values():
            other = next(one for one, taken in names.items() if taken == name)
            raise UserError(
                f"estimators {other} and {estimator}: the columns of both would be {name}_pt; leave"
                " one out of apply.estimators, or rename the external model"
            )
        names[estimator] = name
    return names


def form(variation: str) -> str:
    """Return what a variation adds to pt and phi: StatUp of stat_up, nothing of nominal."""
    return "" if variation == "nominal" else _camel(variation)
