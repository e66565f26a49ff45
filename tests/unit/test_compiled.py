from __future__ import annotations

from pathlib import Path

import numba
import pytest

from ptmiss.core.compiled import PACKAGE, kernels_hash


def test_an_edit_of_any_kernel_module_changes_the_cache(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.py").write_text("@njit\ndef f(): ...\n")
    (tmp_path / "deep/b.py").write_text("@njit\ndef g(): ...\n")
    (tmp_path / "c.py").write_text("plain = 1\n")
    first = kernels_hash(tmp_path)
    (tmp_path / "c.py").write_text("plain = 2\n")
    assert kernels_hash(tmp_path) == first
    (tmp_path / "deep/b.py").write_text("@njit\ndef g(): return 1\n")
    assert kernels_hash(tmp_path) != first


@pytest.mark.parametrize(
    "line", ["from ptmiss.deep.b import LIMIT", "from ptmiss.deep import a, b"]
)
def test_an_edit_of_a_constant_or_record_of_a_kernel_changes_the_cache(tmp_path, line):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.py").write_text(f"{line}\n\n@njit\ndef f(): ...\n")
    (tmp_path / "deep/b.py").write_text("LIMIT = 1\n")
    first = kernels_hash(tmp_path)
    (tmp_path / "deep/b.py").write_text("LIMIT = 2\n")
    assert kernels_hash(tmp_path) != first


def test_every_kernel_is_compiled_here():
    for path in PACKAGE.rglob("*.py"):
        if path.name != "compiled.py":
            text = path.read_text()
            assert "import numba" not in text, path
            assert "from numba" not in text, path
    assert Path(numba.config.CACHE_DIR).name == f"kernels-{kernels_hash(PACKAGE)}"
