"""The stages apply and check_friend: the friend tree of a file, and whether one is of a file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.io.manifest import base_name, sha256_of
from ptmiss.core.paths import PathLike, is_remote
from ptmiss.events.readers.formats import reader_of
from ptmiss.events.readers.reader import Input
from ptmiss.events.settings.samples import FileSample, SimulatedSample
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.tasks.met.calibration.apply import read
from ptmiss.tasks.met.estimators.evaluate import DEEPMET, Models, check_finite
from ptmiss.tasks.met.estimators.stage import ModelFiles
from ptmiss.tasks.met.friends.batches import Batch, Friendly, stored_estimators
from ptmiss.tasks.met.friends.calibrated import Calibration
from ptmiss.tasks.met.friends.files import check, writing
from ptmiss.tasks.met.friends.names import met_names
from ptmiss.tasks.met.settings.apply import ApplySettings
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class What:
    """The sample of a file, its number there, and the settings of all that is done to it."""

    sample: str
    part: str
    training: str
    spec: SimulatedSample | FileSample
    skim: SkimSettings
    settings: ApplySettings


@dataclass(frozen=True)
class Outputs:
    """The friend tree, and what became of events and candidates."""

    friend: PathLike
    ledger: PathLike


def apply(
    ntuple: str,
    corrections: str,
    what: What,
    evaluate: EvaluateSettings,
    files: ModelFiles,
    outputs: Outputs,
) -> None:
    """Write the friend tree of a file: an entry for each of its events, in their order.

    Columns: run, luminosityBlock, event; `recoilMapped`; of each estimator {name}_pt and {name}_phi
    (float32, GeV and radians) with those of each variation, {name}_sumPt where the estimator is a
    weighted sum over candidates. Of data and of simulation without a boson the mean offset at the
    number of vertices is subtracted, of simulation with a boson (`apply.recoil`, events that the
    sample's selection keeps) the recoil is mapped besides. Variations are those of the corrections,
    and those that the input stores, with nominal corrections. Raises `UserError` for an input that
    cannot be read and for estimators without corrections.
    """
    settings = what.settings
    job = Friendly(what.sample, what.part, what.spec, what.skim, what.sample in settings.recoil)
    calibration = Calibration.of(read(corrections), what.training, job.is_data)
    wanted = settings.estimators or tuple(calibration.estimators)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(job.opened(ntuple))
        fixed: list[str] = []
        networks = {}
        if job.kind.has_candidates:
            given = files.models(evaluate)
            models = Models(
                given.own if DEEPMET in wanted else None,
                {name: path for name, path in given.external.items() if name in wanted},
                given.threads,
            )
            networks = stack.enter_context(models.loaded(evaluate, with_weights=True))
            truth = reader.has_truth
            fixed = [name for name in evaluate.estimators if truth or name != "oracle"]
        stored = stored_estimators(reader)
        chosen = calibration.chosen(
            settings.estimators, [*networks, *fixed, *stored], reader.address
        )
        names = met_names(chosen, settings.prefix)
        about = {
            "input": job.ledger.inputs[0],
            "sample": what.sample,
            "training": what.training,
            "corrections": sha256_of(corrections),
            "estimators": names,
        }
        fixed, stored = ([one for one in some if one in chosen] for some in (fixed, stored))
        write = stack.enter_context(writing(outputs.friend, settings.format, about, reader))
        batch: Batch | None = None
        for batch in job.batches(reader, fixed, networks, stored):
            write(calibration.columns(batch, names))
        if batch is None:
            summed = [*fixed, *(name for name, one in networks.items() if one.has_weights)]
            write(calibration.columns(_nothing(chosen, summed), names))
        counts = {"events": reader.n_events, **dict.fromkeys(networks, 0)}
        counts |= {name: job.ledger.not_finite[name] for name in networks}
        check_finite(ntuple, counts, networks, evaluate.limits)
    for name, bad in job.ledger.not_finite.items():
        _LOG.warning("%s: %d events of %s are not finite", base_name(ntuple), bad, name)
    job.ledger.write(outputs.ledger)


def check_friend(friend: str, ntuple: str, source: str) -> None:
    """Compare run, luminosity block and event of a friend tree with those of its input.

    source: the format of the input, as in a sample. Raises `UserError` for the friend of another
    file.
    """
    identity = ntuple if is_remote(ntuple) else sha256_of(ntuple)
    given = Input(True, "no_lepton", identity)  # of data nothing of the generator is asked
    with reader_of(source).open(ntuple, given) as reader:
        n = check(friend, reader)
    _LOG.info("%s: %d events, the same in the same order as in %s", friend, n, ntuple)


def _nothing(estimators: Sequence[str], summed: Sequence[str]) -> Batch:
    """Return a batch without events."""
    none = np.zeros(0)
    identity = none.astype(np.uint32), none.astype(np.uint32), none.astype(np.uint64)
    mets = {name: np.zeros((2, 0)) for name in estimators}
    sums = {name: none for name in summed if name in estimators}
    return Batch(identity, none.astype(np.int64), mets, {}, sums, None)
