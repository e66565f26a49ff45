"""The command skim.py, as a user calls it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from skims import FILE_SAMPLE, settings_of
from toys import write_pfnano

COMMAND = Path(__file__).parents[2] / "scripts" / "skim.py"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
    runpy.run_path(str(COMMAND), run_name="__main__")


def flags(source: Path, out: Path, spec: dict) -> list[str | Path]:
    return [
        "--ntuples", source, "--sample", "toy", "--part", "0003", "--spec", json.dumps(spec),
        "--settings", settings_of().model_dump_json(), "--events", out / "0003.parquet",
        "--ledger", out / "0003.ledger.json",
    ]  # fmt: skip


def test_events_and_ledger_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pfnano(tmp_path / "in.root", 5, pileup=1.0)
    run(monkeypatch, *flags(tmp_path / "in.root", tmp_path / "out", FILE_SAMPLE))
    schema = pq.read_schema(tmp_path / "out" / "0003.parquet")
    assert schema.metadata[b"sample"] == b"toy"
    assert schema.metadata[b"has_truth"] == b"true"
    text = (tmp_path / "out" / "0003.ledger.json").read_text()
    assert json.loads(text)["events"] == {"in": 5, "kept": 5, "rejected": {}}
    assert str(tmp_path) not in text


def test_same_input_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pfnano(tmp_path / "in.root", 5, pileup=1.0)
    for name in ("a", "b"):
        run(monkeypatch, *flags(tmp_path / "in.root", tmp_path / name, FILE_SAMPLE))
    for name in ("0003.parquet", "0003.ledger.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *flags(tmp_path / "no.root", tmp_path / "out", FILE_SAMPLE))
    assert end.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_unknown_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, *flags(tmp_path / "x.root", tmp_path, FILE_SAMPLE | {"isdata": True}))
    assert "isdata" in capsys.readouterr().err
