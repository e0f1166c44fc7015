"""Renames a specification's hyperparameters to a library's arguments, for all adapters.

Where a library calls a thing otherwise, `names=` says how, and `without=` says what it does not have; `PeerMaker` lists
what else a maker tells those who check it (guard.py, search.py). Next: torch.py.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from tinygrad_lr.suggesting import suggested

from ..protocol import NotApplicable

# A specification's name -> a peer's argument; a tuple's members have an argument each, a function gives the arguments
# for a value, and None is what the peer has no argument for.
Theirs = str | tuple[str, ...] | Callable[[Any], Mapping[str, Any]] | None
Names = Mapping[str, Theirs]


def imported(module: str, install: str) -> Any:
    """Import a library, or raise an ImportError that names the remedy."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this adapter needs {module}, which cannot be imported ({error}): pip install {install}"
        ) from error


_UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(factory: Any) -> list[inspect.Parameter]:
    """The parameters of a function, or of a class and of the bases to which its `**kwargs` go on; last `**kwargs`."""
    bases = factory.__mro__ if inspect.isclass(factory) else ()
    inits = [vars(base)["__init__"] for base in bases if "__init__" in vars(base)]
    found: list[inspect.Parameter] = []
    for call in inits or [factory]:
        try:
            every = list(inspect.signature(call).parameters.values())
        except (TypeError, ValueError):  # written in C: it takes what it takes
            every = [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]
        found = [*found, *every[1:]] if inits else every
        if not any(p.kind is p.VAR_KEYWORD for p in every):
            return [p for p in found if p.kind not in _UNNAMED]
    return [*(p for p in found if p.kind not in _UNNAMED), inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)]


def arguments_of(factory: Any) -> set[str]:
    """The names of a class's or function's arguments, those included to which a class's `**kwargs` go on.

    Example:
        >>> class Base:
        ...     def __init__(self, params, lr): ...
        >>> class Derived(Base):
        ...     def __init__(self, params, eps=0, **more): ...
        >>> sorted(arguments_of(Derived)), takes_any(Derived)
        (['eps', 'lr', 'params'], False)
    """
    return {p.name for p in _parameters(factory) if p.kind not in _UNNAMED}


def own_arguments(factory: Any) -> set[str]:
    """The names of the arguments that a class's own, or a function's, signature names."""
    try:
        return set(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        return set()


def takes_any(factory: Any) -> bool:
    """Whether a class or function takes keyword arguments that no signature names."""
    return any(p.kind in _UNNAMED for p in _parameters(factory))


def takes(factory: Any, names: Names) -> frozenset[str]:
    """The specification's names that a library's class or function has arguments for."""
    return _among(arguments_of(factory), names)


def _among(arguments: set[str], names: Names) -> frozenset[str]:
    return frozenset(name for name, theirs in names.items() if theirs is not None and _asked(theirs) <= arguments)


def _asked(theirs: Theirs) -> set[str]:
    """The arguments that a name asks for, as far as they are named."""
    return {theirs} if isinstance(theirs, str) else set() if theirs is None or callable(theirs) else set(theirs)


def said(
    factory: Any, known: Names, names: Names | None, without: Iterable[str], title: str
) -> tuple[dict[str, Theirs], frozenset[str]]:
    """An adapter's names with what a caller says about them, and the specification's names that may be passed.

    An argument that stands in nobody's list has the specification's name: the library's own.

    Args:
        factory: the class or function whose arguments they are.
        known: what the adapter knows of the library.
        names: what the caller says; it counts more.
        without: the specification's names that the caller says not to pass.
        title: of the factory, for a message.

    Raises:
        TypeError, ValueError: `names` or `without` is of another kind, or names an argument that there is not.

    Example:
        >>> def adam(params, learning_rate, beta1=0.9, beta2=0.999, eps=1e-8): ...
        >>> names, taken = said(adam, {"lr": "lr"}, {"lr": "learning_rate", "betas": ("beta1", "beta2")}, (), "adam")
        >>> sorted(taken)
        ['betas', 'eps', 'lr']
    """
    given, left_out = checked_names(names), checked_without(without)
    arguments = arguments_of(factory)
    if not takes_any(factory):
        refuse_strange(given, arguments, title)
    claimed = {argument for theirs in given.values() for argument in _asked(theirs)}
    known = {name: theirs for name, theirs in known.items() if not claimed & _asked(theirs)}
    spoken_for = claimed | {argument for theirs in known.values() for argument in _asked(theirs)}
    same = {name: name for name in sorted(arguments - spoken_for - {"params"})}
    every: dict[str, Theirs] = {**same, **known, **given, **dict.fromkeys(left_out)}
    sure = {name for name, theirs in given.items() if theirs is not None} - set(left_out)
    return every, _among(arguments, every) | frozenset(sure)


def refuse_strange(given: Names, arguments: set[str], title: str) -> None:
    """Raise ValueError where `names=` speaks of an argument that there is not."""
    for name, theirs in given.items():
        if absent := sorted(_asked(theirs) - arguments):
            said = f"names= says that {title} calls {name} {', '.join(absent)}"
            has = f"it has the arguments {', '.join(sorted(arguments))}"
            raise ValueError(suggested(f"{said}; {has}", absent[0], arguments))


def checked_names(names: Any) -> dict[str, Theirs]:
    """`names=` as it may be given; None: nothing is said."""
    if names is None:
        return {}
    if not (isinstance(names, Mapping) and all(isinstance(name, str) for name in names)):
        raise TypeError(f"names must be a dict such as {{'lr': 'learning_rate'}}, got {names!r}")
    for name, theirs in names.items():
        many = isinstance(theirs, (tuple, list)) and bool(theirs) and all(isinstance(each, str) for each in theirs)
        if not (theirs is None or callable(theirs) or isinstance(theirs, str) or many):
            raise TypeError(
                f"names[{name!r}] must be the library's argument, a tuple of arguments (one for each member), a "
                f"function from the value to a dict of arguments, or None for no argument; got {theirs!r}"
            )
    return {name: tuple(theirs) if isinstance(theirs, list) else theirs for name, theirs in names.items()}


def checked_without(without: Any) -> tuple[str, ...]:
    """`without=` as it may be given."""
    if isinstance(without, str) or not isinstance(without, Iterable):
        raise TypeError(f"without must be a tuple of the formula's names such as ('weight_decay',), got {without!r}")
    found = tuple(without)
    if not all(isinstance(name, str) for name in found):
        raise TypeError(f"without must be a tuple of the formula's names such as ('weight_decay',), got {without!r}")
    return found


def translated(given: Mapping[str, Any], names: Names, taken: frozenset[str], peer: str) -> dict[str, Any]:
    """The library's arguments for these hyperparameters.

    Raises:
        NotApplicable: the library lacks a hyperparameter that would change what is computed.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in taken:
            theirs = names.get(name, name)
            if isinstance(theirs, str):
                found[theirs] = value
            elif callable(theirs):
                found.update(theirs(value))
            elif theirs is not None:
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


# Of these, those that change nothing at 0 or False: what a library may lack without another formula.
NEUTRAL_AT_ZERO = CHANGES_RESULT - {"lr", "betas", "alpha", "rho", "etas", "step_sizes", "lambd", "t0"}


def public_place(thing: Any) -> tuple[str, str]:
    """The shortest module that has a class or function under its own name, and that name; "" where none has it.

    Example:
        >>> public_place(np.linalg.norm) if (np := import_module("numpy")) else None
        ('numpy.linalg', 'norm')
    """
    module, name = str(getattr(thing, "__module__", "")), str(getattr(thing, "__name__", ""))
    parts = module.split(".")
    shown = [part for part in parts if part != "src" and not part.startswith("_")]  # keras.src.optimizers, _functional
    for pieces in (shown, parts):
        for length in range(1, len(pieces) + 1):
            place = ".".join(pieces[:length])
            if getattr(sys.modules.get(place), name, None) is thing:
                return place, name
    return "", name


def speaks_of(function: Any, library: str, base: type | None = None) -> bool:
    """Whether a function's own code uses what a library has, or a class that derives from one of its.

    Example:
        >>> def average(values):
        ...     return np.mean(values)
        >>> import numpy as np
        >>> speaks_of(average, "numpy"), speaks_of(average, "torch")
        (True, False)
    """
    known = inspect.getclosurevars(function)
    for each in {**known.nonlocals, **known.globals}.values():
        home = each.__name__ if inspect.ismodule(each) else str(getattr(each, "__module__", ""))
        if home.partition(".")[0] == library or (base and isinstance(each, type) and issubclass(each, base)):
            return True
    return False


def title_of(thing: Any) -> str:
    """A class's or function's module and name, as one imports it.

    Example:
        >>> title_of(inspect.Parameter)
        'inspect.Parameter'
    """
    module, name = public_place(thing)
    module = module or str(getattr(thing, "__module__", ""))
    local = str(getattr(thing, "__qualname__", name))
    return f"{module}.{name or local}" if module and module != "__main__" else name or local or type(thing).__name__


def target_of(thing: Any) -> str:
    """ "module:Name" where a class or function can be imported so; "" where it cannot."""
    module, name = public_place(thing)
    return f"{module}:{name}" if module and module != "__main__" else ""


class PeerMaker:
    """A maker of a library's optimizer, with the attributes that others read.

    Attributes:
        title: the class's module and name.
        takes: the specification's names that the library has arguments for; guard.py drops the others where their value
            is what the library does anyway. A name whose argument is always passed is none of them. None: any.
        missing_gradients: False where a gradient may not be None.
        mixes_dtypes: False where one setting of the process is the precision of all.
        dimensions: how many dimensions a parameter must have at least.
        threads: a context that sets the number of threads, or None.
        elementwise: whether each element is updated by itself; None: unknown.
        coupled: whether all parameters together determine a step; None: unknown.
        inherited: property id -> the class whose behaviour it is, which this one inherits unchanged.
        ancestors: a function that lists the library's classes from which it derives (inheritance.py), or None.
        language: "torch", "optax", "keras" or "numpy": what a program that uses it is written with.
        target: "module:Name" where it can be imported; "" where it cannot.
        prepare: what is called with each optimizer that is built; None: nothing.
        names: the specification's names -> the library's arguments; None for what is not passed.
        without, spoken_of: the specification's names that the caller left out, and all that the caller spoke of.
        state_names: the formula's states -> the library's names for them (states.py).
    """

    def __init__(
        self,
        build: Callable[[list[Any], dict[str, Any]], Any],
        title: str,
        names: Names,
        taken: frozenset[str] | None,
        fixed: Mapping[str, Any],
        missing_gradients: bool,
        mixes_dtypes: bool = True,
        *,
        without: Iterable[str] = (),
        spoken_of: Iterable[str] = (),
        state_names: Mapping[str, str | None] | None = None,
        inherited: Mapping[str, str] | None = None,
        language: str = "numpy",
        target: str = "",
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        self._build, self.title, self.names = build, title, dict(names)
        always = {name for name, theirs in self.names.items() if _asked(theirs) & set(fixed)}
        self.takes = None if taken is None else taken - always
        self.fixed, self.missing_gradients, self.mixes_dtypes = dict(fixed), missing_gradients, mixes_dtypes
        self.dimensions = 0
        self.threads: Any = None
        self.elementwise: bool | None = None
        self.coupled: bool | None = None
        self.without, self.state_names = checked_without(without), checked_state_names(state_names)
        self.spoken_of = frozenset(self.without) | frozenset(spoken_of)
        self.inherited, self.language, self.target = dict(inherited or {}), language, target
        self.ancestors: Any = None
        self.prepare = prepare

    def renamed(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """The library's own names and values of these hyperparameters.

        Raises:
            NotApplicable: the library lacks a hyperparameter that would change what is computed.
        """
        left_out = {name for name, theirs in self.names.items() if theirs is None or _asked(theirs) & set(self.fixed)}
        taken = frozenset(hyperparameters) - left_out if self.takes is None else self.takes
        return translated(hyperparameters, self.names, taken, self.title)

    def arguments(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments that the library is called with, those that are always passed included.

        Raises:
            NotApplicable: the library lacks a hyperparameter that would change what is computed.
        """
        return {**self.renamed(hyperparameters), **self.fixed}

    def __call__(self, params: list[Any], **hyperparameters: Any) -> Any:
        return self._build(params, self.arguments(hyperparameters))

    def __repr__(self) -> str:
        return f"<maker of {self.title}>"


def checked_state_names(state_names: Any) -> dict[str, str | None]:
    """`state_names=` as it may be given; None: nothing is said."""
    found = {} if state_names is None else state_names
    if not (
        isinstance(found, Mapping)
        and all(isinstance(key, str) and (value is None or isinstance(value, str)) for key, value in found.items())
    ):
        raise TypeError(
            "state_names must be a dict from the formula's state to the library's, such as {'exp_avg': 'm'}, or to "
            f"None for one that is not to be compared; got {state_names!r}"
        )
    return dict(found)


def checked_prepare(prepare: Any) -> Callable[[Any], Any] | None:
    """`prepare=` as it may be given."""
    if not (prepare is None or callable(prepare)):
        raise TypeError(f"prepare must be callable with the optimizer, such as lambda o: o.train(), got {prepare!r}")
    return prepare  # type: ignore[no-any-return]
