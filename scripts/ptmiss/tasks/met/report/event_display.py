"""Drawing one event: its candidates before and after weighting, and the pTmiss vectors."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import to_rgb

from ptmiss.core.figures.chart import Display
from ptmiss.core.html.text import plain_mathtext
from ptmiss.tasks.met.report.panel import Panel, fitting, sign
from ptmiss.tasks.met.report.style import FIGURE_SIZE
from ptmiss.tasks.met.report.surface import Surface

_ETA = 5.2
_LARGEST = 240.0
"""Square of the diameter of the hardest candidate in points; areas are proportional to pT."""

_BEFORE, _AFTER = (0.10, 0.525, 0.475, 0.405), (0.10, 0.105, 0.475, 0.405)
_PLANE = (0.695, 0.53, 0.28, 0.28 * FIGURE_SIZE[0] / FIGURE_SIZE[1])
_SMALL = 9.0


def draw_display(surface: Surface, display: Display) -> None:
    """Draw three panels: eta and phi with weight one, with the weights, and the transverse plane.

    The area of a circle is proportional to pT times weight, in both panels on the same scale.
    """
    before, after, plane = (Panel(surface, place) for place in (_BEFORE, _AFTER, _PLANE))
    largest = max(float(display.pt.max(initial=0.0)), 1.0)
    for panel, weight, text in (
        (before, np.ones_like(display.pt), "weight 1"),
        (after, display.weight, "weighted"),
    ):
        panel.show((-_ETA, _ETA), (-math.pi, math.pi))
        for colour, px, py in display.arrows.values():
            line = panel.at((-_ETA, _ETA), math.atan2(py, px))
            surface.stroke([line], colour, 0.9, dashes=(1.0, 1.65), clip=panel.box)
        area = np.minimum(display.pt * np.maximum(weight, 0.0) / largest, 1.0) * _LARGEST
        for name, (_, colour) in display.groups.items():
            mine = (display.group == name) & (area > 0.0)
            places = panel.at(display.eta[mine], display.phi[mine])
            radii = np.sqrt(area[mine]) / 2
            surface.circles(places, radii, (*to_rgb(colour), 0.6), clip=panel.box)
        widest = panel.frame(labels=panel is after, y_most=6)
        panel.titles(y=r"$\phi$ [rad]", widest=widest, centred=True)
        _note(panel, text)
    before.header(display.origin, display.what, end=0.875 / 0.475)
    after.titles(x=r"$\eta$")
    _plane(plane, display)


def _note(panel: Panel, text: str) -> None:
    """Write a word into the upper left corner, on white."""
    surface, point = panel.surface, panel.surface.point
    x, y = panel.box[0] + 6 * point, panel.box[3] - 6 * point
    right, below = x + surface.measure(text, _SMALL)[0] + 2 * point, y - 9 * point
    left, above = x - 2 * point, y + 2 * point
    corners = np.array([[left, below], [right, below], [right, above], [left, above]])
    surface.fill([corners], (1.0, 1.0, 1.0, 0.8))
    surface.text(x, y, text, _SMALL, level="top")


def _plane(panel: Panel, display: Display) -> None:
    """Draw the vectors, and the legend below them."""
    surface, point = panel.surface, panel.surface.point
    longest = max([math.hypot(px, py) for _, px, py in display.arrows.values()] or [1.0])
    reach = 1.15 * max(longest, 1.0)
    panel.show((-reach, reach), (-reach, reach))
    for colour, px, py in display.arrows.values():
        _arrow(panel, colour, px, py)
    widest = panel.frame(x_most=4, y_most=4)
    panel.titles(r"$p_x$ [GeV]", r"$p_y$ [GeV]", widest, away=20.0)
    keys = [
        (f"{label}: {math.hypot(px, py):.0f} GeV", sign(colour, line=1.8))
        for label, (colour, px, py) in display.arrows.items()
    ]
    groups = [
        (label, sign((*to_rgb(colour), 0.7), "o")) for label, colour in display.groups.values()
    ]
    x, y = panel.box[0] - 34 * point, panel.box[1] - 46 * point
    for label, draw in (*keys, *groups):
        draw(surface, x, y, 14 * point)
        text = plain_mathtext(label)
        room = surface.width - x - 22 * point
        surface.text(x + 19 * point, y, text, fitting(surface, text, _SMALL, room), level="middle")
        y -= 13.5 * point


def _arrow(panel: Panel, colour: str, px: float, py: float) -> None:
    start, end = panel.at((0.0, px), (0.0, py))
    length = math.hypot(*(end - start))
    if length < 1.0:
        return
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    head = min(7.0 * panel.surface.point, length)
    base = end - head * along
    panel.surface.stroke([np.array([start, base])], colour, 1.6)
    panel.surface.fill(
        [np.array([end, base + 0.45 * head * across, base - 0.45 * head * across])], colour
    )
