"""Docstrings are written for an editor: `<u_par>` is a mean in them, and no tag of HTML."""

from __future__ import annotations

import re

import griffe

_CODE = re.compile(r"(`+[^`]+`+)")
_SIGNS = str.maketrans({"<": "&lt;", "*": "&#42;", "[": "&#91;"})


def plain(text: str) -> str:
    """Return a docstring in which Markdown finds nothing but paragraphs, lists and code."""
    parts = _CODE.split(text)
    return "".join(part if i % 2 else part.translate(_SIGNS) for i, part in enumerate(parts))


class PlainDocstrings(griffe.Extension):
    """Makes every docstring plain before it is shown."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Called for each module, class, function and constant."""
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)
