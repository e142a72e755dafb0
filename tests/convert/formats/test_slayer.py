import functools
import itertools

import numpy as np
import pytest

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.formats.slayer.pool import pooled_shape
from kipuka.convert.program import RECURRENT, Encoder
from kipuka.convert.synapses import ConvSynapses
from kipuka.errors import KipukaError

torch = pytest.importorskip("torch", reason="needs the lava extra")
pytest.importorskip("lava", reason="needs the lava extra")
pytestmark = pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")


@pytest.fixture
def cuba():
    from kipuka.train.slayer import cuba

    return cuba


def neuron(**settings):
    # A new dictionary for every block: SLAYER's Recurrent and Pool write into it.
    return {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1, **settings}


def normed(kind, *settings):
    from lava.lib.dl.slayer.neuron import norm

    return neuron(norm=functools.partial(getattr(norm, kind), *settings))


def refused(blocks, check_error, what="no exact counterpart", input_shape=None, **parts):
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(blocks, input_shape=input_shape)
    check_error(caught.value, what=what, **parts)


# Values, block by block


def test_dense_parameters_arrive_as_slayer_would_export_them(cuba):
    block = cuba.Dense(neuron(), 3, 2)
    block.synapse.weight.data.reshape(2, 3)[:] = torch.tensor([[1.0, -9.0, 0.02], [9.0, 0, -0.03]])
    program = program_from_blocks([block])
    layer = program.layers[0]
    assert (program.input_shape, layer.shape) == ((3,), (2,))
    # Times 64, rounded to even integers, limited to [-256, 254].
    assert layer.projections[0].synapses.weights.tolist() == [[64, -256, 2], [254, 0, -2]]
    assert layer.neuron.current_decay.tolist() == [1024, 1024]
    assert layer.neuron.voltage_decay.tolist() == [410, 410]
    assert layer.neuron.threshold.tolist() == [64, 64]
    assert layer.neuron.bias.tolist() == [0, 0]


def test_delays_are_floored_and_move_to_the_next_projection(cuba):
    first, second = cuba.Dense(neuron(), 2, 3, delay=True), cuba.Dense(neuron(), 3, 1, delay=True)
    for block, delays in ((first, [0.9, 5.0, 99.0]), (second, [3.5])):
        block.delay.delay.data, block.delay.init = torch.tensor(delays), True
    program = program_from_blocks([first, second])
    assert program.layers[1].projections[0].delays.tolist() == [0, 5, 62]
    assert program.readout.delays.tolist() == [3]
    # Limited in the export, not in the block.
    assert first.delay.delay.tolist()[2] == 99


def test_delays_that_are_still_to_be_drawn_are_zero(cuba):
    # SLAYER draws them between 0 and 1.
    assert program_from_blocks([cuba.Dense(neuron(), 2, 2, delay=True)]).readout.delays.max() == 0


def test_mask_is_folded_into_the_weights(cuba):
    block = cuba.Dense(neuron(), 2, 1, mask=torch.tensor([[1.0, 0.0]]))
    block.synapse.weight.data.fill_(0.5)
    weights = program_from_blocks([block]).layers[0].projections[0].synapses.weights
    assert weights.tolist() == [[32, 0]]


def test_weight_norm_is_folded_without_touching_the_block(cuba):
    block = cuba.Dense(neuron(), 2, 1, weight_norm=True)
    block.synapse.weight_v.data[:] = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1, 1)
    block.synapse.weight_g.data.fill_(2.5)
    before = block.synapse.weight
    weights = program_from_blocks([block]).layers[0].projections[0].synapses.weights
    assert weights.tolist() == [[96, 128]]
    assert block.synapse.weight is before


def test_dense_over_an_image_reads_channels_height_width(cuba):
    block = cuba.Dense(neuron(), (3, 2, 2), 1)  # width, height, channels
    weights = torch.arange(12).float() / 32
    block.synapse.weight.data = weights.reshape(block.synapse.weight.shape)
    program = program_from_blocks([block], input_shape=(2, 2, 3))
    assert program.input_shape == (2, 2, 3)
    weights = program.layers[0].projections[0].synapses.weights
    assert weights.tolist() == [list(range(0, 24, 2))]


def test_a_delay_of_a_recurrent_block_is_behind_its_recurrence(cuba):
    block = cuba.Recurrent(neuron(), 2, 3, delay=True)
    block.input_synapse.weight.data.fill_(1.0)
    block.recurrent_synapse.weight.data.reshape(3, 3)[:] = torch.eye(3) / 4
    block.delay.delay.data, block.delay.init = torch.tensor([1.5, 0.0, 7.0]), True
    program = program_from_blocks([block])
    (own,) = program.layers[0].from_source(RECURRENT)
    assert own.synapses.weights.tolist() == [[16, 0, 0], [0, 16, 0], [0, 0, 16]]
    assert own.delays.tolist() == [0, 0, 0]
    assert program.readout.delays.tolist() == [1, 0, 7]


def test_a_convolution_keeps_its_geometry_and_a_delay_per_channel(cuba):
    geometry = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    block = cuba.Conv(neuron(), 2, 4, (3, 2), delay=True, **geometry)
    block.synapse.weight.data.fill_(0.25)
    block.delay.delay.data, block.delay.init = torch.tensor([1.0, 2.5, 0.0, 3.0]), True
    program = program_from_blocks([block], input_shape=(2, 5, 4))
    synapses = program.layers[0].projections[0].synapses
    assert synapses.weights.tolist() == np.full((4, 1, 3, 2), 16).tolist()
    assert program.layers[0].shape == synapses.output_shape == (4, 3, 2)
    assert vars(synapses).items() >= geometry.items()
    # One delay per channel holds for all its neurons.
    assert program.readout.delays.tolist() == [1] * 6 + [2] * 6 + [0] * 6 + [3] * 6


def test_pool_is_a_convolution_of_each_channel(cuba):
    block = cuba.Pool(neuron(), (2, 3), weight_scale=0.5)
    program = program_from_blocks([block], input_shape=(3, 5, 7))
    synapses = program.layers[0].projections[0].synapses
    assert synapses.weights.tolist() == np.full((3, 1, 2, 3), 32).tolist()
    # A row and a column of zeros are appended; 8 columns hold two windows of 3.
    assert (synapses.groups, synapses.stride, synapses.output_shape) == (3, (2, 3), (3, 3, 2))


def test_dense_after_a_convolution_is_flat(cuba):
    blocks = [cuba.Conv(neuron(), 1, 2, 2), cuba.Flatten(), cuba.Dense(neuron(), 12, 3)]
    program = program_from_blocks(blocks, input_shape=(1, 3, 4))
    assert [layer.shape for layer in program.layers] == [(2, 2, 3), (3,)]


@pytest.mark.parametrize("kind", ["MeanOnlyBatchNorm", "WgtScaleBatchNorm"])
def test_bias_is_the_negative_mean_of_the_norm(cuba, kind):
    block = cuba.Conv(normed(kind, 2), 1, 2, 2)
    block.neuron.norm.running_mean = torch.tensor([0.26, -1.0])
    if kind == "WgtScaleBatchNorm":
        block.neuron.norm.running_var.fill_(0.9)
    neurons = program_from_blocks([block], input_shape=(1, 2, 3)).layers[0].neuron
    assert neurons.bias.tolist() == [-16, -16, 64, 64]


def test_decays_per_channel(cuba):
    block = cuba.Conv(neuron(shared_param=False), 1, 2, 1)
    block.neuron.shape = torch.Size([2, 1, 2])
    for key in ("current_decay", "voltage_decay"):
        delattr(block.neuron, f"{key}_min")
        getattr(block.neuron, key).data = torch.tensor([100.4, 4000.0])
    neurons = program_from_blocks([block], input_shape=(1, 1, 2)).layers[0].neuron
    assert (
        neurons.current_decay.tolist() == neurons.voltage_decay.tolist() == [100, 100, 4000, 4000]
    )


@pytest.mark.parametrize("dynamics", [True, False])
def test_affine_is_read_by_its_membrane(cuba, dynamics):
    program = program_from_blocks([cuba.Affine(neuron(), 3, 2, dynamics=dynamics)])
    neurons = program.layers[0].neuron
    assert program.readout.kind == "membrane"
    assert neurons.threshold.tolist() == [fixed.NEVER_SPIKES] * 2
    assert neurons.current_decay.tolist() == [1024 if dynamics else fixed.UNITY] * 2
    assert neurons.voltage_decay.tolist() == [410 if dynamics else fixed.UNITY] * 2


def test_average_joins_neighbours(cuba):
    program = program_from_blocks([cuba.Dense(neuron(), 2, 6), cuba.Average(3)])
    assert (program.readout.population, program.n_classes) == (2, 3)


@pytest.mark.parametrize(
    ("weight", "bias", "encoder"),
    [(None, None, Encoder(64, 0, True)), (0.51, -0.25, Encoder(32, -16, True))],
)
def test_input_with_neurons_is_an_encoder(cuba, weight, bias, encoder):
    blocks = [cuba.Input(neuron(), weight=weight, bias=bias), cuba.Dense(neuron(), 4, 2)]
    program = program_from_blocks(blocks, input_shape=(4,))
    assert program.encoder == encoder
    assert program.layers[0].projections == ()
    assert program.layers[0].neuron.current_decay.tolist() == [1024] * 4


@pytest.mark.parametrize("neurons", [None, neuron()])
def test_input_gives_the_shape_that_it_has_seen(cuba, neurons):
    source = cuba.Input(neurons, delay_shift=neurons is not None)
    source(torch.zeros(1, 2, 5, 4, 3))
    program = program_from_blocks([source, cuba.Conv(neuron(), 2, 3, 3)])
    assert program.input_shape == (2, 5, 4)
    assert program.layers[-1].shape == (3, 3, 2)


# Finding the blocks


def test_any_module_is_searched_in_the_order_of_registration(cuba):
    from lava.lib.dl import slayer

    class Stage(torch.nn.Module):
        def __init__(self, *sizes):
            super().__init__()
            self.body = torch.nn.Sequential(
                *(cuba.Dense(neuron(), n, m) for n, m in itertools.pairwise(sizes))
            )
            self.register_buffer("seen", torch.zeros(1))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = torch.nn.ModuleDict({"first": Stage(2, 3, 4), "second": Stage(4, 5)})
            self.last = Readout(neuron(), 5, 6)
            self.drop = torch.nn.Dropout(0.5)
            self.loss = torch.nn.CrossEntropyLoss()
            self.error = slayer.loss.SpikeRate(true_rate=0.2, false_rate=0.02)
            self.classify = slayer.classifier.Rate()

    class Readout(cuba.Dense):
        """A subclass computes like the block that it comes from."""

    assert [layer.shape for layer in program_from_blocks(Network()).layers] == [
        (3,),
        (4,),
        (5,),
        (6,),
    ]


def foreign(cuba):
    from lava.lib.dl import slayer
    from lava.lib.dl.slayer.synapse.layer import Dense as Synapse

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

    class Twice(cuba.Dense):
        def forward(self, x):
            return super().forward(super().forward(x))

    phasors = {"threshold": 1.0, "period": 10, "decay": 0.1}
    return {
        "Linear": (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        "AvgPool3d": (torch.nn.AvgPool3d(2), "torch.nn.modules.pooling.AvgPool3d"),
        "Scaled": (Scaled(), "Scaled"),
        "Twice": (Twice(neuron(), 2, 2), "a forward pass of its own in a subclass of Dense"),
        "RF": (slayer.block.rf.Dense(phasors, 2, 2), "slayer.block.rf.Dense"),
        "synapse": (Synapse(2, 2), "slayer.synapse.layer.Dense"),
        "function": (len, "which is no torch module"),
    }


@pytest.mark.parametrize(
    "name", ["Linear", "AvgPool3d", "Scaled", "Twice", "RF", "synapse", "function"]
)
def test_what_is_no_block_is_refused(cuba, name, check_error):
    module, value = foreign(cuba)[name]
    blocks = [torch.nn.Sequential(cuba.Dense(neuron(), 2, 2)), module]
    refused(blocks, check_error, where="block 1", value=value, limit="cuba.Input, Flatten, Dense")


def test_a_block_in_two_places_is_refused(cuba, check_error):
    block = cuba.Dense(neuron(), 2, 2)
    parts = {"what": "more than once", "where": "block 1 (Dense)", "value": "as block 0"}
    refused(torch.nn.ModuleList([block, block]), check_error, **parts)


@pytest.mark.parametrize("blocks", [[], torch.nn.ModuleList()])
def test_no_blocks(blocks, check_error):
    refused(blocks, check_error, limit="at least one block")


# Refusals


def unsupported_blocks(cuba):
    return {
        "KWTA": cuba.KWTA(neuron(), 2, 2, num_winners=1),
        "ConvT": cuba.ConvT(neuron(), 1, 1, 2),
        "Unpool": cuba.Unpool(neuron(), 2),
        "TimeDecimation": cuba.TimeDecimation(2),
    }


@pytest.mark.parametrize("kind", ["KWTA", "ConvT", "Unpool", "TimeDecimation"])
def test_blocks_without_counterpart(cuba, kind, check_error):
    blocks = [unsupported_blocks(cuba)[kind]]
    refused(blocks, check_error, where=f"block 0 ({kind})", value=kind, limit="Recurrent, Conv")


def test_neurons_without_counterpart(cuba, check_error):
    cases = [
        ({"graded_spike": True}, "graded spikes", "graded_spike = False"),
        ({"scale": 32}, "scale 32", "scale = 64"),
        ({"norm": torch.nn.Identity}, "torch.nn.modules.linear.Identity", "MeanOnlyBatchNorm"),
        ({"shared_param": False}, "yet to draw", "drawn decays"),
        ({"dropout": torch.nn.ReLU()}, "a dropout of class ReLU", "Dropout or none"),
    ]
    for settings, value, limit in cases:
        blocks = [cuba.Dense(neuron(**settings), 2, 2)]
        refused(blocks, check_error, where="block 0 (Dense)", value=value, limit=limit)
    block = cuba.Dense(neuron(), 2, 2)
    block.neuron = torch.nn.ReLU()
    refused([block], check_error, value="activation.ReLU", limit="slayer.neuron.cuba.Neuron")


def test_norm_that_scales(cuba, check_error):
    block = cuba.Dense(normed("WgtScaleBatchNorm", 2), 2, 2)
    block.neuron.norm.running_var.fill_(3.0)
    refused([block], check_error, value="divides by 2.0", limit="a weight exponent of 0")


def test_bias_between_weight_units(cuba, check_error):
    block = cuba.Dense(normed("MeanOnlyBatchNorm", 2), 2, 2)
    block.neuron.norm.pre_hook_fx = lambda mean: mean
    block.neuron.norm.running_mean[1] = 0.01
    parts = {"where": "block 0 (Dense), key norm", "limit": "multiples of 1/64"}
    refused([block], check_error, value="0.0099", **parts)


def test_norm_in_a_leaky_recurrence(cuba, check_error):
    block = cuba.Recurrent(normed("MeanOnlyBatchNorm", 2), 2, 2)
    block.neuron.norm.running_mean[1] = 0.5
    parts = {"where": "block 0 (Recurrent)", "limit": "current_decay = 1 or no norm"}
    refused([block], check_error, value="adds to the decaying current", **parts)


def test_bias_of_the_recurrent_block(cuba, check_error):
    block = cuba.Recurrent(neuron(), 2, 2)
    block.bias = torch.nn.Parameter(torch.ones(2))
    refused([block], check_error, value="a bias of the block", limit="bias = None")


def test_synapses_without_counterpart(cuba, check_error):
    from lava.lib.dl.slayer.synapse import complex as complex_synapse

    block = cuba.Dense(neuron(), 2, 2)
    block.synapse.bias = torch.nn.Parameter(torch.ones(2))
    refused([block], check_error, value="Dense with bias", limit="without bias")
    block.synapse = complex_synapse.Dense(2, 2)
    refused([block], check_error, value="synapse.complex.Dense", limit="slayer.synapse.Dense")


def test_weights_between_weight_units(cuba, check_error):
    block = cuba.Dense(neuron(), 1, 1, pre_hook_fx=None)
    block.synapse.weight.data.fill_(0.3)
    parts = {"where": "block 0 (Dense), key weight", "limit": "8-bit hook"}
    refused([block], check_error, value="0.3", **parts)
    block.synapse.weight.data.fill_(1024 + 1 / 32)
    # Not what 16 bits would make of it.
    refused([block], check_error, what="weights_are_even_8_bit", value="32767")


def test_weights_that_slayer_does_not_compute_with(cuba, check_error):
    mask = torch.tensor([[1.0, 0.0]])
    masked = cuba.Dense(neuron(), 2, 1, weight_norm=True, mask=mask, weight_scale=9)
    recurrent = cuba.Recurrent(neuron(), 2, 2, weight_norm=True, weight_scale=9)
    recurrent.recurrent_synapse.weight_g.data *= 2
    for block in (masked, recurrent):
        refused([block], check_error, value="weight_norm = True", limit="weight_norm = False")


def test_delay_that_is_no_number(cuba, check_error):
    block = cuba.Dense(neuron(), 2, 2, delay=True)
    block.delay.delay.data, block.delay.init = torch.tensor([0.0, float("nan")]), True
    refused([block], check_error, where="block 0 (Dense), key delay", value="no number")


def test_block_without_propagation_step_before_another(cuba, check_error):
    blocks = [cuba.Dense(neuron(), 2, 2, delay_shift=False), cuba.Dense(neuron(), 2, 2)]
    refused(blocks, check_error, where="block 0 (Dense)", value="delay_shift = False")


def test_blocks_that_must_be_first_or_last(cuba, check_error):
    dense = cuba.Dense(neuron(), 2, 2)
    after = [cuba.Affine(neuron(), 2, 2), dense]
    refused(after, check_error, where="block 0 (Affine)", limit="an Affine at last")
    after = [dense, cuba.Average(2), cuba.Dense(neuron(), 2, 2)]
    refused(after, check_error, where="block 1 (Average)", limit="an Average at last")
    after = [dense, cuba.Input(neuron())]
    refused(after, check_error, where="block 1 (Input)", limit="an Input block at first")
    refused([dense, cuba.Average(3)], check_error, value="3 classes", limit="a divisor of 2")


def test_shape_of_the_input_is_missing(cuba, check_error):
    parts = {"what": "shape of the input is not known", "remedy": "pass input_shape"}
    refused([cuba.Conv(neuron(), 1, 2, 3)], check_error, where="block 0 (Conv)", **parts)
    blocks = [cuba.Input(neuron()), cuba.Dense(neuron(), 2, 2)]
    refused(blocks, check_error, where="block 0 (Input)", **parts)


def test_shapes_that_do_not_fit(cuba, check_error):
    dense, conv = cuba.Dense(neuron(), 3, 3), cuba.Conv(neuron(), 2, 3, 3)
    parts = {"what": "does not fit the one before", "where": "block 1 (Dense)"}
    blocks = [dense, cuba.Dense(neuron(), 4, 2)]
    refused(blocks, check_error, limit="4 inputs", value="3, shape (3,)", **parts)
    parts = {"what": "does not fit the one before", "where": "block 0 (Conv)"}
    refused([conv], check_error, input_shape=(1, 5, 5), value="1, shape (1, 5, 5)", **parts)
    refused([conv], check_error, input_shape=(2, 2, 5), value="(3, 3) on input (2, 2, 5)")
    refused([dense, conv], check_error, where="block 1 (Conv)", limit="channels, height, width")
    what, value = "not one that blocks take", "(2, 5)"
    refused([conv], check_error, input_shape=(2, 5), what=what, value=value, limit="(units,)")


def test_pooling_that_mixes_channels(cuba, check_error):
    # SLAYER appends 5 % 3 = 2 rows to a height of 5; 7 rows per channel hold no whole windows.
    block = cuba.Pool(neuron(), 3)
    stacked = torch.zeros(1, 2, 5, 3, 1)
    stacked[0, 1, 0] = 1
    pooled = block.synapse(stacked)
    assert pooled[0, 1, :, 0, 0].tolist() == [3.0, 0.0]
    stacked[0, 1, 0], stacked[0, 1, 2] = 0, 1
    # The third row of channel 1 belongs to its first window, but counts in the second.
    assert block.synapse(stacked)[0, 1, :, 0, 0].tolist() == [0.0, 3.0]
    parts = {"where": "block 0 (Pool)", "limit": "neither overlap nor straddle"}
    refused([block], check_error, input_shape=(2, 5, 3), value="kernel (3, 3)", **parts)


@pytest.mark.parametrize("geometry", [{}, {"stride": 1}, {"padding": 1}, {"dilation": 2}])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_pooled_shape_says_where_slayers_pooling_is_one_per_channel(
    cuba, kernel, channels, geometry, rng
):
    synapse = cuba.Pool(neuron(), kernel, **geometry).synapse
    synapse.pre_hook_fx = None
    for height in range(kernel, 10):
        shape = (channels, height, 2 * kernel + 1)
        settings = {k: getattr(synapse, k)[:2] for k in ("stride", "padding", "dilation")}
        weights = np.full((channels, 1, kernel, kernel), 64, dtype=np.int16)
        synapses = ConvSynapses(weights, shape, shape, groups=channels, **settings)
        output = pooled_shape(synapses)
        if output is None or min(output) < 1:
            continue
        spikes = rng.random((1, *shape)) < 0.5
        found = synapse(torch.from_numpy(spikes).float()[..., None])[..., 0].numpy()
        exact = ConvSynapses(weights, shape, output, groups=channels, **settings)
        np.testing.assert_array_equal(
            found.ravel() * 64, exact.weighted_sum(spikes.reshape(1, -1))[0]
        )
