"""The heads there are, by their kind in the settings."""

from __future__ import annotations

from collections.abc import Callable

from ptmiss.learn.heads.base import Head, HeadPlan
from ptmiss.learn.heads.event import Event
from ptmiss.learn.heads.regression import Regression
from ptmiss.learn.heads.vector_sum import VectorSum
from ptmiss.learn.settings.heads import Head as HeadSettings

KINDS: dict[str, Callable[..., Head]] = {
    "vector_sum": VectorSum,
    "event": Event,
    "regression": Regression,
}


def head(settings: HeadSettings, plan: HeadPlan) -> Head:
    """Return the head that a training asks for, without variables yet."""
    return KINDS[settings.kind](settings, plan, name="head")
