"""What a notebook shows of an error, and what a traceback holds."""

import traceback

import numpy as np
import pytest

from kipuka.convert import load_network
from kipuka.deploy import simulate
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba

CELL = "def asked():\n    return simulate(network, spikes)\n\nasked()\n"


def test_a_notebook_shows_the_cell_and_the_paragraph(rng, check_error):
    names = {"__name__": "__main__", "simulate": simulate, "spikes": np.zeros((2, 5, 9), bool)}
    names["network"] = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        exec(compile(CELL, "<cell>", "exec"), names)
    check_error(caught.value, what="does not fit", where="sample 0", limit="4 units")
    check_error(caught.value, value="(5, 9)", remedy="time last")
    # Above the cell stands what ran it: this test here, IPython in a notebook.
    lines = caught.value._render_traceback_()
    assert [line.split(", ")[1:] for line in lines if line.startswith('  File "<cell>"')] == [
        ["line 4", "in <module>"],
        ["line 2", "in asked"],
    ]
    assert not [line for line in lines if "deploy" in line]
    assert lines[-2] == f"KipukaError: {caught.value}"
    assert "%tb" in lines[-1]
    # Asked again, as by %tb, it shows all the lines, those within Kipuka among them.
    whole = caught.value._render_traceback_()
    assert [line for line in whole if "deploy" in line]
    assert whole[-1].endswith(f"KipukaError: {caught.value}")


def test_what_ran_a_cell_is_left_out(check_error):
    with pytest.raises(KipukaError) as caught:
        exec(
            "load_network('nothing.net')",
            {"__name__": "IPython.core", "load_network": load_network},
        )
    check_error(caught.value, what="cannot be read", where="nothing.net", limit="existing file")
    lines = caught.value._render_traceback_()
    assert not [line for line in lines if "<string>" in line]


@pytest.mark.parametrize("path", ["nothing.net", "nothing.nir", __file__])
def test_causes_that_say_nothing_more_are_not_shown(path, check_error):
    with pytest.raises(KipukaError) as caught:
        load_network(path, **({"dt": 1e-4} if path.endswith(".nir") else {}))
    check_error(caught.value, where=path)
    text = "".join(traceback.format_exception(None, caught.value, caught.value.__traceback__))
    assert "another exception" not in text
    assert "direct cause" not in text


def test_a_wrong_shape_is_found_before_there_are_threads(rng, check_error):
    network = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        simulate(network, np.zeros((2, 5, 9), bool), threads=2)
    check_error(caught.value, where="input, sample 0", value="(5, 9)")
    assert len(list(traceback.walk_tb(caught.value.__traceback__))) < 5
