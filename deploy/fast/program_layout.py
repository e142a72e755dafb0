"""A Program laid out for the kernels: tables and pools."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import Layer, Program, Projection
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses
from kipuka.deploy.fast import delivery_groups, synapse_layout, table_layout
from kipuka.deploy.fast.addresses import aligned
from kipuka.deploy.fast.delivery_groups import (
    DeliveryGroup,
    Link,
    delivery_groups_of,
    steps_together,
)
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.constants import (
    BLOCKS_AT_ONCE,
    FAR,
    HALF,
    LANES,
    PLANES,
)
from kipuka.deploy.fast.neuron_layout import NeuronLayout, neuron_layout, repeating
from kipuka.deploy.fast.packed_program import Packed


@dataclass
class _Pool:
    """Arrays one behind the other, joined at the end."""

    dtype: type
    parts: list[np.ndarray] = field(default_factory=list)
    size: int = 0

    def add_at(self, multiple: int) -> int:
        """Fill up to a multiple of so many entries, where the next array begins."""
        self.add(np.zeros(-self.size % multiple, self.dtype))
        return self.size

    def add(self, array: np.ndarray) -> int:
        """Append an array and return where it begins."""
        first = self.size
        self.parts.append(array.ravel().astype(self.dtype, copy=False))
        self.size += array.size
        return first

    def joined(self) -> np.ndarray:
        """Give all parts as one array."""
        whole = aligned(self.size, self.dtype)
        return np.concatenate([np.zeros(0, self.dtype), *self.parts], out=whole)


def pack(program: Program) -> Packed:
    """Lay out a Program for the kernels."""
    packer = _Packer(program)
    packer.add_input()
    for position in range(len(program.layers)):
        packer.add_layer(position)
    return packer.packed()


def _is_seen(program: Program, position: int) -> bool:
    """Whether a convolution looks at the spikes of a layer."""
    if program.layers[position].neuron_model.sends.graded:
        return False
    return any(
        back == later - position and isinstance(projection.synapses, ConvSynapses)
        for later, layer in enumerate(program.layers)
        for projection in layer.projections
        for back in [projection.source]
    )


class _Packer:
    """The tables and pools while they grow."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.places = tuple(
            synapse_layout.places(layer, _is_seen(program, position))
            for position, layer in enumerate(program.layers)
        )
        self.groups_of = [delivery_groups_of(program, n) for n in range(len(program.layers))]
        self.steps_together = steps_together(group for some in self.groups_of for group in some)
        self.layers = np.zeros(1 + len(program.layers), at.LAYER)
        self.groups: list[np.ndarray] = []
        self.links: list[tuple[int, np.ndarray]] = []
        self.currents: list[np.ndarray] = []
        self.order, self.states = _Pool(np.int32), _Pool(np.int32)
        self.paired = _Pool(np.int16)
        self.tables = _Pool(np.int16)
        self.dense, self.sparse = _Pool(np.int8), _Pool(np.int8)
        self.targets, self.delays = _Pool(np.int32), _Pool(np.int32)
        self.starts, self.geometry = _Pool(np.int64), _Pool(np.int64)
        self.fan_out, self.exponents = _Pool(np.int64), _Pool(np.int64)
        self.reach, self.biases = _Pool(np.int32), _Pool(np.int32)
        self.ring = self.spread = self.filled = self.sums = self.arrived = self.image = 0

    def add_input(self) -> None:
        """Number the input's units, which come first."""
        self.layers[0]["neurons"] = self.program.n_inputs
        self.order.add(np.arange(self.program.n_inputs))

    def add_layer(self, position: int) -> None:
        """Add a layer with its states, its groups and what leads to them."""
        layer, place = self.program.layers[position], self.places[position]
        row = self.layers[position + 1]
        groups = self.groups_of[position]
        exponents = sorted({group.exponent for group in groups}) or [0]
        row["neurons"], row["blocks"], row["width"] = layer.n_neurons, place.blocks, place.width
        row["first_unit"] = self.order.add(place.order)
        row["first_peak"] = (position + 1) * at.STATES * LANES
        row["graded"] = layer.neuron_model.sends.graded
        row["first_sum"] = self.sums
        row["first_group"] = len(self.groups)
        for group in groups:
            first = self.sums + exponents.index(group.exponent) * place.width
            self._add_group(group, first)
        row["end_group"] = len(self.groups)
        if layer.of_current:
            self._add_current(position, layer.of_current)
        sums, copies = len(exponents) * place.width, 1
        if any(group.together for group in groups):
            sums += 2 * LANES
            row["sum_step"], copies = sums, self.steps_together
        self.sums += sums * copies
        self.arrived += place.width
        layout = neuron_layout(layer, f"layer {self.program.numbers[position]}")
        self._add_neurons(position, layout)
        # A whole weight unit is what an activation is counted in, unless the encoder is finer.
        fine = row["encoded"] == at.IN_STATE_UNITS
        shift = 0 if fine else layout.activation_shift
        self._set_shift(row, layer, exponents, shift)

    def _set_shift(
        self, row: np.ndarray, layer: Layer, exponents: list[int], activation_shift: int
    ) -> None:
        """Say how the sums of halved weights become activations."""
        spiking = [p for p in layer.projections if p.message == "spikes"]
        reach = sum(
            fixed.shift_left(synapse_layout.largest_sum(p.synapses), p.weight_exponent)
            for p in spiking
        )
        row["shift"] = activation_shift
        # Weighted currents are whole weight units and cannot join sums of halved weights.
        far = reach >= FAR and not row["graded"]
        if len(exponents) > 1 or far or row["current"]:
            row["exponents"] = len(exponents)
            row["first_exponent"] = self.exponents.add(np.array(exponents) + 1)
        elif layer.projections:
            row["shift"] += exponents[0] + 1

    def _add_neurons(self, position: int, layout: NeuronLayout) -> None:
        place, row = self.places[position], self.layers[position + 1]
        row["model"] = layout.kernel
        for key, value in layout.shared.items():
            row[key] = value
        if self.program.encoder and position == 0:
            row["encoded"] = at.IN_STATE_UNITS if self.program.encoder.fine else at.IN_WEIGHT_UNITS
        row["rows"], row["memory"] = layout.n_rows, layout.memory
        blocks = np.zeros((place.blocks, layout.n_rows, LANES), np.int32)
        block, lane = np.divmod(place.place, LANES)
        for number, array in enumerate(layout.values, start=layout.memory):
            blocks[block, number, lane] = array
        row["first_state"] = self.states.add(blocks)
        if layout.biases is not None:
            biases = np.zeros((place.blocks, LANES), np.int32)
            biases[block, lane] = layout.biases
            row["bias_period"], kept = repeating(biases)
            row["first_bias"] = self.biases.add(kept)

    def _add_group(self, group: DeliveryGroup, first_sum: int) -> None:
        place = self.places[group.position]
        row = np.zeros((), at.GROUP)
        capacity = row["sources"] = group.n_sources
        slots = group.slots(self.steps_together)
        row["kind"], row["mask"] = group.kind, slots - 1
        row["first_sum"], row["first_arrival"] = first_sum, self.arrived
        row["blocks"], row["stride"] = place.blocks * place.gates, LANES
        row["first_row"] = self.fan_out.size
        row["graded"] = self.program.layers[group.position].neuron_model.receives == "graded"
        if group.kind == at.DENSE and group.gate is not None:
            row["first_sum"] += group.gate * LANES
            row["first_arrival"] += group.gate * LANES
            row["blocks"], row["stride"] = place.blocks, place.gates * LANES
        if group.kind == at.PER_SYNAPSE:
            row["capacity"], row["first_slot"] = place.width, self.spread
            self.spread += slots * place.width
        else:
            if group.kind == at.CONVOLUTION:
                ((projection,),) = (link.projections for link in group.links)
                assert isinstance(projection.synapses, ConvSynapses)
                capacity = max(capacity, table_layout.image_words(projection.synapses))
            row["capacity"], row["first_slot"] = capacity, self.ring
            row["first_filled"] = self.filled
            self.ring += slots * capacity
            self.filled += slots
        add = {
            at.DENSE: self._add_dense,
            at.SPARSE: self._add_sparse,
            at.WEIGHED: self._add_weighed,
            at.CONVOLUTION: self._add_convolution,
            at.PER_SYNAPSE: self._add_per_synapse,
        }
        first = 0
        add[group.kind](group, row)
        for link in group.links:
            self._add_link(link, len(self.groups), row, first)
            first += link.n_sources
            fan_out = sum(p.synapses.fan_out() for p in link.projections)
            self.fan_out.add(np.asarray(fan_out))
        self.groups.append(row)

    def _add_current(self, position: int, projection: Projection) -> None:
        place, synapses = self.places[position], projection.synapses
        row = np.zeros((), at.CURRENT)
        row["first_fan_out"] = self.fan_out.add(synapses.fan_out())
        row["first_arrival"] = self.arrived
        if isinstance(synapses, ConvSynapses):
            row["kind"] = at.CONVOLUTION
            row["first_geometry"] = self.geometry.add(
                synapse_layout.convolution_geometry(synapses, 1, 0, False)
            )
            gate = self.program.layers[position].targets.index(projection.target)
            counting = synapse_layout.convolution_geometry(synapses, place.gates, gate, False)
            row["counting_geometry"] = self.geometry.add(counting)
            weights = synapse_layout.convolution_weights(synapses, False)
            row["first_weight"] = self.dense.add(weights)
        else:
            row["kind"] = at.DENSE
            matrix = np.zeros((synapses.n_sources, place.blocks * LANES), np.int8)
            matrix[:, place.place] = synapse_layout.halved(synapses.weights).T
            row["first_weight"] = self.dense.add(matrix)
        self.currents.append(row)
        self.layers[position + 1]["current"] = len(self.currents)

    def _add_link(self, link: Link, group: int, group_row: np.ndarray, first_row: int) -> None:
        row = np.zeros((), at.LINK)
        row["fewest"] = at.NEVER
        row["group"], row["first_row"], row["sources"] = group, first_row, link.n_sources
        if link.delays.ndim == 1:
            row["first_delay"] = self.delays.add(link.delays)
            same = bool(np.all(link.delays == link.delays[0]))
            row["delay"] = link.delays[0] if same else -1
            if same and group_row["kind"] == at.CONVOLUTION and group_row["fewest"] < at.NEVER:
                self._add_image(link, row)
        self.links.append((link.source, row))

    def _add_image(self, link: Link, row: np.ndarray) -> None:
        """Let a link carry images, if its sources lie as they do in one."""
        ((projection,), source) = link.projections, link.source
        synapses = projection.synapses
        assert isinstance(synapses, ConvSynapses)
        if source < 0 or not self._lies_as(source, synapses.input_shape):
            return
        place = self.places[source]
        row["first_reach"] = self.reach.add(table_layout.reach(synapses, place.place))
        row["source_blocks"] = place.blocks
        row["fewest"] = table_layout.fewest_spikes(synapses, listed=False)

    def _lies_as(self, position: int, shape: tuple[int, ...]) -> bool:
        order = self.places[position].order[: self.program.layers[position].n_neurons]
        return np.array_equal(order, synapse_layout.channels_last(shape))

    def _add_dense(self, group: DeliveryGroup, row: np.ndarray) -> None:
        place, layer = self.places[group.position], self.program.layers[group.position]
        row["together"] = group.together
        size = int(row["blocks"])
        if group.together:
            # Strips are whole, and an odd number of them to a row spreads one over the cache.
            size = BLOCKS_AT_ONCE * (-(-size // BLOCKS_AT_ONCE) | 1)
        row["row_size"] = size * HALF
        row["first_weight"] = self.paired.add_at(BLOCKS_AT_ONCE * HALF)
        for link in group.links:
            matrix = np.zeros((link.n_sources, size * LANES), np.int8)
            for p in link.projections:
                gate = layer.targets.index(p.target)
                columns = place.activation(gate) if group.gate is None else place.place
                matrix[:, columns] = synapse_layout.halved(p.synapses.weights).T
            self.paired.add(synapse_layout.paired(matrix))

    def _add_weighed(self, group: DeliveryGroup, row: np.ndarray) -> None:
        place = self.places[group.position]
        row["first_weight"] = self.dense.size
        for link in group.links:
            (projection,) = link.projections
            matrix = np.zeros((link.n_sources, place.width), np.int8)
            matrix[:, place.place] = synapse_layout.halved(projection.synapses.weights).T
            self.dense.add(matrix)

    def _add_sparse(self, group: DeliveryGroup, row: np.ndarray) -> None:
        place, layer = self.places[group.position], self.program.layers[group.position]
        row["first_start"] = self.starts.size
        for link in group.links:
            (projection,) = link.projections
            synapses = projection.synapses
            if isinstance(synapses, DenseSynapses):
                synapses = synapse_layout.as_sparse(synapses)
            assert isinstance(synapses, SparseSynapses)
            activation = place.activation(layer.targets.index(projection.target))
            # The next link's first start repeats this one's end.
            self.starts.add(synapses.offsets[:-1] + self.targets.size)
            self.targets.add(activation.astype(np.int32)[synapses.targets])
            self.sparse.add(synapse_layout.halved(synapses.weights))
        self.starts.add(np.array([self.targets.size]))

    def _add_convolution(self, group: DeliveryGroup, row: np.ndarray) -> None:
        place, layer = self.places[group.position], self.program.layers[group.position]
        ((projection,),) = (link.projections for link in group.links)
        synapses, gate = projection.synapses, layer.targets.index(projection.target)
        assert isinstance(synapses, ConvSynapses)
        windows = synapse_layout.in_windows(synapses, place.gates)
        row["first_geometry"] = self.geometry.add(
            synapse_layout.convolution_geometry(synapses, place.gates, gate, windows)
        )
        weights = synapse_layout.convolution_weights(synapses, windows)
        row["first_weight"] = self.dense.add(weights)
        row["fewest"] = at.NEVER
        if table_layout.by_tables(synapses, place.gates) and not row["graded"]:
            self.dense.add(table_layout.table_weights(synapses))
            ahead = table_layout.made_ahead(synapses)
            made = self.tables.add(table_layout.tables(synapses)) if ahead else -1
            row["first_table"] = self.geometry.add(
                table_layout.table_geometry(synapses, weights.size, made)
            )
            row["fewest"] = table_layout.fewest_spikes(synapses)
            self.image = max(self.image, table_layout.image_words(synapses))

    def _add_per_synapse(self, group: DeliveryGroup, row: np.ndarray) -> None:
        place, layer = self.places[group.position], self.program.layers[group.position]
        row["first_start"] = self.starts.size
        for link in group.links:
            (projection,) = link.projections
            activation = place.activation(layer.targets.index(projection.target))
            weights = projection.synapses.weights.T
            sources, targets = np.nonzero(weights)
            delays = link.delays.T[sources, targets].astype(np.int64)
            fan_out = np.count_nonzero(weights, axis=1)
            starts = np.concatenate([[0], np.cumsum(fan_out)[:-1]])
            self.starts.add(starts + self.targets.size)
            self.targets.add(delays * place.width + activation[targets])
            self.sparse.add(synapse_layout.halved(weights[sources, targets]))
        self.starts.add(np.array([self.targets.size]))

    def packed(self) -> Packed:
        """Give everything that was added."""
        # A layer's links follow each other, so that its spikes find them as a range.
        self.links.sort(key=lambda link: link[0])
        sources = np.array([source for source, _ in self.links], dtype=np.int64)
        for position in range(-1, len(self.program.layers)):
            row = self.layers[position + 1]
            row["first_link"], row["end_link"] = np.searchsorted(sources, [position, position + 1])
        links = np.array([row for _, row in self.links], at.LINK)
        links["first_source"] = self.layers["first_unit"][sources + 1]
        tally = 0
        for row in self.layers:
            ours = links[row["first_link"] : row["end_link"]]
            row["fewest"] = ours["fewest"].max(initial=0) if ours.size else at.NEVER
            if row["fewest"] < at.NEVER:
                row["first_tally"] = tally
                tally += 1 + (1 + PLANES) * int(row["blocks"])
        reset = self.program.reset
        models = self.layers["model"][1:]
        network = at.Network(
            layers=self.layers,
            groups=np.array(self.groups, at.GROUP),
            links=links,
            currents=np.array(self.currents, at.CURRENT),
            exponents=self.exponents.joined(),
            order=self.order.joined(),
            paired=self.paired.joined(),
            tables=self.tables.joined(),
            dense=self.dense.joined(),
            sparse=self.sparse.joined(),
            targets=self.targets.joined(),
            starts=self.starts.joined(),
            geometry=self.geometry.joined(),
            delays=self.delays.joined(),
            fan_out=self.fan_out.joined(),
            reach=self.reach.joined(),
            biases=self.biases.joined(),
            pace=np.array(
                [
                    self.steps_together,
                    delivery_groups.MANY_ROWS,
                    *((reset.interval, reset.offset) if reset else (0, 0)),
                ],
                np.int64,
            ),
            convolved=bool(self.geometry.size),
            gated=bool(np.isin(models, at.GATED).any()),
            with_payloads=bool(np.isin(models, at.GRADED).any()),
        )
        return Packed(
            network=network,
            places=self.places,
            states=self.states.joined(),
            ring=self.ring,
            spread=self.spread,
            filled=self.filled,
            sums=self.sums,
            arrived=self.arrived,
            pending=self.fan_out.size,
            image=self.image,
            tally=tally,
        )
