"""Shared fixtures; modules that need the lava extra skip themselves where it is missing."""

import numpy as np
import pytest

from kipuka_errors import check_error


@pytest.fixture
def rng():
    return np.random.default_rng(20260501)


@pytest.fixture(scope="session", name="check_error")
def check_error_fixture():
    return check_error
