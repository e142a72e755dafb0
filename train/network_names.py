"""Names of the networks, apart from what builds them, so that a misspelling needs no torch."""

from __future__ import annotations

NETWORK_NAMES = (
    "sgru",
    "sgru-delay",
    "sgru-delay-2l",
    "csgru",
    "csgru-delay",
    "csgru-delay-2l",
    "decoupled",
    "cuba-ff-delay",
    "cuba-recurrent",
    "cuba-recurrent-delay",
)
"""Each is built by the function of `kipuka.train.networks` of that name, with underscores."""
