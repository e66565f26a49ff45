"""ROOT files, spoiled, given to the skim: TTree compressed and not, RNTuple, Delphes."""

from __future__ import annotations

import hashlib
import importlib.util
import struct
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uproot

from fuzz import harness

SMALL = {"pileup": 1.0, "per_collision": 6.0, "per_hard": 8.0}
N_EVENTS = 8
WITH_SUM = 0.1
"""Share of cases whose file keeps the sum of the good one."""

NUMBERS = (
    0, 1, -1, 2, 7, 18, 127, 128, 255, 256, 1000, 65535, 1 << 20, (1 << 24) - 1, 1 << 28,
    (1 << 31) - 1, -(1 << 31), 1 << 30, 1_000_100,
)  # fmt: skip
VALUES = (
    np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-45, 1e30, -1e30, 3.4e38, 1e6, 65535.5, 4e9,
)  # fmt: skip

_DATE = 1_905_011_106
"""ROOT's code of a date."""


@dataclass(frozen=True)
class Good:
    """A good file. job: sample and settings of its skim; baskets: first byte and number of bytes of
    each; described: the bytes outside of them; result: what the skim makes of it.
    """

    name: str
    job: tuple[Any, Any]
    content: bytes
    baskets: tuple[tuple[int, int], ...]
    described: np.ndarray
    result: pa.Table


def prepare(folder: Path) -> list[Good]:
    """Write the good files and skim them."""
    good = folder / "good"
    good.mkdir(parents=True, exist_ok=True)
    _write(good)
    found = []
    for name in ("lz4", "plain", "plain", "ntuple", "delphes"):
        path = good / f"{name}.root"
        job = _job("delphes" if name == "delphes" else "pfnano")
        with harness.own_folder(folder, "first") as own:
            if name == "ntuple" and not _reads_ntuples():
                continue
            result = _skim(path, own, job)
        content = path.read_bytes()
        baskets = _baskets(path)
        inside = np.zeros(len(content), dtype=bool)
        for seek, size in baskets:
            inside[seek : seek + size] = True
        described = np.flatnonzero(~inside)
        found.append(Good(name, job, content, baskets, described, result))
    return found


def _write(good: Path) -> None:
    """Write the good files, always the same bytes: without clock and random names."""
    from delphes_toys import write_delphes
    from toys import make_toy, pfnano_branches, write_tree

    toy = make_toy(N_EVENTS, 3, selected=True, **SMALL)
    branches = pfnano_branches(toy)
    defaults = {"uuid_function": lambda: uuid.UUID(int=1)}
    with (
        mock.patch.dict(uproot.writing.writable.create.defaults, defaults),
        mock.patch.dict(uproot.writing.writable.recreate.defaults, defaults),
        mock.patch.dict(uproot.writing.writable.update.defaults, defaults),
        mock.patch.object(uproot._util, "datetime_to_code", return_value=_DATE),
    ):
        write_tree(good / "lz4.root", branches, events_per_basket=3)
        with uproot.update(good / "lz4.root") as file:
            file["sqrt_s"] = "13"
        with uproot.recreate(good / "plain.root", compression=None) as file:
            tree = file.mktree("Events", {name: _type(values) for name, values in branches.items()})
            for start in range(0, N_EVENTS, 3):
                tree.extend({name: values[start : start + 3] for name, values in branches.items()})
            file["sqrt_s"] = "13"
        with uproot.recreate(good / "ntuple.root", compression=None) as file:
            file.mkrntuple("Events", branches)
        write_delphes(good / "delphes.root", N_EVENTS, pileup=2.0, per_collision=6.0, per_hard=8.0)


def _type(values):
    return getattr(values, "type", values).content if hasattr(values, "type") else values.dtype


def _reads_ntuples() -> bool:
    return importlib.util.find_spec("ptmiss.events.readers.rntuple") is not None


def _baskets(path: Path) -> tuple[tuple[int, int], ...]:
    """Return first byte and size of all baskets of the trees in a file."""
    found = []
    with uproot.open(path) as file:
        for key, kind in file.classnames(recursive=False).items():
            if kind != "TTree":
                continue
            for branch in file[key].itervalues(recursive=True):
                seeks, sizes = branch.member("fBasketSeek"), branch.member("fBasketBytes")
                found += [(int(a), int(b)) for a, b in zip(seeks, sizes, strict=False) if a]
    return tuple(sorted(found))


def _job(source: str) -> tuple[Any, Any]:
    """Return sample and settings of the skim of a file, as the tests of it have them."""
    import skims

    skims.CONFIG = harness.SCRIPTS.parent / "config.yaml"
    sample = skims.sample_of(source=source, selection="none" if source == "delphes" else "zmumu")
    return sample, skims.settings_of(chunk_events=4, rows_per_group=5)


def _skim(path: Path, out: Path, job: tuple[Any, Any]) -> pa.Table:
    from ptmiss.events.skim.stream import Skim

    Skim("fuzz", "0", *job).run([str(path)], out / "events.parquet", out / "ledger.json")
    return pq.read_table(out / "events.parquet")


def case(rng: np.random.Generator, state: list[Good], folder: Path) -> None:
    """Spoil one file."""
    good = state[int(rng.integers(len(state)))]
    spoiled = _spoiled(rng, good)
    with harness.own_folder(folder, "case") as own:
        path = own / "in.root"
        path.write_bytes(spoiled)
        vouched = rng.random() < WITH_SUM
        if vouched:
            digest = hashlib.sha256(good.content).hexdigest()
            Path(f"{path}.sha256").write_text(f"{digest}  in.root\n", encoding="utf-8")
        table = _skim(path, own / "out", good.job)
        if vouched and not table.equals(good.result):
            raise harness.SilentDifference(f"another skim from {good.name}.root with its sum")


def _spoiled(rng: np.random.Generator, good: Good) -> bytes:
    data = bytearray(good.content)
    kinds = [_flips, _described, _described, _number, _number, _cut, _hole]
    if good.baskets:
        kinds += [_swapped, _header, _header, _values, _values]
    else:
        kinds += [_values, _moved]
    kinds[int(rng.integers(len(kinds)))](rng, data, good)
    return bytes(data)


def _flips(rng, data: bytearray, good: Good) -> None:
    """Turn bits anywhere."""
    for _ in range(int(rng.integers(1, 9))):
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))


def _described(rng, data: bytearray, good: Good) -> None:
    """Turn bits in what describes the events."""
    for _ in range(int(rng.integers(1, 4))):
        data[good.described[rng.integers(len(good.described))]] ^= 1 << int(rng.integers(8))


def _number(rng, data: bytearray, good: Good) -> None:
    """Overwrite a length, a version or an address: 1, 2, 4 or 8 bytes."""
    size = int(2 ** rng.integers(4))
    at = int(good.described[rng.integers(len(good.described))])
    value = int(NUMBERS[rng.integers(len(NUMBERS))]) % (1 << (8 * size))
    little = good.name == "ntuple" and rng.random() < 0.7
    data[at : at + size] = value.to_bytes(size, "little" if little else "big")


def _cut(rng, data: bytearray, good: Good) -> None:
    """Cut the file and correct the length in its header, so that it looks whole."""
    del data[int(rng.integers(64, len(data))) :]
    data[12:16] = struct.pack(">i", len(data))


def _hole(rng, data: bytearray, good: Good) -> None:
    """Overwrite a stretch with zeros, ones, noise or another stretch of the file."""
    size = int(rng.integers(1, 600))
    at = int(rng.integers(len(data)))
    other = int(rng.integers(max(1, len(data) - size)))
    fill = (bytes(size), b"\xff" * size, rng.bytes(size), bytes(data[other : other + size]))
    end = len(data)
    data[at : at + size] = fill[int(rng.integers(4))]
    del data[end:]


def _moved(rng, data: bytearray, good: Good) -> None:
    """Take out some bytes or put some in, the length of the header stays true."""
    at = int(rng.integers(64, len(data)))
    if rng.random() < 0.5:
        del data[at : at + int(rng.integers(1, 20))]
    else:
        data[at:at] = rng.bytes(int(rng.integers(1, 20)))
    data[12:16] = struct.pack(">i", len(data))


def _swapped(rng, data: bytearray, good: Good) -> None:
    """Exchange two baskets, or have one stand for the other."""
    first, second = (good.baskets[i] for i in rng.integers(len(good.baskets), size=2))
    one = bytes(data[first[0] : sum(first)])
    other = bytes(data[second[0] : sum(second)])
    size = min(len(one), len(other)) if rng.random() < 0.5 else None
    data[first[0] : first[0] + (size or len(other))] = other[:size]
    if rng.random() < 0.5:
        data[second[0] : second[0] + (size or len(one))] = one[:size]
    del data[len(good.content) :]


def _header(rng, data: bytearray, good: Good) -> None:
    """Overwrite a length in the header of a basket, or shift it a little."""
    seek, _ = good.baskets[int(rng.integers(len(good.baskets)))]
    length = int.from_bytes(data[seek + 14 : seek + 16], "big")
    # bytes on disk, version, unpacked, key length, cycle; buffer, entry size, events, last byte
    places = [(0, 4), (4, 2), (6, 4), (14, 2), (16, 2), (18, 8), (26, 1)]
    places += [(length - 19 + 2 + 4 * i, 4) for i in range(4)]
    at, size = places[int(rng.integers(len(places)))]
    old = int.from_bytes(data[seek + at : seek + at + size], "big")
    if rng.random() < 0.5:
        value = old + int(rng.integers(-9, 10))
    else:
        value = int(NUMBERS[rng.integers(len(NUMBERS))])
    data[seek + at : seek + at + size] = (value % (1 << (8 * size))).to_bytes(size, "big")


def _values(rng, data: bytearray, good: Good) -> None:
    """Overwrite numbers of the events, which lie as they are in files without compression."""
    if good.baskets:
        seek, size = good.baskets[int(rng.integers(len(good.baskets)))]
    else:
        seek, size = 64, len(data) - 64
    order = "<" if good.name == "ntuple" else ">"
    for _ in range(int(rng.integers(1, 6))):
        at = seek + 4 * int(rng.integers(max(1, size // 4)))
        value = VALUES[rng.integers(len(VALUES))]
        integer = int(NUMBERS[rng.integers(len(NUMBERS))]) % (1 << 32)
        packed = (
            struct.pack(order + "I", integer)
            if rng.random() < 0.5
            else np.array(value, dtype=order + "f4").tobytes()
        )
        data[at : at + 4] = packed
    del data[len(good.content) :]


def run(seed: int, count: int, folder: Path) -> Counter:
    """Return how many of `count` cases had each outcome."""
    return harness.run(__name__, seed, count, folder)
