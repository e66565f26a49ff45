"""Which events are kept, why the others are not, and the boson of the kept ones.

Cuts of the CMS measurement (arXiv:2509.12012): the leading muons of the event decide; there is no
veto on further leptons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import vector

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged, event_index, offsets_of, segment_sum
from ptmiss.events.readers.batch import EventBatch, Vector
from ptmiss.events.settings.skim import NoSelection, Selection, WmunuSelection, ZmumuSelection


@dataclass(frozen=True)
class Selected:
    """The verdict on a batch.

    reason: shape (n_events,), an index into `reasons`, or -1 for events that pass. boson: its
    transverse momentum in GeV, NaN where none is rebuilt. leading: index into the muons of the
    first (and second) selected muon, shape (n_events, 0, 1 or 2), -1 where there is none.
    """

    reason: np.ndarray
    reasons: tuple[str, ...]
    boson: Vector
    leading: np.ndarray

    @property
    def passed(self) -> np.ndarray:
        """Which events pass, bool, shape (n_events,)."""
        return self.reason < 0


def select(events: EventBatch, selection: Selection, address: str) -> Selected:
    """Apply a selection to a batch; `address` names the input in errors."""
    n = events.n_events
    nothing = Vector(np.full(n, np.nan), np.full(n, np.nan))
    if isinstance(selection, NoSelection):
        empty = np.zeros((n, 0), dtype=np.int64)
        return Selected(np.full(n, -1), (), nothing, empty)
    _need(events.muons, "isolation", selection, address)
    n_muons = 1 if isinstance(selection, WmunuSelection) else 2
    leading = leading_by_pt(events.muons, n_muons)
    reasons = ["too few muons", "muon pt or eta", "muon isolation"]
    with np.errstate(invalid="ignore"):
        isolated = events.muons["isolation"] < selection.muon_isolation
        failed = [
            (leading < 0).any(axis=1),
            ~_all(leading, _in_acceptance(events.muons, selection)),
            ~_all(leading, isolated),
        ]
    if isinstance(selection, ZmumuSelection):
        _need(events.muons, "charge", selection, address)
        boson, mass, opposite = _pair(events.muons, leading)
        with np.errstate(invalid="ignore"):
            outside = ~((mass > selection.mass_low) & (mass < selection.mass_high))
        reasons += ["muon charges", "dimuon mass"]
        failed += [~opposite, outside]
    else:
        boson = _w_boson(events, leading[:, 0])
    reason = np.full(n, -1)
    for k in reversed(range(len(failed))):  # the first cut that fails gives the reason
        reason[failed[k]] = k
    return Selected(reason, tuple(reasons), boson, leading)


def leading_by_pt(muons: Ragged, n: int) -> np.ndarray:
    """Return the indices of the n hardest muons of each event, -1 where missing, (n_events, n).

    Muons that fail the loose identification (where the input has it) do not count.
    """
    pt = muons["pt"].astype(np.float64)
    loose = muons.columns.get("loose")
    usable = np.isfinite(pt) if loose is None else np.isfinite(pt) & (loose != 0)
    owner = event_index(muons.offsets)
    order = np.lexsort((-pt, ~usable, owner))
    counts = segment_sum(usable.astype(np.int64), muons.offsets)
    leading = np.full((muons.n_events, n), -1, dtype=np.int64)
    for k in range(n):
        has = counts > k
        leading[has, k] = order[muons.offsets[:-1][has] + k]
    return leading


def clean_leptons(events: EventBatch, selected: Selected, pt: float, isolation: float) -> Ragged:
    """Return the leptons around which jets do not count.

    Parameters
    ----------
    events, selected
        Events that pass, and the verdict on them. Where a boson is rebuilt, its muons count.
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
            raise ValueError("only events that pass have all their muons")
        columns = {name: events.muons[name][chosen] for name in ("eta", "phi")}
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


def _need(muons: Ragged, column: str, selection: Selection, address: str) -> None:
    if column not in muons.columns:
        raise UserError(
            f"{address}: no muons with {column}, which the selection of kind {selection.kind!r} "
            "needs; choose another selection or add the branch (resources/branches)"
        )


def _in_acceptance(muons: Ragged, cuts: ZmumuSelection | WmunuSelection) -> np.ndarray:
    good: np.ndarray = (muons["pt"] > cuts.muon_pt) & (np.abs(muons["eta"]) < cuts.muon_abs_eta)
    return good


def _all(leading: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Tell whether every leading muon of an event passes a cut; missing ones do not."""
    good: np.ndarray = np.append(passed, False)[leading]  # index -1, a missing muon, fails
    return np.asarray(good.all(axis=1))


def _momentum(muons: Ragged, index: np.ndarray) -> vector.MomentumNumpy4D:
    """Four-momenta in GeV, float64, shape (n,); NaN for index -1."""
    values = {
        name: np.append(muons[name].astype(np.float64), np.nan)[index]
        for name in ("pt", "eta", "phi", "mass")
    }
    # Cartesian first: a sum of vectors given by size and angle would go back to size and angle
    return cast("vector.MomentumNumpy4D", vector.MomentumNumpy4D(values).to_xyzt())


def _pair(muons: Ragged, leading: np.ndarray) -> tuple[Vector, np.ndarray, np.ndarray]:
    """Boson, mass in GeV and whether the charges are opposite, of the two leading muons."""
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = (_momentum(muons, leading[:, i]) for i in (0, 1))
        total = cast("vector.MomentumNumpy4D", first.add(second))
        boson, mass = Vector(total.px, total.py), total.mass
    charge = np.append(muons["charge"], 0)
    product = charge[leading[:, 0]] * charge[leading[:, 1]]
    return boson, mass, product < 0


def _w_boson(events: EventBatch, leading: np.ndarray) -> Vector:
    """Leading muon + true invisible momentum; NaN for recorded events."""
    with np.errstate(over="ignore", invalid="ignore"):
        muon = _momentum(events.muons, leading)
        px, py = muon.px, muon.py
    if events.gen_met is None:
        return Vector(np.full_like(px, np.nan), np.full_like(py, np.nan))
    return Vector(px + events.gen_met.px, py + events.gen_met.py)
