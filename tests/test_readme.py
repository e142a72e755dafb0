"""The examples of README and documents run."""

import re
from pathlib import Path

import pytest

from kipuka.convert.formats.net.file import save_net
from kipuka_cases import program, random_cuba, random_gru

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/training.md", "docs/simulator.md")
TEXT = "".join((ROOT / page).read_text() for page in PAGES)
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("number", "printed"), [(0, "typical="), (2, "(1, 6, 40)\n40000 ")])
def test_python_example_on_a_file(rng, tmp_path, monkeypatch, capsys, number, printed):
    monkeypatch.chdir(tmp_path)
    Path("kipuka-demo").mkdir()
    network = program(8, random_gru(rng, 8, 6), random_cuba(rng, 6, 10))
    save_net("kipuka-demo/model.net", network)
    exec(EXAMPLES[number], {})
    assert printed in capsys.readouterr().out


def test_training_example():
    pytest.importorskip("lava", reason="needs the lava extra")
    names = {}
    exec(EXAMPLES[1], names)
    assert [layer.model for layer in names["program"].layers] == ["SPIKING_GRU", "CUBA"]


def test_no_example_is_forgotten():
    assert len(EXAMPLES) == 3
