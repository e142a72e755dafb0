"""Training steps of other libraries, for ``benchmarks/train_step.py``.

``jax``: the equations of the spiking GRU as a scan, with fixed delays in the recurrence;
``jax-no-delays``: the same without them; ``snntorch``: a recurrent layer of `Synaptic` neurons.
Each with the same surrogate gradient, a readout that counts spikes, cross-entropy and Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from child import Built, answer_turns

HIDDEN, CLASSES, LEARNING_RATE = 128, 10, 1e-4
LONGEST_DELAY = 8
WEIGHT_REACH = 0.1


def make(folder: Path, samples: int, variant: str) -> Built:
    """Prepare a training step on the batch in the folder."""
    with np.load(folder / "training.npz") as stored:
        x, labels = stored["x"][:samples], stored["labels"][:samples]
    return VARIANTS[variant](x, labels)


def of_jax(x: np.ndarray, labels: np.ndarray, delayed: bool = True) -> Built:
    """Compile a step of JAX: forward, backward and Adam in one function."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    lags = rng.integers(0, LONGEST_DELAY + 1, HIDDEN) if delayed else np.zeros(HIDDEN, int)
    drawn = {
        "W": (x.shape[1], 3 * HIDDEN),
        "U": (HIDDEN, 3 * HIDDEN),
        "b": (3 * HIDDEN,),
        "out": (HIDDEN, CLASSES),
    }
    weights = {
        name: jnp.asarray(rng.uniform(-WEIGHT_REACH, WEIGHT_REACH, size), jnp.float32)
        for name, size in drawn.items()
    }
    given, wanted = jnp.asarray(x.transpose(2, 0, 1)), jnp.asarray(labels)

    def loss(weights: Any) -> Any:
        counts = _jax_counts(weights, given, lags)
        chances = jax.nn.log_softmax(counts)
        return -jnp.take_along_axis(chances, wanted[:, None], 1).mean()

    @jax.jit
    def step(state: Any) -> Any:
        weights, mean, square, number = state
        gradient = jax.grad(loss)(weights)
        number = number + 1
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        weights = jax.tree.map(
            lambda w, m, s: w - rate * m / (jnp.sqrt(s) + 1e-8), weights, mean, square
        )
        return weights, mean, square, number

    zero = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zero, zero, jnp.float32(0))]

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        state[0] = jax.block_until_ready(step(state[0]))
        return [], None

    left_out = "learning of delays, rounding" if delayed else "delays, rounding"
    return Built(run, left_out, jax.__version__)


def _jax_counts(weights: Any, given: Any, lags: np.ndarray) -> Any:
    """Spikes of each class (samples, classes) of the cell and an integrate-and-fire readout."""
    import jax.numpy as jnp
    from jax import lax

    spike = _jax_spike()
    depth = int(lags.max()) + 1
    units = jnp.arange(HIDDEN)
    fed = given @ weights["W"] + weights["b"]
    zero = jnp.zeros((given.shape[1], HIDDEN))

    def gate(a: Any) -> Any:
        return jnp.clip(0.5 + 0.25 * a, 0, 1)

    def step(state: Any, now: Any) -> Any:
        i, v, spikes, history, w = state
        t, a = now
        sent = history[(t - 1 - lags) % depth, :, units].T if depth > 1 else spikes
        a_i, a_r, a_z = jnp.split(a + sent @ weights["U"], 3, axis=1)
        i = i * gate(a_r) + a_i
        v = i + (v - i) * gate(a_z) - spikes
        spikes = spike(v - 1)
        if depth > 1:
            history = lax.dynamic_update_index_in_dim(history, spikes, t % depth, 0)
        w = w + spikes @ weights["out"]
        classes = spike(w - 1)
        return (i, v, spikes, history, w * (1 - classes)), classes

    history = jnp.zeros((depth, *zero.shape))
    start = (zero, zero, zero, history, jnp.zeros((given.shape[1], CLASSES)))
    _, classes = lax.scan(step, start, (jnp.arange(len(given)), fed))
    return classes.sum(0) / 2


def _jax_spike() -> Callable[[Any], Any]:
    """Step function whose gradient is a fast sigmoid's."""
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def spike(x: Any) -> Any:
        return (x > 0).astype(jnp.float32)

    spike.defvjp(lambda x: (spike(x), x), lambda x, g: (g / (1 + jnp.abs(x)) ** 2,))
    return spike


def of_snntorch(x: np.ndarray, labels: np.ndarray) -> Built:
    """Prepare a step of snnTorch: a third of the synapses, one decay instead of each gate."""
    import snntorch
    import torch
    from snntorch import surrogate

    torch.set_num_threads(1)
    torch.manual_seed(0)
    into, out = torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    sigmoid = surrogate.fast_sigmoid(slope=1)
    hidden = snntorch.RSynaptic(0.75, 0.95, linear_features=HIDDEN, spike_grad=sigmoid)
    readout = snntorch.Leaky(1.0, spike_grad=sigmoid)
    parts = torch.nn.ModuleList([into, hidden, out, readout])
    optimizer = torch.optim.Adam(parts.parameters(), lr=LEARNING_RATE)
    given, wanted = torch.from_numpy(x).permute(2, 0, 1).contiguous(), torch.from_numpy(labels)

    def run(chosen: Sequence[int]) -> tuple[list[int], None]:
        del chosen
        spikes, current, membrane = hidden.reset_mem()
        last = readout.reset_mem()
        counts = torch.zeros(len(wanted), CLASSES)
        for fed in into(given):
            spikes, current, membrane = hidden(fed, spikes, current, membrane)
            classes, last = readout(out(spikes), last)
            counts = counts + classes
        loss = torch.nn.functional.cross_entropy(counts / 2, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [], None

    left_out = "delays, gates (a third of the synapses), rounding"
    return Built(run, left_out, snntorch.__version__)


VARIANTS: dict[str, Callable[[np.ndarray, np.ndarray], Built]] = {
    "jax": of_jax,
    "jax-no-delays": lambda x, labels: of_jax(x, labels, delayed=False),
    "snntorch": of_snntorch,
}


if __name__ == "__main__":
    answer_turns(make)
