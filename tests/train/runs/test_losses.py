import sys

import pytest
import torch

from kipuka.errors import KipukaError
from kipuka.train.networks import build_network
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.losses import (
    batch_loss,
    count_correct,
    right_decisions,
    summed_cross_entropy,
)
from kipuka.train.runs.metrics import tensorboard_writer, write_tensorboard
from kipuka.train.runs.run import named_delays
from kipuka.train.runs.trainer import train


@pytest.fixture
def network():
    torch.manual_seed(3)
    made = build_network("sgru-delay", 8, 4, 12)
    made[0].input_synapse.weight.data *= 4
    return made


def batch(count=10):
    generator = torch.Generator().manual_seed(2)
    x = (torch.rand(count, 8, 40, generator=generator) < 0.3).float()
    return x, torch.randint(0, 4, (count,), generator=generator)


def test_sums_over_parts_are_the_sum_over_the_batch(network):
    x, labels = batch()
    config = TrainConfig(penalties={"rate": 1.0, "rate_high": 0.02, "overshoot": 1.0})
    whole = batch_loss(network, x, labels, config)
    parts = [batch_loss(network, x[s], labels[s], config) for s in (slice(0, 3), slice(3, 10))]
    for value, (a, b) in zip(whole, zip(*parts, strict=True), strict=True):
        assert value.item() == pytest.approx((a + b).item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "weights"), [("rate", 4.0), ("overshoot", 30.0)])
def test_penalties_lower_what_they_are_on(network, setting, weights):
    x, labels = batch()
    network[0].input_synapse.weight.data *= weights / 4
    config = TrainConfig(penalties={setting: 100.0, "rate_high": 0.01})
    values = []
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(30):
        losses = batch_loss(network, x, labels, config)
        values.append(losses.spike_rate if setting == "rate" else losses.overshoot)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert values[-1] < 0.7 * values[0]


def test_accuracy_is_that_of_integer_delays(network):
    x, labels = batch(50)
    right = count_correct(network, x > 0, labels)
    for _, delay in named_delays(network):
        delay.rule, delay.width_steps = "annealed", 12.0
    assert count_correct(network, x > 0, labels, batch_size=7) == right
    assert network.training


def test_counts_decide_as_the_readout_does_and_score_as_training_does():
    counts = torch.tensor([[0.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    labels = torch.tensor([1, 2])
    # Of equals the first wins.
    assert right_decisions(counts, labels) == 1
    entropy = torch.nn.functional.cross_entropy(counts * 0.5, labels, reduction="sum")
    assert summed_cross_entropy(counts, labels, 0.5) == pytest.approx(entropy.item())


def test_tensorboard_is_asked_for_only_where_it_is(tmp_path, monkeypatch, check_error):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(KipukaError) as caught:
        tensorboard_writer(tmp_path)
    check_error(caught.value, what="not installed", remedy="pip install tensorboard")


def test_tensorboard_gets_every_number(tmp_path):
    written = []

    class Writer:
        def add_scalar(self, name, value, epoch):
            written.append((name, epoch))

        def flush(self):
            pass

    config = TrainConfig(hidden=4, epochs=1, batch_size=700)
    (metrics,) = train(config, tmp_path / "r").metrics
    write_tensorboard(Writer(), metrics)
    assert {("loss", 1), ("validation_accuracy", 1), ("spike_rate", 1)} <= set(written)
    assert sum(metrics.delay_histograms["layer 1, output"]) == 4
