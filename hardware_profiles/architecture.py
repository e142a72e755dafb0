"""How a chip is built, as far as mapping and timing need it: mesh, packing, abilities, host."""

from collections.abc import Iterator
from typing import Annotated, TypeAlias

from kipuka.hardware_profiles.quantity import Ability, Quantity, Strict, measured_in

BitQuantity: TypeAlias = Annotated[Quantity, measured_in("bits")]
RouterQuantity: TypeAlias = Annotated[Quantity, measured_in("routers")]
CoreQuantity: TypeAlias = Annotated[Quantity, measured_in("cores")]
AxonQuantity: TypeAlias = Annotated[Quantity, measured_in("axons")]
WordQuantity: TypeAlias = Annotated[Quantity, measured_in("words")]
SecondQuantity: TypeAlias = Annotated[Quantity, measured_in("s")]
SynapseQuantity: TypeAlias = Annotated[Quantity, measured_in("synapses")]


class Mesh(Strict):
    """Routers of a chip.

    Parameters
    ----------
    columns, rows : Quantity
        In routers.
    cores_per_router : Quantity
        In cores.
    """

    columns: RouterQuantity
    rows: RouterQuantity
    cores_per_router: CoreQuantity


class Packing(Strict):
    """How synapses and axons fill the memory of a core.

    An axon that reaches n synapses of a core takes
    ``ceil((n (w + index + delay) + header) / word)`` words, w being the bits of a weight. One tap
    of a kernel takes, for one input channel and c output channels on the core,
    ``ceil((c (w + stride + delay) + header) / word)`` words.

    Parameters
    ----------
    word : Quantity
        Bits of a word of memory.
    synapse_index, sparse_index : Quantity
        Bits that each synapse takes beside its weight, in a row that keeps its zeros and in one
        without them.
    list_header : Quantity
        Bits of an axon's list of synapses beside the synapses.
    list_synapses : Quantity
        Synapses that one list holds at most; null where there is no such limit.
    kernel_header : Quantity
        Bits of a kernel's tap beside the weights.
    kernel_stride : Quantity
        Bits that each weight of a kernel takes more where the kernel moves on by several columns.
    kernel_axons : Quantity
        Input axons by which a convolution reaches a core; null where each source has one.
    synapse_delay : Quantity
        Bits that each synapse takes more where there are delays.
    axon_map : Quantity
        Words in which a core keeps where its neurons' messages go.
    total : Quantity
        Words of a core for everything.
    """

    word: BitQuantity
    synapse_index: BitQuantity
    sparse_index: BitQuantity
    list_header: BitQuantity
    list_synapses: SynapseQuantity
    kernel_header: BitQuantity
    kernel_stride: BitQuantity
    kernel_axons: AxonQuantity
    synapse_delay: BitQuantity
    axon_map: WordQuantity
    total: WordQuantity


class Abilities(Strict):
    """Which arithmetic a chip can do.

    Parameters
    ----------
    programmable_neurons : Ability
        Whether neuron models other than the built-in one can be written.
    graded_messages : Ability
        Whether a message can carry a number.
    """

    programmable_neurons: Ability
    graded_messages: Ability

    def each(self) -> Iterator[tuple[str, Ability]]:
        """Yield every ability with its key."""
        for name in type(self).model_fields:
            yield name, getattr(self, name)


class HostInput(Strict):
    """What input costs in time.

    Parameters
    ----------
    step_from_host : Quantity
        s per step while spikes come from a program on the host.
    """

    step_from_host: SecondQuantity


ARCHITECTURE = ("mesh", "packing", "abilities", "host_input")
"""Groups of a profile that describe the architecture, in file order."""
