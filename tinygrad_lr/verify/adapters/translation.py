"""Renames a specification's hyperparameters to a library's arguments, for all adapters.

A maker has three attributes. `takes` lists the specification's names that the library has arguments for; guard.py drops
the others where their value is what the library does anyway. `missing_gradients` is False where a gradient may not be
None. `mixes_dtypes` is False where one setting of the process is the precision of all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ..protocol import NotApplicable

# Which of a specification's names a peer's argument stands for; a tuple's members have an argument each.
Names = Mapping[str, str | tuple[str, ...]]


def imported(module: str, install: str) -> Any:
    """Import a library, or raise an ImportError that names the remedy."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this adapter needs {module}, which cannot be imported ({error}): pip install {install}"
        ) from error


def arguments_of(factory: Any) -> set[str]:
    """The names of a class's or function's arguments."""
    return set(inspect.signature(factory).parameters)


def takes(factory: Any, names: Names) -> frozenset[str]:
    """The specification's names that a library's class or function has arguments for."""
    known = arguments_of(factory)
    return frozenset(
        name for name, theirs in names.items() if ({theirs} if isinstance(theirs, str) else set(theirs)) <= known
    )


def translated(given: Mapping[str, Any], names: Names, taken: frozenset[str], peer: str) -> dict[str, Any]:
    """The library's arguments for these hyperparameters.

    Raises:
        NotApplicable: the library lacks a hyperparameter that would change what is computed.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in taken:
            theirs = names[name]
            if isinstance(theirs, str):
                found[theirs] = value
            else:
                found.update(zip(theirs, value, strict=True))
        elif value and not isinstance(value, str) and name in CHANGES_RESULT:
            raise NotApplicable(f"{peer} has no {name}, and it is asked for {name}={value!r}")
    return found


# Hyperparameters that change what is computed; the others describe a dialect.
CHANGES_RESULT = frozenset(
    {
        "lr",
        "betas",
        "weight_decay",
        "momentum",
        "dampening",
        "nesterov",
        "maximize",
        "amsgrad",
        "centered",
        "lr_decay",
        "initial_accumulator_value",
        "alpha",
        "rho",
        "etas",
        "step_sizes",
        "lambd",
        "t0",
    }
)


class PeerMaker:
    """A maker of a library's optimizer, with the attributes that guard.py and search.py read."""

    def __init__(
        self,
        build: Callable[[list[Any], dict[str, Any]], Any],
        title: str,
        names: Names,
        taken: frozenset[str],
        fixed: Mapping[str, Any],
        missing_gradients: bool,
        mixes_dtypes: bool = True,
    ) -> None:
        self._build, self.title, self._names, self.takes = build, title, names, taken
        self._fixed, self.missing_gradients, self.mixes_dtypes = dict(fixed), missing_gradients, mixes_dtypes
        self.dimensions = 0  # how many dimensions the peer's parameters must have at least

    def __call__(self, params: list[Any], **hyperparameters: Any) -> Any:
        return self._build(params, {**translated(hyperparameters, self._names, self.takes, self.title), **self._fixed})

    def __repr__(self) -> str:
        return f"<maker of {self.title}>"
