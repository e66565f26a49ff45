"""Nodes of a correctionlib document (schema v2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import correctionlib.schemav2 as schema
import numpy as np

from ptmiss.core.stats.lines import Line

Node = dict[str, object]

Inputs = Mapping[str, tuple[str, str]]
"""Name of an input -> type and description, in the order of the arguments."""


def correction_set(text: str, corrections: Sequence[Node]) -> schema.CorrectionSet:
    """Return a document, checked by correctionlib's schema; text: description of the whole."""
    return schema.CorrectionSet.model_validate(
        {"schema_version": 2, "description": text, "corrections": list(corrections)}
    )


def correction(
    head: tuple[str, str],
    inputs: Inputs,
    output: tuple[str, str],
    formulas: Sequence[Node],
    data: Node,
) -> Node:
    """Return a correction. head, output: name and description; formulas: for `reference`."""
    return {
        "name": head[0],
        "description": head[1],
        "version": 1,
        "inputs": [
            {"name": name, "type": kind, "description": text}
            for name, (kind, text) in inputs.items()
        ],
        "output": {"name": output[0], "type": "real", "description": output[1]},
        **({"generic_formulas": list(formulas)} if formulas else {}),
        "data": data,
    }


def category(name: str, items: Mapping[str, object]) -> Node:
    """Return the choice between contents by a text."""
    content = [{"key": key, "value": value} for key, value in items.items()]
    return {"nodetype": "category", "input": name, "content": content}


def binning(name: str, edges: Iterable[float], content: Sequence[object], flow: object) -> Node:
    """Return the choice between contents by a number; flow: what lies outside all bins."""
    return {
        "nodetype": "binning",
        "input": name,
        "edges": [float(edge) for edge in edges],
        "content": list(content),
        "flow": flow,
    }


def formula(expression: str, *variables: str) -> Node:
    """Return a formula of ROOT's kind, whose x, y, z and t are these inputs."""
    return {
        "nodetype": "formula",
        "expression": expression,
        "parser": "TFormula",
        "variables": list(variables),
    }


def reference(index: int, *parameters: float) -> Node:
    """Return one of the formulas of a correction with numbers for its parameters."""
    return {
        "nodetype": "formularef",
        "index": index,
        "parameters": [float(value) for value in parameters],
    }


def numbers_of(line: Line) -> list[float]:
    """Return range, three coefficients, and the variance as five coefficients of powers of n."""
    c, v = np.zeros(3), np.zeros((3, 3))
    c[: line.coefficients.size] = line.coefficients
    v[: line.coefficients.size, : line.coefficients.size] = line.covariance
    variance = [sum(v[i, k - i] for i in range(3) if 0 <= k - i < 3) for k in range(5)]
    return [line.high, line.low, *c, *variance]


def line_formula(variable: str, first: int = 0) -> tuple[str, str]:
    """Return value and standard deviation of a line at an x, y, z or t, as text.

    first: where the parameters of `numbers_of` begin.
    """
    p = [f"[{first + i}]" for i in range(10)]
    n = f"max(min({variable},{p[0]}),{p[1]})"
    mean = f"{p[2]}+{n}*({p[3]}+{n}*{p[4]})"
    return mean, f"sqrt({p[5]}+{n}*({p[6]}+{n}*({p[7]}+{n}*({p[8]}+{n}*{p[9]}))))"
