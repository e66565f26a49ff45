"""Tables in CSV: their writer owns the layout, and readers, tests and documentation use that one.

Numbers are written so that reading them gives the same float64, and nothing stands where there is
none. A reader gets what the layout says or an error in one line.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from ptmiss.core.errors import UserError
from ptmiss.core.io import csv, text
from ptmiss.core.paths import PathLike

Cell = str | float | int
Row = tuple[Cell, ...]
"""The values of a row, in the order of the columns; NaN where there is no number."""


class Entry(NamedTuple):
    """A row that was read: its line, and its values by column; NaN where there is no number."""

    line: int
    words: dict[str, str]
    numbers: dict[str, float]


TRAINING = "{training}"
"""Stands for the name of a training in the path of a table."""

_EMPTY = ("", "nan")
"""What stands where there is no number."""

_WORD, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()


@dataclass(frozen=True)
class Column:
    """A column: what it means, in which unit, and whether a row may have nothing in it.

    A column that belongs to the `key` says what the numbers of a row are of.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    nullable: bool = False
    key: bool = False


def word(name: str, meaning: str) -> Column:
    """Return a column of names."""
    return Column(name, _WORD, meaning, key=True)


def edge(name: str, meaning: str, unit: str = "") -> Column:
    """Return a column of edges or thresholds: always given, may be infinite."""
    return Column(name, _NUMBER, meaning, unit, key=True)


def number(name: str, meaning: str, unit: str = "") -> Column:
    """Return a column of numbers that may be missing."""
    return Column(name, _NUMBER, meaning, unit, nullable=True)


def count(name: str, meaning: str) -> Column:
    """Return a column of whole numbers."""
    return Column(name, _COUNT, meaning)


BIN = (
    edge("bin_low", "lower edge of the bin, which is part of it", "unit of the axis"),
    edge("bin_high", "upper edge of the bin, which is not", "unit of the axis"),
)
VALUE = (
    number("value", "the number; empty where there are too few events", "unit of the quantity"),
    number("err_low", "lower bound of its 68 % interval", "unit of the quantity"),
    number("err_high", "upper bound of its 68 % interval", "unit of the quantity"),
)


@dataclass(frozen=True)
class Layout:
    """A kind of table.

    stage: writes it; path: below `results/`, with `TRAINING`; row: what one row is; once: no two
    rows are of the same number; more: pattern of the names of further columns, which hold numbers.
    """

    stage: str
    path: str
    row: str
    columns: tuple[Column, ...]
    once: bool = True
    more: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def words(self) -> tuple[str, ...]:
        """The columns that hold words."""
        return tuple(column.name for column in self.columns if column.type == _WORD)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return tuple(column.name for column in self.columns if column.type != _WORD)

    @property
    def key(self) -> list[str]:
        """The columns that say what a number is of."""
        return [column.name for column in self.columns if column.key]

    @property
    def required(self) -> tuple[str, ...]:
        """The columns of numbers that are never empty."""
        return tuple(c.name for c in self.columns if c.type != _WORD and not c.nullable)

    @property
    def suffix(self) -> str:
        """What follows the training in the file's name; empty where the training is the folder."""
        rest = self.path.partition(TRAINING)[2]
        return "" if rest.startswith("/") else rest

    def training_of(self, path: Path) -> str:
        """Return the training that a file belongs to."""
        return path.name.removesuffix(self.suffix) if self.suffix else path.absolute().parent.name

    def place(self, name: str) -> int:
        """Return the number of a column."""
        return self.names.index(name)

    def header(self, more: Iterable[str] = ()) -> str:
        """Return the first line of a table. more: names of further columns."""
        return csv.lines([(*self.names, *more)])

    def lines(self, rows: Iterable[Row]) -> str:
        """Return rows as text without the header: for a table written a part at a time."""
        types = [column.type for column in self.columns]
        return csv.lines(map(_text, row, types) for row in rows)

    def csv(self, rows: Iterable[Row]) -> str:
        """Return a table as text."""
        return self.header() + self.lines(rows)

    def read(self, path: PathLike) -> Iterator[Entry]:
        """Yield the rows of a table; further columns are allowed, as words.

        Raises
        ------
        UserError
            For a file that is missing, damaged, of another layout or cut short, and for a word in
            place of a number.
        """
        content = text.read(path, self.stage)
        low, high = (column.name for column in BIN)
        for line, words in csv.rows(content, path, self.stage, self.names):
            numbers = {
                column.name: self._number(words.pop(column.name), column, path, line)
                for column in self.columns
                if column.type != _WORD
            }
            if low in numbers and not numbers[low] <= numbers[high]:
                raise csv.wrong(path, self.stage, line, f": {low} is above {high}")
            yield Entry(line, words, numbers)

    def table(self, path: PathLike) -> pa.Table:
        """Return a whole table: words as text, numbers as float64, null where there is none.

        Raises
        ------
        UserError
            As `read`, and where two rows are of the same number though the layout says `once`.
        """
        content = text.read(path, self.stage)
        table = self._at_once(content)
        if table is None:  # row by row, which is slow and says where the fault is
            entries = list(self.read(path))
            arrays = {
                column.name: [entry.words[column.name] for entry in entries]
                if column.type == _WORD
                else pa.array(
                    [entry.numbers[column.name] for entry in entries], _NUMBER, from_pandas=True
                )
                for column in self.columns
            }
            schema = pa.schema([(column.name, _read_as(column)) for column in self.columns])
            table = pa.table(arrays, schema)
        if self.once:
            self._require_once(table, path)
        return table

    def _at_once(self, content: str) -> pa.Table | None:
        """Return a table parsed in one go; None where the file may have a fault."""
        n_lines = content.count("\n")
        names = content.partition("\n")[0].split(",")
        alike = content.count(",") == n_lines * (len(names) - 1) and content.endswith("\n")
        if not alike or '"' in content or "\r" in content or len(set(names)) < len(names):
            return None
        try:
            table = arrow_csv.read_csv(
                io.BytesIO(content.encode()),
                read_options=arrow_csv.ReadOptions(use_threads=False),
                convert_options=arrow_csv.ConvertOptions(
                    column_types={column.name: column.type for column in self.columns},
                    include_columns=list(self.names),
                    null_values=list(_EMPTY),
                ),
            )
        except (pa.ArrowException, KeyError):
            return None
        if table.num_rows != n_lines - 1:
            return None
        for name in self.required:
            if table[name].null_count or pc.any(pc.is_nan(table[name])).as_py():
                return None
        ends = [table[column.name] for column in BIN if column.name in self.names]
        if ends and not pc.all(pc.less_equal(*ends), min_count=0).as_py():
            return None
        return table.cast(pa.schema([(column.name, _read_as(column)) for column in self.columns]))

    def _require_once(self, table: pa.Table, path: PathLike) -> None:
        if table.group_by(self.key).aggregate([]).num_rows == table.num_rows:
            return
        seen = set()
        keys = zip(*(table[name].to_pylist() for name in self.key), strict=True)
        for line, key in enumerate(keys, 2):
            if key in seen:
                bins = {column.name for column in BIN}
                of = ", ".join(name for name in self.key if name not in bins)
                raise UserError(
                    f"{path}: line {line}: the second row of the same {of} and bin;"
                    f" {text.again(self.stage)}"
                )
            seen.add(key)

    def _number(self, value: str, column: Column, path: PathLike, line: int) -> float:
        kind = "a whole number" if column.type == _COUNT else "a number"
        try:
            if "_" in value or not value.isascii():  # Python's numbers, not those of a table
                raise ValueError
            number = math.nan if value.strip().lower() in _EMPTY else float(value)
            if column.type == _COUNT and not (value.isdigit() or math.isnan(number)):
                raise ValueError
        except ValueError:
            what = f", column {column.name}: found {value[:40]!r}, expected {kind}"
            raise csv.wrong(path, self.stage, line, what) from None
        if math.isnan(number) and not column.nullable:
            what = f", column {column.name}: no number, expected one"
            raise csv.wrong(path, self.stage, line, what)
        return number


def _read_as(column: Column) -> pa.DataType:
    """Return the type that readers get: numbers as float64, so that none can be missing."""
    return _WORD if column.type == _WORD else _NUMBER


def _text(cell: Cell, kind: pa.DataType) -> str:
    """Return a value as text; a number so that reading it gives the same float64."""
    if kind != _NUMBER or isinstance(cell, str):
        return str(cell)
    return "" if math.isnan(cell) else repr(float(cell))
