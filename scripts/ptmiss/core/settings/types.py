"""Types that several sections share: names, texts, paths, edges and ranges."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Hashable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from ptmiss.core.errors import quoted
from ptmiss.core.paths import path_problem

T = TypeVar("T", bound=tuple[Hashable, ...])

LARGEST = 1e6
"""GeV, cm or a number of vertices: no quantity of an event at any collider is beyond."""

MOST_EDGES = 1001
"""Of a histogram: no sample fills a thousand bins with enough events each to measure a width."""

_CLOSEST = 1e-6
"""Least distance of two edges, relative to the larger one: columns are float32."""

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows: a name could pretend to be another one."""


def each_once(values: T) -> T:
    """Check that nothing stands twice in a list."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{quoted(value)} stands there twice; each is given once")
        seen.add(value)
    return values


def rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    """Check that each number is above the one before it, by more than float32 can lose."""
    for low, high in itertools.pairwise(edges):
        if low >= high:
            raise ValueError(f"each edge must be above the one before it; {high:g} follows {low:g}")
        if high - low < _CLOSEST * max(abs(high), 1.0):
            raise ValueError(
                f"the edges {low:.9g} and {high:.9g} are nearer than single precision tells apart"
            )
    return edges


def from_zero(edges: tuple[float, ...]) -> tuple[float, ...]:
    """Check that edges rise from 0."""
    if edges[0] != 0.0:
        raise ValueError("the first edge must be 0")
    return rising(edges)


def one_line(text: str) -> str:
    """Check that a text can be shown: something in it, no control and no direction marks."""
    bad = [
        letter
        for letter in text
        if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
    ]
    if bad:
        raise ValueError(
            f"it holds {bad[0]!a}, which is a control character or turns the direction of"
            " writing; take it out"
        )
    if not text.strip():
        raise ValueError("it is blank")
    return text


def _carried(path: str) -> str:
    problem = path_problem(path)
    if problem:
        raise ValueError(f"the name {problem}; rename it, or give a link to it")
    return path


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
"""What a sample, training or selection may be called: it becomes a file name."""

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What an estimator or a slice may be called: it begins the name of a column."""

FilePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_carried)]

NotNegative = Annotated[float, Field(ge=0.0, le=LARGEST)]
Edges = Annotated[
    tuple[NotNegative, ...], Field(min_length=2, max_length=MOST_EDGES), AfterValidator(rising)
]
EdgesFromZero = Annotated[
    tuple[NotNegative, ...], Field(min_length=3, max_length=MOST_EDGES), AfterValidator(from_zero)
]
LowerEdges = Annotated[
    tuple[NotNegative, ...], Field(min_length=1, max_length=MOST_EDGES), AfterValidator(rising)
]
"""Of bins whose last has no upper edge."""

Range = Annotated[tuple[NotNegative, NotNegative], AfterValidator(rising)]
Ranges = Annotated[tuple[Range, ...], Field(max_length=MOST_EDGES), AfterValidator(each_once)]
