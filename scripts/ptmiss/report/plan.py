"""Which figures a set of tables gives, what each is called and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

REFERENCE = "puppi"
"""The estimator that the lower panels divide by."""

MOST_BINS = 400
"""More bins than this cannot be told apart in a figure of a page."""


@dataclass(frozen=True)
class Axis:
    """A horizontal axis: `symbol` for figures (mathtext), `words` for the page.

    side: which events of the sample it takes, "<" or ">=" the q_T split, or empty for all.
    """

    symbol: str
    words: str
    side: str


@dataclass(frozen=True)
class Quantity:
    """A vertical axis; `definition` is the sentence of the caption."""

    symbol: str
    words: str
    unit: str
    definition: str


AXES = {
    "qt": Axis(r"$q_T$ [GeV]", "q_T of the boson", ""),
    "n_pv": Axis("reconstructed vertices", "number of reconstructed vertices", ""),
    "n_pv_low_qt": Axis("reconstructed vertices", "number of reconstructed vertices", "<"),
    "n_pv_high_qt": Axis("reconstructed vertices", "number of reconstructed vertices", ">="),
    "gen_ht": Axis(r"generator $H_T$ [GeV]", "generator H_T", ""),
    "gen_met": Axis(r"true $p_T^{miss}$ [GeV]", "true pTmiss", ""),
}

_CORRECTED = (
    " It is divided by the estimator's plateau response, so that an estimator gains nothing by "
    "shrinking."
)
QUANTITIES = {
    "response": Quantity(
        r"response",
        "response",
        "",
        "Mean recoil along the boson divided by the mean q_T of the bin. One is right.",
    ),
    "response_met": Quantity(
        r"response to true $p_T^{miss}$",
        "response to true pTmiss",
        "",
        "Mean pTmiss along the true one divided by the mean true one. One is right.",
    ),
    "sigma_par": Quantity(
        r"$\sigma(u_{\parallel})$",
        "resolution along the boson",
        "GeV",
        "Spread of u_par \u2212 q_T, the recoil along the boson." + _CORRECTED,
    ),
    "sigma_perp": Quantity(
        r"$\sigma(u_{\perp})$",
        "resolution across the boson",
        "GeV",
        "Spread of u_perp, the recoil across the boson." + _CORRECTED,
    ),
    "sigma_xy": Quantity(
        r"$\sigma(p_{x,y}^{miss})$",
        "resolution of a component",
        "GeV",
        "Spread of estimated minus true pTmiss, x and y components taken together." + _CORRECTED,
    ),
    "sigma_met": Quantity(
        r"$\sigma(p_T^{miss})$",
        "resolution of the magnitude",
        "GeV",
        "Spread of estimated minus true pTmiss, magnitudes only." + _CORRECTED,
    ),
    "bias_x": Quantity(
        r"mean shift of $p_x^{miss}$",
        "shift along x",
        "GeV",
        "Mean of estimated minus true pTmiss along x (for a boson without neutrinos the truth is "
        "zero). Zero is right.",
    ),
    "bias_y": Quantity(
        r"mean shift of $p_y^{miss}$",
        "shift along y",
        "GeV",
        "Mean of estimated minus true pTmiss along y (for a boson without neutrinos the truth is "
        "zero). Zero is right.",
    ),
}

FORMS = {
    "width": "half of the 16\u201384 % width",
    "rms": "root mean square",
    "plain": "",
}
"""Form of a resolution -> what the page calls it; what is no width has the form `plain`."""

_DRAWN = (
    ("response", "qt"),
    ("sigma_par", "qt"),
    ("sigma_perp", "qt"),
    *(
        (quantity, axis)
        for axis in ("n_pv", "n_pv_low_qt", "n_pv_high_qt")
        for quantity in ("sigma_par", "sigma_perp")
    ),
    ("response", "gen_met"),
    ("response_met", "gen_met"),
    ("sigma_xy", "gen_met"),
    ("sigma_met", "gen_met"),
    ("sigma_xy", "gen_ht"),
    ("sigma_met", "gen_ht"),
    ("sigma_xy", "n_pv"),
    ("bias_x", "n_pv"),
    ("bias_y", "n_pv"),
)
"""Quantity and axis of every figure, in the order of the page."""


@dataclass(frozen=True)
class Spec:
    """One figure. `rows` are the table's rows it shows, in the table's order.

    qt_split: q_T in GeV between the panels of low and high q_T.
    """

    training: str
    sample: str
    variation: str
    quantity: str
    axis: str
    form: str
    rows: pd.DataFrame
    qt_split: float

    @property
    def subset(self) -> str:
        """Which events the figure takes, as words; empty for all."""
        signs = {"<": "<", ">=": "\u2265", "": ""}
        sign = signs[AXES[self.axis].side]
        return f"q_T {sign} {self.qt_split:g} GeV" if sign else ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What a figure is called by, unique within a page."""
        parts = (self.training, self.sample, self.variation, self.quantity, self.axis)
        return (*parts, "rms") if self.form == "rms" else parts

    @property
    def name(self) -> str:
        """The parts as one word."""
        return "-".join(self.parts)


def drawn_variations(frame: pd.DataFrame) -> list[str]:
    """Return the variations that get figures: `nominal` alone where it exists, else all."""
    found = sorted(set(frame["variation"]))
    return ["nominal"] if "nominal" in found else found


def narrowest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose bin holds no other bin of the table.

    An axis may also have wide bins for quoted numbers (q_t from 0 to 150 GeV) over the narrow ones
    that a figure shows.
    """
    bins = set(zip(rows["bin_low"], rows["bin_high"], strict=True))
    wide = {
        (low, high)
        for low, high in bins
        if any(low <= a and b <= high and (a, b) != (low, high) for a, b in bins)
    }
    keep = [pair not in wide for pair in zip(rows["bin_low"], rows["bin_high"], strict=True)]
    return rows[keep]


def plan(frame: pd.DataFrame, qt_split: float) -> Iterator[Spec]:
    """Yield the figures of all tables: by training, sample, variation, then 16-84 % before RMS.

    A combination without a finite number in any bin gives no figure; so do quantities that mean
    little in their sample (see `_skipped`).
    """
    wanted = frame[frame["variation"].isin(drawn_variations(frame)) & (frame["axis"] != "all")]
    parts = dict(list(wanted.groupby(["training", "sample", "variation", "quantity", "axis"])))
    groups = wanted[["training", "sample", "variation"]].drop_duplicates()
    for key in groups.itertuples(index=False, name=None):
        mine = {
            (quantity, axis): rows
            for (*owner, quantity, axis), rows in parts.items()
            if tuple(owner) == key and rows["value"].notna().any()
        }
        skipped = _skipped(mine)
        for form, suffix in (("width", ""), ("rms", "_rms")):
            for quantity, axis in _DRAWN:
                is_width = quantity.startswith("sigma")
                rows = mine.get((quantity + suffix, axis))
                if rows is None or (quantity, axis) in skipped or (form == "rms" and not is_width):
                    continue
                rows = narrowest(rows)
                if rows[["bin_low", "bin_high"]].drop_duplicates().shape[0] <= MOST_BINS:
                    shown = form if is_width else "plain"
                    yield Spec(*key, quantity, axis, shown, rows, qt_split)


def _skipped(mine: dict[tuple[str, str], pd.DataFrame]) -> set[tuple[str, str]]:
    """Return which figures of a sample would say nothing of their own.

    Without neutrinos (true pTmiss in at most one bin) a dilepton sample has no resolution of true
    pTmiss besides that of its recoil; the shifts are those of the detector, shown where there is a
    boson; the response in bins of true pTmiss is the one to it where both exist.
    """
    has_boson = any(axis == "qt" for _, axis in mine)
    true_bins = mine.get(("sigma_xy", "gen_met"))
    found = 0
    if true_bins is not None:
        found = len(true_bins[true_bins["value"].notna()][["bin_low"]].drop_duplicates())
    skipped = set()
    if has_boson and found < 2:
        skipped |= {pair for pair in _DRAWN if pair[0] in ("sigma_xy", "sigma_met")}
        skipped |= {("response", "gen_met"), ("response_met", "gen_met")}
    if not has_boson:
        skipped |= {("bias_x", "n_pv"), ("bias_y", "n_pv")}
    if ("response_met", "gen_met") in mine:
        skipped.add(("response", "gen_met"))
    return skipped
