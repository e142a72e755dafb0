"""The catalogue of networks on which every engine gives the spikes and states of the reference."""

from __future__ import annotations

import itertools

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.program import RECURRENT, Encoder, Reset
from kipuka_cases import (
    conv,
    conv_cuba,
    conv_mgu,
    cuba,
    dense,
    even,
    light_gru,
    program,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_mgu,
)
from kipuka_sigma_delta import conv_sigma_delta, delta, graded_program, sigma, sigma_delta

STEPS = 90
"""Longer than the longest delay plus a step."""


def gru_then_cuba(rng):
    n = 6
    return program(
        4,
        random_gru(rng, 4, n, delays_own=random_delays(rng, n)),
        random_cuba(rng, n, 3, delays=random_delays(rng, n)),
        readout_delays=[0, 5, 62],
    )


def gru_without_delays(rng):
    return program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))


def two_grus(rng):
    return program(
        4,
        random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 7)),
        random_gru(rng, 5, 4, delays_in=random_delays(rng, 5), threshold=20),
    )


def saturating_gru(rng):
    return program(4, random_gru(rng, 4, 5, scale=256, threshold=2047, bias_i=254, bias_r=128))


def all_weights_at_the_lower_end(rng):
    layer = cuba(3, dense(np.full((3, 4), -256)), bias=2000, voltage_decay=100)
    return program(4, layer, random_cuba(rng, 3, 2))


def leaky_cuba(rng):
    first = random_cuba(rng, 4, 6, current_decay=700, voltage_decay=333)
    return program(4, first, random_cuba(rng, 6, 3, delays=random_delays(rng, 6)))


def cuba_extremes(rng):
    first = random_cuba(rng, 4, 6, current_decay=1, voltage_decay=4096, threshold=131071)
    return program(4, first, random_cuba(rng, 6, 3, current_decay=4096, threshold=1))


def wrapping_current(rng):
    layer = cuba(2, dense(np.full((2, 9), 254)), current_decay=1, threshold=131071)
    return program(9, layer)


def current_beyond_one_period(rng):
    layer = cuba(2, dense(np.full((2, 18), 254), exponent=7), current_decay=4096, threshold=131071)
    return program(18, layer)


def recurrent_cuba(rng):
    return program(4, random_cuba(rng, 4, 6, recurrent=True, bias=5), random_cuba(rng, 6, 2))


def recurrent_cuba_delays(rng):
    n = 6
    projections = (
        dense(even(rng, (n, 4))),
        dense(even(rng, (n, n)), RECURRENT, "a", random_delays(rng, n)),
    )
    return program(4, cuba(n, *projections, current_decay=900, voltage_decay=200))


def membrane_readout(rng):
    last = random_cuba(rng, 6, 3, threshold=fixed.NEVER_SPIKES)
    return program(4, random_gru(rng, 4, 6), last, kind="membrane")


def delay_per_synapse(rng):
    first = cuba(5, dense(even(rng, (5, 4)), delays=rng.integers(0, 63, (5, 4))))
    return program(4, first, cuba(3, dense(even(rng, (3, 5)), delays=rng.integers(0, 9, (3, 5)))))


def recurrent_delay_per_synapse(rng):
    own = dense(even(rng, (6, 6)), RECURRENT, "a", rng.integers(0, 63, (6, 6)))
    return program(4, cuba(6, dense(even(rng, (6, 4))), own, voltage_decay=500))


def square_recurrence(rng):
    first = random_cuba(rng, 5, 5, recurrent=True, delays=random_delays(rng, 5))
    return program(5, first, random_cuba(rng, 5, 2, delays=random_delays(rng, 5)))


def weight_exponents(rng):
    first = cuba(5, dense(even(rng, (5, 4)), exponent=3), threshold=300)
    return program(4, first, cuba(3, dense(even(rng, (3, 5)), delays=2, exponent=7), threshold=999))


def odd_weights(rng):
    """Weights of 8 bits in steps of one: doubled, with sums that are halved."""
    first = cuba(
        5,
        dense(2 * rng.integers(-128, 128, (5, 4)), exponent=-1),
        dense(2 * rng.integers(-128, 128, (5, 5)), RECURRENT, exponent=-1),
        threshold=70,
    )
    second = cuba(3, dense(2 * rng.integers(-99, 99, (3, 5)), exponent=-1), voltage_decay=40)
    last = dense(2 * rng.integers(-60, 60, (2, 3)), delays=rng.integers(0, 9, (2, 3)), exponent=-1)
    return program(4, first, second, cuba(2, last))


def convolution(rng):
    first = conv(even(rng, (3, 2, 3, 2)), (2, 6, 5), stride=(2, 1), padding=(1, 0))
    second = conv(even(rng, (4, 3, 2, 2)), first.synapses.output_shape, dilation=(1, 2))
    last = random_cuba(rng, second.synapses.n_targets, 3)
    return program((2, 6, 5), conv_cuba(first, bias=3), conv_cuba(second, bias=-4), last)


def grouped_convolution(rng):
    first = conv(even(rng, (4, 1, 3, 3)), (2, 5, 5), groups=2)
    return program((2, 5, 5), conv_cuba(first, voltage_decay=300), random_cuba(rng, 36, 2))


def convolution_with_delays(rng):
    shape = (2, 5, 4)
    first = conv(even(rng, (3, 2, 2, 2)), shape)
    delays = np.repeat(random_delays(rng, 3), 12)
    second = conv(even(rng, (2, 3, 2, 2)), (3, 4, 3), delays=delays, padding=(1, 1))
    last = random_cuba(rng, 40, 3, delays=np.repeat(random_delays(rng, 2, 20), 20))
    return program(shape, conv_cuba(first, bias=7), conv_cuba(second), last)


def convolution_with_exponent(rng):
    first = conv(even(rng, (3, 2, 2, 2)), (2, 4, 4), exponent=2)
    return program((2, 4, 4), conv_cuba(first, threshold=200), random_cuba(rng, 27, 2))


def pooling(rng):
    first = conv(even(rng, (2, 1, 3, 3)), (1, 7, 6))
    pool = conv(np.full((2, 1, 2, 2), 32), (2, 5, 4), groups=2, stride=(2, 2))
    return program((1, 7, 6), conv_cuba(first), conv_cuba(pool), random_cuba(rng, 8, 2))


def pooling_past_the_edge(rng):
    shape = (2, 5, 4)
    settings = {"groups": 2, "stride": (2, 2), "output_shape": (2, 3, 2)}
    pool = conv(np.full((2, 1, 2, 2), 34), shape, **settings)
    return program(shape, conv_cuba(pool), random_cuba(rng, 12, 2))


def skip_connection(rng):
    first, second = random_cuba(rng, 4, 5), random_cuba(rng, 5, 6)
    joined = (
        dense(even(rng, (3, 6)), delays=random_delays(rng, 6)),
        dense(even(rng, (3, 5)), 2, delays=random_delays(rng, 5, 8)),
        dense(even(rng, (3, 4)), 3),
    )
    return program(4, first, second, cuba(3, *joined))


def convolution_after_a_skip(rng):
    shape = (2, 4, 4)
    first = conv(even(rng, (3, 2, 3, 3)), shape, padding=(1, 1))
    joined = (
        conv(even(rng, (2, 3, 3, 3)), (3, 4, 4)),
        conv(even(rng, (2, 2, 3, 3)), shape, source=2),
    )
    return program(shape, conv_cuba(first), conv_cuba(*joined), random_cuba(rng, 8, 2))


def encoded_input(rng):
    shape = (2, 4, 4)
    first = cuba(32, shape=shape, voltage_decay=1024, threshold=25)
    second = conv_cuba(conv(even(rng, (3, 2, 2, 2), 30), shape), bias=2)
    last = random_cuba(rng, 27, 2)
    return program(shape, first, second, last, encoder=Encoder(40, 36))


def encoded_input_with_current(rng):
    first = cuba(6, current_decay=900, voltage_decay=200, threshold=120)
    return program(6, first, random_cuba(rng, 6, 3, bias=1), encoder=Encoder(64, 0))


def resets(rng):
    first = random_cuba(rng, 4, 6, current_decay=300, voltage_decay=100, bias=3)
    last = random_cuba(rng, 6, 3, delays=random_delays(rng, 6, 9), bias=-2)
    return program(4, first, last, reset=Reset(16, 3))


def resets_of_a_gru(rng):
    gru = random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 7))
    return program(4, gru, random_cuba(rng, 5, 3), reset=Reset(17))


def population_readout(rng):
    return program(4, random_cuba(rng, 4, 6), population=3, readout_delays=[0, 1, 2, 3, 4, 62])


def integrator_of_netx(rng):
    silent = {"current_decay": 0, "voltage_decay": 4096, "threshold": fixed.NEVER_SPIKES}
    return program(4, random_cuba(rng, 4, 6), random_cuba(rng, 6, 3, **silent), kind="membrane")


def dense_gru_with_current(rng):
    n = 6
    first = random_gru(rng, 4, n, delays_own=random_delays(rng, n), current=True)
    return program(4, first, random_cuba(rng, n, 3, delays=random_delays(rng, n)))


def two_grus_with_current(rng):
    first = random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 7), current=True)
    last = random_gru(rng, 5, 4, delays_in=random_delays(rng, 5), current=True, threshold=20)
    return program(4, first, last)


def saturating_gru_with_current(rng):
    settings = {"scale": 256, "threshold": 2047, "bias_i": 254, "bias_r": 128}
    return program(4, random_gru(rng, 4, 5, current=True, **settings), random_cuba(rng, 5, 2))


def conv_gru_then_cuba(rng):
    first = random_conv_gru(rng, (2, 5, 4), 3, padding=(1, 1), delays_own=random_delays(rng, 3))
    delays = np.repeat(random_delays(rng, 3), 20)
    return program((2, 5, 4), first, random_cuba(rng, 60, 3, delays=delays))


def conv_gru_with_stride_and_dilation(rng):
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "kernel_own": (3, 1)}
    first = random_conv_gru(
        rng, (2, 7, 6), 3, dilation_own=(2, 1), delays_own=[0, 7, 62], **settings
    )
    return program((2, 7, 6), first, random_cuba(rng, first.n_neurons, 3))


def grouped_conv_gru(rng):
    settings = {"groups": 2, "padding": (1, 1), "threshold": 40}
    first = random_conv_gru(rng, (2, 4, 4), 4, delays_own=[0, 1, 2, 30], **settings)
    return program((2, 4, 4), first, random_cuba(rng, first.n_neurons, 3))


def conv_gru_chain(rng):
    shape = (1, 6, 5)
    first = random_conv_gru(rng, shape, 3, padding=(1, 1), delays_own=random_delays(rng, 3))
    settings = {"stride": (2, 2), "delays_in": random_delays(rng, 3), "delays_own": [5, 0]}
    second = random_conv_gru(rng, (3, 6, 5), 2, **settings)
    return program(shape, first, second, random_cuba(rng, second.n_neurons, 3))


def conv_gru_with_current(rng):
    settings = {"padding": (1, 1), "current": True, "delays_own": random_delays(rng, 3)}
    first = random_conv_gru(rng, (2, 5, 4), 3, **settings)
    return program((2, 5, 4), first, random_cuba(rng, 60, 3))


def convolution_then_gru_with_current(rng):
    shape = (1, 6, 4)
    first = conv_cuba(conv(even(rng, (3, 1, 3, 3)), shape, padding=(1, 1)))
    delays = np.repeat(random_delays(rng, 3), 24)
    second = random_gru(rng, 72, 5, delays_in=delays, current=True)
    return program(shape, first, second, random_cuba(rng, 5, 3))


def resets_of_a_gru_with_current(rng):
    gru = random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 7), current=True)
    return program(4, gru, random_cuba(rng, 5, 3), reset=Reset(7))


def sigma_delta_layers(rng, activation, threshold, with_bias, with_delays):
    """Encoder, convolution, pooling, grouped convolution, dense layers with and without a
    recurrence, skip connection and decoder, all with one kind of neuron.
    """

    def neurons(channels, pixels=1):
        bias = np.repeat(rng.integers(-6, 7, channels) * with_bias, pixels)
        return {"threshold": threshold, "activation": activation, "bias": bias}

    def late(n, pixels=1):
        return np.repeat(random_delays(rng, n), pixels) if with_delays else 0

    first = conv(even(rng, (4, 2, 3, 2), 10), (2, 7, 6), padding=(1, 0), delays=late(2, 42))
    pool = conv(np.full((4, 1, 2, 2), 40), (4, 7, 5), groups=4, stride=(2, 2), delays=late(4, 35))
    groups = conv(even(rng, (4, 2, 2, 2), 50), (4, 3, 2), groups=2, delays=late(4, 6))
    per_synapse = rng.integers(0, 9, (6, 8)) if with_delays else 0
    own = dense(even(rng, (5, 5), 6), RECURRENT, delays=late(5))
    return [
        delta((2, 7, 6), threshold),
        conv_sigma_delta(first, **neurons(4, 35)),
        conv_sigma_delta(pool, **neurons(4, 6)),
        conv_sigma_delta(groups, **neurons(4, 2)),
        sigma_delta(6, dense(even(rng, (6, 8), 70), delays=per_synapse), **neurons(6)),
        sigma_delta(5, dense(even(rng, (5, 6), 80), delays=late(6)), own, **neurons(5)),
        sigma(3, dense(even(rng, (3, 5), 20), delays=late(5))),
    ]


def sigma_delta_case(activation, threshold, with_bias, with_delays):
    def case(rng):
        return graded_program(
            *sigma_delta_layers(rng, activation, threshold, with_bias, with_delays)
        )

    words = ["sigma_delta", "relu" if activation else "unit", f"threshold_{threshold}"]
    words += ["bias"] * with_bias + ["delays"] * with_delays
    case.__name__ = "_".join(words)
    return case


def sigma_delta_with_a_skip_and_exponents(rng):
    joined = (
        dense(even(rng, (4, 5), 20), delays=random_delays(rng, 5), exponent=2),
        dense(even(rng, (4, 6), 20), 2, delays=random_delays(rng, 6, 8), exponent=2),
    )
    own = dense(2 * rng.integers(-5, 6, (4, 4)), RECURRENT, exponent=-1)
    return graded_program(
        delta((6,), 2),
        sigma_delta(5, dense(even(rng, (5, 6), 30)), threshold=1),
        sigma_delta(4, *joined, own, activation=0),
        reset=Reset(31, 4),
    )


def axonal_delays_case(activation, threshold):
    def case(rng):
        def neurons(channels, pixels=1):
            bias = np.repeat(rng.integers(-6, 7, channels), pixels)
            return {"threshold": threshold, "activation": activation, "bias": bias}

        def late(n, pixels=1):
            return np.repeat(random_delays(rng, n), pixels)

        first = conv(even(rng, (4, 2, 3, 2), 10), (2, 7, 6), padding=(1, 0), delays=late(2, 42))
        pool = conv(
            np.full((4, 1, 2, 2), 40), (4, 7, 5), groups=4, stride=(2, 2), delays=late(4, 35)
        )
        return graded_program(
            delta((2, 7, 6), threshold),
            conv_sigma_delta(first, **neurons(4, 35)),
            conv_sigma_delta(pool, **neurons(4, 6)),
            sigma_delta(6, dense(even(rng, (6, 24), 40), delays=late(4, 6)), **neurons(6)),
            sigma_delta(5, dense(even(rng, (5, 6), 80), delays=late(6)), **neurons(5)),
            sigma(3, dense(even(rng, (3, 5), 20), delays=late(5))),
        )

    kind = "relu" if activation else "unit"
    case.__name__ = f"sigma_delta_{kind}_threshold_{threshold}_axonal_delays"
    return case


SIGMA_DELTA_CASES = [
    *(
        sigma_delta_case(*kind)
        for kind in itertools.product((1, 0), (0, 3), (False, True), (False, True))
    ),
    sigma_delta_with_a_skip_and_exponents,
]

AXONAL_DELAYS_CASES = [axonal_delays_case(*kind) for kind in itertools.product((1, 0), (0, 3))]


def mgu_then_cuba(rng):
    n = 6
    first = random_mgu(rng, 4, n, delays_own=random_delays(rng, n))
    last = random_cuba(rng, n, 3, delays=random_delays(rng, n))
    return program(4, first, last, readout_delays=[0, 5, 62])


def two_mgus(rng):
    return program(
        4,
        random_mgu(rng, 4, 5, delays_own=random_delays(rng, 5, 7)),
        random_mgu(rng, 5, 4, delays_in=random_delays(rng, 5), threshold=20),
    )


def saturating_mgu(rng):
    return program(4, random_mgu(rng, 4, 5, scale=254, threshold=2047, bias_i=254, bias_f=128))


def conv_mgu_then_gru(rng):
    delays = random_delays(rng, 3)
    first = conv_mgu(random_conv_gru(rng, (2, 5, 4), 3, padding=(1, 1), delays_own=delays))
    second = random_gru(rng, 60, 5, delays_in=np.repeat(random_delays(rng, 3), 20))
    return program((2, 5, 4), first, second, random_cuba(rng, 5, 3))


def resets_of_an_mgu(rng):
    layer = random_mgu(rng, 4, 5, delays_own=random_delays(rng, 5, 7))
    return program(4, layer, random_cuba(rng, 5, 3), reset=Reset(17))


def gru_with_a_constant_reset_gate(rng):
    first = light_gru(random_gru(rng, 4, 6, delays_own=random_delays(rng, 6)))
    return program(4, first, random_cuba(rng, 6, 3, delays=random_delays(rng, 6)))


CASES = [
    gru_then_cuba,
    gru_without_delays,
    two_grus,
    saturating_gru,
    all_weights_at_the_lower_end,
    leaky_cuba,
    cuba_extremes,
    wrapping_current,
    current_beyond_one_period,
    recurrent_cuba,
    recurrent_cuba_delays,
    membrane_readout,
    delay_per_synapse,
    recurrent_delay_per_synapse,
    square_recurrence,
    weight_exponents,
    convolution,
    grouped_convolution,
    convolution_with_delays,
    convolution_with_exponent,
    pooling,
    pooling_past_the_edge,
    skip_connection,
    convolution_after_a_skip,
    encoded_input,
    encoded_input_with_current,
    resets,
    resets_of_a_gru,
    population_readout,
    integrator_of_netx,
    dense_gru_with_current,
    two_grus_with_current,
    saturating_gru_with_current,
    conv_gru_then_cuba,
    conv_gru_with_stride_and_dilation,
    grouped_conv_gru,
    conv_gru_chain,
    conv_gru_with_current,
    convolution_then_gru_with_current,
    resets_of_a_gru_with_current,
    odd_weights,
    *SIGMA_DELTA_CASES,
    mgu_then_cuba,
    two_mgus,
    saturating_mgu,
    conv_mgu_then_gru,
    resets_of_an_mgu,
    gru_with_a_constant_reset_gate,
    *AXONAL_DELAYS_CASES,
]
"""New cases come last: the place of a case is the seed of its random numbers."""

NO_SPIKES = (wrapping_current, current_beyond_one_period, cuba_extremes)
"""Cases about the current, in which the first layer may stay silent."""


def rate_of(case):
    return 1.0 if case in (wrapping_current, current_beyond_one_period) else 0.25


def drawn(case):
    """Network of a case and two samples for it; the place in the catalogue is the seed."""
    rng = np.random.default_rng(CASES.index(case))
    network = case(rng)
    return network, random_inputs(rng, network, 2, STEPS, rate_of(case))
