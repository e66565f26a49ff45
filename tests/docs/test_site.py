"""The documentation: the site is built without warnings, and what the texts name exists."""

from __future__ import annotations

import ast
import functools
import html
import html.parser
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "tools"))
sys.path.insert(0, str(Path(__file__).parent))
import results_page
import settings_page
from texts import ROOT, blocks, inline, texts

from ptmiss.core.settings import merging
from ptmiss.simulation.cards import load_card
from ptmiss.stages import stages_of
from ptmiss.tasks.met.performance.layouts import PERFORMANCE
from ptmiss.tasks.met.settings.config import Config

OTHERS = {"default-resources"}  # keys of a profile of Snakemake
TENSORS = {"output/BiasAdd", "candidate/weight"}
# Files that a reader writes or has, and names with wildcards of which no file exists.
READERS_OWN = {
    "own.yaml", "delphes.yaml", "short.yaml", "slices.yaml", "external.yaml", "files.txt",
    "my_site/config.yaml", "name.sha256", "name.root.sha256", "name.root", "list.txt", "@list.txt",
    "tensorflow[and-cuda]", "config.pbtxt", "model.onnx", "parity.json", "history.csv",
    "hepdata.tar.gz", "summary.json", "tails.py", "repository/deepmet/1/", "ptmiss.sif",
}  # fmt: skip


class Page(html.parser.HTMLParser):
    """Links, loaded files and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.images: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if values.get("id"):
            self.anchors.add(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") != "canonical" and values.get("href"):
            self.loaded.append(values["href"])
        if tag in ("script", "img", "iframe", "source", "object") and values.get("src"):
            self.loaded.append(values["src"])
        if tag == "img":
            self.images.append(values)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # no proxy and no host: a build that asks for anything outside fails
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"},
    )
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout
    assert "ERROR" not in done.stdout
    return {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if path.name != "404.html"
    }


def test_every_link_leads_somewhere(site):
    for path, page in site.items():
        for link in page.links:
            if link.startswith(("https://", "http://", "mailto:", "javascript:")):
                continue
            address, _, anchor = unquote(link).partition("#")
            target = (path.parent / address).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name}: {link}"
            if anchor and target in site and not anchor.startswith("__"):
                assert anchor in site[target].anchors, f"{path.name}: {link}"


def test_nothing_is_loaded_from_another_host(site):
    for path, page in site.items():
        for address in page.loaded:
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"
            assert (
                address.startswith("data:") or (path.parent / address.partition("?")[0]).is_file()
            )


def test_pictures_have_words(site):
    images = [image for page in site.values() for image in page.images if "src" in image]
    assert any("figures/" in image["src"] for image in images)
    for image in images:
        assert image.get("alt") is not None, image["src"]


def test_the_reference_has_every_setting_and_main_functions(site):
    pages = {path.name: path.read_text(encoding="utf-8") for path in site}
    for key in all_keys():
        assert f"<code>{key}</code>" in pages["settings.html"], key
    puppi = plain(pages["ptmiss.events.objects.puppi.html"])
    assert "puppi_weights(" in puppi
    assert "Return <u_par>/<q_t> for each row" in plain(pages["ptmiss.tasks.met.calibration.html"])
    commands = pages["commands.html"]
    for name in stages_of():
        assert f"{name}.py" in commands


def test_the_reference_has_documented_constants(site):
    pages = {path.stem: plain(path.read_text(encoding="utf-8")) for path in site}
    constants = 0
    for path in (ROOT / "scripts/ptmiss").rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in itertools.pairwise(body):
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if not isinstance(target, ast.Name) or target.id.startswith("_"):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                room = ".".join(path.parent.relative_to(ROOT / "scripts").parts)
                assert f"{target.id} = " in pages[room], f"{path}: {target.id}"
                constants += 1
    assert constants > 50


def plain(page: str) -> str:
    """The text of a page without its tags."""
    return html.unescape(re.sub("<[^>]+>", "", page))


@functools.cache
def all_keys() -> tuple[str, ...]:
    schema = Config.model_json_schema()
    return tuple(
        key.path
        for section, node in schema["properties"].items()
        for key in settings_page.keys(node, schema, section)
    )


def test_comments_of_the_configuration_find_their_keys():
    found = settings_page.comments(
        "# of a\na:\n  b: 1  # of b\n         # and more\n  # of c\n  c: {d: '#x', e: 2}\n"
        "  f: [1,\n   2]  # of f\n"
    )
    assert found == {"a": "of a", "a.b": "of b and more", "a.c": "of c", "a.f": "of f"}


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_settings_and_targets_exist(path):
    text = path.read_text(encoding="utf-8")
    settings = {part for key in all_keys() for part in prefixes(key)}
    sections = {key.partition(".")[0] for key in settings}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in inline(text):
        first = words.split()[0].rstrip(",")
        if first == "make" and len(words.split()) > 1:
            assert words.split()[1] in targets, f"{path.name}: no target for {words}"
        elif re.fullmatch(r"([a-z_]+)(\.[a-z_]+)+", first) and first.partition(".")[0] in sections:
            known = first in settings or is_file(first) or hasattr_of(first)
            assert known, f"{path.name}: no setting {first}"
        elif is_name_of_file(first):
            assert is_file(first), f"{path.name}: no file {first}"


def prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def hasattr_of(name: str) -> bool:
    """A value with a name of its own, such as skim.selections.zmumu."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for part in name.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def is_name_of_file(word: str) -> bool:
    if (
        re.search(r"[{}<>*()=:$\[\]|]|->", word)
        or word in READERS_OWN
        or word.startswith("results/")
    ):
        return False
    return bool(
        re.fullmatch(r"[\w./-]+\.(md|yaml|py|toml|csv|txt|json|onnx|slha|smk|in)", word)
    ) or ("/" in word and bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)*/", word)))


def is_file(word: str) -> bool:
    plugin = ROOT / "tests" / "plugins" / "toy_task" / "shower_energy"
    places = (ROOT, ROOT / "scripts" / "ptmiss" / "simulation", ROOT / "docs", plugin)
    return any((place / word).exists() for place in places)


def test_files_that_the_architecture_names_are_found_without_guessing_their_floor():
    named = 0
    for word in inline((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")):
        path = re.fullmatch(r"[\w.-]+\.(py|yaml|md|smk)|[\w.-]+(/[\w.-]+)+/?|[\w-]+/", word)
        if path and word not in TENSORS and not word.startswith("results/"):
            assert (ROOT / word).exists() or (ROOT / "scripts" / "ptmiss" / word).exists(), word
            named += 1
    assert named > 40


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_links_of_the_repository_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith("https://"):
            assert (ROOT / link.partition("#")[0]).is_file(), link


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_configurations_in_the_texts_are_accepted(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    # the blocks of a text belong to one configuration, but each section of this page is a recipe
    sections = re.split(r"^## ", text, flags=re.MULTILINE) if path.stem == "extending" else [text]
    for part in sections:
        together: dict = {}
        for block in blocks(part):
            if block.kind == "yaml":
                check(block.text, together, path, tmp_path / "card.yaml")


def check(text: str, together: dict, path: Path, card: Path) -> None:
    """Check one block, over those before it."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load(text)
    if set(own) <= set(default):
        if "samples" in own:
            together.pop("trainings", None)
        for section in {"samples", "trainings"} & set(own):
            together.pop(section, None)
        merge(together, own)
        Config.load(merging.merged(default, together, Config), together)
    elif "pythia" in own:
        card.write_text(text)
        load_card(card)
    else:
        assert set(own) <= OTHERS, f"{path.name}: what is {sorted(own)}?"


def merge(values: dict, own: dict) -> None:
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = value


def test_python_in_the_texts_compiles():
    for path in texts():
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.kind == "python":
                compile(block.text, str(path), "exec")


def test_tables_of_results_are_those_of_the_recorded_summary():
    kept = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert results_page.into_readme(readme, kept) == readme
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results_page.page(kept)


def test_a_table_of_results():
    bounds = {"value": 10.0, "low": 9.0, "high": 11.0}
    gain = {"value": 0.25, "low": 0.2, "high": 0.3}
    sample = {
        "label": "Z", "variation": "nominal", "measured_in": {"sigma_perp": {}, "sigma_par": {}},
        "estimators": {
            "pf": {"resolution": {"sigma_perp": {**bounds, "value": 20.0, "gain_over": {}}}},
            "deepmet": {
                "plateau_response": {**bounds, "value": 0.98},
                "resolution": {"sigma_perp": {**bounds, "gain_over": {"puppi": gain}}},
            },
        },
    }  # fmt: skip
    assert results_page.table([sample])[2:] == [
        "| Z | across the boson | 20.0 |  |  | 10.0 |  | 25 [20, 30] |  | 0.98 |"
    ]


def test_pictures_are_small_and_said_where_they_come_from():
    folder = ROOT / "docs" / "figures"
    words = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    pictures = {path.stem for path in folder.glob("*.png")}
    assert pictures == set(words)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    shown = "\n".join(path.read_text(encoding="utf-8") for path in texts())
    for name in pictures:
        assert f"figure: {name} -->" in shown or f"figures/{name}.png" in shown, name


def test_readme_has_the_right_numbers():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    numbers = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 12: "twelve", 13: "thirteen"}
    numbers |= {14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen"}
    assert f"{numbers[len(values['samples'])]} samples" in readme
    assert f"trains {numbers[len(values['trainings'])]} networks" in readme
    assert all(f"`{name}`" in readme for name in values["trainings"])
    cards = len(list((ROOT / "resources" / "processes").glob("*.yaml")))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{numbers[cards]} processes" in changelog


def test_the_table_of_the_data_model_is_read_as_shown(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "data-model.md").read_text(encoding="utf-8")
    (block,) = (one for one in blocks(page) if one.kind == "python")
    table = tmp_path / "results" / "performance" / "mixed.csv"
    table.parent.mkdir(parents=True)
    rows = [
        "zmumu,nominal,deepmet,n_pv,9.5,11.5,sigma_perp,12.25,12.0,12.5,300",
        "zmumu,nominal,puppi,n_pv,9.5,11.5,sigma_perp,15.0,14.5,15.5,300",
    ]
    table.write_text("\n".join([",".join(PERFORMANCE.names), *rows, ""]))
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, "data-model.md", "exec"), {})
    said = capsys.readouterr().out
    assert "12.25" in said
    assert "15.0" not in said
