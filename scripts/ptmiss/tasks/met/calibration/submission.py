"""A HEPData submission made from the very table that the figures are drawn from."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import tarfile
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from ptmiss.core.io.atomic import replacing
from ptmiss.core.paths import PathLike
from ptmiss.tasks.met.calibration.layouts import Number

with warnings.catch_warnings():  # it imports what its own dependency will remove
    warnings.simplefilter("ignore", DeprecationWarning)
    from hepdata_lib import Table, Uncertainty, Variable

_WORDS = {
    "xy": "Mean pTmiss before the xy correction and its fit, or phi of pTmiss before and after",
    "response": "Response of the recoil and its curve",
    "plateau": "Response of the recoil at high q_T in one number",
    "map": "Quantile map: shift of the recoil of simulation",
    "before": "Recoil before the quantile map",
    "after": "Recoil after the quantile map",
}
_UNITS = {"n_pv": "", "phi": "rad", "qt": "GeV", "u_par": "GeV", "u_perp": "GeV"}
_TITLES = {"u_par": "u_par - q_T", "qt": "q_T", "n_pv": "reconstructed vertices"}

_DIGITS = 17
"""The very numbers of the figures, not rounded ones."""

_MISSING = "-"
"""HEPData's own sign for a bin without a value."""

NOTICE = "Parametric simulation and pseudo-data: no number here is a result of an experiment."


def write(path: PathLike, rows: Sequence[Number], training: str, simulated: bool) -> None:
    """Write a tar.gz for HEPData: a table for each table, estimator, axis and quantity of `rows`.

    simulated: data are simulated themselves, which every description then says. Equal rows give
    equal bytes.
    """
    tables = [_table(key, list(group), simulated) for key, group in _groups(rows)]
    with tempfile.TemporaryDirectory() as folder:
        head = {"comment": f"Calibration of missing transverse momentum, training {training}."}
        if simulated:
            head["comment"] += f" {NOTICE}"
        with open(Path(folder, "submission.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(head, file, explicit_start=True)
        for table in tables:
            table.write_yaml(folder)
        _pack(path, Path(folder))


def _groups(rows: Sequence[Number]) -> Iterator[tuple[tuple[str, ...], list[Number]]]:
    """Yield key and rows of each table; data sets with bins of their own have a table each."""
    tables: dict[tuple[str, ...], dict[str, list[Number]]] = {}
    for row in rows:
        key = (row.table, row.estimator, row.axis, row.quantity)
        datasets = tables.setdefault(key, {})
        datasets.setdefault(row.dataset, []).append(row)
    for head, datasets in sorted(tables.items()):
        by_bins: dict[tuple[tuple[float, float], ...], list[str]] = {}
        for dataset, members in datasets.items():
            by_bins.setdefault(tuple((row.bin_low, row.bin_high) for row in members), []).append(
                dataset
            )
        for names in by_bins.values():
            alone = names[0] if len(by_bins) > 1 else ""
            yield (*head, alone), [row for name in names for row in datasets[name]]


def _table(key: tuple[str, ...], rows: list[Number], simulated: bool) -> Table:
    name, estimator, axis, quantity, dataset = key
    words = quantity.replace("_", " ")
    table = Table(_short(" ".join(filter(None, (name, estimator, axis, words, dataset)))))
    table.description = f"{_WORDS[name]}; {estimator}, {words}."
    if simulated:
        table.description += f" {NOTICE}"
    table.location = "Report of the workflow"
    datasets: dict[str, list[Number]] = {}
    for row in rows:
        datasets.setdefault(row.dataset, []).append(row)
    bins = Variable(
        _TITLES.get(axis, axis), is_independent=True, is_binned=True, units=_UNITS[axis]
    )
    bins.values = [
        (float(row.bin_low), float(row.bin_high)) for row in next(iter(datasets.values()))
    ]
    table.add_variable(bins)
    for dataset, members in datasets.items():
        values = Variable(f"{words} {dataset}", is_independent=False, is_binned=False)
        values.digits = _DIGITS
        values.values = [_MISSING if math.isnan(row.value) else float(row.value) for row in members]
        known = [row for row in members if not math.isnan(row.value)]
        if known and not any(math.isnan(row.err_low + row.err_high) for row in known):
            bounds = Uncertainty("68 % interval", is_symmetric=False)
            bounds.digits = _DIGITS
            bounds.values = [_errors(row) for row in members]
            values.add_uncertainty(bounds)
        table.add_variable(values)
    return table


def _errors(row: Number) -> tuple[float, float]:
    """Return how far the bounds lie below and above the value; nothing without one."""
    if math.isnan(row.value):
        return 0.0, 0.0
    return float(row.err_low - row.value), float(row.err_high - row.value)


def _short(name: str) -> str:
    """Return a name of at most 64 characters, which is what HEPData allows, still unique."""
    return (
        name if len(name) <= 64 else f"{name[:55]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"
    )


def _pack(path: PathLike, folder: Path) -> None:
    """Write the files of a folder as tar.gz without times, owners and the archive's own name."""
    with (
        replacing(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
