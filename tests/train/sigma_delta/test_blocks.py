"""Sigma-delta blocks: the integers' messages, slopes through all rounding, SLAYER's beside them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.convert import fixed, load_net, program_from_blocks, save_net  # noqa: E402
from kipuka.deploy import simulate, simulate_reference  # noqa: E402
from kipuka.deploy.verification import verify  # noqa: E402
from kipuka.errors import KipukaError  # noqa: E402
from kipuka.train import slayer  # noqa: E402
from kipuka.train.sigma_delta import blocks  # noqa: E402

NEURON = {"threshold": 3 / 64, "activation": torch.nn.functional.relu}


def network(kind, threshold=3 / 64, delay=False):
    torch.manual_seed(0)
    neuron = {**NEURON, "threshold": threshold}
    late = {"delay": True} if delay else {}
    parts = [
        kind.Input(neuron),
        kind.Conv(neuron, 2, 4, 3, stride=2, weight_scale=2, **late),
        kind.Flatten(),
        kind.Dense(neuron, 4 * 3 * 2, 12, weight_scale=2, **late),
        kind.Output(neuron, 12, 3, weight_scale=2),
    ]
    if delay:
        for part, n, steps in ((parts[1], 4, 3.7), (parts[3], 12, 1.2)):
            part.delay.init = True
            part.delay.delay.data = torch.full((n,), steps)
    for part in (parts[1], parts[3]):
        shape = (4, 1, 1) if part is parts[1] else (12,)
        part.neuron.bias.data = torch.linspace(-0.2, 0.3, int(np.prod(shape))).reshape(shape)
        part.neuron.bias_is_set = True
    return torch.nn.Sequential(*parts)


def values(n_samples=3, n_steps=25):
    rng = np.random.default_rng(1)
    moves = rng.integers(-20, 21, (n_samples, 2, 7, 5, n_steps)) * (rng.random(n_steps) < 0.5)
    # Even, as the hook for 8 bits leaves them.
    return 2 * np.clip(np.cumsum(moves, axis=-1) // 2, -32, 32).astype(np.int32)


def sent(net, nominal):
    """What each block with neurons sends, as payloads; of the last one its values in states."""
    found, x = [], nominal
    with torch.no_grad():
        for part in net:
            x = part(x)
            if not isinstance(part, slayer.sigma_delta.Flatten):
                found.append(x)
    scales = [fixed.STATE_SCALE] * (len(found) - 1) + [fixed.STATE_SCALE << fixed.STATE_SHIFT]
    flat = [y.double().flatten(1, -2).numpy() * s for y, s in zip(found, scales, strict=True)]
    assert all(np.array_equal(y, np.rint(y)) for y in flat)
    return [y.astype(np.int64) for y in flat]


def assert_same_messages(net, inputs):
    program = program_from_blocks(net, input_shape=(2, 7, 5))
    layers = simulate_reference(program, inputs.reshape(len(inputs), 70, -1)).trace.layers
    found = sent(net, torch.from_numpy(inputs / 64).float())
    for position, (ours, layer) in enumerate(zip(found, layers, strict=True)):
        expected = layer.spikes.astype(np.int64)
        if position + 1 < len(layers):
            # A block gives its messages as they arrive.
            delays = program.layers[position + 1].projections[0].delays
            shifted = np.zeros_like(expected)
            for neuron, steps in enumerate((delays + 1).tolist()):
                shifted[:, neuron, steps:] = expected[:, neuron, : expected.shape[2] - steps]
            expected = shifted
        assert np.array_equal(ours, expected), position
    return program


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("threshold", [0, 3 / 64, 0.06])
def test_the_blocks_send_what_the_integers_send(threshold, delay):
    program = assert_same_messages(network(blocks, threshold, delay), values())
    assert [layer.model for layer in program.layers] == [
        "DELTA", "SIGMA_DELTA", "SIGMA_DELTA", "SIGMA",
    ]  # fmt: skip
    assert program.layers[1].neuron.threshold[0] == int(threshold * 64)
    assert program.readout.kind == "value"


@pytest.mark.slow
def test_a_trained_network_is_the_same_everywhere(tmp_path):
    net = network(blocks)
    inputs = values()
    nominal = torch.from_numpy(inputs / 64).float()
    goal = nominal.mean(dim=(1, 2, 3))[:, None, :].repeat(1, 3, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(nominal)[..., 5:], goal[..., 2:-3])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 3
    program = assert_same_messages(net, inputs)
    save_net(tmp_path / "trained.net", program)
    flat = inputs.reshape(len(inputs), 70, -1)
    traces = {
        "reference": simulate_reference(program, flat).trace,
        "fast": simulate(load_net(tmp_path / "trained.net"), flat).trace,
    }
    assert verify(program, traces).agree


def test_thresholds_learn_and_stay_where_they_can():
    net = network(blocks)
    for part in (net[1], net[3]):
        part.neuron.delta.requires_grad = True
        part.neuron.delta.threshold.requires_grad_(True)
    (net(torch.from_numpy(values() / 64).float()) ** 2).sum().backward()
    learned = net[1].neuron.delta.threshold
    assert learned.grad is not None
    assert learned.grad.abs().item() > 0
    learned.data -= 1
    net[1].neuron.delta.clamp()
    assert learned.item() == 1 / 64


def test_stock_blocks_are_exported_as_deployed_and_not_called_equal():
    net = network(slayer.sigma_delta)
    program = program_from_blocks(net, input_shape=(2, 7, 5))
    ours = program_from_blocks(network(blocks), input_shape=(2, 7, 5))
    assert program.layers == ours.layers
    inputs = values()
    layers = simulate_reference(program, inputs.reshape(3, 70, -1)).trace.layers
    found = sent(net, torch.from_numpy(inputs / 64).float())
    # The encoder agrees; behind it a step per layer, which SLAYER's blocks do not take, lets the
    # biases come first.
    assert np.array_equal(found[0], layers[0].spikes)
    assert not np.array_equal(found[1][..., :-1], layers[1].spikes[..., 1:])


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({"cum_error": True}, "cum_error"),
        ({"activation": torch.tanh}, "tanh"),
        ({"scale": 32}, "32"),
    ],
)
def test_other_neurons_are_refused_by_name(change, value, check_error):
    net = torch.nn.Sequential(slayer.sigma_delta.Dense({**NEURON, **change}, 4, 3))
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(net, input_shape=(4,))
    check_error(caught.value, what="no exact counterpart", where="block 0", value=value)
