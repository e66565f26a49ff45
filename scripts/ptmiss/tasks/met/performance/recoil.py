"""Hadronic recoil and the differences to the truth: what response and resolution are made of."""

from __future__ import annotations

import numpy as np


def along_and_across(
    x: np.ndarray, y: np.ndarray, axis_x: np.ndarray, axis_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the components of (x, y) along an axis and across it (axis cross vector), in GeV.

    All of shape (n,). The axis is given by any vector along it; a vector of length zero has no
    direction and counts as pointing along x, so that the result is finite.
    """
    length = np.hypot(axis_x, axis_y)
    none = length == 0.0
    scale = 1.0 / np.where(none, 1.0, length)
    ux, uy = np.where(none, 1.0, axis_x * scale), np.where(none, 0.0, axis_y * scale)
    return x * ux + y * uy, ux * y - uy * x


def recoil(
    met_x: np.ndarray,
    met_y: np.ndarray,
    boson_x: np.ndarray,
    boson_y: np.ndarray,
    unseen_x: np.ndarray | float = 0.0,
    unseen_y: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return u_par, u_perp and q_t of the hadronic recoil, each of shape (n,) in GeV.

    u = -(visible boson pT + pTmiss); the visible boson is the boson without `unseen` (the neutrino
    of W -> l nu, which pTmiss measures; nothing for Z -> ll). The axis is minus the boson pT, so
    a perfect estimator has u_par = q_t and u_perp = 0 (CMS, arXiv:2509.12012).
    """
    ux, uy = -(boson_x - unseen_x + met_x), -(boson_y - unseen_y + met_y)
    u_par, u_perp = along_and_across(ux, uy, -boson_x, -boson_y)
    return u_par, u_perp, np.hypot(boson_x, boson_y)


def met_of(
    u_par: np.ndarray,
    u_perp: np.ndarray,
    boson_x: np.ndarray,
    boson_y: np.ndarray,
    unseen_x: np.ndarray | float = 0.0,
    unseen_y: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return px and py of the pTmiss that has this recoil, (n,) in GeV: the inverse of `recoil`."""
    size = along_and_across(-boson_x, -boson_y, -boson_x, -boson_y)[0]
    none = size == 0.0
    length = np.where(none, 1.0, size)
    axis_x, axis_y = np.where(none, 1.0, -boson_x / length), np.where(none, 0.0, -boson_y / length)
    ux, uy = u_par * axis_x - u_perp * axis_y, u_par * axis_y + u_perp * axis_x
    return -(boson_x - unseen_x + ux), -(boson_y - unseen_y + uy)
