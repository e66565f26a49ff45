"""A skim of a test file in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ptmiss.core.settings.base import from_mapping
from ptmiss.events.ledger import Ledger
from ptmiss.events.settings.samples import AnySample
from ptmiss.events.settings.skim import SkimSettings
from ptmiss.events.skim.stream import Skim

CONFIG = Path(__file__).parents[1] / "config.yaml"
FILE_SAMPLE = {
    "source": "pfnano", "label": "Test", "files": ["x.root"], "files_per_part": 1,
    "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
}  # fmt: skip


class Outcome(NamedTuple):
    """What a skim wrote."""

    table: pa.Table
    ledger: Ledger


def settings_of(**changes: Any) -> SkimSettings:
    """Return the settings of config.yaml with some of them changed."""
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["skim"]
    return from_mapping(SkimSettings, values | changes, "skim")


def sample_of(**changes: Any):
    """Return a sample read from files, with some of its settings changed."""
    return from_mapping(AnySample, FILE_SAMPLE | changes, "samples.test").root


def skim(
    files: Path | list[Path], out: Path, settings: dict[str, Any] | None = None, **sample: Any
):
    """Skim files into the folder `out`; sample: settings of the sample that differ."""
    paths = [str(path) for path in (files if isinstance(files, list) else [files])]
    job = Skim("test", "0000", sample_of(**sample), settings_of(**(settings or {})))
    ledger = job.run(paths, out / "events.parquet", out / "ledger.json")
    return Outcome(pq.read_table(out / "events.parquet"), ledger)
