"""What SLAYER's pooling computes, which is a convolution per channel only for some geometries."""

from __future__ import annotations

from dataclasses import replace

from kipuka.convert.synapses import ConvSynapses, Shape3


def pooled_shape(synapses: ConvSynapses) -> Shape3 | None:
    """Output shape of SLAYER's pooling, or None where it mixes channels.

    SLAYER appends ``size % kernel`` zeros to height and width, which need not make them multiples
    of the kernel. Then it stacks all channels on one height and pools the stack, so that channels
    stay apart only if a whole number of windows fits each of them. Along the width, and in a
    single channel, windows may overlap or end in the zeros.

    Parameters
    ----------
    synapses : ConvSynapses
        One group per channel; `output_shape` is not looked at.

    Returns
    -------
    tuple of int or None
        Channels, height, width.
    """
    channels, *sizes = synapses.input_shape
    height, width = (n + n % k for n, k in zip(sizes, synapses.kernel, strict=True))
    stride = synapses.stride[0]
    reach = synapses.dilation[0] * (synapses.kernel[0] - 1) + 1
    apart = synapses.padding[0] == 0 and height % stride == 0 and reach <= stride
    if channels > 1 and not apart:
        return None
    return replace(synapses, input_shape=(channels, height, width)).formula_shape()
