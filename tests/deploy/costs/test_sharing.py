"""Groups that share cores: the populations of a lowered layer, cut at the same neurons."""

import numpy as np
import pytest

from kipuka.deploy.costs.mapping import Spread, map_groups, map_shared
from kipuka.deploy.costs.mapping.traffic import routes_of
from kipuka.deploy.lowered import lower
from kipuka.deploy.lowered.groups import groups_of_graph
from kipuka.deploy.lowered.placings import in_rows
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import calm_gru, program, random_cuba

NEURONS, READOUT = 24, 3


@pytest.fixture
def chip():
    return load_profile("loihi2")


def holding(chip, **limits):
    """Build a chip of which a core or the whole holds only so many."""
    changed = {
        name: getattr(chip.limits, name).model_copy(
            update={"value": float(value), "low": None, "high": None}
        )
        for name, value in limits.items()
    }
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=changed)})


@pytest.fixture
def lowered(rng):
    """Groups of a lowered network, which of them are a layer, and as much work for each neuron."""
    gru = calm_gru(rng, 4, NEURONS, np.full(NEURONS, 4))
    network = program(4, gru, random_cuba(rng, NEURONS, READOUT))
    graph = lower(network, 20)
    groups = in_rows(groups_of_graph(graph, network.numbers), graph)
    together = [
        tuple(k for k, group in enumerate(groups) if group.layer == layer) for layer in (1, 2)
    ]
    return groups, together, [np.ones(group.n_neurons, dtype=np.int64) for group in groups]


def cores_of(mapping):
    """Core of each neuron of each group."""
    return [own.first_core + own.parts.assignment() for own in mapping.groups]


def test_a_core_holds_all_populations_of_its_neurons_and_no_more_than_it_can(lowered, chip):
    groups, together, loads = lowered
    per_neuron = sum(groups[k].n_neurons for k in together[0]) // NEURONS
    mapping = map_shared(groups, together, holding(chip, neurons_per_core=7 * per_neuron), loads)
    # At most 7 of 24 neurons on a core, and all 3 of the readout on one of their own.
    assert mapping.n_cores == 4 + 1
    owners = cores_of(mapping)
    for k in together[0]:
        of_neuron = owners[k].reshape(-1, NEURONS)
        np.testing.assert_array_equal(of_neuron, np.tile(of_neuron[:1], (len(of_neuron), 1)))
        np.testing.assert_array_equal(of_neuron[0], np.arange(NEURONS) // 6)
    counted = np.bincount(np.concatenate(owners))
    np.testing.assert_array_equal(mapping.needs("neurons"), counted)
    assert counted.tolist() == [6 * per_neuron] * 4 + [READOUT]
    alone = map_groups(groups, holding(chip, neurons_per_core=7 * per_neuron), tuple(loads))
    assert alone.n_cores > mapping.n_cores


def test_every_limit_is_held_by_the_sum_over_the_groups(lowered, chip):
    groups, together, loads = lowered
    needed = map_shared(groups, together, chip, loads)
    assert needed.n_cores == 2
    for name, limit in (
        ("synaptic memory", "synaptic_words_per_core"),
        ("input axons", "input_axons_per_core"),
        ("output axons", "output_axons_per_core"),
    ):
        alone = max(int(own.needs[name].max()) for own in needed.groups)
        most = int(needed.needs(name).max())
        assert alone < most
        less = holding(chip, **{limit: most - 1})
        split = map_shared(groups, together, less, loads)
        assert split.needs(name).max() < most
        assert split.n_cores > needed.n_cores
        for own, found in zip(split.groups, cores_of(split), strict=True):
            assert own.needs[name].size == np.unique(found).size


def test_messages_from_neuron_to_neuron_stay_on_their_core(lowered, chip):
    groups, together, loads = lowered
    cramped = holding(chip, neurons_per_core=100)
    mapping = map_shared(groups, together, cramped, loads)
    assert mapping.groups[together[0][0]].n_cores == 3
    routes = routes_of(groups, mapping)
    away = routes.senders != routes.receivers
    senders = routes.neurons[away[routes.pair_of]]
    # Of the layer's populations only the spikes leave it, and its recurrence.
    firsts = np.cumsum([0, *(groups[sender].n_neurons for sender, _ in routes.channels)])
    found = {int(np.searchsorted(firsts, neuron, "right")) - 1 for neuron in senders}
    assert {groups[routes.channels[k][0]].name for k in found} == {"layer 1 spikes"}
    alone = routes_of(groups, map_groups(groups, cramped, tuple(loads)))
    assert (alone.senders != alone.receivers).sum() > away.sum()


def test_a_layer_is_spread_until_the_barrier_takes_longer_and_no_further(lowered, chip):
    groups, together, loads = lowered
    per_neuron = sum(groups[k].n_neurons for k in together[0]) // NEURONS
    passes = chip.energy.dendrite_updates_per_neuron_update.in_si().typical
    update_s = chip.latency.neuron_update.in_si().typical * passes

    def spread(neurons, cores=99):
        """Cores where the barrier lasts as long as the updates of so many neurons of the layer."""
        barrier = {"value": (neurons + 0.5) * per_neuron * update_s * 1e6, "low": None}
        latency = {"barrier": chip.latency.barrier.model_copy(update={**barrier, "high": None})}
        slow = chip.model_copy(update={"latency": chip.latency.model_copy(update=latency)})
        plan = Spread(cores, 10, to_barrier=True)
        shared = map_shared(groups, together, slow, loads, plan)
        assert cores < 99 or shared.needs("neurons").max() <= neurons * per_neuron
        return shared.n_cores - 1

    assert [spread(n) for n in (24, 23, 12, 8, 5, 2)] == [1, 2, 2, 3, 5, 12]
    assert spread(2, cores=5) == 4


def test_without_a_published_barrier_there_is_nothing_to_spread_for(lowered, chip, check_error):
    groups, together, loads = lowered
    none = chip.latency.barrier.model_copy(update={"value": None, "low": None, "high": None})
    silent = chip.model_copy(update={"latency": chip.latency.model_copy(update={"barrier": none})})
    with pytest.raises(KipukaError) as caught:
        map_shared(groups, together, silent, loads, Spread(9, 10, to_barrier=True))
    check_error(
        caught.value,
        what="no barrier to spread a network for",
        where="latency.barrier",
        limit="a published time",
        value="not published",
        remedy="number of cores",
    )


def test_what_does_not_fit_together_is_refused_with_all_its_names(lowered, chip, check_error):
    groups, together, loads = lowered
    per_neuron = sum(groups[k].n_neurons for k in together[0]) // NEURONS
    with pytest.raises(KipukaError) as caught:
        map_shared(groups, together, holding(chip, neurons_per_core=per_neuron - 1), loads)
    check_error(
        caught.value,
        what="does not fit the chip",
        where="layer 1 activation and layer 1 reset product",
        limit=f"{per_neuron - 1} neurons",
        value=f"{per_neuron} neurons on the busiest core",
        remedy="make the layer smaller",
    )
    one_chip = holding(load_profile("loihi2"), cores_per_chip=1)
    assert map_shared(groups, together, one_chip, loads).n_chips == 2
