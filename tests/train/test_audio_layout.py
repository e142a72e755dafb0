import numpy as np
import pytest
import torch

from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.errors import KipukaError
from kipuka.train.audio_layout import AudioLayout, audio_shape
from kipuka.train.networks import build_network


@pytest.mark.parametrize(
    ("units", "shape"),
    [
        (700, (7, 10, 10)),  # SHD, as CS-GRU has it
        (64, (1, 8, 8)),  # N-TIDIGITS, as CS-GRU has it
        (140, (7, 4, 5)),
        (20, (5, 2, 2)),
        (13, (1, 1, 13)),
        (1, (1, 1, 1)),
    ],
)
def test_units_are_folded_into_the_squarest_images(units, shape):
    assert audio_shape(units, "csgru") == shape
    assert audio_shape(units, "frequency") == (1, units, 1)


def test_the_flat_order_stays():
    x = torch.arange(12.0).reshape(1, 12, 1)
    shaped = AudioLayout((3, 2, 2))(x)
    assert shaped.shape == (1, 3, 2, 2, 1)
    assert torch.equal(shaped.flatten(1, 3), x)
    program = program_from_blocks(build_network("csgru", 12, 2, 8))
    assert program.input_shape == (3, 2, 2)
    assert program.n_inputs == 12


@pytest.mark.parametrize(("units", "layout"), [(700, "mel"), (0, "csgru")])
def test_unknown_layouts_are_refused(units, layout, check_error):
    with pytest.raises(KipukaError) as caught:
        audio_shape(units, layout)
    check_error(caught.value, what="cannot be laid out", limit="csgru or frequency", value=layout)


def test_input_of_another_size_is_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        AudioLayout((7, 10, 10))(torch.zeros(1, 140, 5))
    check_error(caught.value, limit="700 units", value="(1, 140, 5)")


def test_a_layout_comes_first_and_fits(check_error):
    blocks = build_network("csgru", 12, 2, 8)
    with pytest.raises(KipukaError) as caught:
        program_from_blocks([*blocks[1:2], blocks[0]], input_shape=(3, 2, 2))
    check_error(caught.value, where="AudioLayout", limit="at first")
    with pytest.raises(KipukaError) as caught:
        program_from_blocks(blocks, input_shape=(13,))
    check_error(caught.value, where="AudioLayout", limit=str(int(np.prod((3, 2, 2)))), value="13")
