"""Conditions on events, such as "n_jets >= 2 and not 20 <= q_t < 50", parsed without eval.

    condition  = together {"or" together}
    together   = one {"and" one}
    one        = "not" one | "(" condition ")" | value compare value {compare value}
    value      = column | ["-" | "+"] number
    compare    = "<" | "<=" | ">" | ">=" | "==" | "!="

A chain `a < b < c` means `a < b and b < c`. A comparison with a missing value (null) is false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ptmiss.errors import UserError

COLUMNS = ("n_jets", "n_pv", "rho", "gen_ht", "gen_met", "q_t", "weight", "fold")
"""What conditions can be about: columns of the events, boson pT and the size of true pTmiss."""

_COMPARE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign><=|>=|==|!=|<|>|\(|\)|-|\+)|(?P<end>$)|(?P<other>.))",
    re.ASCII | re.DOTALL,
)
_DEEPEST, _LONGEST = 20, 1000

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
    parser = _Parser(text)
    evaluate = parser.condition(0)
    if parser.kind != "end":
        raise parser.error("'and', 'or' or the end")
    return Condition(text, frozenset(parser.columns), evaluate)


class _Parser:
    """Recursive descent with one token of look-ahead: `kind` and `token` at `start`."""

    def __init__(self, text: str) -> None:
        self.text, self.columns = text, set()
        self.start = self._next = 0
        self.kind = self.token = ""
        self.advance()

    def advance(self) -> str:
        before = self.token
        match = _TOKEN.match(self.text, self._next)
        self.kind = match.lastgroup
        self.token, self.start, self._next = match[self.kind], match.start(self.kind), match.end()
        return before

    def error(self, expected: str) -> UserError:
        found = repr(self.token) if self.kind != "end" else "the end"
        where = f"condition {self.text!r}: position {self.start + 1}"
        return UserError(f"{where}: found {found}, expected {expected}")

    def condition(self, depth: int) -> _Evaluate:
        return self._joined("or", np.logical_or, depth)

    def _joined(self, word: str, join: Callable, depth: int) -> _Evaluate:
        def part() -> _Evaluate:
            if word == "or":
                return self._joined("and", np.logical_and, depth)
            return self.one(depth)

        parts = [part()]
        while self.kind == "word" and self.token == word:
            self.advance()
            parts.append(part())
        return lambda columns: join.reduce([evaluate(columns) for evaluate in parts])

    def one(self, depth: int) -> _Evaluate:
        if depth > _DEEPEST:
            raise self.error(f"at most {_DEEPEST} levels of 'not' and parentheses")
        if self.kind == "word" and self.token == "not":
            self.advance()
            inner = self.one(depth + 1)
            return lambda columns: ~inner(columns)
        if self.token == "(":
            self.advance()
            inner = self.condition(depth + 1)
            if self.token != ")":
                raise self.error("')'")
            self.advance()
            return inner
        return self.chain()

    def chain(self) -> _Evaluate:
        values, signs = [self.value()], []
        while self.token in _COMPARE:
            signs.append(_COMPARE[self.advance()])
            values.append(self.value())
        if not signs:
            raise self.error(f"a comparison, one of {' '.join(_COMPARE)}")

        def evaluate(columns: Columns) -> np.ndarray:
            found = [value(columns) for value in values]
            good = np.logical_and.reduce([np.isfinite(one) for one in found])
            for left, sign, right in zip(found, signs, found[1:], strict=False):
                good = good & sign(left, right)
            return good

        return evaluate

    def value(self) -> _Evaluate:
        if self.token in ("-", "+") or self.kind == "number":
            sign = 1.0
            if self.kind != "number":
                sign = -1.0 if self.advance() == "-" else 1.0
            if self.kind != "number":
                raise self.error("a number")
            number = sign * float(self.advance())
            return lambda columns: np.full(next(iter(columns.values())).size, number)
        if self.kind != "word" or self.token not in COLUMNS:
            raise self.error(f"a number or one of {', '.join(COLUMNS)}")
        name = self.advance()
        self.columns.add(name)
        return lambda columns: columns[name]
