"""Ctrl-C in a backward pass is no reason to crash as the process ends."""

import subprocess
import sys

import pytest

INTERRUPTED = """
import numpy as np
import torch

import kipuka.train.slayer


class Array(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return torch.from_numpy(np.ones(3, np.float32))


class Interrupted(Array):
    @staticmethod
    def backward(ctx, grad):
        raise KeyboardInterrupt


# The last step that was recorded comes first: the array waits for a step that is never taken.
x = torch.ones(3, requires_grad=True)
waits = x * 2
interrupted = Interrupted.apply(x)
for _ in range(2):
    try:
        (interrupted + Array.apply(waits)).sum().backward(retain_graph=True)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_interrupted_backward_pass_ends_like_any_other():
    pytest.importorskip("lava", reason="needs the lava extra")
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "interrupted\n" * 2)
