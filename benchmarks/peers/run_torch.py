"""PyTorch: a loop in float32, one in int32, one compiled, and the sums alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from arrays import Layer, Network
from child import Built, UnsupportedError, serve
from step_loop import Sent, Step, loop, prepared_inputs, stepped, sums, weights_of

UNITY_BITS, STATE_BITS = 12, 6
INT8 = 127
RECURRENT = "sums of a recurrent layer are not one product"
STEPS_AT_ONCE = 16
"""Of the compiled neurons, whose states stay in registers meanwhile."""


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare one of the variants."""
    del folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    run, leaves_out = VARIANTS[variant](network, samples)
    return Built(run, leaves_out, torch.__version__.partition("+")[0])


def float_loop(network: Network, samples: int) -> tuple[Callable, str]:
    """Neurons in float32."""
    return loop(network, samples, stepped(_float_cells)), "floating point, states unrounded"


def int32_loop(network: Network, samples: int) -> tuple[Callable, str]:
    """Neurons in int32, every bit as in Kipuka."""
    return loop(network, samples, stepped(_int32_cells)), "overflows unchecked, sums in float32"


def compiled(network: Network, samples: int) -> tuple[Callable, str]:
    """Dense products, and the neurons' updates of many steps as one compiled function."""
    if any(layer.recurrent for layer in network.layers):
        raise UnsupportedError(RECURRENT)
    # One for each size of a layer, with the last steps of a sample twice as many.
    torch._dynamo.config.recompile_limit = 2 * len(network.layers)
    updates = torch.compile(_updates, dynamic=False)

    def neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
        del back
        kept = torch.ones(a.shape[1])
        kept[sorted(layer.resets)] = 0
        threshold, bias = (torch.from_numpy(x).float() for x in (layer.threshold, layer.bias))
        decays = 1 - layer.current_decay, 1 - layer.voltage_decay
        u, v = torch.zeros_like(a[:, 0]), torch.zeros_like(a[:, 0])
        spikes = []
        for now, keep in zip(a.split(STEPS_AT_ONCE, 1), kept.split(STEPS_AT_ONCE), strict=True):
            sent, u, v = updates(now, u, v, threshold, bias, keep, *decays)
            spikes.append(sent)
        return spikes[0] if len(spikes) == 1 else torch.cat(spikes, 1)

    return loop(network, samples, neurons), "floating point, states unrounded"


def _float_cells(layer: Layer, zeros: torch.Tensor) -> Step:
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    threshold, bias = (torch.from_numpy(x).float() for x in (layer.threshold, layer.bias))
    u, v = zeros.clone(), zeros.clone()

    def step(now: torch.Tensor) -> torch.Tensor:
        u.mul_(keep_u).add_(now)
        v.mul_(keep_v).add_(u).add_(bias)
        spikes = v > threshold
        v.masked_fill_(spikes, 0)
        return spikes

    return step


def _int32_cells(layer: Layer, zeros: torch.Tensor) -> Step:
    keep_u, keep_v = (
        round((1 - decay) * (1 << UNITY_BITS))
        for decay in (layer.current_decay, layer.voltage_decay)
    )
    threshold, bias = (
        torch.from_numpy(x).to(torch.int32) << STATE_BITS for x in (layer.threshold, layer.bias)
    )
    u = v = zeros.to(torch.int32)

    def step(now: torch.Tensor) -> torch.Tensor:
        nonlocal u, v
        u = _decayed(u, keep_u) + (now.to(torch.int32) << STATE_BITS)
        v = _decayed(v, keep_v) + u + bias
        spikes = v > threshold
        v = v.masked_fill(spikes, 0)
        return spikes

    return step


def _updates(
    a: torch.Tensor,
    u: torch.Tensor,
    v: torch.Tensor,
    threshold: torch.Tensor,
    bias: torch.Tensor,
    keep: torch.Tensor,
    keep_u: float,
    keep_v: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    sent = []
    for t in range(a.shape[1]):
        u = u * keep[t] * keep_u + a[:, t]
        v = v * keep[t] * keep_v + u + bias
        spikes = v > threshold
        v = torch.where(spikes, 0.0, v)
        sent.append(spikes.to(a.dtype))
    return torch.stack(sent, 1), u, v


def _decayed(state: torch.Tensor, keep: int) -> torch.Tensor:
    # The product needs more than 32 bits; the quotient is rounded towards zero.
    product = state.to(torch.int64) * keep
    return torch.div(product, 1 << UNITY_BITS, rounding_mode="trunc").to(torch.int32)


def products_alone(network: Network, samples: int) -> tuple[Callable, str]:
    """Dense products of every layer in float32, convolutions with channels last."""
    layers = network.layers
    if any(layer.recurrent for layer in layers):
        raise UnsupportedError(RECURRENT)
    if network.sparse:
        raise UnsupportedError("sparse weights")
    made = [(p, weights_of(p)) for layer in layers for p in layer.projections]
    shape = (min(samples, len(network.samples)), network.n_steps)
    inputs = [torch.rand(*shape, len(p.lags)) for p, _ in made]

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        for x, (projection, weights) in zip(inputs, made, strict=True):
            sums(x, projection, weights)
        return [], None

    return run, "neurons and delays: dense products alone, in float32, of any input"


def int8_product(network: Network, samples: int) -> tuple[Callable, str]:
    """The product of the only layer in int8."""
    if len(network.layers) > 1 or network.layers[0].projections[0].kind != "dense":
        raise UnsupportedError("asked for one dense layer alone")
    x = prepared_inputs(network, samples).flatten(0, 1).to(torch.int8)
    weights = torch.from_numpy(network.layers[0].projections[0].weights)
    # Weights are even.
    if float(weights.abs().max()) > 2 * INT8:
        raise UnsupportedError("weights beyond 8 bits")
    transposed = (weights / 2).to(torch.int8).T.contiguous()
    try:
        torch._int_mm(x, transposed)
    except (RuntimeError, AttributeError) as error:
        message = f"torch {torch.__version__} has no int8 product on the CPU"
        raise UnsupportedError(message) from error

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        torch._int_mm(x, transposed)
        return [], None

    return run, "neurons and delays: sums alone, in int8 (`torch._int_mm`)"


VARIANTS = {
    "float": float_loop,
    "int32": int32_loop,
    "compiled": compiled,
    "products": products_alone,
    "int8": int8_product,
}


if __name__ == "__main__":
    serve(build)
