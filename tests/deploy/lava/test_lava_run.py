"""Lava as a process that can fail: it is ended with all it started, and the error says so."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import kipuka_faults as faults
from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.lava import process_sessions, run
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_spikes

pytest.importorskip("lava", reason="needs the lava extra")


@pytest.fixture
def network(rng):
    return program(3, random_cuba(rng, 3, 2))


@pytest.fixture
def left_behind(tmp_path, monkeypatch):
    """Processes that this test started and that still run: their folder is in their arguments."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def listed():
        ps = subprocess.run(
            ["ps", "-ww", "-eo", "stat,pid,args"], capture_output=True, text=True, check=True
        )
        return [x for x in ps.stdout.splitlines() if str(tmp_path) in x and x[0] != "Z"]

    return listed


def test_a_hang_is_noticed_and_nothing_is_left_behind(network, rng, left_behind, check_error):
    start = time.monotonic()
    with pytest.raises(KipukaError) as caught:
        run.run_lava(network, random_spikes(rng, 1, 3, 5), stall_limit_s=0.05)
    assert time.monotonic() - start < 30
    check_error(
        caught.value,
        what="did not finish",
        where="backend lava",
        value="no step finished within 0.05 s after step 0",
        remedy="have been ended",
    )
    assert left_behind() == []


def test_a_failing_worker_is_reported_with_its_message(network, rng, left_behind, check_error):
    # Inputs with a unit too few, let past the door, make the first connection impossible.
    with pytest.raises(KipukaError) as caught:
        run._finished([(network, random_spikes(rng, 1, 2, 5))], "lava", 5, None, run.STALL_LIMIT_S)
    check_error(caught.value, what="did not finish", value="exit status 1 after step 0")
    assert left_behind() == []


def shared_memory(session):
    """Files of shared memory that the processes of a session have mapped; there must be some."""
    found = set()
    for number in process_sessions.session_members(session):
        with contextlib.suppress(OSError):  # it may end at any moment
            maps = Path(f"/proc/{number}/maps").read_text()
            found |= set(re.findall(r"/dev/shm/psm_\w+", maps))
    assert found
    return [Path(path) for path in found]


def left_of(memory):
    """Those of the files that are still there; what other runs on this machine hold is theirs."""
    return [path for path in memory if path.exists()]


def wait_for(condition, limit_s=30.0):
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)
    return found


def test_a_killed_process_of_lava_is_noticed_at_once(network, rng, left_behind, check_error):
    memory, killed = [], []

    def kill_one(done, total):
        if done == 5:
            worker = os.getsid(int(left_behind()[0].split()[1]))
            own = {n: c for n, c in process_sessions.session_members(worker).items() if n != worker}
            victim = next(n for n, command in own.items() if "resource_tracker" not in command)
            memory.extend(shared_memory(worker))
            os.kill(victim, signal.SIGKILL)
            killed.extend([worker, victim])

    start = time.monotonic()
    with pytest.raises(KipukaError) as caught:
        run.run_lava(network, random_spikes(rng, 1, 3, 20_000), kill_one)
    assert time.monotonic() - start < 30
    check_error(
        caught.value,
        what="did not finish",
        where=f"worker process {killed[0]}",
        limit="every step",
        value=f"process {killed[1]} of Lava ended by signal SIGKILL",
        remedy="have been ended",
    )
    assert not process_sessions.session_members(killed[0])
    assert left_of(memory) == []


FAILING = """
import time
from kipuka.deploy.lava.worker import SystemProcess, run_or_end_worker
def step():
    raise ValueError("a step that cannot be")
SystemProcess.run = run_or_end_worker
SystemProcess(target=step).start()
time.sleep(60)
"""


def test_an_error_in_a_process_of_lava_ends_its_worker_with_the_message():
    ended = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stderr.splitlines()[-1] == "ValueError: a step that cannot be"


PARENT = """
import sys, tempfile, numpy as np
from pathlib import Path
tempfile.tempdir = sys.argv[1]
from kipuka.convert.formats.net.file import load_net
from kipuka.deploy.lava.run import run_lava
started = Path(sys.argv[1]) / "started"
if __name__ == "__main__":
    spikes = np.zeros((1, 3, 200_000), bool)
    run_lava(load_net(sys.argv[2]), spikes, lambda *_: started.touch())
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_nothing_outlives_a_parent_that_is_ended(name, network, tmp_path, left_behind):
    save_net(tmp_path / "x.net", network)
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(tmp_path / "x.net")]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=faults.mind_interrupts)
    try:
        # Until then it imports Lava, which takes long where much else runs.
        wait_for((tmp_path / "started").exists, faults.LONGEST_S)
        worker = [x.split()[1] for x in left_behind() if "kipuka.deploy.lava.worker" in x]
        (session,) = {os.getsid(int(number)) for number in worker}
        assert len(process_sessions.session_members(session)) > 3
        memory = shared_memory(session)
        parent.send_signal(getattr(signal, name))
        assert parent.wait(timeout=30) != 0
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not process_sessions.session_members(session))
    assert left_of(memory) == []
    # Only Ctrl-C lets a process tidy up its folder.
    assert name != "SIGINT" or not list(tmp_path.glob("kipuka-lava-*"))


def test_progress_counts_algorithmic_steps(network, rng):
    seen = []
    run.run_lava(network, random_spikes(rng, 2, 3, 6), lambda *x: seen.append(x))
    assert seen[-1] == (12, 12)
    assert sorted(seen) == seen


def test_samples_shared_out_over_workers_come_back_in_order(network, rng, monkeypatch):
    from kipuka.deploy.reference import simulate_reference

    monkeypatch.setattr(run, "SAMPLES_PER_WORKER", 2)
    monkeypatch.setattr(run, "available_cores", lambda: 2)
    inputs = random_spikes(rng, 3, 3, 6)
    found = run.run_lava(network, inputs).layers[0]
    expected = simulate_reference(network, inputs).trace.layers[0]
    np.testing.assert_array_equal(found.spikes, expected.spikes)
    np.testing.assert_array_equal(found.states["v"], expected.states["v"])


def test_decays_that_differ_are_refused(rng, check_error):
    layer = random_cuba(rng, 3, 2, current_decay=[1, 2])
    with pytest.raises(KipukaError) as caught:
        run.run_lava(program(3, layer), random_spikes(rng, 1, 3, 5))
    check_error(caught.value, where="layer 1, key current_decay", value="2 diff")


def test_lava_missing(network, rng, monkeypatch, check_error):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(KipukaError) as caught:
        run.run_lava(network, random_spikes(rng, 1, 3, 5))
    check_error(caught.value, what="not installed", limit="kipuka[lava]", remedy="kipuka[training]")
