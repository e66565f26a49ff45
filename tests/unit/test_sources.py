from __future__ import annotations

from pathlib import Path

import pytest

from ptmiss.core.workflow.sources import _hash, fingerprints, sources, third_party


@pytest.fixture
def tree(tmp_path):
    package = tmp_path / "ptmiss"
    (package / "deep").mkdir(parents=True)
    files = {
        "one.py": "import numpy as np\nfrom ptmiss.deep import two\n",
        "ptmiss/deep/two.py": "def f():\n    from ptmiss.three import g\n    return g\n",
        "ptmiss/three.py": "import json\nfrom ptmiss.deep.two import f\n",
        "ptmiss/other.py": "import scipy.stats\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def names(paths, root):
    return [str(Path(path).relative_to(root)) for path in paths]


def test_follows_imports_everywhere_and_in_circles(tree):
    assert names(sources(tree / "one.py"), tree) == ["ptmiss/deep/two.py", "ptmiss/three.py"]


def test_fingerprints_follow_the_content_of_each_module(tree):
    before = fingerprints(tree / "one.py")
    assert [text.split()[0] for text in before] == ["deep/two", "three"]
    (tree / "ptmiss/three.py").write_text("import json\n")
    _hash.cache_clear()
    after = fingerprints(tree / "one.py")
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_third_party_of_the_whole_closure(tree):
    assert third_party(tree / "one.py") == {"numpy", "json"}


def test_relative_imports_are_refused(tree):
    (tree / "one.py").write_text("from . import x\n")
    with pytest.raises(ValueError, match="relative import"):
        sources(tree / "one.py")
