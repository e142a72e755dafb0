"""Names in a `.net` file: NetX's for stock layers, keys of the same style for the rest.

==============  ====================================================================================
layer type      keys
==============  ====================================================================================
``input``       ``shape``; with neurons also ``weight`` and ``bias`` (one value each), ``neuron/*``;
                ``inputBits`` (not known to NetX)
``flatten``     ``shape``
``concat``      ``shape``, ``layers``: numbers of the layers that join the previous one
``dense``       ``weight``, ``delay``, ``bias``, ``neuron/*``
``dense_rec``   the same with ``weight_rec`` and ``delay_rec`` (the latter not known to NetX)
``conv``        ``weight``, ``stride``, ``padding``, ``dilation``, ``groups``, ``delay``, ``bias``,
                ``neuron/*``; ``delay_in`` (not known to NetX)
``pool``        ``weight`` (one kernel for all channels), ``kernelSize``, ``stride``, ``padding``,
                ``dilation``, ``delay``, ``neuron/*``; ``delay_in`` (not known to NetX)
``average``     ``shape``: the classes whose populations the last layer holds
``spiking_gru`` ``weight/i``, ``weight/r``, ``weight/z``, any of which may be left out, and likewise
                ``weight_rec`` and ``bias``; ``delay`` of what arrives and ``delay_rec``, one array
                for all three or one below each; ``delay_out`` of the own output, which only
                blocks that write themselves use; ``weight_current``, from the own current to
                ``z``; ``neuron/*`` (not known to NetX)
``spiking_mgu`` the same with ``f`` in the place of ``r`` and ``z``, and without ``weight_current``
==============  ====================================================================================

The weights of a ``spiking_gru`` layer are matrices, or kernels like those of ``conv``. Then the
layer has three axes and the geometry of what arrives under the keys of ``conv``, that of its own
spikes under the same with ``_rec`` behind them, and that of its own current with ``_current``. Its
biases and delays are stored one per channel where a channel shares them.

Sigma-delta neurons are of type ``SDNN``: in an ``input`` layer the encoder, with the key
``neuron/sigma_output`` the decoder, elsewhere neurons. ``neuron/activation`` is ``relu`` or
``unit``.

What ``neuron/type`` and the parameters of a neuron model are called stands in the model's file in
`kipuka.convert.neurons`. A model with one activation has the layer types of CUBA, a model with
several has a layer type of its own, its name in small letters.

``inputBits`` is 8 where the input is rounded to 8 bits as SLAYER's input block does, and missing
where it is taken as it is.

``delay`` means three things, told apart by its shape. With one value per neuron of the layer, or
one for all, it is the axonal delay of the layer's *own output*, as SLAYER trains and exports it.
With one value per input of a dense layer, or a matrix, it belongs to the arriving spikes, as in
NetX. Where inputs and neurons are equally many, the first meaning counts.
"""

from __future__ import annotations

from kipuka.convert.neurons import CUBA, DELTA, MODELS, SIGMA, SIGMA_DELTA, NeuronModel
from kipuka.errors import KipukaError

INPUT_BITS = 8
"""Bits of an input that SLAYER rounds."""

ALIASES = {"LOIHI": CUBA}
"""Further names that NetX has for a model."""

NETX_CONSTANTS = {CUBA: {"refDelay": 1, "gradedSpike": False}}
"""Neuron keys that NetX wants, and that have one value where it computes what Kipuka computes."""

SDNN, SDNN_MODELS = "SDNN", (DELTA, SIGMA_DELTA, SIGMA)
"""NetX's word for sigma-delta neurons, and the models that it stands for: see `sigma_delta`."""

OUTGOING_KEY = "delay_out"
"""Axonal delays of the own output of a layer whose ``delay`` is that of what arrives."""

ONE_ACTIVATION = ("dense", "dense_rec", "conv", "pool")
"""Types of layers whose neurons receive one activation."""


def gated_layers() -> dict[str, NeuronModel]:
    """Return the types of layers whose neurons receive several activations, with their model."""
    return {name.lower(): model for name, model in MODELS.items() if len(model.targets) > 1}


def layer_types() -> tuple[str, ...]:
    """Return every type that a layer can have."""
    return ("input", "flatten", "concat", *ONE_ACTIVATION, *gated_layers(), "average")


def neuron_models() -> dict[str, NeuronModel]:
    """Return the models of neurons with one activation, by every name that a file may give them."""
    single = {
        name: model
        for name, model in MODELS.items()
        if len(model.targets) == 1 and name not in SDNN_MODELS
    }
    return {**single, **{alias: single[name] for alias, name in ALIASES.items()}}


TRAINING_KEYS = ("theta", "tauRho", "scaleRho")
"""Neuron keys that lava-dl writes for training only; NetX ignores them as well."""


def unknown_type(found: str, known: tuple[str, ...], where: str) -> KipukaError:
    """Error for a layer type that cannot stand there."""
    return KipukaError(
        "the layer type is not supported here",
        where=f"{where}, key type",
        limit=", ".join(known),
        value=found,
        remedy="remove the layer or express it in the supported types",
    )
