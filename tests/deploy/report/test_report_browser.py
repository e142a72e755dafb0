"""The report in a real browser: no complaints, nothing wider than the screen, light and dark."""

import numpy as np
import pytest

from kipuka.deploy.costs.advice import advise
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.comparison import without_microcode
from kipuka.deploy.report.page import ReportContents, write_report
from kipuka.deploy.report.tables import Compared
from kipuka.hardware_profiles import load_profile
from kipuka_browser import Browser, browser_path
from kipuka_cases import program, random_cuba, random_delays, random_gru, random_spikes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser_path() is None, reason="needs chromium or google-chrome"),
]

DESKTOP, PHONE = 1200, 400

OVERFLOW = """[...document.querySelectorAll('body *')].filter(one =>
  !one.closest('.scroll, svg') && one.getBoundingClientRect().right > innerWidth + 0.5
).map(one => one.outerHTML.slice(0, 80))"""
BRIGHTNESS = (
    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
)
EMPTY_PICTURES = """[...document.querySelectorAll('figure svg')].filter(one =>
  one.getBoundingClientRect().width < 100 || one.getBoundingClientRect().height < 40).length"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with everything that one can have."""
    rng = np.random.default_rng(5)
    delays = random_delays(rng, 16, 12)
    network = program(9, random_gru(rng, 9, 16, delays_own=delays), random_cuba(rng, 16, 4))
    inputs = random_spikes(rng, 3, 9, 40)
    chip = load_profile("kapoho_point")
    run = simulate(network, inputs)
    cost = profile(network, inputs, run, chip, cores=20)
    changes = advise(network, inputs, run, chip, cost, 20, np.array([0, 1, 2]))
    assert run.trace.layers[1].spikes.any()
    contents = ReportContents(
        title="A network whose name is as long as the names of files in a deep folder can be" * 2,
        program=network,
        inputs=inputs,
        simulation=run,
        profiles=((cost, chip),),
        verification=None,
        accuracy={"fast": 0.5},
        delays_before=None,
        seconds={"simulate": 1.0},
        lowered=without_microcode(network, inputs, chip),
        advice=changes,
        compared=(Compared("a.net", cost, 0.5), Compared("b.net", cost, 0.25)),
    )
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(path, contents)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(browser_path(), tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_page_renders_at_every_width_and_scheme(browser, report, width, dark):
    browser.complaints.clear()
    browser.open(report, width=width, dark=dark, phone=width == PHONE)
    assert browser.complaints == []
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOW) == []
    brightness = browser.evaluate(BRIGHTNESS)
    assert max(brightness) < 60 if dark else min(brightness) > 200
    assert browser.evaluate("document.querySelectorAll('figure svg').length") >= 8
    assert browser.evaluate(EMPTY_PICTURES) == 0


def test_page_prints_with_its_sources_unfolded(browser, report):
    browser.complaints.clear()
    browser.open(report, width=DESKTOP)
    printed = browser.printed()
    assert printed.startswith(b"%PDF-")
    assert 3 <= printed.count(b"/Type /Page\n") <= 8
    assert browser.complaints == []


def test_a_page_with_errors_is_noticed(browser, tmp_path):
    page = tmp_path / "wrong.html"
    page.write_text("<div style='width:3000px'>x</div><script>console.error('a'); b()</script>")
    browser.complaints.clear()
    browser.open(page, width=DESKTOP)
    assert len(browser.complaints) == 2
    assert browser.evaluate("document.documentElement.scrollWidth") > DESKTOP
    assert len(browser.evaluate(OVERFLOW)) == 1
