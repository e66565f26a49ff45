"""The sum of the generator weights of a sample: what its files say in their tree `Runs`.

NanoAOD keeps there the sum over all generated events, also of those that a filter took out of the
tree of events. A job of its own adds them up, because each job of the skim sees only the files of
its part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, records
from ptmiss.core.io.records import Count, Record, Text
from ptmiss.core.paths import PathLike
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.remote import Remote
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings

DISAGREES = 0.01
"""Relative difference from which a typed sum is another number and not a rounded one."""

_AT_A_TIME = 8
"""Files that are asked at once: over a network each answer takes a while."""


class Sum(Record):
    """sums/{sample}.json. sum_of_weights: None where not all files say theirs."""

    sample: Text
    files: Count
    sum_of_weights: float | None


def sums(
    ntuples: Sequence[str],
    sample: str,
    spec: SimulatedSample | FileSample,
    settings: SkimSettings,
    sums: PathLike,
) -> None:
    """Write the sum of the generator weights of all files of a sample; the stage sums.

    ntuples: all of them. Raises `UserError` if the settings leave the sum to the files and one does
    not say it, if it is not above 0, and if the settings have another number.
    """
    if not isinstance(spec, FileSample):
        raise UserError(f"samples.{sample}: is simulated here, its weights need no sum")
    patience = Remote(settings.remote_attempts, settings.remote_wait, settings.remote_timeout)
    reader = reader_of(spec.source)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(lambda address: reader.generated(address, patience), ntuples))
    without = [address for address, one in zip(ntuples, found, strict=True) if one is None]
    where = f"samples.{sample}.sum_of_weights"
    if without and spec.sum_of_weights is None:
        raise UserError(
            f"{without[0]}: no tree Runs with genEventSumw, which {where} is left to; give the sum"
            " of the generator weights of all generated events there"
        )
    total = None
    if not without:
        known = [one for one in found if one is not None]
        total = math.fsum(known) if all(map(math.isfinite, known)) else math.nan
        if not total > 0.0:
            raise UserError(
                f"{where}: genEventSumw of the {len(ntuples)} files add up to {total:g}, expected a"
                " number above 0; take out the files that are damaged"
            )
        typed = spec.sum_of_weights
        if typed is not None and abs(total / typed - 1.0) > DISAGREES:
            raise UserError(
                f"{where} is {typed:g}, but genEventSumw of its {len(ntuples)} files add up to"
                f" {total:.9g}; leave it out to take that, or complete the list of files"
            )
    made = Sum(sample=sample, files=len(ntuples), sum_of_weights=total)
    atomic.write_json(sums, records.to_values(made))


def with_sum(spec: FileSample, sample: str, path: PathLike | None) -> FileSample:
    """Return the settings of a sample with the sum that its files say, where they leave it to them.

    path: what the stage sums wrote. Raises `UserError` if it is needed and not there.
    """
    if spec.is_data or spec.sum_of_weights is not None:
        return spec
    where = f"samples.{sample}.sum_of_weights"
    if path is None:
        raise UserError(f"{where} is left out; give --sums FILE, which the stage sums writes")
    found = records.read(Sum, path, "sums")
    if found.sample != sample or found.sum_of_weights is None:
        raise UserError(
            f"{path}: is of sample {found.sample} and says {found.sum_of_weights}, expected the sum"
            f" of the weights of {sample}; run the stage sums again"
        )
    return FileSample.model_validate({**dict(spec), "sum_of_weights": found.sum_of_weights})
