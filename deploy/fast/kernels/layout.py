"""Where the kernels find things: tables of integers that point into flat arrays.

A network becomes a few tables (layers, groups, links) and pools (weights, delays, states), so that
one compiled function runs all networks, with convolutions, delays and recurrences of any number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CUBA_SHARED, CUBA_OWN, SPIKING_GRU, DELTA, SIGMA_DELTA, SIGMA, SPIKING_MGU = range(7)
"""Models: CUBA neurons share decays and threshold, or have their own."""

GATED = SPIKING_GRU, SPIKING_MGU
GRADED = DELTA, SIGMA_DELTA, SIGMA
"""Models whose updates are compiled for networks that have them."""

DENSE, SPARSE, CONVOLUTION, PER_SYNAPSE, WEIGHED = range(5)
"""Kinds of groups; `WEIGHED` are dense rows that payloads multiply."""

IN_WEIGHT_UNITS, IN_STATE_UNITS = 1, 2
"""What the activations of an encoder are counted in."""

STATES = 3
"""Most states that a model records."""

STEPS_TOGETHER, MANY_ROWS, RESET_INTERVAL, RESET_OFFSET = range(4)
"""Entries of a network's pace."""

NEVER = np.iinfo(np.int64).max
"""Spikes that no step has."""


def _table(*fields: str) -> np.dtype:
    return np.dtype([(name, np.int64) for name in fields])


LAYER = _table(
    "model",
    "neurons",
    "blocks",
    "rows",
    "memory",
    "first_state",
    "first_bias",
    "bias_period",
    "first_tally",
    "first_peak",
    "first_unit",
    "first_group",
    "end_group",
    "first_link",
    "end_link",
    "first_sum",
    "sum_step",
    "width",
    "shift",
    "exponents",
    "first_exponent",
    "current_factor",
    "voltage_factor",
    "threshold",
    "state_column",
    "second_state_column",
    "third_state_column",
    "spike_column",
    "payload_column",
    "encoded",
    "current",
    "graded",
    "fewest",
)
"""A layer; the first one of the table stands for the input, which has units and links only.

``first_unit`` counts units over the whole network, ``width`` the activations of a layer, padded.
Where a layer's groups take the arrivals of some steps together, its sums of each step lie
``sum_step`` behind those of the step before; elsewhere that is 0.
``exponents`` is 0 where one shift turns a sum into an activation; elsewhere it is the number of
sets of sums, one for each weight exponent, that must be combined. ``encoded`` is not 0 where the
network's input is the activation. ``current`` is 1 + the place in the table of currents of a layer
whose own currents go to its update gates, else 0. ``graded`` is 1 where spikes have a payload. A
block has ``rows`` rows, of which the first ``memory`` change; a layer's biases that stand elsewhere
repeat after ``bias_period`` blocks. In a step with ``fewest`` spikes or more nobody needs a list of
them, and they are counted from ``first_tally`` on. Recording columns are -1 where nothing is
recorded.
"""

GROUP = _table(
    "kind",
    "first_sum",
    "stride",
    "blocks",
    "first_slot",
    "capacity",
    "mask",
    "first_filled",
    "first_row",
    "first_weight",
    "first_start",
    "first_geometry",
    "first_arrival",
    "graded",
    "first_table",
    "fewest",
    "sources",
    "together",
    "row_size",
)
"""A group; ``first_row`` counts rows over the whole network, and ``graded`` is 1 where spikes have
a payload.

Of a group with delays per synapse, ``capacity`` is the number of sums in a slot. A convolution runs
by tables, whose geometry begins at ``first_table``, in steps with ``fewest`` spikes or more of its
``sources``. Dense rows are ``row_size`` apart; ``together`` is 1 where the arrivals of some steps
may be added together.
"""

LINK = _table(
    "group",
    "first_row",
    "delay",
    "first_delay",
    "first_source",
    "sources",
    "fewest",
    "first_reach",
    "source_blocks",
)
"""A link, which leads from a layer's spikes to a group.

A spike of source j adds row ``first_row`` + j of the group; ``first_source`` is the first source's
unit. ``delay`` is that of all sources, or -1 where they differ. In a step with ``fewest`` spikes or
more the link carries an image of bits, drawn from the ``source_blocks`` blocks of the layer that
sends; how many targets their lanes reach begins at ``first_reach``.
"""


CURRENT = _table(
    "kind",
    "first_weight",
    "first_geometry",
    "counting_geometry",
    "first_fan_out",
    "first_arrival",
)
"""Currents of a layer that go to its own update gates, by `DENSE` or `CONVOLUTION`.

``counting_geometry`` is that of a group among a neuron's activations, to count arrivals by.
"""


class Network(NamedTuple):
    """What stays the same during a run.

    Attributes
    ----------
    layers, groups, links, currents : arrays of `LAYER`, `GROUP`, `LINK` and `CURRENT`
    exponents : int64 array
        Left shifts of the halved weights, for layers with several sets of sums.
    order : int32 array
        Number in the Program of each neuron, by its place in the blocks.
    paired : int16 array
        Halved weights of dense rows, two to a number as `kernels.lanes.add_rows` wants them.
    tables : int16 array
        Tables of small convolutions, made ahead.
    dense : int8 array
        Halved weights of convolutions, of rows that payloads multiply, and of currents.
    sparse : int8 array
    targets : int32 array
    starts : int64 array
    geometry : int64 array
    delays : int32 array
    fan_out : int64 array
        Nonzero weights per row.
    reach : int32 array
        The same for links that carry images, as planes of bits: how many bits the numbers have,
        then, from the lowest bit on, a mask for each block of the layer that sends, and one more if
        they are odd.
    biases : int32 array
        Blocks of biases.
    pace : int64 array
        `STEPS_TOGETHER`: steps that run layer after layer; `MANY_ROWS`: dense rows a step from
        which on a layer adds them together; `RESET_INTERVAL` (0 for never) and `RESET_OFFSET` of
        resets.
    convolved, gated, with_payloads : bool
        Whether there are convolutions, gated neurons and payloads: see `kernels.parts`.
    """

    layers: np.ndarray
    groups: np.ndarray
    links: np.ndarray
    currents: np.ndarray
    exponents: np.ndarray
    order: np.ndarray
    paired: np.ndarray
    tables: np.ndarray
    dense: np.ndarray
    sparse: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    geometry: np.ndarray
    delays: np.ndarray
    fan_out: np.ndarray
    reach: np.ndarray
    biases: np.ndarray
    pace: np.ndarray
    convolved: bool
    gated: bool
    with_payloads: bool

    @property
    def parts(self) -> tuple[bool, ...]:
        """What kernels are compiled for."""
        return self.convolved, self.gated, self.with_payloads


class Workspace(NamedTuple):
    """What changes during a run: one per thread.

    Attributes
    ----------
    states : int32 array
        Blocks of states and parameters.
    sums : int32 array
        Halved weights that arrived in this step.
    ring : int32 array
        Lists of arriving rows, slot by slot, or images of bits.
    loads : int32 array
        Payload of each arriving row; of length 1 where nothing has one.
    filled : int64 array
        Length of each list; of an image -1 less its number of synaptic operations.
    spread : int64 array
        Sums of the coming steps, for delays per synapse, with the number of arrivals above.
    spikes : int32 array
        Neurons that spike in this step.
    payloads : int32 array
        What they send, if that is a payload.
    masks : int32 array (most blocks,)
        The same as bits, one for each lane.
    emitted, saturations, wraps : int64 arrays (units,)
        Counts since the workspace was made; the input's units come first.
    tally : int32 array
        Spikes that were never listed: see `kernels.lanes.count_up`.
    current_sums : int32 array
        Halved weights times graded messages that arrived in this step at one layer.
    messages : int64 array (units,)
        Graded messages besides 0 that have arrived, by the unit that sent them; of length 0 where
        there are no currents.
    pending : int64 array (rows,)
        Spikes that had not arrived when their sample ended.
    arrived : int64 array
        Arrivals by activation, layer after layer; before the end of a run only those over
        synapses with delays of their own.
    peaks : int32 array (layers x STATES x lanes,)
        Largest magnitudes of all states, lane by lane.
    settled : bool array (layers,)
        Whether the layer's next update changes nothing unless something arrives.
    kept : int32 array
        What the blocks of one layer remembered before an update.
    seen, image, tables : int8, int32 and int16 arrays
        Spikes of a step, a byte and a bit for each, and sums of weights, for `kernels.tables`.
    few : int32 array
        Zeros, one for each activation, for `kernels.counting`.
    """

    states: np.ndarray
    sums: np.ndarray
    ring: np.ndarray
    loads: np.ndarray
    filled: np.ndarray
    spread: np.ndarray
    spikes: np.ndarray
    payloads: np.ndarray
    masks: np.ndarray
    emitted: np.ndarray
    saturations: np.ndarray
    wraps: np.ndarray
    tally: np.ndarray
    current_sums: np.ndarray
    messages: np.ndarray
    pending: np.ndarray
    arrived: np.ndarray
    peaks: np.ndarray
    settled: np.ndarray
    kept: np.ndarray
    seen: np.ndarray
    image: np.ndarray
    tables: np.ndarray
    few: np.ndarray


class Recording(NamedTuple):
    """Where the results of a sample go; arrays may have no columns where nothing is recorded.

    Attributes
    ----------
    spikes : bool array (steps, columns)
    payloads, states : int32 array (steps, columns)
    step_spikes, step_operations : int64 array (1 + layers, steps or 1)
        Row 0 is the input.
    """

    spikes: np.ndarray
    payloads: np.ndarray
    states: np.ndarray
    step_spikes: np.ndarray
    step_operations: np.ndarray


(
    RECORDING, OFFSETS, UNITS, ACTIVATIONS, ACTIVATION_STEP, FIRST_STEP, N_STEPS, FIRST_ROW, ENDS,
    SENT, SENT_OFFSETS,
) = range(11)  # fmt: skip
"""Entries of a stretch: steps of a sample that are run in one go.

`RECORDING`, `OFFSETS`, `UNITS`, `ACTIVATIONS`, `SENT` and `SENT_OFFSETS` are addresses, of a table
and of arrays as `kernels.network.advance` has them; the last two are 0 where nobody wants the
spikes of the last layer. `ENDS` is 1 where the sample ends with these steps.
"""

STRETCH_ENTRIES = SENT_OFFSETS + 1


def _types(**names: Any) -> dict[str, np.dtype]:
    return {name: np.dtype(kind) for name, kind in names.items()}


DTYPES = {
    Network: _types(
        layers=LAYER,
        groups=GROUP,
        links=LINK,
        currents=CURRENT,
        exponents=np.int64,
        order=np.int32,
        paired=np.int16,
        tables=np.int16,
        dense=np.int8,
        sparse=np.int8,
        targets=np.int32,
        starts=np.int64,
        geometry=np.int64,
        delays=np.int32,
        fan_out=np.int64,
        reach=np.int32,
        biases=np.int32,
        pace=np.int64,
    ),
    Workspace: _types(
        states=np.int32,
        sums=np.int32,
        ring=np.int32,
        loads=np.int32,
        filled=np.int64,
        spread=np.int64,
        spikes=np.int32,
        payloads=np.int32,
        masks=np.int32,
        emitted=np.int64,
        saturations=np.int64,
        wraps=np.int64,
        tally=np.int32,
        current_sums=np.int32,
        messages=np.int64,
        pending=np.int64,
        arrived=np.int64,
        peaks=np.int32,
        settled=np.bool_,
        kept=np.int32,
        seen=np.int8,
        image=np.int32,
        tables=np.int16,
        few=np.int32,
    ),
    Recording: _types(
        spikes=np.bool_,
        payloads=np.int32,
        states=np.int32,
        step_spikes=np.int64,
        step_operations=np.int64,
    ),
}
"""Type of each array, in the order of its fields."""

WITH_LENGTHS: dict[type, dict[str, int]] = {
    Network: {"layers": 1, "groups": 1, "links": 1, "currents": 1},
    Workspace: {},
    Recording: dict.fromkeys(Recording._fields, 2),
}
"""Axes of those arrays whose lengths the kernels look at; of others they need the address alone."""

ENTRIES = 3
"""Numbers that a table of arrays has of each: its address, and up to two lengths."""
