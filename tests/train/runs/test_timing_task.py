"""A task that only timing solves: both classes have the same spikes in every channel."""

import pytest
import torch

from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.slayer import cuba

pytestmark = pytest.mark.slow

STEPS, LAG = 60, 6
NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}
FORGETFUL = {"current_decay": 1.0, "voltage_decay": 1.0}


def samples(count, generator):
    """Channel 1 spikes 6 steps after channel 0 (class 0) or before it (class 1), twice."""
    labels = torch.randint(0, 2, (count,), generator=generator)
    start = torch.randint(2, 20, (count,), generator=generator)
    x = torch.zeros(count, 2, STEPS)
    rows = torch.arange(count)
    for repeat in (0, 18):
        x[rows, labels, start + repeat] = 1
        x[rows, 1 - labels, start + repeat + LAG] = 1
    return x, labels


def network(delays):
    """Relays of the channels and one coincidence detector per class, all without memory.

    With closed gates a relay forgets each step, and so does the detector: nothing but a delay can
    bring spikes of two times together. The weights stay as they are; only delays learn.
    """
    relays = SpikingGRU(NEURON, 2, 4, delay=delays, delay_init_steps=(0, 1), delay_reach_steps=LAG)
    relays.bias.data[4:] = -2.0
    relays.recurrent_synapse.weight.data.zero_()
    relays.input_synapse.weight.data.zero_()
    relays.input_synapse.weight.data[:4, :, 0, 0, 0] = 2 * torch.eye(2).repeat(2, 1)
    detectors = cuba.Dense(NEURON | FORGETFUL, 4, 2, delay_shift=False)
    detectors.synapse.weight.data[:, :, 0, 0, 0] = torch.eye(2).repeat_interleave(2, 1) * 0.625
    return torch.nn.ModuleList([relays, detectors])


def spike_counts(blocks, x):
    for block in blocks:
        x = block(x)
    return x.sum(-1)


def accuracy(blocks, generator):
    x, labels = samples(1000, generator)
    with torch.no_grad():
        return (spike_counts(blocks, x).argmax(1) == labels).float().mean().item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learned_output_delays_solve_what_is_chance_without_them(seed):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    without = network(delays=False)
    # Not merely badly tuned: each sample gives the same counts, whatever its class.
    counts = spike_counts(without, samples(1000, generator)[0])
    assert (counts == counts[0]).all()
    blocks = network(delays=True)
    assert accuracy(without, generator) == pytest.approx(0.5, abs=0.05)
    assert accuracy(blocks, generator) == pytest.approx(0.5, abs=0.05)
    optimizer = torch.optim.Adam([blocks[0].delay.delay], lr=0.2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.02, total_iters=120)
    for _ in range(120):
        x, labels = samples(64, generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(spike_counts(blocks, x), labels).backward()
        optimizer.step()
        schedule.step()
    assert accuracy(blocks, generator) > 0.95
    # What was learned is the lag: the first channel waits for the second, and the other way round.
    first, second, other_first, other_second = blocks[0].delay.steps.tolist()
    assert first - second == other_second - other_first == LAG
