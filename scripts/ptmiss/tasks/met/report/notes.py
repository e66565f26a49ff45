"""Sentences of the page on what it shows and what it was not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ptmiss.core.figures.latex import readable
from ptmiss.core.html.stages import Stage
from ptmiss.core.html.text import count
from ptmiss.core.io.records import Values
from ptmiss.events.ledger import COMMON_REASONS
from ptmiss.events.settings.samples import FileSample, Sample
from ptmiss.tasks.met.report import samples
from ptmiss.tasks.met.report.headlines import Headline
from ptmiss.tasks.met.report.ledgers import Ledger
from ptmiss.tasks.met.report.plots import shared
from ptmiss.tasks.met.settings.config import Config

NOTABLE = 0.01
"""Share of a sample whose loss stands on the first screen."""

MOST_OF_SUM = 1.1
"""Seen share of a sample's sum of weights; negative weights elsewhere can bring it above 1."""


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


def masked(closures: Mapping[str, Values]) -> list[str]:
    """Say of each training which estimators were not finite in events of its calibration."""
    lines = []
    for training, closure in closures.items():
        estimators = [
            f"{item['estimator']} in {count(item['events'])} of {count(item['of'])} events of"
            f" {item['sample']}"
            for item in closure.get("masked", ())
        ]
        if estimators:
            lines.append(
                f"Calibration of {training}: not finite and left out are {', '.join(estimators)}."
            )
    return lines


def losses(books: Sequence[Ledger], heads: Mapping[str, Sequence[Headline]]) -> list[str]:
    """Name what more than 1 % of a sample was lost to, whatever its selection."""
    lines = []
    kept = {}
    for book in books:
        kept[book.sample] = book.kept
        for reason in COMMON_REASONS:
            if book.rejected[reason] > NOTABLE * book.n_in:
                lost = _share(book.rejected[reason], book.n_in)
                lines.append(f"{book.sample}: {lost} of the input are left out: {reason}.")
    repeated = {
        str(head["sample"]): (int(head["repeated"]), int(head["n_events"]))
        for several in heads.values()
        for head in several
        if head.get("repeated")
    }
    for sample, (n, measured) in sorted(repeated.items()):
        total = kept.get(sample, n + measured)
        if n > NOTABLE * total:
            lines.append(f"{sample}: {_share(n, total)} are in several parts; each counts once.")
    return lines


def _share(n: int, total: int) -> str:
    return f"{count(n)} of {count(total)} events ({100 * n / total:.3g} %)"


def normalisation(books: Sequence[Ledger], samples: Mapping[str, Sample]) -> list[str]:
    """Name samples whose events have more weight than `sum_of_weights` says there is in all."""
    lines = []
    for book in books:
        sample = samples.get(book.sample)
        if not isinstance(sample, FileSample) or sample.is_data:
            continue
        if sample.sum_of_weights is None or sample.sum_of_weights == 1.0:
            continue
        share = book.weight_in / sample.cross_section
        if share > MOST_OF_SUM:
            lines.append(
                f"{book.sample}: its generator weights add up to {share * sample.sum_of_weights:g},"
                f" {share:.3g} times sum_of_weights, which is of all generated events: that number"
                " or the list of files is wrong."
            )
    return lines


def unmeasured(config: Config) -> list[str]:
    """Say where events are left out for the sake of trainings that this run does not have."""
    left = sorted((*config.measured_folds.train, *config.measured_folds.validation))
    if config.trainings or not left:
        return []
    return [
        f"Simulated events of the folds {', '.join(map(str, left))} are not measured, because an"
        " external model may have learned from them; if not, put all ten into folds.test."
    ]


def overview_note(result: Values) -> str:
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
