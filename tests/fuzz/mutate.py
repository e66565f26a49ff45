"""Spoiling files: bytes, JSON, CSV and Parquet, with random numbers alone."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RAW = "\x00raw:"
"""Marks a string that stands in the JSON text without quotes."""

JUNK = (
    None, True, False, "", "x", "false", "nan", "\x00", "\u202e", "\ud800", "<script>", "9" * 5000,
    -1, 0, 1, 3.5, -1e308, 1e308, 5e-324, 10**400, -(10**400), 1 << 63, [], {}, [[]], [None],
    {"value": 1}, RAW + "NaN", RAW + "Infinity", RAW + "1e999", RAW + "-0", RAW + "[" * 3000,
)  # fmt: skip
CELLS = (
    "", "nan", "inf", "-inf", "1e308", "-1e308", "5e-324", "x", "1_0", "\u0663", "NULL", "-1", "0",
    "0x10", "1,2", '"', "true", " 3 ", "9" * 500, "\x00", "1e999", "\u2028", "\r",
)  # fmt: skip


def pick(rng: np.random.Generator, values):
    """Return one of the values."""
    return values[int(rng.integers(len(values)))]


def spoil_bytes(rng: np.random.Generator, content: bytes) -> bytes:
    """Return content with bits turned, cut, longer, or replaced."""
    data = bytearray(content)
    kind = rng.integers(7)
    if kind == 0 or not data:
        return data[: int(rng.integers(len(data) + 1))]
    if kind == 1:
        for _ in range(int(rng.integers(1, 9))):
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        at = int(rng.integers(len(data) + 1))
        data[at:at] = rng.bytes(int(rng.integers(1, 50)))
    elif kind == 3:
        first = int(rng.integers(len(data)))
        del data[first : first + int(rng.integers(1, 200))]
    elif kind == 4:
        first = int(rng.integers(len(data)))
        data[first : first + 8] = pick(rng, (b"\xff" * 8, b"\x00" * 8, b"\x7f\xff\xff\xff" * 2))
    elif kind == 5:
        return pick(rng, (b"", b"\x00", b"null", b"[]", b"{}", b"\xff\xfe", b"PK", b"PAR1",
                          b"[" * 200_000, b"\xef\xbb\xbf" + content, content * 2))  # fmt: skip
    else:
        data += rng.bytes(int(rng.integers(1, 100)))
    return bytes(data)


def spoil_json(rng: np.random.Generator, content: bytes) -> bytes:
    """Return JSON with one to three values, keys or lists that do not belong there."""
    if rng.random() < 0.15:
        return spoil_bytes(rng, content)
    value = copy.deepcopy(json.loads(content))
    for _ in range(int(rng.integers(1, 4))):
        value = _spoil_value(rng, value)
    text = json.dumps(value)
    text = text.replace(json.dumps(RAW)[:-1] + "[" * 3000 + '"', "[" * 3000 + "]" * 3000)
    for word in ("NaN", "Infinity", "1e999", "-0"):
        text = text.replace(json.dumps(RAW)[:-1] + word + '"', word)
    return text.encode()


def _spoil_value(rng: np.random.Generator, value):
    places = list(_places(value))
    if not places or rng.random() < 0.02:
        return pick(rng, JUNK)
    holder, key = pick(rng, places)
    kind = rng.integers(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[pick(rng, ("x", "", "\ud800", "\x00", str(key) + " "))] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif kind == 3:
        other, its = pick(rng, places)
        holder[key] = copy.deepcopy(other[its])
    else:
        holder[key] = pick(rng, JUNK)
    return value


def _places(value):
    """Yield every holder and key of a JSON value."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def spoil_csv(rng: np.random.Generator, content: bytes, delimiter: str = ",") -> bytes:
    """Return a table with cells, rows or columns that do not belong there."""
    if rng.random() < 0.15:
        return spoil_bytes(rng, content)
    rows = list(csv.reader(io.StringIO(content.decode()), delimiter=delimiter))
    for _ in range(int(rng.integers(1, 4))):
        if not rows:
            break
        row = pick(rng, rows)
        column = int(rng.integers(max(len(row), 1)))
        kind = rng.integers(9)
        if kind == 0 and len(rows) > 1:
            del rows[int(rng.integers(1, len(rows)))]
        elif kind == 1:
            rows.append(list(row))
        elif kind == 2:
            rows = [line[:column] + line[column + 1 :] for line in rows]
        elif kind == 3:
            row.insert(column, pick(rng, CELLS))
        elif kind == 4 and row:
            del row[column]
        elif kind == 5:
            rows = rows[: int(rng.integers(len(rows) + 1))]
        elif kind == 6:
            cell = pick(rng, CELLS)
            for line in rows[1:]:
                if column < len(line):
                    line[column] = cell
        elif row:
            row[column] = pick(rng, CELLS)
    text = io.StringIO()
    csv.writer(text, lineterminator=pick(rng, ("\n", "\n", "\n", "\r\n", "\r")),
               delimiter=delimiter).writerows(rows)  # fmt: skip
    return text.getvalue().encode("utf-8", "surrogatepass")


def spoil_parquet(rng: np.random.Generator, content: bytes) -> bytes:
    """Return a Parquet file with other columns, types, nulls, lists or descriptions."""
    if rng.random() < 0.3:
        return spoil_bytes(rng, content)
    table = pq.read_table(pa.BufferReader(content))
    for _ in range(int(rng.integers(1, 3))):
        table = _spoil_table(rng, table)
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=int(rng.integers(1, 40)))
    return out.getvalue()


def _spoil_table(rng: np.random.Generator, table: pa.Table) -> pa.Table:
    n, kind = table.num_rows, rng.integers(10)
    said = dict(table.schema.metadata or {})
    if kind == 0 and said:
        key = pick(rng, sorted(said))
        value = pick(rng, (None, b"", b"\xff\xfe", b"true", b"other", b"9" * 2000, b"\x00"))
        said.pop(key) if value is None else said.update({key: value})
        return table.replace_schema_metadata(said)
    if kind == 1:
        return table.replace_schema_metadata(pick(rng, (None, {b"\xff": b"1"}, {b"sample": b"x"})))
    if kind == 2:
        return table.slice(0, int(rng.integers(n + 1)))
    if kind == 3:
        return pa.concat_tables([table, table])
    if not table.num_columns:
        return table
    at = int(rng.integers(table.num_columns))
    field = table.schema.field(at)
    if kind == 4:
        return table.remove_column(at)
    if kind == 5:
        names = list(table.schema.names)
        names[at] = pick(rng, ("x", "", names[0], names[at] + "_px", "deepmet_py"))
        return table.rename_columns(names)
    column = _spoil_column(rng, table.column(at), n)
    return table.set_column(at, pa.field(field.name, column.type), column)


def _spoil_column(rng: np.random.Generator, column: pa.ChunkedArray, n: int):
    values = column.to_pylist()
    kind = rng.integers(5)
    if kind == 0:
        return pa.nulls(n, pick(rng, (column.type, pa.string(), pa.null(), pa.float64())))
    if kind == 1:
        return pa.array([str(value)[:20] for value in values])
    if kind == 2 and n:
        for _ in range(int(rng.integers(1, 4))):
            values[rng.integers(n)] = None
        return pa.array(values, type=column.type)
    numbers = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e308, 0.0, -1.0, 5e-324, 1e10)
    if values and isinstance(values[0], list):
        for _ in range(int(rng.integers(1, 4))):
            row = int(rng.integers(n))
            values[row] = pick(rng, ([], [None], [pick(rng, numbers)], values[row] * 2))
        kind_of = pa.list_(pick(rng, (pa.float32(), pa.float64())))
        return pa.array([[v if v is None else float(v) for v in one] for one in values], kind_of)
    if values and isinstance(values[0], int | float) and not isinstance(values[0], bool):
        if kind == 3:
            values = [float(value or 0) for value in values]
            for _ in range(int(rng.integers(1, 4))):
                values[rng.integers(n)] = pick(rng, numbers)
            return pa.array(values, pa.float64())
        wide = pick(rng, (-1, 10**6, 2**31, 2**40, -(2**40), 10**9))
        return pa.array([wide] * n, pa.int64())
    if values and isinstance(values[0], bytes):
        values[rng.integers(n)] = rng.bytes(int(rng.integers(64)))
    return pa.array(values)


def replace_by_other_kind(rng: np.random.Generator, path: Path) -> None:
    """Put something in the place of a file that is none."""
    path.unlink(missing_ok=True)
    kind = rng.integers(6)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.symlink_to("nowhere")
    elif kind == 3:
        path.symlink_to(path.name)
    elif kind == 4:
        path.symlink_to(pick(rng, ("/dev/zero", "/dev/null")))
