from __future__ import annotations

import errno
import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, parquet
from ptmiss.core.io.atomic import replacing, write_json, write_text
from ptmiss.core.io.records import Excerpt, read_values


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_replacing_leaves_nothing_when_the_block_fails(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert names(path.parent) == []


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt", "a.txt.sha256"]
    manifest.check(path)


def test_a_file_of_the_repository_gets_no_record(tmp_path):
    with replacing(tmp_path / "a.txt", recorded=False) as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        pa.ArrowException(
            "Error writing bytes to file. Detail: [errno 28] No space left on device"
        ),
    ],
)
def test_a_full_disk_is_said_in_one_line(tmp_path, error):
    with (
        pytest.raises(UserError, match=r"a\.parquet: the disk is full; free some space"),
        replacing(tmp_path / "a.parquet"),
    ):
        raise error
    assert names(tmp_path) == []


def test_json_is_sorted_and_finite(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [1.5]})
    assert list(json.loads(path.read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, float("nan"))


def test_the_record_is_what_sha256sum_writes(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "abc")
    digest = hashlib.sha256(b"abc").hexdigest()
    assert (tmp_path / "a.txt.sha256").read_text() == f"{digest}  a.txt\n"
    assert manifest.sha256_of(path) == digest


def test_a_changed_file_is_refused_and_a_new_one_is_not(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    assert read_values(Excerpt, path, "report") == {"x": 1}
    path.write_text('{"x": 2}')
    with pytest.raises(UserError, match=r"a\.json: damaged or changed, SHA-256 is \w+\.\.\., exp"):
        read_values(Excerpt, path, "report")
    with pytest.raises(UserError, match="damaged or changed"):
        manifest.sha256_of(path)
    write_json(path, {"x": 3})
    assert read_values(Excerpt, path, "report") == {"x": 3}


def test_a_file_without_a_record_passes(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    assert read_values(Excerpt, path, "report") == {}
    assert manifest.sha256_of(path) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("text", ["", "not a sum", "ab" * 31 + "  a.txt\n", "\xff\xfe"])
def test_a_record_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text("abc")
    manifest.record_of(path).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.txt\.sha256: "):
        manifest.check(path)


def test_the_sum_of_another_program_is_understood(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abc")
    digest = hashlib.sha256(b"abc").hexdigest()
    manifest.record_of(path).write_text(f"{digest.upper()} *a.txt\n")
    manifest.check(path)


def test_a_missing_file_is_named_although_its_record_is_there(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "abc")
    path.unlink()
    manifest.check(path)
    with pytest.raises(UserError, match=r"a\.txt: cannot be read \(No such file"):
        manifest.sha256_of(path)


@pytest.fixture
def table():
    return pa.table({"x": np.arange(1000, dtype=np.float64), "y": np.arange(1000)})


def test_row_groups_come_back_in_order(tmp_path, table):
    path = tmp_path / "a.parquet"
    parquet.write(path, table, rows_per_group=300)
    groups = list(parquet.row_groups(path, ["x"]))
    assert [len(group) for group in groups] == [300, 300, 300, 100]
    assert pa.concat_tables(groups).column("x").to_pylist() == list(range(1000))
    assert parquet.column_names(path) == ["x", "y"]


def test_writing_is_reproducible(tmp_path, table):
    parquet.write(tmp_path / "a.parquet", table)
    parquet.write(tmp_path / "b.parquet", table)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_every_flipped_byte_of_a_page_is_noticed_without_a_record_too(tmp_path, table):
    path = tmp_path / "a.parquet"
    parquet.write(path, table)
    manifest.record_of(path).unlink()
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    for position in rng.integers(4, len(good) // 2, 40):
        bad = bytearray(good)
        bad[position] ^= 0xFF
        path.write_bytes(bytes(bad))
        try:
            read = pa.concat_tables(parquet.row_groups(path))
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right, silence is not
        else:
            assert read.equals(table)


@pytest.mark.parametrize("length", [0, 3, 100, 2000])
@pytest.mark.parametrize("recorded", [True, False])
def test_truncated_file_is_named_in_one_line(tmp_path, table, length, recorded):
    path = tmp_path / "a.parquet"
    parquet.write(path, table)
    if not recorded:
        manifest.record_of(path).unlink()
    path.write_bytes(path.read_bytes()[:length])
    says = "damaged or changed" if recorded else "not a readable Parquet file"
    with pytest.raises(UserError, match=rf"a\.parquet: {says}") as caught:
        list(parquet.row_groups(path))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        parquet.column_names(tmp_path / "none.parquet")
