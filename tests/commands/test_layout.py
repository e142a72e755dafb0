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


def terminal_of(monkeypatch, width):
    text = Stream(True)
    monkeypatch.setattr(sys, "stdout", text)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    return text


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


def test_numbers_and_ranges_are_whole_where_names_are_not(monkeypatch):
    columns = ["quantity", "value", "low to high", "source"]
    name = "limits.synapses_per_chip_and_more_of_a_long_name"
    rows = [[name, "120,000,000 synapses", "0.62 to 4,095.5", "somewhere in a technology brief"]]
    text = terminal_of(monkeypatch, 62)
    console.print_table("numbers", columns, rows)
    assert "120,000,000" in text.getvalue()
    assert "0.62 to 4,095.5" in text.getvalue()
    assert name not in text.getvalue()
    for width in range(3, 30):
        assert not [line for line in folded("a 1,000.5", max(width, 7)) if line == "1,"]


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


def test_paragraphs_and_tables_are_told_apart(monkeypatch):
    text = terminal_of(monkeypatch, 20)
    console.print_line("energy 4.70\u00a0µJ (1.49 to 6.56\u00a0µJ), 95.0 % sure")
    console.print_table("numbers", ["n"], [[1]])
    console.print_table("more", ["n"], [["12\u202f000"]])
    assert text.getvalue().splitlines() == [
        "energy 4.70 µJ",
        "  (1.49 to 6.56 µJ),",
        "  95.0 % sure",
        "",
        *("numbers", "", "n", "─", "1", ""),
        *("more", "", "n", "─" * 6, "12 000", ""),
    ]


def test_the_next_commands_can_be_copied(monkeypatch):
    text = terminal_of(monkeypatch, 20)
    console.print_next(["kipuka", "verify", "a run/model.net"], ["kipuka", "inspect", "b.net"])
    assert text.getvalue() == (
        "next: kipuka verify 'a run/model.net'\n      kipuka inspect b.net\n"
    )
