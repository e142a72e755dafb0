"""What a neuron model is: every fact about it that the rest of Kipuka asks for, in one object.

A model's own file in this folder holds its parameters and state as named tuples, its step as a pure
function of int64 arrays, and one `NeuronModel` with all of it. Nothing in a `NeuronModel` is
optional. Engines keep a table from model names to what they do with it; `handler` looks there, and
refuses by name what an engine lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from kipuka.errors import KipukaError

Handler = TypeVar("Handler")

FRACTION = "fraction"
"""What neurons may receive beside their activation: what an input has beyond whole weight units."""

REFERENCE = "reference"
"""The engine that runs every model: it calls the model's own step."""


class Overflow(NamedTuple):
    """Where a state left its range in this step: boolean or integer arrays.

    Attributes
    ----------
    saturated
        A state was clipped to its limit; the number of states where several can be.
    wrapped
        A state wrapped around its bits.
    """

    saturated: Any
    wrapped: Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model: where it stands in a network file, and what it may be.

    Attributes
    ----------
    name : str
        Field of the model's parameters.
    key : str
        Data set of a `.net` file below the layer, such as ``neuron/vThMant``.
    low, high : int
        Smallest and largest value.
    step : int
        Values are multiples of it: 1, or 2 for what is stored like a weight.
    rule : str
        Design rule that a value outside breaks; it heads the refusal.
    unit : str
        For the refusal.
    remedy : str
        For the refusal.
    default : int or None
        What a file means that lacks the key; None if it must be there.
    """

    name: str
    key: str
    low: int
    high: int
    step: int
    rule: str
    unit: str
    remedy: str
    default: int | None

    @property
    def label(self) -> str:
        """Name of the key in messages."""
        return self.key.removeprefix("neuron/").replace("/", "_")


@dataclass(frozen=True)
class StateVariable:
    """One state variable that traces record.

    Attributes
    ----------
    name : str
        Field of the model's state.
    limit : int
        Largest magnitude that it holds, in state units.
    overflow : {"wrap", "saturate"}
        What happens beyond the limit.
    """

    name: str
    limit: int
    overflow: Literal["wrap", "saturate"]


@dataclass(frozen=True)
class Message:
    """What neurons send: spikes, or graded payloads that synapses multiply.

    Attributes
    ----------
    name : str
        As it stands in `Projection.message`. What other layers receive is called ``spikes``, with a
        payload (the graded spikes of Loihi 2) or without.
    bits : int
        1 for a spike; width of a signed payload otherwise. A payload of 0 is no message.
    payload : callable (state, emitted) -> int64 or bool array
        What is sent after a step, from the new state and what the step emitted.
    activation : callable (int64 array) -> int64 array
        What a weighted sum of payloads becomes at its target, in weight units.
    """

    name: str
    bits: int
    payload: Callable[[Any, Any], Any]
    activation: Callable[[Any], Any]

    @property
    def graded(self) -> bool:
        """Whether a payload travels."""
        return self.bits > 1

    @property
    def limit(self) -> int:
        """Largest magnitude of a payload."""
        return 1 << (self.bits - 1)


def _emitted(state: Any, emitted: Any) -> Any:
    del state
    return emitted


def _unchanged(total: Any) -> Any:
    return total


SPIKES = Message("spikes", 1, _emitted, _unchanged)
"""The message of every spiking neuron."""


@dataclass(frozen=True, eq=False)
class NeuronModel:
    """All facts about a neuron model.

    Attributes
    ----------
    name : str
        As it stands in files (``neuron/type``) and tables.
    parameter_type : type
        Named tuple of int64 arrays (neurons,).
    parameters : tuple of Parameter
        One for each field of `parameter_type`, in its order.
    initial_state : callable (int64 array of zeros) -> named tuple
        State of a neuron that has seen nothing, of the shape of the zeros.
    states : tuple of StateVariable
        State variables that a trace records.
    targets : tuple of str
        Activations that it receives, in the order of its rows.
    messages : tuple of Message
        What it can send; other layers receive the first, the layer itself any.
    state_words : int
        Words of a chip's memory that the state of one neuron takes.
    reset : {"hard", "soft", "none"}
        A hard reset sets the membrane to 0 in the step of the spike, a soft one takes the threshold
        off in the step that follows.
    programmable : bool
        Whether a chip needs neurons that can be programmed to run it as one process.
    takes_input : bool
        Whether a real-valued input may be its activation.
    receives : {"spikes", "graded", "nothing"}
        What its synapses bring: spikes, graded spikes, or nothing, because it only stands where the
        real-valued input comes in.
    readouts : callable (parameters) -> tuple of str
        Kinds of readout that fit neurons with such parameters.
    step : callable (parameters, state, activations) -> state, emitted, Overflow
        One algorithmic step; `activations` maps each target to an int64 array in weight units.
    """

    name: str
    parameter_type: type
    parameters: tuple[Parameter, ...]
    initial_state: Callable[[Any], Any]
    states: tuple[StateVariable, ...]
    targets: tuple[str, ...]
    messages: tuple[Message, ...]
    state_words: int
    reset: Literal["hard", "soft", "none"]
    programmable: bool
    takes_input: bool
    receives: Literal["spikes", "graded", "nothing"]
    readouts: Callable[[Any], tuple[str, ...]]
    step: Callable[[Any, Any, Mapping[str, Any]], tuple[Any, Any, Overflow]]

    @property
    def sends(self) -> Message:
        """What other layers receive."""
        return self.messages[0]

    def message(self, name: str) -> Message | None:
        """Return the message of that name, or None if the model sends none."""
        return next((one for one in self.messages if one.name == name), None)


def handler(table: Mapping[str, Handler], model: str, engine: str, where: str) -> Handler:
    """Return what an engine does with a neuron model.

    Parameters
    ----------
    table : mapping of str to anything
        The engine's models by name.
    model : str
        Name of the model.
    engine : str
        Name of the engine.
    where : str
        Layer that has such neurons, for the message.

    Raises
    ------
    KipukaError
        If the engine has no such model; the message names both.
    """
    if model not in table:
        raise KipukaError(
            f"engine {engine} has no model {model}",
            where=where,
            limit=f"the models of engine {engine}: {', '.join(sorted(table))}",
            value=model,
            remedy=f"run it on the engine {REFERENCE}, which runs every model",
        )
    return table[model]
