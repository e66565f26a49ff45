"""The JSON schema of a task's configuration, for completion in editors; generated, never edited."""

from __future__ import annotations

import json
import sys

from pydantic import BaseModel

from ptmiss.core.command import run
from ptmiss.core.io.atomic import replacing
from ptmiss.tasks.registry import task


def schema_text(kind: type[BaseModel]) -> str:
    """Return the schema (JSON Schema 2020-12) of a class of settings as indented JSON."""
    return json.dumps(kind.model_json_schema(), indent=1, sort_keys=True) + "\n"


def main(name: str, path: str) -> None:
    """Write the schema of the task with this name."""
    text = schema_text(task(name).configuration())
    with replacing(path, recorded=False) as temporary:  # part of the repository
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(lambda: main(*sys.argv[1:]))
