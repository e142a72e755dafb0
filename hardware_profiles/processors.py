"""Conventional processors to compare a chip with: what one multiply-accumulate takes there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

from pydantic import model_validator

from kipuka.hardware_profiles.quantity import Quantity, Reference, Strict, Text
from kipuka.hardware_profiles.schema import JouleQuantity, check_citations
from kipuka.yaml_text import parse_yaml

FILE = "conventional/processors.yaml"


class Processor(Strict):
    """A processor that is no spiking chip.

    Parameters
    ----------
    name, model : str
        What it is, and which.
    multiply_accumulate : Quantity
        Energy of one multiply-accumulate in J; its note states the boundary.
    """

    name: Text
    model: Text
    multiply_accumulate: JouleQuantity

    @property
    def title(self) -> str:
        """Kind and model for people."""
        return f"{self.name}, {self.model}"


class Processors(Strict):
    """All of them, with the sources that they cite.

    Parameters
    ----------
    processors : tuple of Processor
    references : tuple of Reference
    """

    processors: tuple[Processor, ...]
    references: tuple[Reference, ...]

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """Yield every quantity with a key that says whose it is."""
        for number, one in enumerate(self.processors):
            yield f"processors.{number}.multiply_accumulate", one.multiply_accumulate

    @model_validator(mode="after")
    def _citations_resolve(self) -> Processors:
        """Require a reference for every citation key that a quantity uses."""
        check_citations(self.quantities(), self.references)
        return self


@cache
def load_processors() -> Processors:
    """Load the bundled processors and check them."""
    content = resources.files(__package__).joinpath(FILE).read_bytes()
    return Processors.model_validate(parse_yaml(content, FILE, "list of processors")[1])
