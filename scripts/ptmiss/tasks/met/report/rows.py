"""Rows of the page's tables: numbers turned into text, nothing computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ptmiss.core.html.text import DASH, count, number
from ptmiss.core.report.sections import identifier
from ptmiss.events.ledger import OFF_RAW_MET
from ptmiss.tasks.met.report.ledgers import Ledger
from ptmiss.tasks.met.report.samples import Kind
from ptmiss.tasks.met.report.style import looks
from ptmiss.tasks.met.report.summary import further_looks

LEADING = ("calibrated", "deepmet", "puppi", "chs", "pf")
"""Whose gains the first screen shows: the first of these that a sample has."""

COMPARED = ("pf", "puppi", "oracle")
"""Whose resolutions the first screen shows beside the leading estimator's."""

MARK = "\u2020"
"""Of numbers that are not corrected on the response plateau as the others are."""

MOST_INPUTS = 200
"""Input files listed by name on the page; summary.json has all of them."""

QUANTITY_NAMES = {
    "sigma_par": "\u03c3(u\u2225)",
    "sigma_perp": "\u03c3(u\u22a5)",
    "sigma_xy": "\u03c3(p\u2093, p\u1d67)",
    "sigma_met": "\u03c3(|pTmiss|)",
}


def overviews(summary: Mapping[str, object], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
    """Return the tables of the first screen: one a training, a row for each final state."""
    rows = [row for row in _all_rows(summary, kinds) if row["leads"]]
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
            }
        )
    return [table for table in tables if table["rows"]]


def matrices(summary: Mapping[str, object], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
    """Return gains over PUPPI, over PF and over others, responses and ways to the oracle: tables of
    final states against trainings, the best of each row marked."""
    leading = [row for row in _all_rows(summary, kinds) if row["leads"]]
    trainings = list(summary["trainings"])
    general = summary["generalisation"]
    tables = []
    for over, name, heading in (
        ("over_puppi", "gains-puppi", "Gain over PUPPI [%]"),
        ("over_pf", "gains-pf", "Gain over PF [%]"),
        *(
            (f"over_{name}", identifier("gains", "over", name), f"Gain over {look.label} [%]")
            for name, look in further_looks(summary).items()
        ),
        ("plateau", "responses", "Response on the plateau"),
        ("to_oracle", "ways", "Way from PUPPI to the oracle [%]"),
    ):
        lines: dict[tuple[str, ...], dict[str, object]] = {}
        for row in leading:
            key = (row["sample"], row["label"], row["quantity"])
            line = lines.setdefault(key, {**row, "gains": {}})
            line["gains"][row["training"]] = row.get(over, _gain(None))
        filled = [
            {**line, "gains": _marked([line["gains"].get(t, _gain(None)) for t in trainings], over)}
            for line in lines.values()
        ]
        key = f"mean_gain_{over}"
        means = [_points(general.get(t, {}).get(key)) for t in trainings]
        best = [general.get(t, {}).get(over.replace("over", "best_over")) for t in trainings]
        tables.append(
            {
                "name": name,
                "heading": heading,
                "trainings": trainings,
                "rows": filled,
                "means": means if any(mean != DASH for mean in means) else [],
                "best": [DASH if n is None else str(n) for n in best],
            }
        )
    return tables


def _marked(cells: list[dict[str, object]], over: str) -> list[dict[str, object]]:
    """Return the cells with `best` at the largest gain and `heat`, 0 to 5 for good, -1 for bad."""
    values = [cell.get("number") for cell in cells]
    known = [value for value in values if value is not None]
    gains = over != "plateau"
    return [
        {
            **cell,
            "best": gains and len(known) > 1 and value is not None and value == max(known),
            "heat": "" if value is None or not gains else _heat(value),
        }
        for cell, value in zip(cells, values, strict=True)
    ]


def _heat(value: float) -> str:
    """Return a class of the page's style: how large a gain is."""
    return "loss" if value < 0 else f"heat{min(int(value * 10), 5)}"


def generalisation(summary: Mapping[str, object]) -> list[dict[str, str]]:
    """Return one row a training: mean gains and in how many final states it is the best."""
    return [
        {
            "training": training,
            "puppi": _points(one.get("mean_gain_over_puppi")),
            "pf": _points(one.get("mean_gain_over_pf")),
            "best": f"{one.get('best_over_puppi', 0)} of {one['final_states']}",
        }
        for training, one in summary["generalisation"].items()
    ]


def lead_training(summary: Mapping[str, object]) -> str:
    """Return the training that the first screen shows: the one of the largest mean gain."""
    general = summary["generalisation"]
    found = {name: one.get("mean_gain_over_puppi") for name, one in general.items()}
    known = {name: value for name, value in found.items() if value is not None}
    return max(known, key=known.get) if known else next(iter(summary["trainings"]), "")


def trainings(summary: Mapping[str, object]) -> list[dict[str, str]]:
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


def everything(summary: Mapping[str, object], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
    """Return one row for every sample, training, resolution and estimator; `further`: gains over
    those of `further_names`."""
    names = list(further_looks(summary))
    return [
        {**row, "further": [row.get(f"over_{name}", _gain(None)) for name in names]}
        for row in _all_rows(summary, kinds)
    ]


def further_names(summary: Mapping[str, object]) -> list[str]:
    """Return what the estimators besides PF and PUPPI are called over which gains are quoted."""
    return [look.label for look in further_looks(summary).values()]


def _all_rows(summary: Mapping[str, object], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
    rows = []
    for training, samples in summary["trainings"].items():
        for sample in samples:
            for quantity, where in sample["measured_in"].items():
                if quantity not in QUANTITY_NAMES:
                    continue
                own = _sample_rows(training, sample, quantity, where, kinds)
                if own:
                    own[0]["first"] = True
                rows += own
    # in the order of the configuration, the trainings of one sample together
    place = {name: i for i, name in enumerate(kinds)}
    quantities = list(QUANTITY_NAMES.values())
    return sorted(rows, key=lambda row: (place[row["sample"]], quantities.index(row["quantity"])))


def _sample_rows(
    training: str,
    sample: Mapping[str, object],
    quantity: str,
    where: Mapping[str, object],
    kinds: Mapping[str, Kind],
) -> list[dict[str, object]]:
    names = list(looks(sample["estimators"]))
    without = sample.get("without_plateau", {}).get(quantity)
    mark = MARK if without and without["instead"] else ""
    leader = next((name for name in LEADING if name in names), None)
    rows = []
    for name, look in looks(names).items():
        estimator = sample["estimators"][name]
        values = estimator["resolution"].get(quantity)
        if values is None:
            continue
        response = estimator["plateau_response"]
        gains = values["gain_over"]
        covered = values["way_to_oracle"] if name != "puppi" else None
        way = f"{_points(covered)}{'' if covered is None else mark}"
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
                "range": _range(where),
                "estimator": look.label,
                "leads": name == leader,
                "network": name == leader and leader in ("deepmet", "calibrated"),
                "others": {other: _value(sample, other, quantity, mark) for other in COMPARED},
                "first": False,
                "why": _why(without),
                "value": _marked_number(values["value"], mark),
                "rms": _marked_number(values["rms"], mark),
                "over_pf": _gain(gains.get("pf"), mark),
                "over_puppi": _gain(gains.get("puppi"), mark),
                **{f"over_{base}": _gain(gain, mark) for base, gain in gains.items()},
                "response": number(response["value"]) if response else DASH,
                "plateau": {
                    "text": number(response["value"]) if response else DASH,
                    "interval": "",
                },
                "way": way,
                "to_oracle": {
                    "text": way,
                    "interval": "",
                    "number": values["way_to_oracle"],
                },
                "events": count(sample["n_events"]),
            }
        )
    return rows


def _why(without: Mapping[str, object] | None) -> str:
    """Say why a row has no resolution corrected on the plateau; nothing where it has one."""
    if without is None:
        return ""
    n = without["events_on_plateau"]
    said = f"only {count(n)} event{'' if n == 1 else 's'}" if n else "no event"
    said = f"{said} on the response plateau"
    if without["instead"]:
        return f"{MARK} {said}: corrected by the response of the events\u2019 own bins"
    return f"{said}, too few in other bins too: no corrected resolution"


def _marked_number(value: float | None, mark: str) -> str:
    return number(value) if value is None else f"{number(value)}{mark}"


def _value(sample: Mapping[str, object], name: str, quantity: str, mark: str) -> str:
    values = sample["estimators"].get(name, {}).get("resolution", {}).get(quantity)
    return _marked_number(None if values is None else values["value"], mark)


def _gain(gain: Mapping[str, object] | None, mark: str = "") -> dict[str, object]:
    if gain is None or gain["value"] is None:
        return {"text": DASH, "interval": ""}
    interval = ""
    if gain["low"] is not None and gain["high"] is not None:
        interval = f"[{_points(gain['low'])}, {_points(gain['high'])}]"
    text = f"{_points(gain['value'])}{mark}"
    return {"text": text, "interval": interval, "number": gain["value"]}


def _points(value: float | None) -> str:
    """Return a fraction in percent, without the sign."""
    if value is None:
        return DASH
    return f"{100 * value:.1f}".replace("-", "\u2212")


def _range(where: Mapping[str, object]) -> str:
    names = {"qt": "q_T", "gen_met": "true pTmiss", "gen_ht": "generator H_T", "n_pv": "vertices"}
    if where["axis"] == "all":
        return "all events"
    low, high = where["bin_low"], where["bin_high"]
    name = names.get(where["axis"], where["axis"])
    return f"{name} {'' if low is None else f'{low:g}'}\u2013{'' if high is None else f'{high:g}'}"


def ledger(ledgers: Iterable[Ledger], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
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


def inputs(ledgers: Iterable[Ledger], kinds: Mapping[str, Kind]) -> list[dict[str, object]]:
    """Return the input files of each sample with their hashes."""
    rows = []
    for one in ledgers:
        if not one.inputs:
            continue
        listed = sorted(one.inputs.items())
        more = len(listed) - MOST_INPUTS
        rows.append(
            {
                "label": kinds[one.sample].label,
                "text": f"{count(len(listed))} file{'s' if len(listed) != 1 else ''}",
                "digest": one.inputs_digest,
                "files": [(name, value or "not hashed") for name, value in listed[:MOST_INPUTS]],
                "more": f"and {count(more)} more, listed in summary.json" if more > 0 else "",
            }
        )
    return rows


def parity(found: Mapping[str, Mapping[str, object]]) -> list[dict[str, str]]:
    """Return the rows of the comparison of the exported network with the trained one."""
    return [
        {
            "training": training,
            "events": count(one["events"]),
            "worst": f"{max(one['largest_difference_gev'].values()):.2g}",
            "limit": f"{one['limit_gev']:g}",
        }
        for training, one in found.items()
    ]
