import pytest

from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.phases import one_cycle, phase_at

ANNEALED = TrainConfig(delays={"rule": "annealed", "width_steps": 10})


def test_one_cycle_rises_to_one_and_falls_to_almost_nothing():
    assert one_cycle(0) == pytest.approx(1 / 25)
    assert one_cycle(0.1) == pytest.approx(1)
    falling = [one_cycle(0.1 + k / 50) for k in range(45)]
    assert falling == sorted(falling, reverse=True)
    assert one_cycle(1) < 1e-5


def test_weights_and_delays_learn_all_the_time():
    for progress in (0.0, 0.3, 0.99):
        phase = phase_at(ANNEALED, progress)
        assert phase.learning_rate > 0
        assert phase.delay_learning_rate > 0


def test_the_width_has_reached_zero_before_training_ends():
    widths = [phase_at(ANNEALED, k / 100).delay_width_steps for k in range(100)]
    assert widths[0] == 10
    assert widths == sorted(widths, reverse=True)
    assert set(widths[81:]) == {0.0}
    assert phase_at(TrainConfig(), 0.3).delay_width_steps == 0
