"""The convolutional block and the update gate that sees the current: forward and backward."""

import numpy as np
import pytest
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.neurons.spiking_gru import current_activation, current_message
from kipuka.convert.program import RECURRENT
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka.train.delays.axonal import finite_difference_taps
from kipuka.train.from_program.network import blocks_from_program, trace_blocks
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.gru.mixing import MatrixProduct, SameConvolution
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.slayer import SCALE_RHO_MULT, TAU_RHO_MULT, Spike, cuba
from kipuka_gates import hard_sigmoid

NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}
SHAPE = (2, 6, 5)
pytestmark = pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(2)


def spikes(batch=2, steps=40, rate=0.3, shape=SHAPE):
    return (torch.rand(batch, *shape, steps) < rate).float()


def block(n_in=2, n=4, kernel=3, **settings):
    defaults = {"weight_scale": 4, "delay_init_steps": (0, 9), "padding": 1}
    made = ConvSpikingGRU(NEURON, n_in, n, kernel, **{**defaults, **settings})
    made.bias.data.normal_(0, 0.3)
    return made


SETTINGS = {
    "plain": {},
    "delays": {"delay": True, "delay_rec": True},
    "stride, dilation, even kernel": {
        "kernel": (2, 3),
        "stride": (2, 1),
        "padding": (0, 2),
        "dilation": (1, 2),
        "delay_rec": True,
    },
    "groups": {"groups": 2, "delay_rec": True},
    "recurrence of another reach": {"kernel_size_rec": (1, 5), "dilation_rec": (1, 2)},
    "weight norm": {"weight_norm": True, "delay_rec": True},
    "current": {"update_gate_input": "current", "delay_rec": True},
    "current in groups": {"update_gate_input": "current", "groups": 2, "weight_norm": True},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_forward_pass_is_the_integer_network(name):
    first = block(**SETTINGS[name])
    x = spikes()
    first(x)
    second = ConvSpikingGRU(NEURON, 4, 3, 3, weight_scale=4, padding=1, delay=True)
    readout = cuba.Dense(dict(NEURON, current_decay=0.3, voltage_decay=0.1), 3 * _pixels(first), 4)
    readout.synapse.weight.data.abs_()
    blocks = [first, second, cuba.Flatten(), readout]
    inputs = x.flatten(1, 3).numpy() > 0
    program = program_from_blocks(blocks, input_shape=SHAPE)
    traces = {
        "reference": simulate_reference(program, inputs).trace,
        "blocks": trace_blocks([cuba.Input(delay_shift=False), *blocks], _shaped(x)),
        "again": trace_blocks(blocks_from_program(program), inputs),
    }
    assert all(layer.spikes.any() for layer in traces["reference"].layers)
    assert verify(program, traces).mismatches == ()


def _pixels(made):
    return int(np.prod(made.shape[1:]))


def _shaped(x):
    return x.numpy() > 0


def test_the_program_has_one_delay_per_channel_and_the_blocks_geometry():
    made = block(delay=True, delay_rec=True, update_gate_input="current")
    made.delay.delay.data = torch.tensor([0.0, 1.9, 61.5, 70.0])
    made.delay_rec.delay.data = torch.tensor([3.0, 0.5, 2.0, 8.0])
    program = program_from_blocks([made], input_shape=SHAPE)
    (layer,) = program.layers
    assert layer.shape == (4, 6, 5)
    assert [p.target for p in layer.from_source(1)] == ["i", "r"]
    for projection in layer.from_source(RECURRENT):
        assert projection.delays.reshape(4, -1).tolist() == [[d] * 30 for d in (3, 0, 2, 8)]
    assert program.readout.delays.reshape(4, -1)[:, 7].tolist() == [0, 1, 61, 62]
    assert layer.of_current.synapses.padding == (1, 1)
    assert not layer.of_current.delays.any()


def test_output_is_one_step_plus_the_channels_delay_later_than_the_emission():
    made = block(delay=True)
    made.delay.delay.data = torch.tensor([0.0, 1.0, 2.5, 30.0])
    x = spikes()
    emitted, _ = made.dynamics(x)
    arrived = made(x)
    assert arrived.shape == (2, 4, 6, 5, 40)
    for channel, steps in enumerate([0, 1, 2, 30]):
        expected = torch.zeros(2, 6, 5, 40)
        expected[..., 1 + steps :] = emitted[:, channel, ..., : 40 - 1 - steps]
        assert torch.equal(arrived[:, channel], expected)


def test_the_current_of_the_step_before_moves_the_update_gate():
    # i: 40 weight units of input, kept by an open reset gate. a_z = ((64 * 40) >> 6) = 40 a step
    # later, so that z is 2048 + 16 * 40 instead of 2048.
    made = SpikingGRU(NEURON, 1, 1, update_gate_input="current")
    made.bias.data = torch.tensor([0.0, 2.0, 0.0])
    made.input_synapse.weight.data.reshape(2)[:] = torch.tensor([40 / 64, 0.0])
    made.recurrent_synapse.weight.data.zero_()
    made.current_synapse.weight.data.fill_(1.0)
    x = torch.zeros(1, 1, 3)
    x[..., 0] = 1
    _, states = made.dynamics(x)
    i, v = states.i[:, 0, 0].tolist(), states.v[:, 0, 0].tolist()
    assert i == [2560, 2560, 2560]
    first = 2560 + ((0 - 2560) * 2048 >> 12)
    second = 2560 + ((first - 2560) * 2688 >> 12)
    assert v[:2] == [first, second]


def test_negative_currents_are_rounded_down_twice():
    assert current_message(np.array([-1, -64, 63])).tolist() == [-1, -1, 0]
    assert current_activation(np.array([-1, -64, 127])).tolist() == [-1, -1, 1]
    assert current_message(np.array([fixed.GRU_STATE_LIMIT, -fixed.GRU_STATE_LIMIT])).tolist() == [
        (1 << (fixed.MESSAGE_BITS - 1)) - 1,
        -(1 << (fixed.MESSAGE_BITS - 1)),
    ]


def test_sums_of_large_currents_are_exact():
    # 300 messages of about 2000 times 254: beyond what float32 holds.
    n = 300
    made = SpikingGRU({"threshold": 31.9}, 1, n, update_gate_input="current")
    made.bias.data = torch.cat([torch.rand(n) * 3 - 0.5, torch.full((n,), 3.0), torch.zeros(n)])
    made.current_synapse.weight.data = (torch.rand_like(made.current_synapse.weight) * 8) - 4
    inputs = np.ones((1, 1, 30), dtype=bool)
    program = program_from_blocks([made])
    reference = simulate_reference(program, inputs)
    assert reference.counters.layers[0].peaks["i"] == fixed.GRU_STATE_LIMIT
    traces = {"reference": reference.trace, "torch": trace_blocks([made], inputs)}
    assert verify(program, traces).mismatches == ()


def eager_cell(activations, weight, bias, current, apply, delay, surrogate):
    """The cell in floats, differentiated by autograd alone; whole steps of delay."""
    n = activations.shape[2] // 3
    i = v = torch.zeros_like(activations[0, :, :n])
    emitted = []
    for step in range(len(activations)):
        sources = [step - 1 - int(d) for d in delay]
        now = torch.stack(
            [
                emitted[s][:, k] if s >= 0 else torch.zeros_like(i[:, k])
                for k, s in enumerate(sources)
            ],
            dim=1,
        )
        a_i, a_r, a_z = (activations[step] + apply(now, weight) + bias).chunk(3, dim=1)
        if current is not None:
            # Both roundings of the message, straight through; else they would move spikes.
            message = i + ((i * 64).floor() / 64 - i).detach()
            weighted = apply(message, current)
            a_z = a_z + weighted + ((weighted * 64).floor() / 64 - weighted).detach()
        r, z = hard_sigmoid(a_r), hard_sigmoid(a_z)
        i = i * r + a_i
        reset = emitted[-1].detach() if emitted else 0.0
        v = i + (v - i) * z - reset
        rho = (surrogate.tau_rho * TAU_RHO_MULT, surrogate.scale_rho * SCALE_RHO_MULT)
        emitted.append(Spike.apply(v, 1.0, *rho, False, 0, 1))
    return torch.stack(emitted)


@pytest.mark.parametrize("convolutional", [False, True])
@pytest.mark.parametrize("current", [False, True])
def test_gradients_equal_those_of_autograd_through_an_eager_cell(convolutional, current):
    n, n_steps = 4, 16
    mixing = SameConvolution((1, 1), (1, 1)) if convolutional else MatrixProduct()
    extent, kernel = ((4, 3), (3, 3)) if convolutional else ((), ())
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape, scale):
        return (torch.randn(shape, generator=generator) * scale).round() / 32

    values = [
        drawn(n_steps, 3, 3 * n, *extent, scale=48),
        drawn(3 * n, n, *kernel, scale=8),
        drawn(3 * n, scale=8),
    ]
    values += [drawn(n, n, *kernel, scale=6)] if current else []
    delay = torch.tensor([0.0, 1.0, 2.0, 5.0])
    surrogate = Surrogate(0.01, 10.0)
    outer = torch.randn(n_steps, 3, n, *extent, generator=generator)

    def gradients(run):
        leaves = [x.clone().requires_grad_() for x in values]
        out = run(*leaves[:3], leaves[3] if current else None)
        (out * outer).sum().backward()
        return out.detach(), [leaf.grad for leaf in leaves]

    cell = Cell(finite_difference_taps(delay, 1, fixed.DELAY_MAX), 64, surrogate, mixing)
    found, ours = gradients(lambda a, w, b, c: run_sequence(a, w, b, delay, cell, c)[0])
    spread = (-1, *[1] * len(extent))
    expected, theirs = gradients(
        lambda a, w, b, c: eager_cell(a, w, b.reshape(spread), c, mixing.apply, delay, surrogate)
    )
    assert found.mean() > 0.05
    assert torch.equal(found, expected)
    for mine, right in zip(ours, theirs, strict=True):
        assert (mine - right).abs().max() < 0.05 * right.abs().max()


def test_a_kernel_of_one_pixel_is_a_dense_layer_per_pixel():
    # Spikes, states and every gradient, that of the delays included.
    n, n_steps, batch, height, width = 5, 30, 2, 3, 2
    generator = torch.Generator().manual_seed(4)

    def drawn(*shape, scale):
        return (torch.randn(shape, generator=generator) * scale).round() / 32

    a = drawn(n_steps, batch, 3 * n, height, width, scale=48)
    weight, bias, current = drawn(3 * n, n, scale=12), drawn(3 * n, scale=8), drawn(n, n, scale=6)
    delay = torch.tensor([0.0, 1.5, 3.0, 7.2, 20.0])
    outer = torch.randn(n_steps, batch, n, height, width, generator=generator)

    def pixels_as_samples(x):
        return x.permute(0, 1, 3, 4, 2).flatten(1, 3)

    def run(mixing, activations, kernel, wanted):
        leaves = [activations, weight, bias, delay, current]
        a, w, b, d, c = (x.clone().requires_grad_() for x in leaves)
        taps = finite_difference_taps(d.detach(), 2, fixed.DELAY_MAX)
        cell = Cell(taps, 64, Surrogate(0.01, 10.0), mixing)
        weights = w.reshape(*w.shape, *kernel), c.reshape(*c.shape, *kernel)
        spikes, states = run_sequence(a, weights[0], b, d, cell, weights[1])
        (spikes * wanted).sum().backward()
        return spikes, states, [x.grad for x in (a, w, b, d, c)]

    convolved = run(SameConvolution((0, 0), (1, 1)), a, (1, 1), outer)
    dense = run(MatrixProduct(), pixels_as_samples(a), (), pixels_as_samples(outer))
    assert dense[0].mean() > 0.05
    assert torch.equal(pixels_as_samples(convolved[0]), dense[0])
    for found, expected in zip(convolved[1][:3], dense[1][:3], strict=True):
        assert torch.equal(pixels_as_samples(found), expected)
    gradients = [pixels_as_samples(convolved[2][0]), *convolved[2][1:]]
    for found, expected in zip(gradients, dense[2], strict=True):
        assert expected.abs().max() > 0
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max())


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"kernel_size_rec": 2}, {"what": "keep height and width", "value": "kernel (2, 2)"}),
        ({"groups": 3}, {"what": "groups do not divide", "value": "3"}),
        (
            {"update_gate_input": "both"},
            {"what": "no such input", "limit": "spikes or current", "value": "both"},
        ),
    ],
)
def test_impossible_settings_are_refused(settings, parts, check_error):
    with pytest.raises(KipukaError) as caught:
        block(**settings)
    check_error(caught.value, where="ConvSpikingGRU, key", **parts)


def test_a_kernel_larger_than_the_input_is_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        program_from_blocks([block(kernel=9, padding=0)], input_shape=SHAPE)
    check_error(caught.value, where="block 0 (ConvSpikingGRU)", value="kernel (9, 9)")
