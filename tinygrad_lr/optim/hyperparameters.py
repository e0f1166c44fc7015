"""Hyperparameters: a class says each one once, as an argument of its constructor. Read sgd.py for an example.

    lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3, keras=1e-2)] = None

The name and the type are Python's own, so editors, mypy and `inspect.signature` see ordinary arguments. From the rest
follow the checks, the defaults of every dialect, and the section "Args" of the class's documentation.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

from tinygrad_lr.engine import Tensor

from .validation import Validator, flag, non_negative

__all__ = ["DECOUPLED", "DecoupledInKeras", "Hyperparameter", "Maximize", "Params", "TorchOptions", "WeightDecay"]

WIDTH = 115  # of the documentation, before Python indents it


class Hyperparameter:
    """What a class says of one hyperparameter, besides its name and type.

    Args:
        doc: one line of documentation; the defaults are added to it.
        check: takes the name and a value; returns the plain value or raises.
        default: where no other one is given for a dialect.
        of_dialects: for the dialects that have another default.
    """

    __slots__ = ("check", "default", "doc", "of_dialects")

    def __init__(self, doc: str, check: Validator, default: Any, **of_dialects: Any) -> None:
        self.doc, self.check, self.default, self.of_dialects = doc, check, default, of_dialects

    def having(self, default: Any, **of_dialects: Any) -> "Hyperparameter":
        """The same hyperparameter with other defaults."""
        return Hyperparameter(self.doc, self.check, default, **of_dialects)

    def in_dialect(self, dialect: str) -> Any:
        """Its default in a dialect."""
        return self.of_dialects.get(dialect, self.default)

    def line(self) -> str:
        """Its documentation with its defaults.

        Example:
            >>> Hyperparameter("learning rate, at least 0", non_negative, 1e-3, optax=1e-2, keras=1e-2).line()
            'learning rate, at least 0 (default: 0.001; optax, keras: 0.01).'
        """
        by_value: dict[Any, list[str]] = {}
        for dialect, value in self.of_dialects.items():
            by_value.setdefault(value, []).append(dialect)
        others = "".join(f"; {', '.join(dialects)}: {_shown(value)}" for value, dialects in by_value.items())
        return f"{self.doc} (default: {_shown(self.default)}{others})."


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


# Arguments that most classes have.
Params = Annotated[
    Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]],
    "Tensors, (name, Tensor) pairs or groups (see `Optimizer`), float32 or float64, of any shape.",
]
WeightDecay = Annotated[float | None, Hyperparameter("at least 0; see `decoupled_weight_decay`", non_negative, 0.0)]
Maximize = Annotated[bool | None, Hyperparameter("ascend", flag, False)]
DECOUPLED = Hyperparameter(
    "False adds weight_decay * theta to the gradient; True multiplies theta by 1 - lr * weight_decay", flag, False
)
TorchOptions = Annotated[
    bool | None,
    "foreach, fused, capturable and differentiable choose among torch's implementations; None or False is accepted.",
]
DecoupledInKeras = Annotated[bool | None, DECOUPLED.having(False, keras=True)]


def declared(constructor: Callable[..., None]) -> dict[str, Any]:
    """What the arguments of a constructor are annotated with: a `Hyperparameter`, or a text of documentation.

    The annotations are taken out of the constructor's signature, which then shows names and types, as `help` prints it.
    """
    signature = inspect.signature(constructor, eval_str=True)
    found: dict[str, Any] = {}
    plain = []
    for name, parameter in signature.parameters.items():
        if get_origin(parameter.annotation) is Annotated:
            kind, said, *_ = get_args(parameter.annotation)
            parameter = parameter.replace(annotation=kind)
            if isinstance(said, (Hyperparameter, str)):
                found[name] = said
        plain.append(parameter)
    constructor.__signature__ = signature.replace(parameters=plain)  # type: ignore[attr-defined]
    return found


def documented(text: str | None, arguments: Mapping[str, Hyperparameter | str], dialects: Iterable[str]) -> str:
    """A class's documentation with a section "Args", which is put before "Raises" or "Example".

    Example:
        >>> print(documented("Stands still.", {"lr": "unused."}, ["paper"]))
        Stands still.
        <BLANKLINE>
        Args:
            lr: unused.
            dialect: "paper": whose defaults are taken for what is None.
    """
    text = inspect.cleandoc(text or "")
    named = {**arguments, "dialect": f"{_alternatives(dialects)}: whose defaults are taken for what is None."}
    lines = ["Args:"]
    for name, said in named.items():
        line = f"{name}: {said if isinstance(said, str) else said.line()}"
        lines += textwrap.wrap(line, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
    places = [place for place in map(text.find, ("\nRaises:\n", "\nExample:\n")) if place >= 0]
    place = min(places, default=len(text))
    parts = [text[:place].rstrip(), "\n".join(lines), text[place:].strip()]
    return "\n\n".join(part for part in parts if part)


def _alternatives(names: Iterable[str]) -> str:
    *others, last = (f'"{name}"' for name in names)
    return f"{', '.join(others)} or {last}" if others else last
