"""The way to a Loihi 2 board: what is known to run there, the dry run, and the board itself."""

from kipuka.deploy.loihi2.checks import Finding
from kipuka.deploy.loihi2.findings import DryRun, dry_run
from kipuka.lazy import listing

__all__ = ["DryRun", "Finding", "dry_run"]

__dir__ = listing(__all__)
