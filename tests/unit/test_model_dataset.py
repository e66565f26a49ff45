from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.ragged import offsets_of
from ptmiss.events.folds import fold_of
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.data import dataset, weighting
from ptmiss.learn.data.batches import (
    BatchShape,
    Store,
    in_order,
    pack,
    prefetch,
    rotations,
    shuffled,
)
from ptmiss.learn.data.dataset import Events
from ptmiss.learn.data.preprocess import Outputs, Recipe, preprocess
from ptmiss.learn.data.spill import Spill
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training
from toys import toy_skim

FOLDS = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5,), test=(6, 7, 8, 9))
SMALL = {"pileup": 2.0, "per_collision": 5.0, "per_hard": 20.0}


def settings(**changes):
    values = {
        "dz_limit": 100.0, "unknown_codes": True, "pinned_pt": 10.0, "weights": "generator",
        "flat_edges": (0.0, 20.0, 50.0, 100.0), "flat_limit": 10.0, "rows_per_group": 16,
        "bucket_events": 40,
    }  # fmt: skip
    return PreprocessSettings(**{**values, **changes})


def training(**changes):
    values = {
        "samples": {"zmumu": 3.0, "wmunu": 1.0}, "tune": "response", "bias": "caption",
        "seed": 5, "use_puppi": True,
    }  # fmt: skip
    return Training(**{**values, **changes})


def groups(path):
    return dataset.groups(path, TASK.dataset)


def to_table(events):
    return dataset.to_table(events, TASK.dataset)


def from_table(table):
    return dataset.from_table(table, TASK.dataset)


def run(folder, skims, spec=None, chosen=None):
    outputs = {name: folder / f"{name}.parquet" for name in ("train", "validation")}
    summary = preprocess(
        skims,
        Recipe(TASK, "mixed", spec or training(), FOLDS, chosen or settings()),
        Outputs(**outputs, summary=folder / "dataset.json"),
    )
    read = {name: list(groups(path)) for name, path in outputs.items()}
    return summary, read


def edit(path, **columns):
    """Change columns of a skim in place."""
    with parquet.reading(path) as file:
        table = file.read()
    for name, change in columns.items():
        field = table.schema.field(name)
        values = table.column(name).to_numpy(zero_copy_only=False).copy()
        change(values)
        array = pa.array(values, type=field.type, from_pandas=True)
        table = table.set_column(table.column_names.index(name), field, array)
    parquet.write(path, table, 50)


@pytest.fixture(scope="module")
def skims(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skims")
    paths = [folder / f"{name}.parquet" for name in ("z0", "z1", "w0")]
    toy_skim(paths[0], 120, 1, sample="zmumu", rows_per_group=50, **SMALL)
    toy_skim(paths[1], 80, 2, sample="zmumu", part="1", rows_per_group=50, **SMALL)
    toy_skim(paths[2], 100, 3, process="wmunu", sample="wmunu", rows_per_group=50, **SMALL)
    return paths


def test_the_flavour_of_puppi_goes_from_skims_to_the_training(tmp_path, skims):
    summary, _ = run(tmp_path, skims)
    assert summary["features"]["puppi_flavour"] == "no_lepton"
    other = tmp_path / "w0.parquet"
    with parquet.reading(skims[2]) as file:
        table = file.read()
    metadata = {**table.schema.metadata, b"puppi_flavour": b"standard"}
    parquet.write(other, table.replace_schema_metadata(metadata), 50)
    with pytest.raises(UserError, match="make all skims with one"):
        run(tmp_path, [*skims[:2], other])


def random_events(n=20, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 6, n)
    total = int(counts.sum())
    return Events(
        offsets_of(counts),
        rng.normal(size=(total, 8)).astype(np.float32),
        rng.integers(0, 4, (total, 3)).astype(np.uint8),
        rng.normal(size=(n, 4)).astype(np.float32),
        rng.normal(size=n).astype(np.float32),
        rng.integers(0, 2, n).astype(np.uint8),
        rng.integers(0, 2**63, n).astype(np.uint64),
    )


def same(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in first.__dataclass_fields__
    )


def test_events_survive_a_round_trip_also_in_slices(tmp_path):
    events = random_events()
    assert same(from_table(to_table(events)), events)
    part = from_table(to_table(events).slice(5, 7))
    assert same(part, events.take(np.arange(5, 12)))
    parquet.write(tmp_path / "x.parquet", to_table(events), 6)
    read = list(groups(tmp_path / "x.parquet"))
    assert [group.n_events for group in read] == [6, 6, 6, 2]
    assert same(read[1], events.take(np.arange(6, 12)))
    none = events.take(np.arange(0))
    assert same(from_table(to_table(none)), none)


def test_take_orders_events_with_their_candidates():
    events = random_events()
    taken = events.take(np.array([3, 0, 3]))
    start, end = events.offsets[3], events.offsets[4]
    n = end - start
    assert n > 0
    assert np.array_equal(taken.continuous[:n], events.continuous[start:end])
    assert np.array_equal(
        taken.categories[-n or len(taken.categories) :], events.categories[start:end]
    )
    assert taken.key.tolist() == events.key[[3, 0, 3]].tolist()


@pytest.mark.parametrize("n_buckets", [1, 7])
def test_buckets_return_all_events_sorted_by_key(tmp_path, n_buckets):
    parts = [random_events(20, seed) for seed in range(3)]
    with Spill(tmp_path / "spill", n_buckets, TASK.dataset) as spill:
        for part in parts:
            spill.add(part, part.weight.astype(np.float64))
        read = [content for k in range(n_buckets) if (content := spill.read(k)) is not None]
    assert not (tmp_path / "spill").exists()
    keys = np.concatenate([events.key for events, _ in read])
    assert np.array_equal(keys, np.sort(np.concatenate([part.key for part in parts])))
    for events, weight in read:
        for i, key in enumerate(events.key):
            source = next(part for part in parts if key in part.key)
            row = int(np.flatnonzero(source.key == key)[0])
            assert same(events.take(np.array([i])), source.take(np.array([row])))
            assert weight[i] == source.weight[row]


def test_buckets_on_a_full_disk_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(Spill, "_path", lambda *_: Path("/dev/full"))
    events = random_events(20, 1)
    with (
        pytest.raises(UserError, match=r"^/dev/full: the disk is full; free some space"),
        Spill(tmp_path / "spill", 1, TASK.dataset) as spill,
    ):
        spill.add(events, events.weight.astype(np.float64))
    assert not (tmp_path / "spill").exists()


def test_each_event_of_the_folds_comes_once(skims, tmp_path):
    summary, read = run(tmp_path, skims)
    expected = {"train": 0, "validation": 0}
    for path in skims:
        with parquet.reading(path) as file:
            fold = file.read(["fold"]).column(0).to_numpy()
        expected["train"] += int(np.isin(fold, FOLDS.train).sum())
        expected["validation"] += int(np.isin(fold, FOLDS.validation).sum())
    found = {name: sum(group.n_events for group in groups) for name, groups in read.items()}
    assert found == expected
    assert {name: summary[name]["events"] for name in found} == expected
    assert summary["events_of_other_folds"] == 300 - sum(expected.values())
    keys = np.concatenate([group.key for groups in read.values() for group in groups])
    assert len(np.unique(keys)) == len(keys)
    assert summary["pinned_otherwise_in_skim"] == 0
    assert all(group.n_events <= 16 for groups in read.values() for group in groups)
    assert summary == json.loads((tmp_path / "dataset.json").read_text())


def test_truth_momenta_and_pinned_sum_are_those_of_the_toys(tmp_path):
    toy = toy_skim(tmp_path / "w.parquet", 60, 4, process="wmunu", sample="wmunu", **SMALL)
    _, read = run(tmp_path, [tmp_path / "w.parquet"], training(samples={"wmunu": 1.0}))
    event = toy.event
    train = np.isin(fold_of(event["run"], event["lumi"], event["event"]), FOLDS.train)
    truth = np.concatenate([group.targets[:, :2] for group in read["train"]]) * 50
    pinned = np.concatenate([group.targets[:, 2:] for group in read["train"]]) * 50
    order = np.argsort(truth[:, 0])
    invisible = np.stack([event["gen_met_px"], event["gen_met_py"]], axis=1)[train]
    expected = np.argsort(invisible[:, 0])
    np.testing.assert_allclose(truth[order], invisible[expected], atol=1e-4)
    # one muon an event, measured to about 1 %
    muon = np.stack([event["boson_px"], event["boson_py"]], axis=1)[train] - invisible
    np.testing.assert_allclose(pinned[order], muon[expected], atol=0.06 * np.abs(muon).max())


def test_shares_hold_and_the_mean_weight_is_one(skims, tmp_path):
    for mode in ("generator", "root", "sign", "flat"):
        summary, read = run(tmp_path / mode, skims, chosen=settings(weights=mode))
        for name, groups in read.items():
            weight = np.concatenate([group.weight for group in groups]).astype(np.float64)
            sample = np.concatenate([group.sample for group in groups])
            assert weight.mean() == pytest.approx(1.0, rel=1e-6)
            z = summary["samples"].index("zmumu")
            assert weight[sample == z].sum() / weight.sum() == pytest.approx(0.75, rel=1e-6)
            shares = summary[name]["by_sample"]
            assert shares["wmunu"]["sum_of_weights"] == pytest.approx(weight[sample != z].sum())


def test_order_of_files_and_cut_into_parts_do_not_matter(skims, tmp_path):
    run(tmp_path / "a", skims)
    run(tmp_path / "b", skims[::-1], chosen=settings(bucket_events=1000))
    assert (tmp_path / "a/train.parquet").read_bytes() != b""
    first = list(groups(tmp_path / "a/train.parquet"))
    second = list(groups(tmp_path / "b/train.parquet"))
    keys = [np.concatenate([group.key for group in read]) for read in (first, second)]
    assert np.array_equal(*keys)
    run(tmp_path / "c", skims, training(seed=6))
    third = np.concatenate([g.key for g in groups(tmp_path / "c/train.parquet")])
    assert len(third) == len(keys[0])
    assert not np.array_equal(third, keys[0])


def test_negative_weights_are_kept(tmp_path):
    path = tmp_path / "z.parquet"
    toy_skim(path, 60, 1, sample="zmumu", **SMALL)

    def change(values):
        values[::4] = -2.0

    edit(path, weight=change)
    summary, read = run(tmp_path, [path], training(samples={"zmumu": 1.0}))
    weight = np.concatenate([group.weight for group in read["train"]])
    assert summary["train"]["by_sample"]["zmumu"]["negative_weights"] == (weight < 0).sum() > 0
    assert weight.mean() == pytest.approx(1.0, rel=1e-5)


def test_mistakes_are_refused_in_one_line_and_leave_nothing(skims, tmp_path):
    z_only = training(samples={"zmumu": 1.0})

    def refused(paths, spec, says):
        folder = tmp_path / "out"
        with pytest.raises(UserError, match=says):
            run(folder, paths, spec)
        left = [path.name for path in folder.rglob("*")] if folder.exists() else []
        assert left == []

    refused(skims, z_only, "holds sample 'wmunu', but training mixed uses zmumu")
    refused(skims[:2], None, "no skim of sample wmunu")
    refused([skims[0], skims[0]], z_only, "give each part once")
    data = tmp_path / "data.parquet"
    toy_skim(data, 30, 1, sample="zmumu", is_data=True, **SMALL)
    refused([data], z_only, "is recorded data without truth")
    null = tmp_path / "null.parquet"
    toy_skim(null, 60, 1, sample="zmumu", **SMALL)
    edit(null, gen_met_px=lambda values: values.put([1, 2, 3, 4, 5], np.nan))
    refused([null], z_only, "events have no true")
    few = tmp_path / "few.parquet"
    toy_skim(few, 1, 1, sample="zmumu", **SMALL)
    refused([few], z_only, "no event in the (train|validation) folds")
    zero = tmp_path / "zero.parquet"
    toy_skim(zero, 60, 1, sample="zmumu", **SMALL)
    edit(zero, weight=lambda values: values.fill(0.0))
    refused([zero], z_only, "sample zmumu: all its event weights are 0")
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path / "out", [tmp_path / "none.parquet"], z_only)


def test_root_lies_between_weights_and_counts():
    found = weighting.signed_root(np.array([4.0, -9.0, 0.0, 1.0]))
    np.testing.assert_allclose(found, [2.0, -3.0, 0.0, 1.0])


def test_flat_factors_make_bins_equal_within_the_limit():
    edges = (0.0, 10.0, 30.0, 40.0)
    factors = weighting.flat_factors(np.array([100.0, 50.0, 0.0]), edges, 10.0)
    np.testing.assert_allclose(factors, [0.1, 0.4, 0.0])
    factors = weighting.flat_factors(np.array([100.0, 50.0, 1.0]), edges, 10.0)
    np.testing.assert_allclose(factors, [0.1, 0.4, 1.0])  # 10 would be 100 times the least
    assert weighting.bin_of(np.array([-1.0, 0.0, 10.0, 39.9, 99.0]), edges).tolist() == [
        0,
        0,
        1,
        2,
        2,
    ]


@pytest.fixture
def store(tmp_path):
    events = [random_events(25, seed) for seed in range(4)]
    with parquet.writing(tmp_path / "x.parquet", dataset.schema(TASK.dataset)) as writer:
        for part in events:
            writer.write_table(to_table(part))
    return Store(tmp_path / "x.parquet", TASK.dataset, cache_bytes=1_000_000), events


def test_batches_hold_every_event_once_in_the_given_shape(store):
    data, parts = store
    shape = BatchShape(events=8, candidates=20)
    batches = list(prefetch(pack(shuffled(data, np.random.default_rng(1)), shape)))
    found = []
    for batch in batches:
        assert batch.continuous.shape == (20, 8)
        assert batch.weight.shape == (8,)
        assert 1 <= batch.n_events <= 8
        used = batch.event < 8
        assert not batch.continuous[~used].any()
        for i in range(batch.n_events):
            rows = batch.event == i
            found.append((batch.weight[i], batch.continuous[rows].sum(), rows.sum()))
    expected = [
        (part.weight[i], part.continuous[a:b].sum(), b - a)
        for part in parts
        for i, (a, b) in enumerate(zip(part.offsets[:-1], part.offsets[1:], strict=True))
    ]
    np.testing.assert_allclose(sorted(found), sorted(expected), atol=1e-5)
    assert [w for w, _, _ in found] != [w for w, _, _ in expected]


def test_bucketed_batches_give_every_event_slots_of_its_own(store):
    data, parts = store
    shape = BatchShape(events=8, candidates=64, packing="bucketed")
    assert [shape.bucket(n) for n in (0, 1, 16, 17, 33, 64)] == [
        (4, 16), (4, 16), (4, 16), (2, 32), (1, 64), (1, 64),
    ]  # fmt: skip
    found = []
    for batch in pack(in_order(data), shape):
        n, width = len(batch.weight), len(batch.event) // len(batch.weight)
        assert (n, width) == (4, 16)
        for i in range(batch.n_events):
            rows = batch.event == i
            assert set(np.flatnonzero(rows) // width) <= {i}
            found.append((batch.weight[i], batch.continuous[rows].sum(), rows.sum()))
    expected = [
        (part.weight[i], part.continuous[a:b].sum(), b - a)
        for part in parts
        for i, (a, b) in enumerate(zip(part.offsets[:-1], part.offsets[1:], strict=True))
    ]
    np.testing.assert_allclose(sorted(found), sorted(expected), atol=1e-5)


def test_order_follows_from_the_seed_and_not_from_the_cache(store, tmp_path):
    data, _ = store
    uncached = Store(data.path, TASK.dataset, cache_bytes=0)
    orders = [
        [float(e.weight[r]) for e, r in shuffled(s, np.random.default_rng(seed))]
        for s, seed in ((data, 1), (data, 1), (uncached, 1), (data, 2))
    ]
    assert orders[0] == orders[1] == orders[2] != orders[3]
    assert len(data.kept) == 4
    assert len(uncached.kept) == 0
    in_file = [float(e.weight[r]) for e, r in in_order(data)]
    assert sorted(in_file) == sorted(orders[0])


def test_an_event_larger_than_a_batch_is_refused(store):
    data, _ = store
    with pytest.raises(UserError, match=r"raise train\.batch_candidates"):
        list(prefetch(pack(in_order(data), BatchShape(8, 3))))


def test_leaving_a_loop_early_ends_the_reading_thread(store):
    data, _ = store
    batches = prefetch(pack(in_order(data), BatchShape(1, 20)))
    next(batches)
    batches.close()  # joins the thread; a defect would hang here


def test_empty_dataset_is_refused(tmp_path):
    parquet.write(tmp_path / "x.parquet", dataset.schema(TASK.dataset).empty_table())
    with pytest.raises(UserError, match="the dataset is empty"):
        Store(tmp_path / "x.parquet", TASK.dataset, 0)


def test_turns_are_rotations_and_reflections_that_keep_the_beam_axis():
    matrices = rotations(np.random.default_rng(1), 1000).astype(np.float64)
    products = np.einsum("nij,nkj->nik", matrices, matrices)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-6)
    assert not matrices[:, 2, :2].any()
    assert not matrices[:, :2, 2].any()
    flip, mirror = np.linalg.det(matrices[:, :2, :2]), matrices[:, 2, 2]
    counts = [np.sum((flip < 0) == a) for a in (0, 1)], [np.sum((mirror < 0) == a) for a in (0, 1)]
    assert np.min(counts) > 400
    assert abs(np.mean(flip * mirror)) < 0.1
