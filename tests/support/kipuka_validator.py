"""Every need of every core from the Program alone, synapse by synapse, in plain loops.

Nothing of the mapper is used but its answer: which neuron lies on which core, chip and router.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from kipuka.convert.neurons import CUBA, SPIKING_GRU, SPIKING_MGU
from kipuka.convert.synapses import ConvSynapses, DenseSynapses

STATE_WORDS = {CUBA: 1, SPIKING_GRU: 3, SPIKING_MGU: 2}
"""Words of a neuron's state, by the model; others are not known here."""


def listed(projection):
    """(target, source, delay) of every nonzero weight, by the definition of each kind."""
    synapses, delays, found = projection.synapses, projection.delays, []
    if isinstance(synapses, ConvSynapses):
        found = convolved(synapses)
    elif isinstance(synapses, DenseSynapses):
        found = [(t, s) for t, s in np.ndindex(*synapses.weights.shape) if synapses.weights[t, s]]
    else:
        for s in range(synapses.n_sources):
            for k in range(synapses.offsets[s], synapses.offsets[s + 1]):
                if synapses.weights[k]:
                    found.append((int(synapses.targets[k]), s))
    return [(t, s, int(delays[t, s] if delays.ndim == 2 else delays[s])) for t, s in found]


def convolved(synapses):
    weights, found = synapses.weights, []
    _, height, width = synapses.input_shape
    per_group = weights.shape[0] // synapses.groups
    for target, (o, y, x) in enumerate(np.ndindex(*synapses.output_shape)):
        for c, i, j in np.ndindex(*weights.shape[1:]):
            row = y * synapses.stride[0] - synapses.padding[0] + i * synapses.dilation[0]
            column = x * synapses.stride[1] - synapses.padding[1] + j * synapses.dilation[1]
            channel = o // per_group * weights.shape[1] + c
            if weights[o, c, i, j] and 0 <= row < height and 0 <= column < width:
                found.append((target, (channel * height + row) * width + column))
    return found


def bits_of(projection, packing):
    """Bits of a weight, after division by the largest common power of two, and of a delay."""
    values = [int(w) for w in np.unique(projection.synapses.weights) if w]
    weight = 1
    if values:
        shift = min((v & -v).bit_length() - 1 for v in values)
        low, high = min(values) >> shift, max(values) >> shift
        # Weights of one sign need no bit for it; all negative ones count from -2^bits up to -1.
        sign = low < 0 <= high
        least, most = (-(1 << weight), (1 << weight) - 1) if not sign else (-1, 0)
        while low < least or high > most:
            weight += 1
            half = 1 << weight - sign
            least, most = -half, half - 1
    late = packing["synapse_delay"] if any(int(d) for d in projection.delays.ravel()) else 0
    return weight + late


def list_of(length, bits, packing):
    """Words of a list of so many synapses of so many bits each."""
    words, longest = 0, packing["list_synapses"]
    while length > 0:
        now = min(length, longest)
        words += math.ceil((now * bits + packing["list_header"]) / packing["word"])
        length -= now
    return words


def words_of(projection, neurons, synapses, packing):
    """Words that a projection takes on a core with these neurons."""
    bits = bits_of(projection, packing)
    kind = projection.synapses
    if isinstance(kind, ConvSynapses):
        moves_on = packing["kernel_stride"] if kind.stride[1] > 1 else 0
        per_channel = kind.n_targets // kind.output_shape[0]
        per_group = kind.weights.shape[0] // kind.groups
        by_channel = projection.delays.reshape(kind.input_shape[0], -1)
        outputs = {neuron // per_channel for neuron in neurons}
        words = 0
        for c in range(kind.input_shape[0]):
            reached = len([o for o in outputs if o // per_group == c // kind.weights.shape[1]])
            if reached:
                taps = kind.kernel[0] * kind.kernel[1] * len(set(by_channel[c].tolist()))
                row = reached * (bits + moves_on) + packing["kernel_header"]
                words += taps * math.ceil(row / packing["word"])
        return words
    if isinstance(kind, DenseSynapses):
        row = list_of(len(neurons), bits + packing["synapse_index"], packing)
        return kind.n_sources * row
    lists = Counter(s for t, s, _ in synapses if t in neurons)
    return sum(list_of(n, bits + packing["sparse_index"], packing) for n in lists.values())


def packing_of(chip):
    """Typical number of each key of the profile's packing; what is not published is no limit."""
    found = {}
    for name in type(chip.packing).model_fields:
        value = getattr(chip.packing, name).in_si().typical
        found[name] = math.inf if value is None else int(value)
    return found


def axons_of(layer, found, neurons, packing):
    """Input axons of a core with these neurons; projections from one source share theirs."""
    total, kernels = set(), set()
    for projection, synapses in zip(layer.projections, found, strict=True):
        source = projection.source
        if isinstance(projection.synapses, DenseSynapses):
            total |= {(source, s) for s in range(projection.synapses.n_sources)}
        elif isinstance(projection.synapses, ConvSynapses) and packing["kernel_axons"] < math.inf:
            kernels.add(source)
        else:
            total |= {(source, s) for t, s, _ in synapses if t in neurons}
    return len(total) + (packing["kernel_axons"] * len(kernels) if kernels else 0)


def needs_of(network, owner, packing):
    """What each core needs under each limit, by name; `owner` has the core of each neuron."""
    synapses = [[listed(p) for p in layer.projections] for layer in network.layers]
    n_cores = 1 + max(int(own.max()) for own in owner)
    names = ("neurons", "synaptic memory", "input axons", "output axons", "axon map")
    names += ("delay slots", "memory", "synapses")
    needs = {name: [0] * n_cores for name in names}
    for position, layer in enumerate(network.layers):
        for core in sorted(set(owner[position].tolist())):
            neurons = set(np.flatnonzero(owner[position] == core).tolist())
            words, slots, there = 0, 0, 0
            for projection, found in zip(layer.projections, synapses[position], strict=True):
                here = [(s, late) for t, s, late in found if t in neurons]
                there += len(here)
                words += words_of(projection, neurons, found, packing)
                slots += len(neurons) * max((late for _, late in here), default=0)
            axons = axons_of(layer, synapses[position], neurons, packing)
            mapped = map_of(network, position, neurons)
            state = STATE_WORDS[layer.model]
            memory = words + axons + mapped + state * len(neurons)
            counted = (len(neurons), words, axons, 0, mapped, slots, memory, there)
            for name, value in zip(names, counted, strict=True):
                needs[name][core] += value
    for core, reached in enumerate(outputs_of(network, owner, synapses, n_cores)):
        needs["output axons"][core] = len(reached)
    return {name: np.array(values) for name, values in needs.items()}


def map_of(network, position, neurons):
    """Words that say where these neurons' spikes go."""
    kinds = [
        isinstance(projection.synapses, ConvSynapses)
        for later, layer in enumerate(network.layers)
        for projection in layer.projections
        if later - projection.source == position
    ]
    if not kinds or not all(kinds):
        return len(neurons)
    shape = network.layers[position].shape
    plane = math.prod(shape[1:]) if len(shape) > 1 else 1
    return min(2 * len({neuron % plane for neuron in neurons}), len(neurons))


def outputs_of(network, owner, synapses, n_cores):
    """Pairs (neuron, core that it reaches) by the neuron's own core."""
    reached = [set() for _ in range(n_cores)]
    for position, layer in enumerate(network.layers):
        for projection, found in zip(layer.projections, synapses[position], strict=True):
            sender = position - projection.source
            if sender >= 0:
                for t, s, _ in found:
                    reached[owner[sender][s]].add((sender, s, int(owner[position][t])))
    return reached


def validate(network, mapping, chip):
    """Recompute every need, compare it with the mapping's own, and hold it to the chip's limits."""
    owner = [layer.first_core + layer.parts.assignment() for layer in mapping.groups]
    assert [own.size for own in owner] == [layer.n_neurons for layer in network.layers]
    assert sorted(set(np.concatenate(owner).tolist())) == list(range(mapping.n_cores))
    needs, limits = needs_of(network, owner, packing_of(chip)), chip.limits
    most = {
        "neurons": limits.neurons_per_core,
        "input axons": limits.input_axons_per_core,
        "output axons": limits.output_axons_per_core,
        "delay slots": limits.delay_slots_per_core,
        "synapses": limits.synapses_per_chip,
    }
    ceilings = {
        "synaptic memory": limits.synaptic_words_per_core,
        "axon map": chip.packing.axon_map,
        "memory": chip.packing.total,
    }
    for name, values in needs.items():
        np.testing.assert_array_equal(mapping.needs(name), values, err_msg=name)
    for name, quantity in most.items():
        assert needs[name].max() <= planned(quantity), name
    for name, quantity in ceilings.items():
        typical = quantity.in_si().typical
        assert needs[name].max() <= (math.inf if typical is None else typical), name
    in_bytes = {
        "synaptic memory": limits.synaptic_memory_per_core,
        "memory": limits.memory_per_core,
    }
    word = chip.packing.word.in_si().typical
    for name, quantity in in_bytes.items():
        assert needs[name].max() * word / 8 <= planned(quantity), name
    places(mapping, planned(limits.cores_per_chip), chip.mesh)
    return needs


def places(mapping, cores_per_chip, mesh):
    """No chip and no router holds more cores than it has."""
    on_chips = Counter(mapping.chips.tolist())
    assert max(on_chips.values()) <= cores_per_chip
    pairs = zip(mapping.chips.tolist(), mapping.routers.tolist(), strict=True)
    routers = Counter((chip, *router) for chip, router in pairs)
    assert max(routers.values()) <= mesh.cores_per_router.in_si().typical
    columns, rows = mesh.columns.in_si().typical, mesh.rows.in_si().typical
    assert all(0 <= x < columns and 0 <= y < rows for _, x, y in routers)


def planned(quantity):
    """Limit to plan with, in base units: the lower of two figures."""
    bounds = quantity.in_si()
    value = bounds.typical if bounds.low is None else bounds.low
    return math.inf if value is None else value
