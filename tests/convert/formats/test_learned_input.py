"""An input whose weight was learned may be finer than a weight unit, and is SLAYER's arithmetic."""

import numpy as np
import pytest

from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lava.run import check_lava
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka.errors import KipukaError
from kipuka_comparison import assert_same_counters

torch = pytest.importorskip("torch", reason="needs the lava extra")
pytest.importorskip("lava", reason="needs the lava extra")


@pytest.fixture(scope="module")
def cuba():
    from kipuka.train.slayer import cuba

    return cuba


def neuron(**settings):
    return {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1, **settings}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_any_learned_input_is_the_same_in_training_and_simulators(cuba, tmp_path, seed):
    from kipuka.train.from_program.network import blocks_from_program, trace_blocks

    rng = np.random.default_rng(seed)
    settings = {
        "threshold": float(rng.uniform(0.02, 4)),
        "current_decay": float(rng.choice([1.0, rng.uniform()])),
        "voltage_decay": float(rng.uniform()),
    }
    weight, bias = rng.uniform(-4.5, 4.5), rng.uniform(-1, 1)
    blocks = torch.nn.ModuleList(
        [cuba.Input(settings, weight=weight, bias=bias), cuba.Dense(neuron(), 4, 3)]
    ).eval()
    given = rng.uniform(-3, 3, (2, 4, 30))
    program = program_from_blocks(blocks, input_shape=(4,))
    with torch.no_grad():
        found = blocks[0](torch.from_numpy(given).float()).numpy() > 0
    activation = program.encoder.activation(given)
    run = simulate_reference(program, activation)
    np.testing.assert_array_equal(found[..., 1:], run.trace.layers[0].spikes[..., :-1])
    save_net(tmp_path / "a.net", program)
    assert load_net(tmp_path / "a.net") == program
    traces = {
        "torch": trace_blocks(blocks_from_program(program), activation),
        "blocks": trace_blocks(blocks, activation),
    }
    fast = simulate(program, activation)
    assert_same_counters(fast.counters, run.counters)
    assert not verify(program, {"reference": run.trace, **traces, "fast": fast.trace}).mismatches
    ranges = analyse_ranges(program, 30, int(np.abs(activation).max()))
    peaks = np.abs(run.trace.layers[0].states["u"]).max(axis=(0, 2))
    assert np.all(peaks <= ranges.of(0, "u").reach)


@pytest.mark.parametrize(
    "far", [1 << 24, (1 << 30) + 5, -(1 << 30) - 77, (1 << 31) - 1, -(1 << 31)]
)
def test_activations_beyond_the_current_wrap_as_in_the_reference(cuba, far):
    program = program_from_blocks([cuba.Input(neuron(), weight=1.2, bias=0)], input_shape=(4,))
    activation = np.random.default_rng(0).integers(-9000, 9000, (1, 4, 12)).astype(np.int32)
    activation[0, :2, 3:7] = far
    fast, reference = simulate(program, activation), simulate_reference(program, activation)
    assert np.any(reference.counters.layers[0].wraps)
    assert_same_counters(fast.counters, reference.counters)
    assert not verify(program, {"reference": reference.trace, "fast": fast.trace}).mismatches


@pytest.mark.parametrize("engine", ["lava", "lowered", "netx"])
def test_lava_refuses_an_input_that_is_finer_than_its_own(cuba, check_error, engine):
    program = program_from_blocks([cuba.Input(neuron(), weight=1.2, bias=0)], input_shape=(4,))
    with pytest.raises(KipukaError) as caught:
        check_lava(program, 10, engine)
    check_error(
        caught.value,
        what=f"engine {engine} takes no activations that are finer than 1/64",
        where="layer 0, weight of the input",
        limit="1/2",
        value="1.1875",
        remedy="freeze the weight",
    )
