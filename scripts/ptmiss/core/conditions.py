"""Conditions on events, such as "n_jets >= 2 and not 20 <= q_t < 50": a part of Python's grammar.

Python's parser reads the text, and only these nodes of its tree are taken: comparisons of columns
and numbers, `and`, `or`, `not`, parentheses. Nothing is evaluated as Python. A chain `a < b < c`
means `a < b and b < c`. A comparison with a missing value (null) is false.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError

COLUMNS = ("n_jets", "n_pv", "rho", "gen_ht", "gen_met", "q_t", "weight", "fold")
"""What conditions can be about: columns of the events, boson pT and the size of true pTmiss."""

_COMPARE: dict[type[ast.cmpop], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_JOIN: dict[type[ast.boolop], np.ufunc] = {ast.And: np.logical_and, ast.Or: np.logical_or}
_FOREIGN = re.compile(r"[^\w\s.<>=!()+-]", re.ASCII)
"""A character of no condition; without it there is no string, call with arguments, or comment."""

_DEEPEST, _LONGEST = 20, 1000
_ALLOWED = f"comparisons of numbers and {', '.join(COLUMNS)}, joined by and, or, not"

Columns = Mapping[str, np.ndarray]
_Evaluate = Callable[[Columns], np.ndarray]


@dataclass(frozen=True)
class Condition:
    """A parsed condition. columns: those that it needs."""

    text: str
    columns: frozenset[str]
    _evaluate: _Evaluate

    def holds(self, columns: Columns) -> np.ndarray:
        """Return which events fulfil it, shape (n,); columns: name -> (n,), NaN where missing."""
        return self._evaluate(columns)


def parse(text: str) -> Condition:
    """Return the condition that a text states; `UserError` with the position of what is wrong."""
    if len(text) > _LONGEST:
        raise UserError(f"condition of {len(text)} characters, expected at most {_LONGEST}")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise _error(text, foreign.start(), foreign[0])
    line = " ".join(re.split(r"\s", text))  # same positions, and no indentation means anything
    start = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "2and": Python still reads it
            tree = ast.parse(line[start:], mode="eval")
    except SyntaxError as error:
        position = start + error.offset - 1 if error.offset else len(line)  # 0: it ends too early
        raise _error(text, position, _word(line, position)) from None
    except (RecursionError, MemoryError):
        raise UserError(f"condition {text!r}: too deeply nested") from None
    reader = _Reader(text, start)
    evaluate = reader.condition(tree.body, 0)
    return Condition(text, frozenset(reader.columns), evaluate)


def _word(line: str, position: int) -> str:
    match = re.compile(r"[\w.]+|[<>=!]+|\S").match(line, position)
    return match[0] if match else ""


def _error(text: str, position: int, word: str) -> UserError:
    what = repr(word) if word else "the end"
    return UserError(
        f"condition {text!r}: position {position + 1}: found {what}, expected {_ALLOWED}"
    )


class _Reader:
    """Turns the allowed nodes of a tree into functions of the columns, and notes those columns."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start
        self.columns: set[str] = set()

    def condition(self, node: ast.expr, depth: int) -> _Evaluate:
        if depth > _DEEPEST:
            raise UserError(
                f"condition {self.text!r}: expected at most {_DEEPEST} levels of and, or and not"
            )
        match node:
            case ast.BoolOp():
                join = _JOIN[type(node.op)]
                parts = [self.condition(part, depth + 1) for part in node.values]
                return lambda columns: join.reduce([evaluate(columns) for evaluate in parts])
            case ast.UnaryOp(op=ast.Not()):
                inner = self.condition(node.operand, depth + 1)
                return lambda columns: ~inner(columns)
            case ast.Compare():
                return self.chain(node)
        raise self.error(node)

    def chain(self, node: ast.Compare) -> _Evaluate:
        if not all(type(sign) in _COMPARE for sign in node.ops):
            raise self.error(node)
        signs = [_COMPARE[type(sign)] for sign in node.ops]
        values = [self.value(value) for value in (node.left, *node.comparators)]

        def evaluate(columns: Columns) -> np.ndarray:
            terms = [value(columns) for value in values]
            good: np.ndarray = np.logical_and.reduce([np.isfinite(term) for term in terms])
            for left, sign, right in zip(terms, signs, terms[1:], strict=False):
                good = good & sign(left, right)
            return good

        return evaluate

    def value(self, node: ast.expr) -> _Evaluate:
        match node:
            case ast.Name(id=name) if name in COLUMNS:
                self.columns.add(name)
                return lambda columns: columns[name]
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=ast.Constant(value=size)):
                sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
            case ast.Constant(value=size):
                sign = 1.0
            case _:
                raise self.error(node)
        if isinstance(size, bool) or not isinstance(size, int | float) or size > 1e300:
            raise self.error(node)
        number = sign * size
        return lambda columns: np.full(next(iter(columns.values())).size, number)

    def error(self, node: ast.expr) -> UserError:
        first, last = self.start + node.col_offset, self.start + (node.end_col_offset or 0)
        return _error(self.text, first, self.text[first:last])
