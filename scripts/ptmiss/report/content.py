"""What the performance part of the page shows: figures with their captions, by sample."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from ptmiss.report.figures import Drawn, describe
from ptmiss.report.page import data_address
from ptmiss.report.plan import AXES, FORMS, QUANTITIES, Spec
from ptmiss.report.tables import TOGETHER, as_csv
from ptmiss.report.text import count

SIMULATED = (
    "Parametric simulation: generated collisions in a simplified detector, kinder than a real one. "
    "Not a result of any experiment."
)


@dataclass(frozen=True)
class Kind:
    """What a sample is. `origin` is printed on its figures, `sentence` stands in its text."""

    label: str
    origin: str
    sentence: str


def kinds(samples: Mapping[str, Mapping[str, object]], names: Iterable[str]) -> dict[str, Kind]:
    """Return what each of the named samples is, according to the configuration's `samples`."""
    return {name: _kind(name, samples.get(name)) for name in names}


def _kind(name: str, sample: Mapping[str, object] | None) -> Kind:
    if sample is None:
        text = "Not in the configuration: what these events are is not known."
        return Kind(name, "Origin unknown", text)
    label = str(sample.get("label", name))
    if sample.get("source") == "simulated":
        return Kind(label, "Parametric simulation", SIMULATED)
    if sample.get("is_data"):
        return Kind(label, "Recorded collisions", "Recorded collisions, read from files.")
    text = "Simulated collisions, read from files; the simulation is not ours."
    return Kind(label, "Simulation from files", text)


def identifier(*parts: str) -> str:
    """Return a name usable as an element's id and as a file name, for any text.

    Letters, digits, underscores and hyphens stay; every other character becomes its hexadecimal
    code, so that two different texts never give the same name.
    """
    return "-".join(
        re.sub(r"[^A-Za-z0-9_]", lambda found: f".{ord(found[0]):x}.", part) for part in parts
    )


def figure(spec: Spec, drawn: Drawn, kind: Kind, many_trainings: bool) -> dict[str, object]:
    """Return what the template needs of one figure."""
    quantity, axis = QUANTITIES[spec.quantity], AXES[spec.axis]
    form = f", {FORMS[spec.form]}" if FORMS[spec.form] else ""
    definition = quantity.definition
    if spec.quantity == "response" and spec.axis != "qt":
        # without a boson, the response is the one to the true pTmiss
        definition = QUANTITIES["response_met"].definition
    alt = f"{kind.label}: {describe(spec, drawn)}. {kind.origin}."
    whose = f" Training {spec.training}." if many_trainings and spec.training != TOGETHER else ""
    subset = f", {spec.subset}" if spec.subset else ""
    heading = f"{quantity.words.capitalize()} against {axis.words}{subset}{form}"
    return {
        "id": identifier("figure", *spec.parts),
        "sample": spec.sample,
        "training": spec.training,
        "quantity": spec.quantity,
        "axis": spec.axis,
        "form": spec.form,
        "against": axis.words + subset,
        "words": f"{spec.name} {alt} {heading}".lower(),
        "image": Markup(data_address("image/png", drawn.png)),
        "table": Markup(data_address("text/csv", as_csv(spec.rows))),
        "alt": alt,
        "width": drawn.width,
        "height": drawn.height,
        "heading": heading,
        "caption": f"{kind.label}.{whose} {definition} {_numbers(spec, drawn)}",
    }


def _numbers(spec: Spec, drawn: Drawn) -> str:
    text = (
        f"{count(drawn.n_events)} test events between {drawn.low:g} and "
        f"{drawn.high:g}{' GeV' if '[GeV]' in AXES[spec.axis].symbol else ''}."
    )
    if drawn.empty_bins:
        n = len(drawn.empty_bins)
        text += f" {n} bin{'s' if n > 1 else ''} without a value for lack of events."
    if drawn.outside:
        text += f" {drawn.outside} points lie outside the drawn range; the table has them."
    return text


def groups(
    drawn: Iterable[tuple[Spec, Drawn]], kinds_of: Mapping[str, Kind], many_trainings: bool
) -> list[dict[str, object]]:
    """Return the figures by sample; within one, equal figures of several trainings side by side."""
    found: dict[str, dict[str, object]] = {}
    ranked: dict[str, list[tuple[tuple[int, str], str, dict[str, object]]]] = {}
    place: dict[tuple[str, str, str], int] = {}
    for spec, result in drawn:
        kind = kinds_of[spec.sample]
        group = found.setdefault(
            spec.sample,
            {
                "id": identifier("sample", spec.sample),
                "label": kind.label,
                "text": kind.sentence,
                "empty_bins": [],
            },
        )
        rank = place.setdefault((spec.quantity, spec.axis, spec.form), len(place))
        entry = figure(spec, result, kind, many_trainings)
        ranked.setdefault(spec.sample, []).append(((rank, spec.training), spec.form, entry))
        if result.empty_bins and spec.form != "rms":
            ranges = ", ".join(f"{low:g}\u2013{high:g}" for low, high in result.empty_bins)
            group["empty_bins"].append(f"{entry['heading']}: {ranges}")
    for sample, group in found.items():
        ordered = sorted(ranked[sample], key=lambda item: item[0])
        group["figures"] = [entry for _, form, entry in ordered if form != "rms"]
        group["further"] = [entry for _, form, entry in ordered if form == "rms"]
    return list(found.values())


def selects(groups_: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return the choices of the filter: only those with more than one option."""
    entries = [e for group in groups_ for e in (*group["figures"], *group["further"])]
    samples = {group["figures"][0]["sample"]: group["label"] for group in groups_}
    quantities = {e["quantity"]: QUANTITIES[e["quantity"]].words for e in entries}
    axes = {e["axis"]: e["against"] for e in entries}
    trainings = {e["training"]: e["training"] for e in entries}
    forms = {e["form"]: FORMS[e["form"]] for e in entries if FORMS[e["form"]]}
    choices = (
        ("sample", "Sample", samples),
        ("training", "Training", trainings),
        ("quantity", "Quantity", quantities),
        ("axis", "Against", axes),
        ("form", "Form", forms),
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
