"""Channels without threads carry what Lava's own do, in order, and wait where Lava's wait."""

import threading

import numpy as np
import pytest

pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.deploy.lava import channels
from kipuka.deploy.lava.channels import pypychannel

SHAPE, PLACES = (3,), 2


@pytest.fixture
def infrastructure():
    from lava.magma.runtime.message_infrastructure.multiprocessing import MultiProcessing

    made = MultiProcessing()
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["threads", "none"])
def ends(request, infrastructure, monkeypatch):
    """Both ends of a started channel, Lava's own and ours; the selector that goes with them."""
    for name in ("CspSendPort", "CspRecvPort"):
        monkeypatch.setattr(pypychannel, name, getattr(pypychannel, name))
    monkeypatch.setattr(pypychannel.CspSelector, "select", pypychannel.CspSelector.select)
    if request.param == "none":
        channels.use_no_threads()
    before = threading.active_count()
    channel = pypychannel.PyPyChannel(infrastructure, "from", "to", SHAPE, np.int32, PLACES)
    sender, receiver = channel.src_port, channel.dst_port
    sender.start()
    receiver.start()
    assert (threading.active_count() == before) == (request.param == "none")
    yield sender, receiver
    sender.join()
    receiver.join()


def message(number):
    return np.arange(3, dtype=np.int32) + 10 * number


def test_messages_arrive_in_order_and_the_sender_waits_for_a_free_place(ends):
    sender, receiver = ends
    found = []

    def receive():
        found.extend(receiver.recv() for _ in range(50))

    thread = threading.Thread(target=receive)
    thread.start()
    for number in range(50):
        sender.send(message(number))
    thread.join(timeout=30)
    np.testing.assert_array_equal(found, [message(number) for number in range(50)])


def soon(condition):
    """Whether it holds within a moment; Lava's threads need one to notice."""
    for _ in range(500):
        if condition():
            return True
        threading.Event().wait(0.01)
    return False


def test_what_is_there_can_be_looked_at_and_stays(ends):
    sender, receiver = ends
    assert sender.probe()
    assert not receiver.probe()
    sender.send(message(1))
    sender.send(message(2))
    assert not sender.probe()
    assert soon(receiver.probe)
    for _ in range(2):
        np.testing.assert_array_equal(receiver.peek(), message(1))
    np.testing.assert_array_equal(receiver.recv(), message(1))
    assert soon(sender.probe)
    sender.send(message(3))
    assert not sender.probe()
    np.testing.assert_array_equal([receiver.recv(), receiver.recv()], [message(2), message(3)])
    assert not receiver.probe()
    assert soon(sender.probe)


def test_a_message_that_is_awaited_is_left_for_the_action(ends):
    sender, receiver = ends
    later = threading.Timer(0.05, sender.send, [message(7)])
    later.start()
    taken = pypychannel.CspSelector().select((receiver, receiver.recv))
    later.join()
    np.testing.assert_array_equal(taken, message(7))
    assert not receiver.probe()


def test_a_message_of_another_shape_is_an_error(ends):
    with pytest.raises(AssertionError, match="Mismatch"):
        ends[0].send(np.zeros(4, np.int32))


def test_several_channels_at_once_are_refused():
    with pytest.raises(NotImplementedError, match="one at a time"):
        channels.select(None, (None, None), (None, None))
