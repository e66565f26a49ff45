"""The conda environment of each stage: what its commands import, with the pins of the lock file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ptmiss.core.workflow.sources import third_party

# What a stage's environment is for, in its first line. A new stage gets a line here.
DESCRIPTIONS = {
    "simulate": "Pythia 8, pile-up and the detector",
    "skim": "ROOT to Parquet",
    "preprocess": "datasets of a training",
    "train": "TensorFlow; for a GPU replace tensorflow-cpu by tensorflow[and-cuda]",
    "export": "Keras to ONNX",
    "evaluate": "ONNX Runtime, no TensorFlow",
    "vary": "ONNX Runtime and FastJet",
    "performance": "numbers only",
    "uncertainty": "numbers only",
    "interpret": "ONNX Runtime, no TensorFlow",
    "calibrate": "iminuit, correctionlib and HEPData tables",
    "closure": "correctionlib",
    "gate": "verdicts",
    "report": "figures and the page",
}
# Commands that share the environment of another stage.
STAGE_OF = {
    "minbias": "simulate",
    "accept": "gate",
    "confirm": "closure",
    "import_graph": "export",
}
# Packages that no command imports itself: uproot loads them for root:// and http:// addresses.
LOADED = {"skim": {"aiohttp", "fsspec-xrootd", "xrootd"}}
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
# {stage}: {description}. Conda brings Python, pip brings the very pins of
# requirements/run.txt: some of these packages exist on the Python index only.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
{pins}
"""


def stage_of(script: Path) -> str:
    """Return the stage that a command belongs to."""
    return STAGE_OF.get(script.stem, script.stem)


def locked(text: str) -> dict[str, str]:
    """Return package -> version of a lock file's text."""
    return {_canonical(name): version for name, version in PIN.findall(text)}


def packages(scripts: Path) -> dict[str, set[str]]:
    """Return stage -> names of the packages that its commands in the folder `scripts` need."""
    found: dict[str, set[str]] = {}
    for script in sorted(scripts.glob("*.py")):
        modules = third_party(script) - sys.stdlib_module_names
        names = {_canonical(PACKAGE_OF.get(module, module)) for module in modules}
        found.setdefault(stage_of(script), set()).update(names)
    return {stage: names | LOADED.get(stage, set()) for stage, names in found.items()}


def environment(root: Path, stage: str) -> str:
    """Return the text of a stage's environment file, for the repository at `root`.

    Raises ValueError for a stage without a description and for a package that is not locked.
    """
    if stage not in DESCRIPTIONS:
        raise ValueError(f"{__file__}: DESCRIPTIONS has no line for the stage {stage}")
    pins = locked((root / "requirements/run.txt").read_text(encoding="utf-8"))
    names = packages(root / "scripts")[stage]
    if unknown := sorted(names - set(pins)):
        raise ValueError(f"requirements/run.txt: no pin of {unknown}, needed by {stage}")
    return TEMPLATE.format(
        stage=stage,
        description=DESCRIPTIONS[stage],
        pins="\n".join(f"      - {name}=={pins[name]}" for name in sorted(names)),
    )


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for stage in packages(folder.parent / "scripts"):
        text = environment(folder.parent, stage)
        (folder / f"{stage}.yaml").write_text(text, encoding="utf-8")
