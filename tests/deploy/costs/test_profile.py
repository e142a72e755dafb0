import numpy as np
import pytest

from kipuka.convert.synapses import RECURRENT, ConvSynapses
from kipuka.deploy.costs.core_activity import core_operations
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.latency import TERMS
from kipuka.deploy.costs.mapping import groups_of
from kipuka.deploy.costs.program_run import record_for_costs, sent_in
from kipuka.deploy.fast.simulator import COUNTERS, Record, simulate
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import (
    conv,
    conv_cuba,
    cuba,
    dense,
    even,
    program,
    pulses,
    random_conv_gru,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_spikes,
)
from kipuka_random import random_network

COUNTED = 24
"""Random networks whose work is counted independently."""


@pytest.fixture
def chip():
    return load_profile("loihi2")


def cost_of(network, inputs, chip, **options):
    return profile(network, inputs, simulate_reference(network, inputs), chip, **options)


def test_costs_by_hand(chip):
    # 3 input spikes reach 2 nonzero weights each: 6 synaptic operations; 2 neurons x 4 steps.
    layer = cuba(2, dense([[200], [200]]))
    cost = cost_of(program(1, layer), pulses(1, 4, (0, 0), (0, 1), (0, 2)), chip)
    assert (cost.input_spikes, cost.spikes, cost.synaptic_operations) == (3, 6, 6)
    assert cost.neuron_updates == 8
    # pJ: low 6 x 6.8; typical 6 x 19.2 + 8 x 2 x 65.9; high is the largest of the cases that hold
    # together: 6 x 29.9, the typical one, or 6 x 11.4 + 16 x 114, never 6 x 29.9 + 16 x 114.
    assert cost.dynamic_energy_j == pytest.approx(
        (6 * 6.8e-12, (6 * 19.2 + 16 * 65.9) * 1e-12, (6 * 11.4 + 16 * 114) * 1e-12)
    )
    # Nothing here takes longer than the barrier: 4 steps of 0.6 and 1.8 us. At most, what the steps
    # do comes on top: 6 operations of 0.94 ns, 2 neurons x 2 updates of 4.2 ns in each step.
    most = 4 * (1.8e-6 + 4 * 4.2e-9) + 6 * 0.94e-9
    assert cost.latency_s == pytest.approx((2.4e-6, 7.2e-6, most))
    assert cost.static_energy_j == pytest.approx((2.4e-6 * 0.10, 7.2e-6 * 0.23, most * 0.31))


def test_the_busiest_core_sets_the_step(chip):
    # 200 spikes x 100 targets = 20,000 operations of 0.66 ns = 13.2 us in the one busy step.
    network = program(200, cuba(100, dense(np.full((100, 200), 2))))
    inputs = np.zeros((1, 200, 3), dtype=bool)
    inputs[..., 1] = True
    cost = cost_of(network, inputs, chip)
    assert cost.latency_s.typical == pytest.approx(2 * 1.8e-6 + 20_000 * 0.66e-9)
    assert [TERMS[k] for k in cost.timing.bottleneck[0]] == [
        "barrier",
        "synaptic operations",
        "barrier",
    ]
    # On 4 cores with equal parts the busy step takes a fourth.
    spread = cost_of(network, inputs, chip, cores=4)
    assert spread.latency_s.typical == pytest.approx(2 * 1.8e-6 + 5_000 * 0.66e-9)
    assert spread.dynamic_energy_j == pytest.approx(cost.dynamic_energy_j)


@pytest.mark.parametrize("kind", ["gru", "conv"])
def test_energy_is_additive_over_layers_and_cores(rng, chip, kind):
    networks = {
        "gru": program(5, random_gru(rng, 5, 8), random_cuba(rng, 8, 3, recurrent=True)),
        "conv": program((1, 4, 4), random_conv_gru(rng, (1, 4, 4), 2), random_cuba(rng, 8, 3)),
    }
    network = networks[kind]
    cost = cost_of(network, random_spikes(rng, 4, network.n_inputs, 30, 0.4), chip, cores=5)
    assert cost.mapping.n_cores == 5
    assert (cost.core_energy_j > 0).all()
    for k in range(2):
        parts = [layer.dynamic_energy_j[k] for layer in cost.layers]
        assert cost.dynamic_energy_j[k] == pytest.approx(sum(parts))
        kinds = [bounds[k] or 0.0 for bounds in cost.energy_by_kind_j.values()]
        assert cost.dynamic_energy_j[k] == pytest.approx(sum(kinds))
    assert cost.energy_by_kind_j["spike messages"] == (None, None, None)
    assert cost.core_energy_j.sum() == pytest.approx(cost.dynamic_energy_j.typical)
    # The worst case of a sum is one case for all parts: never above the sum of their worst cases.
    highs = sum(layer.dynamic_energy_j.high for layer in cost.layers)
    assert cost.dynamic_energy_j.high <= highs * (1 + 1e-12)
    assert cost.dynamic_energy_j.low < cost.dynamic_energy_j.typical < cost.dynamic_energy_j.high


def silent_networks(rng):
    """Ten neurons of each kind that never spike by themselves."""
    shape = (1, 3, 3)
    return {
        "dense": program(5, random_cuba(rng, 5, 7), random_cuba(rng, 7, 3, delays=4)),
        "recurrent": program(5, random_cuba(rng, 5, 10, recurrent=True)),
        "gru": program(
            5, random_gru(rng, 5, 10, random_delays(rng, 5), bias_i=0, bias_r=0, bias_z=0)
        ),
        "conv": program(
            shape, conv_cuba(conv(even(rng, (1, 1, 1, 1)) + 2, shape)), random_cuba(rng, 9, 1)
        ),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("loihi1", kind) for kind in ("dense", "recurrent", "conv")),
        *(("loihi2", kind) for kind in ("dense", "recurrent", "gru", "conv")),
    ],
)
def test_zero_input_costs_exactly_the_idle_work(rng, name, kind):
    chip, network = load_profile(name), silent_networks(rng)[kind]
    cost = cost_of(network, np.zeros((2, network.n_inputs, 11), dtype=bool), chip)
    assert cost.neuron_updates == 10 * 11
    update = chip.energy.neuron_update_inactive.in_si().typical
    if update is None:
        update = chip.energy.neuron_update.in_si().typical
    passes = chip.energy.dendrite_updates_per_neuron_update.in_si().typical
    assert cost.dynamic_energy_j.typical == pytest.approx(10 * 11 * passes * update, rel=1e-12)
    assert cost.energy_by_kind_j["synaptic operations"].typical == 0
    assert cost.latency_s.typical == pytest.approx(11 * chip.latency.barrier.in_si().typical)


@pytest.mark.parametrize("current", [False, True])
def test_a_chip_without_programmable_neurons_refuses_the_spiking_gru(rng, check_error, current):
    network = program(5, random_cuba(rng, 5, 4), random_gru(rng, 4, 6, current=current))
    inputs = random_spikes(rng, 1, 5, 9)
    run = simulate_reference(network, inputs)
    with pytest.raises(KipukaError) as caught:
        profile(network, inputs, run, load_profile("loihi1"))
    lacked = "programmable neurons" + " and no graded messages" * current
    check_error(
        caught.value,
        what="cannot compute",
        where="layer 2 (SPIKING_GRU) on loihi1",
        limit=f"has no {lacked}",
        value="SPIKING_GRU",
        remedy="loihi2",
    )


def test_static_energy_of_several_chips_is_that_of_each(rng, chip):
    cores = chip.limits.cores_per_chip.model_copy(update={"value": 1.0, "low": None})
    small = chip.model_copy(
        update={"limits": chip.limits.model_copy(update={"cores_per_chip": cores})}
    )
    network = program(5, random_cuba(rng, 5, 7), random_cuba(rng, 7, 3), random_cuba(rng, 3, 2))
    inputs = random_spikes(rng, 2, 5, 11)
    one, three = (cost_of(network, inputs, x) for x in (chip, small))
    assert (one.mapping.n_chips, three.mapping.n_chips) == (1, 3)
    powers = chip.static_power.in_si()
    for k in range(3):
        assert one.static_energy_j[k] == pytest.approx(powers[k] * one.latency_s[k])
        assert three.static_energy_j[k] == pytest.approx(3 * powers[k] * three.latency_s[k])
    assert any("static energy is 3 times that of one" in text for text in three.left_out)
    assert not any("static" in text for text in one.left_out)
    board = load_profile("kapoho_point")
    assert cost_of(network, inputs, board).static_energy_j == (None, None, None)
    assert "static power: not published" in cost_of(network, inputs, board).left_out


def test_more_chips_than_a_second_source_gives_are_said(rng):
    board = load_profile("kapoho_point")
    cores = board.limits.cores_per_chip.model_copy(update={"value": 1.0, "low": None})
    changed = {"limits": board.limits.model_copy(update={"cores_per_chip": cores})}
    layers = [random_cuba(rng, 3, 3) for _ in range(5)]
    cost = cost_of(
        program(3, *layers), random_spikes(rng, 1, 3, 4), board.model_copy(update=changed)
    )
    assert cost.mapping.n_chips == 5
    assert any("only 4 chips; 5 are planned" in text for text in cost.left_out)


def counted_by_hand(network, inputs, trace):
    """Synaptic operations by target neuron and step, spike by spike in plain numpy."""
    n_samples, _, n_steps = inputs.shape
    emitted = [inputs, *(layer.spikes for layer in trace.layers)]
    found = []
    for position, layer in enumerate(network.layers):
        total = np.zeros((layer.n_neurons, n_samples, n_steps), dtype=np.int64)
        for projection in layer.projections:
            index = position + 1 - projection.source
            transit = 1 if index > 0 else 0
            delays = projection.delays
            sent = emitted[index]
            if projection.message == "current":
                # Currents are sent in units of the weights, and only those that are not 0.
                sent = trace.layers[position].states["i"] // 64 != 0
            for target, source, _ in zip(*projection.synapses.entries(), strict=True):
                delay = delays[source] if delays.ndim == 1 else delays[target, source]
                late = int(delay) + transit
                if late < n_steps:
                    total[target, :, late:] += sent[:, source, : n_steps - late]
        found.append(total)
    return found


def kinds_of(network):
    """What a network has of the things whose work is easily miscounted."""
    projections = [p for layer in network.layers for p in layer.projections]
    kinds = {"current" for p in projections if p.message == "current"}
    kinds |= {"recurrence" for p in projections if p.source == RECURRENT}
    kinds |= {"skip" for p in projections if p.source > 1}
    kinds |= {"delays" for p in projections if p.delays.ndim == 1 and p.delays.any()}
    kinds |= {"delay per synapse" for p in projections if p.delays.ndim == 2 and p.delays.any()}
    kinds |= {"convolution" for p in projections if isinstance(p.synapses, ConvSynapses)}
    return kinds | {layer.model for layer in network.layers}


def test_the_networks_of_the_independent_count_have_everything_and_work():
    found, operations = set(), 0
    for seed in range(COUNTED):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        inputs = random_inputs(rng, network, 2, 20)
        run = simulate_reference(network, inputs)
        done = sum(int(layer.synaptic_operations.sum()) for layer in run.counters.layers)
        found |= kinds_of(network) if done else set()
        operations += done
    assert operations > 1000
    wanted = {"recurrence", "skip", "delays", "delay per synapse", "convolution", "current"}
    assert found >= {*wanted, "SPIKING_GRU", "CUBA"}


@pytest.mark.parametrize("seed", range(COUNTED))
def test_work_of_cores_equals_an_independent_count(seed, chip):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, 20)
    run = simulate_reference(network, inputs)
    cost = profile(network, inputs, run, chip, cores=9)
    counted = core_operations(
        groups_of(network), cost.mapping, sent_in(network, inputs, run).of_samples(slice(None))
    )
    for own, by_neuron in zip(
        cost.mapping.groups, counted_by_hand(network, inputs, run.trace), strict=True
    ):
        assignment = own.parts.assignment()
        for core in range(own.n_cores):
            expected = by_neuron[assignment == core].sum(axis=0)
            np.testing.assert_array_equal(counted[own.first_core + core], expected)
    for own, layer in zip(cost.mapping.groups, run.counters.layers, strict=True):
        np.testing.assert_array_equal(counted[own.cores].sum(axis=0), layer.synaptic_operations)
    np.testing.assert_array_equal(cost.activity.busiest_operations, counted.max(axis=0))


def test_messages_go_once_to_each_core_and_hop_between_routers(chip):
    # 1 neuron spikes twice; its targets lie on 8 cores, of which it shares a router with 3.
    first = cuba(1, dense([[200]]))
    second = cuba(8, dense(np.full((8, 1), 2)), dense(np.full((8, 8), 2), RECURRENT))
    cost = cost_of(program(1, first, second), pulses(1, 9, (0, 0), (0, 3)), chip, cores=9)
    assert [layer.cores for layer in cost.layers] == [1, 8]
    assert cost.layers[0].messages == 16
    # Cores 1 to 3 on the sender's router, 4 to 7 one hop away, core 8 two.
    assert cost.activity.hops[0] == 2 * (4 * 1 + 1 * 2)
    loads = dict(zip(cost.activity.routes.links, cost.activity.link_messages, strict=True))
    used = {link: load for link, load in loads.items() if load}
    assert used == {(0, 0, 0, 1, 0): 10, (0, 1, 0, 2, 0): 2}


def test_bounds_that_are_not_published_stay_unknown(rng):
    network = program(5, random_cuba(rng, 5, 3))
    cost = cost_of(network, random_spikes(rng, 1, 5, 10), load_profile("loihi1"))
    assert cost.dynamic_energy_j.typical > 0
    assert cost.dynamic_energy_j.high is None


def test_what_is_left_out_is_said(rng, chip):
    cost = cost_of(program(5, random_cuba(rng, 5, 3)), random_spikes(rng, 1, 5, 10), chip)
    left_out = " ".join(cost.left_out)
    for part in ("spike message", "hop", "host", "synaptic memory", "inactive"):
        assert part in left_out


def test_spikes_must_have_been_recorded(rng, chip, check_error):
    network = program(5, random_cuba(rng, 5, 3))
    inputs = random_spikes(rng, 1, 5, 10)
    with pytest.raises(KipukaError) as caught:
        profile(network, inputs, simulate(network, inputs, record=COUNTERS), chip)
    where = "profile, layer 1"
    check_error(caught.value, what="not recorded", where=where, limit="10 steps", value="0 steps")


def test_graded_currents_cost_synaptic_operations_by_core(rng, chip):
    network = program(5, random_gru(rng, 5, 12, current=True, scale=120), random_cuba(rng, 12, 3))
    inputs = random_spikes(rng, 3, 5, 30, 0.5)
    run = simulate(network, inputs, record=record_for_costs(network))
    cost = profile(network, inputs, run, chip, cores=5)
    by_core = core_operations(
        groups_of(network), cost.mapping, sent_in(network, inputs, run).of_samples(slice(None))
    )
    assert cost.mapping.groups[0].n_cores > 1
    for own, counted in zip(cost.mapping.groups, run.counters.layers, strict=True):
        assert counted.synaptic_operations.any()
        summed = by_core[own.cores].sum(axis=0)
        np.testing.assert_array_equal(summed, counted.synaptic_operations)


def test_currents_must_have_been_recorded(rng, chip, check_error):
    network = program(5, random_gru(rng, 5, 4, current=True))
    inputs = random_spikes(rng, 1, 5, 10)
    with pytest.raises(KipukaError) as caught:
        profile(network, inputs, simulate(network, inputs, record=Record(states=())), chip)
    check_error(caught.value, where="layer 1", limit="state i", value="states none")


def test_fewer_cores_than_the_network_needs_are_refused(rng, chip, check_error):
    network = program(5, random_gru(rng, 5, 4), random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        cost_of(network, random_spikes(rng, 1, 5, 10), chip, cores=1)
    check_error(caught.value, where="option cores", limit="at least 2", value="1")


def test_input_from_the_host_is_a_term_of_its_own(chip):
    network, inputs = program(1, cuba(2, dense([[200], [200]]))), pulses(1, 4, (0, 0))
    preloaded = cost_of(network, inputs, chip)
    fed = cost_of(network, inputs, chip, host_input=True)
    step = chip.host_input.step_from_host.in_si()
    # Low and typical: the chip's own time passes while it waits; high: it comes on top.
    assert fed.latency_s[:2] == pytest.approx((4 * step.low, 4 * step.typical))
    assert fed.latency_s.high == pytest.approx(4 * step.high + preloaded.latency_s.high)
    assert {TERMS[k] for k in fed.timing.bottleneck.ravel()} == {"host input"}
    assert fed.dynamic_energy_j == preloaded.dynamic_energy_j
    assert fed.static_energy_j.typical == pytest.approx(4 * step.typical * 0.23)
    assert any("8.05 to 57.15 ms a step" in text for text in preloaded.left_out)
    assert not any("ms a step" in text for text in fed.left_out)


def test_the_barrier_of_several_chips_is_another(rng, chip):
    cores = chip.limits.cores_per_chip.model_copy(update={"value": 1.0, "low": None})
    small = chip.model_copy(
        update={"limits": chip.limits.model_copy(update={"cores_per_chip": cores})}
    )
    network = program(3, random_cuba(rng, 3, 3), random_cuba(rng, 3, 2))
    inputs = np.zeros((1, 3, 5), dtype=bool)
    assert cost_of(network, inputs, chip).latency_s.typical == pytest.approx(5 * 1.8e-6)
    several = cost_of(network, inputs, small)
    assert several.mapping.n_chips == 2
    assert several.latency_s.typical == pytest.approx(5 * 10e-6)
    assert several.latency_s.high >= 5 * 16.2e-6


def test_the_range_covers_what_a_splitter_by_halving_makes(rng, chip):
    # 600 axons of 100 neurons with 8 bits: one core by the law, two or more by halving.
    weights = np.full((100, 600), 254, np.int16)
    weights[0, 0] = -256
    network = program(600, cuba(100, dense(weights)))
    cost = cost_of(network, np.ones((1, 600, 2), dtype=bool), chip)
    assert cost.cores == (2, 4)
    busiest = cost.activity.busiest_operations.max()
    assert busiest == 600 * 50
    assert cost.latency_s.low == pytest.approx(2 * 600 * 25 * 0.62e-9)
    updates = 50 * 2 * 4.2e-9
    assert cost.latency_s.high == pytest.approx(2 * (busiest * 0.94e-9 + updates + 1.8e-6))
