"""What every training block asks of its input: that there is time in it."""

from __future__ import annotations

import torch

from kipuka.errors import KipukaError


def expect_steps(x: torch.Tensor, where: str) -> None:
    """Refuse an input without steps; there may be no sample.

    Parameters
    ----------
    x : tensor (batch, ..., time)
    where : str
        Block that is given it.

    Raises
    ------
    KipukaError
        If there is no step.
    """
    if not x.shape[-1]:
        raise KipukaError(
            "the input has no steps",
            where=where,
            limit="at least 1",
            value=f"shape {tuple(x.shape)}",
            remedy="put time last, with the steps of the sequence",
        )
