"""Parts of networks that are written to ONNX by hand, where bytes and speed matter.

Apart from the parts themselves, so that an edit of a writer exports again and does not train again.
A network with a part that is not here goes through the converter as a whole.
"""

from __future__ import annotations

from ptmiss.learn.backbones import deepmet, deepmet_onnx, neighbours_onnx
from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.heads import event_onnx, vector_sum_onnx
from ptmiss.learn.network import Network
from ptmiss.learn.onnx.writer import Graph, Tensors
from ptmiss.learn.settings.heads import VectorSumHead


def _deepmet(graph: Graph, tensors: Tensors, network: Network) -> str:
    return deepmet_onnx.add(graph, tensors, network.backbone.arrays(), deepmet.EPSILON)


def _vector_sum(graph: Graph, tensors: Tensors, outputs: str, network: Network) -> None:
    head, layout = network.spec.head, network.spec.layout
    if not isinstance(head, VectorSumHead):
        raise TypeError(f"a vector sum has no settings of {head.kind}")
    weights = network.head.arrays()
    vector_sum_onnx.add(graph, tensors, outputs, layout, head, weights)


def _neighbours(graph: Graph, tensors: Tensors, network: Network) -> str:
    weights, layout = network.backbone.arrays(), network.spec.layout
    return neighbours_onnx.add(graph, tensors, layout, weights, deepmet.EPSILON)


def _event(graph: Graph, tensors: Tensors, outputs: str, network: Network) -> None:
    event_onnx.add(graph, tensors, outputs, network.spec.layout, network.head.arrays())


BACKBONES = {"deepmet": _deepmet, "neighbours": _neighbours}
"""Kind -> function that adds the layers and returns the name of the outputs, (k, n)."""

HEADS = {"vector_sum": _vector_sum, "event": _event}
"""Kind -> function that adds what follows the outputs, up to the output of the network."""


def has_writers(network: Network) -> bool:
    """Say whether a network is written by hand."""
    spec = network.spec
    return spec.network.kind in BACKBONES and spec.head.kind in HEADS and _fits(spec.layout)


def _fits(layout: FeatureLayout) -> bool:
    return layout.pinned is not None and layout.size is not None and layout.vector is not None
