"""What a network of missing momentum sees of a candidate: order, scales, codes, repairs.

Training, export and evaluation all call `features`; nothing else turns a candidate into numbers.
Order, scales and codes are those of the DeepMET producer of CMSSW (RecoMET/METPUSubtraction,
DeepMETProducer and DeepMETHelp), so that an exported network takes the same tensors. numpy only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import NEIGHBOURS
from ptmiss.events.objects import species
from ptmiss.learn.features import (
    Category,
    Column,
    Condition,
    EstimateColumn,
    FeatureLayout,
    Features,
    Group,
    Pinned,
    Target,
)

SCALE = 50.0
"""GeV of one unit of pt, px, py and of the network's output."""

_COLUMNS = (
    # logarithms take over at 50 um, 0.5 mm, 0.2 GeV, 0.5 GeV; gains scale to a spread near 1
    Column(name="d0", unit="cm", inverse_log_scale=200.0, gain=0.5, odd="plane"),
    Column(name="dz", unit="cm", inverse_log_scale=20.0, gain=0.5, odd="beam"),
    # where tracks end and where the calorimeter changes, for networks with invariant inputs
    Column(name="eta", unit="", gain=0.5, odd="beam", square=0.16, knots=(2.5, 3.0)),
    Column(name="mass", unit="GeV", inverse_log_scale=5.0),
    Column(name="pt", unit="GeV", scale=SCALE, inverse_log_scale=100.0, gain=0.7, square=0.2),
    Column(name="puppi", unit=""),
    Column(name="px", unit="GeV", scale=SCALE, inverse_log_scale=100.0, gain=0.7),
    Column(name="py", unit="GeV", scale=SCALE, inverse_log_scale=100.0, gain=0.7),
)
CONTINUOUS = tuple(column.name for column in _COLUMNS)
"""Continuous features in CMSSW's order."""

D0, DZ, ETA, MASS, PT, PUPPI, PX, PY = range(8)
"""Positions of the continuous features."""

CATEGORIES = ("charge", "pdg_id", "from_pv")
"""Categorical features in CMSSW's order, which is not that of the public training code."""

CHARGES = (-1, 0, 1)
PDG_IDS = species.PDG_IDS
FROM_PVS = (0, 1, 2, 3)
"""Known raw values of each category; the code of a value is its position. 1, 2: HF candidates."""

TABLES = (len(CHARGES), len(PDG_IDS), len(FROM_PVS))
"""Known codes of each category; with an unknown code each table has one row more."""

PINNED_PDG_CODES = tuple(PDG_IDS.index(pdg_id) for pdg_id in (-13, -11, 11, 13))
PINNED_FROM_PV_CODES = (2, 3)
"""Codes of prompt leptons: electron or muon, used in or nearest to the primary vertex."""

LIMIT = 1e6
"""Magnitude above which a feature counts as broken: the rule of CMSSW pull request 44986."""

CONTEXT = tuple(Column(name=name, unit="") for name in NEIGHBOURS)
"""What lies around a candidate."""


def _group(name: str, charged: bool, low: float, high: float, **codes: tuple[int, ...]) -> Group:
    charges = (0, 2) if charged else (1, len(CHARGES))
    conditions = [Condition(name="charge", category="charge", codes=charges)]
    conditions += [Condition(name=n, category=n, codes=c) for n, c in codes.items()]
    return Group(name=name, conditions=tuple(conditions), column="eta", low=low, high=high)


_PHOTON = (PDG_IDS.index(22),)
_NO_PHOTON = tuple(code for code in range(len(PDG_IDS) + 1) if code not in _PHOTON)
_GROUPS = (
    _group("charged_pv", True, 0.0, LIMIT, from_pv=(2, 3)),
    _group("charged_near", True, 0.0, LIMIT, from_pv=(1,)),
    _group("charged_pileup", True, 0.0, LIMIT, from_pv=(0, len(FROM_PVS))),
    _group("photon", False, 0.0, 2.5, pdg_id=_PHOTON),
    _group("neutral_hadron", False, 0.0, 2.5, pdg_id=_NO_PHOTON),
    _group("end", False, 2.5, 3.0),
    _group("forward", False, 3.0, LIMIT),
)
"""Kinds of candidates that a head of an event sums apart."""

TARGETS = (
    Target(name="truth_px", unit="GeV", scale=SCALE, vector=True),
    Target(name="truth_py", unit="GeV", scale=SCALE),
    Target(name="pinned_px", unit="GeV", scale=SCALE, vector=True),
    Target(name="pinned_py", unit="GeV", scale=SCALE),
)
"""True missing momentum, and the sum of the pinned leptons."""

ESTIMATE = (EstimateColumn(name="px", unit="GeV"), EstimateColumn(name="py", unit="GeV"))
"""Columns of an estimate of missing momentum."""

WITH_ERRORS = (
    *ESTIMATE,
    *(EstimateColumn(name=f"error_{axes}", unit="GeV") for axes in ("xx", "xy", "yy")),
)
"""The same, with the symmetric square root E of the covariance matrix of its error, C = E E."""

COLUMNS = (
    "cand_pt",
    "cand_eta",
    "cand_phi",
    "cand_mass",
    "cand_d0",
    "cand_dz",
    "cand_puppi",
    "cand_charge",
    "cand_pdg_id",
    "cand_from_pv",
)
"""Columns of a skim that the features are made from."""

RULES_KEY = "ptmiss.features"
"""Metadata of our models: the `FeatureRules` as JSON."""

_NOTHING_ABOVE = 1e30
"""GeV: stands for infinity, which JSON does not know."""

_FALLBACK_CHARGE, _FALLBACK_FROM_PV = 0, 0


@dataclass(frozen=True)
class FeatureRules:
    """What may differ from one network to another; stored with each network.

    dz_limit: |dz| is clipped to this, in cm (100 in the public training code).
    unknown_codes: unknown categories get a code of their own (3, 11, 4). Without, they fall back
        to a known one (charge 0; the pion or neutral hadron of that charge; another vertex), for
        a network that replaces a shipped one, whose tables have no such row.
    use_puppi: without, the PUPPI weight is 0 in every candidate; the layout stays.
    puppi_flavour: which PUPPI weight it is; files of before, which do not say it, were made with
        the one without leptons as long as nobody changed the setting.
    neighbours: version of the neighbour features that follow (`ptmiss.events.objects.neighbours`),
        0: none.
    pinned_pt: with neighbours, least pT of a prompt lepton, which no neighbour sees, GeV.
    """

    dz_limit: float
    unknown_codes: bool
    use_puppi: bool
    puppi_flavour: str = "no_lepton"
    neighbours: int = 0
    pinned_pt: float = 0.0

    @property
    def wanted_puppi(self) -> str | None:
        """The flavour of PUPPI that matters, None for a network that sees none."""
        return self.puppi_flavour if self.use_puppi else None

    def as_dict(self) -> dict[str, float | bool | str]:
        """Return plain values; `FeatureRules(**values)` takes them back."""
        values = asdict(self)
        if not self.neighbours:  # files of networks without them stay as they were
            del values["neighbours"], values["pinned_pt"]
        return values


def layout(rules: FeatureRules, pinned_pt: float) -> FeatureLayout:
    """Return the features of a candidate.

    pinned_pt: least pT of a pinned prompt lepton in GeV, infinity pins nothing (tests only).
    """
    extra = 1 if rules.unknown_codes else 0
    known = zip(CATEGORIES, (CHARGES, PDG_IDS, FROM_PVS), strict=True)
    prompt = (
        Condition(name="lepton", category="pdg_id", codes=PINNED_PDG_CODES),
        Condition(name="prompt", category="from_pv", codes=PINNED_FROM_PV_CODES),
    )
    return FeatureLayout(
        continuous=_COLUMNS,
        categories=tuple(Category(name=n, known=k, rows=len(k) + extra) for n, k in known),
        size="pt",
        vector=("px", "py"),
        pinned=Pinned(above=min(pinned_pt, _NOTHING_ABOVE), conditions=prompt),
        context=CONTEXT if rules.neighbours else (),
        groups=_GROUPS,
        weight="puppi",
    )


def features(candidates: Ragged, rules: FeatureRules, puppi: str = "cand_puppi") -> Features:
    """Return the features of candidates with the columns `COLUMNS` of a skim.

    puppi: the column that is the PUPPI weight, see `ptmiss.events.columns.puppi_column`.

    Broken values (not finite or above `LIMIT`) become 0, each feature on its own, except that a
    candidate with a broken momentum loses pt, px and py together: half a vector would bias the
    sum. Such a candidate counts for nothing, because the network ignores pt = 0. Every repair is
    counted by reason; candidates keep their number and order.
    """
    n = int(candidates.offsets[-1])
    repairs: dict[str, int] = {}
    x = np.empty((n, len(CONTINUOUS)), dtype=np.float32)
    for position, name in (
        (D0, "cand_d0"),
        (DZ, "cand_dz"),
        (ETA, "cand_eta"),
        (MASS, "cand_mass"),
        (PUPPI, puppi),
    ):
        x[:, position] = candidates[name]
        broken = _broken(x[:, position])
        repairs[f"broken_{CONTINUOUS[position]}"] = int(np.count_nonzero(broken))
        x[broken, position] = 0.0

    pt = np.asarray(candidates["cand_pt"], dtype=np.float32) / np.float32(SCALE)
    phi = np.asarray(candidates["cand_phi"], dtype=np.float32)
    broken = _broken(pt) | ~np.isfinite(phi)
    repairs["broken_momentum"] = int(np.count_nonzero(broken))
    pt = np.where(broken, np.float32(0.0), pt)
    phi = np.where(broken, np.float32(0.0), phi)
    x[:, PT] = pt
    x[:, PX] = pt * np.cos(phi)
    x[:, PY] = pt * np.sin(phi)

    far = np.abs(x[:, DZ]) > rules.dz_limit
    repairs["clipped_dz"] = int(np.count_nonzero(far))
    np.clip(x[:, DZ], -rules.dz_limit, rules.dz_limit, out=x[:, DZ])
    if not rules.use_puppi:
        x[:, PUPPI] = 0.0
    codes = _codes(candidates, rules, repairs)
    if rules.neighbours:
        x = np.concatenate([x, _context(candidates, x, codes, rules)], axis=1)
    return Features(candidates.offsets, x, codes, repairs)


def is_pinned(continuous: np.ndarray, categories: np.ndarray, pinned_pt: float) -> np.ndarray:
    """Say which candidates the network keeps at weight 1 and bias 0: prompt leptons.

    continuous (..., 8), categories (..., 3): as in `Features`; pinned_pt in GeV. Returns bool.
    The same rule, on the same float32 numbers, stands inside the network.
    """
    return (
        np.isin(categories[..., 1], PINNED_PDG_CODES)
        & np.isin(categories[..., 2], PINNED_FROM_PV_CODES)
        & (continuous[..., PT] > np.float32(pinned_pt / SCALE))
    )


def _context(
    candidates: Ragged, x: np.ndarray, codes: np.ndarray, rules: FeatureRules
) -> np.ndarray:
    """Return the neighbour features of candidates, of what was repaired: float32 (n, 18).

    Raises `UserError` without numba.
    """
    try:
        # compiled kernels, which networks without neighbours do without
        from ptmiss.events.objects import neighbours
    except ImportError:
        raise UserError(
            "this network sees what lies around candidates, which needs numba; install"
            " ptmiss[evaluate]"
        ) from None
    columns = {name: candidates[f"cand_{name}"] for name in neighbours.INPUTS}
    columns |= {"pt": x[:, PT] * np.float32(SCALE), "eta": x[:, ETA], "dz": x[:, DZ]}
    seen = Ragged(candidates.offsets, columns)
    return neighbours.neighbour_features(seen, is_pinned(x, codes, rules.pinned_pt))


def _broken(values: np.ndarray) -> np.ndarray:
    return np.asarray(~(np.abs(values) <= LIMIT))  # true for NaN as well


def _codes(candidates: Ragged, rules: FeatureRules, repairs: dict[str, int]) -> np.ndarray:
    """Return the codes, int32 (n_candidates, 3), and count unknown values in `repairs`."""
    charge = np.asarray(candidates["cand_charge"]).astype(np.int32)
    pdg_id = np.asarray(candidates["cand_pdg_id"]).astype(np.int32)
    from_pv = np.asarray(candidates["cand_from_pv"]).astype(np.int32)
    codes = np.empty((len(charge), len(CATEGORIES)), dtype=np.int32)

    bad = np.abs(charge) > 1
    repairs["unknown_charge"] = int(np.count_nonzero(bad))
    known_charge = np.where(bad, _FALLBACK_CHARGE, charge)
    codes[:, 0] = known_charge + 1
    if rules.unknown_codes:
        codes[bad, 0] = len(CHARGES)

    codes[:, 1], bad = _position(pdg_id, PDG_IDS)
    repairs["unknown_pdg_id"] = int(np.count_nonzero(bad))
    if rules.unknown_codes:
        codes[bad, 1] = len(PDG_IDS)
    else:
        by_charge = np.array([PDG_IDS.index(pdg) for pdg in (-211, 130, 211)], dtype=np.int32)
        codes[bad, 1] = by_charge[known_charge[bad] + 1]

    bad = (from_pv < 0) | (from_pv > FROM_PVS[-1])
    repairs["unknown_from_pv"] = int(np.count_nonzero(bad))
    codes[:, 2] = np.where(
        bad, len(FROM_PVS) if rules.unknown_codes else _FALLBACK_FROM_PV, from_pv
    )
    return codes


def _position(values: np.ndarray, known: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each value in the sorted `known`, and which values are not there."""
    keys = np.array(known, dtype=np.int32)
    position = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return position.astype(np.int32), keys[position] != values
