"""Which events are looked at, and which are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from interpretation_toys import linear_model, settings
from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.io import parquet
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.interpretation import chosen as events
from ptmiss.tasks.met.interpretation.displays import Event, entry, pick
from ptmiss.tasks.met.interpretation.run import Outputs, interpret
from ptmiss.tasks.met.settings.config import Config
from ptmiss.tasks.met.settings.interpret import InterpretSettings, chosen_samples
from toys import met_of, toy_skim

SMALL = {"pileup": 2.0, "per_collision": 5.0, "per_hard": 5.0}


def test_the_smallest_hashes_of_the_test_folds_are_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    toy = toy_skim(path, 50, 1, rows_per_group=20, **SMALL)
    (sample,) = events.samples([path])
    chosen = events.choose(sample, [6, 7], 5)
    hashes = event_hash(*(toy.event[name] for name in ("run", "lumi", "event")))
    usable = np.isin(hashes % np.uint64(10), [6, 7])
    assert usable.sum() > 5
    expected = np.sort(hashes[usable])[:5]
    assert np.sort(np.concatenate([place.hashes for place in chosen])).tolist() == expected.tolist()
    read = list(events.read(chosen, has_truth=True, size=2))
    assert max(len(part.hashes) for part in read) <= 2
    for part in read:
        np.testing.assert_array_equal(event_hash(part.run, part.lumi, part.event), part.hashes)
        for i, number in enumerate(part.event):
            row = int(np.flatnonzero(toy.event["event"] == number)[0])
            own = slice(*part.candidates.offsets[i : i + 2])
            true = slice(*toy.offsets[row : row + 2])
            np.testing.assert_array_equal(
                part.candidates["cand_pt"][own], toy.candidates["pt"][true]
            )
            assert part.boson[0, i] == toy.event["boson_px"][row]


def test_of_data_every_fold_may_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    toy_skim(path, 30, 1, is_data=True, **SMALL)
    (sample,) = events.samples([path])
    assert sum(len(place.rows) for place in events.choose(sample, [6], 1000)) == 30


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in "abc"]
    toy_skim(paths[0], 3, 1, part="0", **SMALL)
    toy_skim(paths[1], 3, 2, part="0", **SMALL)
    toy_skim(paths[2], 3, 3, part="1", has_truth=False, **SMALL)
    with pytest.raises(UserError, match=r"b\.parquet: holds part '0' of sample toy"):
        events.samples(paths[:2])
    with pytest.raises(UserError, match="cand_truth is in only one"):
        events.samples([paths[0], paths[2]])
    with pytest.raises(UserError, match="no file given"):
        events.samples([])
    table = pq.read_table(paths[0])
    parquet.write(paths[0], table.replace_schema_metadata({"sample": "toy"}))
    with pytest.raises(UserError, match="does not say its part"):
        events.samples(paths[:1])


def test_a_part_without_events_need_not_have_the_truth(tmp_path: Path) -> None:
    """Before: an empty input, which does not tell whether it has the truth, refused its sample."""
    paths = [tmp_path / f"{name}.parquet" for name in "ab"]
    toy_skim(paths[0], 3, 1, part="0", has_truth=False, **SMALL)
    parquet.write(paths[0], pq.read_table(paths[0]).slice(0, 0))
    toy_skim(paths[1], 3, 2, part="1", **SMALL)
    (sample,) = events.samples(paths)
    assert events.has_truth(sample)
    assert sample.files == (str(paths[1]),)
    assert events.samples(paths[:1])[0].files == (str(paths[0]),)


def test_typical_and_worst() -> None:
    errors = np.array([5.0, 1.0, 9.0, 3.0, 7.0, 9.0])
    hashes = np.arange(6, dtype=np.uint64)
    assert pick(errors, hashes, 1, 2) == [(0, "typical"), (5, "worst"), (2, "worst")]
    assert pick(errors, hashes, 2, 0) == [(0, "typical"), (4, "typical")]
    assert pick(errors[:1], hashes[:1], 3, 3) == [(0, "worst")]
    assert pick(errors[:3], hashes[:3], 2, 1) == [
        (1, "typical"), (0, "typical"), (2, "worst"),
    ]  # fmt: skip
    assert pick(errors[:0], hashes[:0], 1, 1) == []


def test_the_hardest_candidates_are_kept_and_the_others_counted() -> None:
    estimates = {"pf": np.array([3.0, 4.0]), "chs": np.array([np.nan, 1.0])}
    shown = Event(
        "s", (1, 2, 3), np.array([1.0, 2.0]), estimates,
        pt=np.array([1.0, 4.0, 2.0, 0.5], np.float32), eta=np.arange(4.0), phi=np.zeros(4),
        weight=np.array([0.5, 1.0, 0.0, 0.25], np.float32), group=np.array([2, 0, -1, 3]),
    )  # fmt: skip
    found = entry(shown, "worst", 2)
    assert found == {
        "sample": "s", "event": "1:2:3", "why": "worst", "true": [1.0, 2.0],
        "estimates": {"pf": [3.0, 4.0]}, "pt": [4.0, 2.0], "eta": [1.0, 2.0], "phi": [0.0, 0.0],
        "weight": [1.0, 0.0], "group": ["charged_pv", "other"],
        "left_out": {"candidates": 2, "pt": 1.5, "weighted_pt": 0.625},
    }  # fmt: skip


def test_displays_of_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    toy = toy_skim(path, 31, 4, process="wmunu", rows_per_group=7, **SMALL)
    outputs = Outputs(*(tmp_path / name for name in ("w.csv", "i.csv", "d.json")))
    model = onnx_file.accept(linear_model(1.0), "m.onnx")
    section = settings(typical=1, worst=1, display_candidates=5)
    interpret([path], model, section, 1, outputs)
    shown = json.loads(outputs.displays.read_text())["displays"]
    px, py = met_of(toy)
    errors = np.hypot(px - toy.event["gen_met_px"], py - toy.event["gen_met_py"])
    order = np.argsort(errors)
    worst, median = order[-1], order[15]
    assert [one["why"] for one in shown] == ["typical", "worst"]
    assert shown[1]["event"] == f"1:1:{toy.event['event'][worst]}"
    for name in ("pf", "deepmet"):
        np.testing.assert_allclose(shown[1]["estimates"][name], [px[worst], py[worst]], atol=2e-3)
    assert set(shown[1]["estimates"]) == {"pf", "chs", "puppi", "oracle", "deepmet"}
    assert len(shown[1]["pt"]) == 5
    assert shown[1]["left_out"]["candidates"] == toy.counts[worst] - 5
    assert shown[0]["event"] == f"1:1:{toy.event['event'][median]}"


def test_a_sample_without_test_events_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.parquet"
    toy_skim(path, 1, 4, **SMALL)
    fold = pq.read_table(path)["fold"][0].as_py()
    others = [number for number in range(10) if number != fold]
    folds = FoldSettings(train=(fold,), validation=(others[0],), test=tuple(others[1:]))
    outputs = Outputs(*(tmp_path / name for name in ("w.csv", "i.csv", "d.json")))
    interpret([path], onnx_file.accept(linear_model(), "m.onnx"), settings(folds), 1, outputs)
    assert "toy: no event in the test folds" in caplog.text
    assert outputs.weights.read_text().count("\n") == 1


def test_samples_of_the_training_come_first_and_a_list_is_taken_as_it_is() -> None:
    values = settings(max_samples=3).settings
    configured = ["a", "b", "c", "d"]
    assert chosen_samples(values, ["d", "b"], configured) == ["b", "d", "a"]
    given = settings(samples=["c"]).settings
    assert chosen_samples(given, ["d", "b"], configured) == ["c"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"samples": ["a", "a"]}, "each is given once"),
        ({"samples": ["a", "b"], "max_samples": 1}, "more than max_samples 1"),
        ({"events": 10, "importance_events": 11}, "must not be above events"),
        ({"pt_edges": [1, 1]}, "each edge must be above"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, object], says: str) -> None:
    values = json.loads(settings().settings.model_dump_json())
    with pytest.raises(UserError, match=says):
        from_mapping(InterpretSettings, {**values, **change}, "interpret")


def test_an_unknown_sample_is_refused(repository: Path) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["interpret"]["samples"] = ["zmumuu"]
    with pytest.raises(UserError, match=r"interpret\.samples is 'zmumuu', allowed: "):
        Config.load(values)
