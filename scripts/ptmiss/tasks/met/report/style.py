"""House style of the figures: one colour and marker per estimator, wherever it is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ptmiss.core.html.text import clean, shorten


@dataclass(frozen=True)
class Look:
    """How an estimator is drawn and called. `order` decides who is drawn and listed first."""

    label: str
    colour: str
    marker: str
    filled: bool
    order: int


# Colours that stay apart for all common kinds of colour blindness: M. Okabe and K. Ito, Color
# Universal Design (2008). The marker differs as well, for prints in grey.
_KNOWN = {
    "pf": Look("PF", "#0072B2", "s", True, 0),
    "chs": Look("CHS", "#56B4E9", "v", True, 1),
    "puppi": Look("PUPPI", "#E69F00", "o", True, 2),
    "deepmet": Look("network", "#D55E00", "D", True, 3),
    "deepmet_rescaled": Look("network rescaled", "#999933", ">", False, 3),
    "calibrated": Look("calibrated", "#CC79A7", "P", True, 4),
    "oracle": Look("oracle (limit)", "#000000", "*", True, 90),
}
_STORED = {
    "raw_pf": "raw PF",
    "pf": "PF",
    "raw_puppi": "raw PUPPI",
    "puppi": "PUPPI",
    "deepmet_resolution": "DeepMET resolution",
    "deepmet_response": "DeepMET response",
}
TRAINED = ("calibrated", "deepmet")
"""Estimators that a training makes, the one that counts first."""

# several trainings in one figure: filled markers, the first in the colour of one network
_TRAINED_LOOKS = (
    ("#D55E00", "D"),
    ("#009E73", "^"),
    ("#CC79A7", "P"),
    ("#332288", "X"),
    ("#882255", "<"),
    ("#999933", ">"),
    ("#661100", "p"),
    ("#6699CC", "h"),
)
_FURTHER_COLOURS = ("#009E73", "#882255", "#332288", "#999933", "#661100", "#6699CC")
_FURTHER_MARKERS = ("^", "X", "<", ">", "p", "h")

_CYCLE = (
    *(("#0072B2", "s"), ("#D55E00", "D"), ("#009E73", "^"), ("#E69F00", "o"), ("#CC79A7", "P")),
    *(("#56B4E9", "v"), ("#332288", "X"), ("#882255", "<"), ("#999933", ">"), ("#661100", "p")),
)


def looks(estimators: Iterable[str]) -> dict[str, Look]:
    """Return the look of each estimator, in the order in which they are drawn and listed.

    The well-known ones always look the same. The same estimator of several trainings is named
    `{estimator}:{training}` (`tables.together`). Others (METs stored in the input, outside models)
    take the further colours in alphabetical order, with open markers.
    """
    names = set(estimators)
    chosen = {name: _KNOWN[name] for name in names if name in _KNOWN}
    further = sorted(names - set(_KNOWN))
    trained = [name for name in further if name.split(":")[0] in TRAINED]
    for i, name in enumerate(trained):
        known, _, training = name.partition(":")
        colour, marker = _TRAINED_LOOKS[i % len(_TRAINED_LOOKS)]
        label = f"{_KNOWN[known].label} {clean(training)}"
        chosen[name] = Look(shorten(label, 26), colour, marker, True, 3 + i)
    for i, name in enumerate(name for name in further if name not in trained):
        stored = name.removeprefix("stored_")
        own = _STORED.get(stored, clean(stored))
        label = f"input: {own}" if stored != name else own
        chosen[name] = Look(
            shorten(label, 26),
            _FURTHER_COLOURS[i % len(_FURTHER_COLOURS)],
            _FURTHER_MARKERS[i % len(_FURTHER_MARKERS)],
            False,
            50 + i,
        )
    return dict(sorted(chosen.items(), key=lambda item: (item[1].order, item[0])))


def training_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the look of each training, the same as that of its network among others."""
    chosen = sorted(set(names))
    return {
        name: Look(shorten(name, 26), *_TRAINED_LOOKS[i % len(_TRAINED_LOOKS)], True, i)
        for i, name in enumerate(chosen)
    }


def cycle(names: Iterable[str], words: Mapping[str, str] | None = None) -> dict[str, Look]:
    """Return looks for things that are no estimators, in their order; words: what to call them."""
    return {
        name: Look(shorten((words or {}).get(name, name), 30), *_CYCLE[i % len(_CYCLE)], True, i)
        for i, name in enumerate(dict.fromkeys(names))
    }
