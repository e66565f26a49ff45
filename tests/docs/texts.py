"""The texts of the documentation and what stands in them: code blocks, links, names."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^|\n\n)((?: {4}[^\n]+\n)+)")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A code block. kind: word after the fence; indented blocks are commands: "bash"."""

    kind: str
    text: str

    def commands(self) -> list[str]:
        """Return the lines without comments and empty ones."""
        lines = [re.sub(r"\s+# .*$", "", line).strip() for line in self.text.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]


def texts() -> list[Path]:
    """Return README.md and what else a reader opens, without generated pages."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


def blocks(text: str) -> list[Block]:
    """Return the code blocks of a Markdown text in order."""
    found = [
        (one.start(), Block(one[2] or "text", textwrap.dedent(one[3])))
        for one in _FENCED.finditer(text)
    ]
    spans = [(one.start(), one.end()) for one in _FENCED.finditer(text)]
    for one in _INDENTED.finditer(text):
        inside = any(low <= one.start(1) < high for low, high in spans)
        before = text[: one.start(1)].rstrip().rpartition("\n")[2]
        # a continued item of a list or of an admonition is indented too
        if not inside and not before.startswith(("!!!", "    ")):
            found.append((one.start(), Block("bash", textwrap.dedent(one[1]))))
    return [block for _, block in sorted(found, key=lambda item: item[0])]


def inline(text: str) -> Iterator[str]:
    """Yield what stands in backquotes outside code blocks."""
    for one in _INLINE.finditer(_FENCED.sub("", text)):
        yield one[1]
