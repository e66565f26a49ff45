"""Which events are kept, why the others are not, and the boson of the kept ones.

Cuts of the CMS measurement (arXiv:2509.12012): the leading leptons of the event decide, or the pair
that is closest to a Z; there is no veto on further leptons.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import cast

import numpy as np
import vector

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, event_index, offsets_of, segment_sum
from ptmiss.events.readers.batch import EventBatch, Vector
from ptmiss.events.settings.skim import (
    LeptonCuts,
    LeptonSelection,
    NoSelection,
    Selection,
    Window,
    Working,
)

Z_MASS = 91.1876
"""GeV; the pair of `pair: closest` is the one nearest to it."""

_WORDS = {"eta_sc": "eta of the supercluster"}
_PAIRS = {"muon": "dimuon mass", "electron": "dielectron mass"}


@dataclass(frozen=True)
class Selected:
    """The verdict on a batch.

    reason: shape (n_events,), an index into `reasons`, or -1 for events that pass. boson: its
    transverse momentum in GeV, NaN where none is rebuilt; lepton: that of the lepton of a W, None
    for other selections. kind: of the selected leptons, "muon" or "electron"; leading: index into
    them of the first (and second), shape (n_events, 0, 1 or 2), -1 where there is none.
    """

    reason: np.ndarray
    reasons: tuple[str, ...]
    boson: Vector
    leading: np.ndarray
    kind: str = "muon"
    lepton: Vector | None = None

    @property
    def passed(self) -> np.ndarray:
        """Which events pass, bool, shape (n_events,)."""
        return self.reason < 0


def select(events: EventBatch, selection: Selection, address: str) -> Selected:
    """Apply a selection to a batch; `address` names the input in errors."""
    n = events.n_events
    if isinstance(selection, NoSelection):
        nothing = Vector(np.full(n, np.nan), np.full(n, np.nan))
        return Selected(np.full(n, -1), (), nothing, np.zeros((n, 0), dtype=np.int64))
    cuts = selection.lepton
    leptons = leptons_of(events, cuts.kind)
    is_z = isinstance(selection, Window)
    for column in _needed(cuts, is_z):
        _need(leptons, column, selection, address)
    steps = cut_steps(leptons, cuts)
    usable = usable_leptons(leptons, cuts)
    closest = isinstance(selection, Window) and selection.pair == "closest"
    n_leptons = 2 if is_z else 1
    failed: dict[str, np.ndarray] = {}
    if closest:
        good = usable
        failed[f"too few {cuts.kind}s"] = _count(leptons, good) < 2
        for name, passed in steps.items():
            good = np.logical_and(good, passed)
            failed[name] = _count(leptons, good) < 2
        leading = closest_pair(leptons, good)
    else:
        leading = leading_by_pt(leptons, usable, n_leptons)
        failed[f"too few {cuts.kind}s"] = np.asarray((leading < 0).any(axis=1))
        failed |= {name: ~_all(leading, passed) for name, passed in steps.items()}
    lepton = None
    if isinstance(selection, Window):
        boson, mass, opposite = _pair(leptons, leading)
        with np.errstate(invalid="ignore"):
            outside = ~((mass > selection.mass_low) & (mass < selection.mass_high))
        failed |= {f"{cuts.kind} charges": ~opposite, _PAIRS[cuts.kind]: outside}
    else:
        boson, lepton = _w_boson(events, leptons, leading[:, 0])
    reason = np.full(n, -1)
    for k, mask in reversed(list(enumerate(failed.values()))):  # the first that fails
        reason[mask] = k
    return Selected(reason, tuple(failed), boson, leading, cuts.kind, lepton)


def leptons_of(events: EventBatch, kind: str) -> Ragged:
    """Return the muons or electrons of a batch."""
    return events.muons if kind == "muon" else events.electrons


def usable_leptons(leptons: Ragged, cuts: LeptonCuts) -> np.ndarray:
    """Return which leptons count at all, bool, (n_leptons,): a momentum and the identification."""
    usable = np.isfinite(leptons["pt"])
    if cuts.working is not None:
        return np.asarray(usable & _reaches(leptons, cuts.working))
    loose = leptons.columns.get("loose")
    return np.asarray(usable if loose is None else usable & (loose != 0))


def cut_steps(leptons: Ragged, cuts: LeptonCuts) -> dict[str, np.ndarray]:
    """Return the cuts on a lepton by what fails, in their order; which pass, (n_leptons,) each."""
    kind = cuts.kind
    with np.errstate(invalid="ignore"):
        pt_and_eta = (leptons["pt"] > cuts.pt) & (np.abs(leptons["eta"]) < cuts.abs_eta)
        steps = {f"{kind} pt or eta": pt_and_eta}
        if cuts.gap is not None:
            eta = np.abs(leptons["eta_sc"])
            steps[f"{kind} gap"] = (eta < cuts.gap[0]) | (eta > cuts.gap[1])
        if isinstance(cuts.isolation, Working):
            steps[f"{kind} isolation"] = _reaches(leptons, cuts.isolation)
        elif cuts.isolation is not None:
            steps[f"{kind} isolation"] = leptons["isolation"] < cuts.isolation
    return steps


def _reaches(leptons: Ragged, working: Working) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(leptons[f"id_{working.name}"] >= working.least)


def _needed(cuts: LeptonCuts, is_z: bool) -> list[str]:
    """Return the columns that a selection needs of its leptons, beside pt, eta and phi."""
    columns = [f"id_{name}" for name in cuts.branches]
    if isinstance(cuts.isolation, float):
        columns.append("isolation")
    if cuts.gap is not None:
        columns.append("eta_sc")
    return [*columns, "mass", *(["charge"] if is_z else [])]


def _count(leptons: Ragged, mask: np.ndarray) -> np.ndarray:
    return segment_sum(mask.astype(np.int64), leptons.offsets)


def leading_by_pt(leptons: Ragged, usable: np.ndarray, n: int) -> np.ndarray:
    """Return the indices of the n hardest usable leptons of each event, (n_events, n).

    -1 where one is missing. usable: bool, (n_leptons,).
    """
    pt = leptons["pt"].astype(np.float64)
    owner = event_index(leptons.offsets)
    order = np.lexsort((-pt, ~usable, owner))
    counts = _count(leptons, usable)
    leading = np.full((leptons.n_events, n), -1, dtype=np.int64)
    for k in range(n):
        has = counts > k
        leading[has, k] = order[leptons.offsets[:-1][has] + k]
    return leading


def closest_pair(leptons: Ragged, good: np.ndarray) -> np.ndarray:
    """Return the indices of the two good leptons of opposite charge whose mass is nearest to the
    Z, the harder first; without such a pair the two hardest, -1 where missing, (n_events, 2).
    """
    counts = _count(leptons, good)
    most = max(2, int(counts.max(initial=0)))
    ranked = leading_by_pt(leptons, good, most)
    chosen, best = ranked[:, :2].copy(), np.full(leptons.n_events, np.inf)
    for i, j in itertools.combinations(range(most), 2):
        pairs = ranked[:, [i, j]]
        _, mass, opposite = _pair(leptons, pairs)
        with np.errstate(invalid="ignore"):
            nearer = opposite & (np.abs(mass - Z_MASS) < best)
        chosen[nearer], best[nearer] = pairs[nearer], np.abs(mass - Z_MASS)[nearer]
    return chosen


def clean_leptons(events: EventBatch, selected: Selected, pt: float, isolation: float) -> Ragged:
    """Return the leptons around which jets do not count.

    Parameters
    ----------
    events, selected
        Events that pass, and the verdict on them. Where a boson is rebuilt, its leptons count.
    pt, isolation
        Otherwise all electrons and muons above the first, in GeV, with a relative isolation below
        the second (any, where the input has none).

    Returns
    -------
    Ragged
        Columns eta, phi.
    """
    n = events.n_events
    if selected.leading.shape[1]:
        chosen = selected.leading.ravel()
        if (chosen < 0).any():
            raise ValueError("only events that pass have all their leptons")
        leptons = leptons_of(events, selected.kind)
        columns = {name: leptons[name][chosen] for name in ("eta", "phi")}
        return Ragged(offsets_of(np.full(n, selected.leading.shape[1])), columns)
    kept = []
    for leptons in (events.muons, events.electrons):
        good = leptons["pt"] > pt
        if "isolation" in leptons.columns:
            good &= leptons["isolation"] < isolation
        kept.append(leptons.keep_candidates(good))
    owner = np.concatenate([event_index(part.offsets) for part in kept])
    order = np.argsort(owner, kind="stable")
    columns = {
        name: np.concatenate([part[name] for part in kept])[order] for name in ("eta", "phi")
    }
    return Ragged(offsets_of(np.bincount(owner, minlength=n)), columns)


def _need(leptons: Ragged, column: str, selection: LeptonSelection, address: str) -> None:
    if column not in leptons.columns:
        kind = selection.lepton.kind
        raise UserError(
            f"{address}: no {kind}s with {_WORDS.get(column, column)}, which the selection of kind"
            f" {selection.kind!r} needs; choose another selection or add the branch"
            " (resources/branches)"
        )


def _all(leading: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Tell whether every leading lepton of an event passes a cut; missing ones do not."""
    good: np.ndarray = np.append(passed, False)[leading]  # index -1, a missing one, fails
    return np.asarray(good.all(axis=1))


def _momentum(leptons: Ragged, index: np.ndarray) -> vector.MomentumNumpy4D:
    """Four-momenta in GeV, float64, shape (n,); NaN for index -1."""
    values = {
        name: np.append(leptons[name].astype(np.float64), np.nan)[index]
        for name in ("pt", "eta", "phi", "mass")
    }
    # Cartesian first: a sum of vectors given by size and angle would go back to size and angle
    return cast("vector.MomentumNumpy4D", vector.MomentumNumpy4D(values).to_xyzt())


def _pair(leptons: Ragged, leading: np.ndarray) -> tuple[Vector, np.ndarray, np.ndarray]:
    """Boson, mass in GeV and whether the charges are opposite, of two leptons each."""
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = (_momentum(leptons, leading[:, i]) for i in (0, 1))
        total = cast("vector.MomentumNumpy4D", first.add(second))
        boson, mass = Vector(total.px, total.py), total.mass
    charge = np.append(leptons["charge"], 0)
    product = charge[leading[:, 0]] * charge[leading[:, 1]]
    return boson, mass, product < 0


def _w_boson(events: EventBatch, leptons: Ragged, leading: np.ndarray) -> tuple[Vector, Vector]:
    """Leading lepton + true invisible momentum, NaN for recorded events; and the lepton alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        lepton = _momentum(leptons, leading)
        px, py = lepton.px, lepton.py
    alone = Vector(px, py)
    if events.gen_met is None:
        return Vector(np.full_like(px, np.nan), np.full_like(py, np.nan)), alone
    return Vector(px + events.gen_met.px, py + events.gen_met.py), alone
