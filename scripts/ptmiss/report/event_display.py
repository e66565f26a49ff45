"""Drawing one event: its candidates before and after weighting, and the pTmiss vectors."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ptmiss.report.canvas import ticks
from ptmiss.report.chart import Display
from ptmiss.report.text import plain_mathtext

_ETA = 5.2
_LARGEST = 90.0
"""Area of the hardest candidate in square points; areas are proportional to pT."""


def draw_display(panels: list[Axes], display: Display) -> None:
    """Draw on three axes: eta and phi with weight one, with the weights, and the transverse plane.

    The area of a circle is proportional to pT times weight, in both panels on the same scale.
    """
    before, after, plane = panels
    largest = max(float(display.pt.max(initial=0.0)), 1.0)
    for axes, weight in ((before, np.ones_like(display.pt)), (after, display.weight)):
        area = np.minimum(display.pt * np.maximum(weight, 0.0) / largest, 1.0) * _LARGEST
        for name, (_, colour) in display.groups.items():
            mine = (display.group == name) & (area > 0.0)
            axes.scatter(
                display.eta[mine], display.phi[mine], s=area[mine], color=colour, alpha=0.6, lw=0
            )
        for colour, px, py in display.arrows.values():
            axes.axhline(math.atan2(py, px), color=colour, lw=0.9, ls=":", zorder=1)
        axes.set(xlim=(-_ETA, _ETA), ylim=(-math.pi, math.pi))
        axes.set_ylabel(r"$\phi$ [rad]", loc="center", labelpad=2)
        ticks(axes, labels=axes is after, most=6)
    for axes, text in ((before, "weight 1"), (after, "weighted")):
        axes.text(
            0.02, 0.97, text, transform=axes.transAxes, va="top", fontsize=9.5,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
        )  # fmt: skip
    after.set_xlabel(r"$\eta$")
    _plane(plane, display)


def _plane(axes: Axes, display: Display) -> None:
    longest = max([math.hypot(px, py) for _, px, py in display.arrows.values()] or [1.0])
    for colour, px, py in display.arrows.values():
        axes.annotate(
            "", (px, py), (0.0, 0.0),
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6, "shrinkA": 0},
        )  # fmt: skip
    reach = 1.15 * max(longest, 1.0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_xlabel(r"$p_x$ [GeV]", fontsize=10)
    axes.set_ylabel(r"$p_y$ [GeV]", fontsize=10, labelpad=-4)
    axes.tick_params(labelsize=8.5)
    ticks(axes, most=4)
    handles = [Line2D([], [], color=colour, lw=1.8) for colour, _, _ in display.arrows.values()] + [
        Line2D([], [], ls="none", marker="o", color=colour, alpha=0.7, ms=5)
        for _, colour in display.groups.values()
    ]
    labels = [
        f"{label}: {math.hypot(px, py):.0f} GeV" for label, (_, px, py) in display.arrows.items()
    ] + [label for label, _ in display.groups.values()]
    axes.legend(
        handles, [plain_mathtext(label) for label in labels], loc="upper left",
        bbox_to_anchor=(-0.22, -0.24), fontsize=9, labelspacing=0.3,
    )  # fmt: skip
