"""Work on several threads has ended when control comes back, whatever ended it."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from kipuka.threads import Helpers, Task, end, share_out

MAIN = threading.main_thread().ident


@pytest.fixture(autouse=True)
def interrupts():
    """Let SIGINT, and a timer, raise KeyboardInterrupt, whatever a parent has made of it."""
    names = (signal.SIGINT, signal.SIGALRM)
    before = [(name, signal.signal(name, signal.default_int_handler)) for name in names]
    yield
    for name, handler in before:
        signal.signal(name, handler)


def helping():
    return threading.get_ident() != MAIN


@pytest.mark.parametrize("times", [1, 2, 3])
def test_ctrl_c_while_waiting_is_raised_when_all_others_have_ended(times):
    both, ended = threading.Barrier(2), []

    def work_off(pieces):
        for _ in pieces:
            both.wait()
            if helping():
                for _ in range(times):
                    signal.pthread_kill(MAIN, signal.SIGINT)
                    time.sleep(0.05)
                ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        share_out(2, range(2), work_off)
    assert ended == [True]


def test_ctrl_c_in_ones_own_piece_waits_for_the_others_and_begins_no_more():
    both, ended = threading.Barrier(2), []

    def work_off(pieces):
        for piece in pieces:
            both.wait()
            if helping():
                signal.pthread_kill(MAIN, signal.SIGINT)
                time.sleep(0.1)
                ended.append(piece)
            else:
                # A signal that comes just before a thread falls asleep does not wake it.
                for _ in range(600):
                    time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        share_out(2, range(9), work_off)
    assert len(ended) == 1


def test_no_other_is_at_work_after_ctrl_c_at_any_moment(rng):
    at_work = []

    def work_off(pieces):
        for _ in pieces:
            if helping():
                at_work.append(True)
                time.sleep(0.0002)
                at_work.pop()

    # What arrives as Python collects garbage is lost if that calls something, of whatever test.
    gc.disable()
    try:
        for seconds in rng.uniform(1e-4, 4e-3, 300):
            deadline = time.monotonic() + 10
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, seconds)
                while True:
                    assert time.monotonic() < deadline
                    share_out(4, range(8), work_off)
            assert not at_work
    finally:
        gc.enable()


def test_a_stream_of_tasks_is_waited_for_too():
    helpers, begun, ended = Helpers(), [], []

    def work():
        begun.append(True)
        signal.pthread_kill(MAIN, signal.SIGINT)
        time.sleep(0.1)
        ended.append(True)

    tasks = [Task(work) for _ in range(9)]
    helpers.at_least(1)
    with pytest.raises(KeyboardInterrupt):
        try:
            for task in tasks:
                helpers.give(task)
            tasks[-1].result()
        finally:
            end(tasks)
    # The others were taken back.
    assert len(ended) == len(begun) < 9
    helpers.dismiss()
    helpers.join()
    assert len(ended) == len(begun)


def test_every_piece_is_given_once():
    for n_threads in (1, 2, 5):
        for count in (0, 1, 2, 50):
            seen = []
            share_out(n_threads, range(count), seen.extend)
            assert sorted(seen) == list(range(count))


def test_an_error_of_another_thread_is_raised_and_ends_all():
    both, seen = threading.Barrier(2), []

    def work_off(pieces):
        for piece in pieces:
            seen.append(piece)
            if len(seen) <= 2:
                both.wait()
            if helping():
                raise OverflowError(piece)
            time.sleep(0.05)

    with pytest.raises(OverflowError):
        share_out(2, range(1000), work_off)
    assert len(seen) < 10


def test_who_helps_may_ask_for_help():
    seen = []

    def work_off(pieces):
        for _ in pieces:
            share_out(3, range(10), seen.extend)

    share_out(3, range(10), work_off)
    assert sorted(seen) == sorted([*range(10)] * 10)


def test_threads_stay_for_the_next_work():
    share_out(3, range(6), list)
    before = set(threading.enumerate())
    for _ in range(50):
        share_out(3, range(6), list)
    assert set(threading.enumerate()) == before


def test_nothing_holds_what_was_worked_on():
    class Array:
        alive = 0

        def __init__(self):
            Array.alive += 1

        def __del__(self):
            Array.alive -= 1

    def call():
        array = Array()
        share_out(3, range(6), lambda pieces: [array for _ in pieces])

    call()
    # A helper that came late still looks at what it was given.
    deadline = time.monotonic() + 10
    while Array.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Array.alive == 0


def test_a_forked_process_has_helpers_of_its_own():
    share_out(2, range(4), list)
    both = threading.Barrier(2, timeout=10)

    def work_off(pieces):
        for _ in pieces:
            both.wait()

    process = os.fork()
    if process == 0:
        status = 1
        try:
            share_out(2, range(2), work_off)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(process, 0)[1] == 0


SUSPENDED = """
import time
from kipuka.threads import Helpers, Task

def work():
    time.sleep(0.3)
    print("ended", flush=True)

helpers = Helpers()
helpers.at_least(1)
helpers.give(Task(work))
"""


def test_a_process_ends_after_what_was_handed_out():
    said = subprocess.run([sys.executable, "-c", SUSPENDED], capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "ended\n", "")
