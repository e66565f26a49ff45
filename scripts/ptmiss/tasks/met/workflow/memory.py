"""Whether the rule of the stage performance may have the memory that its histograms take."""

from __future__ import annotations

import re

from ptmiss.core.errors import UserError
from ptmiss.events.mets import STORED_METS
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.met.settings.performance import memory_mb

RULE_MB = "4000"
"""What the rule of the stage performance has."""


def require_memory(config: Config, has_files: bool, limit: str) -> None:
    """Raise `UserError` where the histograms do not fit into the memory of the rule.

    has_files: whether samples are read from files. limit: MB as the rule, a profile or the command
    line gives it: `8000`, `attempt * 8000`. Other expressions are evaluated by Snakemake alone, so
    nothing is said of them here.
    """
    of_candidates = (
        len(config.evaluate.estimators)
        + len(config.evaluate.external)
        # our simulation stores none
        + (len(config.performance.stored) if has_files else 0)
        # the network, and its own recoil rescaled
        + 2 * bool(config.trainings)
    )
    without = set(config.samples) == set(config.without_candidates)
    stored = len(STORED_METS) if config.without_candidates else 0
    needed = memory_mb(config.performance, stored if without else max(of_candidates, stored))
    plain = re.fullmatch(r"(?:attempt \* )?(\d+)(?: \* attempt)?", limit.strip())
    if plain and needed > int(plain[1]):
        raise UserError(
            f"performance: these bins, {config.performance.replicas} replicas and the estimators"
            f" need up to {needed} MB, the rule has {plain[1]}; give fewer edges or replicas, or"
            f" run with --set-resources performance:mem_mb={needed}"
        )
