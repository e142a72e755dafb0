"""The training block: its place among SLAYER's blocks, and its gradients."""

import numpy as np
import pytest
import torch

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka.train.delays.axonal import AxonalDelay, finite_difference_taps
from kipuka.train.from_program.network import trace_blocks
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.gru.sequence import run_sequence
from kipuka.train.slayer import SCALE_RHO_MULT, TAU_RHO_MULT, Spike, cuba
from kipuka_gates import hard_sigmoid

NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}


def spikes(batch=3, units=5, steps=40, rate=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, units, steps, generator=generator) < rate).float()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


def block(n_in=5, n=7, **settings):
    made = SpikingGRU(
        NEURON, n_in, n, **{"weight_scale": 4, "delay_init_steps": (0, 9), **settings}
    )
    made.bias.data.normal_(0, 0.3)
    return made


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("delay_rec", [False, True])
@pytest.mark.parametrize("weight_norm", [False, True])
@pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")
def test_forward_pass_is_the_integer_network(delay, delay_rec, weight_norm):
    layers = [
        block(delay=delay, delay_rec=delay_rec, weight_norm=weight_norm),
        block(7, 6, delay_rec=delay_rec),
        cuba.Dense(NEURON | {"current_decay": 0.3, "voltage_decay": 0.1}, 6, 4),
    ]
    layers[-1].synapse.weight.data.abs_()
    inputs = spikes(rate=0.6).numpy() > 0
    program = program_from_blocks(layers)
    traces = {"reference": simulate_reference(program, inputs).trace}
    traces["torch"] = trace_blocks(layers, inputs)
    assert traces["torch"].layers[2].spikes.any()
    assert verify(program, traces).mismatches == ()


def test_drops_into_a_module_list_of_slayer_blocks():
    layers = torch.nn.ModuleList(
        [
            cuba.Dense(NEURON | {"current_decay": 0.2, "voltage_decay": 0.1}, 5, 6),
            block(6, 7, delay=True),
        ]
    )
    x = spikes()
    for layer in layers:
        x = layer(x)
    assert x.shape == (3, 7, 40)
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    assert layers[1].shape == torch.Size([7])
    assert "1.delay.delay" in layers.state_dict()


def test_output_is_one_step_plus_the_delay_later_than_the_emission():
    made = block(delay=True)
    made.delay.delay.data = torch.tensor([0.0, 0.9, 1.0, 2.5, 10.0, 61.99, 80.0])
    x = spikes(steps=80)
    emitted, _ = made.dynamics(x)
    arrived = made(x)
    for neuron, steps in enumerate([0, 0, 1, 2, 10, 61, 62]):
        expected = torch.zeros(3, 80)
        expected[:, 1 + steps :] = emitted[:, neuron, : 80 - 1 - steps]
        assert torch.equal(arrived[:, neuron], expected)
    assert made.delay.delay.max() == fixed.DELAY_MAX


def test_count_log_returns_the_mean_rate():
    out, rate = block(count_log=True)(spikes())
    assert rate == out.mean()


def test_threshold_beyond_the_membrane_is_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        SpikingGRU({"threshold": 40.0}, 2, 2)
    check_error(caught.value, what="cannot be reached", limit="31.98", value="40.0")


@pytest.mark.parametrize("reach", [1, 3])
def test_output_delay_gradient_is_the_slope_of_a_smooth_loss(reach):
    # A loss linear in the spikes with smooth weights over time: its finite differences over whole
    # steps are exact, and for one step of reach the gradient is the central difference itself.
    steps, neurons = 60, 4
    x = spikes(2, neurons, steps, 0.1)
    x[..., :10] = x[..., -20:] = 0
    bump = torch.exp(-((torch.arange(steps) - 30.0) ** 2) / 60)

    def loss(delays):
        module = AxonalDelay(neurons, reach_steps=reach)
        module.delay.data = delays.clone()
        value = (module(x) * bump).sum()
        value.backward()
        return value.item(), module.delay.grad

    delays = torch.tensor([3.0, 5.0, 8.0, 6.0])
    _, gradient = loss(delays)
    for neuron in range(neurons):
        slope = 0.0
        for k in range(1, reach + 1):
            there, back = delays.clone(), delays.clone()
            there[neuron] += k
            back[neuron] -= k
            slope += (loss(there)[0] - loss(back)[0]) / (reach * (reach + 1))
        assert gradient[neuron].item() == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_delay_gradient_points_to_the_target():
    # One spike at 10, wanted at 20: a reach that sees the bump moves the delay towards it.
    bump = torch.exp(-((torch.arange(60) - 20.0) ** 2) / 20)
    x = torch.zeros(1, 1, 60)
    x[0, 0, 10] = 1
    for delay, sign in ((4.0, -1), (16.0, 1)):
        module = AxonalDelay(1, reach_steps=4)
        module.delay.data.fill_(delay)
        (-(module(x) * bump).sum()).backward()
        assert module.delay.grad.sign().item() == sign


def cell(delay, surrogate):
    taps = finite_difference_taps(delay.detach(), reach_steps=1, max_delay=fixed.DELAY_MAX)
    return Cell(taps, 64, surrogate)


def eager_cell(activations, weight, bias, delay, threshold, surrogate):
    """The cell in floats, differentiated by autograd alone: an independent gradient.

    Delayed spikes are a linear function of the delay around its integer value, with the central
    difference as slope; roundings and saturations are left out.
    """
    n_steps, n_batch, rows = activations.shape
    n = rows // 3
    whole = torch.floor(delay.detach()).long()
    i = v = torch.zeros(n_batch, n, dtype=activations.dtype)
    emitted = []

    def arrived(step, neuron, shift):
        source = step - 1 - int(whole[neuron]) - shift
        zero = activations.new_zeros(n_batch)
        return emitted[source][:, neuron] if 0 <= source < len(emitted) else zero

    for step in range(n_steps):
        now = torch.stack([arrived(step, k, 0) for k in range(n)], dim=1)
        a = activations[step] + now @ weight.T + bias
        a_i, a_r, a_z = a.chunk(3, dim=1)
        r, z = hard_sigmoid(a_r), hard_sigmoid(a_z)
        i = i * r + a_i
        reset = threshold * emitted[-1].detach() if emitted else 0.0
        v = i + (v - i) * z - reset
        emitted.append(
            Spike.apply(
                v,
                threshold,
                surrogate.tau_rho * TAU_RHO_MULT,
                surrogate.scale_rho * SCALE_RHO_MULT,
                False,
                0,
                1,
            )
        )
    return torch.stack(emitted)


def test_gradients_equal_those_of_autograd_through_an_eager_cell():
    n, n_steps = 6, 25
    generator = torch.Generator().manual_seed(3)
    # Multiples of 1/32 as the quantization hook leaves them.
    shapes = {"activations": (n_steps, 4, 3 * n), "weight": (3 * n, n), "bias": (3 * n,)}
    values = {
        name: (torch.randn(shape, generator=generator) * scale).round() / 32
        for (name, shape), scale in zip(shapes.items(), (48, 16, 8), strict=True)
    }
    delay = torch.tensor([0.0, 1.0, 2.0, 3.0, 5.0, 9.0])
    surrogate = Surrogate(0.01, 10.0)
    outer = torch.randn(n_steps, 4, n, generator=generator)

    def gradients(run):
        leaves = [x.clone().requires_grad_() for x in (*values.values(), delay)]
        out = run(*leaves)
        (out * outer).sum().backward()
        return out.detach(), [leaf.grad for leaf in leaves]

    found, ours = gradients(lambda a, w, b, d: run_sequence(a, w, b, d, cell(d, surrogate))[0])
    expected, theirs = gradients(lambda a, w, b, d: eager_cell(a, w, b, d, 1.0, surrogate))
    assert found.mean() > 0.05
    assert torch.equal(found, expected)
    for mine, right in zip(ours[:3], theirs[:3], strict=True):
        # The floors of the integer states leave differences of a few 1/4096.
        assert (mine - right).abs().max() < 0.01 * right.abs().max()


def test_recurrent_delay_gradient_equals_the_central_difference_of_what_arrives():
    # The delay gradient is the gradient of what arrives times the slope of what arrives: take the
    # first from the eager cell, where each arriving spike is a leaf, and the second by shifting.
    n, n_steps, delay = 4, 30, torch.tensor([2.0, 3.0, 4.0, 1.0])
    generator = torch.Generator().manual_seed(5)
    activations = (torch.randn(n_steps, 3, 3 * n, generator=generator) * 48).round() / 32
    weight = (torch.randn(3 * n, n, generator=generator) * 16).round() / 32
    bias = torch.zeros(3 * n)
    outer = torch.randn(n_steps, 3, n, generator=generator)
    surrogate = Surrogate(0.01, 10.0)
    learned = delay.clone().requires_grad_()
    out, _ = run_sequence(activations, weight, bias, learned, cell(delay, surrogate))
    (out * outer).sum().backward()

    leaf = activations.clone().requires_grad_()
    emitted = eager_cell(leaf, weight, bias, delay, 1.0, surrogate)
    (emitted * outer).sum().backward()
    grad_arrived = leaf.grad @ weight
    expected = torch.zeros(n)
    for neuron in range(n):
        for step in range(n_steps):
            for shift, sign in ((1, 0.5), (-1, -0.5)):
                source = step - 1 - int(delay[neuron]) - shift
                if 0 <= source < n_steps:
                    arrived = emitted[source, :, neuron].detach()
                    expected[neuron] += sign * (grad_arrived[step, :, neuron] * arrived).sum()
    assert learned.grad.abs().max() > 0
    assert torch.allclose(learned.grad, expected, rtol=0.02, atol=0.02 * expected.abs().max())


def test_gates_closed_by_their_biases_forget_everything():
    made = block(n=3)
    made.bias.data = torch.tensor([0.0] * 3 + [-2.0] * 6)
    made.input_synapse.weight.data[3:] = 0
    made.recurrent_synapse.weight.data.zero_()
    x = torch.zeros(1, 5, 6)
    x[0, :, 1] = 1
    _, states = made.dynamics(x)
    assert states.i[2:].abs().sum() == 0
    assert np.array_equal(states.i[1].numpy(), states.v[1].numpy())
