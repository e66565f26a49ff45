"""Rows of the page's tables of gains and resolutions: numbers turned into text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmiss.core.html.text import DASH, count, number
from ptmiss.core.io.records import Values
from ptmiss.core.report.sections import identifier
from ptmiss.tasks.met.performance.names import FORMS, OWN_HIGH
from ptmiss.tasks.met.report import forms
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import looks
from ptmiss.tasks.met.report.summary import further_looks

LEADING = ("calibrated", "deepmet", "puppi", "chs", "pf")
"""Whose gains the first screen shows: the first of these that a sample has."""

COMPARED = ("pf", "puppi", "oracle")
"""Whose resolutions the first screen shows beside the leading estimator's."""

MARK = "\u2020"
"""Of numbers that are not corrected on the response plateau as the others are."""

QUANTITY_NAMES = {
    "sigma_par": "\u03c3(u\u2225)",
    "sigma_perp": "\u03c3(u\u22a5)",
    "sigma_xy": "\u03c3(p\u2093, p\u1d67)",
    "sigma_met": "\u03c3(|pTmiss|)",
}


def overviews(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return the tables of the first screen: one a training, a row for each final state."""
    rows, high = _led(all_rows(summary, kinds)), high_range(summary)
    tables = []
    for training in summary["trainings"]:
        own = [row for row in rows if row["training"] == training]
        leaders = {row["estimator"] for row in own}
        tables.append(
            {
                "training": training,
                "id": identifier("gains", training),
                "leader": leaders.pop() if len(leaders) == 1 else "",
                "network": any(row["network"] for row in own),
                "rows": own,
                "high": high,
            }
        )
    return [table for table in tables if table["rows"]]


def high_range(summary: Values) -> str:
    """Return which events the form with recoil is of, empty where there is none."""
    return next(
        (
            range_words(one.where)
            for samples in summary["trainings"].values()
            for sample in samples
            for one in forms.formed(sample)
            if one.form == OWN_HIGH
        ),
        "",
    )


def _led(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the leading estimators in the leading form, each with the gains over PUPPI
    and PF that it has in the other forms: `beside`, form -> over -> cell."""
    led = [row for row in rows if row["leads"]]
    beside: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for row in led:
        cells = {over: row[f"over_{over}"] for over in ("puppi", "pf")}
        beside.setdefault(_place_of(row), {})[row["form"]] = cells
    nothing = {over: gain_cell(None) for over in ("puppi", "pf")}
    empty = dict.fromkeys(FORMS, nothing)
    return [
        {**row, "beside": {**empty, **beside[_place_of(row)]}} for row in led if row["first_form"]
    ]


def _place_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[key] for key in ("training", "sample", "label", "quantity", "name"))


def everything(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return one row for every sample, training, resolution and estimator; `further`: gains over
    those of `further_names`."""
    names = list(further_looks(summary))
    return [
        {**row, "further": [row.get(f"over_{name}", gain_cell(None)) for name in names]}
        for row in all_rows(summary, kinds)
    ]


def further_names(summary: Values) -> list[str]:
    """Return what the estimators besides PF and PUPPI are called over which gains are quoted."""
    return [look.label for look in further_looks(summary).values()]


def all_rows(summary: Values, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Return a row for every sample, training, resolution and estimator, samples in order."""
    rows = []
    for training, samples in summary["trainings"].items():
        for sample in samples:
            first = {one.quantity: one.form for one in reversed([*forms.formed(sample)])}
            for one in forms.formed(sample):
                if one.quantity in QUANTITY_NAMES:
                    own = _sample_rows(training, sample, one, kinds)
                    for row in own:
                        row["first"] = row is own[0]
                        row["first_form"] = one.form == first[one.quantity]
                    rows += own
    # in the order of the configuration, the trainings of one sample together
    place = {name: i for i, name in enumerate(kinds)}
    quantities = list(QUANTITY_NAMES.values())
    return sorted(rows, key=lambda row: (place[row["sample"]], quantities.index(row["quantity"])))


def _sample_rows(
    training: str, sample: Values, formed: forms.Formed, kinds: Mapping[str, Kind]
) -> list[dict[str, Any]]:
    quantity = formed.quantity
    names = list(looks(sample["estimators"]))
    without = sample.get("without_plateau", {}).get(quantity)
    # a headline without forms: what the plateau lacks stands in its place
    mark = MARK if without and without["instead"] and not sample.get("forms") else ""
    leader = next((name for name in LEADING if name in names), None)
    rows = []
    for name, look in looks(names).items():
        estimator = sample["estimators"][name]
        values = formed.estimators.get(name)
        if values is None:
            continue
        response = estimator["plateau_response"]
        gains = values["gain_over"]
        covered = values["way_to_oracle"] if name != "puppi" else None
        way = f"{points(covered)}{'' if covered is None else mark}"
        label = kinds[sample["sample"]].label
        if sample["variation"] != "nominal":
            label += f" ({sample['variation']})"
        rows.append(
            {
                "id": identifier("sample", sample["sample"]),
                "sample": sample["sample"],
                "label": label,
                "training": training,
                "quantity": QUANTITY_NAMES[quantity],
                "range": range_words(formed.where),
                "form": formed.form,
                "corrected": formed.words,
                "name": name,
                "estimator": look.label,
                "leads": name == leader,
                "network": name == leader and leader in ("deepmet", "calibrated"),
                "others": {other: _value(formed, other, mark) for other in COMPARED},
                "why": _why(without, mark),
                "value": _marked_number(values["value"], mark),
                "rms": _marked_number(values["rms"], mark),
                "over_pf": gain_cell(gains.get("pf"), mark),
                "over_puppi": gain_cell(gains.get("puppi"), mark),
                **{f"over_{base}": gain_cell(gain, mark) for base, gain in gains.items()},
                "response": number(response["value"]) if response else DASH,
                "plateau": {
                    "text": number(response["value"]) if response else DASH,
                    "interval": "",
                },
                "way": way,
                "to_oracle": {"text": way, "interval": "", "number": values["way_to_oracle"]},
                "events": count(sample["n_events"]),
            }
        )
    return rows


def _why(without: Values | None, mark: str) -> str:
    """Say why a row has no resolution corrected on the plateau; nothing where it has one."""
    if without is None:
        return ""
    n = without["events_on_plateau"]
    reason = f"only {count(n)} event{'' if n == 1 else 's'}" if n else "no event"
    reason = f"{reason} on the response plateau"
    if mark:
        return f"{mark} {reason}: corrected by the response of the events\u2019 own bins"
    if without["instead"]:
        return f"{reason}: not in the plateau form"
    return f"{reason}, too few in other bins too: no corrected resolution"


def _marked_number(value: float | None, mark: str) -> str:
    return number(value) if value is None else f"{number(value)}{mark}"


def _value(formed: forms.Formed, name: str, mark: str) -> str:
    values = formed.estimators.get(name)
    return _marked_number(None if values is None else values["value"], mark)


def gain_cell(gain: Values | None, mark: str = "") -> dict[str, Any]:
    """Return text, interval and number of a gain, a dash where there is none."""
    if gain is None or gain["value"] is None:
        return {"text": DASH, "interval": ""}
    interval = ""
    if gain["low"] is not None and gain["high"] is not None:
        interval = f"[{points(gain['low'])}, {points(gain['high'])}]"
    text = f"{points(gain['value'])}{mark}"
    return {"text": text, "interval": interval, "number": gain["value"]}


def fixed_cell(bounds: Values | None) -> dict[str, str]:
    """Return text and interval of a number with two decimals, a dash where there is none."""
    if bounds is None or bounds["value"] is None:
        return {"text": DASH, "interval": ""}
    low, high = bounds["low"], bounds["high"]
    interval = "" if low is None or high is None else f"[{_fixed(low)}, {_fixed(high)}]"
    return {"text": _fixed(bounds["value"]), "interval": interval}


def _fixed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def points(value: float | None) -> str:
    """Return a fraction in percent, without the sign."""
    if value is None:
        return DASH
    return f"{100 * value:.1f}".replace("-", "\u2212")


def range_words(where: Values) -> str:
    """Return in words which events a number is of."""
    names = {"qt": "q_T", "gen_met": "true pTmiss", "gen_ht": "generator H_T", "n_pv": "vertices"}
    if where["axis"] == "all":
        return "all events"
    low, high = where["bin_low"], where["bin_high"]
    name = names.get(where["axis"], where["axis"])
    return f"{name} {'' if low is None else f'{low:g}'}\u2013{'' if high is None else f'{high:g}'}"
