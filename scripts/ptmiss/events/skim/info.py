"""What a skim, or a file of estimates made of it, says of itself: the metadata of its schema."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa

from ptmiss.core.errors import UserError
from ptmiss.core.paths import PathLike
from ptmiss.events.columns import PUPPI_KEY, STORED_KEY, content_of

SELECTIONS = ("none", "zmumu", "zee", "wmunu", "wenu")
"""Kinds of selection (`settings.skim`); in the last two the boson holds a neutrino."""

_TRUTH_VALUES = {"true": True, "false": False}


@dataclass(frozen=True)
class Info:
    """The description of one file. The stages skim and evaluate write it.

    selection: the kind, one of `SELECTIONS`; sqrt_s: in TeV as text, empty where it is not known;
    training and variation: of estimates, empty in a skim; puppi_flavour: of the column cand_puppi,
    empty where it is not said; has_candidates: whether the input had some; stored: the METs of the
    input, None where it is not said which it had.
    """

    sample: str
    part: str
    label: str
    is_data: bool
    selection: str
    sqrt_s: str
    training: str
    variation: str
    puppi_flavour: str
    has_candidates: bool = True
    stored: tuple[str, ...] | None = None

    @property
    def boson_has_neutrino(self) -> bool:
        """Whether the boson is a lepton and a neutrino."""
        return self.selection in ("wmunu", "wenu")


def read(schema: pa.Schema, path: PathLike, remedy: str, estimates: bool = False) -> Info:
    """Return what a file says of itself.

    Parameters
    ----------
    schema
        Of the file.
    path, remedy
        The file and what to do about it, for messages.
    estimates
        Whether it is one of estimates, which name their training and variation.

    Raises
    ------
    UserError
        For a value that is missing or makes no sense: a guess would take recorded events for
        simulated ones.
    """
    try:
        metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    except UnicodeDecodeError:
        raise UserError(f"{path}: metadata of the file are not text; {remedy}") from None
    needed = ["sample", "part", "is_data", *(("training", "variation") if estimates else ())]
    for name in needed:
        if not metadata.get(name):
            raise UserError(f"{path}: does not say its {name} in the file's metadata; {remedy}")
    is_data = _TRUTH_VALUES.get(metadata["is_data"])
    if is_data is None:
        raise _damaged(path, "is_data", metadata["is_data"], "true or false", remedy)
    selection = metadata.get("selection", "none")
    if selection not in SELECTIONS:
        raise _damaged(path, "selection", selection, ", ".join(SELECTIONS), remedy)
    sqrt_s = metadata.get("sqrt_s", "")
    if sqrt_s and not _positive(sqrt_s):
        raise _damaged(path, "sqrt_s", sqrt_s, "an energy in TeV", remedy)
    content = content_of(schema)
    return Info(
        sample=metadata["sample"],
        part=metadata["part"],
        label=metadata.get("label") or metadata["sample"],
        is_data=is_data,
        selection=selection,
        sqrt_s=sqrt_s,
        training=metadata.get("training", ""),
        variation=metadata.get("variation", ""),
        puppi_flavour=metadata.get(PUPPI_KEY, ""),
        has_candidates=content.candidates,
        stored=content.stored if STORED_KEY in metadata else None,
    )


def _positive(text: str) -> bool:
    try:
        return 0.0 < float(text) < math.inf
    except ValueError:
        return False


def _damaged(path: PathLike, name: str, value: str, expected: str, remedy: str) -> UserError:
    return UserError(
        f"{path}: {name} is {value[:40]!r} in the file's metadata, expected {expected}; {remedy}"
    )
