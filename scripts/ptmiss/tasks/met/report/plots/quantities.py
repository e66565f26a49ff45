"""What figures and the page call quantities, axes and forms of a resolution."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A horizontal axis: `symbol` for figures (mathtext), `words` for the page.

    side: which events of the sample it takes, "<" or ">=" the q_T split, or empty for all.
    """

    symbol: str
    words: str
    side: str = ""
    unit: str = "GeV"


@dataclass(frozen=True)
class Quantity:
    """A vertical axis; `definition` is the sentence of the caption, `scale` its `y_range`."""

    symbol: str
    words: str
    unit: str
    definition: str
    scale: str = "zero"
    guide: float | None = None


AXES = {
    "qt": Axis(r"$q_T$ [GeV]", "q_T of the boson"),
    "n_pv": Axis("reconstructed vertices", "number of reconstructed vertices", unit=""),
    "n_pv_low_qt": Axis("reconstructed vertices", "number of reconstructed vertices", "<", ""),
    "n_pv_high_qt": Axis("reconstructed vertices", "number of reconstructed vertices", ">=", ""),
    "gen_ht": Axis(r"generator $H_T$ [GeV]", "generator H_T"),
    "gen_met": Axis(r"true $p_T^{miss}$ [GeV]", "true pTmiss"),
}

_CORRECTED = (
    " It is divided by the estimator's plateau response, so that an estimator gains nothing by "
    "shrinking."
)
_SHIFT = " (for a boson without neutrinos the truth is zero). Zero is right."
QUANTITIES = {
    "response": Quantity(
        "response",
        "response",
        "",
        "Mean recoil along the boson divided by the mean q_T of the bin. One is right.",
        "response",
        1.0,
    ),
    "response_met": Quantity(
        r"response to true $p_T^{miss}$",
        "response to true pTmiss",
        "",
        "Mean pTmiss along the true one divided by the mean true one. One is right.",
        "response",
        1.0,
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
    "sigma_met_median": Quantity(
        r"$\sigma(p_T^{miss})$",
        "resolution of the scaled magnitude",
        "GeV",
        "Spread of estimated minus true pTmiss, magnitudes only, after the estimate is multiplied "
        "by the inverse of its median response in the bin.",
    ),
    "response_median": Quantity(
        "median response",
        "median response",
        "",
        "Median of estimated over true pTmiss, magnitudes only. One is right.",
        "response",
        1.0,
    ),
    "sigma_phi": Quantity(
        r"$\sigma(\phi^{miss})$",
        "angular resolution",
        "rad",
        "Spread of the angle between estimated and true pTmiss.",
    ),
    "tail_3sigma": Quantity(
        r"share beyond $3\sigma$",
        "tails",
        "",
        "Share of the components of estimated minus true pTmiss that are further from zero than "
        "three times the half width of their bin. A normal distribution has 0.0027.",
    ),
    "bias_x": Quantity(
        r"mean shift of $p_x^{miss}$",
        "shift along x",
        "GeV",
        "Mean of estimated minus true pTmiss along x" + _SHIFT,
        "centred",
        0.0,
    ),
    "bias_y": Quantity(
        r"mean shift of $p_y^{miss}$",
        "shift along y",
        "GeV",
        "Mean of estimated minus true pTmiss along y" + _SHIFT,
        "centred",
        0.0,
    ),
}

FORMS = {"width": "half of the 16\u201384 % width", "rms": "root mean square", "plain": ""}
"""Form of a resolution -> what the page calls it; what is no width has the form `plain`."""
