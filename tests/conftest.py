"""Shared fixtures; modules that need the lava extra skip themselves where it is missing."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(20260501)


@pytest.fixture(scope="session")
def check_error():
    """Assert that an error says what, where, limit, value and remedy."""

    def check(error, **parts):
        text = str(error)
        for name in ("what", "where", "limit", "value", "remedy"):
            assert str(getattr(error, name)) in text
            assert str(getattr(error, name)).strip()
        for name, part in parts.items():
            assert part in str(getattr(error, name)), f"{name}: {getattr(error, name)!r}"

    return check
