"""Rows of the page's tables about the run itself: events, files, networks, time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ptmiss.core.html.text import count, number
from ptmiss.core.io.records import Values
from ptmiss.events.ledger import OFF_RAW_MET
from ptmiss.tasks.met.report.ledgers import Ledger
from ptmiss.tasks.met.report.samples import Kind

MOST_INPUTS = 200
"""Input files listed by name on the page; summary.json has all of them."""


def ledger(ledgers: Iterable[Ledger], kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return the rows of the event ledger, one a sample and their total."""
    return [
        {
            "label": kinds[one.sample].label,
            "parts": count(one.parts),
            "n_in": count(one.n_in),
            "kept": count(one.kept),
            "rejected": count(sum(one.rejected.values())),
            "reasons": _reasons(one.rejected),
            "renumbered": _reasons(one.renumbered),
            "balanced": one.balanced,
            "weight_in": number(one.weight_in, 6),
            "weight_kept": number(one.weight_kept, 6),
            "candidates": count(one.candidates),
            "repairs": _reasons(one.repaired),
            "drops": _reasons(one.dropped),
            "derived": _reasons(one.derived),
            "not_finite": _reasons(one.not_finite),
            "off_raw_met": None if one.off_raw_met is None else f"{one.off_raw_met:.2g}",
            "incomplete": one.off_raw_met is not None and one.off_raw_met > OFF_RAW_MET,
        }
        for one in ledgers
    ]


def _reasons(counts: Mapping[str, int]) -> list[str]:
    return [f"{name.replace('_', ' ')}: {count(n)}" for name, n in sorted(counts.items()) if n]


def inputs(ledgers: Iterable[Ledger], kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return the input files of each sample with their hashes."""
    rows = []
    for ledger in ledgers:
        if not ledger.inputs:
            continue
        listed = sorted(ledger.inputs.items())
        more = len(listed) - MOST_INPUTS
        rows.append(
            {
                "label": kinds[ledger.sample].label,
                "text": f"{count(len(listed))} file{'s' if len(listed) != 1 else ''}",
                "digest": ledger.inputs_digest,
                "files": [(name, value or "not hashed") for name, value in listed[:MOST_INPUTS]],
                "more": f"and {count(more)} more, listed in summary.json" if more > 0 else "",
            }
        )
    return rows


def parity(by_training: Mapping[str, Values]) -> list[dict[str, str]]:
    """Return the rows of the comparison of the exported network with the trained one."""
    return [
        {
            "training": training,
            "events": count(one["events"]),
            "worst": f"{max(one['largest_difference_gev'].values()):.2g}",
            "limit": f"{one['limit_gev']:g}",
        }
        for training, one in by_training.items()
    ]


def trainings(summary: Values) -> list[dict[str, str]]:
    """Return one row for each trained network."""
    return [
        {
            "training": training,
            "epochs": f"{one['best_epoch']} of {one['epochs']}",
            "train": count((one.get("events") or {}).get("train") or 0),
            "validation": count((one.get("events") or {}).get("validation") or 0),
            "parameters": count(one.get("parameters") or 0),
            "seed": str(one["seed"]),
        }
        for training, one in summary["training"].items()
    ]
