from __future__ import annotations

import csv
import json
from itertools import islice

import numpy as np
import pytest

from network_toys import spec
from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.data import dataset
from ptmiss.learn.data import preprocess as preprocessing
from ptmiss.learn.data.batches import BatchShape, in_order, pack
from ptmiss.learn.heads.loss import LossSpec
from ptmiss.learn.heads.vector_sum import VectorLoss
from ptmiss.learn.network import NetworkSpec, new_network, weights_of
from ptmiss.learn.settings.train import TrainSettings
from ptmiss.learn.training import checkpoint
from ptmiss.learn.training import train as training_module
from ptmiss.learn.training.step import OptimiserSpec, Stepper, rotated_features
from ptmiss.learn.training.storage import load_model
from ptmiss.learn.training.train import (
    Recipe,
    TrainInputs,
    TrainOutputs,
    learning_rate,
    length,
)
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.learning import TASK
from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training
from toys import toy_skim

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TRAINING = Training(samples={"zmumu": 1.0}, tune="response", bias="caption", seed=5, use_puppi=True)


def settings(**changes):
    values = {
        "features": "log", "epochs": 3, "presentations": 1000000, "patience": 3, "batch_events": 16,
        "batch_candidates": 600, "learning_rate": 0.005, "warm_up": 0.2, "final_rate": 0.1,
        "weight_decay": 1e-4, "clip_norm": 1.0, "average": 0.9, "huber": 0.0, "response": 1.0,
        "response_recoil_edges": (15.0, 50.0), "response_met_edges": (30.0,),
        "response_memory": 10.0, "response_min_events": 1, "compile": False, "cache_mb": 10,
    }  # fmt: skip
    return TrainSettings(**{**values, **changes})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    toy_skim(
        folder / "z.parquet", 250, 1, sample="zmumu", pileup=2.0, per_collision=6.0, per_hard=12.0
    )
    chosen = PreprocessSettings(
        dz_limit=100.0, unknown_codes=True, pinned_pt=10.0, weights="sign",
        flat_edges=(0.0, 50.0), flat_limit=10.0, rows_per_group=30, bucket_events=100,
    )  # fmt: skip
    folds = FoldSettings(train=(0, 1, 2, 3, 4), validation=(5, 6), test=(7, 8, 9))
    made = TrainInputs(*(folder / name for name in ("t.parquet", "v.parquet", "d.json")))
    preprocessing.preprocess(
        [folder / "z.parquet"],
        preprocessing.Recipe(TASK, "tiny", TRAINING, folds, chosen),
        preprocessing.Outputs(made.train, made.validation, made.summary),
    )
    return made


def train(inputs, training, chosen, made):
    return training_module.train(inputs, Recipe(TASK, training, chosen), made)


def outputs(folder):
    names = ("model.keras", "history.csv", "training.json", "checkpoints", "tensorboard")
    return TrainOutputs(*(folder / name for name in names))


def history(made):
    with open(made.history, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def stop_after(monkeypatch, epochs):
    """Make the training die as a killed process does, right after a checkpoint."""
    save = checkpoint.save

    def dying(folder, mark, arrays, epoch):
        save(folder, mark, arrays, epoch)
        if epoch == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", dying)


@pytest.fixture(scope="module")
def undisturbed(inputs, tmp_path_factory):
    made = outputs(tmp_path_factory.mktemp("undisturbed"))
    record = train(inputs, TRAINING, settings(), made)
    return made, record


def test_training_learns_and_keeps_the_best_epoch(inputs, undisturbed):
    made, record = undisturbed
    rows = history(made)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["error"] < rows[0]["error"]
    losses = [row["val_loss"] for row in rows]
    assert record["best_epoch"] == 1 + int(np.argmin(losses))
    assert record["validation"]["val_loss"] == pytest.approx(min(losses))
    # the stored network is that of the best epoch: it gives the loss the history states
    shape = BatchShape(16, 600)
    model = load_model(made.model)
    loss = model.head.loss(settings())
    stepper = Stepper(model, shape, loss, OptimiserSpec(0.0, 1.0, 0.0), False)
    store = training_module.Store(inputs.validation, TASK.dataset, 0)
    errors = [stepper.validate(batch)[0] for batch in pack(in_order(store), shape)]
    expected = rows[record["best_epoch"] - 1]["val_error"]
    assert sum(errors) / store.n_events == pytest.approx(expected, rel=1e-5)


def test_record_says_what_was_done_and_no_time(inputs, undisturbed):
    made, record = undisturbed
    assert record == json.loads(made.record.read_text())
    summary = json.loads(inputs.summary.read_text())
    assert record["inputs"]["train"] == summary["train"]["sha256"]
    assert record["inputs"]["skims"] == summary["inputs"]
    assert record["seed"] == 5
    assert record["spec"] == TRAINING.model_dump(mode="json")
    assert record["settings"] == settings().model_dump(mode="json")
    assert (
        NetworkSpec.model_validate_json(json.dumps(record["network"]))
        == load_model(made.model).spec
    )
    assert not list(made.checkpoints.glob("*"))
    assert len(list(made.tensorboard.glob("events*"))) == 1


def test_same_seed_gives_the_same_files(inputs, undisturbed, tmp_path):
    first, _ = undisturbed
    second = outputs(tmp_path)
    train(inputs, TRAINING, settings(), second)
    for name in ("model", "history", "record"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes(), name


def test_a_stopped_run_goes_on_and_ends_bit_equal(inputs, undisturbed, tmp_path, monkeypatch):
    expected, _ = undisturbed
    made = outputs(tmp_path)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(inputs, TRAINING, settings(), made)
    assert not made.model.exists()
    assert not made.record.exists()
    called = []
    epoch = training_module._Run.one_epoch
    monkeypatch.setattr(
        training_module._Run, "one_epoch", lambda *args: (called.append(1), epoch(*args))[1]
    )
    train(inputs, TRAINING, settings(), made)
    assert len(called) == 1
    for name in ("model", "history", "record"):
        assert getattr(made, name).read_bytes() == getattr(expected, name).read_bytes(), name


def test_checkpoints_come_back_or_are_not_used(tmp_path, caplog):
    arrays = {"a": np.arange(3.0), "b": np.float32(1.5)}
    path = tmp_path / checkpoint.NAME
    assert checkpoint.load(tmp_path, "mark") is None
    checkpoint.save(tmp_path, "mark", arrays, 4)
    back, epoch = checkpoint.load(tmp_path, "mark")
    assert epoch == 4
    assert sorted(back) == ["a", "b"]
    assert np.array_equal(back["a"], arrays["a"])
    with caplog.at_level("INFO"):
        assert checkpoint.load(tmp_path, "other") is None
    assert "of another training; training starts from the beginning" in caplog.text
    whole = path.read_bytes()
    np.savez(path, mark=np.array("mark"), epoch=np.array(4), a=np.array([object()], dtype=object))
    for content in (whole[: len(whole) // 2], b"no archive", b"", path.read_bytes()):
        path.write_bytes(content)
        caplog.clear()
        assert checkpoint.load(tmp_path, "mark") is None
        assert "damaged" in caplog.text
    checkpoint.remove(tmp_path)
    checkpoint.remove(tmp_path)
    assert not path.exists()


def test_a_checkpoint_belongs_to_settings_data_and_code():
    first = checkpoint.fingerprint({"a": 1}, [2])
    assert first == checkpoint.fingerprint({"a": 1}, [2])
    assert first != checkpoint.fingerprint({"a": 1}, [3])


def test_early_stopping_restores_the_best_epoch(inputs, tmp_path, monkeypatch):
    made = outputs(tmp_path)
    rising = iter([3.0, 2.0, 4.0, 5.0, 6.0, 7.0])
    weights = []

    def validate(run):
        weights.append([values.copy() for values in run.stepper.averaged_weights()])
        return next(rising), np.zeros((2, run.loss.n_bins))

    monkeypatch.setattr(training_module._Run, "_validate", validate)
    record = train(inputs, TRAINING, settings(epochs=6, patience=2), made)
    assert (record["best_epoch"], record["epochs"]) == (2, 4)
    stored = [variable.numpy() for variable in load_model(made.model).variables]
    assert all(np.array_equal(a, b) for a, b in zip(stored, weights[1], strict=True))


def test_a_loss_that_is_not_finite_ends_in_one_line_and_leaves_no_network(inputs, tmp_path):
    def poison(events):
        events.weight[3] = np.nan
        return events

    bad = TrainInputs(tmp_path / "bad.parquet", inputs.validation, inputs.summary)
    with parquet.writing(bad.train, dataset.schema(TASK.dataset)) as writer:
        for group in dataset.groups(inputs.train, TASK.dataset):
            copied = group.take(np.arange(group.n_events))
            writer.write_table(dataset.to_table(poison(copied), TASK.dataset))
    made = outputs(tmp_path)
    with pytest.raises(UserError, match="training tiny: the loss is not finite after") as caught:
        train(bad, TRAINING, settings(), made)
    assert "\n" not in str(caught.value)
    assert not any(path.exists() for path in (made.model, made.history, made.record))


def test_a_dataset_of_another_training_is_refused(inputs, tmp_path):
    other = TRAINING.model_copy(update={"use_puppi": False})
    with pytest.raises(UserError, match="use_puppi = True, the training asks for False"):
        train(inputs, other, settings(), outputs(tmp_path))
    (tmp_path / "x.json").write_text("{}")
    wrong = TrainInputs(inputs.train, inputs.validation, tmp_path / "x.json")
    with pytest.raises(UserError, match="not what the stage preprocess writes"):
        train(wrong, TRAINING, settings(), outputs(tmp_path))


def test_schedule_rises_and_falls():
    chosen = settings(learning_rate=1.0, warm_up=0.2, final_rate=0.1)
    found = [learning_rate(x, chosen) for x in (0.0, 0.1, 0.2, 0.6, 1.0, 1.1)]
    np.testing.assert_allclose(found, [0.05, 0.525, 1.0, 0.55, 0.1, 0.1])


def test_the_resolution_tune_has_no_response_term():
    head = {"kind": "vector_sum", "bias": "caption"}
    for tune, factor in (("resolution", 0.0), ("response", 1.0)):
        model = new_network(spec(head={**head, "tune": tune}), 1)
        assert model.head.loss(settings()).spec.response == factor


def test_turning_an_event_turns_what_has_a_direction_only():
    x = np.arange(1, 25, dtype=np.float32).reshape(3, 8)
    quarter, reflection = np.eye(3, dtype=np.float32), np.diag(np.float32([1, -1, -1]))
    quarter[:2, :2] = [[0, -1], [1, 0]]
    turned = rotated_features(
        x, np.int32([0, 1, 2]), np.stack([quarter, reflection]), TASK.dataset.features
    ).numpy()
    # d0, dz, eta, mass, pt, puppi, px, py
    assert turned[0].tolist() == [1, 2, 3, 4, 5, 6, -8, 7]
    assert turned[1].tolist() == [-9, -10, -11, 12, 13, 14, 15, -16]


def steppers(inputs, jit):
    loss = VectorLoss(LossSpec(20.0, 1.0, (15.0,), (30.0,), 10.0, ft.SCALE))
    shape = BatchShape(16, 600)
    model = new_network(spec("shipped"), 1)
    return Stepper(model, shape, loss, OptimiserSpec(1e-4, 1.0, 0.9), jit)


def test_compiled_and_plain_steps_agree_and_are_traced_once(inputs):
    plain, compiled = steppers(inputs, False), steppers(inputs, True)
    store = training_module.Store(inputs.train, TASK.dataset, 0)
    turns = np.broadcast_to(np.eye(3, dtype=np.float32), (16, 3, 3))
    for batch in islice(pack(in_order(store), BatchShape(16, 600)), 3):
        errors = plain.train(batch, turns, 1e-3), compiled.train(batch, turns, 1e-3)
        assert errors[0] == pytest.approx(errors[1], rel=1e-4)
    assert plain._train.experimental_get_tracing_count() == 1
    assert compiled._train.experimental_get_tracing_count() == 1
    first, second = weights_of(plain.model), weights_of(compiled.model)
    for name, values in first.items():
        np.testing.assert_allclose(second[name], values, atol=2e-4, err_msg=name)
    np.testing.assert_allclose(plain.state()["response0"], compiled.state()["response0"], rtol=1e-3)


def test_events_with_weight_zero_teach_nothing(inputs):
    """Gradients, not statistics: the trainable weights stay where they are without decay."""
    loss = VectorLoss(LossSpec(0.0, 1.0, (15.0,), (30.0,), 10.0, ft.SCALE))
    model = new_network(spec("caption"), 1)
    stepper = Stepper(model, BatchShape(16, 600), loss, OptimiserSpec(0.0, 1.0, 0.0), False)
    before = [variable.numpy() for variable in model.trainable_variables]
    store = training_module.Store(inputs.train, TASK.dataset, 0)
    batch = next(pack(in_order(store), BatchShape(16, 600)))
    batch.weight[:] = 0.0
    turns = np.broadcast_to(np.eye(3, dtype=np.float32), (16, 3, 3))
    assert stepper.train(batch, turns, 1e-3) == 0.0
    after = [variable.numpy() for variable in model.trainable_variables]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_bucketed_batches_teach_the_same(inputs):
    """The same events in the same steps, with slots of their own: the same numbers to rounding."""
    optimiser = OptimiserSpec(0.0, 1.0, 0.0)
    store = training_module.Store(inputs.train, TASK.dataset, 0)
    errors = []
    for packing in ("flat", "bucketed"):
        shape = BatchShape(1, 600, packing)
        model = new_network(spec("caption"), 1)
        stepper = Stepper(model, shape, model.head.loss(settings()), optimiser, False)
        turn = np.eye(3, dtype=np.float32)[np.newaxis]
        batches = sorted(pack(in_order(store), shape), key=lambda batch: batch.targets.tolist())
        errors.append([stepper.train(batch, turn, 1e-3) for batch in batches[:8]])
        errors[-1].append(sum(stepper.validate(batch)[0] for batch in batches[:8]))
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-4)


@pytest.mark.parametrize(
    ("n_events", "epochs"), [(100, 8), (300, 3), (1000, 1), (10_000, 1), (10, 40)]
)
def test_a_larger_dataset_is_shown_fewer_times(n_events, epochs):
    assert length(settings(epochs=40, presentations=800), n_events) == epochs
