"""A model of others in a process of its own: what it does there is one line of the job."""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from graph_toys import random_model
from models import LIMITS, OUTPUT, candidates_of, constant, pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.io.manifest import line, record_of, sha256_of
from ptmiss.learn.onnx import child as module
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import frames, worker
from ptmiss.learn.onnx.child import Child, ModelError
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators.evaluate import Models, evaluate
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings, ExternalModel
from toys import Toy, make_toy, met_of, toy_skim

SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}


def limits(**changes: float) -> ModelLimits:
    return ModelLimits(**{**LIMITS, **changes})


@pytest.fixture
def child() -> Iterator[Child]:
    with Child(1, limits()) as one:
        yield one


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy(6, 5, selected=True, **SMALL)


def loaded(child: Child, model: onnx.ModelProto, with_weights: bool = False) -> NetworkEstimator:
    found = child.load(model.SerializeToString(), "model.onnx", with_weights)
    return NetworkEstimator(found, 1, with_weights, child)


def test_a_model_gives_the_same_bits_inside_and_outside(child: Child, toy: Toy) -> None:
    for model in (random_model(), pf_model(), pf_model(batch=2, slots=300)):
        inside = NetworkEstimator(onnx_file.accept(model, "model.onnx"), 1, with_weights=True)
        outside = loaded(child, model, with_weights=True)
        expected, found = (one.estimate(candidates_of(toy)) for one in (inside, outside))
        np.testing.assert_array_equal(found.px, expected.px)
        np.testing.assert_array_equal(found.py, expected.py)
        assert outside.has_weights == inside.has_weights
        if inside.has_weights:
            np.testing.assert_array_equal(found.weights, expected.weights)


def test_categories_arrive_in_the_type_that_the_model_asks_for(child: Child, toy: Toy) -> None:
    # 50 GeV for each unit of charge code, all candidates together, as an int64 sum
    model = pf_model()
    for value in model.graph.input[1:]:
        value.type.tensor_type.elem_type = TensorProto.INT64
    del model.graph.node[:]
    model.graph.node.extend([
        helper.make_node("Concat", ["input_cat0", "input_cat1"], ["codes"], axis=2),
        helper.make_node("ReduceSum", ["codes", "candidates"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], [OUTPUT], to=TensorProto.FLOAT),
    ])  # fmt: skip
    result = loaded(child, model).estimate(candidates_of(toy))
    sums = np.add.reduceat(toy.candidates["charge"] + 1.0, toy.offsets[:-1])
    np.testing.assert_array_equal(result.px, 50.0 * sums)


def products(count: int, size: int) -> onnx.ModelProto:
    """Return minus the sum, after `count` products of matrices that nobody needs."""
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["top"], keepdims=0),
        helper.make_node("Expand", ["top", "square"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(count)),
        helper.make_node("ReduceMax", [f"m{count}"], ["most"], keepdims=0),
    ]
    model = pf_model(nodes=nodes, constants=[constant("square", [size, size])])
    model.graph.output.append(helper.make_tensor_value_info("most", TensorProto.FLOAT, []))
    model.graph.node[3].output[0] = "sum"
    model.graph.node.append(helper.make_node("Where", ["never", "most", "sum"], [OUTPUT]))
    model.graph.node.insert(-1, helper.make_node("IsNaN", ["most"], ["never"]))
    return model


def large_shape(side: int) -> onnx.ModelProto:
    """Return minus the sum, and a matrix of side x side whose shape follows from the data."""
    nodes = [
        helper.make_node("ReduceSum", ["input"], ["any"], keepdims=0),
        helper.make_node("Mul", ["any", "nothing"], ["zero"]),
        helper.make_node("Cast", ["zero"], ["offset"], to=TensorProto.INT64),
        helper.make_node("Add", ["offset", "sides"], ["square"]),
        helper.make_node("Expand", ["any", "square"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["most"], keepdims=0),
        helper.make_node("IsNaN", ["most"], ["never"]),
        helper.make_node("Where", ["never", "most", "sum"], [OUTPUT]),
    ]
    constants = [constant("nothing", 0.0, np.float32), constant("sides", [side, side])]
    model = pf_model(nodes=nodes, constants=constants)
    model.graph.node[3].output[0] = "sum"
    return model


def test_a_model_that_takes_minutes() -> None:
    with Child(1, limits(seconds=1.0)) as child:
        model = loaded(child, products(200, 3000))
        with pytest.raises(UserError, match=r"takes more than 1 s .evaluate\.limits\.seconds"):
            model.estimate(candidates_of(make_toy(2, 5, **SMALL)))
        assert not child.is_alive


def test_a_model_that_takes_gigabytes(child: Child, toy: Toy) -> None:
    assert np.all(np.isfinite(loaded(child, large_shape(100)).estimate(candidates_of(toy)).px))
    with pytest.raises(UserError, match=r"model\.onnx: the model fails on these events") as caught:
        loaded(child, large_shape(1 << 14)).estimate(candidates_of(toy))
    assert "\n" not in str(caught.value)


def test_a_model_that_crashes(child: Child, toy: Toy) -> None:
    model = loaded(child, pf_model())
    os.kill(child.pid, signal.SIGSEGV)
    with pytest.raises(UserError, match=r"ends its process .SIGSEGV.; it is broken, or needs"):
        model.estimate(candidates_of(toy))
    with pytest.raises(UserError, match="cannot be loaded: it ends its process"):
        loaded(child, pf_model())


def test_an_output_without_a_name_does_not_crash_the_job(tmp_path: Path) -> None:
    # passes every check and ends ONNX Runtime 1.31 with a segmentation fault
    model = random_model()
    next(node for node in model.graph.node if "x/0_3" in node.output).output[0] = ""
    with pytest.raises(UserError, match=r"events: it ends its process .SIGSEGV.*memory_mb\)$"):
        run(tmp_path, model)
    assert not (tmp_path / "out.parquet").exists()


def test_a_model_that_holds_its_slots_in_itself_says_what_to_set(tmp_path: Path) -> None:
    node = helper.make_node("Reshape", ["p", "shape"], ["q"])
    model = pf_model(nodes=[node], constants=[constant("shape", [-1, 500, 2])])
    model.graph.node.insert(1, model.graph.node.pop())
    model.graph.node[2].input[0] = "q"
    with pytest.raises(UserError, match=r"the model fails on these events.* slots: 4500\}\)$"):
        run(tmp_path, model)
    assert run(tmp_path, model, slots=500)["theirs"] == 0


@pytest.mark.parametrize(
    "header",
    [b"[]", b"hello", b"{}", b'{"arrays": 1}', b"[" * 50_000,
     b'{"arrays": [["0", "float32", [1000]]]}', b'{"arrays": [["0", "float32", [-1]]]}',
     b'{"arrays": [["0", "object", [1]]]}'],
)  # fmt: skip
def test_a_process_is_not_trusted(header: bytes) -> None:
    content = io.BytesIO(struct.pack("<I", len(header)) + header + b"\x00" * 10_000)
    with pytest.raises(frames.MessageError):
        frames.decode(content.read, 1000)


def test_a_message_arrives_as_it_was_sent() -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 2), np.int64)}
    content = io.BytesIO(b"".join(frames.encode({"ask": "run"}, arrays)))
    header, found = frames.decode(content.read, 24)
    assert header == {"ask": "run"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    with pytest.raises(frames.MessageError, match="a header of"):
        list(frames.encode({"ask": "x" * (1 << 20)}))


def test_the_process_of_a_model_can_write_no_file(child: Child) -> None:
    child.load(pf_model().SerializeToString(), "model.onnx", False)
    text = Path(f"/proc/{child.pid}/limits").read_text()
    soft = {line[:26].strip(): line[26:].split()[0] for line in text.splitlines()[1:]}
    assert soft["Max file size"] == soft["Max core file size"] == "0"
    assert int(soft["Max address space"]) < 4 << 30


def settings(external: dict, **changes: float) -> EvaluateSettings:
    return EvaluateSettings(estimators=("pf",), external=external, limits=limits(**changes))


def run(tmp_path: Path, model: onnx.ModelProto, slots: int | None = None, **changes: float):
    toy_skim(tmp_path / "skim.parquet", n_events=4, **SMALL)
    path = tmp_path / "theirs.onnx"
    path.write_bytes(model.SerializeToString())
    one = str(path) if slots is None else ExternalModel(path=str(path), slots=slots)
    models = Models(None, {"theirs": path}, 1)
    out = tmp_path / "out.parquet"
    try:
        return evaluate(
            tmp_path / "skim.parquet", "t", settings({"theirs": one}, **changes), out,
            models,
        )  # fmt: skip
    finally:
        assert not list(tmp_path.glob("*.tmp*"))


def test_a_model_that_counts_its_pads_says_what_to_set(tmp_path: Path) -> None:
    text = (
        r"theirs\.onnx: each pad after the candidates moves pTmiss by \(-0\.5, 0\) GeV.*"
        r"set evaluate\.external\.theirs: \{path: .*theirs\.onnx, slots: 4500\}"
    )
    with pytest.raises(UserError, match=text):
        run(tmp_path, pf_model(pad_bias=0.01))
    assert not (tmp_path / "out.parquet").exists()


def test_a_model_that_counts_its_pads_gets_as_many_as_it_wants(tmp_path: Path) -> None:
    assert run(tmp_path, pf_model(pad_bias=0.01), slots=500)["theirs"] == 0
    table = pq.read_table(tmp_path / "out.parquet")
    np.testing.assert_allclose(
        table["theirs_px"], table["pf_px"].to_numpy() - 500 * 0.01 * 50.0, atol=1e-3
    )


def test_slots_of_the_settings_and_of_the_file_must_agree(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"takes 400 slots, but evaluate\.external\.theirs\.slots"):
        run(tmp_path, pf_model(slots=400), slots=4500)
    assert run(tmp_path, pf_model(slots=400), slots=400)["events"] == 4


def broken(threshold: float) -> onnx.ModelProto:
    """Return NaN for an event whose sum of px / 50 GeV is above the threshold."""
    nodes = [
        helper.make_node("Greater", ["sum", "threshold"], ["much"]),
        helper.make_node("Where", ["much", "nan", "sum"], [OUTPUT]),
    ]
    constants = [
        constant("threshold", threshold, np.float32), constant("nan", np.nan, np.float32),
    ]  # fmt: skip
    model = pf_model(nodes=nodes, constants=constants)
    model.graph.node[3].output[0] = "sum"
    return model


def test_estimates_that_are_not_numbers_end_the_job_above_a_share(tmp_path: Path) -> None:
    toy = make_toy(4, 0, **SMALL)
    assert np.max(met_of(toy)) / 50.0 < 1e6
    with pytest.raises(UserError, match=r"4 of 4 estimates of theirs .*evaluate\.limits\.not_fin"):
        run(tmp_path, broken(-1e6))
    assert not (tmp_path / "out.parquet").exists()
    assert run(tmp_path, broken(-1e6), not_finite=1.0)["theirs"] == 4
    assert run(tmp_path, broken(1e6))["theirs"] == 0


def test_a_closed_process_is_gone() -> None:
    with Child(1, limits()) as child:
        child.load(pf_model().SerializeToString(), "model.onnx", False)
        pid = child.pid
    assert not child.is_alive
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(ValueError, match="closed"):
        child.run([OUTPUT], {})
    assert issubclass(ModelError, Exception)


def is_gone(pid: int, within: float = 20.0) -> bool:
    """Say whether a process ends in time; nobody may be there to collect an orphan's status."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


JOB = """
import sys
from pathlib import Path
from ptmiss.learn.onnx.child import Child
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.learn.settings.models import ModelLimits
from models import candidates_of
from toys import make_toy
limits = ModelLimits(memory_mb=800, seconds=600.0, not_finite=0.001)
child = Child(1, limits)
model = child.load(Path(sys.argv[1]).read_bytes(), "model.onnx", False)
print(child.pid, flush=True)
NetworkEstimator(model, 1, False, child).estimate(candidates_of(make_toy(2, 5)))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_killed_leaves_no_process_behind(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "slow.onnx"
    path.write_bytes(products(200, 3000).SerializeToString())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", JOB, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as job:
        pid = int(job.stdout.readline())
        time.sleep(1.0)  # the batch is being computed now
        job.send_signal(how)
        job.wait()
        try:
            assert is_gone(pid)
        finally:
            if not is_gone(pid, 0.1):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen]:
    """Give a process, limited to 1 s, that computes for minutes and that no job waits for."""
    command = [sys.executable, "-P", "-m", worker.__name__, "1", "800", "1.0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, bufsize=0, **pipes) as one:

        def ask(header: dict, arrays: dict) -> None:
            one.stdin.write(b"".join(frames.encode(header, arrays)))

        def answer() -> dict:
            def exactly(n: int) -> bytes:
                content = b""
                while len(content) < n:
                    content += one.stdout.read(n - len(content)) or pytest.fail("no answer")
                return content

            return frames.decode(exactly, 0)[0]

        assert answer() == {"ready": True}
        content = np.frombuffer(products(200, 3000).SerializeToString(), np.uint8)
        ask({"ask": "load", "path": "model.onnx", "with_weights": False}, {"model": content})
        assert "interface" in answer()
        feed = {"input": np.ones((1, 5, 8), np.float32)}
        feed |= {f"input_cat{i}": np.zeros((1, 5, 1), np.float32) for i in range(3)}
        ask({"ask": "run", "outputs": [OUTPUT]}, feed)
        yield one
        one.kill()


def test_a_process_whose_pipe_is_closed_ends_within_a_batch(busy: subprocess.Popen) -> None:
    time.sleep(0.5)
    busy.stdin.close()
    assert busy.wait(20.0) == 1  # and not by its alarm


def test_a_process_has_a_time_limit_of_its_own(busy: subprocess.Popen) -> None:
    assert busy.wait(20.0) == -signal.SIGALRM


def fake_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "onnxruntime.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_a_runtime_that_cannot_be_imported_is_no_fault_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = "import sys; sys.stderr.write('x' * 200_000)\n"
    fake_runtime(tmp_path, monkeypatch, noise + "raise ImportError('libgone.so: no such file')")
    with pytest.raises(UserError) as caught, Child(1, limits()) as child:
        loaded(child, pf_model())
    assert str(caught.value) == (
        "model.onnx: the process for it could not be started in this environment: it ends (exit"
        " status 1); it says: ImportError: libgone.so: no such file"
    )


def test_a_slow_start_is_not_told_as_a_slow_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 1.0)
    fake_runtime(tmp_path, monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(UserError) as caught, Child(1, limits()) as child:
        loaded(child, pf_model())
    assert str(caught.value) == (
        "model.onnx: the process for it could not be started in this environment: it takes more"
        " than 1 s to start"
    )


def test_a_large_limit_of_the_stack_does_not_use_up_the_memory(toy: Toy) -> None:
    before = resource.getrlimit(resource.RLIMIT_STACK)
    large = 1_000_000 << 10  # ulimit -s 1000000
    if 0 <= before[1] < large:
        pytest.skip("the stack is limited to less")
    resource.setrlimit(resource.RLIMIT_STACK, (large, before[1]))
    try:
        with Child(4, limits()) as child:
            assert resource.getrlimit(resource.RLIMIT_STACK) == (large, before[1])
            assert np.all(np.isfinite(loaded(child, pf_model()).estimate(candidates_of(toy)).px))
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, before)


def test_a_trainings_model_without_a_sum_is_asked_for_its_pads_too(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(pf_model(pad_bias=0.01).SerializeToString())
    models = Models(path, {}, 1)
    text = r"each pad .* of a batch; export the training again$"
    with pytest.raises(UserError, match=text), models.loaded(settings({}), with_weights=False):
        pass


def test_a_sum_lets_only_the_trainings_model_run_inside(tmp_path: Path) -> None:
    paths = [tmp_path / "own.onnx", tmp_path / "theirs.onnx"]
    for path in paths:
        path.write_bytes(pf_model().SerializeToString())
        record_of(path).write_text(line(sha256_of(path), path.name))
    with Models(paths[0], {"theirs": paths[1]}, 1).loaded(settings({}), False) as networks:
        assert not isinstance(networks["deepmet"].session, Child)
        assert isinstance(networks["theirs"].session, Child)
