"""What an HDF5 file from a stranger may not do, and that it costs nothing when it tries."""

import struct
import time
import tracemalloc

import h5py
import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.errors import KipukaError
from kipuka_cases import conv, conv_cuba, program, random_cuba

KEY = "layer/1/weight"


def declared(group, shape, **settings):
    group.create_dataset("weight", shape, "i2", **settings)


def virtual(group):
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="i2")
    layout[:] = h5py.VirtualSource("other.h5", "weight", shape=(4, 3))
    group.create_virtual_dataset("weight", layout)


def external(group):
    declared(group, (4, 3), external=[("other.raw", 0, 24)])


def soft_link(group):
    group["weight"] = h5py.SoftLink("/layer/1/bias")


def external_link(group):
    group["weight"] = h5py.ExternalLink("other.h5", "/weight")


def same_object_twice(group):
    group["weight"] = group["shape"]


def unwritten(group):
    declared(group, (10**6, 10**6))


def fill_value(group):
    declared(group, (1000, 1000), chunks=(64, 64), fillvalue=2)


def huge_chunks(group):
    declared(group, (10**6, 10**6), chunks=(64, 64), compression="gzip")


def deflate_bomb(group):
    zeros = np.zeros((1 << 13, 1 << 12), np.int8)
    group.create_dataset("weight", data=zeros, compression="gzip", chunks=zeros.shape)


def chunk_that_unpacks_to_more(group):
    import zlib

    declared(group, (64, 64), chunks=(64, 64), compression="gzip")
    group["weight"].id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 27)))


def unknown_filter(group):
    declared(group, (64, 64), chunks=(64, 64), compression="lzf")
    group["weight"][...] = 2


BAD = {
    virtual: {"limit": "no external storage or virtual data sets"},
    external: {"limit": "no external storage or virtual data sets"},
    soft_link: {"limit": "no soft or external links", "value": "SoftLink"},
    external_link: {"limit": "no soft or external links", "value": "ExternalLink"},
    same_object_twice: {"limit": "each object under one name", "value": "/layer/1/"},
    unwritten: {"limit": "numbers in all", "value": "(1000000, 1000000)"},
    fill_value: {"limit": "as many numbers as the file holds", "value": "0 of 256 chunks"},
    huge_chunks: {"limit": "numbers in all", "value": "(1000000, 1000000)"},
    deflate_bomb: {"limit": "numbers in all", "value": "(8192, 4096)"},
    chunk_that_unpacks_to_more: {"limit": "as many", "value": "unpacks to more than its size"},
    unknown_filter: {"limit": "packed by deflate or not at all", "value": "filters"},
}


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
def test_it_is_refused_before_anything_is_allocated(change, rng, tmp_path, check_error):
    path = tmp_path / "x.net"
    save_net(path, program(3, random_cuba(rng, 3, 4)))
    with h5py.File(path, "r+") as file:
        del file[KEY]
        change(file["layer/1"])
    tracemalloc.start()
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    where = f"{path}, layer 1, key"
    check_error(caught.value, what="not read from a stranger", where=where, **BAD[change])
    assert peak < 1 << 24


@pytest.mark.parametrize("number, n_bytes", [(0, 0), (9, 2**64 - 16)])
def test_a_heap_without_an_end_is_refused_before_hdf5_walks_it(
    number, n_bytes, rng, tmp_path, check_error
):
    path = tmp_path / "x.net"
    save_net(path, program(3, random_cuba(rng, 3, 4)))
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = struct.pack("<HHIQ", number, 0, 0, n_bytes)
    path.write_bytes(content)
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(caught.value, where=str(path), value=f"heap at byte {heap} has no end")


def test_names_in_a_message_do_not_steer_the_terminal(rng, tmp_path, check_error):
    path = tmp_path / "x.net"
    save_net(path, program(3, random_cuba(rng, 3, 4)))
    with h5py.File(path, "r+") as file:
        file["layer/1"]["\x1b[31m\u202e"] = 1
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    assert str(caught.value).isprintable()
    check_error(caught.value, what="keys that Kipuka does not know", value="x1b[31m")


def test_heaps_that_overlap_are_walked_once_and_refused(rng, tmp_path, check_error):
    path = tmp_path / "x.net"
    save_net(path, program(3, random_cuba(rng, 3, 4)))
    heaps = (b"GCOL\x01\0\0\0" + b"\xff" * 8) * (1 << 16)
    with h5py.File(path, "r+") as file:
        file["junk"] = np.frombuffer(heaps, np.uint8)
    start = time.process_time()
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    check_error(caught.value, where=str(path), value="overlaps others")
    assert time.process_time() - start < 5


def test_heaps_that_do_not_overlap_load(rng, tmp_path):
    path = tmp_path / "x.net"
    save_net(path, program(3, random_cuba(rng, 3, 4)))
    with h5py.File(path, "r+") as file:
        file["words"] = np.array(["word"] * 20_000, dtype=h5py.string_dtype())
    assert load_net(path).n_classes == 4


def test_a_convolution_costs_what_its_file_is_worth(tmp_path, check_error):
    """Kernels that deflate packs to nothing, over an image whose size is two numbers."""
    kernels = np.full((1, 1, 64, 64), 2, np.int16)
    small = conv(kernels, (1, 64, 64), padding=(32, 32))
    path = tmp_path / "x.net"
    save_net(path, program((1, 64, 64), conv_cuba(small)))
    with h5py.File(path, "r+") as file:
        for key, shape in (("0", (1, 512, 512)), ("1", (1, 513, 513))):
            file[f"layer/{key}/shape"][...] = shape
    tracemalloc.start()
    with pytest.raises(KipukaError) as caught:
        load_net(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    check_error(caught.value, limit="numbers in all", where="layer 1")
    assert peak < 1 << 29
