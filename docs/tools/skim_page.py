"""Tables of the columns of a skim, from their definition."""

from __future__ import annotations

from ptmiss.events.columns import CANDIDATE_COLUMNS, Content, skim_schema


def text() -> str:
    """Return two Markdown tables: columns of events, columns of candidates."""
    groups: dict[str, list[str]] = {"of an event": [], "of its candidates": []}
    for field in skim_schema(True, "standard", Content(neighbours=True)):
        group = "of its candidates" if field.name in CANDIDATE_COLUMNS else "of an event"
        meaning = field.metadata[b"meaning"].decode().replace("|", "\\|")
        kind = str(field.type).replace("item: ", "").replace(" not null", "")
        null = ", may be null" if field.nullable else ""
        groups[group].append(f"| `{field.name}` | `{kind}`{null} | {meaning} |")
    parts = []
    for group, rows in groups.items():
        parts += [
            f"### Columns {group}",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    return "\n".join(parts)
