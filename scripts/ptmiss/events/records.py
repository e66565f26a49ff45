"""The ledger's JSON: what its readers rely on. Writers may add keys."""

from __future__ import annotations

from pydantic import Field

from ptmiss.core.io.records import Count, Counts, Excerpt, Number, Positive, Sha256, Text


class _Events(Excerpt):
    n_in: Count = Field(alias="in")
    kept: Count
    rejected: Counts


class _Candidates(Excerpt):
    kept: Count
    repaired: Counts
    dropped: Counts
    derived: Counts


class _Weights(Excerpt):
    weight_in: Number = Field(alias="in")
    kept: Number


class _Input(Excerpt):
    name: Text
    sha256: Sha256 | None
    off_raw_met: Positive | None = None


class Ledger(Excerpt):
    """skim/{sample}/{part}.ledger.json."""

    sample: Text
    part: Text
    inputs: list[_Input]
    events: _Events
    candidates: _Candidates
    weights: _Weights
    stored_mets_not_finite: Counts
    renumbered: Counts = Field(default_factory=dict)
