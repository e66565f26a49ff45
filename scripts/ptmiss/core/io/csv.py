"""CSV text: lines as every stage writes them, and rows as long as the first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from ptmiss.core.errors import UserError
from ptmiss.core.io import text
from ptmiss.core.paths import PathLike


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as lines of CSV text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def rows(
    content: str, path: PathLike, stage: str, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line and values of each row of CSV text that has at least these columns.

    Raises `UserError` for text that is cut short or has other columns, and for a row of another
    length than the first.
    """
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
            raise wrong(path, stage, 1, ": a column is there twice")
        for row in reader:
            if len(row) != len(names):
                what = f": {len(row)} values, expected {len(names)}"
                raise wrong(path, stage, reader.line_num, what)
            yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise wrong(path, stage, reader.line_num, f": {error}") from None


def wrong(path: PathLike, stage: str, line: int, what: str) -> UserError:
    """Return the error that says what is wrong in a line of a table."""
    return UserError(f"{path}: line {line}{what}; {text.again(stage)}")
