"""The pile-up library: folds, numbering, damage, and what its collisions look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.ragged import offsets_of, to_arrow
from ptmiss.simulation import minbias
from ptmiss.simulation.minbias import (
    SCHEMA,
    collision_range,
    fold_of_collision,
    generate_minbias,
    load_library,
)


def toy(first: int, n: int) -> pa.Table:
    """Collisions first .. first + n - 1; collision c has c % 3 particles of pT c."""
    collision = np.arange(first, first + n, dtype=np.uint32)
    counts = collision % 3
    offsets = offsets_of(counts)
    pt = np.repeat(collision, counts)
    columns = [
        to_arrow(pt.astype(SCHEMA.field(name).type.value_type.to_pandas_dtype()), offsets,
                 SCHEMA.field(name).type.value_type)
        for name in SCHEMA.names[2:]
    ]  # fmt: skip
    return pa.table(
        [pa.array(collision), pa.array(fold_of_collision(collision)), *columns], schema=SCHEMA
    )


def test_a_library_is_read_in_the_order_of_its_collisions(tmp_path: Path) -> None:
    parquet.write(tmp_path / "a.parquet", toy(10, 15))
    parquet.write(tmp_path / "b.parquet", toy(0, 10), rows_per_group=4)
    library = load_library([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert library.collision.tolist() == list(range(25))
    assert library.particles.counts.tolist() == [i % 3 for i in range(25)]
    expected = np.repeat(np.arange(25), np.arange(25) % 3)
    np.testing.assert_array_equal(library.particles["pt"], expected)
    assert library.particles["pt"].dtype == np.float32
    assert library.particles["pdg_id"].dtype == np.int32
    assert library.fold.tolist() == [i % 10 for i in range(25)]
    assert [rows.tolist() for rows in library.collisions_of_fold[4:6]] == [[4, 14, 24], [5, 15]]


def test_each_collision_belongs_to_exactly_one_fold(tmp_path: Path) -> None:
    parquet.write(tmp_path / "a.parquet", toy(0, 57))
    library = load_library([tmp_path / "a.parquet"])
    rows = np.concatenate(library.collisions_of_fold)
    assert sorted(rows.tolist()) == list(range(57))
    for fold, own in enumerate(library.collisions_of_fold):
        assert (library.collision[own] % 10 == fold).all()


@given(n_events=st.integers(1, 5000), n_parts=st.integers(1, 60))
def test_parts_number_every_collision_once(n_events: int, n_parts: int) -> None:
    numbers = [i for part in range(n_parts) for i in collision_range(part, n_parts, n_events)]
    assert numbers == list(range(n_events))


@pytest.mark.parametrize("part", [-1, 2])
def test_a_part_that_does_not_exist_is_refused(part: int) -> None:
    with pytest.raises(UserError, match="expected 0 to 1"):
        collision_range(part, 2, 100)


def test_a_collision_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    parquet.write(tmp_path / "a.parquet", toy(0, 20))
    parquet.write(tmp_path / "b.parquet", toy(19, 20))
    with pytest.raises(UserError, match="a collision occurs twice"):
        load_library([tmp_path / "a.parquet", tmp_path / "b.parquet"])


def test_a_fold_without_collisions_is_named(tmp_path: Path) -> None:
    parquet.write(tmp_path / "a.parquet", toy(0, 8))
    with pytest.raises(UserError, match=r"folds \[8, 9\] have no collision"):
        load_library([tmp_path / "a.parquet"])


def test_files_that_are_no_library_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(UserError, match="no such file"):
        load_library([path])
    parquet.write(path, toy(0, 20).drop_columns(["vz", "fold"]))
    with pytest.raises(UserError, match="fold, vz"):
        load_library([path])
    parquet.write(path, toy(0, 20).slice(0, 0))
    with pytest.raises(UserError, match="holds no collision"):
        load_library([path])
    with pytest.raises(UserError, match="no file given"):
        load_library([])


def test_real_collisions_reproduce_and_obey_the_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    # without hard diffraction, whose preparation takes Pythia twelve seconds
    monkeypatch.setattr(minbias, "PROCESS", ("SoftQCD:nonDiffractive = on",))
    table = generate_minbias(5, 1, 2, 60)
    assert table.equals(generate_minbias(5, 1, 2, 60))
    assert not table.column("pt").equals(generate_minbias(5, 0, 2, 60).column("pt"))
    assert table.schema == SCHEMA
    assert table.column("collision").to_pylist() == list(range(30, 60))
    assert table.column("fold").to_pylist() == [i % 10 for i in range(30, 60)]
    flat = {
        name: table.column(name).combine_chunks().flatten().to_numpy() for name in SCHEMA.names[2:]
    }
    assert flat["pt"].min() > minbias.MIN_PT
    assert np.abs(flat["eta"]).max() < minbias.MAX_ABS_ETA
    assert not np.isin(np.abs(flat["pdg_id"]), (12, 14, 16)).any()
    # CMS measures 5.5 to 7 charged hadrons a unit of eta at 13 TeV (arXiv:1507.05915)
    central = (
        (np.abs(flat["eta"]) < 0.5) & (flat["charge"] != 0) & (np.hypot(flat["vx"], flat["vy"]) < 1)
    )
    assert 3 < central.sum() / 30 < 11
