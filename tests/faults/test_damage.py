"""Flipped and missing bytes: noticed by whoever reads the file, never passed on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from graph_toys import random_model
from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest, parquet
from ptmiss.core.io.atomic import replacing, write_json, write_text
from ptmiss.core.io.manifest import sha256_of
from ptmiss.core.io.records import Excerpt, read_values
from ptmiss.events.readers.formats import open_reader
from ptmiss.events.readers.reader import Input
from ptmiss.learn.data import dataset
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.report import tables
from skims import skim
from toys import toy_skim, write_pfnano

FLIPS = {"skim": 100, "dataset": 100, "onnx": 70, "keras": 30}


def flipped(path, folder, rng):
    """Return a copy of a file, and of its record, with one bit of one byte turned."""
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    copy = folder / f"{rng.integers(1 << 60):x}{path.suffix}"
    copy.write_bytes(content)
    shutil.copy(manifest.record_of(path), manifest.record_of(copy))
    return copy


def must_refuse(read, path):
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_flips_in_skims(tmp_path):
    path = tmp_path / "toy.parquet"
    toy_skim(path, 20, pileup=1.0)
    rng = np.random.default_rng(1)
    for _ in range(FLIPS["skim"]):
        must_refuse(lambda damaged: list(parquet.row_groups(damaged)), flipped(path, tmp_path, rng))


def test_flips_in_datasets(tmp_path):
    from network_toys import toy_features, write_dataset

    path = tmp_path / "train.parquet"
    write_dataset(path, toy_features(20))
    rng = np.random.default_rng(2)
    for _ in range(FLIPS["dataset"]):
        damaged = flipped(path, tmp_path, rng)
        must_refuse(lambda file: list(dataset.groups(file, TASK.dataset)), damaged)


def test_flips_in_onnx_models(tmp_path):
    path = tmp_path / "model.onnx"
    with replacing(path) as temporary:
        temporary.write_bytes(random_model().SerializeToString())
    onnx_file.read(path)
    rng = np.random.default_rng(3)
    for _ in range(FLIPS["onnx"]):
        must_refuse(onnx_file.read, flipped(path, tmp_path, rng))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_flips_in_keras_models(tmp_path):
    from network_toys import network
    from ptmiss.learn.training.storage import load_model, save_model

    path = tmp_path / "model.keras"
    save_model(network(), path)
    load_model(path)
    rng = np.random.default_rng(4)
    for _ in range(FLIPS["keras"]):
        must_refuse(load_model, flipped(path, tmp_path, rng))


def test_flips_in_inputs_with_a_record(tmp_path):
    path = tmp_path / "toy.root"
    write_pfnano(path, 20, pileup=1.0)
    manifest.record_of(path).write_text(manifest.line(sha256_of(path), path.name))
    rng = np.random.default_rng(5)
    for _ in range(20):
        damaged = flipped(path, tmp_path, rng)
        must_refuse(lambda damaged: skim(damaged, tmp_path / "out"), damaged)
    assert not list((tmp_path / "out").glob("*"))


def test_flips_in_small_files(tmp_path):
    rng = np.random.default_rng(6)
    table, record = tmp_path / "a.csv", tmp_path / "a.json"
    write_text(table, ",".join(tables.PERFORMANCE.names) + "\n")
    write_json(record, {"x": 1})
    for read, path in [
        (lambda path: tables.read([path]), table),
        (lambda path: read_values(Excerpt, path, "performance"), record),
    ]:
        read(path)
        for _ in range(10):
            must_refuse(read, flipped(path, tmp_path, rng))


def lengths(path, rng, n):
    size = path.stat().st_size
    return [0, 1, size // 2, size - 1, *rng.integers(0, size, n - 4)]


def test_shortened_parquet_files_are_refused_without_a_record(tmp_path):
    path = tmp_path / "toy.parquet"
    toy_skim(path, 20, pileup=1.0)
    content = path.read_bytes()
    manifest.record_of(path).unlink()
    for length in lengths(path, np.random.default_rng(7), 100):
        path.write_bytes(content[:length])
        must_refuse(lambda damaged: list(parquet.row_groups(damaged)), path)


def test_shortened_root_files_are_refused_without_a_record(tmp_path):
    path = tmp_path / "toy.root"
    write_pfnano(path, 20, pileup=1.0)
    content = path.read_bytes()

    def read(damaged):
        with open_reader(str(damaged), "pfnano", Input(False, "no_lepton", "x")):
            pass

    read(path)
    for length in lengths(path, np.random.default_rng(8), 100):
        path.write_bytes(content[:length])
        must_refuse(read, path)
