"""Outputs: links stay links, devices are written to, odd names are no obstacle, inputs are kept."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kipuka.deploy.inputs import save_spikes
from kipuka.errors import KipukaError
from kipuka.files import refuse_overlap, replacing, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "x.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to("there/x.json")
    write_json(link, {"new": 1})
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"new": 1}
    assert names(tmp_path / "there") == ["x.json"]


def test_so_it_does_where_it_leads_to_nothing_yet(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to("new.json")
    write_json(link, {})
    assert link.is_symlink()
    assert names(tmp_path) == ["link.json", "new.json"]


def test_a_chain_of_links_is_followed_to_its_end(tmp_path):
    (tmp_path / "x").write_text("old")
    for number, target in enumerate(["x", "0", "1"]):
        (tmp_path / str(number)).symlink_to(target)
    with replacing(tmp_path / "2") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "x").read_text() == "new"
    assert names(tmp_path) == ["0", "1", "2", "x"]


def test_a_link_to_itself_is_refused(tmp_path, check_error):
    (tmp_path / "x").symlink_to("x")
    with pytest.raises(KipukaError) as caught:
        write_json(tmp_path / "x", {})
    check_error(caught.value, what="cannot be written", value="symbolic links", remedy="another")


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_json(tmp_path / "pipe", {"a": 1})
    reader.join()
    assert json.loads(found[0]) == {"a": 1}
    assert names(tmp_path) == ["pipe"]


def test_a_pipe_that_nobody_reads_is_not_waited_for_long(tmp_path, monkeypatch, check_error):
    monkeypatch.setattr("kipuka.files.READER_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KipukaError) as caught:
        write_json(tmp_path / "pipe", {})
    check_error(
        caught.value,
        what="cannot be written",
        where="pipe",
        limit="takes all of it",
        value="nobody reads the pipe",
        remedy="another path",
    )


def test_a_reader_may_come_late(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Timer(0.2, lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_json(tmp_path / "pipe", {"a": "b" * (1 << 20)})
    reader.join()
    assert json.loads(found[0])["a"] == "b" * (1 << 20)


def test_a_device_is_written_to(check_error):
    write_json("/dev/null", {"a": 1})
    assert not Path("/dev/null").is_file()
    with pytest.raises(KipukaError) as caught:
        write_json("/dev/full", {"a": 1})
    check_error(
        caught.value,
        what="cannot be written",
        where="/dev/full",
        limit="takes all of it",
        value="No space left",
        remedy="another path",
    )


TO_STANDARD_OUTPUT = """
import sys
from kipuka.files import write_json
print("before")
write_json(sys.argv[1], {"a": 1})
print("after")
"""


@pytest.mark.parametrize("into_a_file", [False, True])
def test_standard_output_under_another_name_is_written_to(tmp_path, into_a_file):
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    words = [sys.executable, "-c", TO_STANDARD_OUTPUT, str(link)]
    if into_a_file:
        with (tmp_path / "x").open("w") as file:
            subprocess.run(words, check=True, stdout=file)
        written = (tmp_path / "x").read_text()
    else:
        written = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert written.split() == ["before", "{", '"a":', "1", "}", "after"]
    assert link.is_symlink()


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "x" * 246 + ".json",
        "." + "é" * 127,
        "a." + "y" * 253,
        "-rf",
        "a\nb",
        "\udcff\udcfe.net",
        "{x}.json",
        "%s",
        "[b]",
    ],
)
def test_every_name_that_the_system_takes_can_be_written(name, tmp_path):
    for number in range(2):
        write_json(tmp_path / name, {"n": number})
    assert names(tmp_path) == [name]
    assert json.loads((tmp_path / name).read_bytes()) == {"n": 1}


@pytest.mark.parametrize("name", ["x" * 256, "é" * 200, "a\0b"])
def test_one_that_it_does_not_take_is_refused(name, tmp_path, check_error):
    with pytest.raises(KipukaError) as caught:
        write_json(tmp_path / name, {})
    check_error(caught.value, what="cannot be written", limit="folder", remedy="another path")
    assert names(tmp_path) == []


def test_a_killed_writer_of_a_long_name_is_cleaned_up_after(tmp_path):
    path = tmp_path / ("x" * 250)
    program = """
import os, signal, sys
from kipuka.files import replacing
with replacing(sys.argv[1]) as temporary:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(names(tmp_path)) == 1
    write_json(path, {})
    assert names(tmp_path) == [path.name]


def test_an_output_is_no_input_by_whatever_name(tmp_path, check_error):
    (tmp_path / "a").touch()
    (tmp_path / "soft").symlink_to("a")
    os.link(tmp_path / "a", tmp_path / "hard")
    (tmp_path / "sub").mkdir()
    for name in ("a", "soft", "hard", "sub/../a"):
        with pytest.raises(KipukaError) as caught:
            refuse_overlap([None, tmp_path / "b", tmp_path / "a"], {"option x": tmp_path / name})
        check_error(
            caught.value,
            what="take the place of another file",
            where="option x",
            limit="neither reads nor writes",
            value=f"the input {tmp_path / 'a'}",
            remedy="another name",
        )


def test_two_outputs_are_two_files(tmp_path, check_error):
    (tmp_path / "link").symlink_to("new")
    for name in ("new", "./new", "link"):
        with pytest.raises(KipukaError) as caught:
            refuse_overlap([], {"option x": tmp_path / "new", "option y": tmp_path / name})
        check_error(caught.value, where="option y", value="the output option x")
    refuse_overlap([tmp_path / "in"], {"x": tmp_path / "new", "y": tmp_path / "other", "z": None})
    # Both can be written to one after the other.
    refuse_overlap([], {"x": Path("/dev/null"), "y": Path("/dev/null")})


@pytest.mark.parametrize("batched", [True, False])
def test_spikes_are_the_file_that_numpy_writes(rng, tmp_path, batched):
    spikes = rng.random((3, 5, 7)) < 0.5
    for array in (spikes, spikes.transpose(0, 2, 1), spikes[:, ::2], spikes[:, :0]):
        save_spikes(tmp_path / "x.npy", array, batched)
        np.save(tmp_path / "y.npy", (array if batched else array[0]).astype(np.uint8))
        assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()
