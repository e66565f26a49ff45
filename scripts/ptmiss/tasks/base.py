"""What a task is: one estimator's room in the house.

A task says, in one instance of `Task`, everything in which it differs from the others; what is not
in that list is shared. It declares

- what a row of its data is (an event, a jet, a muon) and which constituents hang on it;
- what is learned: features with unit, scale and code table, targets, weights and the heads that
  make sense (`learning`);
- the classical estimators that a network is compared with;
- what is measured: quantities with their units, and the axes they are measured along;
- its stages: which function does the work of each, with its inputs and outputs, and with the
  sections of the settings it reads. Measuring, judging (the gate) and drawing are stages too;
- its configuration: the class of all sections, and the file that holds every default.

Names of things that need heavy imports are `Reference`s, which are imported when they are called:
a plan of the workflow reads every declaration in a few milliseconds and needs no numpy.

A task of its own package registers as an entry point of the group `ptmiss.tasks` (see `registry`).
A task with several networks or several targets has one training for each: a training names its
network, its head and what else the task's class of trainings asks for. What is made of several
trainings together, such as estimates out of fold, is the business of a stage.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from ptmiss.core.errors import UserError
from ptmiss.core.workflow.stage import Stage

if TYPE_CHECKING:  # `ptmiss --help` needs no settings, and so neither pydantic nor numpy
    from ptmiss.core.settings.configuration import Configuration
    from ptmiss.core.workflow.plan import BasePlan
    from ptmiss.learn.task import LearningTask

T = TypeVar("T")


@dataclass(frozen=True)
class Reference(Generic[T]):
    """Something of a module, imported on use. place: "package.module:attribute"."""

    place: str

    def __call__(self) -> T:
        """Import and return it; raises `UserError` where it does not exist."""
        module, _, attribute = self.place.partition(":")
        try:
            return cast(T, getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"{self.place}: cannot be imported ({error}); a task names what its package holds"
            ) from None


class Described(Protocol):
    """What tables, figures and page call a quantity or an axis."""

    @property
    def symbol(self) -> str:
        """The sign of figures, mathtext allowed."""

    @property
    def words(self) -> str:
        """The words of the page."""

    @property
    def unit(self) -> str:
        """The unit; empty for pure numbers."""


@dataclass(frozen=True)
class Quantity:
    """A `Described` with nothing else: something that is measured, or an axis of it."""

    symbol: str
    words: str
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A declared estimator.

    Attributes
    ----------
    name : str
        In `task:` of a configuration.
    title : str
        What is estimated, in words.
    row : str
        What a row is.
    constituents : str
        The collection that hangs on a row; empty for rows with a fixed number of features.
    configuration : Reference
        The class of all sections.
    defaults : Path, optional
        The file with every default; None where each configuration is complete, and for the task of
        the repository's own config.yaml.
    learning : Reference
        Features, targets, weights and heads: a `ptmiss.learn.task.LearningTask`.
    baselines : Reference
        Names of the classical estimators.
    quantities, axes : Reference
        What is measured, along what: name -> what it is called, with its unit.
    shared_stages : tuple of str
        Those of `ptmiss.stages.SHARED` that it has.
    sections : mapping of str to str
        Section of the configuration -> "module:Class", for shared stages that read a class of the
        task's own.
    stages : Reference
        Name -> declaration of its own stages; one with the name of a shared one replaces that.
    rules : tuple of Path
        Folders with `STAGE.smk` of stages that the workflow has no rule for.
    plan : Reference
        Which files each stage of a run has, made of configuration and folder of the repository.
    """

    name: str
    title: str
    row: str
    constituents: str
    configuration: Reference[type[Configuration]]
    learning: Reference[LearningTask]
    baselines: Reference[Iterable[str]]
    quantities: Reference[Mapping[str, Described]]
    axes: Reference[Mapping[str, Described]]
    shared_stages: tuple[str, ...]
    sections: Mapping[str, str]
    stages: Reference[Mapping[str, Stage]]
    plan: Reference[Callable[[Configuration, str], BasePlan[Any]]]
    defaults: Path | None = None
    rules: tuple[Path, ...] = ()
