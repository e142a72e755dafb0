"""How the weights of a recurrence act on the spikes of their own layer, forward and backward.

Spikes and gradients have the shape [samples, channels, ...]. Each class gives a linear map and its
two derivatives, which is all that `kipuka.train.gru.sequence` needs to know of a recurrence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn.grad import conv2d_weight


class MatrixProduct(NamedTuple):
    """All-to-all weights (targets, sources)."""

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Weighted sums (samples, targets) of x (samples, sources)."""
        return torch.nn.functional.linear(x, weight)

    def input_gradient(self, grad: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Gradient by x (samples, sources) from that of the sums."""
        return grad @ weight

    def weight_gradient(
        self, x: torch.Tensor, grad: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Gradient by the weights, summed over samples."""
        return (grad.T @ x).reshape(weight.shape)


class SameConvolution(NamedTuple):
    """Convolution with stride 1 that keeps height and width: (outputs, inputs, kernel).

    Attributes
    ----------
    padding, dilation : tuple of int
        Along height and width.
    """

    padding: tuple[int, int]
    dilation: tuple[int, int]

    def apply(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Weighted sums (samples, outputs, height, width) of x (samples, inputs, ...)."""
        return torch.nn.functional.conv2d(x, weight, padding=self.padding, dilation=self.dilation)

    def input_gradient(self, grad: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Gradient by x from that of the sums."""
        return torch.nn.functional.conv_transpose2d(
            grad, weight, padding=self.padding, dilation=self.dilation
        )

    def weight_gradient(
        self, x: torch.Tensor, grad: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Gradient by the weights, summed over samples and positions."""
        return conv2d_weight(x, weight.shape, grad, padding=self.padding, dilation=self.dilation)


Mixing = MatrixProduct | SameConvolution
