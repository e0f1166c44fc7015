"""Recognises the optimizers of tinygrad_lr, torch, keras and optax, and adapts them.

So `verify.check_optimizer(torch.optim.Adam, ...)` and `tinygrad-lr verify torch.optim:Adam` name no adapter.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tinygrad_lr.optim.table import OPTIMIZERS

from ..formulas import FAMILIES
from ..protocol import Maker
from ..specification import Specification, spec
from .described import described
from .keras import keras
from .optax import optax, returns_transformation
from .own import own
from .torch import returns_torch_optimizer, torch
from .translation import Names

# The library's name and its base class -> the adapter of its optimizers.
_BASES = {"tinygrad_lr.Optimizer": "tinygrad_lr", "torch.Optimizer": "torch", "keras.Optimizer": "keras"}


def library_of(target: object) -> str:
    """The library whose optimizer this is: "tinygrad_lr", "torch", "keras", "optax", or "" for any other maker.

    Example:
        >>> from tinygrad_lr import optim
        >>> library_of(optim.Adam), library_of(lambda params, lr: ...)
        ('tinygrad_lr', '')
    """
    if not inspect.isclass(target):
        package = str(getattr(target, "__module__", "")).partition(".")[0]
        if package == "optax" and inspect.isroutine(target) or returns_transformation(target):
            return "optax"
        return "torch" if returns_torch_optimizer(target) else ""
    bases = (f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in target.__mro__)
    return next((_BASES[base] for base in bases if base in _BASES), "")


def adapt(
    target: Any,
    dialect: str | None = None,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
) -> Maker:
    """The maker of an optimizer: a class or factory of a library that is known, adapted, or the maker that was given.

    Args:
        target: an optimizer class of tinygrad_lr, torch or keras, a function that returns a transformation of optax, a
            function of the parameters that returns an optimizer of torch, or `make(params, **hyperparameters)`.
        dialect: whose defaults one of ours takes for hyperparameters that are not given; without one, or where the
            class has no such dialect, the class's first.
        names, without, state_names, prepare: as in `verify.adapters.torch`.

    Raises:
        TypeError: it cannot be called.
        TypeError, ValueError: what is said of its names is wrong.

    Example:
        >>> from tinygrad_lr import optim
        >>> adapt(optim.Adam).title
        'tinygrad_lr.optim.Adam'
    """
    if not callable(target):
        raise TypeError(
            "expected an optimizer class, a factory or make(params, **hyperparameters), not what it returns, "
            f"got {type(target).__name__}"
        )
    library = library_of(target)
    adapters: dict[str, Callable[..., Maker]] = {"torch": torch, "keras": keras, "optax": optax, "tinygrad_lr": own}
    about: dict[str, Any] = {"names": names, "without": without, "state_names": state_names, "prepare": prepare}
    if not library:
        return described(target, **about)
    if library == "tinygrad_lr" and dialect in target.dialects:
        about["dialect"] = dialect
    found: Any = adapters[library](target, **about)
    found.original = target  # a program names it as its file does
    return found  # type: ignore[no-any-return]


def claim_of(target: object, dialect: str | None = None) -> Specification | None:
    """What one of our own optimizers claims to compute; None for all others, and where it has no formula.

    Args:
        target: as in `adapt`.
        dialect: of the claim; None: the class's first.

    Example:
        >>> from tinygrad_lr import optim
        >>> claim_of(optim.Adam)["eps_placement"], claim_of(lambda params, lr: ...)
        ('inside', None)
    """
    name = OPTIMIZERS.name_of(target) if inspect.isclass(target) else None
    if name is None or name not in FAMILIES:
        return None
    return spec(name, dialect=dialect or next(iter(OPTIMIZERS[name].dialects)))
