"""The report: one page that works offline, with a source for every number."""

VERIFIED_SAMPLES = 8
"""Samples on which backends are compared for a report, unless told otherwise."""
