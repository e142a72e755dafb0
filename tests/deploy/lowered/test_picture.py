"""Pictures of schedules: those in docs/loihi2.md are of the networks that the page names."""

import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.program import RECURRENT
from kipuka.deploy.lowered import lower
from kipuka.deploy.lowered.picture import NAMES_WIDTH, schedule_svg
from kipuka_cases import dense, even, gru, program

DOCS = Path(__file__).parents[3] / "docs"
PICTURES = {0: ("schedule_short_delays.svg", 6), 4: ("schedule_long_delays.svg", 1)}
"""By the least recurrent delay: file, and K."""


def lowered(least):
    """A layer whose states may saturate, or one that long delays let work without a pause."""
    rng, calm = np.random.default_rng(0), least > 0
    projections = []
    for target in "irz":
        for source, n in ((1, 5), (RECURRENT, 4)):
            weights = even(rng, (4, n), 40)
            weights = -np.abs(weights) if calm and target == "r" else weights
            delays = np.full(n, least if source == RECURRENT else 0)
            projections.append(dense(weights, source, target, delays))
    layer = gru(4, *projections, threshold=64, bias_r=-200 if calm else 20)
    return lower(program(5, layer), 100 if calm else None)


@pytest.mark.parametrize("least", PICTURES)
def test_the_pictures_of_the_page_are_what_is_drawn(least):
    name, period = PICTURES[least]
    graph = lowered(least)
    assert graph.period == period
    assert (DOCS / name).read_text(encoding="utf-8") == schedule_svg(graph)
    assert name in (DOCS / "loihi2.md").read_text(encoding="utf-8")


def test_a_population_works_once_in_each_algorithmic_step():
    graph = lowered(0)
    root = xml.etree.ElementTree.fromstring(schedule_svg(graph, n_steps=2))
    cells = [e for e in root if e.tag.endswith("rect") and int(e.get("x", 0)) >= NAMES_WIDTH]
    assert len(cells) == 2 * (len(graph.nodes) - 1)
    rows = {}
    for cell in cells:
        rows.setdefault(cell.get("y"), []).append(int(cell.get("x")))
    distances = {xs[1] - xs[0] for xs in rows.values()}
    assert len(rows) == len(graph.nodes) - 1
    assert len(distances) == 1
