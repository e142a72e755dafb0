"""Sums that do not depend on the number of threads: torch adds on one, the kernels use them all.

The forward pass is exact in integers. Gradients are sums of float32, which torch and the libraries
below it split by the number of threads, so that their rounding depends on it. The kernels split by
samples alone, and each sample's numbers are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from kipuka.threads import share_out

_KERNELS: list[int] = []
"""Threads that torch had when a block of `summing_in_one_order` was entered."""


@contextmanager
def summing_in_one_order() -> Iterator[None]:
    """Let torch itself work on one thread within the block."""
    before = torch.get_num_threads()
    _KERNELS.append(kernel_threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _KERNELS.pop()


def kernel_threads() -> int:
    """Threads that work without sums over samples may use."""
    return _KERNELS[-1] if _KERNELS else torch.get_num_threads()


def on_threads(count: int, block: int, work: Callable[[int, int], None]) -> None:
    """Call `work(begin, end)` for blocks of `count` things, on as many threads as torch has."""
    n_threads = kernel_threads()
    # Of nothing, as of little: a batch may have no sample.
    if n_threads == 1 or count <= block:
        work(0, count)
        return

    def work_off(begins: Iterator[int]) -> None:
        for begin in begins:
            work(begin, min(begin + block, count))

    share_out(n_threads, range(0, count, block), work_off)
