"""Every named network: its Program equals it, all of it learns, and no call remembers another."""

import pytest
import torch

from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.operands import presented
from kipuka.convert.program import RECURRENT
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka.train.delays.axonal import AxonalDelay
from kipuka.train.from_program.network import trace_blocks
from kipuka.train.networks import NETWORKS, build_network
from kipuka.train.runs.run import named_delays

UNITS, CLASSES, STEPS = 28, 4, 30
GRADED_UNIT = 1 << 18


def built(name, **settings):
    torch.manual_seed(5)
    network = build_network(name, UNITS, CLASSES, 32, **settings)
    for block in network:
        for synapse in ("synapse", "input_synapse"):
            if hasattr(block, synapse):
                # Untrained layers would hardly spike on so few inputs.
                getattr(block, synapse).weight.data.mul_(2).add_(0.02)
    return network


def inputs(batch=2, rate=0.4):
    return (torch.rand(batch, UNITS, STEPS) < rate).float()


def forward(network, x):
    for block in network:
        x = block(x)
    return x


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *((name, "csgru") for name in NETWORKS),
        # Only convolutions are laid out.
        *(
            pytest.param(name, "frequency", marks=[] if "csgru" in name else pytest.mark.slow)
            for name in NETWORKS
        ),
    ],
)
def test_the_program_is_the_network(name, layout):
    network = built(name, layout=layout)
    x = inputs()
    program = program_from_blocks(network)
    given = presented(program, x.numpy() > 0)
    expected = simulate_reference(program, given).trace
    assert all(layer.spikes.any() for layer in expected.layers)
    traces = {"reference": expected, "torch": trace_blocks(network, given)}
    assert verify(program, traces).mismatches == ()
    # What is counted is spikes, or values of which 2 ** 18 are one nominal unit.
    unit = GRADED_UNIT if program.readout.kind == "value" else 1
    counts = forward(network, x).sum(-1, dtype=torch.float64) * unit
    assert torch.equal(counts.long(), torch.tensor(expected.layers[-1].spikes.sum(-1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_all_of_it_learns(name):
    network = built(name)
    forward(network, inputs()).sum(-1).square().sum().backward()
    for key, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", NETWORKS)
def test_no_call_remembers_another(name):
    network = built(name).eval()
    x = inputs()
    first = forward(network, x)
    forward(network, inputs(3))
    assert torch.equal(forward(network, x), first)


DELAYED = {
    "sgru": (False, False),
    "sgru-delay": (True, True),
    "sgru-delay-2l": (True, True),
    "smgu-delay": (True, True),
    "slgru-delay": (True, True),
    "csgru": (False, False),
    "csgru-delay": (True, True),
    "csgru-delay-2l": (True, True),
    "decoupled": (False, True),
    "cuba-ff-delay": (False, True),
    "cuba-recurrent": (False, False),
    "cuba-recurrent-delay": (False, True),
    "sdnn": (False, False),
    "sdnn-delay": (False, True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_delays_are_where_the_name_says(name):
    layers = program_from_blocks(built(name)).layers
    recurrent = any(layer.delays_from(RECURRENT).any() for layer in layers)
    assert (recurrent, any(layer.delays_from(1).any() for layer in layers)) == DELAYED[name]
    two = name.endswith("2l")
    assert sum(layer.model == "SPIKING_GRU" for layer in layers) == (
        2 if two else int("sgru" in name or name in ("decoupled", "slgru-delay"))
    )
    assert any(layer.model == "SPIKING_MGU" for layer in layers) == (name == "smgu-delay")


def test_a_long_axis_is_walked_in_strides():
    program = program_from_blocks(build_network("csgru", 700, 20, 16, layout="frequency"))
    assert program.input_shape == (1, 700, 1)
    assert program.layers[0].shape == (4, 100, 1)
    program = program_from_blocks(build_network("csgru", 700, 20, 16))
    assert program.layers[0].shape == (4, 10, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csgru-delay", "sgru-delay-2l", "decoupled"])
def test_the_update_gates_may_see_the_current(name):
    network = built(name, update_gate_input="current")
    x = inputs()
    program = program_from_blocks(network)
    grus = [layer for layer in program.layers if layer.model == "SPIKING_GRU"]
    assert grus
    assert all(layer.of_current for layer in grus)
    traces = {
        "reference": simulate_reference(program, x.numpy() > 0).trace,
        "torch": trace_blocks(network, x.numpy() > 0),
    }
    assert verify(program, traces).mismatches == ()


@pytest.mark.parametrize("name", [name for name in NETWORKS if any(DELAYED[name])])
def test_delays_are_named_by_the_layers_of_the_program(name):
    network = built(name)
    found = named_delays(network)
    assert len(found) == sum(isinstance(m, AxonalDelay) for m in network.modules())
    # An audio layout is no layer, a flatten block is one.
    numbers = {int(name.split()[1].rstrip(",")) for name, _ in found}
    assert numbers <= set(program_from_blocks(network).numbers)


def test_unknown_settings_are_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        build_network("csgru", 28, 4, 8, layout="spiral")
    check_error(caught.value, what="cannot be laid out", value="spiral")
    with pytest.raises(KipukaError) as caught:
        build_network("cuba-recurrent", 28, 4, 8, update_gate_input="both")
    check_error(caught.value, what="no such input", where="network cuba-recurrent", value="both")
    with pytest.raises(KipukaError) as caught:
        build_network("smgu-delay", 28, 4, 8, update_gate_input="current")
    check_error(caught.value, what="a reset gate beside it", where="key gates", value="shared")
