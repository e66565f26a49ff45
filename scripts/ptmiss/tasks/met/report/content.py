"""What the page shows of the figures: by section and group, with captions and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ptmiss.core.figures.chart import Figure, Picture
from ptmiss.core.report.sections import entry, identifier
from ptmiss.tasks.met.report.plots.gains import ALL
from ptmiss.tasks.met.report.plots.quantities import FORMS
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.tables import TOGETHER

SECTIONS = {
    "training": "Training curves",
    "performance": "Performance: recoil of the boson",
    "final-states": "Final states",
    "slices": "Slices",
    "interpretation": "Interpretation",
    "calibration": "Calibration",
    "uncertainties": "Uncertainties",
}
"""Sections that hold figures, in the order of the page."""

_BY_TRAINING = ("training", "interpretation", "calibration", "uncertainties")
_GROUPS = {ALL: "All final states", "all": "All trainings"}


def sections(
    drawn: Iterable[tuple[Figure, Picture]], kinds: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    """Return the sections that have figures, each with its groups.

    Within a group equal figures of several trainings stand side by side; samples are in the order
    of `kinds`, what holds all of them first.
    """
    by_section: dict[str, dict[str, list[tuple[Figure, Picture]]]] = {}
    for figure, picture in drawn:
        by_section.setdefault(figure.section, {}).setdefault(figure.group, []).append(
            (figure, picture)
        )
    order = [*_GROUPS, *kinds]
    listed = []
    for section, label in SECTIONS.items():
        groups = by_section.get(section, {})
        names = sorted(groups, key=_place(list(_GROUPS) if section in _BY_TRAINING else order))
        members = [_group(section, name, groups[name], kinds) for name in names]
        if members:
            listed.append({"id": section, "label": label, "groups": members})
    return listed


def _pair(figure: Figure) -> tuple[str, ...]:
    """Return what figures of the same kind of several trainings are called by."""
    return figure.parts[1:] if figure.parts[0] == figure.training else figure.parts


def _pair_name(figure: Figure) -> str:
    return identifier(*_pair(figure)) if figure.training not in ("", TOGETHER) else ""


def _place(order: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (order.index(name) if name in order else len(order), name)


def _group(
    section: str, name: str, members: list[tuple[Figure, Picture]], kinds: Mapping[str, Kind]
) -> dict[str, Any]:
    ranks: dict[tuple[str, ...], int] = {}
    for figure, _ in members:
        ranks.setdefault(_pair(figure), len(ranks))

    def rank(member: tuple[Figure, Picture]) -> tuple[int, str]:
        figure = member[0]
        return ranks[_pair(figure)], figure.training

    ordered = [
        (figure, entry(figure, picture, _pair_name(figure)))
        for figure, picture in sorted(members, key=rank)
    ]
    label = _GROUPS.get(name) or (kinds[name].label if name in kinds else name)
    if section in _BY_TRAINING and name not in _GROUPS:
        label = f"Training {name}"
    return {
        "id": identifier("sample" if section in ("performance", "final-states") else section, name),
        "label": label,
        "text": members[0][0].group_text,
        "figures": [one for figure, one in ordered if not figure.further],
        "further": [one for figure, one in ordered if figure.further],
        "empty_bins": [
            {
                "heading": figure.heading,
                "bins": ", ".join(f"{low:g}\u2013{high:g}" for low, high in figure.empty_bins),
            }
            for figure, _ in ordered
            if figure.empty_bins
        ],
    }


def selects(figures: Sequence[Figure], kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return the choices of the filter: only those with more than one option."""
    samples = {figure.sample for figure in figures if figure.sample}
    choices = (
        ("section", "Section", {f.section: SECTIONS[f.section] for f in figures}),
        ("sample", "Sample", {name: kind.label for name, kind in kinds.items() if name in samples}),
        (
            "training",
            "Training",
            {f.training: _GROUPS.get(f.training, f.training) for f in figures if f.training},
        ),
        ("quantity", "Quantity", dict(f.quantity for f in figures if f.quantity[0])),
        ("axis", "Against", dict(f.axis for f in figures if f.axis[0])),
        ("form", "Form", {f.form: FORMS[f.form] for f in figures if FORMS[f.form]}),
    )
    return [
        {
            "key": key,
            "label": label,
            "options": [{"value": value, "label": text} for value, text in options.items()],
        }
        for key, label, options in choices
        if len(options) > 1
    ]
