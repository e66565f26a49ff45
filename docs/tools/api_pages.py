"""The pages of functions: one for each room of the package, filled in by mkdocstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = "reference/api"

INTRODUCTION = """# Functions

Public functions, classes and constants of the package, room by room. They take arrays or paths
and a settings object, and know nothing of Snakemake. How to install the package:
[Use the package from Python](../how-to/from-python.md).

| room | what it is for |
|---|---|
"""


def pages(package: Path) -> dict[str, str]:
    """Return address -> text: the list of rooms first, then a page for each that has modules."""
    rooms = {_name(folder, package): folder for folder in _rooms(package)}
    rows = (
        f"| [{name}](api/{name}.md) | {_sentence(folder / '__init__.py')} |"
        for name, folder in rooms.items()
    )
    texts = {"reference/functions.md": INTRODUCTION + "\n".join(rows) + "\n"}
    for name, folder in rooms.items():
        modules = "\n\n".join(f"::: {_name(path, package)}" for path in _modules(folder))
        head = f"# {name}\n\n{_sentence(folder / '__init__.py')}\n\n"
        texts[f"{FOLDER}/{name}.md"] = f"{head}{modules}\n"
    return texts


def _rooms(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("__init__.py")):
        if any(_modules(path.parent)):
            yield path.parent


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def _name(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package.parent).with_suffix("").parts)


def _sentence(path: Path) -> str:
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(words.partition("\n\n")[0].split()).replace("|", "\\|").replace("<", "&lt;")
