"""Flight through the magnetic field: where a particle arrives at the calorimeters."""

from __future__ import annotations

import math
from typing import NamedTuple

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import asinh, wrapped
from ptmiss.simulation.constants import Detector


class Ray(NamedTuple):
    """A particle where it is produced.

    pt, momentum: GeV; eta, phi: its direction, and what follows from them; x, y, z: where, cm;
    charge: in e.
    """

    pt: float
    eta: float
    phi: float
    sinh_eta: float
    cos_phi: float
    sin_phi: float
    momentum: float
    x: float
    y: float
    z: float
    charge: int


class Arrival(NamedTuple):
    """Where a particle meets a calorimeter, seen from the origin; reached: whether it does."""

    reached: bool
    eta: float
    phi: float


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def collinear(ray: Ray, share: float, charge: int) -> Ray:
    """Return a particle of the same origin and direction with a share of the momentum."""
    return Ray(
        ray.pt * share,
        ray.eta,
        ray.phi,
        ray.sinh_eta,
        ray.cos_phi,
        ray.sin_phi,
        ray.momentum * share,
        ray.x,
        ray.y,
        ray.z,
        charge,
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def arrival(d: Detector, ray: Ray) -> Arrival:
    """Return where a particle arrives at the calorimeter surface.

    A charged particle follows a helix, a neutral one a straight line. Below about 0.75 GeV a
    charged one curls and misses the barrel, and it reaches an endcap only within its first half
    rotation. If it was produced away from the beam line, the chord is that of its tangent (an
    approximation).
    """
    nowhere = Arrival(False, 0.0, 0.0)
    radius = ray.pt / (0.003 * d.field)  # of the helix, cm
    along = ray.x * ray.cos_phi + ray.y * ray.sin_phi
    across = ray.x * ray.sin_phi - ray.y * ray.cos_phi
    inside = d.barrel_radius * d.barrel_radius - across * across
    if inside <= 0.0:
        return nowhere
    chord = math.sqrt(inside) - along
    if chord <= 0.0:
        return nowhere
    half_arc = 0.0  # of the helix, rad: by this angle the chord deviates from the tangent
    z_barrel = 0.0
    hits_barrel = True
    if ray.charge == 0:
        z_barrel = ray.z + chord * ray.sinh_eta
    elif chord / (2.0 * radius) < 1.0:
        half_arc = math.asin(chord / (2.0 * radius))
        z_barrel = ray.z + 2.0 * radius * half_arc * ray.sinh_eta
    else:
        hits_barrel = False
    if hits_barrel and abs(z_barrel) <= d.endcap_z:
        z_end = z_barrel
    else:
        if ray.sinh_eta == 0.0:
            return nowhere
        sign = 1.0 if ray.sinh_eta > 0.0 else -1.0
        z_end = sign * d.endcap_z
        path = (z_end - ray.z) / ray.sinh_eta
        if path <= 0.0:
            return nowhere
        if path * 9.5 < d.endcap_z:
            # seen from the origin this lies beyond |eta| = 2.95: the forward calorimeter's plane
            z_end = sign * d.hf_z
            path = (z_end - ray.z) / ray.sinh_eta
        chord = path
        if ray.charge != 0:
            half_arc = path / (2.0 * radius)
            if half_arc > 0.5 * math.pi:
                return nowhere
            chord = 2.0 * radius * math.sin(half_arc)
    if ray.x * ray.x + ray.y * ray.y < 0.04:
        return Arrival(True, asinh(z_end / chord), wrapped(ray.phi - ray.charge * half_arc))
    c, s = math.cos(half_arc), ray.charge * math.sin(half_arc)
    x = ray.x + chord * (ray.cos_phi * c + ray.sin_phi * s)
    y = ray.y + chord * (ray.sin_phi * c - ray.cos_phi * s)
    rho = math.sqrt(x * x + y * y)
    if rho < 1e-6:
        return nowhere
    return Arrival(True, asinh(z_end / rho), math.atan2(y, x))
