"""What an interrupted backward pass leaves behind, let go of before Python ends.

torch keeps the steps that a backward pass has yet to take in a queue of the thread, and leaves them
there if a step raises an error, as one does at Ctrl-C. A thread's end frees them. That of the main
thread comes after Python's own, and an array of NumPy's among them, which Python owns, would end
the process with a segmentation fault.
"""

from __future__ import annotations

import atexit
import contextlib
import functools

import torch


@functools.cache
def let_go_at_exit() -> None:
    """Have the queue of the main thread emptied as the process ends.

    To be called before there are steps to take: the queue hands out those first that were recorded
    last, and looks at what was left behind on the way to an earlier step.
    """
    with torch.inference_mode(False), torch.enable_grad():
        start = torch.zeros((), device="cpu", requires_grad=True)
        earliest = start.clone()
    atexit.register(_let_go, earliest, start)


def _let_go(earliest: torch.Tensor, start: torch.Tensor) -> None:
    # A process that was forked from one that trains on a GPU may take no steps, and has none.
    with contextlib.suppress(RuntimeError):
        torch.autograd.grad(earliest, start)
