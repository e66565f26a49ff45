"""Settings of the weights that correctionlib files give: pile-up, leptons, anything of an event."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import FilePath

WAYS = ("up", "down")

_Text = Annotated[str, Field(max_length=200)]


class Choice(Section):
    """The value of an input that is a text: for the nominal weight and for its variations.

    up and down may be left out together: the input is the same for all three.
    """

    nominal: _Text
    up: _Text | None = None
    down: _Text | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.up is None) != (self.down is None):
            raise ValueError("up and down: give both or none")
        return self

    def of(self, way: str) -> str:
        """Return the value for "up" or "down", any other word: the nominal one."""
        chosen = {"up": self.up, "down": self.down}.get(way)
        return self.nominal if chosen is None else chosen


Branch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,199}$")]


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "branch"
    return "number" if isinstance(value, int | float) else "choice"


Value = Annotated[
    Annotated[Branch, Tag("branch")]
    | Annotated[Annotated[float, Field(ge=-1e9, le=1e9)], Tag("number")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(_kind),
]


class EventWeight(Section):
    """A correction of a correctionlib file, whose value multiplies the weight of an event."""

    file: Annotated[FilePath, Field(description="correctionlib file, .json or .json.gz")]
    correction: Annotated[str, Field(min_length=1, max_length=200, description="its name there")]
    per: Annotated[
        Literal["event", "lepton"],
        Field(description="once an event, or for each selected lepton, multiplied"),
    ]
    inputs: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], Value],
        Field(
            min_length=1,
            description="input of the correction -> branch of the event (of a lepton: pt, eta, phi,"
            " abs_eta, eta_sc, charge), number, or {nominal: text, up: text, down: text}",
        ),
    ]

    @property
    def varied(self) -> bool:
        """Whether it has a variation up and down."""
        return any(isinstance(one, Choice) and one.up is not None for one in self.inputs.values())

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches of an event that it needs."""
        names = (one for one in self.inputs.values() if isinstance(one, str))
        return tuple(n for n in names if self.per == "event" or n not in LEPTON)


LEPTON = ("pt", "eta", "phi", "abs_eta", "eta_sc", "charge")
"""What an input of a weight per lepton may be."""
