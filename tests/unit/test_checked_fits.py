"""Fits and corrections of another shape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

import calibration_toys as toys
from ptmiss.tasks.met.calibration import apply, document, store
from ptmiss.tasks.met.calibration.bins import make_bins
from refusals import refused


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fits")
    chosen = toys.settings(replicas=20, min_events=30)
    data, simulation = toys.toy(600, 1, 20), toys.toy(600, 2, 20)
    made = toys.derived(data, simulation, chosen)
    document.write(folder / "c.json.gz", document.document([made], "toy"))
    bins = make_bins({"data": data, "simulation": simulation}, chosen)
    store.write(folder / "f.npz", {"pf": made.stored()}, bins)
    store.read(folder / "f.npz")
    return folder


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("pf/u_par/knots", lambda a: a[::-1], "not a list of rising numbers"),
        ("pf/u_par/nodes/0", lambda a: a[:0], "not a list of rising numbers"),
        ("pf/u_par/shifts/0", lambda a: a[:, :-1], "expected numbers of shape"),
        ("pf/u_par/shifts/0", lambda a: a * np.nan, "not finite"),
        ("pf/u_perp/replicas/0", lambda a: a[0], "expected numbers of shape"),
        ("pf/u_perp/replicas/0", lambda a: a.astype("U4"), "expected numbers of shape"),
        ("pf/xy/data/x/low", lambda a: np.array([1.0, 2.0]), "expected numbers of shape"),
        ("pf/xy/data/x/coefficients", lambda a: np.zeros(9), "expected 1 to 3"),
        ("pf/xy/data/y/covariance", lambda a: a[0], "expected numbers of shape"),
        ("estimators", lambda a: np.array([1.0]), "expected a list of words"),
        ("bins/ranges/0", lambda a: a[:, :1], "expected numbers of shape"),
        ("estimators", lambda a: np.array([None]), "as many numbers as it says"),
        ("pf/xy/data/x/ndf", None, "no array pf/xy/data/x/ndf"),
    ],
)
def test_fits_of_another_shape_do_not_reach_the_kernels(fits, tmp_path, name, change, says):
    with np.load(fits / "f.npz") as file:
        arrays = {key: file[key] for key in file.files}
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)
    refused(path, store.read, says)


def test_arrays_that_claim_more_than_there_is_take_no_memory(fits, tmp_path):
    path = tmp_path / "f.npz"
    for length in (0, 1, 100, 5000):
        path.write_bytes((fits / "f.npz").read_bytes()[:length])
        refused(path, store.read, "not a readable file of arrays")
    huge = b"\x93NUMPY\x01\x00" + b"\x76\x00"
    huge += b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }".ljust(117)
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("estimators.npy", huge + b"\n")
    refused(path, store.read, "not as many numbers as it says")
    np.savez_compressed(path, estimators=np.zeros(10))
    refused(path, store.read, "compressed")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (gzip.compress(b"{}", mtime=0), "not a correctionlib document"),
        (gzip.compress(b"[" * 100_000, mtime=0), "nested too deeply|not JSON"),
        (gzip.compress(b"\xff", mtime=0), "not text in UTF-8"),
        (gzip.compress(b'{"schema_version": 2', mtime=0)[:-4], "not a correctionlib document"),
    ],
)
def test_a_document_that_is_none(tmp_path, content, says):
    path = tmp_path / "c.json.gz"
    path.write_bytes(content)
    refused(path, apply.read, says)


def test_a_correction_that_is_missing_or_gives_no_number(fits, tmp_path):
    content = json.loads(gzip.decompress((fits / "c.json.gz").read_bytes()))
    path = tmp_path / "c.json.gz"
    events = toys.events(toys.columns(20, 1))

    def met(path):
        return apply.Applied(apply.read(path), "pf").met(events, "data")

    assert met(fits / "c.json.gz").shape == (2, 20)
    for change, says in (
        (lambda one: one.update(name="other"), "no correction pf_xy_x"),
        (lambda one: one["data"]["content"][0].update(key="neither"), "pf_xy_x: "),
        (lambda one: one.update(data=1e300), "a correction is not a number in GeV"),
        (lambda one: one["inputs"].pop(), "not a correctionlib document|pf_xy_x: "),
    ):
        spoiled = json.loads(json.dumps(content))
        change(next(one for one in spoiled["corrections"] if one["name"] == "pf_xy_x"))
        path.write_bytes(gzip.compress(json.dumps(spoiled).encode(), mtime=0))
        refused(path, met, says)
