"""What the rule of a stage is made of: script, parameters, environment and shell line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel

from ptmiss.core.paths import PathLike
from ptmiss.core.settings.base import to_json
from ptmiss.core.workflow.sources import fingerprints
from ptmiss.core.workflow.stage import Flag, Stage

COMMAND = "ptmiss.core.command"
"""The module that runs every stage."""


class Wildcards(Protocol):
    """Snakemake's wildcards of a job."""

    def __getattr__(self, name: str) -> str: ...


T = TypeVar("T")
Parameter = Callable[[Wildcards], str]


def as_it_is(text: str) -> Parameter:
    """Return a parameter in which braces are no wildcards: users write LaTeX."""
    return lambda wildcards: text  # noqa: ARG005 - Snakemake gives it by this name


class Rules:
    """The declared stages of a run, as its rules need them.

    Parameters
    ----------
    stages : Mapping of str to Stage
    config : BaseModel
        The whole configuration.
    repository : str
        The folder of the Snakefile.
    task : str
        The task that a command is told; empty for the default one.
    """

    def __init__(
        self, stages: Mapping[str, Stage], config: BaseModel, repository: str, task: str = ""
    ) -> None:
        self._stages = stages
        self._config = config
        self._repository = repository
        self._task = f" --task {task}" if task else ""

    def files(self, *folders: PathLike) -> list[str]:
        """Return the files of rules that the stages have: each the first `STAGE.smk` of folders."""
        paths: dict[str, Path] = {}
        for folder in folders:
            for name in self._stages:
                if (path := Path(folder, f"{name}.smk")).is_file():
                    paths.setdefault(name, path)
        return [str(paths[name]) for name in self._stages if name in paths]

    def here(self, path: str) -> str:
        """Return a file of the repository, relative to the working directory."""
        return os.path.relpath(os.path.join(self._repository, path))

    def code(self, name: str) -> dict[str, str]:
        """Return the inputs of every rule: the command."""
        return {"script": self.here(f"scripts/{name}.py")}

    def outputs(self, name: str, **paths: T) -> dict[str, T | str]:
        """Return those of the paths, by flag, that a stage writes, and those it declares itself."""
        flags = self._stages[name].flags
        own = {flag.name: flag.path for flag in flags if flag.path}
        return {flag.name: paths[flag.name] for flag in flags if flag.name in paths} | own

    def environment(self, name: str) -> str:
        """Return the file of a stage's conda environment."""
        return os.path.join(
            self._repository, "envs", f"{self._stages[name].environment or name}.yaml"
        )

    def params(self, name: str) -> dict[str, object]:
        """Return parameters of a rule: editing what a stage imports or declares runs it again.

        Beside these, each section of the configuration that the stage reads, under its flag's name.
        """
        stage = self._stages[name]
        code = fingerprints([COMMAND, *stage.modules()], Path(self._repository, "scripts"))
        params: dict[str, object] = {f"module_{i}": text for i, text in enumerate(code)}
        params["declaration"] = as_it_is(stage.contract())
        for flag in stage.flags:
            if flag.kind == "section":
                params[flag.name] = self._section(flag)
        return params

    def command(self, name: str, **values: str | None) -> str:
        """Return the shell line of a rule.

        values: flag -> text of the shell instead of what the rule has, None leaves the flag out.
        """
        stage = self._stages[name]
        if strange := set(values) - {flag.name for flag in stage.flags}:
            raise ValueError(f"stage {name}: no flags {sorted(strange)}")
        texts = ((flag.name, values.get(flag.name, flag.placeholder)) for flag in stage.flags)
        flags = "".join(f" --{flag} {text}" for flag, text in texts if text)
        return f"python {{input.script:q}}{self._task}{flags} > {{log:q}} 2>&1"

    def _section(self, flag: Flag) -> Parameter:
        if flag.section == "*":
            # samples in their order, which sorted JSON would lose
            return as_it_is(self._config.model_dump_json())
        section, _, wildcard = flag.section.partition(".")
        value = getattr(self._config, section)
        if not wildcard:
            return as_it_is(to_json(value))
        return lambda wildcards: to_json(value[wildcard.format_map(vars(wildcards))])
