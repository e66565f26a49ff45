"""What becomes of a reader that is given nonsense: an outcome for each case, never the end of us.

A family is a module with two functions. `prepare(folder)` writes good files and returns whatever
its cases need. `case(rng, state, folder)` spoils something with numbers from `rng` alone and gives
it to the product; it returns if that took it, lets the product's error through, and raises
`SilentDifference` where something else came out than went in although a sum should have told.
`run(seed, count, folder)` of a family calls `run` here.

Cases run in a child process, so that a crash of it is an outcome too. Case i of a seed is always
the same.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
SCRIPTS = Path(os.environ.get("PTMISS_SCRIPTS", TESTS.parent / "scripts"))
"""PTMISS_SCRIPTS: of another state of the source, to count what it did."""

OUTCOMES = ("ok", "one line", "traceback", "hang", "memory", "crash", "silent difference")
GOOD = ("ok", "one line")
HANG_S = 10
"""A case hangs that has used so many seconds of a processor, or has waited as long for nothing."""
MOST_S = 6 * HANG_S
"""However busy the machine is."""
MEMORY_BYTES = 1 << 30
LONGEST_LINE = 2000
"""Characters: a longer message is no line that somebody reads."""


class SilentDifference(Exception):  # noqa: N818 - the name of the outcome
    """Another content was taken for the one that a sum vouches for."""


class Hang(BaseException):
    """A case took too long; no handler of the product may catch it."""


@dataclass(frozen=True)
class Result:
    """What became of a case; where: of the product, the innermost line that failed."""

    number: int
    outcome: str
    where: str = ""
    text: str = ""


def run(module: str, seed: int, count: int, folder: Path, only: int | None = None) -> Counter:
    """Run cases 0 to count - 1 of a family and count the outcomes; print each new kind of failure.

    module: such as `fuzz.family_root`; folder: an empty one; only: a single case.
    """
    found: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    seen: set[tuple[str, str]] = set()
    numbers = range(count) if only is None else range(only, only + 1)
    for result in results(module, seed, numbers, Path(folder)):
        found[result.outcome] += 1
        key = result.outcome, result.where
        if result.outcome not in GOOD and key not in seen:
            seen.add(key)
            print(
                f"{module}: {result.outcome} in case {result.number} of seed {seed}, {result.where}"
                f"\n{result.text}\nrepeat: python tests/fuzz/large.py --family"
                f" {module.rpartition('family_')[2]} --seed {seed} --only {result.number}",
                file=sys.stderr,
                flush=True,
            )
    return found


def results(module: str, seed: int, numbers: range, folder: Path) -> Iterator[Result]:
    """Yield the result of each case; a child process that dies is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    start = numbers.start
    while start < numbers.stop:
        ours, theirs = context.Pipe(duplex=False)
        rest = range(start, numbers.stop)
        child = context.Process(target=_work, args=(theirs, module, seed, rest, folder))
        child.start()
        theirs.close()
        try:
            for start, result in _received(ours, rest):  # noqa: B007 - the rest goes on from there
                if result is not None:
                    yield result
        finally:
            child.kill()
            child.join()
            ours.close()


def _received(pipe, numbers: range) -> Iterator[tuple[int, Result | None]]:
    """Yield (next case, result); ends when the child has."""
    if not pipe.poll(600.0):
        raise RuntimeError("the family could not be prepared in ten minutes")
    try:
        problem = pipe.recv()
    except EOFError:
        problem = "the child ended"
    if problem:
        raise RuntimeError(f"the family could not be prepared: {problem}")
    for number in numbers:
        try:
            # longer than the alarm of the child: only what holds back signals comes here
            if not pipe.poll(MOST_S + 2 * HANG_S):
                yield number + 1, Result(number, "hang", "in a library", "no answer to the alarm")
                return
            yield number + 1, pipe.recv()
        except EOFError:
            yield number + 1, Result(number, "crash", "in a library", "the process ended")
            return


def _work(pipe, module: str, seed: int, numbers: range, folder: Path) -> None:
    sys.path[:0] = [str(TESTS), str(SCRIPTS)]
    warnings.simplefilter("ignore")
    try:
        family = importlib.import_module(module)
        state = family.prepare(folder)
    except BaseException:
        pipe.send(traceback.format_exc())
        return
    pipe.send("")
    used = _status("VmSize")
    # a fence far beyond the limit: a case that runs away must not take the machine with it
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * MEMORY_BYTES,) * 2)
    for number in numbers:
        pipe.send(_outcome(family, state, np.random.default_rng([seed, number]), number, folder))


def _outcome(family, state, rng: np.random.Generator, number: int, folder: Path) -> Result:
    Path("/proc/self/clear_refs").write_text("5")  # the largest memory counts from here on
    before = _status("VmRSS")
    signal.signal(signal.SIGALRM, _Watch().alarm)
    # again and again, in case a handler of a library swallows the first one
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, min(2.0, HANG_S), min(2.0, HANG_S))
            family.case(rng, state, folder)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        result = Result(number, "ok")
    except Hang:
        result = Result(number, "hang", *_where())
    except MemoryError:
        result = Result(number, "memory", *_where())
    except SilentDifference as error:
        result = Result(number, "silent difference", str(error))
    except SystemExit as error:
        good = error.code in (1, 2) or (isinstance(error.code, str) and "\n" not in error.code)
        result = Result(number, *(("one line",) if good else ("traceback", f"exit {error.code}")))
    except Exception as error:
        result = _of_error(number, error)
    grown = _status("VmHWM") - before
    if grown > MEMORY_BYTES:
        result = Result(number, "memory", f"{grown / 1e9:.1f} GB", result.text)
    return result


def _of_error(number: int, error: Exception) -> Result:
    # by name: a family may load the package of another commit
    if type(error).__name__ != "UserError":
        return Result(number, "traceback", *_where())
    message = str(error)
    if not message or "\n" in message or len(message) > LONGEST_LINE:
        return Result(number, "traceback", "a message that is no line", message[:LONGEST_LINE])
    return Result(number, "one line", "", message)


def _where() -> tuple[str, str]:
    frames = traceback.extract_tb(sys.exc_info()[2])
    ours = [frame for frame in frames if "/scripts/ptmiss/" in frame.filename] or frames
    place = (
        f"{ours[-1].filename.rpartition('/scripts/ptmiss/')[2]}:{ours[-1].lineno}" if ours else ""
    )
    return place, "".join(traceback.format_exc().splitlines(keepends=True)[-12:])


class _Watch:
    """Raises `Hang` in a case that computes or waits for too long; others on the machine may be
    busy, so seconds that pass do not count alone."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first = self.before = time.process_time()

    def alarm(self, *_: object) -> None:
        """Look at the clocks."""
        now = time.process_time()
        waits = now - self.before < 0.02
        self.before = now
        wall = time.monotonic() - self.started
        if now - self.first >= HANG_S or wall >= MOST_S or (waits and wall >= HANG_S):
            raise Hang


def _status(name: str) -> int:
    """Return a number of /proc/self/status in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def classify(returncode: int, stderr: str) -> str:
    """Return the outcome of a command that ran as a process of its own (without its limits)."""
    if returncode < 0:
        return "crash"
    if "Traceback (most recent call last)" in stderr or "MemoryError" in stderr:
        return "traceback"
    if returncode == 0:
        return "ok"
    last = [line for line in stderr.splitlines() if line.strip()][-1:] or [""]
    return "one line" if last[0].startswith(("error: ", "usage: ")) else "traceback"


@contextlib.contextmanager
def own_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder for one case, removed afterwards."""
    import shutil

    path = folder / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
