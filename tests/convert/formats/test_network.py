"""One door for network files of every format."""

import dataclasses
import inspect

import pytest

from kipuka.convert import load_network, save_network
from kipuka.convert.formats import network as door
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_delays, random_gru


@pytest.fixture
def network(rng):
    first = random_gru(rng, 4, 5, delays_own=random_delays(rng, 5))
    return program(4, first, random_cuba(rng, 5, 3), readout_delays=[0, 5, 62])


@pytest.mark.parametrize("name", ["a.net", "a.h5", "a.NET", "a", "a.v2"])
def test_a_network_comes_back_equal(network, tmp_path, name):
    save_network(tmp_path / name, network)
    assert load_network(tmp_path / name) == network


def test_the_ending_chooses_the_format(network, tmp_path, monkeypatch):
    called = []
    other = door.Format("Other", (".other",), lambda path: called.append(path), None, ())
    monkeypatch.setattr(door, "FORMATS", (*door.FORMATS, other))
    load_network(tmp_path / "a.other")
    assert called == [tmp_path / "a.other"]


def test_a_format_that_is_only_read_refuses_to_be_written(
    network, tmp_path, monkeypatch, check_error
):
    other = dataclasses.replace(door.FORMATS[0], name="Other", suffixes=(".other",), save=None)
    monkeypatch.setattr(door, "FORMATS", (*door.FORMATS, other))
    with pytest.raises(KipukaError) as caught:
        save_network(tmp_path / "a.other", network)
    check_error(
        caught.value, what="only be read", where="a.other", limit=".net", value="Other", remedy=""
    )
    assert not list(tmp_path.iterdir())


def test_an_option_of_another_format_is_refused(tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        load_network(tmp_path / "a.net", dt=1e-4)
    check_error(
        caught.value, what="option", where="option dt", limit="clamp_delays", value="dt", remedy=""
    )


def test_options_of_nir_files_are_those_of_their_reader():
    from kipuka.convert import quantized_nir

    (nir,) = (one for one in door.FORMATS if one.name == "NIR")
    assert ("path", *nir.options) == tuple(inspect.signature(quantized_nir).parameters)
