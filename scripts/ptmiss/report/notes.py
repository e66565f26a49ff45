"""Sentences of the page on what it shows and what it was not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ptmiss.report import samples
from ptmiss.report.headlines import Headline
from ptmiss.report.latex import readable
from ptmiss.report.ledgers import Ledger
from ptmiss.report.plots import shared
from ptmiss.report.stages import Stage


def nature(kinds: Sequence[samples.Kind]) -> str:
    """Say in one sentence what the page's events are."""
    simulated = [kind for kind in kinds if kind.sentence == samples.SIMULATED]
    if not kinds or len(simulated) == len(kinds):
        return samples.SIMULATED
    if not simulated:
        return "The events of this page were read from files; each sample says what it is."
    others = ", ".join(f"{kind.label} ({kind.origin})" for kind in kinds if kind not in simulated)
    return f"{samples.SIMULATED} Except: {others}."


def missing(
    frame: pd.DataFrame,
    heads: Mapping[str, Sequence[Headline]],
    books: Sequence[Ledger],
    times: Sequence[Stage],
) -> list[str]:
    """Say what this report was not given, so that an absence is not taken for a result."""
    lines = []
    if frame.empty:
        lines.append("No performance numbers: the tables are empty.")
    without = sorted(set(frame["training"].unique()) - set(heads))
    if without:
        lines.append(
            f"No headline numbers for {', '.join(without)}: gains and their intervals are missing."
        )
    empty = [
        readable(sample["label"])
        for several in heads.values()
        for sample in several
        if not any(
            bounds["value"] is not None
            for values in sample["estimators"].values()
            for name, bounds in values.items()
            if name.startswith("sigma") and bounds is not None
        )
    ]
    if empty:
        labels = ", ".join(dict.fromkeys(empty))
        lines.append(f"Too few events for a response-corrected resolution: {labels}.")
    if not books:
        lines.append("No event ledgers: how many events were rejected or repaired is not known.")
    broken = [one.sample for one in books if not one.balanced]
    if broken:
        lines.append(f"The event ledger does not add up for {', '.join(broken)}: events were lost.")
    if not times:
        lines.append("No benchmark files: run time and memory are not known.")
    return lines


def overview_note(result: Mapping[str, object]) -> str:
    """Say which of the usual estimators the summary lacks."""
    trainings = result["trainings"].values()
    names = {name for several in trainings for one in several for name in one["estimators"]}
    notes = []
    if "deepmet" not in names:
        notes.append(
            "No trained network is among the estimators, so the best classical one stands here."
        )
    if "oracle" not in names:
        notes.append("No sample has the truth of its candidates, so there is no oracle.")
    return " ".join(notes)


def drawn_note(trainings: Sequence[str], drawn: Sequence[str]) -> str:
    """Say which trainings the figures show, where not all."""
    if len(drawn) == len(trainings):
        return ""
    return f" Figures show the trainings {', '.join(drawn)}; numbers of all stand in the tables."


def variation_note(frame: pd.DataFrame) -> str:
    """Say which variations are drawn, where the tables hold others."""
    drawn = shared.drawn_variations(frame)
    others = sorted(set(frame["variation"].unique()) - set(drawn))
    if not others:
        return ""
    return f"Drawn: variation {', '.join(drawn)}. In the tables only: {', '.join(others)}."
