"""A maker under guard: what it builds must keep to the protocol, and is only asked for what it takes.

Everything that a checked optimizer can do wrong before any property is asked (no `step`, other shapes, replaced
parameters, a hyperparameter that it does not know) becomes a `ProtocolError` with a remedy or a `NotApplicable` here.
Next: checks/optimizers.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .protocol import Array, Gradients, Maker, NotApplicable
from .specification import Specification

# Options that say how an optimizer is written, not what it is asked for.
DIALECT_OPTIONS = ("eps_placement", "lr_placement", "amsgrad_form", "dampen_first_step", "decoupled_weight_decay")
# What says something about any rule, with no formula at hand.
AGNOSTIC = tuple(f"P{n}" for n in range(2, 19))
# What a maker may say of its subjects, and what holds of one that says nothing.
ADVERTISED = {"missing_gradients": True, "mixes_dtypes": True, "threads": None}
PROTOCOL = (
    "make(params, **hyperparameters) returns an object with a list `params` of arrays and a method step(grads), "
    "where a gradient may be None"
)


class ProtocolError(Exception):
    """What was built does not keep to the protocol; the message says what was expected, what came and what to do."""


class Asked:
    """The hyperparameters of a subject without a specification: what was passed to the kit, and nothing else.

    It stands where a `Specification` stands in a `Case`, for the properties that need no formula.
    """

    name = ""

    def __init__(self, hyperparameters: Mapping[str, Any]) -> None:
        self.hyperparameters = dict(hyperparameters)

    @property
    def all_names(self) -> tuple[str, ...]:
        return tuple(self.hyperparameters)

    def __getitem__(self, name: str) -> Any:
        if name not in self.hyperparameters:
            raise NotApplicable(f"no {name} is known; pass hyperparameters={{'{name}': ...}} to have it checked")
        return self.hyperparameters[name]

    def having(self, **changes: Any) -> Asked:
        return Asked({**self.hyperparameters, **changes})

    def state_keys(self) -> tuple[str, ...]:
        raise NotApplicable("no specification names the states")


def guarded(make: Maker, spec: Specification | Asked, fixed: Mapping[str, Any]) -> Maker:
    """`make` asked only for hyperparameters that it takes, `fixed` ones always, and its subjects watched."""
    takes = taken(make)

    def build(params: list[Array], **hyperparameters: Any) -> Any:
        asked = {}
        for name, value in {**fixed, **hyperparameters}.items():
            if takes is None or name in takes:
                asked[name] = value
            elif not (name in spec.all_names and same(value, _declared(spec, name))):
                raise NotApplicable(f"make() takes no {name!r}, and the property asks for {name}={value!r}")
        copied = [np.array(p) for p in params]
        return Watched(called(lambda: make(copied, **asked), make, "make(params, **hyperparameters)"), params)

    build.takes = takes  # type: ignore[attr-defined]
    for name, otherwise in ADVERTISED.items():
        setattr(build, name, getattr(make, name, otherwise))
    return build


def called(call: Callable[[], Any], function: Any, form: str) -> Any:
    """What a call returns; where it does not fit the function's arguments, an error that says where that stands."""
    try:
        return call()
    except TypeError as error:
        inside = error.__traceback__ and error.__traceback__.tb_next and error.__traceback__.tb_next.tb_next
        if inside:  # the function itself raised it
            raise
        raise ProtocolError(f"it cannot be called as {form}: {error}{_place(function)}") from error


def _place(function: Any) -> str:
    """Where a function, or a class's __init__, is defined."""
    found = function.__init__ if inspect.isclass(function) else inspect.unwrap(function)
    code = getattr(found, "__code__", None) or getattr(getattr(found, "func", None), "__code__", None)
    return f" ({code.co_filename}, line {code.co_firstlineno})" if code else ""


def taken(make: Any) -> set[str] | None:
    """The names of the keyword arguments that a maker takes; None: any."""
    if hasattr(make, "takes"):
        return None if make.takes is None else set(make.takes)
    try:
        parameters = list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters[1:] if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}


def _declared(spec: Specification | Asked, name: str) -> Any:
    try:
        return spec[name]
    except (KeyError, NotApplicable):
        return None


def same(a: Any, b: Any) -> bool:
    """Whether two hyperparameters are equal, whatever they are."""
    try:
        return bool(a == b)
    except Exception:
        return False


class Watched:
    """A subject whose parameters must keep number, shape and dtype, and be arrays that steps update in place."""

    def __init__(self, subject: Any, params: list[Array]) -> None:
        if not callable(getattr(subject, "step", None)):
            raise ProtocolError(f"{type(subject).__name__} has no method step(grads); {PROTOCOL}")
        if not hasattr(subject, "params"):
            raise ProtocolError(f"{type(subject).__name__} has no list `params`; {PROTOCOL}")
        self._subject = subject
        self._expected = [(np.shape(p), np.asarray(p).dtype) for p in params]
        self._replaceable = not isinstance(vars(subject).get("params"), list) if hasattr(subject, "__dict__") else True
        self._look("before the first step")

    def _look(self, when: str) -> list[Array]:
        params = self._subject.params
        try:
            arrays = [np.asarray(p) for p in params]
        except Exception as error:
            raise ProtocolError(f"`params` is no list of arrays {when}: {error}; {PROTOCOL}") from error
        found = [(a.shape, a.dtype) for a in arrays]
        if found != self._expected:
            raise ProtocolError(
                f"the parameters must keep their number, shapes and dtypes; expected {_listed(self._expected)} {when}, "
                f"got {_listed(found)}"
            )
        return arrays

    @property
    def params(self) -> list[Array]:
        """The parameters as arrays."""
        return self._look("when read")

    def step(self, grads: Gradients) -> None:
        """One step; the parameters must be the arrays that they were."""
        before = list(self._subject.params)
        called(lambda: self._subject.step(grads), self._subject.step, "step(grads)")
        self._look("after a step")
        if not self._replaceable:
            for i, (old, new) in enumerate(zip(before, self._subject.params, strict=True)):
                if new is not old and not np.shares_memory(np.asarray(old), np.asarray(new)):
                    raise ProtocolError(
                        f"params[{i}] was replaced by another array in a step, so whoever holds the parameter sees no "
                        "update; write into it (p[...] = new), or make `params` a property if arrays are immutable"
                    )

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        _method(self._subject, "add_group")(params, **hyperparameters)
        self._expected += [(np.shape(p), np.asarray(p).dtype) for p in params]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._subject, name)


def _method(subject: Any, name: str) -> Any:
    found = getattr(subject, name, None)
    if found is None:
        raise NotApplicable(f"the subject has no {name}()")
    return found


def _listed(found: list[tuple[Any, Any]]) -> str:
    return ", ".join(f"{dtype} {shape}" for shape, dtype in found) or "none"
