"""Settings of a training run for people: default, range and meaning of each."""

from __future__ import annotations

from kipuka.commands.console import print_line
from kipuka.train.runs.config import setting_fields
from kipuka.train.runs.setting_texts import setting_lines


def print_settings() -> None:
    """Print every setting, in the form that ``--set`` takes, with its range and meaning."""
    for name, field in setting_fields().items():
        head, meaning = setting_lines(name, field)
        print_line(head)
        print_line(meaning, indent=4)
