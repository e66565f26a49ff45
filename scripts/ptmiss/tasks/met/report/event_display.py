"""One event as a figure: its candidates before and after weighting, and the pTmiss vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from matplotlib.collections import CircleCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle

from ptmiss.core.figures import frame
from ptmiss.core.figures.chart import SIMULATION
from ptmiss.core.figures.formulas import width
from ptmiss.core.figures.frame import Panel, Scale
from ptmiss.core.figures.style import FIGURE_SIZE
from ptmiss.core.html.text import plain_mathtext

_ETA = 5.2
_LARGEST = 240.0
"""Square of the diameter of the hardest candidate in points; areas are proportional to pT."""

_BEFORE, _AFTER = (0.10, 0.525, 0.475, 0.405), (0.10, 0.105, 0.475, 0.405)
_PLANE = (0.695, 0.53, 0.28, 0.28 * FIGURE_SIZE[0] / FIGURE_SIZE[1])
_SMALL = 9.0


@dataclass(frozen=True)
class Display:
    """One event: candidates in eta and phi before and after weighting, and the pTmiss vectors.

    pt in GeV, eta, phi, weight and group of shape (n,); arrows: label -> (colour, px, py) in GeV.
    groups: name of a group -> (label, colour), in the order of the legend.
    """

    what: str
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    groups: dict[str, tuple[str, str]]
    arrows: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    origin: str = SIMULATION

    def draw_on(self, figure: Figure) -> int:
        """Draw three panels: eta and phi with weight one, with the weights, and the transverse
        plane; return 0, because nothing lies outside.

        The area of a circle is proportional to pT times weight, in both panels on the same scale.
        """
        before, after, plane = (Panel(figure, place) for place in (_BEFORE, _AFTER, _PLANE))
        self._candidates(before, np.ones_like(self.pt), "weight 1")
        self._candidates(after, self.weight, "weighted")
        frame.marks(before, "x", text=False)
        frame.marks(after, "x")
        frame.header(before, self.origin, self.what, end=0.875 / 0.475)
        frame.titles(after, x=r"$\eta$")
        self._plane(plane)
        self._legend(plane)
        return 0

    def _candidates(self, panel: Panel, weight: np.ndarray, text: str) -> None:
        panel.x, panel.y = Scale(-_ETA, _ETA), Scale(-math.pi, math.pi)
        for colour, px, py in self.arrows.values():
            ends, phi = [panel.left, panel.right], [panel.at(0.0, math.atan2(py, px))[1]] * 2
            panel.add(Line2D(ends, phi, color=colour, linewidth=0.9, linestyle=":"))
        largest = max(float(self.pt.max(initial=0.0)), 1.0)
        area = np.minimum(self.pt * np.maximum(weight, 0.0) / largest, 1.0) * _LARGEST
        places = np.stack([panel.across(self.eta), panel.up(self.phi)], axis=1)
        for name, (_, colour) in self.groups.items():
            chosen = (self.group == name) & (area > 0.0)
            # the collection wants the area of a circle, not of the square around it
            circles = CircleCollection(np.pi / 4.0 * area[chosen], offsets=places[chosen])
            circles.set(offset_transform=panel.points, color=colour, alpha=0.6, linewidth=0.0)
            panel.add(circles)
        widest = frame.marks(panel, "y", most=6)
        frame.titles(panel, y=r"$\phi$ [rad]", widest=widest, centred=True)
        x, y = panel.left + 6.0, panel.top - 13.0
        back = Rectangle((x - 2.0, y - 4.0), width(text, _SMALL) + 4.0, 13.0, zorder=2.8)
        back.set(facecolor="white", alpha=0.8, linewidth=0.0)
        panel.add(back)
        panel.write((x, y), text, _SMALL)

    def _plane(self, panel: Panel) -> None:
        longest = max([math.hypot(px, py) for _, px, py in self.arrows.values()] or [1.0])
        reach = 1.15 * max(longest, 1.0)
        panel.x = panel.y = Scale(-reach, reach)
        for colour, px, py in self.arrows.values():
            if math.hypot(px, py) > 0.01 * reach:
                arrow = FancyArrowPatch(
                    panel.at(0.0, 0.0),
                    panel.at(px, py),
                    arrowstyle="-|>",
                    mutation_scale=9.0,
                    shrinkA=0.0,
                    shrinkB=0.0,
                )
                arrow.set(color=colour, linewidth=1.6)
                panel.add(arrow)
        frame.marks(panel, "x", most=4)
        widest = frame.marks(panel, "y", most=4)
        frame.titles(panel, r"$p_x$ [GeV]", r"$p_y$ [GeV]", widest, away=20.0)

    def _legend(self, panel: Panel) -> None:
        """Write the legend below the plane."""
        keys = [
            (f"{label}: {math.hypot(px, py):.0f} GeV", Line2D([], [], color=colour, linewidth=1.8))
            for label, (colour, px, py) in self.arrows.items()
        ]
        keys += [
            (label, Line2D([], [], linestyle="none", marker="o", color=colour, alpha=0.7))
            for label, colour in self.groups.values()
        ]
        x, y = panel.left - 34.0, panel.bottom - 46.0
        for i, (label, key) in enumerate(keys):
            name = plain_mathtext(label)
            frame.entry(panel, key, name, (x, y - 13.5 * i), _SMALL, panel.wide + 20.0)
