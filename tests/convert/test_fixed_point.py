"""Every claim of the fixed-point semantics as numbers that were worked out by hand."""

import numpy as np
import pytest

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters, CubaState, cuba_step
from kipuka.convert.neurons.spiking_gru import (
    SpikingGruActivations,
    SpikingGruParameters,
    SpikingGruState,
    spiking_gru_step,
)
from kipuka.convert.program import PREVIOUS, RECURRENT
from kipuka.convert.trace import LayerTrace, decide, readout_input
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import cuba, dense, gru, program, pulses


def numpy_int64(values):
    return np.array(values, dtype=np.int64)


def torch_int64(values):
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=torch.int64)


@pytest.fixture(params=[numpy_int64, torch_int64], ids=["numpy", "torch"])
def array(request):
    """The same arithmetic on the integer arrays of both libraries."""
    return request.param


def same(found, expected):
    return found.tolist() == expected


def test_shift_toward_zero_keeps_the_sign_and_shifts_the_magnitude(array):
    x = array([4095, 4096, -4095, -4096, -4097, -8191, 0])
    assert same(fixed.shift_toward_zero(x, 12), [0, 1, 0, -1, -1, -1, 0])


def test_arithmetic_shift_floors(array):
    x = array([4095, 4096, -1, -4096, -4097, 0])
    assert same(fixed.shift_floor(x, 12), [0, 1, -1, -1, -2, 0])


def test_gate_is_clipped_at_both_ends_with_slope_one_quarter(array):
    x = array([-4000, -129, -128, -127, 0, 1, 127, 128, 129, 4000])
    assert same(fixed.gate(x), [0, 0, 0, 16, 2048, 2064, 4080, 4096, 4096, 4096])
    # One nominal unit is 64 weight units and moves the gate by a quarter of 4096.
    assert same(fixed.gate(array([64])) - fixed.gate(array([0])), [1024])


def test_wrap_keeps_the_interval_of_lava(array):
    x = array([8388607, 8388608, 8388609, -8388607, -8388608, -8388609, 0, 16777216])
    wrapped = [8388607, 8388608, -8388607, -8388607, 8388608, 8388607, 0, 0]
    assert same(fixed.wrap_24_bits(x), wrapped)


def cuba_parameters(array, i_decay, v_decay, threshold, bias=0):
    return CubaParameters(array([i_decay]), array([v_decay]), array([threshold]), array([bias]))


def test_cuba_decays_negative_states_toward_zero(array):
    # u: -1001 * 3072 = -3075072; / 4096 = -750.75 -> -750 (a floor would give -751); no input.
    # v: -501 * 2048 / 4096 = -250.5 -> -250; v = -250 - 750.
    state, spikes, _ = cuba_step(
        cuba_parameters(array, 1024, 2048, 100),
        CubaState(array([-1001]), array([-501])),
        array([0]),
    )
    assert same(state.u, [-750])
    assert same(state.v, [-1000])
    assert same(spikes, [False])


def test_cuba_aligns_activation_bias_and_threshold_by_6_bits(array):
    # u = 3 << 6 = 192; v = 192 + (2 << 6) = 320; threshold 5 << 6 = 320 is not exceeded.
    parameters = cuba_parameters(array, 4096, 0, 5, bias=2)
    state, spikes, _ = cuba_step(parameters, CubaState(array([0]), array([0])), array([3]))
    assert (state.u.tolist(), state.v.tolist(), spikes.tolist()) == ([192], [320], [False])
    # The next step: u = 0 + 192 (full decay), v = 320 + 192 + 128 = 640 > 320: spike, v to 0.
    state, spikes, _ = cuba_step(parameters, state, array([3]))
    assert (state.u.tolist(), state.v.tolist(), spikes.tolist()) == ([192], [0], [True])


@pytest.mark.parametrize(
    ("u", "activation", "expected", "wrapped"),
    [
        (8388607, 0, 8388607, False),
        (8388544, 1, 8388608, False),
        (8388607, 1, 8388607 + 64 - 16777216, True),
        (-8388544, -1, 8388608, True),
        (-8388607, -1, -8388607 - 64 + 16777216, True),
    ],
)
def test_cuba_current_wraps_at_24_bits_and_says_so(array, u, activation, expected, wrapped):
    parameters = cuba_parameters(array, 0, 4096, fixed.NEVER_SPIKES)
    state, _, overflow = cuba_step(
        parameters, CubaState(array([u]), array([0])), array([activation])
    )
    assert same(state.u, [expected])
    assert same(overflow.wrapped, [wrapped])
    # The membrane takes the wrapped current and stops at 2^23 - 1.
    assert same(state.v, [max(-8388607, min(8388607, expected))])
    assert same(overflow.saturated, [abs(expected) > 8388607])


def gru_parameters(array, threshold, bias=(0, 0, 0)):
    return SpikingGruParameters(array([threshold]), *(array([b]) for b in bias))


def gru_activations(array, i, r=0, z=0):
    return SpikingGruActivations(array([i]), array([r]), array([z]))


def test_gru_floors_both_products(array):
    # r = z = 2048 (one half). i: -101 / 2 -> floor -51, plus 1 << 6 = 64: 13.
    # v: (-300 - 13) / 2 = -156.5 -> floor -157, plus 13: -144.
    state = SpikingGruState(array([-101]), array([-300]), array([0]))
    state, spikes, overflow = spiking_gru_step(
        gru_parameters(array, 10), state, gru_activations(array, 1)
    )
    assert (state.i.tolist(), state.v.tolist()) == ([13], [-144])
    assert same(spikes, [False])
    assert same(overflow.saturated, [0])


def test_gru_adds_biases_in_weight_units(array):
    # b_i = 2: i = 2 << 6 = 128. b_r = 128: r = 4096 keeps i whole. b_z = -128: z = 0, v = i.
    parameters = gru_parameters(array, 100, bias=(2, 128, -128))
    zero = SpikingGruState(array([0]), array([0]), array([0]))
    state, _, _ = spiking_gru_step(parameters, zero, gru_activations(array, 0))
    assert (state.i.tolist(), state.v.tolist()) == ([128], [128])
    state, _, _ = spiking_gru_step(parameters, state, gru_activations(array, 0))
    assert (state.i.tolist(), state.v.tolist()) == ([256], [256])


def test_gru_resets_softly_one_step_after_the_spike(array):
    # z = 0, r = 0 and threshold 4 << 6 = 256: v = i = 5 << 6 = 320 > 256 spikes and stays 320.
    parameters = gru_parameters(array, 4, bias=(0, -128, -128))
    state = SpikingGruState(array([0]), array([0]), array([0]))
    state, spikes, _ = spiking_gru_step(parameters, state, gru_activations(array, 5))
    assert (state.v.tolist(), spikes.tolist()) == ([320], [True])
    # The step after loses the threshold: v = 320 - 256 = 64, no spike; then nothing is lost.
    state, spikes, _ = spiking_gru_step(parameters, state, gru_activations(array, 5))
    assert (state.v.tolist(), spikes.tolist()) == ([64], [False])
    state, spikes, _ = spiking_gru_step(parameters, state, gru_activations(array, 5))
    assert (state.v.tolist(), spikes.tolist()) == ([320], [True])


def test_gru_threshold_must_be_exceeded_not_met(array):
    parameters = gru_parameters(array, 4, bias=(0, -128, -128))
    zero = SpikingGruState(array([0]), array([0]), array([0]))
    for activation, fires in ((4, False), (5, True)):
        _, spikes, _ = spiking_gru_step(parameters, zero, gru_activations(array, activation))
        assert same(spikes, [fires])


@pytest.mark.parametrize(
    ("activation", "limited", "clipped"),
    [(2047, 131008, 0), (2048, 131071, 1), (-2048, -131071, 1), (-2047, -131008, 0)],
)
def test_gru_saturates_at_18_bits_and_counts_each_state(array, activation, limited, clipped):
    # 2048 << 6 = 131072 is one too many. With z = 0 the membrane takes the clipped current.
    parameters = gru_parameters(array, 2047, bias=(0, -128, -128))
    zero = SpikingGruState(array([0]), array([0]), array([0]))
    state, _, overflow = spiking_gru_step(parameters, zero, gru_activations(array, activation))
    assert (state.i.tolist(), state.v.tolist()) == ([limited], [limited])
    assert same(overflow.saturated, [clipped])
    # The soft reset of a neuron at the lower limit saturates v as well: counted apart.
    fired = SpikingGruState(array([0]), array([0]), array([1]))
    _, _, overflow = spiking_gru_step(
        parameters, fired, gru_activations(array, min(activation, -activation))
    )
    assert same(overflow.saturated, [clipped + 1])


def test_gru_with_constant_gates_is_a_leaky_integrator_with_floor_and_soft_reset():
    # r = 1024 (b_r = -64), z = 3072 (b_z = 64): i keeps a quarter, v three quarters.
    layer = gru(1, dense([[64]], target="i"), threshold=2047, bias_r=-64, bias_z=64)
    run = simulate_reference(program(1, layer), pulses(1, 4, (0, 0)))
    states = run.trace.layers[0].states
    # i: 4096, 1024, 256, 64.  v0 = 4096 - floor(4096 * 3/4) = 1024;
    # v1 = 1024 + 0 = 1024; v2 = 256 + floor(768 * 3/4) = 832; v3 = 64 + floor(768 * 3/4) = 640.
    assert states["i"][0, 0].tolist() == [4096, 1024, 256, 64]
    assert states["v"][0, 0].tolist() == [1024, 1024, 832, 640]


@pytest.mark.parametrize("delay", [0, 1, 62])
def test_a_spike_reaches_the_next_layer_after_one_step_plus_its_delay(delay):
    first = cuba(1, dense([[100]]))
    second = cuba(1, dense([[100]], delays=delay))
    run = simulate_reference(program(1, first, second), pulses(1, 80, (0, 5)))
    assert np.flatnonzero(run.trace.layers[0].spikes[0, 0]).tolist() == [5]
    assert np.flatnonzero(run.trace.layers[1].spikes[0, 0]).tolist() == [5 + 1 + delay]


@pytest.mark.parametrize("delay", [0, 1, 62])
def test_a_spike_reaches_its_own_layer_after_one_step_plus_its_delay(delay):
    closed = {"bias_r": -128, "bias_z": -128}
    # i = 100 << 6 exceeds 64 << 6; the soft reset is over before the echo arrives, or, without
    # delay, takes 64 << 6 from the echo's 200 << 6.
    layer = gru(1, dense([[100]], target="i"), dense([[200]], RECURRENT, "i", delay), **closed)
    run = simulate_reference(program(1, layer), pulses(1, 70, (0, 2)))
    assert np.flatnonzero(run.trace.layers[0].spikes[0, 0])[:2].tolist() == [2, 3 + delay]


def test_delays_belong_to_sources():
    layer = cuba(1, dense([[100, 100]], delays=[3, 7]), voltage_decay=4096)
    run = simulate_reference(program(2, layer), pulses(2, 12, (0, 1), (1, 1)))
    assert np.flatnonzero(run.trace.layers[0].spikes[0, 0]).tolist() == [4, 8]


def test_delays_per_synapse():
    layer = cuba(2, dense([[100], [100]], delays=0), voltage_decay=4096)
    matrix = np.array([[2], [5]], dtype=np.int16)
    projection = layer.projections[0].__class__(
        layer.projections[0].synapses, PREVIOUS, "a", matrix
    )
    layer = layer.__class__(layer.neuron, layer.shape, (projection,))
    run = simulate_reference(program(1, layer), pulses(1, 10, (0, 1)))
    assert np.argwhere(run.trace.layers[0].spikes[0]).tolist() == [[0, 3], [1, 6]]


def test_readout_counts_what_arrives_and_gives_ties_to_the_lower_class():
    network = program(3, cuba(3, dense(np.eye(3) * 100)))
    spikes = np.zeros((3, 3, 4), dtype=bool)
    spikes[0, 1, :2] = spikes[0, 2, 2:] = True  # 0, 2, 2
    spikes[1, 2, 0] = True  # 0, 0, 1
    assert decide(network, LayerTrace(spikes, {})).tolist() == [1, 2, 0]


def test_readout_delay_drops_what_arrives_after_the_end():
    network = program(2, cuba(2, dense(np.eye(2) * 100)), readout_delays=[0, 3])
    spikes = np.zeros((1, 2, 4), dtype=bool)
    spikes[0, :, 0] = spikes[0, :, 1] = True
    arrived = readout_input(network.readout, spikes)
    assert np.argwhere(arrived[0]).tolist() == [[0, 0], [0, 1], [1, 3]]


def test_membrane_readout_sums_the_membrane_over_time():
    layer = cuba(2, dense([[2, 0], [0, 8]]), threshold=fixed.NEVER_SPIKES)
    network = program(2, layer, kind="membrane")
    # Unit 0 early: 2 << 6 over 4 steps = 512. Unit 1 in the last step: 8 << 6 = 512. A tie.
    run = simulate_reference(network, pulses(2, 4, (0, 0), (1, 3)))
    assert run.trace.layers[0].states["v"].sum(axis=-1).tolist() == [[512, 512]]
    assert decide(network, run.trace.layers[0]).tolist() == [0]


def test_wraps_and_saturations_of_a_run_are_counted_per_neuron():
    # 254 << 6 = 16256 per spike; 517 of them pass 2^23. iDecay 0 keeps the current.
    layer = cuba(2, dense([[254], [2]]), current_decay=0, voltage_decay=4096, threshold=131071)
    run = simulate_reference(program(1, layer), np.ones((1, 1, 520), dtype=bool))
    counters = run.counters.layers[0]
    assert 516 * 16256 <= 8388608 < 517 * 16256
    assert counters.wraps.tolist() == [1, 0]
    assert run.trace.layers[0].states["u"][0, 0, 516] == 517 * 16256 - 16777216
