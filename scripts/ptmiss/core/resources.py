"""Where the files lie that are no code: the default configuration and `resources/`.

In a checkout they lie at the root of the repository, where people look for them. A wheel holds
copies inside the package (pyproject.toml, setup.py).
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the package itself; its parent is what an import of `ptmiss` needs on the path."""

INSTALLED = "_files"
"""The folder of the copies, below `PACKAGE`; a checkout has none."""


def root(package: Path = PACKAGE) -> Path:
    """Return the folder that holds `config.yaml` and `resources`.

    package: the folder of the package, in a checkout (`scripts/ptmiss`) or where it is installed.
    """
    copies = package / INSTALLED
    return copies if copies.is_dir() else package.parents[1]


DEFAULT_CONFIGURATION = root() / "config.yaml"
"""What `config.yaml` of the repository says: the settings that an own configuration changes."""

RESOURCES = root() / "resources"
"""Folders `branches` (names in input formats), `processes` (cards of the generator), `report`
(templates of the page) and `configurations`."""
