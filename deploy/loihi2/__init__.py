"""The way to a Loihi 2 board: what is known to run there, the dry run, and the board itself."""

from kipuka.deploy.loihi2.findings import DryRun, Finding, dry_run

__all__ = ["DryRun", "Finding", "dry_run"]
