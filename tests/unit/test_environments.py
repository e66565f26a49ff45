from __future__ import annotations

import pytest

from ptmiss.core.workflow.environments import environment, locked, packages


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "requirements/run.txt").write_text(
        "numpy==2.4.6 \\\n    --hash=sha256:aa\npyyaml==6.0.3 ; python_version > '3'\n"
    )
    (tmp_path / "scripts/gate.py").write_text("import json\nimport yaml\n")
    (tmp_path / "scripts/accept.py").write_text("import numpy\n")
    return tmp_path


def test_pins_of_a_lock_file():
    assert locked("A_b==1.2 \\\n  --hash=sha256:x\n# c==3\n") == {"a-b": "1.2"}


def test_commands_of_a_stage_share_an_environment(tree):
    assert packages(tree / "scripts") == {"gate": {"numpy", "pyyaml"}}
    text = environment(tree, "gate")
    assert text.endswith("  - pip:\n      - numpy==2.4.6\n      - pyyaml==6.0.3\n")


def test_a_package_without_a_pin_is_refused(tree):
    (tree / "scripts/accept.py").write_text("import scipy.stats\n")
    with pytest.raises(ValueError, match=r"no pin of \['scipy'\], needed by gate"):
        environment(tree, "gate")


def test_a_stage_without_a_description_is_refused(tree):
    (tree / "scripts/other.py").write_text("")
    with pytest.raises(ValueError, match="no line for the stage other"):
        environment(tree, "other")
