"""The tables of a run and their columns, from the layouts that their writers own."""

from __future__ import annotations

import pyarrow as pa

from ptmiss.core.tables import Column, Layout
from ptmiss.learn.training.history import HISTORY
from ptmiss.tasks.met.report.tables import KINDS

_WORDS = {pa.string(): "word", pa.float64(): "number", pa.int64(): "whole number"}


def text() -> str:
    """Return two Markdown tables: all tables of a run, and what their columns hold."""
    layouts = [*KINDS.values(), HISTORY]
    files = [f"| `{one.path}` | {_names(one)} | {one.row} |" for one in layouts]
    columns: dict[str, list[Column]] = {}
    for layout in layouts:
        for column in layout.columns:
            same = columns.setdefault(column.name, [])
            same += [column] if column not in same else []
    meanings = [
        f"| `{column.name}` | {_WORDS[column.type]}{', may be empty' if column.nullable else ''} |"
        f" {column.meaning} | {column.unit} |"
        for same in columns.values()
        for column in same
    ]
    return "\n".join(
        [
            *("| file below `results/` | columns | one row |", "|---|---|---|", *files, ""),
            *("| column | holds | meaning | unit |", "|---|---|---|---|", *meanings, ""),
        ]
    )


def _names(layout: Layout) -> str:
    return ", ".join([*layout.names, *([f"`{layout.more}`"] if layout.more else [])])
