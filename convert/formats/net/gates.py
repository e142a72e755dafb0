"""Layers of a `.net` file whose neurons receive several activations: dense or convolutional."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from kipuka.convert.formats.guarded.records import Record
from kipuka.convert.formats.net import fields
from kipuka.convert.neurons import NeuronModel
from kipuka.convert.neurons.model import SPIKES
from kipuka.convert.neurons.spiking_gru import CURRENT
from kipuka.convert.program import RECURRENT, Layer, Projection, Target
from kipuka.convert.synapses import ConvSynapses, DenseSynapses

CURRENT_KEY = f"weight_{CURRENT.name}"

Limit = Callable[[np.ndarray], np.ndarray]
"""Turns delays into int16, clamped where the user asked for that."""


class GateReader:
    """Reads one layer, such as a ``spiking_gru``.

    Parameters
    ----------
    record : Record
    model : NeuronModel
    senders : sequence of Sender
        Layers, or the input, that the layer receives spikes from.
    position : int
        Index of the layer among those with neurons.
    limited : callable
    """

    def __init__(
        self,
        record: Record,
        model: NeuronModel,
        senders: Sequence[fields.Sender],
        position: int,
        limited: Limit,
    ) -> None:
        self.record, self.model = record, model
        self.senders, self.position = senders, position
        self.limited = limited
        given = fields.shape_of(record)
        # Flat layers state a row of ones behind their neurons, as NetX's do.
        self.shape = given if self._convolves() else (int(np.prod(given)),)
        self.n_neurons = int(np.prod(self.shape))

    def read(self) -> Layer:
        """Return the layer.

        Raises
        ------
        KipukaError
            If a key is missing, or does not fit the layer or its neighbours.
        """
        arriving = [p for target in self.model.targets for p in self._arriving(target)]
        own = [p for target in self.model.targets for p in self._own(target)]
        if self.record.has(CURRENT_KEY):
            # The last activation is the one that the own current may reach.
            last = self.model.targets[-1]
            own.append(self._own_projection(self.record, CURRENT_KEY, last, "_current"))
        neuron = fields.parameters(self.record, self.model, self.shape)
        sizes = [int(np.prod(sender.shape)) for sender in self.senders]
        for key, size in (("inFeatures", sum(sizes)), ("outFeatures", self.n_neurons)):
            fields.expect(self.record, key, (size,))
        return Layer(neuron, self.shape, (*arriving, *own))

    def _convolves(self) -> bool:
        keys = [(key, target) for key in ("weight", "weight_rec") for target in self.model.targets]
        axes = [self.record.group(group).axes(key) for group, key in keys if self.record.has(group)]
        return fields.KERNEL_AXES in (*axes, self.record.axes(CURRENT_KEY))

    def _arriving(self, target: Target) -> list[Projection]:
        holder = self.record.group("weight")
        if not holder.has(target):
            return []
        sizes = [int(np.prod(sender.shape)) for sender in self.senders]
        columns = np.cumsum([0, *sizes])
        synapses: list[DenseSynapses | ConvSynapses]
        if holder.axes(target) == fields.KERNEL_AXES:
            kernels, exponent = self._scaled(holder, target, holder.int16(target))
            synapses = list(self._convolutions(holder, target, kernels, self.senders, ""))
        else:
            matrix = fields.matrix(holder, target, self.n_neurons, sum(sizes))
            matrix, exponent = self._scaled(holder, target, matrix)
            pairs = pairwise(columns)
            synapses = [DenseSynapses(matrix[:, low:high].copy()) for low, high in pairs]
        delays = self._arriving_delays(target, sizes)
        return [
            Projection(
                part,
                self.position - sender.position,
                target,
                self.limited(delays[..., low:high] + sender.delays),
                exponent,
            )
            for part, sender, low, high in zip(
                synapses, self.senders, columns, columns[1:], strict=False
            )
        ]

    def _arriving_delays(self, target: Target, sizes: list[int]) -> np.ndarray:
        values = fields.delays(self.record, "delay", target)
        matrix = (self.n_neurons, sum(sizes))
        if values is None:
            return np.zeros(sum(sizes), dtype=np.int64)
        if values.shape == matrix:
            return values
        shape = self.senders[0].shape if len(self.senders) == 1 else (sum(sizes),)
        return fields.per_unit(self.record, "delay", values, shape)

    def _own(self, target: Target) -> list[Projection]:
        if not self.record.has("weight_rec"):
            return []
        holder = self.record.group("weight_rec")
        return [self._own_projection(holder, target, target, "_rec")] if holder.has(target) else []

    def _own_projection(self, holder: Record, key: str, target: Target, suffix: str) -> Projection:
        """Projection of the layer to itself, of spikes or, from `CURRENT_KEY`, of its current."""
        message = CURRENT.name if key == CURRENT_KEY else SPIKES.name
        synapses: DenseSynapses | ConvSynapses
        if holder.axes(key) == fields.KERNEL_AXES:
            sender = fields.Sender(self.position, self.shape, np.zeros(0, dtype=np.int64))
            kernels, exponent = self._scaled(holder, key, holder.int16(key))
            (synapses,) = self._convolutions(holder, key, kernels, [sender], suffix)
        else:
            matrix = fields.matrix(holder, key, self.n_neurons, self.n_neurons)
            matrix, exponent = self._scaled(holder, key, matrix)
            synapses = DenseSynapses(matrix)
        delays = np.zeros(self.n_neurons, dtype=np.int64)
        if message == SPIKES.name:
            delays = fields.own_delays(self.record, target, self.shape)
        return Projection(synapses, RECURRENT, target, self.limited(delays), exponent, message)

    def _convolutions(
        self,
        holder: Record,
        key: str,
        kernels: np.ndarray,
        senders: Sequence[fields.Sender],
        suffix: str,
    ) -> list[ConvSynapses]:
        groups = fields.single(self.record, "groups" + suffix)
        return fields.convolutions(
            self.record, kernels, groups, senders, self.shape, suffix, holder, key
        )

    def _scaled(self, holder: Record, key: str, weights: np.ndarray) -> tuple[np.ndarray, int]:
        exponent = fields.exponent(holder, key) + fields.exponent_of_neuron(self.record)
        return fields.scaled(weights, exponent)
