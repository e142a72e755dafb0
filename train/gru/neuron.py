"""Neurons of the spiking GRU blocks, made from the parameters that a network's blocks share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn.modules.dropout import _DropoutNd

from kipuka.convert import fixed
from kipuka.convert.neurons import SPIKING_GRU
from kipuka.errors import KipukaError
from kipuka.train.slayer import Neuron as SlayerNeuron

OWN_KEYS = ("threshold", "tau_grad", "scale_grad", "dropout")


def _is_decay(value: object) -> bool:
    values = value if isinstance(value, tuple | list) else (value,)
    return bool(values) and all(isinstance(v, int | float) and 0 <= v <= 1 for v in values)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


WITHOUT_MEANING: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "current_decay": ("a number from 0 to 1, or two", _is_decay),
    "voltage_decay": ("a number from 0 to 1, or two", _is_decay),
    "requires_grad": ("True or False", _is_flag),
    "shared_param": ("True or False", _is_flag),
    # SLAYER's recurrent blocks write it into the dict that they are given.
    "persistent_state": ("True or False", _is_flag),
}
"""Keys of SLAYER's CUBA neurons that gates take the place of, and what their values may be. Decays
are learned by the gates, neurons share nothing but the threshold, and each call starts at rest."""

REFUSED: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "norm": ("None", lambda value: value is None),
    "graded_spike": ("False", lambda value: value is False),
    "scale": (f"{fixed.WEIGHT_SCALE}", lambda value: value == fixed.WEIGHT_SCALE),
}
"""Keys that would change what the neuron computes, and the value with which they do not."""


class Neuron(SlayerNeuron):  # type: ignore[misc]
    """Parameters of the spiking GRU neuron with SLAYER's quantization hook and surrogate.

    Parameters
    ----------
    threshold : float
        Firing threshold in nominal units, quantized to 1/64.
    tau_grad, scale_grad : float
        Width and height of the spike surrogate, as in SLAYER.
    dropout : torch.nn.Module, optional
        SLAYER's neuron dropout: what a dropped neuron receives from the layer before is left out
        for the whole sequence.
    """

    model = SPIKING_GRU
    """Name of the neuron model; a block with one gate names its own."""

    def __init__(
        self,
        threshold: float,
        tau_grad: float = 1,
        scale_grad: float = 1,
        dropout: torch.nn.Module | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold,
            tau_grad=tau_grad,
            scale_grad=scale_grad,
            p_scale=fixed.UNITY,
            w_scale=fixed.WEIGHT_SCALE,
            s_scale=fixed.STATE_SCALE,
            dropout=dropout,
        )
        if not 1 <= self.v_th_mant <= fixed.GRU_THRESHOLD_MAX:
            raise KipukaError(
                "the threshold cannot be reached by an 18-bit membrane",
                where="spiking GRU block, key threshold",
                limit=f"1/{fixed.WEIGHT_SCALE} to {fixed.GRU_THRESHOLD_MAX / fixed.WEIGHT_SCALE}",
                value=threshold,
                remedy="choose a threshold near 1 and scale the weights with it",
            )

    @property
    def device_params(self) -> dict[str, Any]:
        """Parameters as they stand in a `.net` file."""
        return {"type": self.model, "vThMant": self.v_th_mant}


def neuron_from(params: Mapping[str, Any], block: str) -> Neuron:
    """Make neurons from the parameters that all blocks of a SLAYER network share.

    Keys of CUBA neurons that mean nothing to a spiking GRU are checked all the same, left out, and
    named in one warning.

    Parameters
    ----------
    params : mapping
        ``threshold``, ``tau_grad``, ``scale_grad`` and ``dropout``, beside keys of SLAYER's CUBA
        neurons.
    block : str
        Class of the block, for messages.

    Raises
    ------
    KipukaError
        If a key is unknown, has a value that SLAYER would not take, or would change the neuron.
    """
    own = {}
    for key, value in params.items():
        limit, fits = {**WITHOUT_MEANING, **REFUSED}.get(key, ("", _is_flag))
        if key in OWN_KEYS:
            own[key] = value
        elif not limit or not fits(value):
            raise KipukaError(
                "the neuron parameters cannot be used",
                where=f"{block}, neuron_params, key {key}",
                limit=limit or f"{', '.join((*OWN_KEYS, *WITHOUT_MEANING))}",
                value=value,
                remedy="leave the key out for this block",
            )
    _check_own(own, block)
    unused = [key for key in params if key in WITHOUT_MEANING]
    if unused:
        _say_once(block, unused, [key for key in OWN_KEYS if own.get(key) is not None])
    return Neuron(**own)


def _check_own(own: Mapping[str, Any], block: str) -> None:
    given = {"threshold": None, **own}
    wrong = [key for key in OWN_KEYS[:3] if not isinstance(given.get(key, 1.0), int | float)]
    limit = "a number"
    # Any other module might act in evaluation too, where nothing must be left out.
    dropout = own.get("dropout")
    if not wrong and not (dropout is None or isinstance(dropout, _DropoutNd)):
        wrong, limit = ["dropout"], "a dropout of SLAYER or torch, or None"
    if wrong:
        raise KipukaError(
            "the neuron parameters cannot be used",
            where=f"{block}, neuron_params, key {wrong[0]}",
            limit=limit,
            value=given[wrong[0]] if wrong[0] in own else "nothing",
            remedy="give numbers, such as threshold 1.0, and a dropout or none",
        )


_SAID: set[tuple[str, tuple[str, ...]]] = set()
"""Blocks and keys that were named already."""


def _say_once(block: str, unused: list[str], used: list[str]) -> None:
    """Name the keys that are left out, and those that are not, once for all that share them."""
    if (block, tuple(unused)) not in _SAID:
        _SAID.add((block, tuple(unused)))
        warnings.warn(
            f"{block} has gates in place of decays, and learns them: it uses {', '.join(used)} and "
            f"leaves out {', '.join(unused)} of neuron_params, which concern CUBA blocks alone",
            stacklevel=4,
        )
