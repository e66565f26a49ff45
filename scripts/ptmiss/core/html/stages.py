"""Run time and memory of every stage, from the benchmark files that Snakemake writes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.html.text import DASH, count
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike


@dataclass(frozen=True)
class Stage:
    """What all jobs of a stage needed.

    wall_s: seconds added over jobs; longest_s: of the longest job; cpu_s: processor seconds added,
    None where not recorded; peak_memory_mb: largest resident memory of a job in MB, None where
    no job ran long enough for Snakemake to measure it.
    """

    stage: str
    jobs: int
    wall_s: float
    longest_s: float
    cpu_s: float | None
    peak_memory_mb: float | None

    def as_dict(self) -> dict[str, object]:
        """Return the values as plain JSON, without the name."""
        values = asdict(self)
        del values["stage"]
        return values


def read(paths: Iterable[PathLike], order: Sequence[str] = ()) -> list[Stage]:
    """Read benchmark files; the stage is the folder below `benchmarks`.

    order: in which the page lists the stages; others follow in alphabetical order.
    Raises `UserError` for a file that is not a benchmark file.
    """
    rows: dict[str, list[dict[str, float | None]]] = {}
    for path in sorted(map(Path, paths)):
        rows.setdefault(_stage_of(path), []).extend(_read_one(path))
    known = [stage for stage in order if stage in rows]
    return [_add(stage, rows[stage]) for stage in (*known, *sorted(set(rows) - set(known)))]


def _stage_of(path: Path) -> str:
    folders = path.parts[:-1]
    if "benchmarks" in folders:
        below = folders[len(folders) - folders[::-1].index("benchmarks") :]
        if below:
            return below[0]
    return path.parent.name or path.stem


def _read_one(path: Path) -> list[dict[str, float | None]]:
    require_regular(path, "leave it out of --results")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a readable benchmark file ({error}); leave it out of --results"
        ) from None
    names = lines[0].split("\t") if lines else []
    if "s" not in names or "max_rss" not in names:
        raise UserError(
            f"{path}: found {chr(9).join(names)[:100]!r} in its first line, expected s and max_rss"
            " as Snakemake's benchmark files have them; leave it out of --results"
        )
    rows = []
    for line in lines[1:]:
        values = dict(zip(names, line.split("\t"), strict=False))
        rows.append({name: _number(values.get(name, "")) for name in ("s", "max_rss", "cpu_time")})
    return [row for row in rows if row["s"] is not None]


def _number(text: str) -> float | None:
    """Return a number; Snakemake writes NA or - for what it could not measure."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1e15 else None


def _add(stage: str, rows: list[dict[str, float | None]]) -> Stage:
    def known(name: str) -> list[float]:
        values = (row[name] for row in rows)
        return [value for value in values if value is not None]

    wall, memory, cpu = known("s"), known("max_rss"), known("cpu_time")
    return Stage(
        stage,
        len(rows),
        round(math.fsum(wall), 3),
        max(wall, default=0.0),
        round(math.fsum(cpu), 3) if cpu else None,
        max(memory, default=0.0) or None,
    )


def rows(stages: Iterable[Stage]) -> list[dict[str, object]]:
    """Return the rows of the page's table of run time and memory."""
    return [
        {
            "stage": stage.stage,
            "jobs": count(stage.jobs),
            "wall": _time(stage.wall_s),
            "longest": _time(stage.longest_s),
            "cpu": _time(stage.cpu_s),
            "memory": DASH if stage.peak_memory_mb is None else f"{stage.peak_memory_mb:,.0f} MB",
        }
        for stage in stages
    ]


def _time(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
