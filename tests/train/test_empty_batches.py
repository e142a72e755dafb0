"""A batch without samples goes through every block, forward and backward, as in torch's own GRU."""

from contextlib import nullcontext

import pytest
import torch

from kipuka.errors import KipukaError
from kipuka.train.cuba.compiled_blocks import compiled_blocks
from kipuka.train.delays.axonal import AxonalDelay
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.networks import build_network
from kipuka.train.sigma_delta import blocks as changes
from kipuka.train.slayer import cuba

pytestmark = pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")

GATED = {"threshold": 1.0}
LEAKY = {"threshold": 1.0, "current_decay": 0.2, "voltage_decay": 0.05}
CHANGING = {"threshold": 0.125, "activation": torch.nn.functional.relu}
DELAYS = {"delay": True, "delay_rec": True}
ROW, IMAGE, STEPS = (8,), (2, 4, 4), 6


def dense(**settings):
    return SpikingGRU(GATED, 8, 5, weight_scale=4, **settings)


def convolutional(**settings):
    return ConvSpikingGRU(GATED, 2, 4, 3, padding=1, weight_scale=4, **settings)


def annealed():
    block = dense(**DELAYS)
    for delay in (block.delay, block.delay_rec):
        delay.rule, delay.width_steps = "annealed", 2.5
    return block


def delayed(block, neurons):
    block.delay = AxonalDelay(neurons, (0.0, 3.0))
    return block


def network(name):
    return torch.nn.Sequential(*build_network(name, 8, 3, 16))


OURS = {
    **{
        f"{make.__name__} {' '.join(map(str, settings.values()))}": (
            lambda make=make, settings=settings: make(**settings),
            shape,
        )
        for make, shape in ((dense, ROW), (convolutional, IMAGE))
        for settings in (
            {},
            DELAYS,
            {"gates": "shared", **DELAYS},
            {"gates": "update", **DELAYS},
            {"update_gate_input": "current", **DELAYS},
        )
    },
    "groups": (lambda: convolutional(groups=2), IMAGE),
    "annealed delays": (annealed, ROW),
    "double precision": (lambda: dense(**DELAYS).double(), ROW),
    "weight norm and dropout": (
        lambda: SpikingGRU({**GATED, "dropout": torch.nn.Dropout(0.3)}, 8, 5, weight_norm=True),
        ROW,
    ),
    "delay": (lambda: AxonalDelay(8, (0.0, 3.0)), ROW),
    "input of changes": (lambda: changes.Input(CHANGING), ROW),
    "dense changes": (lambda: changes.Dense(CHANGING, 8, 5), ROW),
    "dense changes of lava-dl's delays": (lambda: changes.Dense(CHANGING, 8, 5, delay=True), ROW),
    "delayed changes": (lambda: delayed(changes.Dense(CHANGING, 8, 5), 5), ROW),
    "convolved changes": (lambda: changes.Conv(CHANGING, 2, 4, 3, delay=True), IMAGE),
    "pooled changes": (lambda: changes.Pool(CHANGING, 2, delay=True), IMAGE),
    "recurrent changes": (lambda: changes.Recurrent(CHANGING, 8, 5), ROW),
    "decoder": (lambda: changes.Output(CHANGING, 8, 5), ROW),
    "flatten": (lambda: changes.Flatten(), IMAGE),
}

COMPILED = {
    "dense CUBA": (lambda: cuba.Dense(dict(LEAKY), 8, 5), ROW),
    "dense CUBA, delays": (lambda: delayed(cuba.Dense(dict(LEAKY), 8, 5), 5), ROW),
    "recurrent CUBA": (lambda: cuba.Recurrent(dict(LEAKY), 8, 5), ROW),
    "convolutional CUBA": (lambda: cuba.Conv(dict(LEAKY), 2, 4, 3, padding=1), IMAGE),
    **{
        name: (lambda name=name: network(name), ROW)
        for name in ("sgru-delay-2l", "smgu-delay", "cuba-recurrent-delay", "sdnn-delay")
    },
}
"""Blocks of lava-dl's as training runs them; outside of that its dense synapses fail."""


def check(block, shape, context):
    """Output and gradients of no sample are those of two, without the samples."""
    kind = next((p.dtype for p in block.parameters()), torch.float32)
    with context():
        none = torch.zeros(0, *shape, STEPS, dtype=kind, requires_grad=True)
        out = block(none)
        some = block((torch.rand(2, *shape, STEPS) < 0.4).to(kind))
        again = block(none)
        (out.sum() + again.sum()).backward()
    assert out.shape == again.shape == (0, *some.shape[1:])
    assert out.dtype == some.dtype
    assert none.grad.shape == none.shape
    for name, parameter in block.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.equal(parameter.grad, torch.zeros_like(parameter)), name


@pytest.mark.parametrize("name", OURS)
def test_our_blocks(name):
    torch.manual_seed(0)
    make, shape = OURS[name]
    check(make(), shape, nullcontext)


@pytest.mark.parametrize("name", OURS | COMPILED)
def test_blocks_as_training_runs_them(name):
    torch.manual_seed(0)
    make, shape = (OURS | COMPILED)[name]
    check(make(), shape, compiled_blocks)


WITH_NEURONS = [name for name in OURS if name not in ("delay", "flatten")]
"""A delay and a flattening of nothing are nothing."""


@pytest.mark.parametrize("context", [nullcontext, compiled_blocks])
@pytest.mark.parametrize("name", WITH_NEURONS)
def test_no_steps_are_refused(name, context, check_error):
    make, shape = OURS[name]
    block = make()
    for n_samples in (0, 2):
        with context(), pytest.raises(KipukaError) as caught:
            block(torch.zeros(n_samples, *shape, 0))
        parts = {"where": type(block).__name__, "limit": "at least 1", "value": f"({n_samples}, "}
        check_error(caught.value, what="no steps", remedy="time last", **parts)


def test_what_no_sample_leaves_behind():
    block = dense(**DELAYS)
    spikes, states = block.dynamics(torch.zeros(0, *ROW, STEPS))
    assert spikes.shape == (0, 5, STEPS)
    assert states.i.shape == states.v.shape == states.saturated.shape == (STEPS, 0, 5)
    assert block.overshoot.shape == (0,)
