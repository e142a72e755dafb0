"""An argument of another class is refused by its name, with how one is made (K3)."""

from pathlib import Path

import numpy as np
import pytest

from kipuka.convert import (
    decide,
    floats_of,
    inspect,
    load_golden,
    load_net,
    load_network,
    save_net,
    save_network,
)
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.deploy import (
    dry_run,
    golden_vectors,
    load_inputs,
    lower,
    plan_stream,
    profile,
    save_spikes,
    simulate,
    simulate_each,
    simulate_reference,
    verify,
    write_report,
)
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import cuba, dense, program, random_cuba

INPUTS = np.zeros((1, 4, 5), bool)
OTHERS = ["model.net", Path("model.net"), None, 3, b"net", [object()], {"layers": ()}]

TAKERS = {
    "simulate": lambda p, folder: simulate(p, INPUTS),
    "simulate_each": lambda p, folder: list(simulate_each(p, INPUTS)),
    "simulate_reference": lambda p, folder: simulate_reference(p, INPUTS),
    "golden_vectors": lambda p, folder: golden_vectors(p, INPUTS),
    "decide": lambda p, folder: decide(p, None),
    "inspect": lambda p, folder: inspect(p),
    "save_net": lambda p, folder: save_net(folder / "a.net", p),
    "save_network": lambda p, folder: save_network(folder / "a.nir", p),
    "analyse_ranges": lambda p, folder: analyse_ranges(p, 5),
    "lower": lambda p, folder: lower(p),
    "plan_stream": lambda p, folder: plan_stream(p, 5),
    "profile": lambda p, folder: profile(p, INPUTS, None, load_profile("loihi2")),
    "verify": lambda p, folder: verify(p, {}),
}


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: type(other).__name__)
@pytest.mark.parametrize("name", TAKERS)
def test_what_is_no_program(name, other, tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        TAKERS[name](other, tmp_path)
    parts = {"where": "argument program", "remedy": "load_network(path)"}
    check_error(caught.value, what="no Program", value=type(other).__name__, **parts)
    assert not list(tmp_path.iterdir())


PATH_TAKERS = {
    "load_net": load_net,
    "load_golden": load_golden,
    "load_network": load_network,
    "load_inputs": lambda path: load_inputs(path, program(4, cuba(2, dense([[2] * 4] * 2)))),
    "load_profile": load_profile,
    "save_net": lambda path: save_net(path, program(4, cuba(2, dense([[2] * 4] * 2)))),
    "save_spikes": lambda path: save_spikes(path, np.zeros((1, 2, 3), bool), True),
    "floats_of": lambda path: floats_of(path, dt=1.0),
}


@pytest.mark.parametrize("other", [None, 3, True, b"net", [], ""], ids=repr)
@pytest.mark.parametrize("name", PATH_TAKERS)
def test_what_is_no_path(name, other, check_error):
    with pytest.raises(KipukaError) as caught:
        PATH_TAKERS[name](other)
    check_error(
        caught.value, what="", where="", limit="", value=repr(other) if other else "", remedy=""
    )


def test_golden_vectors_of_another_class(network, tmp_path, check_error):
    for golden in (None, 3, "x", [INPUTS]):
        with pytest.raises(KipukaError) as caught:
            save_net(tmp_path / "a.net", network, golden)
        check_error(caught.value, what="", where="golden", limit="", remedy="golden_vectors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("traces", [None, 3, ["fast", "reference"]])
def test_traces_without_names(network, traces, check_error):
    with pytest.raises(KipukaError) as caught:
        verify(network, traces)
    check_error(caught.value, what="no Mapping", where="argument traces", remedy="names them")


@pytest.mark.parametrize("last", [None, INPUTS])
def test_decisions_are_made_from_a_layer(network, last, check_error):
    with pytest.raises(KipukaError) as caught:
        decide(network, last)
    check_error(caught.value, what="no LayerTrace", where="argument last", remedy="layers[-1]")


def test_input_from_a_host_is_there_or_not(network, check_error):
    run = simulate(network, INPUTS)
    for take in (
        lambda: profile(network, INPUTS, run, load_profile("loihi2"), host_input=2),
        lambda: dry_run(plan_stream(network, 5), load_profile("loihi2"), host_input="no"),
    ):
        with pytest.raises(KipukaError) as caught:
            take()
        check_error(caught.value, what="neither", where="host_input", limit="True", remedy="pass")


@pytest.fixture
def network(rng):
    return program(4, random_cuba(rng, 4, 3))


@pytest.mark.parametrize("other", ["loihi2", None, {"name": "loihi2"}])
def test_the_name_of_a_chip_is_no_profile_of_it(network, other, check_error):
    with pytest.raises(KipukaError) as caught:
        profile(network, INPUTS, simulate(network, INPUTS), other)
    parts = {"where": "argument hardware", "remedy": "load_profile"}
    check_error(caught.value, what="no HardwareProfile", **parts)


def test_a_trace_is_no_run(network, check_error):
    trace = simulate(network, INPUTS).trace
    with pytest.raises(KipukaError) as caught:
        profile(network, INPUTS, trace, load_profile("loihi2"))
    parts = {"where": "argument simulation", "remedy": "kipuka.deploy.simulate"}
    check_error(caught.value, what="no Simulation", **parts)


def test_contents_of_a_report_are_no_text(tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        write_report(tmp_path / "report.html", "a report")
    parts = {"where": "argument contents", "remedy": "ReportContents"}
    check_error(caught.value, what="no ReportContents", **parts)
    assert not list(tmp_path.iterdir())
