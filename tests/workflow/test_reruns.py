"""What an edit runs again: exactly the jobs it concerns and those that follow from them.

Each case is a dry run over a run that only looks finished: every output is a placeholder, and
Snakemake has noted what made it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from planning import Job, Planner

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CONFIG = {
    "samples": {
        "z": {
            "source": "simulated", "label": "Z", "process": "zmumu", "setting": "nominal",
            "events": 240, "folds": list(range(10)), "selection": "zmumu",
        },
        "t": {
            "source": "simulated", "label": "tt", "process": "ttbar", "setting": "nominal",
            "events": 80, "folds": list(range(10)), "selection": "none",
        },
        "w": {
            "source": "pfnano", "label": "W", "files": ["in/*.root"], "files_per_part": 1,
            "is_data": False, "cross_section": 1.0, "sum_of_weights": 1.0, "selection": "wmunu",
        },
    },
    "trainings": {
        "net": {"samples": {"z": 1}, "tune": "response", "bias": "caption", "seed": 1,
                "use_puppi": True},
    },
    "simulate": {"events_per_part": 80, "minbias": {"events": 600, "parts": 1}},
    "vary": {"samples": []},  # thirty variations would only make each plan longer
}  # fmt: skip
RULES = {
    "minbias", "simulate", "skim", "preprocess", "train", "export", "evaluate", "performance",
    "report", "gate", "accept",
}  # fmt: skip
"""The rules that the table speaks of; others may come and import the same modules."""


class World:
    """A copy of the repository and a folder with a run in it."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.repository, self.folder = folder / "repository", folder / "run"
        self.repository.mkdir()
        for name in ("Snakefile", "config.yaml"):
            shutil.copy(repository / name, self.repository)
        for name in ("workflow", "scripts", "resources", "envs"):
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(repository / name, self.repository / name, ignore=skipped)
        (self.folder / "in").mkdir(parents=True)
        for name in "ab":
            (self.folder / f"in/{name}.root").write_text(name)
        self._before: dict[Path, bytes | None] = {}
        self.configure(CONFIG)
        self.planner = Planner(self.folder)
        self.graph = self._pretend()

    def arguments(self) -> list[str]:
        snakefile = str(self.repository / "Snakefile")
        return ["all", "--snakefile", snakefile, "--cores", "2", "--configfile", "own.yaml"]

    def _pretend(self) -> list[Job]:
        jobs = self.planner.plan(*self.arguments(), "--forceall")
        for path in sorted(frozenset[str]().union(*(job.inputs | job.outputs for job in jobs))):
            if path.startswith("results/"):
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_text(path)
        self.planner.run(*self.arguments(), "--touch", "--forceall")
        self._before.clear()
        return jobs

    def plan(self) -> list[Job]:
        return self.planner.plan(*self.arguments())

    def write(self, path: str, content: bytes | None) -> None:
        """Write a file of the run, or of the repository where the path begins with @."""
        file = self.repository / path[1:] if path.startswith("@") else self.folder / path
        self._before.setdefault(file, file.read_bytes() if file.exists() else None)
        file.unlink(missing_ok=True) if content is None else file.write_bytes(content)

    def read(self, path: str) -> bytes:
        file = self.repository / path[1:] if path.startswith("@") else self.folder / path
        return file.read_bytes()

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text.encode())

    def replace(self, path: str, old: str, new: str) -> None:
        text = self.read(path).decode()
        assert old in text, f"{path} has no {old!r}"
        self.write(path, text.replace(old, new).encode())

    def configure(self, values: dict) -> None:
        self.write("own.yaml", yaml.safe_dump(values, sort_keys=False).encode())

    @property
    def is_configured(self) -> bool:
        """Whether the configuration was edited, which the page shows."""
        return self.folder / "own.yaml" in self._before

    def restore(self) -> None:
        for file, content in self._before.items():
            file.unlink(missing_ok=True) if content is None else file.write_bytes(content)
        self._before.clear()


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory):
    world = World(repository, tmp_path_factory.mktemp("reruns"))
    yield world
    world.planner.close()


@pytest.fixture
def world(finished):
    yield finished
    finished.restore()


def key(job: Job) -> tuple[str, str]:
    return job.rule, job.wildcards


def followers(graph: list[Job], roots: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the jobs of a graph that follow from `roots`, without these."""
    made = {path for job in graph if key(job) in roots for path in job.outputs}
    found: set[tuple[str, str]] = set()
    while True:
        new = [job for job in graph if key(job) not in found | roots and job.inputs & made]
        if not new:
            return found
        found |= {key(job) for job in new}
        made |= {path for job in new for path in job.outputs}


def edited(path: str, text: str = "\n# edited\n") -> Callable[[World], None]:
    return lambda world: world.append(path, text)


def module(name: str) -> Callable[[World], None]:
    return edited(f"@scripts/ptmiss/{name}.py")


def replaced(path: str, old: str, new: str) -> Callable[[World], None]:
    return lambda world: world.replace(path, old, new)


def setting(section: str, **values: object) -> Callable[[World], None]:
    return lambda world: world.configure(CONFIG | {section: CONFIG.get(section, {}) | values})


def sample(name: str, **values: object) -> Callable[[World], None]:
    own = CONFIG["samples"].get(name, CONFIG["samples"]["z"]) | values
    return lambda world: world.configure(CONFIG | {"samples": CONFIG["samples"] | {name: own}})


def without_sample(name: str) -> Callable[[World], None]:
    rest = {key: value for key, value in CONFIG["samples"].items() if key != name}
    return lambda world: world.configure(CONFIG | {"samples": rest})


def training(name: str, **values: object) -> Callable[[World], None]:
    own = CONFIG["trainings"]["net"] | values
    return lambda world: world.configure(CONFIG | {"trainings": {"net": own, name: own}})


def new_input(world: World) -> None:
    world.write("in/c.root", b"c")


def new_content(path: str) -> Callable[[World], None]:
    return lambda world: world.write(path, b"other content")


def no_such(path: str) -> Callable[[World], None]:
    return lambda world: world.write(path, None)


W0 = "sample=w, part=0000"
# (name, the edit, where it begins: rule -> wildcards of its jobs, or None for all of them)
# The page shows the whole configuration: an edited setting always draws it again.
CASES = [
    # code
    ("command", edited("@scripts/skim.py"), {"skim": None}),
    ("selection", module("events/skim/select"), {"skim": None}),
    ("detector", module("simulation/detector"), {"simulate": None}),
    ("pile-up library", module("simulation/minbias"), {"minbias": None, "simulate": None}),
    ("loss", module("learn/heads/loss"), {"train": None}),
    ("server", module("learn/onnx/triton"), {"export": None}),
    ("network", module("learn/backbones/deepmet"), {"train": None, "export": None}),
    ("ONNX reading", module("learn/onnx/file"), {"export": None, "evaluate": None}),
    ("bootstrap", module("core/stats/bootstrap"), {"performance": None}),
    ("gate", module("tasks/met/gate"), {"gate": None, "accept": None}),
    ("errors", module("core/errors"), dict.fromkeys(RULES)),
    ("command line", module("core/command"), dict.fromkeys(RULES)),
    (
        "declared function",
        replaced("@scripts/ptmiss/tasks/met/stages.py", "met.gate:gate", "met.gate:judge"),
        {"gate": None},
    ),
    (
        "declared flag",
        replaced("@scripts/ptmiss/stages.py", 'text("part", "name of', 'number("part", "name of'),
        {"skim": None},
    ),
    (
        "shell command",
        replaced("@workflow/rules/gate.smk", 'command("gate")', 'command("gate") + " "'),
        {"gate": None},
    ),
    # resources
    ("process card", edited("@resources/processes/ttbar.yaml"), {"simulate": "sample=t"}),
    ("branch list", edited("@resources/branches/pfnano.yaml"), {"skim": None}),
    ("template", edited("@resources/report/page.css"), {"report": None}),
    # settings
    ("simulation", setting("simulate", seed=5), {"minbias": None, "simulate": None}),
    ("candidates", setting("skim", max_candidates=99), {"skim": None}),
    ("folds", setting("folds", train=[0, 1, 2, 3], validation=[4, 5], test=[6, 7, 8, 9]),
     {"preprocess": None, "performance": None}),
    ("weights", setting("preprocess", weights="root"), {"preprocess": None}),
    ("epochs", setting("train", epochs=2), {"train": None}),
    ("parity", setting("export", parity_events=2001), {"export": None}),
    ("estimators", setting("evaluate", estimators=["pf", "puppi"]), {"evaluate": None}),
    ("bins", setting("performance", min_events=9), {"performance": None}),
    ("limits", setting("gate", response_low=0.7), {"gate": None, "accept": None}),
    ("title", setting("report", title="Other"), {}),
    # samples and trainings
    ("label", sample("w", label="W boson"), {"skim": "sample=w"}),
    ("one more sample", sample("v"), {"simulate": "sample=v", "skim": "sample=v",
                                      "evaluate": "sample=v", "performance": None}),
    ("one sample less", without_sample("w"), {"performance": None}),
    ("longer sample", sample("z", events=241), {
        "simulate": "sample=z", "skim": "sample=z, part=0003", "evaluate": "part=0003",
        "preprocess": None, "performance": None}),
    ("other training", training("net", seed=2), {"preprocess": None, "train": None}),
    ("one more training", training("more"), {
        "preprocess": "training=more", "train": "training=more", "export": "training=more",
        "evaluate": "training=more", "performance": "training=more", "gate": "training=more",
        "accept": None}),
    # files
    ("input content", new_content("in/a.root"), {"skim": W0}),
    ("one more input", new_input, {"skim": "sample=w, part=0002",
                                   "evaluate": "sample=w, variation=nominal, part=0002",
                                   "performance": None, "report": None}),
    ("intermediate content", new_content("results/skim/w/0000.parquet"),
     {"evaluate": "sample=w, variation=nominal, part=0000"}),
    ("page deleted", no_such("results/report/report.html"), {"report": None}),
]  # fmt: skip


def test_nothing_runs_when_nothing_that_matters_changed(world):
    for path in [world.repository, world.folder]:
        for file in path.rglob("*"):
            if ".snakemake" not in file.parts:
                os.utime(file)
    world.append("@envs/skim.yaml", "\n# a comment\n")
    world.append("@config.yaml", "\n# a comment\n")
    world.append("@Snakefile", "\n# a comment\n")
    world.append("@scripts/ptmiss/cli.py", "\n# a comment\n")
    world.append("@scripts/ptmiss/core/workflow/rules.py", "\n# a comment\n")
    world.append("@scripts/ptmiss/tasks/met/workflow/plan.py", "\n# a comment\n")
    world.replace("@scripts/ptmiss/stages.py", "Turn ntuples of", "Make of ntuples of")
    world.replace("@scripts/ptmiss/stages.py", "what became of each event", "what became of all")
    world.replace("@workflow/rules/skim.smk", "threads: 1", "threads: 2")
    world.replace("@workflow/rules/skim.smk", "mem_mb=3000", "mem_mb=2999")
    world.replace("@workflow/rules/skim.smk", "results/logs/skim", "results/logs/other")
    world.configure(dict(reversed(CONFIG.items())))  # the order of sections, not of samples
    world.append("own.yaml", "# a comment\n")
    assert world.plan() == []


@pytest.mark.parametrize(("name", "edit", "begins"), CASES, ids=[case[0] for case in CASES])
def test_an_edit_runs_what_it_concerns(world, name, edit, begins):
    edit(world)
    jobs = world.plan()
    if world.is_configured:
        begins = begins | {"report": None}
    roots = {key(job) for job in jobs if job.is_root}
    graph = jobs + [job for job in world.graph if key(job) not in set(map(key, jobs))]
    wanted = {
        one
        for one in map(key, graph)
        if one[0] in begins and (begins[one[0]] is None or begins[one[0]] in one[1])
    }
    wanted |= {root for root in roots if root[0] not in RULES}
    assert roots <= wanted, [f"{job.rule} {job.wildcards}: {job.reason}" for job in jobs]
    assert set(map(key, jobs)) == wanted | followers(graph, wanted)
