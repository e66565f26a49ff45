from __future__ import annotations

import time

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, segment_sum
from ptmiss.events.readers.formats import open_reader
from ptmiss.events.readers.reader import Input
from ptmiss.simulation import constants, ntuple
from ptmiss.simulation.generator import Generated
from ptmiss.simulation.incoming import prepare
from ptmiss.simulation.numbering import number_events
from ptmiss.simulation.pileup import PileUp, gaussian_profile
from ptmiss.simulation.simulate import chunks
from unit.toy_collisions import one_list_each, soft_collisions

N = 8


@pytest.fixture(scope="module")
def generated():
    # a Z at rest that decays into two muons, a neutrino and a photon
    one = {
        "pt": [45.0, 45.0, 20.0, 30.0],
        "eta": [0.5, -0.5, 0.0, 1.0],
        "phi": [0.0, 3.0, 1.0, -2.0],
        "mass": [0.106, 0.106, 0.0, 0.0],
        "vx": [0.0] * 4,
        "vy": [0.0] * 4,
        "vz": [0.0] * 4,
    }
    columns = {name: np.tile(np.array(v, dtype="f4"), N) for name, v in one.items()}
    columns["pdg_id"] = np.tile(np.array([13, -13, 14, 22], dtype="i4"), N)
    columns["charge"] = np.tile(np.array([-1, 1, 0, 0], dtype="i1"), N)
    boson = np.full(N, 12.0, dtype="f4")
    boson[0] = np.nan
    return Generated(
        particles=Ragged(np.arange(0, 4 * N + 1, 4), columns),
        weight=np.linspace(-1.0, 2.0, N),
        boson_pt=boson,
        boson_phi=np.ones(N, dtype="f4"),
        n_tried=N,
        cross_section_pb=1.0,
        sqrt_s=13.0,
    )


def write(path, generated, chunk=500):
    pileup = PileUp(soft_collisions(200, 3), one_list_each(200), gaussian_profile(15.0, 3.0))
    numbers = number_events(2, N, (1, 4, 7))
    parts = chunks(generated, pileup, constants.detector(), 11, numbers, chunk)
    with ntuple.writing(path, "toy/0002", generated.sqrt_s) as writer:
        for scalars, collections in parts:
            writer.write(scalars, collections)
    return numbers


@pytest.fixture(scope="module")
def file(tmp_path_factory, generated):
    path = tmp_path_factory.mktemp("ntuple") / "toy.root"
    write(path, generated)
    return path


def read(path):
    with uproot.open(path) as opened:
        return opened["Events"].arrays()


def test_it_is_a_tree_with_all_branches_and_zlib(file):
    with uproot.open(file) as opened:
        tree = opened["Events"]
        assert isinstance(tree, uproot.TTree)
        expected = set(ntuple.SCALARS)
        for collection, fields in ntuple.COLLECTIONS.items():
            expected |= {f"n{collection}", *(f"{collection}_{field}" for field in fields)}
        assert set(tree.keys()) == expected
        assert opened.file.compression.name == "ZLIB"
        assert tree["PFCands_pt"].compressed_bytes < 0.8 * tree["PFCands_pt"].uncompressed_bytes
        assert tree.num_entries == N


def test_the_energy_is_read_back(file):
    with open_reader(str(file), "simulated", Input(False, "no_lepton", "x")) as reader:
        assert reader.sqrt_s == 13.0


def test_raw_met_is_minus_the_sum_of_the_stored_candidates(file):
    events = read(file)
    for i in range(N):
        pt = np.asarray(events.PFCands_pt[i], dtype=np.float64)
        phi = np.asarray(events.PFCands_phi[i], dtype=np.float64)
        x = -(pt * np.cos(phi)).sum() - events.RawMET_pt[i] * np.cos(events.RawMET_phi[i])
        y = -(pt * np.sin(phi)).sum() - events.RawMET_pt[i] * np.sin(events.RawMET_phi[i])
        assert np.hypot(x, y) < 0.001
        assert pt.sum() == pytest.approx(events.RawMET_sumEt[i], rel=1e-6)


def test_truth_of_the_event_is_stored(file):
    events = read(file)
    assert np.asarray(events.GenMET_pt) == pytest.approx(20.0, rel=1e-6)
    assert np.asarray(events.GenMET_phi) == pytest.approx(1.0, rel=1e-6)
    assert events.GenVBoson_pt.tolist() == [-1.0] + [12.0] * (N - 1)
    assert np.asarray(events.genWeight) == pytest.approx(np.linspace(-1, 2, N), abs=1e-6)
    assert (np.asarray(events.Pileup_nPU) > 0).all()
    for name in events.fields:
        values = np.asarray(
            events[name] if events[name].ndim == 1 else events[name].layout.content.data
        )
        assert np.isfinite(values).all(), name


def test_identity_is_that_of_the_numbering(file):
    events = read(file)
    lumi, numbers, _ = number_events(2, N, (1, 4, 7))
    assert set(events.luminosityBlock.tolist()) == {lumi}
    assert events.event.tolist() == numbers.tolist()


def test_muons_and_their_candidates_agree(file):
    events = read(file)
    for i in range(N):
        found = np.asarray(events.Muon_pt[i])
        code = np.abs(np.asarray(events.PFCands_pdgId[i]))
        candidates = np.asarray(events.PFCands_pt[i])[code == 13]
        assert set(found.tolist()) <= set(candidates.tolist())


def test_neutrals_carry_no_track(file):
    events = read(file)
    charge = events.PFCands_charge.layout.content.data
    for name in ("d0", "d0Err", "dz", "dzErr"):
        values = events[f"PFCands_{name}"].layout.content.data
        assert (values[charge == 0] == -1).all()
    assert (events.PFCands_fromPV.layout.content.data[charge == 0] == 3).all()


def test_the_same_events_give_the_same_bytes_at_any_time(tmp_path, generated, file):
    time.sleep(1.1)  # ROOT's dates have a resolution of a second
    write(tmp_path / "again.root", generated)
    assert (tmp_path / "again.root").read_bytes() == file.read_bytes()


def test_the_size_of_a_chunk_changes_no_event(tmp_path, generated, file):
    write(tmp_path / "chunks.root", generated, chunk=3)
    whole, pieces = read(file), read(tmp_path / "chunks.root")
    for name in whole.fields:
        assert whole[name].tolist() == pieces[name].tolist(), name


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), ntuple.writing(tmp_path / "a.root", "a", 13.0) as writer:
        writer.write({}, {})
    assert list(tmp_path.iterdir()) == []


@given(st.floats(2.0**-100, 2.0**100, width=32), st.integers(8, 20))
def test_rounding_keeps_so_many_bits(value, bits):
    rounded = ntuple.round_mantissa(np.array([value, -value], dtype=np.float32), bits)
    assert rounded[0] == pytest.approx(value, rel=2.0 ** -(bits + 1))
    assert rounded[1] == -rounded[0]
    assert rounded.view(np.uint32)[0] % (1 << (23 - bits)) == 0


def test_library_records_are_those_of_the_particles():
    columns = {
        "pt": np.array([2.0], dtype="f4"),
        "eta": np.array([1.0], dtype="f4"),
        "phi": np.array([0.5], dtype="f4"),
        "pdg_id": np.array([211]),
        "charge": np.array([1]),
        **{name: np.array([0.1], dtype="f4") for name in ("vx", "vy", "vz")},
    }
    particle = prepare(np.array([0, 1]), columns).particles[0]
    assert particle["momentum"] == pytest.approx(2.0 * np.cosh(1.0))
    assert particle["cos_phi"] == pytest.approx(np.cos(0.5))
    assert segment_sum(np.array([1.0]), np.array([0, 1])).tolist() == [1.0]
