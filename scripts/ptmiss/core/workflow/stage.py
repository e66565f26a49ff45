"""What a stage is: its name, its function and its flags, declared once and in text.

From the declaration follow the command line (`ptmiss.core.command`), the shell line, parameters and
environment of the rule (`ptmiss.core.workflow.rules`), and the rows of the documentation. Nothing
here imports what a stage does: planning and `--help` read declarations alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["reads", "writes", "section", "text", "number"]
_PLACES: Mapping[Kind, str] = {"reads": "input", "writes": "output"}
_WILDCARDS = frozenset({"sample", "part", "training", "variation"})


@dataclass(frozen=True)
class Flag:
    """A flag of a stage's command, and the parameter of its function with the same name.

    Attributes
    ----------
    name : str
        Without dashes.
    help : str
        One line for `--help`.
    kind : {"reads", "writes", "section", "text", "number"}
        A file or folder to read or to write, a section of the configuration as JSON, a text, an
        integer.
    many : bool
        Whether it takes several values; those of NAME=FILE may be spread over several flags.
    required : bool
        Whether the command needs it. One that is not may be given without a value.
    default : str or int, optional
        The value of a text or number that is not given.
    metavar : str
        The value in `--help`; `NAME=FILE` for files that have names.
    section : str
        What a section flag carries: the attribute of the configuration, "samples.{sample}" for the
        entry of a wildcard, "*" for all of the configuration.
    settings : str
        The class of a section, "module:Class".
    place : str, optional
        Where a rule has the value, "input.skim"; empty for a flag that no rule gives. By default
        what the kind and the name say.
    path : str
        Where the rule writes a file that only this task has, with its wildcards; empty for files
        whose places the rule knows.
    """

    name: str
    help: str
    kind: Kind
    many: bool = False
    required: bool = True
    default: str | int | None = None
    metavar: str = ""
    section: str = ""
    settings: str = ""
    place: str | None = None
    path: str = ""

    @property
    def placeholder(self) -> str:
        """The value in a rule's shell line, such as "{input.skim:q}"; empty where it has none."""
        if self.place is not None:
            return f"{{{self.place}:q}}" if self.place else ""
        if self.name == "threads":
            return "{threads}"
        is_wildcard = self.name in _WILDCARDS and self.kind in ("text", "number")
        place = "wildcards" if is_wildcard else _PLACES.get(self.kind, "params")
        return f"{{{place}.{self.name}:q}}"

    @property
    def where(self) -> str:
        """How the user knows a section; of an entry "samples.{sample}" with its wildcard."""
        return self.section if self.name in ("settings", "spec") else self.name


@dataclass(frozen=True)
class Stage:
    """A stage of the workflow.

    Attributes
    ----------
    name : str
        Of the command, of the rule and of the folders of logs and benchmarks.
    summary : str
        One line: what it does.
    entry : str
        The function that does it, "module:function". Its parameters are the flags by name, or
        dataclasses whose fields are.
    flags : tuple of Flag
        In the order of the command line.
    environment : str
        The stage whose conda environment it shares; empty for one of its own.
    prepare : str
        "module:function", called with the number of threads before the entry is imported.
    packages : str
        What the environment is for, where the summary does not say it.
    loads : tuple of str
        Packages that no module imports itself.
    in_workflow : bool
        Whether a rule runs it.
    learns : bool
        Whether the function has a parameter `task`, the task's description of what is learned.
    task : str
        "module:attribute" of that; empty in a declaration that several tasks share.
    """

    name: str
    summary: str
    entry: str
    flags: tuple[Flag, ...]
    environment: str = ""
    prepare: str = ""
    packages: str = ""
    loads: tuple[str, ...] = ()
    in_workflow: bool = True
    learns: bool = False
    task: str = ""

    def modules(self) -> list[str]:
        """Return the modules that running the stage begins with."""
        texts = [self.entry, self.prepare, self.task, *(flag.settings for flag in self.flags)]
        return list(dict.fromkeys(text.partition(":")[0] for text in texts if text))

    def contract(self) -> str:
        """Return what of the declaration may change a result: all but the words for people."""
        flags = [
            f"{flag.name} {flag.kind} {flag.many} {flag.required} {flag.default}"
            f" {flag.metavar.startswith('NAME=')} {flag.section} {flag.settings}"
            for flag in self.flags
        ]
        return "; ".join([self.entry, self.prepare, self.task, *flags])

    def of_task(self, learning: str, sections: Mapping[str, str]) -> Stage:
        """Return a shared declaration as that of a task.

        learning: "module:attribute" of what is learned; sections: section of the configuration ->
        "module:Class", where the task has its own.
        """
        flags = tuple(
            dataclasses.replace(flag, settings=sections[flag.section.partition(".")[0]])
            if flag.section.partition(".")[0] in sections
            else flag
            for flag in self.flags
        )
        return dataclasses.replace(self, flags=flags, task=learning if self.learns else "")


reads = functools.partial(Flag, kind="reads", metavar="FILE")
"""A flag of a file to read, or of several."""
writes = functools.partial(Flag, kind="writes", metavar="FILE")
"""A flag of a file or folder to write, or of several."""
text = functools.partial(Flag, kind="text", metavar="TEXT")
number = functools.partial(Flag, kind="number", metavar="N")


def section(name: str, carries: str, settings: str, words: str = "") -> Flag:
    """Return a flag of a section of the configuration; `carries`: see `Flag.section`."""
    words = words or f"section {carries} of the configuration"
    return Flag(name, words, "section", metavar="JSON", section=carries, settings=settings)


def threads(words: str) -> Flag:
    """Return the flag of the number of threads that a rule gives."""
    return number("threads", words, required=False, default=1)
