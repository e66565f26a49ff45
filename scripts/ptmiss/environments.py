"""The conda environment of each stage: what its stages import, with the pins of the lock file."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from ptmiss.core.workflow.rules import COMMAND
from ptmiss.core.workflow.sources import third_party
from ptmiss.core.workflow.stage import Stage
from ptmiss.stages import stages_of

# Module -> the package that brings it, where the two differ.
PACKAGE_OF = {
    "PIL": "pillow",
    "google": "protobuf",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow-cpu",
    "yaml": "pyyaml",
}
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
TEMPLATE = """\
# {stage}: {description}.
# Conda brings Python, pip brings the very pins of requirements/run.txt: some of these packages
# exist on the Python index only.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
{pins}
"""


def locked(text: str) -> dict[str, str]:
    """Return package -> version of a lock file's text."""
    return {_canonical(name): version for name, version in PIN.findall(text)}


def packages(stages: Mapping[str, Stage], scripts: Path) -> dict[str, set[str]]:
    """Return environment -> names of the packages that its stages need.

    scripts: the folder that holds the package.
    """
    needed: dict[str, set[str]] = {}
    for name, stage in stages.items():
        modules = third_party([COMMAND, *stage.modules()], scripts) - sys.stdlib_module_names
        names = {_canonical(PACKAGE_OF.get(module, module)) for module in modules}
        needed.setdefault(stage.environment or name, set()).update(names, stage.loads)
    return needed


def environments(stages: Mapping[str, Stage], root: Path) -> dict[str, str]:
    """Return environment -> text of its file, for the repository at `root`.

    Raises ValueError for a package that is not locked.
    """
    pins = locked((root / "requirements/run.txt").read_text(encoding="utf-8"))
    texts = {}
    for name, needed in packages(stages, root / "scripts").items():
        if unknown := sorted(needed - set(pins)):
            raise ValueError(f"requirements/run.txt: no pin of {unknown}, needed by {name}")
        texts[name] = TEMPLATE.format(
            stage=name,
            description=stages[name].packages or stages[name].summary,
            pins="\n".join(f"      - {package}=={pins[package]}" for package in sorted(needed)),
        )
    return texts


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, text in environments(stages_of(), folder.resolve().parent).items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
