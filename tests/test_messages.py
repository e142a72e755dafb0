"""What a refusal says to people in Python and to those on the command line alike."""

import re
from pathlib import Path

import numpy as np
import pytest

import kipuka
from kipuka.convert import load_network
from kipuka.deploy.verification import check_enough
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka.names import check_data

SOURCES = [
    path
    for folder in ("convert", "deploy", "train", "hardware_profiles")
    for path in (Path(__file__).parent.parent / folder).rglob("*.py")
]


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: load_profile("Loihi2"), {"remedy": "did you mean loihi2? take one"}),
        (
            lambda: load_network("m.nir", weight_maxx=3),
            {"where": "weight_maxx", "remedy": "did you mean weight_max? leave"},
        ),
        (lambda: check_data("digit"), {"where": "setting or option data", "remedy": "digits?"}),
        (
            lambda: kipuka.plot.membranes(np.zeros((2, 3, 4), np.int32)),
            {"remedy": "layers[0].states['v'][0]"},
        ),
        (lambda: check_enough(["fast"]), {"where": "argument traces, or option backends"}),
    ],
)
def test_what_is_meant_is_said(call, parts, check_error):
    with pytest.raises(KipukaError) as caught:
        call()
    check_error(caught.value, **parts)


def test_no_place_is_an_option_alone_where_python_comes_by():
    for path in SOURCES:
        text = path.read_text()
        assert '"option ' not in text, path
        # Named for both, the option stands second.
        said = re.sub(r"(setting data_dir,|argument traces, or|or) option ", "", text)
        assert ", option " not in said, path
