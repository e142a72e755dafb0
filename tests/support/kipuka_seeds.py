"""Seeds of tests that draw what they test: a few in the fast loop, all in the whole suite."""

from __future__ import annotations

import pytest


def seeds(count, quick):
    """All seeds below `count`; those from `quick` on are marked slow."""
    slow = (pytest.param(seed, marks=pytest.mark.slow) for seed in range(quick, count))
    return [*range(quick), *slow]
