"""The recipe for RDataFrame: its C++ compiles with correctionlib's header and gives our numbers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import correctionlib
import pytest

import calibration_toys as toys
from ptmiss.tasks.met.calibration import document
from ptmiss.tasks.met.calibration.published_lines import derive_lines
from ptmiss.tasks.met.calibration.published_xy import xy_document

PAGE = Path(__file__).parents[2] / "docs/how-to/applying-the-calibration.md"
MAIN = """
#include "correction.h"
#include <cstdio>
%s
int main() {
    for (const char* name : {"pt", "phi"})
        std::printf("%%.12g\\n", corrected(name, 42.f, 0.5f, 27));
}
"""
ABOUT = SimpleNamespace(
    training="toy", simulated=True, prefix="",
    dilepton=SimpleNamespace(data_name="pseudodata", name="zmumu"),
)  # fmt: skip


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_the_recipe_compiles_and_gives_our_numbers(tmp_path):
    (code,) = re.findall(r'Declare\("""\n(.*?)"""\)', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    settings = toys.settings(replicas=20)
    sides = {"data": toys.toy(2000, 1, 20), "simulation": toys.toy(2000, 2, 20, offset=(3.0, 1.0))}
    made = toys.derived(sides["data"], sides["simulation"], settings)
    fits = derive_lines(made, sides, settings)
    # the page corrects PUPPI
    fits = type(fits)("puppi", fits.data, fits.simulation, fits.ranges, fits.pileup)
    path = tmp_path / "results/calibration/mixed/met_xy_corrections.json.gz"
    document.write(path, xy_document([fits], ABOUT, settings.published))

    (tmp_path / "main.cc").write_text(MAIN % code)
    place = Path(correctionlib.__file__).parent
    command = ["g++", "-std=c++17", "-Wall", "-Werror", "main.cc", "-o", "main"]
    flags = [f"-isystem{place}/include", f"-L{place}/lib", f"-Wl,-rpath,{place}/lib"]
    built = subprocess.run(
        [*command, *flags, "-lcorrectionlib"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [tmp_path / "main"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    xy = correctionlib.CorrectionSet.from_file(str(path))["met_xy_corrections"]
    arguments = ("PuppiMET", settings.published.era, "MC", "nom", 42.0, 0.5, 27.0)
    expected = [xy.evaluate(name, *arguments) for name in ("pt", "phi")]
    assert [float(line) for line in done.stdout.split()] == pytest.approx(expected, abs=1e-6)
    assert abs(expected[0] - 42.0) > 1.0
