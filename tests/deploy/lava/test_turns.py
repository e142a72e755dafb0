"""Actors of one process act one at a time; their channels carry what Lava's own do, in order."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.deploy.lava.turns import Channel, Turns

SHAPE, PLACES = (3,), 2


@pytest.fixture
def turns():
    return Turns()


def channel(turns):
    made = Channel(SimpleNamespace(turns=turns), "from", "to", SHAPE, np.int32, PLACES)
    for end in (made.src_port, made.dst_port):
        end.start()
    return made.src_port, made.dst_port


def message(number):
    return np.arange(3, dtype=np.int32) + 10 * number


def test_messages_arrive_in_order_and_the_sender_waits_for_a_free_place(turns):
    sender, receiver = channel(turns)
    found, ahead = [], []

    def send():
        for number in range(50):
            sender.send(message(number))
            ahead.append(number - len(found))

    turns.run([send, lambda: found.extend(receiver.recv() for _ in range(50))])
    np.testing.assert_array_equal(found, [message(number) for number in range(50)])
    assert max(ahead) == PLACES - 1


def test_actors_go_on_in_the_order_in_which_they_can(turns):
    ends = [channel(turns) for _ in range(4)]
    log, acting = [], 0

    def actor(own):
        nonlocal acting
        (_, before), (after, _) = ends[own], ends[(own + 1) % 4]
        for turn in range(3):
            if own or turn:
                before.recv()
            acting += 1
            log.append((turn, own))
            assert acting == 1
            acting -= 1
            after.send(message(turn))

    # The first waits for the last, which it has to reach through all others.
    turns.run([lambda own=own: actor(own) for own in range(4)])
    assert log == list(itertools.product(range(3), range(4)))


def test_what_is_there_can_be_looked_at_and_stays(turns):
    sender, receiver = channel(turns)
    given = message(1).astype(np.int64)
    assert sender.probe()
    assert not receiver.probe()
    sender.send(given)
    given[:] = 0
    sender.send(message(2))
    assert not sender.probe()
    for _ in range(2):
        assert receiver.probe()
        looked_at = receiver.peek()
        assert looked_at.dtype == np.int32
        np.testing.assert_array_equal(looked_at, message(1))
        looked_at[:] = 0
    np.testing.assert_array_equal([receiver.recv(), receiver.recv()], [message(1), message(2)])
    assert not receiver.probe()
    assert sender.probe()


def test_who_waits_for_something_from_outside_lets_all_others_act_first(turns):
    (to_second, second), (to_third, third) = channel(turns), channel(turns)
    log = []

    def outside():
        for _ in range(2):
            turns.let_others()
            log.append("outside")
            to_second.send(message(0))

    def answer(name, receiver, sender):
        for _ in range(2):
            receiver.recv()
            log.append(name)
            if sender:
                sender.send(message(0))

    turns.run(
        [
            outside,
            lambda: answer("second", second, to_third),
            lambda: answer("third", third, None),
        ]
    )
    assert log == ["outside", "second", "third"] * 2


def test_without_actors_nobody_is_waited_for(turns):
    turns.let_others()


def test_a_message_of_another_shape_is_an_error(turns):
    with pytest.raises(AssertionError, match="Mismatch"):
        channel(turns)[0].send(np.zeros(4, np.int32))
