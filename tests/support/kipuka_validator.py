"""Every need of every core from the Program alone, synapse by synapse, in plain loops.

Nothing of the mapper is used but its answer: which neuron lies on which core, chip and router.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.synapses import ConvSynapses, DenseSynapses

WORD = 64


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


def bits_of(projection):
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
    delay = 0
    while int(projection.delays.max(initial=0)) >= 1 << delay:
        delay += 1
    return weight, delay


def words_of(projection, neurons, synapses):
    """Words of 64 bits that a projection takes on a core with these neurons."""
    weight, delay = bits_of(projection)
    kind = projection.synapses
    if isinstance(kind, ConvSynapses):
        planes = 0
        per_channel = kind.n_targets // kind.output_shape[0]
        per_group = kind.weights.shape[0] // kind.groups
        by_channel = projection.delays.reshape(kind.input_shape[0], -1)
        for o in {neuron // per_channel for neuron in neurons}:
            first = o // per_group * kind.weights.shape[1]
            for c in range(first, first + kind.weights.shape[1]):
                planes += len(set(by_channel[c].tolist()))
        return math.ceil(planes * kind.kernel[0] * kind.kernel[1] * (weight + delay) / WORD)
    index = 0
    while len(neurons) > 1 << index:
        index += 1
    by_synapse = projection.delays.ndim == 2
    lists = Counter((s, late if by_synapse else 0) for t, s, late in synapses if t in neurons)
    words = 0
    for length in lists.values():
        row = math.ceil(len(neurons) * (weight + delay) / WORD)
        packed = math.ceil(length * (weight + delay + index) / WORD)
        words += packed if by_synapse else min(row, packed)
    return words


def needs_of(network, owner):
    """What each core needs under each limit, by name; `owner` has the core of each neuron."""
    synapses = [[listed(p) for p in layer.projections] for layer in network.layers]
    n_cores = 1 + max(int(own.max()) for own in owner)
    names = ("neurons", "synaptic memory", "input axons", "output axons", "delay slots", "memory")
    needs = {name: [0] * n_cores for name in names}
    for position, layer in enumerate(network.layers):
        for core in sorted(set(owner[position].tolist())):
            neurons = set(np.flatnonzero(owner[position] == core).tolist())
            axons, words, slots = set(), 0, 0
            for projection, found in zip(layer.projections, synapses[position], strict=True):
                here = [(s, late) for t, s, late in found if t in neurons]
                axons |= {(projection.source, s) for s, _ in here}
                words += words_of(projection, neurons, found)
                slots += len(neurons) * max((late for _, late in here), default=0)
            state = 1 if isinstance(layer.neuron, CubaParameters) else 3
            counted = (len(neurons), words, len(axons), 0, slots, words + state * len(neurons))
            for name, value in zip(names, counted, strict=True):
                needs[name][core] += value
    for core, reached in enumerate(outputs_of(network, owner, synapses, n_cores)):
        needs["output axons"][core] = len(reached)
    return {name: np.array(values) for name, values in needs.items()}


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
    owner = [layer.first_core + layer.parts.assignment() for layer in mapping.layers]
    assert [own.size for own in owner] == [layer.n_neurons for layer in network.layers]
    assert sorted(set(np.concatenate(owner).tolist())) == list(range(mapping.n_cores))
    needs, limits = needs_of(network, owner), chip.limits
    most = {
        "neurons": limits.neurons_per_core,
        "input axons": limits.input_axons_per_core,
        "output axons": limits.output_axons_per_core,
        "delay slots": limits.delay_slots_per_core,
        "synaptic memory": limits.synaptic_words_per_core,
    }
    for name, values in needs.items():
        np.testing.assert_array_equal(mapping.needs(name), values, err_msg=name)
    for name, quantity in most.items():
        assert needs[name].max() <= planned(quantity), name
    in_bytes = {
        "synaptic memory": limits.synaptic_memory_per_core,
        "memory": limits.memory_per_core,
    }
    for name, quantity in in_bytes.items():
        assert needs[name].max() * WORD / 8 <= planned(quantity), name
    places(mapping, planned(limits.cores_per_chip))
    return needs


def places(mapping, cores_per_chip):
    """No chip and no router holds more cores than it has."""
    on_chips = Counter(mapping.chips.tolist())
    assert max(on_chips.values()) <= cores_per_chip
    pairs = zip(mapping.chips.tolist(), mapping.routers.tolist(), strict=True)
    routers = Counter((chip, *router) for chip, router in pairs)
    assert max(routers.values()) <= 4
    assert all(0 <= x < 8 and 0 <= y < 4 for _, x, y in routers)


def planned(quantity):
    """Limit to plan with, in base units: the lower of two figures."""
    bounds = quantity.in_si()
    value = bounds.typical if bounds.low is None else bounds.low
    return math.inf if value is None else value
