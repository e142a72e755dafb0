"""What a notebook shows of an error, and what a traceback holds."""

import traceback

import numpy as np
import pytest

from kipuka.convert import load_network
from kipuka.deploy import simulate
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba

CELL = "def asked():\n    return simulate(network, spikes)\n\nasked()\n"


def test_a_notebook_shows_the_cell_and_the_paragraph(rng):
    names = {"__name__": "__main__", "simulate": simulate, "spikes": np.zeros((2, 5, 9), bool)}
    names["network"] = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        exec(compile(CELL, "<cell>", "exec"), names)
    # Above the cell stands what ran it: this test here, IPython in a notebook.
    lines = caught.value._render_traceback_()
    assert [line.split(", ")[1:] for line in lines if line.startswith('  File "<cell>"')] == [
        ["line 4", "in <module>"],
        ["line 2", "in asked"],
    ]
    assert not [line for line in lines if "deploy" in line]
    assert lines[-2] == f"KipukaError: {caught.value}"
    assert "traceback.print_last()" in lines[-1]


def test_what_ran_a_cell_is_left_out():
    with pytest.raises(KipukaError) as caught:
        exec(
            "load_network('nothing.net')",
            {"__name__": "IPython.core", "load_network": load_network},
        )
    lines = caught.value._render_traceback_()
    assert not [line for line in lines if "<string>" in line]


@pytest.mark.parametrize("path", ["nothing.net", "nothing.nir", __file__])
def test_causes_that_say_nothing_more_are_not_shown(path):
    with pytest.raises(KipukaError) as caught:
        load_network(path, **({"dt": 1e-4} if path.endswith(".nir") else {}))
    text = "".join(traceback.format_exception(None, caught.value, caught.value.__traceback__))
    assert "another exception" not in text
    assert "direct cause" not in text


def test_a_wrong_shape_is_found_before_there_are_threads(rng):
    network = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        simulate(network, np.zeros((2, 5, 9), bool), threads=2)
    assert len(list(traceback.walk_tb(caught.value.__traceback__))) < 5
