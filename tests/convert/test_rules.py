import dataclasses

import numpy as np
import pytest

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Program, Readout
from kipuka.errors import KipukaError
from kipuka_cases import conv, cuba, dense, gru, program


def broken(build, check_error, **parts):
    with pytest.raises(KipukaError) as caught:
        build()
    check_error(caught.value, **parts)


def gru_layer(weight=2, delay=0, own_delay=0, **parameters):
    return gru(
        1,
        *(dense([[weight]], target=t, delays=delay) for t in "irz"),
        *(dense([[2]], RECURRENT, t, own_delay) for t in "irz"),
        **parameters,
    )


def test_a_valid_program_is_immutable():
    network = program(1, gru_layer())
    with pytest.raises(ValueError, match="read-only"):
        network.layers[0].projections[0].synapses.weights[0, 0] = 4
    with pytest.raises(ValueError, match="read-only"):
        network.layers[0].neuron.threshold[0] = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.layers = ()


@pytest.mark.parametrize("weight", [-258, 256])
def test_weight_outside_8_bits(weight, check_error):
    broken(
        lambda: program(1, gru_layer(weight=weight)),
        check_error,
        what="weights_are_even_8_bit",
        where="layer 1, projection previous to i, key weight, index (0, 0)",
        limit="-256 to 254",
        value=str(weight),
        remedy="8-bit",
    )


def test_weight_limits_are_allowed():
    for weight in (-256, 254):
        program(1, gru_layer(weight=weight))


def test_odd_weight(check_error):
    broken(
        lambda: program(1, gru_layer(weight=3)),
        check_error,
        what="weights_are_even_8_bit",
        limit="even",
        value="3",
    )


@pytest.mark.parametrize("delay", [-1, 63])
def test_delay_over_the_limit(delay, check_error):
    broken(
        lambda: program(1, gru_layer(own_delay=delay)),
        check_error,
        what="delays_within_hardware",
        where="layer 1, projection self to i, key delay",
        limit="0 to 62",
        value=str(delay),
        remedy="relay neurons",
    )


def test_readout_delay_over_the_limit(check_error):
    broken(
        lambda: program(1, gru_layer(), readout_delays=63),
        check_error,
        where="readout, key delay",
        value="63",
    )


@pytest.mark.parametrize(
    ("parameters", "rule", "key", "limit"),
    [
        ({"current_decay": 4097}, "decays_within_unity", "iDecay", "4096"),
        ({"voltage_decay": -1}, "decays_within_unity", "vDecay", "0 to 4096"),
        ({"bias": 4096}, "bias_within_bits", "bias", "-4096 to 4095"),
        ({"threshold": 0}, "threshold_can_be_reached", "vThMant", "1 to 262143"),
        ({"threshold": 262144}, "threshold_can_be_reached", "vThMant", "1 to 262143"),
    ],
)
def test_cuba_parameter_out_of_range(parameters, rule, key, limit, check_error):
    broken(
        lambda: program(1, cuba(1, dense([[2]]), **parameters)),
        check_error,
        what=rule,
        where=f"layer 1, key {key}",
        limit=limit,
        value=str(next(iter(parameters.values()))),
    )


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"threshold": 2048}, "threshold_can_be_reached"),
        ({"bias_r": 256}, "bias_within_bits"),
        ({"bias_z": 1}, "bias_within_bits"),
    ],
)
def test_gru_parameter_out_of_range(parameters, rule, check_error):
    broken(lambda: program(1, gru_layer(**parameters)), check_error, what=rule)


def test_layers_that_do_not_fit(check_error):
    broken(
        lambda: program(2, gru_layer()),
        check_error,
        what="projection_connects_neighbours",
        where="layer 1",
        limit="(1, 2)",
        value="(1, 1)",
    )


def test_projection_to_an_activation_that_the_neuron_lacks(check_error):
    broken(
        lambda: program(1, cuba(1, dense([[2]], target="r"))),
        check_error,
        what="layer_is_fed_by_input",
        limit="out of a",
    )


def test_layer_without_input(check_error):
    broken(
        lambda: program(1, cuba(1, dense([[2]], RECURRENT))),
        check_error,
        what="layer_is_fed_by_input",
    )


def test_no_layers(check_error):
    no_delays = np.zeros(0, dtype=np.int16)
    broken(
        lambda: Program((1,), (), Readout("spike_count", no_delays)),
        check_error,
        what="program_has_layers",
        value="0 layers",
    )


def test_parameters_of_the_wrong_size(check_error):
    layer = cuba(2, dense([[2], [2]]))
    short = layer.neuron._replace(bias=np.zeros(1, dtype=np.int64))
    broken(
        lambda: program(1, dataclasses.replace(layer, neuron=short)),
        check_error,
        what="parameters_match_shape",
        limit="2 entries",
    )


def test_membrane_readout_needs_silent_neurons(check_error):
    broken(
        lambda: program(1, cuba(1, dense([[2]])), kind="membrane"),
        check_error,
        what="readout_fits_last_layer",
        limit=str(fixed.THRESHOLD_MAX),
        value="membrane",
    )


def current(weights=((64,),), source=RECURRENT, target="z", **settings):
    return dense(weights, source, target, message="current", **settings)


@pytest.mark.parametrize(
    ("layer", "value"),
    [
        (lambda: gru(1, dense([[2]], target="i"), current(source=1)), "SPIKING_GRU"),
        (lambda: gru(1, dense([[2]], target="i"), current(target="r")), "SPIKING_GRU"),
        (lambda: gru(1, dense([[2]], target="i"), current(delays=1)), "longest delay 1"),
        (lambda: gru(1, dense([[2]], target="i"), current(exponent=2)), "weight exponent 2"),
        (lambda: cuba(1, dense([[2]]), current(target="a")), "CUBA"),
    ],
)
def test_a_current_goes_to_the_own_update_gate_only(layer, value, check_error):
    broken(
        lambda: program(1, layer()),
        check_error,
        what="current_stays_in_the_layer",
        where="message current",
        limit="own target z",
        value=value,
    )


@pytest.mark.slow
def test_weighted_currents_fit_32_bits(check_error):
    n = 4096
    row = np.zeros((n, n), dtype=np.int16)
    row[0] = -256
    feeding = dense(np.full((n, 1), 2), target="i")
    row[0, 0] = 254
    program(1, gru(n, feeding, dense(row, RECURRENT, "z", message="current")))
    row[0, 0] = -256
    broken(
        lambda: program(1, gru(n, feeding, dense(row, RECURRENT, "z", message="current"))),
        check_error,
        what="may leave 32 bits",
        where="layer 1, projection self to z, message current, key weight",
        limit="1048575",
        value=str(4096 * 256),
    )


def test_one_current_per_layer(check_error):
    broken(
        lambda: program(1, gru(1, dense([[2]], target="i"), current(), current())),
        check_error,
        what="layer_is_fed_by_input",
    )


def test_kinds_of_synapses_from_other_layers_do_not_mix(check_error):
    shape = (1, 3, 3)
    layer = gru(
        9, conv(np.full((1, 1, 1, 1), 2), shape, target="i"), dense(np.full((9, 9), 2), target="r"),
        shape=shape,
    )  # fmt: skip
    broken(
        lambda: program(shape, layer),
        check_error,
        what="layer_is_fed_by_input",
        limit="one kind of synapses",
    )


def test_convolutions_of_a_layer_share_their_geometry(check_error):
    shape = (1, 3, 3)
    small = conv(np.full((1, 1, 1, 1), 2), shape, target="i")
    large = conv(np.full((1, 1, 3, 3), 2), shape, target="r", padding=(1, 1))
    broken(
        lambda: program(shape, gru(9, small, large, shape=shape)),
        check_error,
        what="convolutions_share_geometry",
        where="layer 1, projections of other layers",
        value="((3, 3), (1, 1), (1, 1), (1, 1), 1)",
    )
