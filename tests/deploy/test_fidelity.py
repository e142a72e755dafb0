"""Integers beside the floats that they were rounded from."""

import dataclasses

import numpy as np
import pytest

from kipuka.convert.float_network import FloatLayer, FloatNetwork, FloatProjection
from kipuka.convert.quantization import quantize
from kipuka.deploy.fidelity import calibrated, measure_fidelity
from kipuka.errors import KipukaError
from kipuka_cases import random_spikes


def layer(weights, threshold=1.0, decay=0.1):
    n = len(weights)
    return FloatLayer(
        name="n",
        shape=(n,),
        projections=(FloatProjection(weights, 1, np.zeros(weights.shape[1], np.int64)),),
        gain=np.ones(n),
        current_decay=np.ones(n),
        voltage_decay=np.full(n, decay),
        threshold=None if threshold is None else np.full(n, threshold),
        bias=np.zeros(n),
        scale=None,
    )


def network(*layers, readout_delays=0):
    n = layers[-1].gain.size
    return FloatNetwork(
        (layers[0].projections[0].weights.shape[1],),
        layers,
        np.full(n, readout_delays, dtype=np.int64),
    )


def test_a_network_that_rounding_does_not_touch_agrees_in_everything(rng):
    floats = network(layer(np.array([[254.0, 100], [-30, 12]]), threshold=500.0, decay=0.0))
    found = measure_fidelity(floats, quantize(floats), random_spikes(rng, 3, 2, 80, 0.3))
    (one,) = found.layers
    assert (found.samples, found.steps, found.same_decisions) == (3, 80, 3)
    assert one.float_spikes == one.integer_spikes > 20
    assert (one.agreement, one.coincidence, one.rate_difference) == (1.0, 1.0, 0.0)
    assert one.membrane_error is None


def test_a_spike_that_is_missing_is_counted(rng):
    floats = network(layer(np.array([[1.0]]), threshold=0.9, decay=1.0))
    quantized = quantize(floats)
    (heard,) = quantized.program.layers
    deaf = dataclasses.replace(heard, neuron=heard.neuron._replace(threshold=np.array([100_000])))
    program = dataclasses.replace(quantized.program, layers=(deaf,))
    spikes = np.zeros((1, 1, 10), bool)
    spikes[0, 0, [2, 5]] = True
    changed = dataclasses.replace(quantized, program=program)
    (one,) = measure_fidelity(floats, changed, spikes).layers
    assert (one.float_spikes, one.integer_spikes) == (2, 0)
    assert (one.agreement, one.coincidence) == (0.8, 0.0)
    assert one.rate_difference == pytest.approx(0.2)


def test_membranes_are_compared_in_the_floats_unit(rng):
    floats = network(layer(rng.normal(size=(3, 4)), threshold=None))
    found = measure_fidelity(floats, quantize(floats), random_spikes(rng, 4, 4, 60, 0.2))
    assert 0 < found.layers[0].membrane_error < 0.02
    assert found.layers[0].agreement is None


def test_decisions_wait_for_the_delays_of_the_readout(rng):
    weights = np.array([[254.0, 0], [0, 254]])
    floats = network(layer(weights, threshold=100.0, decay=1.0), readout_delays=0)
    late = dataclasses.replace(floats, readout_delays_steps=np.array([0, 5]))
    spikes = np.zeros((1, 2, 6), bool)
    spikes[0, 0, 0] = spikes[0, 1, 3:5] = True
    for one in (floats, late):
        assert measure_fidelity(one, quantize(one), spikes).same_decisions == 1


def test_calibration_clips_where_an_outlier_spoils_the_grid(rng):
    weights = rng.normal(size=(6, 40))
    weights[0, 0] = 150.0
    floats = network(layer(weights, threshold=2.0))
    samples = random_spikes(rng, 6, 40, 60, 0.1)
    percentile, quantized, fidelity = calibrated(floats, samples)
    assert percentile < 100
    assert quantized.layers[0].clipped > 0
    assert fidelity == measure_fidelity(floats, quantized, samples)
    plain = measure_fidelity(floats, quantize(floats), samples).layers[0]
    assert fidelity.layers[0].coincidence > plain.coincidence


@pytest.mark.slow
def test_calibration_clips_nothing_where_nothing_is_won(rng):
    floats = network(layer(np.array([[254.0, 100], [-30, 12]]), threshold=500.0, decay=0.0))
    percentile, quantized, _ = calibrated(floats, random_spikes(rng, 3, 2, 80, 0.3))
    assert percentile == 100
    assert quantized == quantize(floats)


def test_calibration_wants_samples(check_error):
    floats = network(layer(np.ones((1, 2))))
    with pytest.raises(KipukaError) as caught:
        calibrated(floats, np.zeros((0, 2, 5), bool))
    check_error(
        caught.value, what="calibrate", where="samples", limit="at least one", value="0 samples",
        remedy="give samples",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"floats": "mine.nir"}, "floats"),
        ({"spikes": None}, "spikes"),
        ({"percentiles": 99}, "percentiles"),
        ({"percentiles": ["99"]}, "percentiles"),
        ({"percentiles": [1000]}, "percentile"),
    ],
)
def test_a_calibration_checks_its_arguments(change, where, check_error):
    given = {"floats": network(layer(np.ones((1, 2)))), "spikes": np.ones((1, 2, 3), bool)}
    given |= {"percentiles": np.array([100.0, 99.0])}
    assert calibrated(**given)[0] == 100
    with pytest.raises(KipukaError) as caught:
        calibrated(**given | change)
    check_error(caught.value, what="", where=where, limit="", value="", remedy="")


@pytest.mark.parametrize("name", ["floats", "quantized"])
def test_arguments_of_another_class_are_refused(name, check_error):
    floats = network(layer(np.array([[254.0, 100], [-30, 12]])))
    given = {"floats": floats, "quantized": quantize(floats), name: "mine.nir"}
    with pytest.raises(KipukaError) as caught:
        measure_fidelity(**given, spikes=np.zeros((1, 2, 4), bool))
    check_error(
        caught.value,
        what="the argument is no",
        where=f"argument {name}",
        limit="kipuka.convert",
        value="str mine.nir",
        remedy="kipuka.convert",
    )
