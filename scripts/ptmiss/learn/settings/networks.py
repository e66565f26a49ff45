"""Settings of backbones: `trainings.NAME.network`, one class a kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptmiss.core.settings.base import Section

Units = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...],
    # not strict: the list of a JSON file has become one of Python where a short form was taken
    Field(min_length=1, max_length=16, strict=False, description="sizes of the hidden layers"),
]


class DeepMETNetwork(Section):
    """Embeddings of categories, dense layers with batch normalisation (CMS, arXiv:2509.12012)."""

    kind: Literal["deepmet"]
    units: Units
    embedding: Annotated[int, Field(ge=1, le=256, description="dimensions of each embedding")]


class DenseNetwork(Section):
    """Plain dense layers on the features of a row, categories as one-hot vectors."""

    kind: Literal["dense"]
    units: Units
    activation: Annotated[Literal["tanh", "relu"], Field(description="after each hidden layer")]


class NeighboursNetwork(Section):
    """The layers of DeepMET on inputs that no rotation or reflection of the event changes, among
    them what lies around each constituent."""

    kind: Literal["neighbours"]
    units: Units
    embedding: Annotated[int, Field(ge=1, le=256, description="dimensions of each embedding")]
    context: Annotated[bool, Field(description="false: it sees nothing of what lies around")] = True


class AttentionNetwork(Section):
    """Dense layers with attention to a few latent vectors of the event, cost linear in candidates;
    inputs as `neighbours`."""

    kind: Literal["attention"]
    units: Units
    latents: Annotated[int, Field(ge=1, le=256, description="latent vectors of an event")]
    size: Annotated[int, Field(ge=1, le=256, description="numbers of a latent vector")]


class EdgeConvNetwork(Section):
    """Dense layers with residual edge convolutions over the nearest neighbours in eta and phi;
    inputs as `neighbours`."""

    kind: Literal["edgeconv"]
    units: Units
    neighbours: Annotated[int, Field(ge=1, le=64, description="nearest neighbours of each")]
    blocks: Annotated[int, Field(ge=1, le=8, description="edge convolutions after each other")]


Network = Annotated[
    DeepMETNetwork | DenseNetwork | NeighboursNetwork | AttentionNetwork | EdgeConvNetwork,
    Field(discriminator="kind"),
]


def sees_context(network: Network) -> bool:
    """Say whether a network sees the context of a constituent, see `ptmiss.learn.features`."""
    if isinstance(network, NeighboursNetwork):
        return network.context
    return isinstance(network, AttentionNetwork | EdgeConvNetwork)


PUBLISHED = {"kind": "deepmet", "units": (64, 32, 16), "embedding": 8}
"""The network of CMS, arXiv:2509.12012: what a training without `network` means."""
