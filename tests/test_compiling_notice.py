"""Whoever waits for kernels to be compiled is told so, once, and nobody else is."""

import importlib
import io
import sys

import pytest
from numba import njit

from kipuka.compiling_notice import ANNOUNCER, NOTICE, announce_compiling


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


def compiled_in(module):
    """Compile a small function of a module."""

    def add_one(x):
        return x + 1

    add_one.__module__ = module
    assert njit(add_one)(2) == 3


@pytest.fixture
def announced(monkeypatch):
    announce_compiling()
    monkeypatch.setattr(ANNOUNCER, "said", False)


@pytest.mark.parametrize("stream", [Terminal, Notebook])
def test_a_person_is_told_once(announced, stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    compiled_in("somebody.else")
    assert sys.stderr.getvalue() == ""
    compiled_in("kipuka.deploy.fast.kernels.network")
    compiled_in("kipuka.deploy.fast.kernels.counting")
    assert sys.stderr.getvalue() == f"{NOTICE}\n"


def test_redirected_output_stays_as_it_is(announced, monkeypatch):
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        compiled_in("kipuka.deploy.fast.kernels.network")
        assert stream is None or stream.getvalue() == ""


def test_who_compiles_announces():
    importlib.import_module("kipuka.deploy.fast.kernels.entries")
    assert announce_compiling.cache_info().currsize == 1
