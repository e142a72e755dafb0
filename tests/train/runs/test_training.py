import json

import pytest
import torch
from safetensors.torch import load_file

from kipuka.convert.formats.net.file import load_net
from kipuka.errors import KipukaError
from kipuka.train.datasets import load_dataset
from kipuka.train.networks import build_network
from kipuka.train.runs.checkpoint import load_checkpoint, save_checkpoint
from kipuka.train.runs.config import TrainConfig, load_config, make_config, save_config
from kipuka.train.runs.trainer import load_run, train

SMALL = TrainConfig(hidden=8, epochs=3, seed=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a"
    return folder, train(SMALL, folder)


def test_run_folder_has_all_that_is_needed(run):
    folder, result = run
    assert load_config(folder / "config.yaml") == SMALL
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {k: v.shape for k, v in result.delays_before.items()} == {
        "layer 1, recurrence": (8,),
        "layer 1, output": (8,),
    }


def test_the_best_epoch_on_validation_is_kept(run):
    from kipuka.train.runs.trainer import accuracy_of

    folder, result = run
    _, network, data = load_run(folder)
    best = max(m.validation_accuracy for m in result.metrics)
    assert accuracy_of(network, data.validation) == best
    assert [m.best for m in result.metrics].count(True) >= 1
    for kept, returned in zip(network.parameters(), result.network.parameters(), strict=True):
        assert torch.equal(kept, returned)


@pytest.mark.slow
def test_the_epoch_of_lowest_validation_loss_is_kept_if_the_loss_selects(run, tmp_path):
    from kipuka.train.runs.losses import output_counts, summed_cross_entropy

    settings = SMALL.model_copy(update={"selection": "loss"})
    result = train(settings, tmp_path / "l")
    losses = [m.validation_loss for m in result.metrics]
    # What selects changes nothing in the training.
    assert losses == [m.validation_loss for m in run[1].metrics]
    assert [m.best for m in result.metrics] == [
        loss <= min(losses[: number + 1]) for number, loss in enumerate(losses)
    ]
    config, network, data = load_run(tmp_path / "l")
    assert config == settings
    spikes, labels = map(torch.from_numpy, (data.validation.spikes, data.validation.labels))
    entropy = summed_cross_entropy(output_counts(network, spikes), labels, config.spike_gain)
    assert entropy / len(labels) == min(losses)


@pytest.mark.slow
def test_the_last_epoch_is_kept_after_training_on_the_validation_part_too(run, tmp_path):
    settings = SMALL.model_copy(update={"selection": "last", "train_on_validation": True})
    result = train(settings, tmp_path / "all")
    assert all(m.best for m in result.metrics)
    data = load_dataset(SMALL.data)
    n_train, n_validation = len(data.train.labels), len(data.validation.labels)
    seen = {run[0]: n_train, tmp_path / "all": n_train + n_validation}
    for folder, n in seen.items():
        state = load_file(folder / "state.safetensors")
        updates = {int(value) for key, value in state.items() if key.endswith(".step")}
        assert updates == {SMALL.epochs * -(-n // SMALL.batch_size)}
    for name, kept in result.network.named_parameters():
        assert torch.equal(kept, state[f"parameter.{name}"])


@pytest.mark.slow
def test_the_settings_choose_layout_and_input_of_the_update_gate(tmp_path):
    settings = {"network": "csgru", "layout": "frequency", "update_gate_input": "current"}
    train(TrainConfig(hidden=4, epochs=1, batch_size=700, **settings), tmp_path / "f")
    _, network, _ = load_run(tmp_path / "f")
    assert network[0].shape == (1, 8, 1)
    assert network[1].update_gate_input == "current"


@pytest.mark.slow
def test_same_seed_same_run(run, tmp_path):
    _, result = run
    again = train(SMALL, tmp_path / "b")
    assert [m.loss for m in again.metrics] == [m.loss for m in result.metrics]
    other = train(SMALL.model_copy(update={"seed": 4}), tmp_path / "c")
    assert [m.loss for m in other.metrics] != [m.loss for m in result.metrics]


def test_a_folder_with_a_run_is_not_overwritten(run, check_error):
    folder, _ = run
    with pytest.raises(KipukaError) as caught:
        train(SMALL, folder)
    check_error(caught.value, what="holds a training run", where=str(folder), remedy="another")


@pytest.mark.slow
def test_divergence_stops_with_the_checkpoint_kept(tmp_path, check_error, monkeypatch):
    right = torch.nn.functional.cross_entropy
    calls = []

    def fails_in_the_second_epoch(logits, *given, **settings):
        calls.append(len(logits))
        loss = right(logits, *given, **settings)
        return loss * float("nan") if sum(calls) > 1400 else loss

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", fails_in_the_second_epoch)
    folder = tmp_path / "n"
    with pytest.raises(KipukaError) as caught:
        train(SMALL, folder)
    check_error(caught.value, what="diverged", where="epoch 2", limit="finite", value="nan")
    check_error(caught.value, remedy="the checkpoint of the best epoch is kept")
    _, network, _ = load_run(folder)
    assert all(p.isfinite().all() for p in network.parameters())
    # What stands in the folder is the state after the first epoch, from which one can go on.
    monkeypatch.undo()
    assert len(train(SMALL, folder, resume=True).metrics) == 3


@pytest.mark.slow
def test_convert_writes_a_network_with_golden_vectors(run, tmp_path):
    from kipuka.commands.convert import convert_run
    from kipuka.convert.formats.net.file import load_golden

    folder, _ = run
    path = tmp_path / "model.net"
    numbers = convert_run(folder, path)
    assert numbers["accuracy"]["torch"] == numbers["accuracy"]["fast"]
    assert [layer.model for layer in load_net(path).layers] == ["SPIKING_GRU", "CUBA"]
    assert len(load_golden(path)) == 3


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"dropout": 0.5}, "dropout"),
        ({"train_on_validation": True}, "train_on_validation"),
    ],
)
def test_bad_settings(values, key, check_error):
    with pytest.raises(KipukaError) as caught:
        make_config(values, "run.yaml")
    value = str(next(iter(values.values())))
    check_error(caught.value, where=f"run.yaml, key {key}", value=value, remedy="known settings")


def test_config_that_is_not_yaml(tmp_path, check_error):
    path = tmp_path / "config.yaml"
    path.write_text("network: [sgru")
    with pytest.raises(KipukaError) as caught:
        load_config(path)
    check_error(caught.value, what="not valid YAML", where=f"{path}, line 1", value="stream end")
    path.write_text("just a word")
    with pytest.raises(KipukaError) as caught:
        load_config(path)
    check_error(caught.value, value="just a word")


def test_config_survives_the_file(tmp_path):
    save_config(tmp_path / "config.yaml", SMALL)
    assert load_config(tmp_path / "config.yaml") == SMALL


def network(hidden):
    return build_network("sgru-delay", 8, 10, hidden)


def test_checkpoint_of_another_network(tmp_path, check_error):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, network(8))
    with pytest.raises(KipukaError) as caught:
        load_checkpoint(path, network(9))
    check_error(caught.value, what="another network", where=str(path), limit="(27,)", value="(24,)")


def test_damaged_checkpoint(tmp_path, check_error):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, network(8))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(KipukaError) as caught:
        load_checkpoint(path, network(8))
    check_error(caught.value, what="cannot be read", where=str(path), limit="safetensors")


@pytest.mark.parametrize("what", ["data set", "network"])
def test_unknown_names(what, check_error):
    with pytest.raises(KipukaError) as caught:
        load_dataset("nothing") if what == "data set" else build_network("lstm", 8, 10, 4)
    check_error(caught.value, what=f"the {what} is not known", remedy="choose")
