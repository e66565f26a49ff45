"""Reading YAML files that people write, more strictly than YAML itself.

A key that stands twice, a number in YAML's octal or sexagesimal notation, a text that is not UTF-8
and a file that grows without bound in memory are refused, each in one line with its line number.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ptmiss.core.errors import UserError, quoted
from ptmiss.core.paths import PathLike

# The safe loader in C where PyYAML has it: the one in Python takes ten times as long.
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MOST_BYTES = 10_000_000
_MOST_VALUES = 1_000_000
"""Values in all, those that an alias repeats counted again: aliases of aliases fill any memory."""

_DEEPEST = 100

_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_SEXAGESIMAL = re.compile(
    r"[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)"
)


def read(path: PathLike) -> dict[str, object]:
    """Return what a YAML or JSON file says: a mapping of plain values.

    Raises `UserError` for a file that cannot be read or that says something twice or ambiguously.
    """
    text = _text(Path(path))
    value = _from_json(text, path)
    if value is None:
        _check_events(text, path)
        try:
            value = yaml.load(text, Loader=SAFE_LOADER)
        except (
            Exception
        ) as error:  # PyYAML raises what the values make it raise, such as for a date
            raise UserError(f"{path}: {_reason(error)}; correct it") from None
    if not isinstance(value, dict):
        found = "nothing" if value is None else quoted(value)  # comments alone are nothing
        raise UserError(f"{path}: found {found}, expected keys with values (key: value)")
    return value


def check(path: PathLike) -> None:
    """Refuse a file that `read` would refuse; what is no regular file, such as a pipe that has been
    read already, is left alone."""
    if os.path.isfile(path):
        read(path)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            reason = "is not a regular file" if path.exists() else "no such file"
            raise UserError(f"{path}: {reason}; name a YAML file")
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: larger than 10 MB, so hardly a configuration; name another")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _from_json(text: str, path: PathLike) -> object:
    """Return the value of a text that is JSON, which Snakemake tries first; None if it is not."""
    if not text.lstrip().startswith("{"):
        return None

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key, value in pairs:
            if key in mapping:
                raise UserError(f"{path}: the key {quoted(key)} stands there twice; remove one")
            mapping[key] = value
        return mapping

    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError:
        return None
    except RecursionError:
        raise UserError(_too_deep(path)) from None


@dataclass
class _Level:
    """A mapping or list that is being read. keys: None for a list."""

    keys: dict[str, int] | None
    anchor: str | None
    is_key: bool = True
    n_values: int = 0


@dataclass
class _Reading:
    """What has been read of a file so far."""

    path: PathLike
    levels: list[_Level] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.sizes:
                raise UserError(
                    f"{self._at(event)}: *{event.anchor} is not defined before, or holds itself"
                )
            self._value(self.sizes[event.anchor], None, event)
        elif isinstance(event, yaml.ScalarEvent):
            if not event.style and event.implicit[0]:
                self._number(event)
            if event.anchor:
                self.sizes[event.anchor] = 1
            self._value(1, event.value, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.levels) >= _DEEPEST:
                raise UserError(_too_deep(self.path))
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            self.levels.append(_Level({} if is_mapping else None, event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.levels.pop()
            if done.anchor:
                self.sizes[done.anchor] = done.n_values + 1
            self._value(done.n_values + 1, None, event, counted=True)

    def _value(self, size: int, text: str | None, event: yaml.Event, counted: bool = False) -> None:
        self.total += 1 if counted else size
        if self.total > _MOST_VALUES:
            raise UserError(f"{self._at(event)}: more than {_MOST_VALUES:,} values; take some out")
        if not self.levels:
            return
        level = self.levels[-1]
        level.n_values += size
        if level.keys is None:
            return
        if level.is_key and text is not None and text != "<<":
            if text in level.keys:
                raise UserError(
                    f"{self._at(event)}: the key {quoted(text)} stands there again, after line"
                    f" {level.keys[text]}; the last one would count, remove one of them"
                )
            level.keys[text] = _line(event)
        level.is_key = not level.is_key

    def _number(self, event: yaml.ScalarEvent) -> None:
        text, read_as = event.value, 0.0
        if _OCTAL.fullmatch(text):
            what, read_as = "octal, for its leading 0", float(int(text.replace("_", ""), 8))
        elif _SEXAGESIMAL.fullmatch(text):
            what, read_as = "sexagesimal, for its colon", _base_60(text)
        else:
            return
        raise UserError(
            f"{self._at(event)}: YAML takes {quoted(text)} for {read_as:g} ({what}); write that"
            f" number in decimal, or a text in quotes"
        )

    def _at(self, event: yaml.Event) -> str:
        return f"{self.path} line {_line(event)}"


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


def _base_60(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    value = 0.0
    for digits in text.lstrip("+-").replace("_", "").split(":"):
        value = value * 60.0 + float(digits)
    return sign * value


def _check_events(text: str, path: PathLike) -> None:
    reading = _Reading(path)
    try:
        for event in _events(text):
            reading.add(event)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: {_reason(error)}; correct it") from None


def _events(text: str) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=SAFE_LOADER)


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: not YAML ({error.problem})"
    return f"not YAML of plain values ({error})"


def _too_deep(path: PathLike) -> str:
    return f"{path}: nested deeper than {_DEEPEST} levels; no setting is"
