"""Layouts of the readers: the private PF_*, Delphes, partial reading."""

from __future__ import annotations

import awkward as ak
import numpy as np

from ptmiss.core.ragged import from_arrow
from ptmiss.events.readers.formats import open_reader
from ptmiss.events.readers.reader import Input
from skims import skim
from toys import make_toy, write_pfnano

SMALL = {"pileup": 2.0, "per_collision": 8.0, "per_hard": 10.0}


def reader_of(path):
    return open_reader(str(path), "pfnano", Input(False, "no_lepton", "x"))


def test_private_layout_gives_the_same_candidates(tmp_path):
    toy = make_toy(6, 2, **SMALL)
    tables = []
    for layout in ("pfnano", "private"):
        path = tmp_path / f"{layout}.root"
        write_pfnano(path, toy=toy, layout=layout)
        tables.append(skim(path, tmp_path / layout).table)
    shared = [name for name in tables[1].column_names if name.startswith("cand_")]
    assert "cand_truth" not in shared
    assert tables[0].select(shared).equals(tables[1].select(shared))


def test_no_track_detail_is_told_by_the_error_alone(tmp_path):
    def edit(branches):
        cands = branches["PFCands"]
        cands["dz"] = ak.full_like(cands["pt"], -1.0)
        cands["dzErr"] = ak.where(ak.local_index(cands["pt"]) % 2 == 0, -1.0, 0.01)

    write_pfnano(tmp_path / "a.root", 3, edit=edit, **SMALL)
    with reader_of(tmp_path / "a.root") as reader:
        columns = reader.candidates(0, 3, np.ones(3, dtype=bool)).columns
    assert set(columns["dz"]) == {0.0, -1.0}


def test_any_selection_of_any_range_is_that_of_the_whole(tmp_path):
    toy = write_pfnano(tmp_path / "a.root", 23, events_per_basket=5, **SMALL)
    rng = np.random.default_rng(3)
    with reader_of(tmp_path / "a.root") as reader:
        for start, stop in ((0, 23), (3, 4), (4, 17), (0, 5), (22, 23)):
            keep = rng.random(stop - start) < 0.4
            got = reader.candidates(start, stop, keep).columns
            mask = np.zeros(23, dtype=bool)
            mask[start:stop] = keep
            np.testing.assert_array_equal(got.counts, toy.counts[mask])
            np.testing.assert_array_equal(
                got["pt"], toy.candidates["pt"][np.repeat(mask, toy.counts)]
            )


def test_chunks_end_at_baskets_where_they_can(tmp_path):
    write_pfnano(tmp_path / "a.root", 23, events_per_basket=5, **SMALL)
    with reader_of(tmp_path / "a.root") as reader:
        assert reader.chunks(12) == [(0, 10), (10, 20), (20, 23)]
        assert reader.chunks(3) == [(0, 3), (3, 5), (5, 8), (8, 10), (10, 13), (13, 15), (15, 18),
                                    (18, 20), (20, 23)]  # fmt: skip


def test_result_does_not_depend_on_the_size_of_chunks(tmp_path):
    write_pfnano(tmp_path / "a.root", 23, events_per_basket=5, **SMALL)
    tables = [
        skim(tmp_path / "a.root", tmp_path / str(n), {"chunk_events": n, "rows_per_group": 7}).table
        for n in (2, 5, 1000)
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_several_files_and_row_groups_keep_the_order(tmp_path):
    write_pfnano(tmp_path / "a.root", 5, seed=1, **SMALL)
    write_pfnano(tmp_path / "b.root", 4, seed=2, **SMALL)
    table, ledger = skim([tmp_path / "a.root", tmp_path / "b.root"], tmp_path)
    assert table["event"].to_pylist()[0] < table["event"].to_pylist()[-1]
    assert table.num_rows == 9
    assert [entry["name"] for entry in ledger.inputs] == ["a.root", "b.root"]
    assert len(from_arrow(table, ["cand_pt"])["cand_pt"]) == ledger.candidates_kept
