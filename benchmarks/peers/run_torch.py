"""PyTorch: a loop in float32, one in int32, and the sums alone as dense products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from arrays import Layer, Network
from child import Built, UnsupportedError, serve
from step_loop import Sent, loop, prepared_inputs, sums, weights_of

UNITY_BITS, STATE_BITS = 12, 6
INT8 = 127


def build(network: Network, samples: int, variant: str, folder: Path) -> Built:
    """Prepare one of the three."""
    del folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    run, leaves_out = VARIANTS[variant](network, samples)
    return Built(run, leaves_out, torch.__version__.partition("+")[0])


def float_loop(network: Network, samples: int) -> tuple[Callable, str]:
    """Neurons in float32."""
    return loop(network, samples, _float_neurons), "floating point, states unrounded"


def int32_loop(network: Network, samples: int) -> tuple[Callable, str]:
    """Neurons in int32, every bit as in Kipuka."""
    return loop(network, samples, _int32_neurons), "overflows unchecked, sums in float32"


def _float_neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
    keep_u, keep_v = 1 - layer.current_decay, 1 - layer.voltage_decay
    threshold, bias = (torch.from_numpy(x).float() for x in (layer.threshold, layer.bias))
    u, v = torch.zeros_like(a[:, 0]), torch.zeros_like(a[:, 0])
    spikes = torch.zeros_like(a)
    for t in range(a.shape[1]):
        u.mul_(keep_u).add_(a[:, t])
        if back is not None:
            u.add_(back.sums(t))
        v.mul_(keep_v).add_(u).add_(bias)
        torch.gt(v, threshold, out=spikes[:, t])
        v.masked_fill_(spikes[:, t] > 0, 0)
        if back is not None:
            back.remember(t, spikes[:, t])
    return spikes


def _int32_neurons(layer: Layer, a: torch.Tensor, back: Sent | None) -> torch.Tensor:
    keep_u, keep_v = (
        round((1 - decay) * (1 << UNITY_BITS))
        for decay in (layer.current_decay, layer.voltage_decay)
    )
    threshold, bias = (
        torch.from_numpy(x).to(torch.int32) << STATE_BITS for x in (layer.threshold, layer.bias)
    )
    u = torch.zeros(a[:, 0].shape, dtype=torch.int32)
    v = torch.zeros_like(u)
    spikes = torch.zeros_like(a)
    for t in range(a.shape[1]):
        now = a[:, t] if back is None else a[:, t] + back.sums(t)
        u = _decayed(u, keep_u) + (now.to(torch.int32) << STATE_BITS)
        v = _decayed(v, keep_v) + u + bias
        torch.gt(v, threshold, out=spikes[:, t])
        v.masked_fill_(spikes[:, t] > 0, 0)
        if back is not None:
            back.remember(t, spikes[:, t])
    return spikes


def _decayed(state: torch.Tensor, keep: int) -> torch.Tensor:
    # The product needs more than 32 bits; the quotient is rounded towards zero.
    product = state.to(torch.int64) * keep
    return torch.div(product, 1 << UNITY_BITS, rounding_mode="trunc").to(torch.int32)


def products_alone(network: Network, samples: int) -> tuple[Callable, str]:
    """Dense products of every layer, int8 where one layer is dense, float32 elsewhere."""
    layers = network.layers
    if any(layer.recurrent for layer in layers):
        raise UnsupportedError("sums of a recurrent layer are not one product")
    if any(p.kind == "sparse" for layer in layers for p in layer.projections):
        raise UnsupportedError("sparse weights")
    if len(layers) == 1 and layers[0].projections[0].kind == "dense":
        return _int8_product(network, samples)
    made = [(p, weights_of(p)) for layer in layers for p in layer.projections]
    shape = (min(samples, len(network.samples)), network.n_steps)
    inputs = [torch.rand(*shape, len(p.lags)) for p, _ in made]

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        for x, (projection, weights) in zip(inputs, made, strict=True):
            sums(x, projection, weights)
        return [], None

    return run, "neurons and delays: dense products alone, in float32, of any input"


def _int8_product(network: Network, samples: int) -> tuple[Callable, str]:
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


VARIANTS = {"float": float_loop, "int32": int32_loop, "products": products_alone}


if __name__ == "__main__":
    serve(build)
