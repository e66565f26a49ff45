"""The process that runs a model of others: started by `child`, with limits, spoken to by pipes.

A request is answered before the next one is read. Whatever goes wrong here, a crash included, ends
as one line of the job that started it. The process ends with that job, however the job ends and
whatever it is computing for it: the kernel sees to that where it can, a thread watches standard
input, and an alarm limits each request.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import resource
import select
import signal
import sys
import threading
from typing import Any, BinaryIO

import numpy as np
import onnxruntime

from ptmiss.core.errors import UserError
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import frames, runtime
from ptmiss.learn.onnx.check import reason_of

MOST_BYTES = 1 << 30
"""Of a request: a file of 64 MB, or the features of a batch; sent by ourselves."""

STACK_MB = 80
"""Address space of a thread of the runtime: its stack and its part of the heap."""

PATIENCE = 2.0
"""Seconds that a request may take longer than the job waits for it: the job is first to tell."""

_PR_SET_PDEATHSIG = 1


class _Worker:
    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None

    def answer(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> frames.Message:
        if header["ask"] == "load":
            self._session = None
            model = onnx_file.parse(arrays["model"].tobytes(), header["path"])
            with_weights = header["with_weights"] and model.has_weights
            self._session = runtime.session(model, self._threads, with_weights)
            described = dataclasses.replace(model, proto=None)  # a deep copy of the graph otherwise
            interface = dataclasses.asdict(described)
            del interface["proto"]
            return {"interface": interface}, {}
        if self._session is None:
            raise ValueError("it is asked before it is loaded")
        results = self._session.run(header["outputs"], arrays)
        return {}, {str(i): result for i, result in enumerate(results)}


def main() -> None:
    """Answer requests; arguments: number of threads, limits in MB and in seconds."""
    threads, memory_mb, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:  # libraries that print must not disturb the answers
        os.dup2(nowhere.fileno(), 1)
        _end_with_the_job(requests.fileno())
        _limit(memory_mb + STACK_MB * threads)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, also within the runtime
        worker = _Worker(threads)
        os.dup2(nowhere.fileno(), 2)  # its end tells the job that nothing went wrong so far
    _send(answers, {"ready": True}, {})
    while True:
        try:
            header, arrays = frames.decode(lambda n: _exactly(requests, n), MOST_BYTES)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, seconds + PATIENCE)
        try:
            answer = worker.answer(header, arrays)
        except UserError as error:
            answer = {"error": str(error)}, {}
        except Exception as error:  # the runtime's errors have no common class of their own
            answer = {"failure": reason_of(error)}, {}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(answers, *answer)
        del answer, arrays


def _end_with_the_job(requests: int) -> None:
    """End this process when the job does, or closes the pipe of its requests.

    The pipe tells it everywhere, but not while the main thread keeps Python's lock in a library.
    """
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    watching = threading.Event()
    threading.Thread(target=_watch, args=(requests, watching), daemon=True).start()
    watching.wait()  # what the thread needs is taken before memory is limited


def _watch(requests: int, watching: threading.Event) -> None:
    poll = select.poll()
    poll.register(requests, 0)  # a closed pipe is reported unasked
    watching.set()
    poll.poll()
    os._exit(1)


def _limit(memory_mb: int) -> None:
    """Limit what this process may still take, beyond the libraries that are loaded already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # where /proc or the limit does not exist
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + (memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _exactly(stream: BinaryIO, n: int) -> bytes:
    content = stream.read(n)
    if len(content) < n:
        raise EOFError
    return content


def _send(stream: BinaryIO, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    try:
        pieces = list(frames.encode(header, arrays))
    except (frames.MessageError, ValueError, TypeError) as error:
        pieces = list(frames.encode({"failure": f"it gives {reason_of(error)}"}))
    for piece in pieces:
        stream.write(piece)
    stream.flush()


if __name__ == "__main__":
    main()
