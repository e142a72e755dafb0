import pytest

from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.phases import one_cycle, phase_at

ANNEALED = TrainConfig(
    delay_rule="annealed", delay_width_steps=10, delay_start=0.25, delay_stop=0.75
)


def test_one_cycle_rises_to_one_and_falls_to_almost_nothing():
    assert one_cycle(0) == pytest.approx(1 / 25)
    assert one_cycle(0.1) == pytest.approx(1)
    falling = [one_cycle(0.1 + k / 50) for k in range(45)]
    assert falling == sorted(falling, reverse=True)
    assert one_cycle(1) < 1e-5


def test_delays_learn_between_start_and_stop_only():
    for progress, learns in ((0.0, False), (0.24, False), (0.3, True), (0.7, True), (0.75, False)):
        phase = phase_at(ANNEALED, 1, progress)
        assert (phase.delay_learning_rate > 0) == learns
        assert phase.learning_rate > 0


def test_the_width_has_reached_zero_before_delays_stop():
    widths = [phase_at(ANNEALED, 1, k / 100).delay_width_steps for k in range(100)]
    assert widths[0] == 10
    assert widths == sorted(widths, reverse=True)
    assert set(widths[61:]) == {0.0}
    assert phase_at(ANNEALED, 1, 0.7).delay_learning_rate > 0
    assert phase_at(TrainConfig(), 1, 0.3).delay_width_steps == 0


def test_weights_and_delays_take_turns():
    config = TrainConfig(delay_alternation_epochs=2)
    phases = [phase_at(config, epoch, 0.5) for epoch in range(1, 9)]
    weights = [phase.learning_rate > 0 for phase in phases]
    assert weights == [True, True, False, False] * 2
    assert [phase.delay_learning_rate > 0 for phase in phases] == [not w for w in weights]
