from __future__ import annotations

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.core.errors import UserError
from ptmiss.tasks.met.performance.stream import sources

TEST_FOLDS = (6, 7, 8, 9)
STORED = ("puppi",)


def _all(source, size=8192):
    return list(source.chunks(TEST_FOLDS, seed=11, size=size))


def test_files_are_put_together_by_sample_and_variation(tmp_path):
    columns = toys.toy(20)
    paths = [
        toys.write(tmp_path / "c.parquet", columns, part="1"),
        toys.write(tmp_path / "b.parquet", columns, sample="ttbar", selection="none"),
        toys.write(tmp_path / "a.parquet", columns, part="0"),
        toys.write(tmp_path / "d.parquet", columns, variation="up"),
    ]
    found = sources(paths, STORED)
    assert [(s.name, s.info.variation, len(s.files)) for s in found] == [
        ("ttbar", "nominal", 1), ("zmumu", "nominal", 2), ("zmumu", "up", 1),
    ]  # fmt: skip
    assert found[1].files == (str(paths[2]), str(paths[0]))
    assert found[0].estimators == ("pf", "puppi", "oracle", "stored_puppi")
    assert sources(reversed(paths), STORED) == found


def test_a_part_without_events_need_not_have_every_estimator(tmp_path):
    """Before: an empty input, which does not tell whether it has the truth, refused its sample."""
    empty = {k: v[:0] for k, v in toys.toy(20).items() if not k.startswith("oracle")}
    paths = [
        toys.write(tmp_path / "a.parquet", empty, part="0"),
        toys.write(tmp_path / "b.parquet", toys.toy(20), part="1"),
    ]
    (found,) = sources(paths, STORED)
    assert found.files == (str(paths[1]),)
    assert "oracle" in found.estimators
    assert sources(paths[:1], ())[0].files == (str(paths[0]),)


def test_only_test_folds_are_read_and_of_data_all(tmp_path):
    columns = toys.toy(500)
    simulated = sources([toys.write(tmp_path / "a.parquet", columns)], ())[0]
    data = sources([toys.write(tmp_path / "b.parquet", columns, is_data="true")], ())[0]
    expected = np.isin(columns["fold"], TEST_FOLDS)
    assert 0 < expected.sum() < 500
    (chunk,) = _all(simulated)
    assert chunk.weight.size == expected.sum()
    np.testing.assert_allclose(chunk.met[0, 0], columns["pf_px"][expected])
    assert _all(data)[0].weight.size == 500


def test_chunks_hold_every_event_once_whatever_their_size(tmp_path):
    columns = toys.toy(1000)
    columns["fold"][:] = 7
    path = toys.write(tmp_path / "a.parquet", columns, rows_per_group=130)
    source = sources([path], ())[0]
    for size in (100, 130, 999, 5000):
        chunks = _all(source, size)
        assert max(chunk.weight.size for chunk in chunks) <= size
        joined = np.concatenate([chunk.met[1, 1] for chunk in chunks])
        np.testing.assert_array_equal(joined, columns["puppi_py"])


def test_missing_values_become_nan(tmp_path):
    columns = toys.toy(50, kind="none")
    source = sources([toys.write(tmp_path / "a.parquet", columns)], STORED)[0]
    (chunk,) = _all(source)
    assert np.isnan(chunk.boson).all()
    assert np.isnan(chunk.met[-1]).all()  # stored_puppi, which this input does not have
    assert not source.info.boson_has_neutrino


def test_w_has_a_neutrino_in_its_boson(tmp_path):
    path = toys.write(tmp_path / "a.parquet", toys.toy(9), selection="wmunu")
    assert sources([path], ())[0].info.boson_has_neutrino


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ({"part": "0"}, "each part once"),
        ({"training": "other", "sample": "b"}, "one table for each training"),
        ({"is_data": "true"}, "is_data is True"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, second, text):
    columns = toys.toy(5)
    first = toys.write(tmp_path / "a.parquet", columns)
    other = toys.write(tmp_path / "b.parquet", columns, **{"part": "1", **second})
    with pytest.raises(UserError, match=text) as caught:
        sources([first, other], ())
    assert "b.parquet" in str(caught.value)


def test_files_of_a_sample_must_hold_the_same_estimators(tmp_path):
    columns = toys.toy(5)
    first = toys.write(tmp_path / "a.parquet", columns, part="0")
    second = toys.write(tmp_path / "b.parquet", columns, part="1", drop=["pf_px", "pf_py"])
    with pytest.raises(UserError, match=r"b\.parquet: estimators"):
        sources([first, second], ())


def test_files_that_are_not_estimates_are_refused(tmp_path):
    columns = toys.toy(5)
    without = toys.write(tmp_path / "a.parquet", columns, drop=["n_pv"])
    with pytest.raises(UserError, match="n_pv is missing"):
        sources([without], ())
    names = [f"{name}_p{axis}" for name in toys.ESTIMATORS for axis in "xy"]
    empty = toys.write(tmp_path / "b.parquet", columns, drop=names)
    with pytest.raises(UserError, match="holds no estimator"):
        sources([empty], ())
    (tmp_path / "c.parquet").write_text("<html>")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        sources([tmp_path / "c.parquet"], ())
    with pytest.raises(UserError, match="no file given"):
        sources([], ())


def test_weights_that_are_not_finite_are_refused_with_the_event(tmp_path):
    columns = toys.toy(5)
    columns["weight"][3] = np.nan
    source = sources([toys.write(tmp_path / "a.parquet", columns)], ())[0]
    with pytest.raises(UserError, match=f"event 1:1:{columns['event'][3]}: weight is nan"):
        _all(source)
