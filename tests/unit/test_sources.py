from __future__ import annotations

from pathlib import Path

import pytest

from ptmiss.core.workflow.sources import _hash, fingerprints, sources, third_party


@pytest.fixture
def tree(tmp_path):
    package = tmp_path / "ptmiss"
    (package / "deep").mkdir(parents=True)
    files = {
        "ptmiss/one.py": "import numpy as np\nfrom ptmiss.deep import two\n",
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
    found = names(sources(["ptmiss.one"], tree), tree)
    assert found == ["ptmiss/deep/two.py", "ptmiss/one.py", "ptmiss/three.py"]
    assert names(sources(["ptmiss.three", "ptmiss.other"], tree), tree) == [
        "ptmiss/deep/two.py", "ptmiss/other.py", "ptmiss/three.py",
    ]  # fmt: skip


def test_fingerprints_follow_the_content_of_each_module(tree):
    before = fingerprints(["ptmiss.one"], tree)
    assert [text.split()[0] for text in before] == ["deep/two", "one", "three"]
    (tree / "ptmiss/three.py").write_text("import json\n")
    _hash.cache_clear()
    after = fingerprints(["ptmiss.one"], tree)
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_third_party_of_the_whole_closure(tree):
    assert third_party(["ptmiss.one"], tree) == {"numpy", "json"}


def test_relative_imports_are_refused(tree):
    (tree / "ptmiss/new.py").write_text("from . import x\n")
    with pytest.raises(ValueError, match="relative import"):
        sources(["ptmiss.new"], tree)


def test_a_module_that_is_not_there_is_refused(tree):
    with pytest.raises(ValueError, match=r"ptmiss\.four: no module below"):
        sources(["ptmiss.one", "ptmiss.four"], tree)


@pytest.mark.parametrize(
    "lines",
    [
        "from ptmiss.deep import (  # noqa: F401 (kept)\n    two,\n)\n",
        "from ptmiss.deep \\\n    import two\n",
        '"""Words\nfrom here on are words."""\nimport ptmiss.deep.two\n',
        "from nowhere to here\nimport ptmiss.deep.two\n",
    ],
)
def test_imports_that_need_the_whole_module_are_followed(tree, lines):
    (tree / "ptmiss/new.py").write_text(lines)
    assert "ptmiss/three.py" in names(sources(["ptmiss.new"], tree), tree)
