"""Toy dilepton events whose response, resolution and offset of pTmiss are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import yaml

from ptmiss.core.hashing import event_hash
from ptmiss.core.settings.base import from_mapping
from ptmiss.core.stats.bootstrap import streams
from ptmiss.events.folds import fold_of
from ptmiss.tasks.met.calibration.bins import make_bins
from ptmiss.tasks.met.calibration.bosons import BosonEvents
from ptmiss.tasks.met.calibration.derive import Corrections, derive
from ptmiss.tasks.met.calibration.reading import seed_of, splits_of
from ptmiss.tasks.met.calibration.replicas import Replicated, Sides, sample
from ptmiss.tasks.met.settings.calibration import CalibrationSettings

SIGMA = 20.0
"""GeV: resolution of both recoil components of the toy simulation, whose response is 1."""


def section(**changes: object) -> dict[str, object]:
    path = Path(__file__).parents[1] / "config.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["calibration"]
    closure = {**values["closure"], "estimators": ["pf"], **changes.pop("closure", {})}
    return {**values, "closure": closure, **changes}


def settings(**changes: object) -> CalibrationSettings:
    quick = {"form": "kernel", "form_variation": "empirical", "replicas": 40}
    return from_mapping(CalibrationSettings, section(**{**quick, **changes}), "calibration")


def columns(
    n: int,
    seed: int,
    response: float = 1.0,
    sigma: float = SIGMA,
    offset: tuple[float, float] = (0.0, 0.0),
    slope: tuple[float, float] = (0.0, 0.0),
    w: bool = False,
) -> dict[str, np.ndarray]:
    """Columns of an estimates file with the estimator `pf`. w: half of the boson is unseen."""
    rng = np.random.default_rng(seed)
    q_t = rng.gamma(1.6, 30.0, n)
    phi = rng.uniform(-np.pi, np.pi, n)
    axis = np.array([np.cos(phi), np.sin(phi)])
    boson = q_t * axis
    unseen = 0.5 * boson if w else np.zeros_like(boson)
    par, perp = response * q_t + rng.normal(0.0, sigma, n), rng.normal(0.0, sigma, n)
    recoil = -par * axis + perp * np.array([axis[1], -axis[0]])
    n_pv = rng.poisson(20.0, n)
    met = -(boson - unseen + recoil) + np.array(offset)[:, None] + np.outer(slope, n_pv)
    event = np.arange(n, dtype=np.uint64) + np.uint64(seed * 10_000_000)
    ones = np.ones(n, dtype=np.uint32)
    return {
        "run": ones, "lumi": ones, "event": event, "fold": fold_of(ones, ones, event),
        "weight": np.ones(n), "n_pv": n_pv.astype(np.uint16),
        "rho": np.full(n, 10.0, dtype=np.float32),
        "gen_met_px": unseen[0], "gen_met_py": unseen[1], "gen_ht": q_t,
        "boson_px": boson[0], "boson_py": boson[1],
        "n_jets": rng.poisson(0.8, n).astype(np.uint8), "pf_px": met[0], "pf_py": met[1],
    }  # fmt: skip


def events(c: dict[str, np.ndarray], seed: int = 1) -> BosonEvents:
    identity = (c["run"], c["lumi"], c["event"])
    half, other = splits_of(event_hash(*identity))
    met, boson, unseen = (
        np.stack([c[f"{name}_px"], c[f"{name}_py"]]) for name in ("pf", "boson", "gen_met")
    )
    return BosonEvents(
        c["run"], streams(*identity, seed_of(seed, "toy")), half, other, c["weight"],
        c["n_pv"].astype(np.float64), c["n_jets"].astype(np.float64), boson, unseen, {"pf": met},
    )  # fmt: skip


def with_neutrino(events: BosonEvents) -> BosonEvents:
    """The events with a neutrino of a third of the boson, at an angle to it."""
    x, y = events.boson
    return dataclasses.replace(events, unseen=np.stack([0.3 * x - 0.2 * y, 0.3 * y + 0.2 * x]))


def toy(n: int, seed: int, replicas: int = 40, **how: object) -> Replicated:
    return sample(events(columns(n, seed, **how), seed), None, replicas)


def derived(data: Replicated, simulation: Replicated, chosen: CalibrationSettings) -> Corrections:
    samples: Sides = {"data": data, "simulation": simulation}
    return derive("pf", samples, make_bins(samples, chosen), chosen)
