"""The process that runs a model of others: started by `child`, with limits, spoken to by pipes.

A request is answered before the next one is read. Whatever goes wrong here, a crash included, ends
as one line of the job that started it. The process ends with its standard input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import sys

import numpy as np
import onnxruntime

from ptmiss.errors import UserError
from ptmiss.estimators import frames, onnx_file, runtime
from ptmiss.estimators.onnx_check import reason_of

MOST_BYTES = 1 << 30
"""Of a request: a file of 64 MB, or the features of a batch; sent by ourselves."""

STACK_MB = 80
"""Address space of a thread of the runtime: its stack and its part of the heap."""


class _Worker:
    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None

    def answer(self, header: dict, arrays: dict[str, np.ndarray]) -> frames.Message:
        if header["ask"] == "load":
            self._session = None
            model = onnx_file.parse(arrays["model"].tobytes(), header["path"])
            with_weights = header["with_weights"] and model.has_weights
            self._session = runtime.session(model, self._threads, with_weights)
            described = dataclasses.replace(model, proto=None)  # a deep copy of the graph otherwise
            found = dataclasses.asdict(described)
            del found["proto"]
            return {"interface": found}, {}
        results = self._session.run(header["outputs"], arrays)
        return {}, {str(i): result for i, result in enumerate(results)}


def main() -> None:
    """Answer requests; the first argument is the number of threads, the second a limit in MB."""
    threads, memory_mb = int(sys.argv[1]), int(sys.argv[2])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:  # libraries that print must not disturb the answers
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    _limit(memory_mb + STACK_MB * threads)
    worker = _Worker(threads)
    _send(answers, {"ready": True}, {})
    while True:
        try:
            header, arrays = frames.decode(lambda n: _exactly(requests, n), MOST_BYTES)
        except EOFError:
            return
        try:
            answer = worker.answer(header, arrays)
        except UserError as error:
            answer = {"error": str(error)}, {}
        except Exception as error:  # the runtime's errors have no common class of their own
            answer = {"failure": reason_of(error)}, {}
        _send(answers, *answer)
        del answer, arrays


def _limit(memory_mb: int) -> None:
    """Limit what this process may still take, beyond the libraries that are loaded already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # where /proc or the limit does not exist
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + (memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _exactly(stream, n: int) -> bytes:
    content = stream.read(n)
    if len(content) < n:
        raise EOFError
    return content


def _send(stream, header: dict, arrays: dict[str, np.ndarray]) -> None:
    try:
        pieces = list(frames.encode(header, arrays))
    except (frames.MessageError, ValueError, TypeError) as error:
        pieces = list(frames.encode({"failure": f"it gives {reason_of(error)}"}))
    for piece in pieces:
        stream.write(piece)
    stream.flush()


if __name__ == "__main__":
    main()
