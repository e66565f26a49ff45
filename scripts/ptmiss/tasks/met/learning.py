"""Missing momentum as something to learn: what `ptmiss.learn` is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.io.records import Count, Excerpt, Positive, Text
from ptmiss.core.ragged import from_arrow, offsets_of, segment_sum
from ptmiss.events.columns import NEIGHBOURS_VERSION, flavour_of
from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.interface import OUTPUT
from ptmiss.learn.records import DatasetSummary
from ptmiss.learn.settings.heads import Head, wants_labels
from ptmiss.learn.settings.networks import Network, sees_context
from ptmiss.learn.task import DatasetLayout, Details, Rows
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.settings.learning import PreprocessSettings, Training

_LABEL = "truth"

TRUTH = "cand_truth"
"""Column of a skim: the true share of a candidate."""

_ANY = ft.FeatureRules(dz_limit=ft.LIMIT, unknown_codes=True, use_puppi=True)


_DATASET = DatasetLayout(ft.layout(_ANY, 0.0), ft.TARGETS)
_WITH_CONTEXT = ft.layout(replace(_ANY, neighbours=NEIGHBOURS_VERSION), 0.0)


class _Rules(Excerpt):
    """What `FeatureRules` is made of, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    dz_limit: Positive
    unknown_codes: bool
    use_puppi: bool
    puppi_flavour: Text
    neighbours: Count = 0
    pinned_pt: Positive = 0.0


class MetSummary(DatasetSummary):
    """The summary of a dataset of this task."""

    features: _Rules
    pinned_pt: Positive


@dataclass(frozen=True)
class MetLearning:
    """True missing momentum of an event, from its candidates."""

    name: str = "met"
    dataset: DatasetLayout = _DATASET
    columns: tuple[str, ...] = ("gen_met_px", "gen_met_py", *ft.COLUMNS, "cand_pinned")
    optional_columns: tuple[str, ...] = (TRUTH,)
    summary: type[MetSummary] = MetSummary
    description: str = (
        "Missing transverse momentum (px, py) / 50 GeV from particle-flow candidates."
    )

    def dataset_for(self, network: Network, head: Head) -> DatasetLayout:
        """Return what a dataset holds: neighbours and true shares for networks that want them."""
        features = _WITH_CONTEXT if sees_context(network) else self.dataset.features
        return DatasetLayout(features, ft.TARGETS, (_LABEL,) if wants_labels(head) else ())

    def details(
        self, skims: Sequence[Path], name: str, training: Training, settings: PreprocessSettings
    ) -> Details:
        """Return rules of features and the limit of pinned leptons.

        Raises `UserError` for skims with different flavours of PUPPI in cand_puppi.
        """
        rules = ft.FeatureRules(
            settings.dz_limit, settings.unknown_codes, training.use_puppi, _flavour(skims, name)
        )
        if sees_context(training.network):
            pinned = settings.pinned_pt
            rules = replace(rules, neighbours=NEIGHBOURS_VERSION, pinned_pt=pinned)
        details: Details = {"features": dict(rules.as_dict()), "pinned_pt": settings.pinned_pt}
        if wants_labels(training.head):
            details["labels"] = [_LABEL]
        return details

    def rows(self, table: pa.Table, path: Path, details: Details) -> Rows:
        """Return features, true missing momentum and the sum of pinned leptons."""
        rules = _rules(details)
        candidates = from_arrow(table, [*ft.COLUMNS, "cand_pinned"])
        features = ft.features(candidates, rules)
        x = features.continuous
        pinned = ft.is_pinned(x, features.categories, _pinned_pt(details))
        truth = np.stack(
            [table.column(f"gen_met_p{axis}").to_numpy(zero_copy_only=False) for axis in "xy"],
            axis=1,
        ).astype(np.float32)
        if not np.isfinite(truth).all():
            raise UserError(
                f"{path}: {np.count_nonzero(~np.isfinite(truth).all(axis=1))} events have no true"
                " missing momentum (gen_met); a training needs simulated samples"
            )
        leptons = np.stack(
            [
                segment_sum(np.where(pinned, x[:, axis], 0), features.offsets)
                for axis in (ft.PX, ft.PY)
            ],
            axis=1,
        ).astype(np.float32)
        # a candidate without momentum contributes nothing, so it need not be stored
        kept = x[:, ft.PT] != 0.0
        if details.get("labels"):
            x = np.concatenate([x, _truth(table, len(x))], axis=1)
        return Rows(
            offsets_of(segment_sum(kept.astype(np.int64), features.offsets)),
            x[kept],
            features.categories[kept].astype(np.uint8),
            np.concatenate([truth / np.float32(ft.SCALE), leptons], axis=1),
            features.repairs,
            {
                "pinned_otherwise_in_skim": int(
                    np.count_nonzero(pinned != candidates["cand_pinned"])
                )
            },
        )

    def spread(self, targets: np.ndarray) -> np.ndarray:
        """Return the true recoil of what is not pinned, GeV, float64 (n,)."""
        total = (targets[:, :2] + targets[:, 2:]).astype(np.float64)
        return np.asarray(ft.SCALE * np.hypot(total[:, 0], total[:, 1]))

    def layout(self, details: Mapping[str, object]) -> FeatureLayout:
        """Return the features of a candidate by a dataset's summary."""
        return ft.layout(_rules(details), _pinned_pt(details))

    def network_details(self, details: Mapping[str, object]) -> Details:
        """Return the rules of features."""
        return dict(_rules(details).as_dict())

    def metadata(self, details: Mapping[str, object], layout: FeatureLayout) -> dict[str, object]:
        """Return what to feed and how to read the output; details: those of the network."""
        unknown = details["unknown_codes"]
        return {
            ft.RULES_KEY: dict(details),
            "ptmiss.continuous": ft.CONTINUOUS,
            "ptmiss.units": "d0, dz: cm; mass: GeV; pt, px, py: 50 GeV; charge, pdg_id, from_pv:"
            " codes",
            "ptmiss.categories": ft.CATEGORIES,
            **({"ptmiss.context": [c.name for c in layout.context]} if layout.context else {}),
            "ptmiss.codes": {c.name: c.known for c in layout.categories},
            "ptmiss.unknown_codes": layout.table_rows if unknown else None,
            "ptmiss.output": f"pTmiss (px, py) = {ft.SCALE:g} GeV x {OUTPUT}",
            "ptmiss.padding": "a slot with pt = 0 counts nothing; all inputs must be finite",
        }


TASK = MetLearning()


def _truth(table: pa.Table, n: int) -> np.ndarray:
    """Return the true share of each candidate, float32 (n, 1), NaN where it is not known."""
    if TRUTH not in table.column_names:
        return np.full((n, 1), np.nan, np.float32)
    share = np.asarray(from_arrow(table, [TRUTH])[TRUTH], dtype=np.float32)
    return np.clip(share, 0.0, 1.0)[:, np.newaxis]


def _rules(details: Mapping[str, object]) -> ft.FeatureRules:
    values = details["features"]
    if not isinstance(values, Mapping):
        raise TypeError("features are no mapping")
    return ft.FeatureRules(**values)


def _pinned_pt(details: Mapping[str, object]) -> float:
    value = details["pinned_pt"]
    if not isinstance(value, float | int):
        raise TypeError("pinned_pt is no number")
    return float(value)


def _flavour(skims: Sequence[Path], name: str) -> str:
    """Return the flavour of PUPPI that all skims have in cand_puppi."""
    first: dict[str, Path] = {}
    for path in skims:
        with parquet.reading(path) as file:
            first.setdefault(flavour_of(file.schema_arrow, path), path)
    if len(first) > 1:
        (own, path), (other, another) = list(first.items())[:2]
        raise UserError(
            f"training {name}: cand_puppi is {own!r} in {path}, but {other!r} in {another}; make"
            " all skims with one skim.puppi_flavour"
        )
    return next(iter(first))
