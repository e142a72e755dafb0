"""A few hundred mutated files of each format; ``python -m kipuka_fuzz`` makes as many as asked."""

import pytest

from kipuka_fuzz import fuzz
from kipuka_fuzz_formats import FORMATS, LAVA_ONLY

pytestmark = pytest.mark.fuzz


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_load_or_are_refused(name):
    if name in LAVA_ONLY:
        pytest.importorskip("lava", reason="needs the lava extra")
    outcomes, _, _, findings = fuzz(name, 200, first=1_000_000)
    assert not findings
    assert outcomes.total() == 200
