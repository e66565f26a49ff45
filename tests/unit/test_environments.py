from __future__ import annotations

import pytest

from ptmiss.core.workflow.stage import Stage
from ptmiss.environments import environments, locked, packages

STAGES = {
    "gate": Stage("gate", "Judge", "ptmiss.gate:gate", (), loads=("attrs",)),
    "accept": Stage("accept", "End", "ptmiss.accept:accept", (), environment="gate"),
    "train": Stage("train", "Learn", "ptmiss.train:train", (), packages="TensorFlow"),
}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "scripts/ptmiss/core").mkdir(parents=True)
    (tmp_path / "requirements/run.txt").write_text(
        "numpy==2.4.6 \\\n    --hash=sha256:aa\npyyaml==6.0.3 ; python_version > '3'\nattrs==1.0\n"
    )
    files = {"core/command": "argparse", "gate": "yaml", "accept": "numpy", "train": "json"}
    for name, module in files.items():
        (tmp_path / f"scripts/ptmiss/{name}.py").write_text(f"import {module}\n")
    return tmp_path


def test_pins_of_a_lock_file():
    assert locked("A_b==1.2 \\\n  --hash=sha256:x\n# c==3\n") == {"a-b": "1.2"}


def test_stages_share_an_environment(tree):
    found = packages(STAGES, tree / "scripts")
    assert found == {"gate": {"attrs", "numpy", "pyyaml"}, "train": set()}
    texts = environments(STAGES, tree)
    pins = "      - attrs==1.0\n      - numpy==2.4.6\n      - pyyaml==6.0.3\n"
    assert texts["gate"].endswith(f"  - pip:\n{pins}")
    assert texts["gate"].startswith("# gate: Judge.\n")
    assert texts["train"].startswith("# train: TensorFlow.\n")


def test_a_package_without_a_pin_is_refused(tree):
    (tree / "scripts/ptmiss/accept.py").write_text("import scipy.stats\n")
    with pytest.raises(ValueError, match=r"no pin of \['scipy'\], needed by gate"):
        environments(STAGES, tree)
