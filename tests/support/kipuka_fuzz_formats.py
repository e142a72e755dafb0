"""Formats to be mutated: good files of each, and what is done with one that loads."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil

import h5py
import numpy as np

import kipuka_mutations as mutations
from kipuka.convert.float_network import simulate_floats
from kipuka.convert.formats.net.file import load_golden, load_net, save_net
from kipuka.convert.formats.nir.file import floats_of, save_nir
from kipuka.convert.quantization import quantize
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.inputs import load_inputs
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile, profile_names
from kipuka_cases import cuba, dense, even, program, random_gru, random_inputs
from kipuka_nir_graphs import graphs
from kipuka_random import random_network

N_NETWORKS = 24


class Form:
    """Good files in a folder, one of which is mutated and used at a time."""

    def __init__(self, folder):
        self.folder, self.good = folder, {}
        self.make()
        self.good = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        self.path = folder / sorted(self.good)[0]

    def mutate(self, rng):
        for path in self.folder.iterdir():
            if path.is_symlink() or path.is_fifo():
                path.unlink()
        for name, content in self.good.items():
            (self.folder / name).write_bytes(content)
        self.path = self.folder / str(rng.choice(sorted(self.good)))
        if rng.random() < 0.7:
            with np.errstate(all="ignore"):
                self.edit(rng)
        if rng.random() < 0.4:
            mutations.mutate_bytes(rng, self.path)
        if rng.random() < 0.05:
            mutations.mutate_kind(rng, self.path)


class Net(Form):
    def make(self):
        for seed in range(N_NETWORKS):
            rng = np.random.default_rng(seed)
            network = random_network(rng)
            inputs = random_inputs(rng, network, 2, 12)
            save_net(self.folder / f"{seed}.net", network, golden_vectors(network, inputs))

    def edit(self, rng):
        mutations.mutate_hdf5(rng, self.path)

    def use(self):
        network = load_net(self.path)
        rng = np.random.default_rng(0)
        simulate_reference(network, random_inputs(rng, network, 1, 4))
        for vector in load_golden(self.path):
            assert vector.output.dtype == bool
            assert vector.input.shape[1] == vector.output.shape[1]


class Nir(Form):
    def make(self):
        import nir

        for number, graph in enumerate(graphs(np.random.default_rng(0))):
            nir.write(self.folder / f"{number}.nir", graph)
        for seed in range(N_NETWORKS):
            with contextlib.suppress(KipukaError):  # what NIR has no node for
                save_nir(self.folder / f"w{seed}.nir", random_network(np.random.default_rng(seed)))

    def edit(self, rng):
        mutations.mutate_hdf5(rng, self.path)

    def use(self):
        floats = floats_of(self.path, dt=1e-3, bias="steady")
        quantized = quantize(floats)
        spikes = np.random.default_rng(0).random((1, quantized.program.n_inputs, 4)) < 0.3
        simulate_reference(quantized.program, spikes)
        for layer in simulate_floats(floats, spikes):
            assert np.all(np.isfinite(layer))
        assert str(quantized.layers[0])


class Profile(Form):
    def make(self):
        from importlib import resources

        for name in profile_names():
            text = resources.files("kipuka.hardware_profiles").joinpath(f"{name}.yaml").read_bytes()
            (self.folder / f"{name}.yaml").write_bytes(text)

    def edit(self, rng):
        mutations.mutate_yaml(rng, self.path)

    def use(self):
        for _, quantity in load_profile(self.path).quantities():
            numbers = [n for n in quantity.in_si() if n is not None]
            assert np.all(np.isfinite(numbers))


class Config(Form):
    def make(self):
        from kipuka.train.runs.config import TrainConfig, save_config

        save_config(self.folder / "a.yaml", TrainConfig())
        save_config(self.folder / "b.yaml", TrainConfig(data="shd", data_dir="x", bin_ms=5.0))

    def edit(self, rng):
        mutations.mutate_yaml(rng, self.path)

    def use(self):
        from kipuka.train.runs.config import load_config, setting_values

        values = setting_values(load_config(self.path)).values()
        assert np.all(np.isfinite([v for v in values if isinstance(v, float)]))


class Checkpoint(Form):
    def make(self):
        from kipuka.train.networks import build_network
        from kipuka.train.runs.checkpoint import save_checkpoint

        self.network = build_network("sgru-delay", 8, 10, 4)
        save_checkpoint(self.folder / "checkpoint.safetensors", self.network)

    def edit(self, rng):
        mutations.mutate_safetensors(rng, self.path)

    def use(self):
        from kipuka.train.runs.checkpoint import load_checkpoint

        load_checkpoint(self.path, self.network)
        assert all(bool(p.isfinite().all()) for p in self.network.parameters())


class State(Checkpoint):
    def make(self):
        import torch

        from kipuka.train.networks import build_network
        from kipuka.train.runs.metrics import EpochMetrics
        from kipuka.train.runs.state import RunState, save_state

        self.network = build_network("sgru-delay", 8, 10, 4)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        sum(p.sum() for p in self.network.parameters()).backward()
        self.optimizer.step()
        self.generator = torch.Generator()
        values = {"epoch": 1, "best": True, "delay_histograms": {"a": [1, 2]}}
        names = [field.name for field in dataclasses.fields(EpochMetrics)]
        metrics = EpochMetrics(**{name: values.get(name, 0.5) for name in names})
        state = RunState((metrics,), {"a": np.arange(3)})
        path = self.folder / "state.safetensors"
        save_state(path, state, self.network, self.optimizer, self.generator)

    def use(self):
        import torch

        from kipuka.train.runs.state import load_state

        load_state(self.path, self.network, self.optimizer, self.generator)
        torch.randperm(9, generator=self.generator)


class Heidelberg(Form):
    data = "shd"

    def make(self):
        for name in ("shd_train.h5", "shd_test.h5"):
            rng, labels = np.random.default_rng(0), np.tile(np.arange(3), 6)
            with h5py.File(self.folder / name, "w") as file:
                for key, dtype in (("times", np.float16), ("units", np.uint16)):
                    rows = file.create_dataset(f"spikes/{key}", (18,), h5py.vlen_dtype(dtype))
                    for k in range(18):
                        values = rng.random(5) if key == "times" else rng.integers(0, 700, 5)
                        rows[k] = values.astype(dtype)
                file["labels"], file["extra/speaker"] = labels, np.arange(18) // 3 % 3
                file["extra/keys"] = np.array([b"one", b"two", b"three"])

    def edit(self, rng):
        mutations.mutate_hdf5(rng, self.path)

    def use(self):
        from kipuka.train.datasets import DataOptions, load_dataset

        shutil.rmtree(self.folder / ".kipuka", ignore_errors=True)
        given = DataOptions(data_dir=str(self.folder), steps=20, bin_ms=50.0)
        data = load_dataset(self.data, given)
        for part in (data.train, data.validation, data.test):
            assert part.spikes.shape == (len(part.labels), data.n_units, 20)


class Ntidigits(Heidelberg):
    data = "ntidigits"

    def make(self):
        rng = np.random.default_rng(0)
        with h5py.File(self.folder / "n-tidigits.hdf5", "w") as file:
            for part, speakers in (("train", "ab"), ("test", "c")):
                words = enumerate("o123456789z")
                names = [f"{who}-{n}-{word}" for n, word in words for who in speakers]
                file[f"{part}_labels"] = np.array([name.encode() for name in names])
                for name in names:
                    file[f"{part}_timestamps/{name}"] = rng.random(4)
                    file[f"{part}_addresses/{name}"] = rng.integers(0, 64, 4)


class Cache(Heidelberg):
    """The cache beside the files; a damaged one is made again."""

    def make(self):
        from kipuka.train.datasets.files import _load

        self.load = _load
        super().make()
        super().use()
        stored = next((self.folder / ".kipuka").iterdir()).read_bytes()
        shutil.rmtree(self.folder / ".kipuka")
        for path in self.folder.iterdir():
            path.unlink()
        (self.folder / "cache.safetensors").write_bytes(stored)

    def edit(self, rng):
        mutations.mutate_safetensors(rng, self.path)

    def use(self):
        data = self.load(self.path)
        if data is not None:
            parts = (data.train, data.validation, data.test)
            assert len({part.spikes.shape[1:] for part in parts}) == 1


class Npy(Form):
    def make(self):
        rng = np.random.default_rng(0)
        own = program(3, random_gru(rng, 3, 4))
        encoder = _encoded(rng)
        self.networks = {True: encoder, False: own}
        np.save(self.folder / "s.npy", rng.random((2, 3, 9)) < 0.3)
        np.save(self.folder / "f.npy", np.asfortranarray(rng.random((3, 9))))

    def edit(self, rng):
        mutations.mutate_npy(rng, self.path)

    def use(self):
        network = self.networks[self.path.name == "f.npy"]
        inputs = load_inputs(self.path, network).values
        assert inputs.shape[1] == network.n_inputs
        simulate_reference(network, inputs[:1, :, :4])


class Npz(Npy):
    def make(self):
        super().make()
        for path in self.folder.iterdir():
            path.unlink()
        arrays = {"times": np.arange(5), "units": np.arange(5) % 3, "n_steps": 9}
        np.savez(self.folder / "a.npz", **arrays)
        np.savez_compressed(self.folder / "b.npz", **arrays, samples=np.arange(5))

    def edit(self, rng):
        mutations.mutate_npz(rng, self.path)


class OwnEvents(Heidelberg):
    """A folder of one's own recordings as lists of events, one of whose files is mutated."""

    def make(self):
        for name, count in (("train", 12), ("test", 6)):
            rng = np.random.default_rng(count)
            samples = np.sort(np.arange(4 * count) % count)
            arrays = {"times": rng.integers(0, 9, 4 * count), "units": np.tile(np.arange(4), count)}
            labels, groups = np.arange(count) % 3, np.arange(count) // 3
            given = {**arrays, "samples": samples, "labels": labels, "groups": groups}
            np.savez(self.folder / f"{name}.npz", n_steps=9, n_units=5, **given)

    def edit(self, rng):
        mutations.mutate_npz(rng, self.path)

    def use(self):
        from kipuka.train.datasets import load_dataset

        shutil.rmtree(self.folder / ".kipuka", ignore_errors=True)
        data = load_dataset(str(self.folder))
        for part in (data.train, data.validation, data.test):
            assert part.spikes.shape[:2] == (len(part.labels), data.n_units)


class OwnHdf5(OwnEvents):
    """The same in files of the form of Spiking Heidelberg Digits."""

    def make(self):
        Heidelberg.make(self)
        for path in sorted(self.folder.iterdir()):
            path.rename(self.folder / path.name.removeprefix("shd_"))

    def edit(self, rng):
        mutations.mutate_hdf5(rng, self.path)


def _encoded(rng):
    from kipuka.convert.program import Encoder

    first = cuba(3)
    return program(3, first, cuba(2, dense(even(rng, (2, 3)))), encoder=Encoder(64, 1))


FORMATS = {
    "net": Net,
    "nir": Nir,
    "profile": Profile,
    "config": Config,
    "checkpoint": Checkpoint,
    "state": State,
    "shd": Heidelberg,
    "ntidigits": Ntidigits,
    "cache": Cache,
    "npy": Npy,
    "npz": Npz,
    "own-events": OwnEvents,
    "own-hdf5": OwnHdf5,
}
LAVA_ONLY = ("config", "checkpoint", "state", "shd", "ntidigits", "cache", "own-events", "own-hdf5")
