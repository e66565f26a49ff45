"""A frozen graph without its training branch.

Keras of TensorFlow 1 left the switch between training and use (`keras_learning_phase`, off unless
fed) and both branches of each batch normalisation in the graphs that it froze.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import tensorflow as tf

Graph: TypeAlias = tf.compat.v1.GraphDef


def without_training(graph: Graph, output: str) -> Graph:
    """Return what `output` follows from, with each switch set as its default says.

    A graph without such switches stays as it is, less what `output` does not need. Raises
    ValueError for a switch that does not follow from a constant.
    """
    nodes = {node.name: node for node in graph.node}
    dead: set[str] = set()  # outputs "name:port" that the chosen branches never make
    out = Graph()
    out.versions.CopyFrom(graph.versions)
    for name in _order(nodes, output):
        node = tf.compat.v1.NodeDef()
        node.CopyFrom(nodes[name])
        lost = [text for text in node.input if _key(text) in dead]
        if node.op == "Merge":
            alive = [text for text in node.input if text not in lost and not text.startswith("^")]
            if alive:
                _become_identity(node, alive[0])
                dead.add(f"{name}:1")  # which input it was: nobody asks
            else:
                dead |= {f"{name}:0", f"^{name}"}
        elif lost:
            dead |= {f"^{name}", *(f"{name}:{port}" for port in range(8))}
        elif node.op == "Switch":
            chosen = bool(_constant(nodes, node.input[1]))
            if chosen:
                raise ValueError(f"{name} is set to training")
            dead.add(f"{name}:1")
            _become_identity(node, node.input[0])
        elif node.op == "PlaceholderWithDefault":
            _become_identity(node, node.input[0])
        if f"^{name}" not in dead:
            node.input[:] = [text for text in node.input if not text.startswith("^")]
            out.node.append(node)
    kept = _order({node.name: node for node in out.node}, output)
    by_name = {node.name: node for node in out.node}
    del out.node[:]
    out.node.extend(by_name[name] for name in kept)
    return out


def _order(nodes: dict[str, tf.compat.v1.NodeDef], output: str) -> list[str]:
    """Return the nodes that `output` follows from, each after those it needs."""
    order: list[str] = []
    seen: set[str] = set()
    waiting = [(output, False)]
    while waiting:
        name, is_done = waiting.pop()
        if is_done:
            order.append(name)
            continue
        if name in seen:
            continue
        if name not in nodes:
            raise ValueError(f"there is no node {name!r}")
        seen.add(name)
        waiting.append((name, True))
        waiting.extend((_name(text), False) for text in nodes[name].input)
    return order


def _constant(nodes: dict[str, tf.compat.v1.NodeDef], text: str) -> np.ndarray:
    for _ in nodes:
        node = nodes[_name(text)]
        if node.op == "Const":
            return np.asarray(tf.make_ndarray(node.attr["value"].tensor))
        if node.op not in ("Identity", "PlaceholderWithDefault", "Switch"):
            break
        text = node.input[0]
    raise ValueError(f"the switch {text!r} does not follow from a constant")


def _become_identity(node: tf.compat.v1.NodeDef, source: str) -> None:
    kind = node.attr["dtype" if node.op == "PlaceholderWithDefault" else "T"].type
    node.op = "Identity"
    node.input[:] = [source]
    node.attr.clear()
    node.attr["T"].type = kind


def _name(text: str) -> str:
    return text.lstrip("^").split(":")[0]


def _key(text: str) -> str:
    """Return an input as "name:port", or "^name" for one that only has to be over before."""
    return text if ":" in text or text.startswith("^") else f"{text}:0"
