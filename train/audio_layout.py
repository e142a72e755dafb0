"""Units as an image for convolutions; audio channels folded as CS-GRU does, or by frequency."""

from __future__ import annotations

import numpy as np
import torch

from kipuka.convert import fixed
from kipuka.convert.operands import whole_number
from kipuka.convert.synapses import Shape3
from kipuka.errors import KipukaError

FOLDS_MAX = 8
"""Most channels into which CS-GRU's folding divides the units."""


def audio_shape(n_units: int, layout: str) -> Shape3:
    """Channels, height and width in which the units of an audio data set are laid out.

    ``frequency`` keeps neighbours next to each other: one channel, the units along the height.
    ``csgru`` folds the units as CS-GRU does (Abdennadher, Cicciarella and Rossi, arXiv:2510.25696),
    SHD's 700 to 7 x 10 x 10 and N-TIDIGITS' 64 to 1 x 8 x 8: into the squarest images that up to 8
    equal channels give, and of equally square ones into the fewest.

    Parameters
    ----------
    n_units : int
    layout : {"csgru", "frequency"}

    Returns
    -------
    tuple of int
        Their product is `n_units`, and the order of the units stays.

    Raises
    ------
    KipukaError
        If there is no such layout, or no unit.
    """
    if n_units < 1 or layout not in ("csgru", "frequency"):
        raise KipukaError(
            "the units cannot be laid out",
            where="setting or option layout",
            limit="csgru or frequency, of at least 1 unit",
            value=f"{layout}, {n_units} units",
            remedy="choose one of the layouts",
        )
    if layout == "frequency":
        return 1, n_units, 1
    shapes = []
    for channels in range(1, FOLDS_MAX + 1):
        pixels, rest = divmod(n_units, channels)
        if rest == 0:
            height = max(h for h in range(1, int(pixels**0.5) + 1) if pixels % h == 0)
            shapes.append((channels, height, pixels // height))
    return min(shapes, key=lambda shape: (shape[2] / shape[1], shape[0]))


class AudioLayout(torch.nn.Module):
    """Block that gives its input a shape: [batch, units, time] to [batch, c, h, w, time].

    A network that begins with it exports a Program with that input shape, whose flat order of units
    is that of the data.

    Parameters
    ----------
    shape : tuple of int
        Channels, height, width.
    """

    def __init__(self, shape: Shape3) -> None:
        super().__init__()
        if not isinstance(shape, tuple | list) or len(shape) != 3:
            raise KipukaError(
                "the layout is no shape of an image",
                where="AudioLayout, argument shape",
                limit="three numbers: channels, height and width",
                value=f"{shape!r}",
                remedy="pass what audio_shape(n_units, layout) gives",
            )
        limits = 1, fixed.INT32_MAX, "AudioLayout, argument shape"
        channels, height, width = (whole_number(size, *limits) for size in shape)
        self.shape: Shape3 = channels, height, width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reshape spikes (batch, units, time) to (batch, channels, height, width, time).

        Raises
        ------
        KipukaError
            If the units are not as many as the layout has.
        """
        if x.ndim != 3 or x.shape[1] != int(np.prod(self.shape)):
            raise KipukaError(
                "the input does not have as many units as the layout",
                where="AudioLayout",
                limit=f"{int(np.prod(self.shape))} units, as [batch, units, time]",
                value=f"shape {tuple(x.shape)}",
                remedy="build the network for the number of channels that the data set has",
            )
        return x.unflatten(1, self.shape)
