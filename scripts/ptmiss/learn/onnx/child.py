"""A model of others in a process of its own, with limits of time and memory.

A model is a program, and the runtime that interprets it trusts it: files that pass every check have
crashed it, kept it busy for ever and filled the memory. In a process of its own all of that is one
line of the job. Measured with a DeepMET: 0.9 s to start once a job, 10 MB beside the runtime's 80,
and the pipes take half as long as the network itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.resources import PACKAGE
from ptmiss.learn.onnx import frames, worker
from ptmiss.learn.onnx.check import legible
from ptmiss.learn.onnx.file import CMSSW, Interface
from ptmiss.learn.onnx.interface import CONTEXT
from ptmiss.learn.settings.models import ModelLimits

START_SECONDS = 300.0
"""For Python to load the runtime, before a model is read; a busy network disk may need a minute."""

PIPE_BYTES = 1 << 20
"""A batch in one piece: with 64 kB the two processes wait for each other three times."""

STACK_BYTES = 8 << 20
"""Most for the stack of a thread, which takes its share of the limited address space at once."""

TAIL_BYTES, LINE_CHARACTERS = 4096, 300
"""Of what a process says that cannot start: bytes kept, characters of the last line shown."""

MOST_NUMBERS = 1024
"""Of an estimate, and of what a model sees around a candidate."""

_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Without these, threads that never run reserve gigabytes of the address space that is limited."""


class ModelError(Exception):
    """What a model did instead of an answer, as the end of a line."""


@contextlib.contextmanager
def _usual_stack() -> Iterator[None]:
    """Let processes started in here have threads of an ordinary size: libc asks the soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft > STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


class Child:
    """A process that holds one model at a time; `close` it, or use it in a `with` statement.

    threads: of the runtime. Has the method `run` of a session of the runtime. To be made by a
    thread that lives as long: with that thread the process ends.
    """

    def __init__(self, threads: int, limits: ModelLimits) -> None:
        self.threads = threads
        self._limits = limits
        self._late = f"it takes more than {limits.seconds:g} s (evaluate.limits.seconds)"
        self._ready = False
        self._tail = b""
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        arguments = map(str, (threads, limits.memory_mb, limits.seconds))
        # our own Python and package; -P: no module of the working directory takes part
        with _usual_stack():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", worker.__name__, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)},
                bufsize=0,
            )
        self._streams = self._pipes()
        for stream in self._streams[:2]:
            os.set_blocking(stream.fileno(), False)
            with contextlib.suppress(OSError):  # a user's pipes may be limited to less
                fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        """Return requests, answers and what the process says besides."""
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        if pipes[0] is None or pipes[1] is None or pipes[2] is None:
            raise RuntimeError("a process without pipes")
        return pipes[0], pipes[1], pipes[2]

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process can still answer: a model may have taken it down."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process; it has nothing to save."""
        self._process.kill()
        self._process.wait()
        for stream in self._streams:
            stream.close()

    def load(self, content: bytes, path: str, with_weights: bool) -> Interface:
        """Check a model and make it ready; returns what it wants and gives.

        content: of the file; path: for messages. Raises `UserError` for a model that is not
        accepted, and for one that takes the process down.
        """
        if not self._ready:
            self._start(path)
        try:
            ask = {"ask": "load", "path": path, "with_weights": with_weights}
            header, _ = self._ask(ask, {"model": np.frombuffer(content, np.uint8)}, 0)
        except ModelError as failure:
            raise UserError(f"{path}: the model cannot be loaded: {failure}") from None
        return _interface(header, path)

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of the model for input tensors by name; raises `ModelError`."""
        most = 4 * (1 << 20) + sum(array.nbytes for array in feed.values())
        _, arrays = self._ask({"ask": "run", "outputs": list(outputs)}, feed, most)
        if list(arrays) != [str(i) for i in range(len(outputs))]:
            raise ModelError(f"it gives {len(arrays)} outputs, expected {len(outputs)}")
        return list(arrays.values())

    def _start(self, path: str) -> None:
        """Wait until the process is ready; only before that it has something to say to us."""
        deadline, stream = time.monotonic() + START_SECONDS, self._streams[2]
        late = f"it takes more than {START_SECONDS:g} s to start"
        try:
            piece = None
            while piece != b"":
                self._wait(stream, selectors.EVENT_READ, deadline, late)
                piece = os.read(stream.fileno(), TAIL_BYTES)
                self._tail = (self._tail + piece)[-TAIL_BYTES:]
            self._receive(deadline, 0, late)
        except ModelError as failure:
            lines = self._tail.decode(errors="replace").strip().splitlines()
            last = f"; it says: {legible(lines[-1].strip(), LINE_CHARACTERS)}" if lines else ""
            raise UserError(
                f"{path}: the process for it could not be started in this environment:"
                f" {failure}{last}"
            ) from None
        self._ready = True

    def _ask(
        self, header: Mapping[str, object], arrays: Mapping[str, np.ndarray], most: int
    ) -> frames.Message:
        deadline = time.monotonic() + self._limits.seconds
        for piece in frames.encode(header, arrays):
            self._send(piece, deadline)
        answer, results = self._receive(deadline, most, self._late)
        if "error" in answer:
            raise UserError(legible(str(answer["error"])))
        if "failure" in answer:
            raise ModelError(legible(str(answer["failure"])))
        return answer, results

    def _send(self, piece: memoryview, deadline: float) -> None:
        stream = self._streams[0]
        while piece:
            self._wait(stream, selectors.EVENT_WRITE, deadline, self._late)
            try:
                piece = piece[os.write(stream.fileno(), piece) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._death() from None

    def _receive(self, deadline: float, most: int, late: str) -> frames.Message:
        stream = self._streams[1]

        def exactly(n: int) -> bytearray:
            content = bytearray(n)
            view, have = memoryview(content), 0
            while have < n:
                self._wait(stream, selectors.EVENT_READ, deadline, late)
                try:
                    got = os.readv(stream.fileno(), [view[have:]])
                except BlockingIOError:
                    continue
                if not got:
                    raise self._death()
                have += got
            return content

        try:
            return frames.decode(exactly, most)
        except frames.MessageError as error:
            raise ModelError(f"it answers with {error}") from None

    def _wait(self, stream: IO[bytes], event: int, deadline: float, late: str) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                self._process.kill()
                self._process.wait()
                raise ModelError(late)

    def _death(self) -> ModelError:
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        name = f"exit status {code}"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        if not self._ready:
            return ModelError(f"it ends ({name})")
        if code == -signal.SIGALRM:  # of the process itself: this one was held up
            return ModelError(self._late)
        return ModelError(
            f"it ends its process ({name}); it is broken, or needs more than"
            f" {self._limits.memory_mb} MB (evaluate.limits.memory_mb)"
        )


def _interface(header: Mapping[str, Any], path: str) -> Interface:
    """Return what a process says of a model; nothing in it is taken on trust."""
    try:
        described = Interface(**header["interface"])
        inputs = {name: (str(own), str(kind)) for name, (own, kind) in described.inputs.items()}
        sizes = (described.batch, described.slots)
        batch, slots = (None if size is None else int(size) for size in sizes)
        metadata = {str(key): str(value) for key, value in described.metadata.items()}
        notices = tuple(map(str, described.notices))
        kinds = {kind for _, kind in inputs.values()}
        width, context = int(described.width), int(described.context)
        own = set(CMSSW.inputs) | ({CONTEXT} if context else set())
        if set(inputs) != own or kinds - set(frames.TYPES):
            raise ValueError
        if not (1 <= width <= MOST_NUMBERS and 0 <= context <= MOST_NUMBERS):
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path}: its process gives no sensible description of it") from None
    return Interface(
        path=path,
        batch=batch,
        slots=slots,
        metadata=metadata,
        inputs=inputs,
        output=str(described.output),
        width=width,
        has_weights=bool(described.has_weights),
        notices=notices,
        context=context,
    )
