"""The command line on what a stranger may hand over: files and folders that are not what they say.

Every case ends in a paragraph and exit status 2, or in a good result; none hangs, crashes, writes
outside, or takes time or memory that its file is not worth.
"""

import json
import os
import resource
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import cuba, dense, program, random_cuba, random_gru, random_spikes

pytestmark = pytest.mark.slow

TOO_LONG = "x" * 300


@pytest.fixture
def net(rng, tmp_path):
    network = program(8, random_gru(rng, 8, 6), random_cuba(rng, 6, 10))
    save_net(tmp_path / "n.net", network, golden_vectors(network, random_spikes(rng, 2, 8, 20)))
    return tmp_path / "n.net"


@pytest.fixture
def spikes(rng, tmp_path):
    np.save(tmp_path / "x.npy", random_spikes(rng, 3, 8, 12))
    return tmp_path / "x.npy"


@pytest.fixture
def refused(capsys):
    """Run a command and return the paragraph that it ends in."""

    def run(*words, status=2):
        start = time.process_time()
        assert main([str(word) for word in words]) == status
        assert time.process_time() - start < 20
        error = capsys.readouterr().err
        assert "internal error" not in error
        if status:
            for part in ("kipuka: ", "Where: ", "Limit: ", "Found: ", "What to do: "):
                assert part in error
        return error

    return run


def with_metadata(net, path, training):
    network = load_net(net)
    save_net(path, network)
    with h5py.File(path, "r+") as file:
        file["kipuka"].attrs["metadata"] = json.dumps({"training": training})
    return path


# K7: a stranger's folder or file reaches nothing outside itself.


def test_no_folder_and_no_download_out_of_a_network(net, tmp_path, refused, monkeypatch):
    pytest.importorskip("lava", reason="needs the lava extra")
    monkeypatch.chdir(tmp_path)
    training = {"data": "shd", "data_dir": "made/by/net", "download": True}
    evil = with_metadata(net, tmp_path / "evil.net", json.dumps(training))
    error = refused("profile", evil, "--data", "shd")
    assert "data set shd is not there" in error
    assert "no folder given" in error
    assert not (tmp_path / "made").exists()


@pytest.fixture
def run_folder(tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    folder = tmp_path / "run"
    words = ["--epochs", "1", "--hidden", "2", "--set", "batch_size=1024"]
    assert main(["train", "--out", str(folder), *words]) == 0
    return folder


OWN = (
    ".lock",
    "config.yaml",
    "checkpoint.safetensors",
    "state.safetensors",
    "metrics.jsonl",
    "model.net",
)


def test_a_run_folder_with_links_reaches_nothing(run_folder, tmp_path, refused):
    kept = tmp_path / "precious.txt"
    kept.write_text("precious")
    for name in OWN:
        own = run_folder / name
        before = own.read_bytes() if own.exists() else None
        for make in (lambda own=own: own.symlink_to(kept), lambda own=own: os.mkfifo(own)):
            own.unlink(missing_ok=True)
            make()
            error = refused("train", "--out", run_folder, "--resume")
            assert "in the place of its own files" in error
            assert str(own) in error
            assert kept.read_text() == "precious"
            own.unlink()
        if before is not None:
            own.write_bytes(before)
    refused("train", "--out", run_folder, "--resume", status=0)


def test_where_a_run_read_its_data_only_the_command_line_says(run_folder, tmp_path, refused):
    config = run_folder / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("data_dir: null", f"data_dir: {tmp_path}/elsewhere"))
    for words in (
        ["train", "--out", run_folder, "--resume"],
        ["convert", run_folder, "--output", tmp_path / "o.net"],
    ):
        error = refused(*words)
        assert "cannot reach beyond its own file" in error
        assert "give --data-dir yourself" in error
    assert not (tmp_path / "elsewhere").exists()
    config.write_text(text.replace("download: false", "download: true"))
    assert "give --download yourself" in refused("train", "--out", run_folder, "--resume")
    refused("convert", run_folder, "--output", tmp_path / "o.net", status=0)


# K8: a small file costs little time and memory.


@pytest.mark.parametrize(
    "words",
    [
        ["profile", "{net}", "--hardware", "{pipe}"],
        ["hardware", "check", "{pipe}"],
        ["hardware", "show", "{pipe}"],
        ["train", "--out", "{out}", "--config", "{pipe}"],
        ["inspect", "{pipe}"],
        ["simulate", "{net}", "--input", "{pipe}", "--output", "{out}"],
        ["verify", "{net}", "--input", "{pipe}"],
        ["profile", "{net}", "--data", "{pipe}"],
        ["profile", "{net}", "--compare", "{pipe}"],
        ["deploy", "{net}", "--dry-run", "--input", "{pipe}"],
    ],
)
@pytest.mark.parametrize("suffix", [".yaml", ".npy", ".npz"])
def test_a_pipe_is_refused_and_not_waited_for(net, tmp_path, words, suffix, refused):
    if words[0] == "train":
        pytest.importorskip("lava", reason="needs the lava extra")
    if words[:3:2] == ["profile", "--data"] and suffix == ".yaml":
        suffix = ".npy"
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    filled = [word.format(net=net, pipe=pipe, out=tmp_path / "out") for word in words]
    assert "a pipe" in refused(*filled)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from kipuka.commands.app import main
sys.exit(main(sys.argv[1:]))
"""


def limited(*words):
    """Exit status, standard error and seconds of the processor, in at most 2 GiB of addresses."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return done.returncode, done.stderr, seconds


def test_a_file_that_is_mostly_a_hole_is_its_content(net, tmp_path):
    sparse = tmp_path / "s.net"
    sparse.write_bytes(net.read_bytes())
    os.truncate(sparse, 64 << 30)
    status, error, seconds = limited("inspect", sparse)
    assert status == 0, error
    assert seconds < 20


def test_golden_vectors_of_very_many_steps_are_refused_first(rng, tmp_path):
    network = program(1, cuba(500, dense(np.full((500, 1), 2))), random_cuba(rng, 500, 1))
    path = tmp_path / "g.net"
    save_net(path, network, golden_vectors(network, np.zeros((1, 1, 2), bool)))
    with h5py.File(path, "r+") as file:
        golden = file["kipuka/golden/0"]
        for key in ("input", "output"):
            del golden[key]
            zeros = np.zeros((1, 1 << 21), np.uint8)
            golden.create_dataset(key, data=zeros, compression="gzip")
    assert path.stat().st_size < 60_000
    for words in (["profile", path], ["verify", path, "--backends", "reference,fast"]):
        status, error, seconds = limited(*words)
        assert status == 2, error
        assert "key golden, key 0, key input" in error
        assert "numbers in all" in error
        assert seconds < 20


# K9: content never ends in an internal error.


@pytest.mark.parametrize("text", ["[]", "3", "null", "{", '"x"', "[" * 100_000, "1e999", "\x00"])
def test_odd_settings_in_a_network_are_refused(net, tmp_path, text, refused):
    pytest.importorskip("lava", reason="needs the lava extra")
    error = refused("profile", with_metadata(net, tmp_path / "odd.net", text), "--data", "digits")
    assert "metadata cannot be used" in error
    assert "key training" in error


@pytest.mark.parametrize(
    "training", [{"data": "digits", "bin_ms": "x"}, {"data": "digits", "a": 1}]
)
def test_so_are_settings_that_do_not_exist(net, tmp_path, training, refused):
    pytest.importorskip("lava", reason="needs the lava extra")
    evil = with_metadata(net, tmp_path / "odd.net", json.dumps(training))
    assert "key training" in refused("profile", evil, "--data", "digits")


@pytest.mark.parametrize("name", ["1" * 5000, "x", "01", "-1", "\u0661", "1.0", " 1", "1e0"])
def test_layers_have_plain_numbers(net, name, refused):
    with h5py.File(net, "r+") as file:
        file["layer"].create_group(name)
    assert "not numbered" in refused("inspect", net)


def test_golden_vectors_of_several_lengths_are_refused(rng, tmp_path, refused):
    network = program(4, random_cuba(rng, 4, 3))
    vectors = [
        golden_vectors(network, random_spikes(rng, 1, 4, n_steps))[0] for n_steps in (10, 11)
    ]
    save_net(tmp_path / "n.net", network, vectors)
    assert "cannot be run together" in refused("profile", tmp_path / "n.net")


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", TOO_LONG],
        ["simulate", "{net}", "--input", TOO_LONG, "--output", "{out}"],
        ["simulate", "{net}", "--input", TOO_LONG + ".npz", "--output", "{out}"],
        ["simulate", "{net}", "--input", "{spikes}", "--output", TOO_LONG],
        ["simulate", "{net}", "--input", "{spikes}", "--output", "{out}", "--json", TOO_LONG],
        ["verify", "{net}", "--backends", "reference,fast", "--input", TOO_LONG],
        ["profile", "{net}", "--data", TOO_LONG + ".npy"],
        ["profile", "{net}", "--data", TOO_LONG],
        ["profile", "{net}", "--report", TOO_LONG],
        ["profile", "{net}", "--compare", TOO_LONG],
        ["profile", "{net}", "--hardware", TOO_LONG + ".yaml"],
        ["profile", "{net}", "--data", "shd", "--data-dir", TOO_LONG],
        ["inspect", "{net}", "--json", TOO_LONG],
        ["deploy", "{net}", "--dry-run", "--json", TOO_LONG],
        ["hardware", "show", "loihi2", "--json", TOO_LONG],
        ["hardware", "check", TOO_LONG],
        ["convert", TOO_LONG, "--output", "{out}"],
        ["convert", "{out}", "--output", TOO_LONG],
        ["train", "--out", TOO_LONG],
        ["train", "--out", TOO_LONG, "--resume"],
        ["train", "--out", "{out}", "--config", TOO_LONG],
        ["train", "--out", "{out}", "--data", "shd", "--data-dir", TOO_LONG],
    ],
    ids=lambda words: " ".join(words).replace(TOO_LONG, "LONG"),
)
def test_names_that_are_too_long_are_refused(net, spikes, tmp_path, words, refused):
    if "train" in words or "convert" in words or "--data" in words:
        pytest.importorskip("lava", reason="needs the lava extra")
    named = {"{net}": net, "{spikes}": spikes, "{out}": tmp_path / "out"}
    refused(*(named.get(word, word) for word in words))


# K11: outputs.


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["simulate", "{net}", "--input", "{spikes}", "--output", "{net}"], "net"),
        (["simulate", "{net}", "--input", "{spikes}", "--output", "{spikes}"], "spikes"),
        (["simulate", "{net}", "--input", "{spikes}", "--output", "{o}", "--json", "{o}"], None),
        (["simulate", "{net}", "--input", "{spikes}", "--output", "{o}", "--json", "{net}"], "net"),
        (["inspect", "{net}", "--json", "{net}"], "net"),
        (["inspect", "{net}", "--json", "{link}"], "net"),
        (["inspect", "{link}", "--json", "{net}"], "net"),
        (["verify", "{net}", "--json", "{net}"], "net"),
        (["verify", "{net}", "--input", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["profile", "{net}", "--json", "{net}"], "net"),
        (["profile", "{net}", "--report", "{link}"], "net"),
        (["profile", "{net}", "--report", "{o}", "--json", "{o}"], None),
        (["profile", "{net}", "--data", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["profile", "{net}", "--compare", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["profile", "{net}", "--hardware", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["deploy", "{net}", "--dry-run", "--json", "{net}"], "net"),
        (["hardware", "show", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["train", "--out", "{o}", "--config", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["compare", "--out", "{o}", "--config", "{spikes}", "--json", "{spikes}"], "spikes"),
        (["train", "--out", "{o}", "--json", "{o}/config.yaml"], None),
        (["train", "--out", "{o}", "--json", "{o}/model.net"], None),
        (["convert", "{o}", "--output", "{o}/checkpoint.safetensors"], None),
        (["convert", "{o}", "--output", "{o}/x.net", "--json", "{o}/./x.net"], None),
        (["demo", "--out", "{o}", "--json", "{o}/model.net"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_output_is_no_input(net, spikes, tmp_path, words, output, refused):
    if words[0] in ("train", "convert", "demo", "compare"):
        pytest.importorskip("lava", reason="needs the lava extra")
    (tmp_path / "link").symlink_to(net)
    before = {path: path.read_bytes() for path in (net, spikes)}
    named = {"net": net, "spikes": spikes, "o": tmp_path / "o", "link": tmp_path / "link"}
    error = refused(*(word.format(**named) for word in words))
    assert "take the place of another file" in error
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "o").exists()
    if output:
        assert str(named[output]) in error or "link" in error


def test_an_output_may_be_a_link_or_a_device(net, spikes, tmp_path, refused):
    (tmp_path / "there.npy").touch()
    (tmp_path / "link.npy").symlink_to("there.npy")
    words = ["simulate", net, "--input", spikes]
    refused(*words, "--output", tmp_path / "link.npy", "--json", "/dev/null", status=0)
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "there.npy").shape == (3, 10, 12)


def test_a_full_disk_is_called_one(net, spikes, tmp_path):
    """What is written does not fit; the system says so as it does for a file system."""
    np.save(spikes, np.ones((400, 8, 100), bool))
    program = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
from kipuka.commands.app import main
sys.exit(main(sys.argv[1:]))
"""
    for layer in ([], ["--layer", "1"]):
        words = ["simulate", net, "--input", spikes, "--output", tmp_path / "y.npy", *layer]
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "the disk is full" in done.stderr
        assert not (tmp_path / "y.npy").exists()
