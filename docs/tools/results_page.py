"""Tables of results from summary.json: for the site and for README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
"""Lines of README.md between which the table stands."""

NETWORK = "deepmet"
SHOWN = ("sigma_par", "sigma_perp", "sigma_xy")
WORDS = {"sigma_par": "along the boson", "sigma_perp": "across the boson", "sigma_xy": "component"}
HEADS = {"pf": "PF", "chs": "CHS", "puppi": "PUPPI", NETWORK: "network", "oracle": "oracle"}
LEADING, BESIDE = "own_response", ("own_response_high", "plateau")
KEPT = ("trainings", "generalisation", "gate", "closure", "parity", "stages")
PREFERRED = "mixed"
"""The training whose table stands in README.md, where it exists."""


def keep(summary: Mapping) -> dict:
    """Return what the documentation shows of a summary."""
    result = {name: summary.get(name, {}) for name in KEPT if name not in ("closure", "gate")}
    for name in ("gate", "closure"):
        found = summary.get(name, {})
        result[name] = {training: bool(one["passed"]) for training, one in found.items()}
    for samples in result["trainings"].values():
        for sample in samples:
            for values in sample["estimators"].values():
                names = values["resolution"]
                values["resolution"] = {key: names[key] for key in SHOWN if key in names}
    return result


def page(kept: Mapping) -> str:
    """Return the page of results."""
    parts = [
        "# Results of the default run",
        "",
        "Made by `make docs-results` from the `results/summary.json` of one run of `config.yaml`;",
        "nothing here is typed. All events are a **parametric simulation**, kinder than a real",
        "detector: no number is a result of any experiment. [Limits](limits.md) says what they can",
        "and cannot show.",
        "",
        _about(kept["trainings"]),
        "",
        "<!-- figure: overview -->",
        "",
        "<!-- figure: way -->",
        "",
    ]
    parts += _generalisation(kept.get("generalisation", {}))
    for training, samples in kept["trainings"].items():
        parts += [f"## Training {training}", "", *table(samples), ""]
        parts += list(_verdicts(training, kept))
    parts += ["## Time and memory", "", *_stages(kept.get("stages", {})), ""]
    return "\n".join(parts)


def _about(trainings: Mapping) -> str:
    formed = any(one.get("forms") for samples in trainings.values() for one in samples)
    corrected = (
        "each event divided by the response of its own bin of qT (without a boson: by the response "
        "of all events with true pTmiss), in GeV, "
        if formed
        else "divided by the plateau response, in GeV, "
    )
    beside = (
        "High: the same for 50 < qT < 150 GeV. Plateau form: divided by the response on the "
        "plateau, which does not see what an estimator shrinks at low recoil. "
        if formed
        else ""
    )
    return (
        f"Resolution: half of the 16-84 % width {corrected}in events of the test folds. "
        "Z samples: of the recoil along and across the boson, 0 < qT < 150 GeV. "
        "Others: of one component of pTmiss. Gain: 1 - ratio of resolutions. "
        f"{beside}Brackets: 95 % "
        "interval of the paired bootstrap over events; it does not hold the spread between "
        "trainings with other seeds. `oracle` knows which candidates are pile-up: the limit."
    )


def into_readme(readme: str, kept: Mapping) -> str:
    """Return README.md with the table between its two lines replaced."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no lines {BEGIN} and {END}")
    training = PREFERRED if PREFERRED in kept["trainings"] else next(iter(kept["trainings"]))
    about = _about(kept["trainings"])
    lines = [f"Training `{training}`. {about}", "", *table(kept["trainings"][training])]
    return "\n".join([before + BEGIN, *lines, END + after])


def table(samples: list[Mapping]) -> list[str]:
    """Return the lines of a Markdown table of one training."""
    network = any(NETWORK in sample["estimators"] for sample in samples)
    columns = ("pf", "chs", "puppi", *((NETWORK,) if network else ()), "oracle")
    formed = any(sample.get("forms") for sample in samples)
    gains = ["gain over PUPPI (%)", *(("high (%)", "plateau form (%)") if formed else ())]
    head = ["sample", "resolution (GeV)", *(HEADS[name] for name in columns)]
    head += [*gains, "gain over PF (%)", "response"] if network else []
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for sample in samples:
        if sample["variation"] != "nominal":
            continue
        for quantity in (name for name in SHOWN if name in sample["measured_in"]):
            found = _in_form(sample, quantity, LEADING)
            widths = [_width(found, name) for name in columns]
            if not any(widths):
                continue
            label = sample["label"].replace("|", "\\|").replace("<", "&lt;")
            cells = [label, WORDS[quantity], *widths]
            if network:
                cells += [_gain(found, "puppi")]
                for form in BESIDE if formed else ():
                    cells += [_gain(_in_form(sample, quantity, form), "puppi")]
                cells += [_gain(found, "pf")]
                own = sample["estimators"].get(NETWORK, {})
                response = (own.get("plateau_response") or {}).get("value")
                cells += ["" if response is None else f"{response:.2f}"]
            rows.append("| " + " | ".join(cells) + " |")
    return rows


def _in_form(sample: Mapping, quantity: str, form: str) -> Mapping:
    """Return estimator -> numbers of a resolution; of a summary without forms in its only one."""
    forms = sample.get("forms", {}).get(quantity)
    if forms is None:
        found = sample["estimators"].items()
        return {name: one["resolution"].get(quantity, {}) for name, one in found}
    return forms.get(form, {}).get("estimators", {})


def _width(found: Mapping, name: str) -> str:
    value = found.get(name, {}).get("value")
    return "" if value is None else f"{value:.1f}"


def _gain(found: Mapping, over: str) -> str:
    gain = found.get(NETWORK, {}).get("gain_over", {}).get(over)
    if not gain or gain["value"] is None:
        return ""
    low, high = (None if gain[key] is None else 100 * gain[key] for key in ("low", "high"))
    text = f"{100 * gain['value']:.0f}"
    return text if low is None or high is None else f"{text} [{low:.0f}, {high:.0f}]"


def _generalisation(found: Mapping) -> list[str]:
    """Return the table of all trainings against each other, empty without a network."""
    if not found:
        return []
    rows = ["| training | final states | mean gain over PUPPI (%) | best in |", "|---|---|---|---|"]
    for training, one in found.items():
        # a summary without forms has them in that of the plateau alone
        end = f"_{LEADING}" if f"mean_gain_over_puppi_{LEADING}" in one else ""
        mean = one.get(f"mean_gain_over_puppi{end}")
        gain = "" if mean is None else f"{100 * mean:.0f}"
        best, n = one.get(f"best_over_puppi{end}", ""), one[f"final_states{end}"]
        rows.append(f"| `{training}` | {n} | {gain} | {best} |")
    return ["## Trainings", "", *rows, ""]


def _verdicts(training: str, kept: Mapping) -> Iterator[str]:
    words = []
    for name in ("gate", "closure"):
        if training in kept.get(name, {}):
            words.append(f"{name}: {'passed' if kept[name][training] else 'failed'}")
    if words:
        yield f"Verdicts: {', '.join(words)}."
        yield ""


def _stages(stages: Mapping) -> list[str]:
    names = ("jobs", "wall time of all jobs (s)", "CPU time of all jobs (s)", "largest memory (MB)")
    head = f"| stage | {' | '.join(names)} |"
    rows = [head, "|---|---|---|---|---|"]
    for name, one in stages.items():
        numbers = [one.get("jobs"), one.get("wall_s"), one.get("cpu_s"), one.get("peak_memory_mb")]
        cells = ["" if value is None else f"{value:.0f}" for value in numbers]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows
