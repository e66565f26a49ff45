"""Configurations that somebody mistyped, or meant badly."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from fuzz import harness

CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"

NUMBERS = [
    0, 1, -1, 2, 9, 10, 1e300, -1e300, 1e30, 5e-324, 1e-300, 2**31, 2**63, 2**64, 10**400, -0.0,
    0.5, math.nan, math.inf, -math.inf, 1e16, 3.5, 100_000, 13_000.0,
]  # fmt: skip
TEXTS = [
    "", " ", "x" * 200_000, "a\x1b[31mb", "a\0b", "a\u202eb", "{sample}", "$t\\bar{t}$", "$\\nope$",
    "$$", "../x", "root://h//{a}.root", "\ud800", "\n\n", "$(x)", "1e-3", "010", "é", "null", "-",
    "@list.txt", "*", "a;b", "<script>", "q_t > 0 and (" * 30, "\U0010ffff", "zmumu", "pf",
]  # fmt: skip
OTHERS = [None, True, False, [], {}, [[]], {"a": 1}, [None], {"": ""}, [0, 0], [1, 0]]
HUGE, TINY = 1e16, 1e-30
"""Beyond are no numbers of physics that a setting could mean."""


def prepare(folder: Path) -> tuple[str, dict]:
    text = CONFIG.read_text(encoding="utf-8")
    return text, yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def case(rng, state: tuple[str, dict], folder: Path) -> None:
    text, values = state
    if rng.random() < 0.7:
        values = copy.deepcopy(values)
        for _ in range(max(1, int(rng.integers(-4, 4)))):
            _mutate(rng, values)
        _use(values)
    else:
        damaged, telling = _damaged(rng, text)
        path = folder / "config.yaml"
        path.write_bytes(damaged)
        config = _use(_read(path))
        if telling:
            raise harness.SilentDifference(f"taken although {telling}: {config is not None}")


def _read(path: Path) -> dict:
    try:
        from ptmiss.core.settings import files
    except ImportError:  # the road before: only Snakemake reads the file
        from snakemake.common.configfile import load_configfile

        return load_configfile(path)
    return files.read(path)


def _use(values: dict) -> object:
    """Load a configuration as the Snakefile does, and take from it what is cheap to take."""
    from ptmiss.core.settings.base import to_json
    from ptmiss.simulation.pileup import profile_of
    from ptmiss.tasks.met.settings.config import Config

    try:
        from ptmiss.core.settings.merging import merged
    except ImportError:
        config = Config.load(values)
    else:
        config = Config.load(merged({}, values, Config))
    to_json(config)
    for preset in config.simulate.settings.values():
        if not math.isfinite(float(profile_of(preset).cumulative.sum())):
            raise harness.SilentDifference("a pile-up profile that is no number")
    for number in _numbers(config.model_dump()):
        if abs(number) > HUGE or 0.0 < abs(number) < TINY:
            raise harness.SilentDifference(f"{number:g} was taken for a setting")
    return config


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def _places(value: object) -> Iterator[tuple[dict | list, object]]:
    """Yield container and key of everything."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, inner in list(items):
            yield container, key
            if isinstance(inner, dict | list):
                waiting.append(inner)


def _mutate(rng, values: dict) -> None:
    places = list(_places(values))
    container, key = places[int(rng.integers(len(places)))]
    kind = rng.random()
    if kind < 0.75:
        container[key] = _nasty(rng, container[key])
    elif kind < 0.85:
        del container[key]
    elif isinstance(container, dict):
        name = TEXTS[int(rng.integers(len(TEXTS)))] if rng.random() < 0.5 else f"{key}x"
        container[name] = container.pop(key) if rng.random() < 0.5 else container[key]
    else:
        container.insert(0, container[key])


def _nasty(rng, before: object) -> object:
    kind = rng.random()
    if kind < 0.5:
        value = NUMBERS[int(rng.integers(len(NUMBERS)))]
    elif kind < 0.75:
        value = TEXTS[int(rng.integers(len(TEXTS)))]
    elif kind < 0.9:
        value = copy.deepcopy(OTHERS[int(rng.integers(len(OTHERS)))])
    else:
        value = before
        for _ in range(int(rng.integers(1, 1200))):
            value = [value] if rng.random() < 0.5 else {"a": value}
        return value
    if isinstance(before, list) and rng.random() < 0.5:
        return [*before, value] if rng.random() < 0.5 else [value] * int(rng.integers(1, 3000))
    return value


def _damaged(rng, text: str) -> tuple[bytes, str]:
    """Return a file, and why nobody may take it, if that is known."""
    lines = text.splitlines()
    at = int(rng.integers(len(lines)))
    kind = int(rng.integers(10))
    if kind == 0:  # a key of the first level again
        heads = [line for line in lines if line[:1].isalpha()]
        name = heads[int(rng.integers(len(heads)))].partition(":")[0]
        return f"{text}\n{name}: {{}}\n".encode(), "a key stands there twice"
    if kind == 1:
        name = ["dpi", "seed", "epochs"][int(rng.integers(3))]
        number = ["0144", "1:30", "0o17", "010", "2:00:00"][int(rng.integers(5))]
        found = [i for i, line in enumerate(lines) if line.startswith(f"  {name}:")]
        lines[found[0]] = f"  {name}: {number}"
        return "\n".join(lines).encode(), "it is octal or sexagesimal" if number != "0o17" else ""
    if kind == 2:
        depth = int(rng.integers(50, 3000))
        lines[at] = "x: " + "[" * depth + "]" * depth
    elif kind == 3:
        lines.insert(at, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]")
        more = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
        lines[at + 1 : at + 1] = more
    elif kind == 4:
        extra = ["2024-13-45", "!!int x", "!!binary z", "? [a] : b", "0b_", "&a [*a]", "%YAML 3.0"]
        lines.insert(at, f"y: {extra[int(rng.integers(len(extra)))]}")
    elif kind == 5:
        return b"\xef\xbb\xbf" + text.encode(), ""
    elif kind == 6:
        return text.encode("utf-16"), ""
    data = bytearray("\n".join(lines).encode())
    for _ in range(int(rng.integers(0 if kind < 7 else 1, 12))):
        place = int(rng.integers(len(data)))
        if rng.random() < 0.3:
            del data[place : place + int(rng.integers(1, 200))]
        elif rng.random() < 0.5:
            data[place] = int(rng.integers(256))
        else:
            data[place:place] = rng.bytes(int(rng.integers(1, 5)))
    return bytes(data), ""


def run(seed: int, count: int, folder: Path) -> Counter:
    """Return how many of `count` cases had each outcome."""
    return harness.run(__name__, seed, count, folder)
