"""The same seed gives the same bits, however many threads work and in whichever process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kipuka_faults as faults
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import program, random_cuba, random_gru, random_spikes

pytestmark = pytest.mark.slow


def contents(folder):
    """All that a run wrote, but for the seconds that it took."""
    checkpoint = (folder / "checkpoint.safetensors").read_bytes()
    return checkpoint, faults.tensors(folder / "state.safetensors"), faults.metrics(folder)


@pytest.fixture(scope="module")
def context():
    pytest.importorskip("lava", reason="needs the lava extra")
    return faults.server()


@pytest.mark.parametrize("network", ["sgru-delay", "decoupled", "cuba-recurrent-delay"])
def test_training_gives_the_same_bits_with_one_thread_and_two(network, context, tmp_path):
    # Enough of everything that a sum split by threads is rounded in another way.
    settings = {"network": network, "hidden": 48, "epochs": 1, "batch_size": 256, "seed": 3}
    settings |= {"penalties": {"rate": 1.0, "overshoot": 0.1}}
    for threads in (1, 2):
        faults.finish(context, faults.train, tmp_path / str(threads), settings, threads)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


SIMULATION = """
import sys, numpy as np
from kipuka.convert.formats.net.file import load_net
from kipuka.deploy import simulate
run = simulate(load_net(sys.argv[1]), np.load(sys.argv[2]), threads=int(sys.argv[3]))
print(*(run.trace.digest(k) for k in range(len(run.trace.layers[0].spikes))))
print(*(layer.arrivals_per_neuron.sum() for layer in run.counters.layers))
"""


def test_simulation_gives_the_same_bits_with_one_thread_and_two(rng, tmp_path):
    network = program(20, random_gru(rng, 20, 40), random_cuba(rng, 40, 5))
    spikes = random_spikes(rng, 9, 20, 60)
    save_net(tmp_path / "x.net", network)
    np.save(tmp_path / "x.npy", spikes)
    expected = simulate_reference(load_net(tmp_path / "x.net"), spikes)
    digests = [expected.trace.digest(k) for k in range(9)]
    counts = [str(layer.arrivals_per_neuron.sum()) for layer in expected.counters.layers]
    for threads in (1, 2):
        words = [str(tmp_path / "x.net"), str(tmp_path / "x.npy"), str(threads)]
        done = subprocess.run(
            [sys.executable, "-c", SIMULATION, *words], capture_output=True, text=True, check=True
        )
        assert [line.split() for line in done.stdout.splitlines()] == [digests, counts]


FIRST_USE = """
import sys
from pathlib import Path
import numpy as np
from kipuka.deploy.fast.simulator import Events, simulate
from kipuka.deploy.fast.machine_code import call
print("ready", flush=True)
sys.stdin.readline()
flat = (np.arange(320) % 3 == 0).view(np.uint8)
offsets = np.zeros(33, np.int64)
call("count_dense", flat.ctypes.data, flat.size, 32, offsets.ctypes.data)
offsets = offsets.cumsum()
units, following = np.zeros(offsets[-1], np.int32), offsets[:-1].copy()
call("list_dense", flat.ctypes.data, flat.size, 32, following.ctypes.data,
     units.ctypes.data)
print(*units)
"""


def test_several_processes_may_be_the_first_to_use_the_kernels(tmp_path):
    # With a setting of Numba's, what the installation compiled is not theirs.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "3"}
    command = [sys.executable, "-c", FIRST_USE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    for _ in range(2):  # the second time they all find what the first left
        processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        expected = np.nonzero((np.arange(320) % 3 == 0).reshape(10, 32).T)[1].tolist()
        for process in processes:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0
            assert [int(word) for word in output.split()] == expected
        kept = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
        # One version of each kernel, and nothing half-written.
        assert [name.partition("-")[0] for name in kept] == ["count_dense", "list_dense"], kept


VERSIONS = """
import numpy as np
from kipuka.deploy import simulate
from kipuka.deploy.fast.machine_code import _LOADED
from kipuka_cases import program, random_cuba, random_spikes

rng = np.random.default_rng(0)
simulate(program(3, random_cuba(rng, 3, 2)), random_spikes(rng, 1, 3, 9))
names = [name for name, _ in _LOADED]
assert sorted(names) == ["advance", "count_arrivals", "count_dense", "list_dense"], names
"""


def test_a_plain_run_has_one_version_of_each_kernel():
    """What is compiled is for the parts that a network has, and for nothing else that may vary."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    subprocess.run([sys.executable, "-c", VERSIONS], env=environment, check=True, timeout=120)
