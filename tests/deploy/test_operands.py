"""Every public function takes what is unambiguous, and refuses the rest in one paragraph."""

import numpy as np
import pytest

from kipuka.convert.operands import checked_inputs
from kipuka.convert.program import Encoder
from kipuka.deploy import golden_vectors, simulate, simulate_each, simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import cuba, program, random_cuba, random_gru, random_spikes


@pytest.fixture
def network(rng):
    return program(8, random_gru(rng, 8, 5), random_cuba(rng, 5, 3))


@pytest.fixture
def spikes(rng):
    return random_spikes(rng, 2, 8, 7, 0.4)


FUNCTIONS = [simulate_reference, golden_vectors]


@pytest.mark.parametrize("function", [simulate, *FUNCTIONS])
@pytest.mark.parametrize("factor", [2, 3, -1, 0.5])
def test_values_besides_0_and_1_are_refused(network, spikes, function, factor, check_error):
    with pytest.raises(KipukaError) as caught:
        function(network, factor * spikes)
    parts = {"where": "input, index", "limit": "0 or 1", "remedy": "bin events"}
    check_error(caught.value, what="does not fit", value="", **parts)


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "f8"])
def test_spikes_of_any_type_are_spikes(network, spikes, dtype):
    expected = simulate_reference(network, spikes).trace
    for run in (simulate, simulate_reference):
        for typed in (spikes.astype(dtype), list(spikes.astype(dtype))):
            assert run(network, typed).trace.digest(0) == expected.digest(0)
    streamed = list(simulate_each(network, [spikes[1].astype(dtype), spikes[0].astype(dtype)]))
    assert streamed[1].trace.digest(0) == expected.digest(0)
    assert golden_vectors(network, list(spikes.astype(dtype)))[0].digest == expected.digest(0)


def test_tensors_are_taken(network, spikes):
    torch = pytest.importorskip("torch")
    for run in (simulate, simulate_reference):
        found = run(network, torch.from_numpy(spikes).float()).trace
        assert found.digest(1) == simulate_reference(network, spikes).trace.digest(1)


def test_channels_times_height_times_width_are_units(rng):
    network = program((2, 3, 1), random_cuba(rng, 6, 2))
    spikes = random_spikes(rng, 2, 6, 9)
    shaped = spikes.reshape(2, 2, 3, 1, 9)
    traces = [simulate_reference(network, each).trace for each in (spikes, shaped)]
    assert traces[0].digest(0) == traces[1].digest(0)


@pytest.mark.parametrize("shape", [(8, 7), (1, 8, 7), (3, 8, 60)])
@pytest.mark.parametrize("byte", [2, 128, 255])
def test_bools_of_other_bytes_are_true_everywhere(network, shape, byte):
    raw = np.full(shape, byte, np.uint8).view(bool)
    raw = raw.reshape(-1, *raw.shape[-2:])
    full = np.ones(raw.shape, bool)
    expected = simulate_reference(network, full).trace
    for run in (simulate, simulate_reference):
        assert run(network, raw).trace.digest(0) == expected.digest(0)


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [
        (np.zeros((8, 7), bool), "samples x 8 x steps"),
        (np.zeros((1, 9, 7), bool), "samples x 8 x steps"),
        (np.zeros((0, 8, 7), bool), "none of them 0"),
        (np.zeros((1, 8, 0), bool), "none of them 0"),
        ([], "samples x 8 x steps"),
        ([np.zeros((8, 3)), np.zeros((8, 4))], "one shape"),
        (np.array([["a"]]), "numbers"),
        (None, "numbers"),
        ({"spikes": 1}, "numbers"),
        (np.zeros((1, 8, 7), complex), "numbers"),
        (np.full((1, 8, 7), np.nan), "0 or 1"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_no_input_is_refused(network, function, inputs, limit, check_error):
    with pytest.raises(KipukaError) as caught:
        function(network, inputs)
    check_error(caught.value, what="does not fit", where="input", limit=limit, value="", remedy="")


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [(np.zeros((1, 4, 3)), "int32"), (np.full((1, 4, 3), 1 << 40), "magnitudes")],
)
def test_activations_are_whole_numbers_of_32_bits(inputs, limit, check_error):
    network = program(4, cuba(4), encoder=Encoder(64, 0))
    for run in (simulate, simulate_reference):
        with pytest.raises(KipukaError) as caught:
            run(network, inputs)
        parts = {"limit": limit, "value": "", "remedy": ""}
        check_error(caught.value, what="does not fit", where="input", **parts)
    whole = np.ones((1, 4, 3), np.int64)
    assert checked_inputs(network, whole).dtype == np.int32
    traces = [run(network, whole).trace for run in (simulate, simulate_reference)]
    assert traces[0].digest(0) == traces[1].digest(0)


def test_arrays_of_any_order_type_and_content_are_taken_or_refused(rng, network, check_error):
    """A generator of members: dtype, bytes, order and shape at random."""
    kinds = ["?", "u1", "i2", "i8", "f2", "f4", "f8", "c8", "S1", "O"]
    taken = 0
    for _ in range(300):
        axes = int(rng.integers(0, 5))
        shape = tuple(int(n) for n in rng.choice([0, 1, 2, 8], axes))
        if rng.random() < 0.5:
            shape = (int(rng.integers(1, 3)), 8, int(rng.integers(1, 20)))
        kind = str(rng.choice(kinds))
        values = rng.integers(0, 2 + int(rng.random() < 0.2), shape)
        array = np.zeros(shape, kind) if kind in ("S1", "O") else values.astype(kind)
        if rng.random() < 0.3:
            array = np.asfortranarray(array)
        if rng.random() < 0.2 and array.ndim:
            array = array[..., ::-1]
        if kind == "?" and rng.random() < 0.5:
            array = rng.integers(0, 256, shape, dtype=np.uint8).view(bool)
        try:
            expected = simulate_reference(network, array).trace
        except KipukaError:
            with pytest.raises(KipukaError) as caught:
                simulate(network, array)
            check_error(caught.value, where="input")
            continue
        assert simulate(network, array).trace.digest(0) == expected.digest(0)
        taken += 1
    assert 50 < taken < 290
