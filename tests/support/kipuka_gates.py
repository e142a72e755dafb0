"""The gate that eager cells of the tests differentiate: its slope does not depend on torch."""

import torch


def hard_sigmoid(activation):
    """Clamp 1/2 + a/4 to [0, 1], with the slope 1/4 at both ends too.

    From 2.14 on, `torch.clamp` has the slope 0 there, and activations in steps of 1/32 often meet
    the ends exactly.
    """
    line = 0.5 + activation / 4
    return torch.where((line >= 0) & (line <= 1), line, line.detach().clamp(0, 1))
