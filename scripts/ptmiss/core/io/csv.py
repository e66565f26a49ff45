"""CSV that a stage wrote: every row as long as the first, numbers where numbers belong."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ptmiss.core.errors import UserError
from ptmiss.core.io import text

EMPTY = ("", "nan")
"""What stands where there is no number."""


@dataclass(frozen=True)
class Layout:
    """A kind of table: its columns, those that hold words, those that are edges of bins or
    thresholds (always given, may be infinite), and whether no row may be repeated.

    suffix: what follows the training in the file's name, or empty where the training is the folder.
    """

    stage: str
    columns: tuple[str, ...]
    words: tuple[str, ...]
    edges: tuple[str, ...] = ("bin_low", "bin_high")
    suffix: str = ""
    once: bool = True

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return tuple(name for name in self.columns if name not in self.words)

    @property
    def key(self) -> list[str]:
        """The columns that say what a number is of."""
        return [name for name in self.columns if name in (*self.words, *self.edges)]


Row = dict[str, str]


def read(path: str | os.PathLike[str], layout: Layout) -> Iterator[tuple[int, Row]]:
    """Yield line and values of each row of a table; further columns are allowed.

    Raises `UserError` for a file that is missing, damaged, of another layout or cut short, and for
    a word in place of a number.
    """
    content = text.read(path, layout.stage)
    for line, row in rows(content, path, layout.stage, layout.columns):
        for name in layout.numbers:
            _check_number(row[name], name, path, line, layout)
        if "bin_low" in row and not float(row["bin_low"]) <= float(row["bin_high"]):
            raise _wrong(path, layout.stage, line, ": bin_low is above bin_high")
        yield line, row


def rows(
    content: str, path: str | os.PathLike[str], stage: str, columns: tuple[str, ...]
) -> Iterator[tuple[int, Row]]:
    """Yield line and values of each row of CSV text that has at least these columns."""
    if not content.endswith("\n"):
        raise UserError(
            f"{path}: not a readable table (empty, or cut within a line); {text.again(stage)}"
        )
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        names = next(reader)
        missing = [name for name in columns if name not in names]
        if missing:
            raise UserError(
                f"{path}: found the columns {', '.join(names[:12])[:200]}; missing "
                f"{', '.join(missing)}; {text.again(stage)}"
            )
        if len(set(names)) < len(names):
            raise _wrong(path, stage, 1, ": a column is there twice")
        for row in reader:
            if len(row) != len(names):
                what = f": {len(row)} values, expected {len(names)}"
                raise _wrong(path, stage, reader.line_num, what)
            yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise _wrong(path, stage, reader.line_num, f": {error}") from None


def _check_number(
    value: str, name: str, path: str | os.PathLike[str], line: int, layout: Layout
) -> None:
    try:
        if "_" in value or not value.isascii():  # Python's numbers, not those of a table
            raise ValueError
        number = float(value) if value.strip().lower() not in EMPTY else math.nan
    except ValueError:
        what = f", column {name}: found {value[:40]!r}, expected a number"
        raise _wrong(path, layout.stage, line, what) from None
    if name in layout.edges and math.isnan(number):
        what = f", column {name}: no number, expected one"
        raise _wrong(path, layout.stage, line, what)


def _wrong(path: str | os.PathLike[str], stage: str, line: int, what: str) -> UserError:
    return UserError(f"{path}: line {line}{what}; {text.again(stage)}")
