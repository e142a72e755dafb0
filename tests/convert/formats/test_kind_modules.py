"""Export computes what the module's forward pass computes, or refuses (kinds K1, K2 and K6)."""

import copy
import itertools
import random

import numpy as np
import pytest

from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.program import Encoder
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_seeds import seeds

torch = pytest.importorskip("torch", reason="needs the lava extra")
pytest.importorskip("lava", reason="needs the lava extra")
pytestmark = pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")
STEPS = 30


@pytest.fixture
def cuba():
    from kipuka.train.slayer import cuba

    return cuba


def neuron(**settings):
    return {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1, **settings}


class Net(torch.nn.Module):
    """Blocks in a row, as lava-dl's tutorials write them."""

    def __init__(self, *blocks):
        super().__init__()
        self.blocks = torch.nn.ModuleList(blocks)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def dense(cuba, *sizes, seed=0, **settings):
    torch.manual_seed(seed)
    blocks = [
        cuba.Dense(neuron(), n, m, weight_scale=6, **settings) for n, m in itertools.pairwise(sizes)
    ]
    return Net(*blocks)


def spikes_of(net, n_inputs, seed=1):
    """Input and the spikes of the network's own forward pass in evaluation mode."""
    drawn = np.random.default_rng(seed).random((2, n_inputs, STEPS)) < 0.4
    twin = net.eval()
    with torch.no_grad():
        return drawn, twin(torch.from_numpy(drawn).float()).numpy() > 0


def assert_exported(net, n_inputs):
    """Export, and compare with what the forward pass gives afterwards."""
    program = program_from_blocks(net)
    drawn, found = spikes_of(net, n_inputs)
    emitted = simulate_reference(program, drawn).trace.layers[-1].spikes
    delays = program.readout.delays
    for k, delay in enumerate(delays):
        late = 1 + int(delay)
        np.testing.assert_array_equal(found[:, k, late:], emitted[:, k, : STEPS - late])
    assert emitted.any()


def refused(blocks, check_error, what="no exact counterpart", **parts):
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(blocks)
    check_error(caught.value, what=what, **parts)


# Applied: what a forward pass in evaluation mode computes with


def pruned(cuba):
    from torch.nn.utils import prune

    trained = dense(cuba, 8, 6, 4)
    for block in trained.blocks:
        prune.l1_unstructured(block.synapse, "weight", 0.5)
    fresh = dense(cuba, 8, 6, 4, seed=9)
    for block in fresh.blocks:
        prune.identity(block.synapse, "weight")
    fresh.load_state_dict(trained.state_dict())
    return fresh


def stepped(cuba):
    from torch.nn.utils import prune

    net = dense(cuba, 8, 6, 4)
    for block in net.blocks:
        prune.random_unstructured(block.synapse, "weight", 0.3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    net(torch.ones(1, 8, 5)).sum().backward()
    optimizer.step()
    return net


def twice_pruned(cuba):
    from torch.nn.utils import prune

    net = dense(cuba, 8, 6, 4)
    prune.random_unstructured(net.blocks[0].synapse, "weight", 0.3)
    prune.ln_structured(net.blocks[0].synapse, "weight", 0.4, n=2, dim=0)
    return net


def normed(normalize):
    def make(cuba):
        net = dense(cuba, 8, 6, 4)
        for block in net.blocks:
            normalize(block.synapse)
            block.synapse.float()
            for name, parameter in block.synapse.named_parameters():
                if name.endswith(("_g", "original0")):
                    parameter.data *= 3
        return net

    return make


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight


def parametrized_delay(cuba):
    net = dense(cuba, 8, 6, 4, delay=True)
    for block in net.blocks:
        block.delay.delay.data = torch.rand(block.synapse.out_channels) * 9
        block.delay.init = True
        torch.nn.utils.parametrize.register_parametrization(block.delay, "delay", Doubled())
    return net


def parametrized_decay(cuba):
    net = dense(cuba, 8, 6, 4)
    for name in ("current_decay", "voltage_decay"):
        part = net.blocks[0].neuron
        torch.nn.utils.parametrize.register_parametrization(part, name, Doubled())
    return net


def loaded(cuba):
    net = dense(cuba, 8, 6, 4, delay=True)
    for block in net.blocks:
        block.delay.delay.data = torch.rand(block.synapse.out_channels) * 20
        block.delay.init = True
    return net


EFFECTIVE = {
    "pruned, loaded into a fresh network": pruned,
    "pruned, after a step of the optimizer": stepped,
    "pruned twice": twice_pruned,
    "weight norm": normed(lambda s: torch.nn.utils.weight_norm(s)),
    "new weight norm": normed(lambda s: torch.nn.utils.parametrizations.weight_norm(s)),
    "spectral norm": normed(lambda s: torch.nn.utils.spectral_norm(s)),
    "new spectral norm": normed(lambda s: torch.nn.utils.parametrizations.spectral_norm(s)),
    "parametrized": normed(
        lambda s: torch.nn.utils.parametrize.register_parametrization(s, "weight", Doubled())
    ),
    "parametrized delays": parametrized_delay,
    "parametrized decays": parametrized_decay,
    "delays": loaded,
}


@pytest.mark.parametrize("name", EFFECTIVE)
def test_effective_values_are_exported(cuba, name):
    assert_exported(EFFECTIVE[name](cuba), 8)


@pytest.mark.parametrize("kind", ["bfloat16", "half", "double"])
def test_other_widths_are_exported(cuba, kind):
    net = getattr(dense(cuba, 8, 6, 4), kind)()
    program = program_from_blocks(net)
    assert program == program_from_blocks(copy.deepcopy(net).float())
    assert next(net.parameters()).dtype == getattr(torch, kind)


def test_a_network_in_training_mode_is_exported_as_evaluated(cuba):
    from lava.lib.dl.slayer.neuron.dropout import Dropout

    torch.manual_seed(0)
    block = cuba.Dense(neuron(dropout=Dropout(0.5)), 8, 6, weight_scale=6)
    net = Net(block).train()
    assert_exported(net, 8)


def test_persistent_state_begins_at_zero(cuba):
    torch.manual_seed(0)
    net = Net(cuba.Dense(neuron(persistent_state=True), 8, 6, weight_scale=6))
    before = program_from_blocks(net)
    spikes_of(net, 8)
    assert program_from_blocks(net) == before


def test_modules_of_torch_around_the_network(cuba):
    net = dense(cuba, 8, 6, 4)
    program = program_from_blocks(net)
    assert program_from_blocks(torch.nn.DataParallel(net)) == program
    assert program_from_blocks(torch.nn.Sequential(net, torch.nn.Dropout(0.5))) == program


def test_slayers_own_container_is_looked_into(cuba, tmp_path):
    from lava.lib.dl import slayer

    blocks = dense(cuba, 8, 6, 4).blocks
    made = slayer.auto.SequentialNetwork.__new__(slayer.auto.SequentialNetwork)
    torch.nn.Module.__init__(made)
    made.blocks, made.reduction = blocks, None
    assert program_from_blocks(made) == program_from_blocks(blocks)


class Scrambled(torch.nn.Module):
    """A parametrization of a user's own."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, weight):
        return self.factor * weight.flip(0)


def disturbed(rng, cuba):
    """Draw a network and one or several of the ways to change what it computes."""
    from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

    sizes = [8, *(int(n) for n in rng.integers(3, 7, int(rng.integers(1, 4))))]
    net = dense(cuba, *sizes, seed=int(rng.integers(1000)), delay=bool(rng.random() < 0.5))
    for block in net.blocks:
        if block.delay is not None:
            block.delay.delay.data = torch.rand(block.synapse.out_channels) * 12
            block.delay.init = True
        way = int(rng.integers(9))
        synapse = block.synapse
        if way == 0:
            weight_norm(synapse)
        elif way == 1:
            parametrizations.weight_norm(synapse)
        elif way == 2:
            spectral_norm(synapse)
        elif way == 3:
            parametrizations.spectral_norm(synapse)
        elif way == 4:
            prune.random_unstructured(synapse, "weight", 0.4)
        elif way == 5:
            parametrize.register_parametrization(synapse, "weight", Scrambled(1.5))
        elif way == 6:
            block.register_forward_hook(lambda m, i, o: o.roll(1, 1))
        elif way == 7:
            forward = block.forward
            block.forward = lambda x, forward=forward: 1 - forward(x)
        for parameter in block.synapse.parameters():
            parameter.data *= float(rng.uniform(0.5, 4))
    return net.train(bool(rng.random() < 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(40, quick=10))
def test_any_disturbed_network_is_exported_or_refused(cuba, seed):
    net = disturbed(np.random.default_rng(seed), cuba)
    try:
        program = program_from_blocks(net)
    except KipukaError as error:
        changed = [b for b in net.blocks if b._forward_hooks or "forward" in vars(b)]
        assert changed or "cannot" in str(error), error
        return
    drawn, found = spikes_of(net, 8)
    emitted = simulate_reference(program, drawn).trace.layers[-1].spikes
    for k, delay in enumerate(program.readout.delays):
        late = 1 + int(delay)
        np.testing.assert_array_equal(found[:, k, late:], emitted[:, k, : STEPS - late])


# Nothing of the module changes


@pytest.mark.parametrize("name", ["weight norm", "new spectral norm", "pruned twice", "delays"])
@pytest.mark.parametrize("training", [True, False])
def test_the_module_is_left_as_it_was(cuba, name, training):
    net = EFFECTIVE[name](cuba).train(training)
    net.blocks[1].synapse.weight_calls = []
    seen = [(m, dict(m.__dict__), [dict(v) for v in _dicts(m)]) for m in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    generators = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    graded = [p.requires_grad for p in net.parameters()]
    program_from_blocks(net)
    for module, attributes, holders in seen:
        assert module.__dict__.keys() == attributes.keys()
        assert all(module.__dict__[key] is value for key, value in attributes.items())
        assert [dict(v) for v in _dicts(module)] == holders
        assert module.training is training
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert np.array_equal(np.random.get_state()[1], generators[1])  # noqa: NPY002
    assert random.getstate() == generators[2]
    assert [p.requires_grad for p in net.parameters()] == graded


def _dicts(module):
    names = ("_forward_hooks", "_forward_pre_hooks", "_parameters", "_buffers", "_modules")
    return [getattr(module, name) for name in names]


def test_the_module_is_left_as_it_was_by_a_refusal(cuba, check_error):
    net = dense(cuba, 8, 6, 4)
    net.blocks[1].register_forward_hook(lambda m, i, o: 0 * o)
    attributes = dict(net.blocks[0].__dict__)
    refused(net, check_error, value="a forward hook")
    assert net.blocks[0].__dict__ == attributes
    assert net.blocks[0].neuron.shape is None


# Refused: what cannot be in a Program


@pytest.mark.parametrize("part", ["", "synapse", "neuron"])
def test_hooks_of_a_block_are_refused_until_they_are_removed(cuba, part, check_error):
    net = dense(cuba, 8, 6, 4)
    module = net.blocks[1].get_submodule(part)
    handle = module.register_forward_hook(lambda m, i, o: 0 * o)
    where = f"block 1 (Dense){', ' + part if part else ''}"
    refused(net, check_error, where=where, value="a forward hook", remedy="remove the hook")
    handle.remove()
    handle = module.register_forward_pre_hook(lambda m, i: (0 * i[0],))
    refused(net, check_error, where=where, value="a forward pre-hook", limit="no hooks but")
    handle.remove()
    program_from_blocks(net)


@pytest.mark.parametrize(
    ("part", "name"),
    [("", "forward"), ("synapse", "forward"), ("neuron", "spike"), ("neuron", "dynamics")],
)
def test_methods_of_the_object(cuba, part, name, check_error):
    net = dense(cuba, 8, 6, 4)
    module = net.blocks[0].get_submodule(part)
    setattr(module, name, lambda *x: 0)
    refused(net, check_error, where="block 0 (Dense)", value=f"a method {name} of the object's own")


def test_methods_of_the_class(cuba, check_error, monkeypatch):
    net = dense(cuba, 8, 6, 4)
    given = cuba.Dense.forward
    monkeypatch.setattr(cuba.Dense, "forward", lambda self, x: 1 - given(self, x))
    what = "does not compute what its block computes"
    refused(net, check_error, what, where="block 0 (Dense), layer 1", value="the first of neuron")


def test_sampling_time(cuba, check_error):
    net = loaded(cuba)
    net.blocks[0].delay.sampling_time = 2
    refused(net, check_error, where="block 0 (Dense), key delay", value="sampling_time = 2")


def test_delays_that_the_first_forward_pass_would_draw(cuba, check_error):
    trained, fresh = dense(cuba, 8, 1, delay=True), dense(cuba, 8, 1, delay=True)
    trained.blocks[0].delay.delay.data, trained.blocks[0].delay.init = torch.tensor([7.0]), True
    fresh.load_state_dict(trained.state_dict())
    refused(fresh, check_error, where="key delay", value="yet to draw", remedy="delay.init = True")
    fresh.blocks[0].delay.init = True
    assert program_from_blocks(fresh).readout.delays.tolist() == [7]


def test_values_that_are_nowhere(cuba, check_error):
    net = dense(cuba, 8, 6, 4).to("meta")
    refused(net, check_error, where="block 0 (Dense)", value="still to be drawn")
    net = dense(cuba, 8, 6, 4)
    net.blocks[1].synapse.weight = torch.nn.parameter.UninitializedParameter()
    refused(net, check_error, where="block 1 (Dense), synapse", value="still to be drawn")


def test_weights_that_are_no_numbers(cuba, check_error):
    net = dense(cuba, 8, 6, 4)
    net.blocks[1].synapse.weight.data[0] = float("nan")
    parts = {"value": "no number", "remedy": "a checkpoint from before"}
    refused(net, check_error, where="block 1 (Dense), key weight", **parts)


def test_pruned_recurrence_that_slayer_does_not_apply(cuba, check_error):
    from torch.nn.utils import prune

    torch.manual_seed(0)
    block = cuba.Recurrent(neuron(), 8, 6, weight_scale=4)
    prune.identity(block.recurrent_synapse, "weight")
    block.recurrent_synapse.weight_orig.data *= 2
    refused([block], check_error, where="block 0 (Recurrent)", value="does not use")


def test_a_learned_mask_that_slayer_does_not_apply(cuba, check_error):
    mask = torch.tensor([[1.0, 0.0]])
    block = cuba.Dense(neuron(), 2, 1, mask=mask, weight_scale=9)
    torch.nn.utils.parametrize.register_parametrization(block.synapse, "weight", Doubled())
    refused([block], check_error, where="block 0 (Dense)", value="leaves out masks")


def test_thresholds_and_decays_that_slayer_would_not_make(cuba, check_error):
    net = dense(cuba, 8, 6)
    net.blocks[0].neuron._threshold = 1.005
    refused(net, check_error, where="block 0 (Dense)", value="a threshold of 1.005")
    net = dense(cuba, 8, 6)
    net.blocks[0].neuron.current_decay.data.fill_(5000)
    refused(net, check_error, what="decays_within_unity", value="5000")


class Foreign(torch.nn.Module):
    def __init__(self, block):
        super().__init__()
        self.delay, self.block = block.delay, block

    def forward(self, x):
        return x


def test_parts_of_another_class(cuba, check_error):
    block = dense(cuba, 8, 6, delay=True).blocks[0]
    block.delay = Foreign(dense(cuba, 8, 6, delay=True).blocks[0])
    refused([block], check_error, where="block 0 (Dense)", value="delays", limit="axon.delay.Delay")

    class Dense(type(block.synapse)):
        def forward(self, x):
            return 0 * super().forward(x)

    block = dense(cuba, 8, 6).blocks[0]
    block.synapse.__class__ = Dense
    refused([block], check_error, where="block 0 (Dense)", value="a synapse", limit="synapse.Dense")


# The way from block to block


class Heads(torch.nn.Module):
    def __init__(self, cuba):
        super().__init__()
        sizes = {"trunk": (8, 6), "first": (6, 6), "second": (6, 6)}
        self.parts = torch.nn.ModuleDict(
            {name: cuba.Dense(neuron(), *size) for name, size in sizes.items()}
        )

    def forward(self, x):
        x = self.parts["trunk"](x)
        return self.parts["first"](x), self.parts["second"](x)


def otherwise(step):
    """Make a network whose forward pass does something between its blocks."""

    class Other(Net):
        def forward(self, x):
            return step(self.blocks, x)

    return Other


WAYS = {
    "other order": (lambda b, x: b[0](b[1](x)), "blocks 1, 0"),
    "left out": (lambda b, x: b[0](x), "blocks 0"),
    "twice": (lambda b, x: b[1](b[1](b[0](x))), "blocks 0, 1, 1"),
    "scaled between": (lambda b, x: b[1](2 * b[0](x)), "another input"),
    "shifted between": (lambda b, x: b[1](b[0](x).roll(1, -1)), "another input"),
    "skip": (lambda b, x: b[1](b[0](x) + x), "another input"),
    "before": (lambda b, x: b[1](b[0](1 - x)), "another input"),
    "behind": (lambda b, x: 0 * b[1](b[0](x)), "another output"),
    "behind, in a tuple": (lambda b, x: (1 - b[1](b[0](x)), 3), "another output"),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_forward_pass_that_takes_another_way(cuba, name, check_error):
    step, value = WAYS[name]
    net = otherwise(step)(*dense(cuba, 6, 6, 6).blocks)
    refused(net, check_error, what="no chain of the blocks", value=value)


def test_two_heads(cuba, check_error):
    parts = {"where": "Heads, block 2 (Dense)", "remedy": "in the order in which forward"}
    refused(Heads(cuba), check_error, what="no chain of the blocks", value="another input", **parts)


def test_a_module_without_blocks_between_them(cuba, check_error):
    blocks = [*dense(cuba, 8, 6).blocks, Doubled(), *dense(cuba, 6, 4).blocks]
    for network in (blocks, torch.nn.Sequential(*blocks), torch.nn.ModuleList(blocks)):
        refused(network, check_error, what="no chain of the blocks", limit="unchanged")


def test_hooks_of_the_network(cuba, check_error):
    net = dense(cuba, 8, 6, 4)
    net.register_forward_hook(lambda m, i, o: 0 * o)
    refused(net, check_error, what="no chain of the blocks", value="another output")
    net = dense(cuba, 8, 6, 4)
    net.forward = lambda x: net.blocks[1](net.blocks[0](x * 0))
    refused(net, check_error, what="no chain of the blocks", value="another input")


def test_what_counts_or_reshapes_is_no_difference(cuba):
    net = dense(cuba, 6, 6, 6)
    program = program_from_blocks(net)

    def counting(b, x):
        x = b[1](b[0](x.reshape(len(x), -1, x.shape[-1])).clone())
        return x.sum(-1)

    assert program_from_blocks(otherwise(counting)(*net.blocks)) == program


def test_a_forward_pass_that_cannot_be_run(cuba, check_error):
    net = otherwise(lambda b, x: x.nowhere)(*dense(cuba, 6, 6).blocks)
    parts = {"limit": "one sample of the shape (1, 6, 16)", "remedy": "the list of blocks"}
    refused(net, check_error, what="cannot be run", value="AttributeError", **parts)
    assert program_from_blocks(net.blocks).n_inputs == 6


# Containers


def test_blocks_in_a_plain_list(cuba, check_error):
    class Plain(torch.nn.Module):
        def __init__(self, blocks):
            super().__init__()
            self.first, self.blocks = blocks[0], list(blocks)

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    blocks = dense(cuba, 8, 6, 4).blocks
    parts = {"where": "attribute blocks of Plain", "remedy": "torch.nn.ModuleList"}
    refused(Plain(blocks), check_error, what="a plain list", **parts)
    # A list of what is registered elsewhere is none.
    net = dense(cuba, 8, 6, 4)
    net.inner = list(net.blocks)
    assert program_from_blocks(net) == program_from_blocks(net.blocks)


@pytest.mark.parametrize("blocks", [None, 3, "x", {"a": 1}, torch.nn.Linear, object()])
def test_what_holds_no_modules(blocks, check_error):
    refused(blocks, check_error, where="argument blocks", value="", limit="a list of them")


def test_an_input_shape_that_is_no_shape(cuba, check_error):
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(dense(cuba, 8, 6), input_shape=8)
    check_error(caught.value, where="argument input_shape", value="8", limit="(units,)")


def test_complex_weights(cuba, check_error):
    net = dense(cuba, 8, 6)
    weight = net.blocks[0].synapse.weight.data
    net.blocks[0].synapse.weight = torch.nn.Parameter(weight.to(torch.complex64))
    refused(net, check_error, where="block 0 (Dense), synapse", value="complex values of weight")


def test_sparse_weights(cuba, check_error):
    net = dense(cuba, 8, 6)
    weight = net.blocks[0].synapse.weight.data
    net.blocks[0].synapse.weight = torch.nn.Parameter(weight.to_sparse())
    parts = {"where": "weight", "limit": "dense", "value": "sparse", "remedy": "to_dense()"}
    refused(net, check_error, what="no plain memory", **parts)
    assert net.blocks[0].synapse.weight.is_sparse


def test_the_same_block_twice(cuba, check_error):
    block = dense(cuba, 6, 6).blocks[0]
    refused([block, block], check_error, what="more than once", remedy="copy.deepcopy(block)")


def test_a_block_that_is_not_registered(cuba, check_error):
    hidden = dense(cuba, 6, 6).blocks[0]
    net = otherwise(lambda b, x: hidden(b[0](x)).sum())(*dense(cuba, 6, 6).blocks)
    refused(net, check_error, what="no chain of the blocks", value="not registered")


# Real-valued input


@pytest.mark.parametrize(
    ("weight", "bias", "values", "threshold"),
    [
        (1, 0, 0.0236, 0.2),
        (1, 0, 10.0, 20.0),
        (None, None, -7.0, 0.2),
        (0.5, 0.25, 0.047, 0.2),
        (-1.5, 0.03, -0.5, 1.0),
        (1.2, 0, 0.31, 0.2),
        (0.7, -0.13, 0.9, 0.05),
        (-0.0625, 3.9, 4.0, 2.0),
    ],
)
def test_input_is_the_blocks_arithmetic(cuba, weight, bias, values, threshold):
    settings = {"threshold": threshold, "current_decay": 1.0, "voltage_decay": 0.05}
    block = cuba.Input(settings, weight=weight, bias=bias).eval()
    given = np.full((1, 4, 20), values)
    given[:, 2:] = np.random.default_rng(0).uniform(-6, 6, (1, 2, 20))
    with torch.no_grad():
        found = block(torch.from_numpy(given).float()).numpy() > 0
    program = program_from_blocks([block], input_shape=(4,))
    layer = simulate_reference(program, program.encoder.activation(given)).trace.layers[0]
    np.testing.assert_array_equal(found[..., 1:], layer.spikes[..., :-1])


def test_an_input_block_spikes_as_often_as_was_reported(cuba):
    settings = {"threshold": 0.2, "current_decay": 1.0, "voltage_decay": 0.05}
    program = program_from_blocks([cuba.Input(settings, weight=1, bias=0)], input_shape=(4,))
    activation = program.encoder.activation(np.full((1, 4, 20), 0.0236))
    assert simulate_reference(program, activation).trace.layers[0].spikes.sum() == 8
    settings["threshold"] = 20.0
    program = program_from_blocks([cuba.Input(settings, weight=1, bias=0)], input_shape=(4,))
    activation = program.encoder.activation(np.full((1, 4, 20), 10.0))
    assert simulate_reference(program, activation).trace.layers[0].spikes.sum() == 12


def test_an_input_before_its_shape_is_known(cuba, check_error):
    refused(
        torch.nn.ModuleList([cuba.Input(neuron(), weight=1.2, bias=0), cuba.Dense(neuron(), 4, 2)]),
        check_error,
        what="shape of the input",
    )


@pytest.mark.parametrize("encoder", [Encoder(64, 0), Encoder(64, 0, eight_bit=True)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_input_that_is_no_number(encoder, value, check_error):
    values = np.zeros((2, 3))
    values[1, 2] = value
    with pytest.raises(KipukaError) as caught:
        encoder.activation(values)
    check_error(caught.value, what="not numbers", where="index (1, 2)", limit="finite")


def test_an_encoder_survives_its_file(cuba, tmp_path):
    from kipuka.convert.formats.net.file import load_net, save_net

    program = program_from_blocks([cuba.Input(neuron(), weight=0.5, bias=0)], input_shape=(4,))
    save_net(tmp_path / "a.net", program)
    assert load_net(tmp_path / "a.net").encoder == Encoder(32, 0, eight_bit=True)
