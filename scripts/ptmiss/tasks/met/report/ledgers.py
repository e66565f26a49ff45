"""Event ledgers of the skim, added up over the parts of each sample."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ptmiss.core.errors import UserError
from ptmiss.core.html.provenance import digest_of
from ptmiss.core.io.records import Values, read_values
from ptmiss.core.paths import PathLike
from ptmiss.events import records


@dataclass
class Ledger:
    """What happened to the events of a sample, over all its parts.

    rejected: reason -> events; repaired, dropped, derived: reason -> candidates of kept events;
    not_finite: MET found in the input -> events without a usable value; renumbered: reason ->
    events whose number was not unique and whose luminosity block is a hash; weight_in and
    weight_kept: sums of event weights; inputs: name of an input file -> SHA-256, empty where it is
    remote; off_raw_met: largest median distance of a file's sum of candidates from its stored MET
    in GeV, None where nothing was compared.
    """

    sample: str
    parts: int = 0
    n_in: int = 0
    kept: int = 0
    candidates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    not_finite: Counter[str] = field(default_factory=Counter)
    renumbered: Counter[str] = field(default_factory=Counter)
    weight_in: float = 0.0
    weight_kept: float = 0.0
    inputs: dict[str, str] = field(default_factory=dict)
    off_raw_met: float | None = None

    @property
    def balanced(self) -> bool:
        """Whether in = kept + rejected, exactly."""
        return self.n_in == self.kept + sum(self.rejected.values())

    @property
    def inputs_digest(self) -> str:
        """One SHA-256 for all input files."""
        return digest_of(self.inputs.values())


def read(paths: Iterable[PathLike]) -> list[Ledger]:
    """Return one ledger a sample, sorted by name, added up over the given parts.

    Raises `UserError` for a file that is no ledger, or a part given twice.
    """
    ledgers: dict[str, Ledger] = {}
    weights: dict[str, list[tuple[float, float]]] = {}
    seen: set[tuple[str, str]] = set()
    for path in sorted(map(Path, paths)):
        value = read_values(records.Ledger, path, "skim")
        sample, part = value["sample"], value["part"]
        if (sample, part) in seen:
            raise UserError(f"{path}: part {part} of sample {sample} is given twice")
        seen.add((sample, part))
        _add(ledgers.setdefault(sample, Ledger(sample)), value)
        sums = value["weights"]
        weights.setdefault(sample, []).append((float(sums["in"]), float(sums["kept"])))
    for sample, pairs in weights.items():
        # exact sums, so that the order of the parts does not matter
        ledgers[sample].weight_in = math.fsum(pair[0] for pair in pairs)
        ledgers[sample].weight_kept = math.fsum(pair[1] for pair in pairs)
    return [ledgers[sample] for sample in sorted(ledgers)]


def _add(ledger: Ledger, value: Values) -> None:
    events, candidates = value["events"], value["candidates"]
    ledger.parts += 1
    ledger.n_in += events["in"]
    ledger.kept += events["kept"]
    ledger.rejected.update(events["rejected"])
    ledger.candidates += candidates["kept"]
    ledger.repaired.update(candidates["repaired"])
    ledger.dropped.update(candidates["dropped"])
    ledger.derived.update(candidates["derived"])
    ledger.not_finite.update(value["stored_mets_not_finite"])
    ledger.renumbered.update(value.get("renumbered", {}))
    for entry in value["inputs"]:
        ledger.inputs[entry["name"]] = entry["sha256"] or ""
        if entry.get("off_raw_met") is not None:
            ledger.off_raw_met = max(entry["off_raw_met"], ledger.off_raw_met or 0.0)
