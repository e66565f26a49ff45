"""The backbones there are, by their kind in the settings."""

from __future__ import annotations

from collections.abc import Callable

from ptmiss.learn.backbones.attention import Attention
from ptmiss.learn.backbones.base import Backbone, Plan
from ptmiss.learn.backbones.deepmet import DeepMET
from ptmiss.learn.backbones.dense import Dense
from ptmiss.learn.backbones.edgeconv import EdgeConv
from ptmiss.learn.backbones.neighbours import Neighbours
from ptmiss.learn.settings.networks import Network

KINDS: dict[str, Callable[..., Backbone]] = {
    "deepmet": DeepMET,
    "dense": Dense,
    "neighbours": Neighbours,
    "attention": Attention,
    "edgeconv": EdgeConv,
}


def backbone(settings: Network, plan: Plan) -> Backbone:
    """Return the backbone that a training asks for, without variables yet."""
    return KINDS[settings.kind](settings, plan, name="backbone")
