"""The same event in several files, and different events of one number: not decided by the parts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import performance_toys
from delphes_toys import write_delphes
from models import LIMITS
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.settings.base import from_mapping
from ptmiss.core.stats.bootstrap import copies
from ptmiss.events.columns import skim_schema
from ptmiss.events.folds import fold_of
from ptmiss.events.repeats import find
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.events.skim.identity import INSIDE, numbered_on_its_own
from ptmiss.events.skim.stream import Skim
from ptmiss.learn.data.preprocess import Outputs, Recipe, preprocess
from ptmiss.tasks.met.estimators.evaluate import NO_MODELS, evaluate
from ptmiss.tasks.met.interpretation import chosen as looked_at
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.performance.stream import sources
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from ptmiss.tasks.met.settings.learning import Training
from skims import CONFIG, sample_of, settings_of
from toys import write_pfnano

SMALL = {"pileup": 1.0, "per_collision": 5.0, "per_hard": 5.0}
ALL_FOLDS = tuple(range(10))
FOLDS = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5,), test=(6, 7, 8, 9))
SETTINGS = from_mapping(
    EvaluateSettings, {"estimators": ["pf", "puppi"], "external": {}, "limits": LIMITS}, "e"
)


def private(branches):
    """Number the events as a private production does, in each file from 1."""
    n = len(branches["event"])
    branches["run"] = branches["luminosityBlock"] = np.ones(n, dtype=np.uint32)
    branches["event"] = np.arange(1, n + 1, dtype=np.uint64)


def far(branches):
    """Repeat numbers that a counter has reached after a while: nothing in a file tells that."""
    private(branches)
    branches["event"] += np.uint64(5000)


def production(folder, edit=private, files=4, n=25):
    paths = [folder / f"{i}.root" for i in range(files)]
    for i, path in enumerate(paths):
        write_pfnano(path, n, seed=i + 1, drop=("PFCands_truth",), edit=edit, **SMALL)
    return paths


def chain(paths, per_part, out, **spec):
    """Skim the files in parts and evaluate them; returns skims, estimates and ledgers."""
    skims, estimates, ledgers = [], [], []
    for number, start in enumerate(range(0, len(paths), per_part)):
        part = f"{number:04d}"
        job = Skim("toy", part, sample_of(**spec), settings_of())
        skims.append(out / f"{part}.parquet")
        files = [str(path) for path in paths[start : start + per_part]]
        ledgers.append(job.run(files, skims[-1], out / f"{part}.json"))
        estimates.append(out / f"estimates{part}.parquet")
        evaluate(skims[-1], "classical", SETTINGS, estimates[-1], NO_MODELS)
    return skims, estimates, ledgers


def measured(estimates):
    """Return pTmiss of PF and generator states of all events that are measured."""
    (source,) = sources(estimates, ())
    chunks = list(source.chunks(ALL_FOLDS, 11))
    met = np.concatenate([chunk.met[0] for chunk in chunks], axis=1)
    return met, np.concatenate([chunk.states for chunk in chunks])


@pytest.mark.parametrize("edit", [private, far])
def test_private_simulation_is_whole_in_any_cut(tmp_path, edit):
    """Before: 25 events of 100 with four files in a part, 100 with one, four equal copies each."""
    paths = production(tmp_path, edit)
    results = [measured(chain(paths, n, tmp_path / str(n))[1]) for n in (4, 2, 1)]
    for met, states in results:
        assert met.shape == (2, 100)
        np.testing.assert_array_equal(met, results[0][0])
        np.testing.assert_array_equal(states, results[0][1])
    assert len(np.unique(results[0][1])) == 100


def test_folds_and_copies_of_one_number_do_not_coincide(tmp_path):
    skims, estimates, ledgers = chain(production(tmp_path), 1, tmp_path / "out")
    tables = [pq.read_table(path) for path in skims]
    assert all(table["event"].to_pylist() == list(range(1, 26)) for table in tables)
    folds = np.stack([table["fold"].to_numpy() for table in tables])
    assert np.mean(folds[0] == folds[1]) < 0.5
    for table in tables:
        identity = (table[name].to_numpy() for name in ("run", "lumi", "event"))
        np.testing.assert_array_equal(table["fold"].to_numpy(), fold_of(*identity))
    drawn = copies(measured(estimates)[1], 40)[:, 1:].reshape(4, -1)
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.2
    assert (
        sum(ledger.renumbered["event counter begins anew in each file"] for ledger in ledgers)
        == 100
    )


def test_the_same_file_twice_counts_once_in_any_cut(tmp_path):
    first, second, *_ = production(tmp_path)
    copy = tmp_path / "copy.root"
    copy.write_bytes(first.read_bytes())
    for n in (3, 1):
        _, estimates, ledgers = chain([first, second, copy], n, tmp_path / str(n))
        assert measured(estimates)[0].shape == (2, 50)
        dropped = sum(ledger.rejected.total() for ledger in ledgers)
        (source,) = sources(estimates, ())
        assert dropped + len(source.repeats.dropped) == 25


def test_recorded_events_count_once_in_any_cut(tmp_path):
    """Before: the same event of two primary datasets was measured twice, if in two parts."""

    def recorded(branches):
        n = len(branches["event"])
        branches["run"] = np.full(n, 355_000, dtype=np.uint32)
        branches["event"] = np.arange(1, n + 1, dtype=np.uint64) + np.uint64(len(seen) * 10)
        seen.append(n)

    seen = []
    paths = production(tmp_path, recorded, files=2)
    for n in (2, 1):
        _, estimates, _ = chain(paths, n, tmp_path / str(n), is_data=True)
        assert measured(estimates)[0].shape == (2, 35)


def test_files_of_delphes_joined_by_hadd_are_whole(tmp_path):
    """Before: 12 events of 36."""
    import awkward as ak

    def restart(branches):
        number = ak.Array(np.arange(36) % 12)
        branches["Event"]["Number"] = ak.unflatten(number, np.ones(36, int))

    write_delphes(tmp_path / "a.root", 36, edit=restart, **SMALL)
    skims, _, ledgers = chain([tmp_path / "a.root"], 1, tmp_path / "out", source="delphes")
    table = pq.read_table(skims[0])
    assert table.num_rows == 36
    assert ledgers[0].renumbered == {INSIDE: 24}
    assert (
        len(np.unique(event_hash(*(table[n].to_numpy() for n in ("run", "lumi", "event"))))) == 36
    )


def test_unique_numbers_keep_their_folds_and_copies(tmp_path):
    toy = write_pfnano(tmp_path / "a.root", 20, drop=("PFCands_truth",), **SMALL)
    skims, estimates, ledgers = chain([tmp_path / "a.root"], 1, tmp_path / "out")
    table = pq.read_table(skims[0])
    identity = [toy.event[name] for name in ("run", "lumi", "event")]
    np.testing.assert_array_equal(table["fold"].to_numpy(), fold_of(*identity))
    assert not ledgers[0].renumbered
    assert "renumbered" not in ledgers[0].as_dict()
    assert not len(find(estimates, False).dropped)


def test_a_training_sees_each_event_once(tmp_path):
    settings = Config.load(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))).preprocess
    first, second, *_ = production(tmp_path, n=60)
    copy = tmp_path / "copy.root"
    copy.write_bytes(first.read_bytes())
    results = []
    for n in (3, 1):
        skims, _, _ = chain([first, second, copy], n, tmp_path / str(n))
        outputs = {name: tmp_path / str(n) / f"d{name}" for name in ("train", "validation")}
        spec = Training(
            samples={"toy": 1.0}, tune="response", bias="caption", seed=1, use_puppi=True
        )
        summary = preprocess(
            skims,
            Recipe(TASK, "t", spec, FOLDS, settings),
            Outputs(**outputs, summary=tmp_path / f"s{n}"),
        )
        results.append((summary, outputs["train"].read_bytes()))
    assert results[0][1] == results[1][1]
    assert "events_repeated" not in results[0][0]
    assert results[1][0]["events_repeated"] == 60


def test_a_look_at_candidates_sees_each_event_once(tmp_path):
    first, *_ = production(tmp_path)
    copy = tmp_path / "copy.root"
    copy.write_bytes(first.read_bytes())
    skims, _, _ = chain([first, copy], 1, tmp_path / "out")
    (sample,) = looked_at.samples(skims)
    chosen = looked_at.choose(sample, ALL_FOLDS, 1000)
    assert sum(len(place.rows) for place in chosen) == 25


def test_variations_keep_the_copies_of_the_nominal_events(tmp_path):
    """Events of one number are told apart by what no variation moves."""
    columns = [performance_toys.toy(10, seed) for seed in (1, 2)]
    found = []
    for variation in ("nominal", "jes_up"):
        paths = []
        for part, one in enumerate(columns):
            moved = {**one, "event": columns[0]["event"]}
            if variation != "nominal":
                moved["pf_px"] = one["pf_px"] + 5.0
            path = tmp_path / f"{variation}{part}.parquet"
            paths.append(performance_toys.write(path, moved, str(part), variation=variation))
        found.append(next(iter(sources(paths, ())[0].chunks(ALL_FOLDS, 11))).states)
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0])) == 20


def test_values_that_are_not_there_are_alike(tmp_path):
    columns = performance_toys.toy(4, 1, kind="none")
    paths = [performance_toys.write(tmp_path / f"{i}.parquet", columns, str(i)) for i in "01"]
    assert find(paths, recorded=False).dropped.tolist() == [4, 5, 6, 7]
    empty = pq.read_table(paths[0]).slice(0, 0)
    parquet.write(tmp_path / "2.parquet", pa.table(empty))
    assert find([tmp_path / "2.parquet"], recorded=True).dropped.tolist() == []


@pytest.mark.parametrize("column", ["rho", "n_jets"])
def test_events_of_which_files_say_little_are_not_taken_for_the_same(tmp_path, column):
    """Before: without stored METs and generator jets the number of vertices alone told."""
    for part, value in enumerate((3, 4)):
        event = {"run": [1], "lumi": [7], "event": [5], "weight": [1.0], "n_pv": [30]}
        content = {"rho": [1.0], "n_jets": [2], "gen_met_px": [0.0], "gen_met_py": [0.0]}
        values = event | content | {column: [value]}
        fields = pa.schema([skim_schema(True).field(name) for name in values])
        parquet.write(tmp_path / f"{part}.parquet", pa.table(values, fields))
    files = [tmp_path / f"{part}.parquet" for part in (0, 1)]
    assert find(files, recorded=False).apart.tolist() == [1]
    assert find(files, recorded=True).dropped.tolist() == [1]


class Counted:
    """A file whose events are numbered from `first`."""

    def __init__(self, first: int) -> None:
        self.event = np.arange(first, first + 3000, dtype=np.uint64)

    def chunks(self, limit: int) -> list[tuple[int, int]]:
        return [(start, start + limit) for start in range(0, 3000, limit)]

    def identities(self, start: int, stop: int) -> tuple[np.ndarray, ...]:
        one = np.ones(stop - start, dtype=np.uint32)
        return one, one, self.event[start:stop]


@pytest.mark.parametrize("limit", [1000, 3000])
@pytest.mark.parametrize(("first", "own"), [(0, True), (1, True), (5000, False)])
def test_a_counter_may_begin_at_0(first, own, limit):
    """Before: what was read at a time decided."""
    assert numbered_on_its_own(Counted(first), limit) == own
