"""A page with everything on it, hostile names among it, in a headless Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import report_toys
from ptmiss.tasks.met.report import build
from ptmiss.tasks.met.settings.config import Config

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--no-first-run", "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip
HOSTILE = "</script><script>window.hacked=1</script>\"'><img src=x onerror=window.hacked=2>"
LINK = "javascript:window.hacked=3//"
TRAININGS = ("mixed", "zmumu")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The page's path and its summary."""
    folder = tmp_path_factory.mktemp("page")
    files = report_toys.everything(folder, TRAININGS, {"zmumu": True, "hh": False, HOSTILE: False})
    ledger = folder / "hh.ledger.json"
    ledger.write_text(json.dumps(report_toys.ledger("hh", HOSTILE, 90, {LINK: 10})), "utf-8")
    files["ledgers"] = [ledger]
    files["benchmarks"] = [report_toys.benchmark(folder / "benchmarks/skim/a.tsv", 75.0, 300.0)]
    labels = {"zmumu": "Z to mumu", "hh": HOSTILE[:80]}
    config = Config.load(report_toys.config(labels, dpi=50, title=f"Page {LINK} <b>"))
    out = folder / "report.html", folder / "summary.json"
    inputs = build.Inputs(**files)
    build.build(inputs, config, build.Outputs(*out), LINK, threads=2)
    return out[0], json.loads(out[1].read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def browser():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("needs chromium, which `sh tests/debian.sh chromium` installs on Debian")
    api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def opened(browser, made):
    """Opens the page in a window of its own; says afterwards what went wrong there."""
    contexts = []

    def opened(**settings):
        settings = {"viewport": {"width": 1440, "height": 900}, **settings}
        context = browser.new_context(**settings)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        said, asked = [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(made[0].as_uri())
        tab.said, tab.asked = said, asked
        return tab

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures():
    """Where screenshots are kept."""
    folder = ROOT / "tests/output"
    folder.mkdir(exist_ok=True)
    return folder
