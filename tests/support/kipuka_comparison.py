"""Two runs that must agree in every bit and every count."""

import dataclasses

import numpy as np


def assert_same_traces(found, expected):
    for a, b in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(a.spikes, b.spikes)
        assert a.states.keys() == b.states.keys()
        for name in b.states:
            np.testing.assert_array_equal(a.states[name], b.states[name])


def assert_same_counters(found, expected):
    np.testing.assert_array_equal(found.input_spikes, expected.input_spikes)
    assert found.n_steps == expected.n_steps
    for a, b in zip(found.layers, expected.layers, strict=True):
        for field in dataclasses.fields(b):
            one, other = getattr(a, field.name), getattr(b, field.name)
            np.testing.assert_equal(one, other, err_msg=f"layer {b.layer}, {field.name}")


def assert_same(found, expected):
    assert_same_traces(found.trace, expected.trace)
    assert_same_counters(found.counters, expected.counters)
