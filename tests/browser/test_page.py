"""What a reader sees and does with the page, in a real browser."""

from __future__ import annotations

import base64
import urllib.parse

import pytest

SHOWN = "[...document.querySelectorAll('section.drawn figure')].filter(f => f.offsetParent)"


def number(value):
    return f"{value:#.3g}".rstrip(".").replace("-", "\u2212")


def percent(value):
    return f"{100 * value:.1f}".replace("-", "\u2212")


def test_nothing_is_said_asked_for_or_run(opened, made):
    page = opened()
    page.wait_for_load_state("load")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.said == []
    outside = [url for url in page.asked if not url.startswith("data:")]
    assert outside == [made[0].as_uri()]
    assert page.evaluate("window.hacked") is None
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator("script").count() == 2


def test_every_picture_is_there_and_has_words(opened):
    page = opened()
    page.wait_for_load_state("load")
    found = page.evaluate(
        "Promise.all([...document.querySelectorAll('figure img')].map(async image => {"
        " await image.decode(); return [image.naturalWidth, image.alt.length] }))"
    )
    assert len(found) > 30
    assert all(width > 100 and words > 20 for width, words in found)
    sections = page.evaluate("[...document.querySelectorAll('section.drawn')].map(s => s.id)")
    assert sections == [
        "training", "performance", "final-states", "slices", "interpretation", "calibration",
        "uncertainties",
    ]  # fmt: skip


def test_the_first_screen_has_the_numbers_of_the_summary(opened, made):
    page, summary = opened(), made[1]
    compared = 0
    for training, samples in summary["trainings"].items():
        page.select_option("#chosen-training", f"gains-{training}")
        assert page.locator(".overview:visible").count() == 1
        for sample in samples:
            own = sample["estimators"]["deepmet"]
            leading = [next(iter(forms.values())) for forms in sample["forms"].values()]
            found = page.evaluate(
                "name => [...document.querySelectorAll('.overview:not([hidden]) tr[data-sample]')]"
                ".filter(row => row.dataset.sample === name).map(row => row.innerText)",
                sample["sample"],
            )
            assert len(found) == len(leading)
            for text, form in zip(found, leading, strict=True):
                values = form["estimators"]["deepmet"]
                for over in ("pf", "puppi"):
                    gain = values["gain_over"][over]
                    interval = f"[{percent(gain['low'])}, {percent(gain['high'])}]"
                    assert f"{percent(gain['value'])} {interval}" in text
                assert number(values["value"]) in text
                assert number(own["plateau_response"]["value"]) in text
                compared += 1
    assert compared >= 6
    verdicts = page.locator(".verdicts").inner_text()
    assert "gate mixed: accepted" in verdicts
    assert "gate zmumu: refused" in verdicts
    assert page.locator(".verdicts .bad").count() == 3  # one gate, two closures


def test_the_summary_fits_into_one_screen(opened):
    page = opened()
    bottom = page.locator(".overview:visible table").bounding_box()
    assert bottom["y"] + bottom["height"] < 900


def test_filter_and_words_choose_figures(opened):
    page = opened()
    every = page.evaluate(f"{SHOWN}.length")
    page.select_option("select[name=sample]", "hh")
    chosen = page.evaluate(f"{SHOWN}.map(f => f.dataset.sample)")
    assert set(chosen) == {"hh"}
    page.fill("input[name=words]", "generator nothing-has-this")
    assert page.evaluate(f"{SHOWN}.length") == 0
    assert page.locator(".filter output").inner_text().startswith("0 of ")
    page.click(".filter button[type=reset]")
    page.wait_for_function(f"{SHOWN}.length === {every}")


def test_a_figure_grows_and_gives_its_files(opened):
    page = opened()
    first, second = (page.locator("section.drawn figure img").nth(i) for i in (0, 1))
    first.focus()
    page.keyboard.press("Enter")
    large = page.locator("dialog img")
    assert large.get_attribute("alt") == first.get_attribute("alt")
    page.keyboard.press("ArrowRight")
    assert large.get_attribute("alt") == second.get_attribute("alt")
    links = page.locator("dialog a")
    names = [links.nth(i).get_attribute("download") for i in range(3)]
    assert [name.rpartition(".")[2] for name in names] == ["png", "pdf", "csv"]
    png, pdf, table = (links.nth(i).get_attribute("href").split(",", 1)[1] for i in range(3))
    assert base64.b64decode(png).startswith(b"\x89PNG")
    assert base64.b64decode(pdf).startswith(b"%PDF-")
    assert len(urllib.parse.unquote(table).splitlines()) > 2
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "IMG"


def test_two_trainings_are_compared(opened, made):
    page = opened()
    page.select_option("form [name=left]", "zmumu")
    page.select_option("form [name=right]", "mixed")
    head = page.locator("#comparison thead").inner_text()
    assert "Gain over PUPPI [%], zmumu" in head
    rows = page.locator("#comparison tbody tr")
    samples = made[1]["trainings"]["zmumu"]
    assert rows.count() == sum(len(one["measured_in"]) for one in samples)
    left = samples[-1]["estimators"]["deepmet"]["resolution"]["sigma_par"]["gain_over"]["puppi"]
    assert percent(left["value"]) in page.locator("#comparison").inner_text()
    page.click("#compare details summary")
    page.wait_for_selector("#pairs figure img")
    pairs = page.locator("#pairs .pair")
    assert pairs.count() >= 5
    assert all(pairs.nth(i).locator("img").count() == 2 for i in range(3))


def test_light_and_dark(opened):
    page = opened(color_scheme="dark")
    back = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(back)
    page.click("#theme")
    light = page.evaluate(back)
    assert dark != light
    assert opened(color_scheme="light").evaluate(back) == light


def test_it_reads_without_script(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".overview:visible").count() == 2
    assert page.locator("section.drawn figure img:visible").count() > 20
    assert not page.locator("#compare").is_visible()
    assert not page.locator(".filter").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1440, 900), ("phone", 390, 844)])
def test_it_fits_every_screen(opened, pictures, name, width, height, scheme):
    page = opened(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.screenshot(path=pictures / f"page-{name}-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for section in ("performance", "interpretation"):
        page.locator(f"#{section}").scroll_into_view_if_needed()
        page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
        page.screenshot(path=pictures / f"page-{name}-{scheme}-{section}.png")
