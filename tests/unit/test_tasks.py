"""Which task a configuration has, and what is said where it has none or parts of two."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ptmiss.core.errors import UserError
from ptmiss.core.settings import files
from ptmiss.core.settings.configuration import Configuration
from ptmiss.core.workflow.sources import fingerprints, third_party
from ptmiss.tasks import registry
from ptmiss.tasks.choice import choose
from ptmiss.tasks.met.settings.config import Config

MODULE = """\
from pathlib import Path
from ptmiss.core.settings.configuration import Configuration
from ptmiss.tasks.base import Reference, Task

class Settings(Configuration):
    layers: int

def nothing():
    return ()

HERE = Reference(f"{__name__}:nothing")
CLASS = Reference(f"{__name__}:Settings")
TASK = Task(name="shower", title="energy", row="shower", constituents="", configuration=CLASS,
            learning=HERE, baselines=HERE, quantities=HERE, axes=HERE, shared_stages=(),
            sections={}, stages=HERE, plan=HERE,
            defaults=Path(__file__).with_name("defaults.yaml"))
"""
DEFAULTS = "task: shower\nsamples: {}\ntrainings: {}\nfolds: {}\nlayers: 4\n"


@pytest.fixture
def default(repository):
    return files.read(repository / "config.yaml")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with entry points; what it is called must be new, modules stay imported."""

    def put(package: str, points: dict[str, str], module: str = MODULE) -> None:
        (tmp_path / package).mkdir()
        (tmp_path / package / "task.py").write_text(module)
        (tmp_path / package / "defaults.yaml").write_text(DEFAULTS)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {place}" for name, place in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines]))

    monkeypatch.syspath_prepend(tmp_path)
    yield put
    for name in [name for name in sys.modules if name.startswith("plug_")]:
        del sys.modules[name]


def test_the_default_configuration_is_about_missing_momentum(default):
    assert next(iter(default)) == "task"
    chosen = choose(default, {})
    assert chosen.task is registry.task("met")
    assert isinstance(chosen.config, Config)


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_what_a_built_in_task_declares_exists(name):
    task = registry.task(name)
    assert issubclass(task.configuration(), Configuration)
    assert task.learning()
    assert list(task.baselines())
    for described in (task.quantities(), task.axes()):
        assert described
        for name, quantity in described.items():
            assert name
            assert quantity.symbol
            assert quantity.words
            assert isinstance(quantity.unit, str)


def test_an_unknown_task_is_one_line_with_the_known_ones(default, install):
    install("plug_known", {"shower": "plug_known.task:TASK"})
    with pytest.raises(UserError, match=r"^setting task is 'muon', allowed: met, shower$"):
        choose(default, {"task": "muon"})
    with pytest.raises(UserError, match=r"did you mean shower\?"):
        choose(default, {"task": "showers"})
    with pytest.raises(UserError, match=r"setting task: found 3, expected one of met, shower"):
        choose(default, {"task": 3})
    with pytest.raises(UserError, match=r"setting task: found None, expected one of met, shower"):
        choose({}, {})
    assert "plug_known.task" not in sys.modules  # named, and not imported


def test_another_task_has_its_own_defaults_and_nothing_of_ours(default, install):
    install("plug_own", {"shower": "plug_own.task:TASK"})
    chosen = choose(default, {"task": "shower", "layers": 5})
    assert chosen.values == {
        "task": "shower", "samples": {}, "trainings": {}, "folds": {}, "layers": 5,
    }  # fmt: skip
    assert chosen.config.layers == 5


def test_a_section_of_another_task_is_named(default, install):
    install("plug_mixed", {"shower": "plug_mixed.task:TASK"})
    with pytest.raises(UserError) as caught:
        choose(default, {"task": "shower", "calibration": {"replicas": 5}})
    assert str(caught.value) == (
        "setting calibration: the task 'shower' has no such section, 'met' has; take it out, or"
        " write `task: met`"
    )
    with pytest.raises(UserError, match=r"setting layers: the task 'met' has no .* 'shower' has"):
        choose(default, {"layers": 4})
    with pytest.raises(UserError, match=r"setting leyers: unknown key; remove it"):
        choose(default, {"task": "shower", "leyers": 4})


def test_packages_that_cannot_serve_are_named(default, install):
    install("plug_twin", {"met": "plug_twin.task:TASK"})
    assert choose(default, {}).task is registry.task("met")
    with pytest.raises(UserError, match=r"task 'met' is ptmiss.* of another package, plug_twin"):
        choose(default, {"task": "shower"})


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("plug_broken.nothing:TASK", r"plug_broken\.nothing:TASK: cannot be imported"),
        ("plug_broken.task:OTHER", r"plug_broken\.task:OTHER: cannot be imported"),
        ("plug_broken.task:DEFAULTS", r"found 3, expected a ptmiss\.tasks\.base\.Task of the name"),
        ("plug_broken.task:TASK", r"of the name 'other'"),
    ],
)
def test_a_broken_package_is_one_line_and_hinders_no_other_task(default, install, place, says):
    install("plug_broken", {"other": place}, MODULE + "DEFAULTS = 3\n")
    with pytest.raises(UserError, match=says):
        choose(default, {"task": "other"})
    with pytest.raises(UserError, match=r"setting nonsense: unknown key"):
        choose(default, {"nonsense": 1})


@pytest.mark.parametrize("lines", ["1 / 0\n", "x =\n"])
def test_a_package_that_fails_when_it_is_imported_is_one_line(default, install, lines):
    install("plug_fails", {"other": "plug_fails.task:TASK"}, lines)
    with pytest.raises(UserError, match=r"^task 'other' \(plug_fails.*cannot be imported"):
        choose(default, {"task": "other"})
    with pytest.raises(UserError, match=r"setting nonsense: unknown key"):
        choose(default, {"nonsense": 1})


def test_a_stage_follows_the_imports_of_the_package_that_its_task_is_of(repository, install):
    install("plug_code", {"shower": "plug_code.task:TASK"})
    scripts = repository / "scripts"
    names = [text.split()[0] for text in fingerprints(["plug_code.task"], scripts)]
    assert "plug_code/task" in names
    assert "tasks/base" in names
    assert "plug_code" not in third_party(["plug_code.task"], scripts)
    with pytest.raises(ValueError, match=r"plug_none: no package of that name"):
        fingerprints(["plug_none.task"], scripts)
    with pytest.raises(ValueError, match=r"plug_code\.other: no module below"):
        fingerprints(["plug_code.other"], scripts)


def test_planning_reads_declarations_without_numpy(repository):
    code = (
        "import sys; from ptmiss.tasks import registry; registry.task('met');"
        " sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=repository / "scripts", check=True)
