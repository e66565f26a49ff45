"""The page of commands, from the declarations of the stages."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from ptmiss.core.workflow.stage import Flag, Stage
from ptmiss.stages import stages_of

TABLE = re.compile(r"^\| stage \| command line \|\n(?:\|.*\n)+", re.MULTILINE)


def text(stages: Mapping[str, Stage]) -> str:
    """Return the page."""
    parts = [
        "# Commands",
        "",
        "Every rule calls one of these commands; a failing one can be repeated by pasting the",
        "line that `snakemake --printshellcmds` shows. Each answers `--help`. Settings are given",
        "as JSON, exactly as the rule passes them. Exit status 0: all files written. 1: one line",
        "on standard error, and no file left half-written.",
        "",
    ]
    for name, stage in stages.items():
        parts += [f"## {name}.py", "", _sentence(stage.summary), ""]
        parts += ["| flag | value | meaning |", "|---|---|---|", *map(_row, stage.flags), ""]
    return "\n".join(parts)


def table(stages: Mapping[str, Stage]) -> str:
    """Return the table of command lines that ARCHITECTURE.md holds."""
    rows = [
        f"| {stage.environment or name} | `{name}.py {' '.join(map(_usage, stage.flags))}` |\n"
        for name, stage in stages.items()
    ]
    return "| stage | command line |\n|---|---|\n" + "".join(rows)


def _usage(flag: Flag) -> str:
    text = f"--{flag.name} {flag.metavar}{'...' if flag.many else ''}"
    return text if flag.required else f"[{text}]"


def _row(flag: Flag) -> str:
    value = "integer" if flag.kind == "number" else flag.metavar if "=" in flag.metavar else "text"
    if flag.many:
        value += ", one or more" if flag.required else ", any number"
    need = "" if flag.required else " Optional."
    return f"| `--{flag.name}` | {value} | {_sentence(flag.help)}{need} |"


def _sentence(words: str) -> str:
    words = " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")
    return words if not words or words.endswith(".") else words + "."


if __name__ == "__main__":
    page = Path(sys.argv[1])
    words = page.read_text(encoding="utf-8")
    page.write_text(TABLE.sub(lambda _: table(stages_of()), words), encoding="utf-8")
