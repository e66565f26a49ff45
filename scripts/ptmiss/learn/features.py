"""What a network is fed: declared columns, scales, code tables and what follows from them.

A task declares its layout (`ptmiss.learn.task`); everything below here works on any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ptmiss.core.settings.base import Section


class Column(Section):
    """A continuous feature.

    unit: of the quantity, which is `scale` times the feature. log_scale: where a logarithm takes
    over, in units of the feature, for quantities that span decades (inverse; 0: no logarithm);
    gain: factor behind it. odd: what changes the sign: a reflection in the transverse plane, one
    along the beam, or nothing. square, knots: what networks with invariant inputs see besides, the
    square times this factor and what the size has beyond each knot.
    """

    name: str
    unit: str
    scale: float = 1.0
    inverse_log_scale: float = 0.0
    gain: float = 1.0
    odd: Literal["no", "plane", "beam"] = "no"
    square: float = 0.0
    knots: tuple[float, ...] = ()


class Category(Section):
    """A categorical feature. known: raw values, a value's code is its place; rows: of its table,
    one more than known where unknown values have a code of their own."""

    name: str
    known: tuple[int, ...]
    rows: int


class Condition(Section):
    """A category has one of these codes; name: what that means."""

    name: str
    category: str
    codes: Annotated[tuple[int, ...], Field(min_length=1)]


class Pinned(Section):
    """Constituents whose part in a sum is known beforehand: of a size above a limit (in the unit of
    the column `size`), and all conditions hold."""

    above: float
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1)]


class Group(Section):
    """Constituents of a kind: all conditions hold, and |column| is in [low, high)."""

    name: str
    conditions: tuple[Condition, ...]
    column: str
    low: float
    high: float


class FeatureLayout(Section):
    """The features of a constituent, in their order.

    size: the column that is 0 in a pad and orders constituents, None where all are real; vector:
    the last two columns of `continuous`, where they are a vector in the transverse plane; context:
    columns on the other constituents of the event, which follow them in a matrix and have an input
    of their own in ONNX; groups: kinds of constituents that a head may sum apart, which exclude
    each other; weight: a column that is a weight of the vector.
    """

    continuous: tuple[Column, ...]
    categories: tuple[Category, ...]
    size: str | None = None
    vector: tuple[str, str] | None = None
    pinned: Pinned | None = None
    context: tuple[Column, ...] = ()
    groups: tuple[Group, ...] = ()
    weight: str | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """All continuous features, those of a constituent itself first."""
        return (*self.continuous, *self.context)

    @property
    def width(self) -> int:
        """Number of continuous features."""
        return len(self.columns)

    @property
    def table_rows(self) -> tuple[int, ...]:
        """Rows of the table of each category."""
        return tuple(category.rows for category in self.categories)

    @property
    def size_place(self) -> int | None:
        """Position of `size`."""
        return None if self.size is None else self.place(self.size)

    @property
    def vector_place(self) -> slice:
        """Positions of `vector`; raises `ValueError` for a layout without one."""
        if self.vector is None:
            raise ValueError("these features hold no vector")
        first = self.place(self.vector[0])
        return slice(first, first + 2)

    @property
    def pinned_size(self) -> np.float32:
        """Limit of pinned constituents in units of the feature `size`."""
        if self.pinned is None or self.size_place is None:
            return np.float32(np.inf)
        return np.float32(self.pinned.above / self.continuous[self.size_place].scale)

    def place(self, name: str) -> int:
        """Return the position of a continuous feature."""
        return [column.name for column in self.columns].index(name)

    def category_place(self, name: str) -> int:
        """Return the position of a category."""
        return [category.name for category in self.categories].index(name)


class Target(Section):
    """A number that belongs to an event: the truth, or what a loss needs besides.

    The stored number is the quantity in `unit` divided by `scale`. vector: it and the next one are
    a vector in the transverse plane.
    """

    name: str
    unit: str
    scale: float = 1.0
    vector: bool = False


class EstimateColumn(Section):
    """A column of estimates: `{estimator}_{name}`, in `unit`."""

    name: str
    unit: str


@dataclass(frozen=True)
class Features:
    """Features of a batch of events.

    offsets: int64 (n_events + 1,); continuous: float32 (n_constituents, F), columns of the context
    last; categories: int32 (n_constituents, C), codes; repairs: constituents by reason.
    """

    offsets: np.ndarray
    continuous: np.ndarray
    categories: np.ndarray
    repairs: dict[str, int]
