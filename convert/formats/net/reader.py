"""Reading the layers of a `.net` file into those of a Program.

The keys are those of `kipuka.convert.formats.net.keys`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.guarded.records import Record
from kipuka.convert.formats.net import fields
from kipuka.convert.formats.net.fields import Sender
from kipuka.convert.formats.net.gates import GateReader
from kipuka.convert.formats.net.keys import (
    INPUT_BITS,
    ONE_ACTIVATION,
    gated_layers,
    layer_types,
    unknown_type,
)
from kipuka.convert.formats.net.sigma_delta import input_neurons, neurons
from kipuka.convert.program import RECURRENT, Encoder, Layer, Projection
from kipuka.convert.synapses import DenseSynapses
from kipuka.errors import KipukaError


class NetworkReader:
    """Layers of a file, read one after the other.

    Parameters
    ----------
    clamp_delays : bool
        Cut delays beyond the hardware's limit to it, as NetX does, instead of refusing them.

    Attributes
    ----------
    input_shape : tuple of int
    encoder : Encoder or None
    layers : list of Layer
    numbers : list of int
        The number of each layer in the file.
    population : int
        Neurons per class of a closing ``average`` layer, or 1.
    """

    def __init__(self, clamp_delays: bool) -> None:
        self.clamp_delays = clamp_delays
        self.input_shape: tuple[int, ...] = ()
        self.encoder: Encoder | None = None
        self.layers: list[Layer] = []
        self.numbers: list[int] = []
        self.population = 1
        self._outlets: dict[int, tuple[Sender, ...]] = {}
        self._closed_by: str | None = None

    def read(self, number: int, record: Record) -> None:
        """Read the layer of that number.

        Raises
        ------
        KipukaError
            If type, key, shape or value are not what Kipuka runs exactly.
        """
        kind = record.text("type")
        if self._closed_by:
            raise unknown_type(kind, ("nothing after an average layer",), record.where)
        if number and kind == "input":
            raise unknown_type(kind, layer_types()[1:], record.where)
        if kind == "input":
            self._outlets[number] = (self._read_input(record),)
        elif kind in (*ONE_ACTIVATION, *gated_layers()):
            self._read_neurons(number, kind, record)
        elif number and kind == "flatten":
            self._outlets[number] = self._flattened(number, record)
        elif number and kind == "concat":
            self._outlets[number] = self._joined(number, record)
        elif number and kind == "average":
            self.population = self._read_population(record)
            self._closed_by = kind
        else:
            raise unknown_type(kind, layer_types(), record.where)
        record.refuse_unread()

    def readout_delays(self) -> np.ndarray:
        """Axonal delays that the last layer's entry gives, int16 (neurons,)."""
        last = self._outlets[self.numbers[-1]][0] if self.numbers else None
        return np.zeros(0, dtype=np.int16) if last is None else last.delays.astype(np.int16)

    def _read_input(self, record: Record) -> Sender:
        self.input_shape = fields.shape_of(record)
        nothing = np.zeros(int(np.prod(self.input_shape)), dtype=np.int64)
        if not record.has("neuron"):
            return Sender(-1, self.input_shape, nothing)
        values = {"weight": fixed.WEIGHT_SCALE, "bias": 0}
        for key in values:
            if record.has(key):
                values[key] = fields.single(record, key)
        fields.expect(record.group("neuron"), "wgtExp", (0,))
        fields.expect(record, "inputBits", (INPUT_BITS,))
        self.encoder = Encoder(**values, eight_bit=record.has("inputBits"))
        neuron = input_neurons(record, self.input_shape)
        self.layers.append(Layer(neuron, self.input_shape, ()))
        self.numbers.append(0)
        return Sender(0, self.input_shape, nothing)

    def _read_neurons(self, number: int, kind: str, record: Record) -> None:
        senders = self._outlets.get(number - 1, ())
        if number == 0:
            senders = (self._input_before(kind, record),)
        if kind in ("conv", "pool"):
            layer = self._read_convolution(kind, record, senders)
        elif kind in gated_layers():
            model = gated_layers()[kind]
            layer = GateReader(record, model, senders, len(self.layers), self._limited).read()
        else:
            layer = self._read_dense(kind, record, senders)
        delays = fields.outgoing_delays(record, kind, layer.shape)
        self._outlets[number] = (Sender(len(self.layers), layer.shape, self._limited(delays)),)
        self.layers.append(layer)
        self.numbers.append(number)

    def _input_before(self, kind: str, record: Record) -> Sender:
        """Input of a file whose layer 0 has neurons already: dense layers state its size."""
        if kind in ("conv", "pool") or not record.has("inFeatures"):
            raise KipukaError(
                "the shape of the input is not known",
                where=record.where,
                limit="an input layer before a layer without inFeatures",
                value=f"layer 0 of type {kind}",
                remedy="begin the network with slayer.block.cuba.Input and export it again",
            )
        self.input_shape = (fields.units_of(record, "inFeatures"),)
        return Sender(-1, self.input_shape, np.zeros(self.input_shape, dtype=np.int64))

    def _read_dense(self, kind: str, record: Record, senders: tuple[Sender, ...]) -> Layer:
        n_neurons = int(np.prod(fields.shape_of(record)))
        sizes = [int(np.prod(sender.shape)) for sender in senders]
        for key, expected in (("inFeatures", sum(sizes)), ("outFeatures", n_neurons)):
            fields.expect(record, key, (expected,))
        neuron = neurons(record, (n_neurons,))
        extra = fields.exponent_of_neuron(record)
        projections = []
        weights, exponent = fields.scaled(
            fields.matrix(record, "weight", n_neurons, sum(sizes)),
            fields.exponent(record, "weight") + extra,
        )
        delays = self._arriving_delays(record, weights.shape)
        columns = np.cumsum([0, *sizes])
        for sender, low, high in zip(senders, columns, columns[1:], strict=False):
            summed = self._limited(delays[..., low:high] + sender.delays)
            synapses = DenseSynapses(weights[:, low:high].copy())
            back = len(self.layers) - sender.position
            projections.append(Projection(synapses, back, "a", summed, exponent))
        if kind == "dense_rec":
            weights, exponent = fields.scaled(
                fields.matrix(record, "weight_rec", n_neurons, n_neurons),
                fields.exponent(record, "weight_rec") + extra,
            )
            own = self._limited(fields.own_delays(record, "a", (n_neurons,)))
            projections.append(Projection(DenseSynapses(weights), RECURRENT, "a", own, exponent))
        return Layer(neuron, (n_neurons,), tuple(projections))

    def _arriving_delays(self, record: Record, shape: tuple[int, ...]) -> np.ndarray:
        """Delays of arriving spikes, (sources,) or (targets, sources); zeros if none are given."""
        values = fields.delays(record, "delay", "a")
        if values is None or fields.belongs_to_output(values, shape[0]):
            return np.zeros(shape[1], dtype=np.int64)
        if values.shape in ((), (shape[1],)):
            return np.broadcast_to(values, shape[1:])
        if values.shape == shape:
            # Equal rows are axonal delays, which are cheaper than delays per synapse.
            return values[0] if np.all(values == values[:1]) else values
        raise KipukaError(
            "the delays do not fit the layer",
            where=f"{record.where}, key delay",
            limit=f"1 value, {shape[0]} (neurons), {shape[1]} (inputs) or {shape} (synapses)",
            value=f"shape {values.shape}",
            remedy="export the network again",
        )

    def _read_convolution(self, kind: str, record: Record, senders: tuple[Sender, ...]) -> Layer:
        shape = fields.shape_of(record)
        sizes = [int(np.prod(sender.shape)) for sender in senders]
        n_channels = sum(sender.shape[0] for sender in senders)
        weights, groups = fields.kernels(kind, record, n_channels)
        weights, exponent = fields.scaled(
            weights, fields.exponent(record, "weight") + fields.exponent_of_neuron(record)
        )
        synapses = fields.convolutions(record, weights, groups, senders, shape)
        arriving = fields.delays(record, "delay_in", "a")
        if arriving is None:
            arriving = np.zeros(sum(sizes), dtype=np.int64)
        arriving = fields.per_unit(record, "delay_in", arriving, (sum(sizes),))
        units = np.cumsum([0, *sizes])
        projections = [
            Projection(
                part,
                len(self.layers) - sender.position,
                "a",
                self._limited(arriving[low:high] + sender.delays),
                exponent,
            )
            for part, sender, low, high in zip(synapses, senders, units, units[1:], strict=False)
        ]
        return Layer(neurons(record, shape), shape, tuple(projections))

    def _flattened(self, number: int, record: Record) -> tuple[Sender, ...]:
        senders = self._outlets[number - 1]
        units = sum(int(np.prod(sender.shape)) for sender in senders)
        fields.expect_size(record, units)
        return tuple(replace(s, shape=(int(np.prod(s.shape)),)) for s in senders)

    def _joined(self, number: int, record: Record) -> tuple[Sender, ...]:
        listed = [int(n) for n in record.numbers("layers").ravel()]
        wrong = [n for n in listed if not 0 <= n < number]
        if wrong:
            raise KipukaError(
                "a concat layer can only join layers before it",
                where=f"{record.where}, key layers",
                limit=f"0 to {number - 1}",
                value=wrong[0],
                remedy="use a dense_rec layer for a recurrence",
            )
        first = [] if number - 1 in listed else [number - 1]
        senders = tuple(s for n in [*first, *listed] for s in self._outlets[n])
        if len({s.position for s in senders}) < len(senders):
            raise KipukaError(
                "a concat layer joins the same neurons twice",
                where=f"{record.where}, key layers",
                limit="different layers",
                value=listed,
                remedy="add up the weights of the doubled neurons",
            )
        fields.expect_size(record, sum(int(np.prod(s.shape)) for s in senders))
        return senders

    def _read_population(self, record: Record) -> int:
        n_classes = int(np.prod(fields.shape_of(record)))
        neurons = self.layers[-1].n_neurons if self.layers else 0
        if n_classes < 1 or neurons % n_classes:
            raise KipukaError(
                "the classes do not divide the last layer",
                where=f"{record.where}, key shape",
                limit=f"a divisor of {neurons}",
                value=n_classes,
                remedy="give every class the same number of neurons",
            )
        return neurons // n_classes

    def _limited(self, delays: np.ndarray) -> np.ndarray:
        if self.clamp_delays:
            delays = np.minimum(delays, fixed.DELAY_MAX)
        narrow = np.iinfo(np.int16)
        # What 16 bits cannot hold stays out of range, so that the design rule names it.
        return np.clip(delays, narrow.min, narrow.max).astype(np.int16)
