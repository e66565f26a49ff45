"""The forms of a headline number on the page: which one leads, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ptmiss.core.io.records import Values
from ptmiss.tasks.met.performance.names import FORMS, OWN, OWN_HIGH, PLATEAU
from ptmiss.tasks.met.report import headlines as heads
from ptmiss.tasks.met.report.headlines import Headline, Key

WORDS = {
    OWN: "response of each bin",
    OWN_HIGH: "response of each bin",
    PLATEAU: "plateau response",
}
"""What corrects a resolution, as the page says it."""

_BOUNDS = ("value", "low", "high")


class Formed(NamedTuple):
    """A resolution of a sample in a form.

    where: axis and bin that it is measured in; estimators: name -> numbers, as in summary.json.
    """

    quantity: str
    form: str
    where: Values
    estimators: Mapping[str, Values]

    @property
    def words(self) -> str:
        """What corrects it, as the page says it."""
        if self.form == OWN and self.where["axis"] == "all":
            return "response of all events"
        return WORDS[self.form]


def formed(sample: Values) -> Iterator[Formed]:
    """Yield the resolutions of a sample of summary.json, each in its forms, the leading one first.

    One whose headline has no forms stands in the form of the plateau.
    """
    forms = sample.get("forms", {})
    for quantity in dict.fromkeys((*sample["measured_in"], *forms)):
        given = forms.get(quantity, {})
        for form in (name for name in FORMS if name in given):
            yield Formed(quantity, form, given[form], given[form]["estimators"])
        if not given:
            estimators = {
                name: one["resolution"][quantity]
                for name, one in sample["estimators"].items()
                if quantity in one["resolution"]
            }
            yield Formed(quantity, PLATEAU, sample["measured_in"][quantity], estimators)


def leading(sample: Values) -> list[Formed]:
    """Return each resolution of a sample of summary.json in its leading form."""
    first: dict[str, Formed] = {}
    for one in formed(sample):
        first.setdefault(one.quantity, one)
    return list(first.values())


def of_sample(training: str, sample: Headline, numbers: Mapping[Key, float]) -> dict[str, Any]:
    """Return resolution -> form -> where it is measured and the numbers of every estimator.

    numbers: `headlines.index` of the tables, for the RMS forms.
    """
    found: dict[str, Any] = {}
    for entry in sample.get("forms", ()):
        where = {key: entry[key] for key in ("axis", "bin_low", "bin_high")}
        suffix = entry["quantity"].removeprefix(entry["of"])
        estimators = {}
        for name, bounds in sorted(entry["estimators"].items()):
            rms = heads.key_of(training, sample, name, f"{entry['of']}_rms{suffix}", where)
            way = _bounds(entry["limit"], estimator=name)
            estimators[name] = {
                **{key: bounds[key] for key in _BOUNDS},
                "rms": numbers.get(rms),
                "gain_over": {
                    one["over"]: {key: one[key] for key in _BOUNDS}
                    for one in entry["gains"]
                    if one["estimator"] == name
                },
                "way_to_oracle": None if way is None else way["value"],
                "way_to_oracle_bounds": way,
            }
        by_form = found.setdefault(entry["of"], {})
        by_form[entry["form"]] = {
            "quantity": entry["quantity"],
            **where,
            "estimators": estimators,
        }
    return found


def _bounds(entries: list[Values], **of: str) -> dict[str, Any] | None:
    for one in entries:
        if all(one[key] == value for key, value in of.items()):
            return {key: one[key] for key in _BOUNDS}
    return None
