"""Tables on terminals of any width and in files: names whole, no line too long, nothing cut off."""

import io
import sys
from collections import Counter

import pytest

from kipuka.commands import console
from kipuka.commands.tables.layout import column_widths, folded

COLUMNS = ["layer", "kind", "neurons", "recurrent\ndelay", "source"]
ROWS = [
    [1, "dense_rec", "SPIKING_GRU", "0 to 13", "[lava-dl] netx/pilotnet_snn/benchmark.ipynb"],
    [2, "dense", "CUBA", "none", "a technology brief, and what follows from it"],
]
PARAGRAPH = "a paragraph of more words than fit a narrow terminal by far"


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal


def printed(monkeypatch, width, terminal, name="dumb"):
    text = Stream(terminal)
    monkeypatch.setattr(sys, "stdout", text)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", name)
    console.print_table("numbers", COLUMNS, ROWS)
    console.print_line(PARAGRAPH, indent=2)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_no_line_is_longer_than_the_terminal_and_nothing_is_lost(monkeypatch, width):
    lines = printed(monkeypatch, width, terminal=True)
    assert max(map(len, lines)) <= width
    given = ["numbers", PARAGRAPH, *COLUMNS, *(str(cell) for row in ROWS for cell in row)]
    shown = Counter("".join("".join(lines).split()))
    del shown[console.RULE]
    assert shown == Counter("".join("".join(given).split()))


def test_names_are_whole_at_80_columns(monkeypatch):
    text = "\n".join(printed(monkeypatch, 80, terminal=True))
    for name in ("dense_rec", "SPIKING_GRU", "0 to 13", "benchmark.ipynb"):
        assert name in text


def test_a_file_gets_each_row_in_one_line_without_signs_for_a_terminal(monkeypatch):
    lines = printed(monkeypatch, 80, terminal=False)
    assert any("SPIKING_GRU" in line and "benchmark.ipynb" in line for line in lines)
    assert f"  {PARAGRAPH}" in lines
    assert all(line == line.rstrip() for line in lines)


def test_titles_are_bold_on_a_terminal_that_can_show_it(monkeypatch):
    for terminal, name, title in [
        (True, "xterm", "\033[1mnumbers\033[0m"),
        (True, "dumb", "numbers"),
        (False, "xterm", "numbers"),
    ]:
        assert printed(monkeypatch, 80, terminal, name)[0] == title


def test_room_goes_to_the_column_that_needs_it():
    cells = [["ab", "cd"], ["one two three four five six"]]
    assert column_widths(cells, None) == [2, 27]
    assert column_widths(cells, 20) == [2, 18]
    assert column_widths([["a" * 50], ["b" * 50]], 20) == [10, 10]


def test_folding_keeps_every_character():
    text = "energy.synaptic_operation, of Loihi 2 and a" + "x" * 40
    for width in range(1, 60):
        lines = folded(text, width)
        assert max(map(len, lines)) <= width
        assert "".join("".join(lines).split()) == "".join(text.split())
