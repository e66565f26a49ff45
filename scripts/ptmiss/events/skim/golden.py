"""Golden JSON: which luminosity blocks of recorded collisions are certified.

`{"run": [[first, last], ...]}`, both ends included: what CMS publishes for each data-taking period.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike

_LARGEST = 2**32 - 1
_MOST = 100_000_000
"""Characters: a year of collisions has a hundred thousand."""


@dataclass(frozen=True)
class Golden:
    """Certified luminosity blocks. blocks: run -> first and last of each range, (n, 2), int64."""

    blocks: dict[int, np.ndarray]

    def good(self, run: np.ndarray, lumi: np.ndarray) -> np.ndarray:
        """Return which events are in a certified block, bool, shape (n_events,).

        A run that is not listed is not certified.
        """
        good = np.zeros(len(run), dtype=bool)
        for number in np.unique(run):
            ranges = self.blocks.get(int(number))
            if ranges is None:
                continue
            mine = run == number
            block = lumi[mine].astype(np.int64)
            place = np.searchsorted(ranges[:, 0], block, side="right") - 1
            good[mine] = (place >= 0) & (block <= ranges[np.maximum(place, 0), 1])
        return good


def read(path: PathLike) -> Golden:
    """Return the certified blocks of a file; raises `UserError` for one of another format."""
    require_regular(path, "name a golden JSON")
    try:
        with open(path, encoding="utf-8") as handle:
            text = handle.read(_MOST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise UserError(f"{path}: cannot be read ({reason}); name a golden JSON") from None
    if len(text) > _MOST:
        raise _other_format(path, f"it is longer than {_MOST} characters")
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise _other_format(path, "nested too deeply") from None
    except ValueError as error:
        raise _other_format(path, f"no JSON ({error})") from None
    if not isinstance(found, dict) or not found:
        raise _other_format(path, "its value is not an object with runs")
    return Golden({_run(path, key): _ranges(path, key, value) for key, value in found.items()})


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object; its `ValueError` says that a key stands twice."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a run stands twice")
    return mapping


def _run(path: PathLike, key: str) -> int:
    if not (key.isascii() and key.isdecimal() and int(key) <= _LARGEST):
        raise _other_format(path, f"{key[:40]!r} is no run number")
    return int(key)


def _ranges(path: PathLike, run: str, value: object) -> np.ndarray:
    pairs = value if isinstance(value, list) else []
    for pair in pairs or [None]:
        numbers = pair if isinstance(pair, list) else []
        if len(numbers) != 2 or not all(type(n) is int and 0 <= n <= _LARGEST for n in numbers):
            raise _other_format(path, f"run {run} has {str(pair)[:40]}")
        if numbers[0] > numbers[1]:
            raise _other_format(path, f"run {run}: {numbers} ends before it begins")
    return _joined(np.array(sorted(pairs), dtype=np.int64))


def _joined(ranges: np.ndarray) -> np.ndarray:
    """Return ranges, sorted by their beginning, such that none reaches into the next."""
    last = np.maximum.accumulate(ranges[:, 1])
    begins = np.append(True, ranges[1:, 0] > last[:-1])
    ends = np.append(begins[1:], True)
    return np.stack([ranges[begins, 0], last[ends]], axis=1)


def _other_format(path: PathLike, problem: str) -> UserError:
    return UserError(
        f'{path}: no golden JSON: {problem}; expected {{"run": [[first, last], ...]}} with'
        " luminosity blocks"
    )
