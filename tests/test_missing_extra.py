import importlib
import importlib.util
import sys

import pytest

from kipuka.errors import KipukaError


def test_training_without_lava_says_so_in_one_paragraph(monkeypatch, check_error):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "kipuka.train", raising=False)
    with pytest.raises(KipukaError) as caught:
        importlib.import_module("kipuka.train")
    check_error(
        caught.value,
        what="not installed",
        where="kipuka train",
        limit="kipuka[lava]",
        value="without torch, lava",
        remedy="pip install",
    )
