"""The page of commands, from their parsers."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType


def load(path: Path) -> ModuleType:
    """Import a file that is not part of a package."""
    spec = importlib.util.spec_from_file_location(f"command_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(folder: Path) -> str:
    """Return the page. folder: holds one file for each command, each with `build_parser`."""
    parts = [
        "# Commands",
        "",
        "Every rule calls one of these commands; a failing one can be repeated by pasting the",
        "line that `snakemake --printshellcmds` shows. Each answers `--help`. Settings are given",
        "as JSON, exactly as the rule passes them. Exit status 0: all files written. 1: one line",
        "on standard error, and no file left half-written.",
        "",
    ]
    for path in sorted(folder.glob("*.py")):
        parser = load(path).build_parser()
        parts += [f"## {path.stem}.py", "", _sentence(parser.description or ""), ""]
        parts += ["| flag | value | meaning |", "|---|---|---|"]
        parts += [_row(action) for action in parser._actions if action.dest != "help"]
        parts.append("")
    return "\n".join(parts)


def _row(action: argparse.Action) -> str:
    if isinstance(action, argparse._StoreTrueAction):
        value = "none"
    elif action.choices:
        value = "one of " + ", ".join(map(str, action.choices))
    else:
        value = {int: "integer", float: "number"}.get(action.type, "text")
        value += ", one or more" if action.nargs == "+" else ""
        value += ", any number" if action.nargs == "*" else ""
    need = "" if action.required else " Optional."
    meaning = _sentence((action.help or "").replace("%%", "%")) + need
    return f"| `{' '.join(action.option_strings)}` | {value} | {meaning} |".replace("\n", " ")


def _sentence(words: str) -> str:
    words = " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")
    return words if not words or words.endswith(".") else words + "."
