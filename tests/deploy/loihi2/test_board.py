"""The board's interface against a recording fake that follows the public API."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from kipuka.deploy.loihi2.board import Loihi2Api, Loihi2Board, public_api
from kipuka.deploy.lowered.streaming import plan_stream
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_spikes

LAVA = importlib.util.find_spec("lava")


class FakeBoard:
    """Records calls; processes run on the CPU, adapters pass on what they get in the same step."""

    def __init__(self):
        self.calls = []

    def api(self):
        return Loihi2Api(
            is_installed=lambda: True,
            use_slurm_host=self._slurm,
            run_config=self._config,
            preloaded=self._preloaded,
            into_chip=lambda **where: self._adapter("PyToNxAdapter", **where),
            out_of_chip=lambda **where: self._adapter("NxToPyAdapter", **where),
            time_probe=self._time,
            power_probe=self._power,
        )

    def _slurm(self, partition=None, board=None):
        self.calls.append(("use_slurm_host", partition, board))
        if board == "broken":
            raise ValueError("board broken is\nnot found")

    def _config(self, callback_fxs):
        from lava.magma.core.run_configs import Loihi2SimCfg

        self.calls.append(("Loihi2HwCfg", tuple(probe.name for probe in callback_fxs)))
        return Loihi2SimCfg(select_tag="fixed_pt")

    def _adapter(self, kind, shape, num_message_bits):
        from lava.proc.graded.process import GradedVec

        self.calls.append((kind, shape, num_message_bits))
        process = GradedVec(shape=shape, vth=0)
        return SimpleNamespace(inp=process.a_in, out=process.s_out)

    def _preloaded(self, first_frame, replay_frames):
        from lava.proc.io.source import RingBuffer

        self.calls.append(("CyclicBuffer", first_frame.shape, replay_frames.shape))
        return RingBuffer(data=np.concatenate([first_frame[:, None], replay_frames], axis=1))

    def _time(self):
        self.calls.append(("Loihi2ExecutionTime",))
        return SimpleNamespace(name="time", avg_time_per_step=5.0)

    def _power(self, num_steps):
        self.calls.append(("Loihi2Power", num_steps))
        power = np.array([0.6, 0.8])
        return SimpleNamespace(name="power", total_power=power, static_total_power=0.2)


@pytest.mark.lava
@pytest.mark.skipif(not LAVA, reason="needs the lava extra")
@pytest.mark.filterwarnings("ignore")  # Lava's own, which other tests leave to its worker process
@pytest.mark.parametrize("host_input", [False, True])
def test_a_run_calls_what_the_public_api_has(rng, monkeypatch, host_input):
    monkeypatch.setattr("kipuka.deploy.loihi2.board.POWER_STEPS", 48)
    # Lava chooses how processes start when it is imported, which another test may have done before.
    monkeypatch.setattr("multiprocessing.set_start_method", lambda method: None)
    network = program(3, random_cuba(rng, 3, 2, threshold=20))
    inputs = random_spikes(rng, 2, 3, 5, 0.7)
    stream = plan_stream(network, 5)
    assert stream.interval == 8
    fake = FakeBoard()
    board = Loihi2Board(fake.api(), host_input)
    board.connect(partition="oheogulch", board=None)
    run = board.run(stream, inputs, lambda: None)
    expected = simulate_reference(network, inputs).trace.layers[-1].spikes
    assert expected.any()
    np.testing.assert_array_equal(run.spikes, expected)

    def network_calls(steps):
        sender = ("CyclicBuffer", (3,), (3, steps - 1))
        return [("PyToNxAdapter", (3,), 0) if host_input else sender, ("NxToPyAdapter", (2,), 0)]

    # 48 hardware steps of power are three times two samples of 8 steps.
    assert fake.calls == [
        ("use_slurm_host", "oheogulch", None),
        ("Loihi2ExecutionTime",),
        ("Loihi2HwCfg", ("time",)),
        *network_calls(16),
        ("Loihi2Power", 48),
        ("Loihi2HwCfg", ("power",)),
        *network_calls(48),
    ]
    assert run.time_per_step_s == pytest.approx(5e-6)
    assert run.time_s == pytest.approx(40e-6)
    assert run.total_energy_j == pytest.approx(0.7 * 40e-6)
    assert run.dynamic_energy_j == pytest.approx(0.5 * 40e-6)


def test_partition_and_board_exclude_each_other(check_error):
    fake = FakeBoard()
    with pytest.raises(KipukaError) as caught:
        Loihi2Board(fake.api()).connect("a", "b")
    check_error(caught.value, what="partition and a board", value="a and b")
    assert fake.calls == []


def test_a_board_that_slurm_does_not_know(check_error):
    with pytest.raises(KipukaError) as caught:
        Loihi2Board(FakeBoard().api()).connect(None, "broken")
    check_error(caught.value, what="SLURM", value="board broken is not found")


def test_what_is_missing_is_said_in_one_sentence(check_error):
    with pytest.raises(KipukaError) as caught:
        public_api()
    check_error(caught.value, what="not installed here", where="target loihi2", remedy="lava-sim")
