"""Sigma-delta neurons: an encoder that sends changes, neurons that add them up, and a decoder.

They send graded spikes: a signed payload that synapses multiply, and nothing where it is 0. One
nominal unit is 64 of an input (``STATE_SCALE`` of a payload): the encoder's and the neurons' states
have `GRADED_SHIFT` further bits, of which a payload keeps the upper ones. What Lava's ``Delta``,
``SigmaDelta`` and ``Sigma`` (tag ``fixed_pt``, Lava 0.10.0) compute in words without a limit, is
limited here: a sum or an activation to 24 bits, a payload to 16. Each limit that is met is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kipuka.convert import fixed
from kipuka.convert.neurons.model import (
    Message,
    NeuronModel,
    Overflow,
    Parameter,
    StateVariable,
)

UNIT, RELU = 0, 1
"""Activation functions: the sum as it is, or 0 where it is negative."""


class DeltaParameters(NamedTuple):
    """Parameters of the encoder (``Delta`` in Lava): threshold (``vThMant``) in weight units."""

    threshold: Any


class DeltaState(NamedTuple):
    """Last activation `act`, and `residue`, what was too little to be sent; in payloads << 6."""

    act: Any
    residue: Any


class SigmaDeltaParameters(NamedTuple):
    """Parameters of the sigma-delta neuron (``SDNN`` in NetX, ``SigmaDelta`` in Lava).

    Attributes
    ----------
    threshold, bias : int64 array
        ``vThMant`` and ``bias`` in weight units.
    activation : int64 array
        `UNIT` or `RELU`.
    """

    threshold: Any
    bias: Any
    activation: Any


class SigmaDeltaState(NamedTuple):
    """Sum of all that arrived `sigma`, and `act` and `residue` as in `DeltaState`."""

    sigma: Any
    act: Any
    residue: Any


class SigmaParameters(NamedTuple):
    """Parameters of the decoder (``SDNN`` with ``sigma_output`` in NetX): none."""


class SigmaState(NamedTuple):
    """Sum of all that arrived."""

    sigma: Any


def encoded(threshold: Any, act: Any, before: Any, residue: Any) -> tuple[Any, Any, Any]:
    """Send the change of an activation where it reaches the threshold.

    ``delta = act - before + residue``; ``out = delta`` where ``|delta| >= vThMant << 12``, else 0;
    ``residue = delta - out``; the payload is ``out >> 6``, whose lost bits no residue keeps.

    Parameters
    ----------
    threshold : int64 array
        In weight units.
    act, before, residue : int64 array
        The activation now and in the step before, and the residue, in states.

    Returns
    -------
    payload, residue : int64 array
    limited : bool array
        Where the payload met its limit.
    """
    delta = act - before + residue
    out = delta * (abs(delta) >= threshold << fixed.GRADED_SHIFT)
    exact = fixed.shift_floor(out, fixed.STATE_SHIFT)
    payload = fixed.clip(exact, -fixed.GRADED_LIMIT, fixed.GRADED_LIMIT)
    return payload, delta - out, payload != exact


def _within(x: Any) -> Any:
    return fixed.clip(x, -fixed.SIGMA_LIMIT, fixed.SIGMA_LIMIT)


def delta_step(p: DeltaParameters, state: DeltaState, a: Any) -> tuple[DeltaState, Any, Overflow]:
    """Advance the encoder by one step: `encoded` of ``a << 12``.

    Parameters
    ----------
    p : DeltaParameters
    state : DeltaState
    a : int64 array
        Input in weight units.

    Returns
    -------
    state : DeltaState
    payload : int64 array
    overflow : Overflow
        ``saturated`` counts limits that were met, 0 to 2 per neuron.
    """
    exact = a << fixed.GRADED_SHIFT
    act = _within(exact)
    payload, residue, limited = encoded(p.threshold, act, state.act, state.residue)
    saturated = (act != exact) * 1 + limited * 1
    return DeltaState(act, residue), payload, Overflow(saturated, saturated < 0)


def sigma_delta_step(
    p: SigmaDeltaParameters, state: SigmaDeltaState, a: Any
) -> tuple[SigmaDeltaState, Any, Overflow]:
    """Advance the sigma-delta neuron by one step.

    ``sigma += a``; ``act = sigma + (bias << 12)``, or 0 where that is negative and the activation
    function is `RELU`; then `encoded`.

    Parameters
    ----------
    p : SigmaDeltaParameters
    state : SigmaDeltaState
    a : int64 array
        Sum of payloads times weights.

    Returns
    -------
    state : SigmaDeltaState
    payload : int64 array
    overflow : Overflow
        ``saturated`` counts limits that were met, 0 to 3 per neuron.
    """
    exact = state.sigma + a
    sigma = _within(exact)
    exact_act = sigma + (p.bias << fixed.GRADED_SHIFT)
    rectified = exact_act * ((exact_act > 0) | (p.activation == UNIT))
    act = _within(rectified)
    payload, residue, limited = encoded(p.threshold, act, state.act, state.residue)
    saturated = (sigma != exact) * 1 + (act != rectified) * 1 + limited * 1
    return SigmaDeltaState(sigma, act, residue), payload, Overflow(saturated, saturated < 0)


def sigma_step(p: SigmaParameters, state: SigmaState, a: Any) -> tuple[SigmaState, Any, Overflow]:
    """Advance the decoder by one step: ``sigma += a``, which is what it sends, in every step."""
    del p
    exact = state.sigma + a
    sigma = _within(exact)
    saturated = (sigma != exact) * 1
    return SigmaState(sigma), sigma, Overflow(saturated, saturated < 0)


def _emitted(state: Any, emitted: Any) -> Any:
    del state
    return emitted


def _unchanged(total: Any) -> Any:
    return total


def _readout(p: Any) -> tuple[str, ...]:
    del p
    return ("value",)


def _no_readout(p: Any) -> tuple[str, ...]:
    del p
    return ()


THRESHOLD = Parameter(
    "threshold",
    "neuron/vThMant",
    low=0,
    high=fixed.GRADED_THRESHOLD_MAX,
    step=1,
    rule="threshold_can_be_reached",
    unit="weight units, of 24-bit states",
    remedy="choose a threshold inside the range and scale the weights with it",
    default=None,
)

GRADED = Message("spikes", fixed.GRADED_BITS, _emitted, _unchanged)
"""Changes of an activation."""

VALUES = Message("spikes", fixed.SIGMA_BITS, _emitted, _unchanged)
"""What the decoder sends."""

SIGMA_SUM = StateVariable("sigma", fixed.SIGMA_LIMIT, "saturate")
ACTIVATION = StateVariable("act", fixed.SIGMA_LIMIT, "saturate")
# Less than the threshold is left over, which is 24 bits at most.
RESIDUE = StateVariable("residue", fixed.SIGMA_LIMIT, "saturate")


def _delta(p: Any, state: Any, a: Mapping[str, Any]) -> tuple[Any, Any, Overflow]:
    return delta_step(p, state, a["a"])


def _sigma_delta(p: Any, state: Any, a: Mapping[str, Any]) -> tuple[Any, Any, Overflow]:
    return sigma_delta_step(p, state, a["a"])


def _sigma(p: Any, state: Any, a: Mapping[str, Any]) -> tuple[Any, Any, Overflow]:
    return sigma_step(p, state, a["a"])


DELTA_MODEL = NeuronModel(
    name="DELTA",
    parameter_type=DeltaParameters,
    parameters=(THRESHOLD,),
    initial_state=lambda zero: DeltaState(zero, zero),
    states=(ACTIVATION, RESIDUE),
    targets=("a",),
    messages=(GRADED,),
    state_words=2,
    reset="none",
    programmable=True,
    takes_input=True,
    receives="nothing",
    readouts=_no_readout,
    step=_delta,
)

SIGMA_DELTA_MODEL = NeuronModel(
    name="SIGMA_DELTA",
    parameter_type=SigmaDeltaParameters,
    parameters=(
        THRESHOLD,
        Parameter(
            "bias",
            "bias",
            low=-fixed.GRADED_THRESHOLD_MAX,
            high=fixed.GRADED_THRESHOLD_MAX,
            step=1,
            rule="bias_within_bits",
            unit="weight units, of 24-bit states",
            remedy="scale the layer down or train with smaller biases",
            default=0,
        ),
        Parameter(
            "activation",
            "neuron/activation",
            low=UNIT,
            high=RELU,
            step=1,
            rule="activation_is_known",
            unit=f"{UNIT} for the sum as it is, {RELU} for ReLU",
            remedy="train with one of the two",
            default=RELU,
        ),
    ),
    initial_state=lambda zero: SigmaDeltaState(zero, zero, zero),
    states=(SIGMA_SUM, ACTIVATION, RESIDUE),
    targets=("a",),
    messages=(GRADED,),
    state_words=3,
    reset="none",
    programmable=True,
    takes_input=False,
    receives="graded",
    readouts=_readout,
    step=_sigma_delta,
)

SIGMA_MODEL = NeuronModel(
    name="SIGMA",
    parameter_type=SigmaParameters,
    parameters=(),
    initial_state=lambda zero: SigmaState(zero),
    states=(SIGMA_SUM,),
    targets=("a",),
    messages=(VALUES,),
    state_words=1,
    reset="none",
    programmable=True,
    takes_input=False,
    receives="graded",
    readouts=_readout,
    step=_sigma,
)

MODELS = (DELTA_MODEL, SIGMA_DELTA_MODEL, SIGMA_MODEL)
"""Encoder, neuron and decoder."""
