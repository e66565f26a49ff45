"""Numbers that physics does not know are refused with a reason, and nothing stands twice."""

from __future__ import annotations

import copy

import pytest
import yaml

from ptmiss.core.errors import UserError
from ptmiss.core.stats import histograms
from ptmiss.simulation.constants import TABLE
from ptmiss.simulation.limits import bounds, problem
from ptmiss.tasks.met.performance import observables
from ptmiss.tasks.met.performance.bins import make_grid
from ptmiss.tasks.met.settings import performance
from ptmiss.tasks.met.settings.config import Config


@pytest.fixture(scope="module")
def default(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def changed(default, path, value):
    values = copy.deepcopy(default)
    place = values
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    return values


FILES = {
    "source": "pfnano", "label": "Z", "files": ["a.root"], "files_per_part": 1, "is_data": False,
    "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "none",
}  # fmt: skip
NOMINAL = "simulate.settings.nominal"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (f"{NOMINAL}.detector", {"field": 1e300}, r"field \(solenoid field\) is 1e\+300 T"),
        (f"{NOMINAL}.detector", {"hcal_scale": -1.0}, "hcal_scale .* expected 0.1 to 10; nominal"),
        (f"{NOMINAL}.detector", {"track_plateau": 1.2}, "track_plateau .* expected 0 to 1"),
        (f"{NOMINAL}.detector", {"barrel_eta": 3.1}, "barrel_eta 3.1, endcap_eta 3"),
        (f"{NOMINAL}.profile", [[30.0, 1e308], [31.0, 1e308]], "less than or equal to"),
        (f"{NOMINAL}.profile", [[30.0, 5e-324]], "above 1e-15"),
        ("performance.qt_edges", [0, 5e-324, 10], "single precision"),
        ("performance.qt_edges", [0, 10, 1e30], "less than or equal to 1000000"),
        ("performance.qt_edges", list(range(5001)), "at most 1001"),
        ("performance.qt_ranges", [[0, 150], [0, 150]], "stands there twice"),
        ("performance.qt_ranges", [[-50, 0], [0, 150]], "greater than or equal to 0"),
        ("performance.headline_high_qt", [60, 150], "must be one of qt_ranges"),
        ("performance.response_edges", [0, 10, 10], "10 follows 10"),
        ("performance.n_pv_edges", [4.5, 4.5], "4.5 follows 4.5"),
        ("performance.met_edges", [0, 10, 1e30], "less than or equal to"),
        ("performance.leave_out", ["ww", "ww"], "'ww' stands there twice"),
        ("performance.stored", ["pf", "pf"], "stands there twice"),
        ("folds.train", [0, 1, 2, 3, 4, 4], "4 stands there twice"),
        ("samples.zmumu.folds", [1, 1], "stands there twice"),
        ("export.preferred_batch_sizes", [8, 200], "has 200, above max_batch_size 100"),
        ("export.preferred_batch_sizes", [8, 8], "stands there twice"),
        ("interpret.samples", ["ww", "ww"], "stands there twice"),
        ("calibration.closure.qt_ranges", [[0, 60], [0, 60]], "stands there twice"),
        ("calibration.luminosity", 1e300, "less than or equal to"),
        ("samples.mine", FILES | {"cross_section": 1e300}, "less than or equal to"),
        ("samples.mine", FILES | {"cross_section": 1e-300}, "single precision"),
        ("samples.mine", FILES | {"sum_of_weights": 1e29}, "in single precision"),
        ("samples.mine", FILES | {"files": ["a.root", "a.root"]}, "stands there twice"),
        ("samples.mine", FILES | {"files": ["{a}.root"]}, "holds braces, which Snakemake takes"),
        ("evaluate.external", {"mine": "{training}.onnx"}, "holds braces"),
        ("evaluate.external", {"mine": "a\nb.onnx"}, "holds a line break"),
        ("train.huber", 5e-324, "nothing is that small, write 0 or"),
        ("report.title", "a\x1b[31m", r"'\\x1b', which is a control character"),
        ("samples.zmumu.label", "a\u202eb", "turns the direction of writing"),
        ("samples.zmumu.label", " \t ", "control character"),
        ("samples.zmumu.label", "  ", "it is blank"),
        ("train.clip_norm", "1e-3", "YAML takes it for a text: .* 1.0e-3 instead of 1e-3"),
        ("x" * 200_000, 1, "unknown key"),
        ("report.title", "x" * 200_000, "at most 120"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_its_reason(default, path, value, says):
    with pytest.raises(UserError, match=says) as caught:
        Config.load(changed(default, path, value))
    assert len(str(caught.value)) < 600


def test_deep_nesting_is_one_line(default):
    value = 1
    for _ in range(1100):
        value = [value]
    with pytest.raises(UserError, match=r"nested too deeply|recursion"):
        Config.load(changed(default, "report.title", value))


def test_every_number_of_the_settings_has_bounds():
    """A setting without bounds is one that takes 1e300; a detector has its own."""
    loose = []

    def look(node, path):
        if isinstance(node, dict):
            if node.get("type") in ("number", "integer") and not {"enum", "const"} & set(node):
                low = {"minimum", "exclusiveMinimum"} & set(node)
                high = {"maximum", "exclusiveMaximum"} & set(node)
                if not (low and high):
                    loose.append("/".join(path))
            for key, value in node.items():
                look(value, [*path, key])
        elif isinstance(node, list):
            for i, value in enumerate(node):
                look(value, [*path, str(i)])

    look(Config.model_json_schema(), [])
    assert [path for path in loose if "/detector/" not in path] == []


def test_the_nominal_detector_is_one():
    assert problem({constant.name: constant.value for constant in TABLE}) is None
    for constant in TABLE:
        low, high = bounds(constant.name)
        assert low <= constant.value <= high
        assert problem({constant.name: high * 1.01}) is not None


def test_the_memory_of_performance_is_bounded_when_planning(default):
    settings = Config.load(default).performance
    assert performance.CELLS == histograms.N_CELLS
    assert len(observables.names(True, True, True)) == performance.OBSERVABLES
    n_bins = len(make_grid(settings, has_boson=True, has_truth=True).bins)
    real = 8 * 9 * n_bins * histograms.N_CELLS * (1 + settings.replicas) * 8 / 1e6
    assert real <= performance.memory_mb(settings, 8) < 2 * real
    many = changed(default, "performance.qt_edges", list(range(1000)))
    assert performance.memory_mb(Config.load(many).performance, 8) > 4 * real
