"""Take figures and numbers of a run into the documentation: `make docs-results RESULTS=results`.

Figures are those of the page, byte for byte; numbers are those of summary.json. Writes
docs/figures/*.png, docs/figures/figures.json, docs/results.json, docs/results.md and the section of
results in README.md. Nothing of this is written by hand; a test compares texts and results.json.
"""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import results_page

DOCS = Path(__file__).resolve().parents[1]

# Name in the documentation -> what the identifier of a figure on the page must match, best first.
LEAD = "(?:mixed|together|all|classical|[A-Za-z0-9_]+)"
WANTED = {
    "overview": ("all-gain-puppi", rf"{LEAD}-zmumu-nominal-sigma_perp-qt"),
    "way": ("all-way-oracle",),
    "perp_qt": (rf"{LEAD}-zmumu-nominal-sigma_perp-qt",),
    "response_qt": (rf"{LEAD}-zmumu-nominal-response-qt",),
    "perp_n_pv": (
        rf"{LEAD}-zmumu-nominal-sigma_perp-n_pv_low_qt",
        rf"{LEAD}-zmumu-nominal-sigma_perp-n_pv.*",
    ),
    "xy_gen_met": (rf"{LEAD}-ttbar-nominal-sigma_xy-gen_met",),
    "response_gen_met": (rf"{LEAD}-ttbar-nominal-response(?:_met)?-gen_met",),
    "training": (rf"{LEAD}-training-(?:loss|error).*", rf"{LEAD}-training-.*"),
    "weights": (rf"{LEAD}-zmumu-weight-pt", rf"{LEAD}-.*-weight-pt"),
    "importance": (rf"{LEAD}-importance-sigma_perp", rf"{LEAD}-importance-.*"),
    "display": (rf"{LEAD}-zmumu-event-.*", rf"{LEAD}-.*-event-.*"),
    "spectrum": (rf"{LEAD}-wmunu-nominal-spectrum-met", rf"{LEAD}-wmunu-.*spectrum.*"),
    "xy": (rf"{LEAD}-calibration-xy-deepmet-.*", rf"{LEAD}-calibration-xy-.*"),
    "calibration": (
        rf"{LEAD}-calibration-both-deepmet-u_perp.*",
        rf"{LEAD}-calibration-both-deepmet-.*",
        rf"{LEAD}-calibration-both-.*",
    ),
    "uncertainties": (rf"{LEAD}-zmumu-uncertainty-.*-sigma_perp-qt", rf"{LEAD}-.*-uncertainty-.*"),
}

_FIGURE = re.compile(
    r'<figure id="figure-(?P<id>[^"]+)".*?<img src="data:image/png;base64,(?P<png>[^"]+)" '
    r'alt="(?P<alt>[^"]*)".*?<b>(?P<heading>.*?)</b>',
    re.DOTALL,
)  # fmt: skip
LARGEST = 1_000_000
"""Bytes of all figures together."""


def figures(page: str) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield name, PNG and words of the wanted figures that the page has."""
    found = {one["id"]: one for one in _FIGURE.finditer(page)}
    for name, patterns in WANTED.items():
        for pattern in patterns:
            fits = [key for key in found if re.fullmatch(pattern, key)]
            if fits:
                best = sorted(fits, key=_rank)[0]
                one = found[best]
                words = {
                    "figure": best,
                    "alt": html.unescape(one["alt"]),
                    "heading": html.unescape(re.sub("<[^>]+>", "", one["heading"])).rstrip("."),
                }
                yield name, base64.b64decode(one["png"]), words
                break


def _rank(key: str) -> tuple[int, str]:
    first = ("mixed-", "together-", "all-", "zmumu-", "classical-")
    return next((i for i, start in enumerate(first) if key.startswith(start)), len(first)), key


def main(results: Path) -> None:
    """Take everything from a folder of results."""
    folder = DOCS / "figures"
    page = (results / "report" / "report.html").read_text(encoding="utf-8")
    summary: Mapping = json.loads((results / "summary.json").read_text(encoding="utf-8"))
    for old in folder.glob("*.png"):
        old.unlink()
    words = {}
    for name, png, about in figures(page):
        (folder / f"{name}.png").write_bytes(png)
        words[name] = about
    size = sum(path.stat().st_size for path in folder.glob("*.png"))
    if size > LARGEST:
        raise SystemExit(f"figures take {size} bytes, more than {LARGEST}")
    _write(folder / "figures.json", json.dumps(words, indent=1, sort_keys=True) + "\n")
    kept = results_page.keep(summary)
    _write(DOCS / "results.json", json.dumps(kept, indent=1, sort_keys=True) + "\n")
    _write(DOCS / "results.md", results_page.page(kept))
    readme = DOCS.parent / "README.md"
    _write(readme, results_page.into_readme(readme.read_text(encoding="utf-8"), kept))
    missing = ", ".join(sorted(set(WANTED) - set(words))) or "none"
    print(f"{len(words)} figures, {size} bytes; missing: {missing}")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
