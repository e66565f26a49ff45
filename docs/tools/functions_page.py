"""The page of public functions, read from the source without importing it."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

INTRODUCTION = """# Functions

Public functions and classes of `scripts/ptmiss`, with the text of their docstrings. They take
arrays or paths and a settings object, and know nothing of Snakemake. To use them elsewhere, put
`scripts` on the module path.
"""


def text(package: Path) -> str:
    """Return the page: a section for each module that has public functions with a docstring."""
    parts = [INTRODUCTION]
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = ".".join([package.name, *path.relative_to(package).with_suffix("").parts])
        items = list(_items(tree))
        if path.name == "__init__.py" or not items:
            continue
        parts += [f"## {name}", "", _paragraphs(ast.get_docstring(tree) or ""), ""]
        for node in items:
            anchor = f"{name}.{node.name}"
            parts += [
                f"### {node.name} {{ #{anchor} }}",
                "",
                "```python",
                signature(node),
                "```",
                "",
            ]
            parts += [_paragraphs(ast.get_docstring(node)), ""]
    return "\n".join(parts)


def _items(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        known = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if known and not node.name.startswith("_") and ast.get_docstring(node):
            yield node


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """Return the first line of a definition, one argument a line where it is long."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        fields = [
            f"    {ast.unparse(one)}"
            for one in node.body
            if isinstance(one, ast.AnnAssign) and len(ast.unparse(one)) < 90
        ]
        return "\n".join(
            [f"class {node.name}({bases})" if bases else f"class {node.name}", *fields]
        )
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({ast.unparse(node.args)}){result}"
    if len(line) <= 96:
        return line
    arguments = [*node.args.posonlyargs, *node.args.args]
    missing = len(arguments) - len(node.args.defaults)
    words = [
        ast.unparse(one)
        + (f" = {ast.unparse(node.args.defaults[i - missing])}" if i >= missing else "")
        for i, one in enumerate(arguments)
    ]
    if node.args.vararg:
        words.append(f"*{ast.unparse(node.args.vararg)}")
    elif node.args.kwonlyargs:
        words.append("*")
    for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        words.append(ast.unparse(one) + (f" = {ast.unparse(default)}" if default else ""))
    if node.args.kwarg:
        words.append(f"**{ast.unparse(node.args.kwarg)}")
    return "\n".join([f"{node.name}(", *(f"    {word}," for word in words), f"){result}"])


def _paragraphs(docstring: str) -> str:
    """Return a docstring as one line of HTML, so that Markdown leaves its signs alone."""
    blocks = []
    for block in re.split(r"\n\s*\n", docstring.strip()):
        escaped = html.escape(block, quote=False).replace("\n", "<br>")
        blocks.append("<p>" + re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escaped) + "</p>")
    return f'<div class="doc">{"".join(blocks)}</div>'
