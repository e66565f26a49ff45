"""What each sample is: its label, its nature and its place on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ptmiss.core.figures.chart import SIMULATION
from ptmiss.core.figures.latex import in_figure, readable
from ptmiss.core.html.text import count
from ptmiss.core.io.records import Values

SIMULATED = (
    "Parametric simulation: generated collisions in a simplified detector, kinder than a real one. "
    "Not a result of any experiment."
)


@dataclass(frozen=True)
class Kind:
    """What a sample is. `origin` is printed on its figures, `sentence` stands in its text.

    label: as the page shows it; drawn: as it was written, with formulas that figures can show.
    """

    label: str
    origin: str
    sentence: str
    drawn: str = ""

    def what(self, n_events: float | None) -> str:
        """Return what is printed on a figure: label and number of events."""
        return self.short(30) + (f", {count(n_events)} events" if n_events else "")

    def short(self, length: int) -> str:
        """Return the label for a figure, of at most `length` characters as they are seen."""
        return in_figure(self.drawn or self.label, length)


@dataclass(frozen=True)
class Named:
    """The samples of a page.

    settings: those of the configuration; names: those that results have; brief: those that only
    stand in for data (`plots.shared.Context`).
    """

    settings: Mapping[str, Values]
    names: Sequence[str]
    brief: Sequence[str] = ()


def kinds(samples: Mapping[str, Values], names: Iterable[str]) -> dict[str, Kind]:
    """Return what each of the named samples is, those of the configuration first, in its order."""
    wanted = list(dict.fromkeys(names))
    order = [*(name for name in samples if name in wanted), *wanted]
    return {name: _kind(name, samples.get(name)) for name in dict.fromkeys(order)}


def _kind(name: str, sample: Values | None) -> Kind:
    if sample is None:
        text = "Not in the configuration: what these events are is not known."
        return Kind(name, "Origin unknown", text)
    drawn = str(sample.get("label", name))
    label = readable(drawn)
    if sample.get("source") == "simulated":
        return Kind(label, SIMULATION, SIMULATED, drawn)
    if sample.get("is_data"):
        return Kind(label, "Recorded collisions", "Recorded collisions, read from files.", drawn)
    text = "Simulated collisions, read from files; the simulation is not ours."
    return Kind(label, "Simulation from files", text, drawn)


def common_origin(several: Iterable[Kind]) -> str:
    """Return what figures of several samples say of their origin."""
    origins = {kind.origin for kind in several}
    return origins.pop() if len(origins) == 1 else "Several origins"
