"""Wraps a maker, so that errors of protocol have a message and a remedy.

A checked optimizer can go wrong before any property is checked: it has no `step`, other shapes, replaced parameters, or
does not take a hyperparameter. Here each of these becomes a `ProtocolError` or a `NotApplicable`.
Next: checks/optimizers.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .execution import copied_alike
from .protocol import Array, Claim, Gradients, Maker, NotApplicable, require_method

# Options that say how an optimizer is written, not what it is asked for.
DIALECT_OPTIONS = ("eps_placement", "lr_placement", "amsgrad_form", "dampen_first_step", "decoupled_weight_decay")
# The properties that need no formula.
AGNOSTIC = tuple(key for n in range(2, 19) for key in ([f"P{n}", "P7.buffers"] if n == 7 else [f"P{n}"]))
# Attributes that a maker may have (docs/verify.md, adapters/translation.py), and their defaults.
ADVERTISED: Mapping[str, Any] = {
    "missing_gradients": True,
    "mixes_dtypes": True,
    "dimensions": 0,
    "threads": None,
    "elementwise": None,
    "coupled": None,
    "inherited": {},
    "state_names": {},
    "title": "",
    "language": "numpy",
    "target": "",
    "arguments": dict,
}
PROTOCOL = (
    "make(params, **hyperparameters) returns an object with a list `params` of arrays and a method step(grads), "
    "where a gradient may be None"
)


class ProtocolError(Exception):
    """The optimizer does not keep to the protocol. The message says what was expected, what came and what to do."""


def guarded(make: Maker, spec: Claim, fixed: Mapping[str, Any]) -> Maker:
    """A maker that passes to `make` only what it takes, `fixed` always, and builds `GuardedSubject`s.

    Raises:
        NotApplicable: `make` does not take a hyperparameter, and its value is not the specification's.
    """
    takes = accepted_names(make)

    def build(params: list[Array], **hyperparameters: Any) -> Any:
        passed = {}
        for name, value in {**fixed, **hyperparameters}.items():
            if takes is None or name in takes:
                passed[name] = value
            elif not (name in spec.all_names and equal_settings(value, _declared(spec, name))):
                raise NotApplicable(f"make() takes no {name!r}, and the property asks for {name}={value!r}")
        copied = [copied_alike(p) for p in params]
        return GuardedSubject(invoke(lambda: make(copied, **passed), make, "make(params, **hyperparameters)"), params)

    build.takes = takes  # type: ignore[attr-defined]
    for name, otherwise in ADVERTISED.items():
        setattr(build, name, getattr(make, name, otherwise))
    return build


def invoke(call: Callable[[], Any], function: Any, form: str) -> Any:
    """What a call returns.

    Raises:
        ProtocolError: the function does not take these arguments; the message says where it is defined.
    """
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


def accepted_names(make: Any) -> set[str] | None:
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


def _declared(spec: Claim, name: str) -> Any:
    try:
        return spec[name]
    except (KeyError, NotApplicable):
        return None


def equal_settings(a: Any, b: Any) -> bool:
    """Whether two hyperparameters are equal, whatever they are."""
    try:
        return bool(a == b)
    except Exception:
        return False


class GuardedSubject:
    """A subject whose parameters keep their number, shapes and dtypes, and are updated in place."""

    def __init__(self, subject: Any, params: list[Array]) -> None:
        if not callable(getattr(subject, "step", None)):
            raise ProtocolError(f"{type(subject).__name__} has no method step(grads); {PROTOCOL}")
        if not hasattr(subject, "params"):
            raise ProtocolError(f"{type(subject).__name__} has no list `params`; {PROTOCOL}")
        self._subject = subject
        self._expected = [(np.shape(p), np.asarray(p).dtype) for p in params]
        self._replaceable = not isinstance(vars(subject).get("params"), list) if hasattr(subject, "__dict__") else True
        self._read_params("before the first step")

    def _read_params(self, when: str) -> list[Array]:
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
        return self._read_params("when read")

    def step(self, grads: Gradients) -> None:
        """Step; the parameters must be the same arrays afterwards."""
        before = list(self._subject.params)
        invoke(lambda: self._subject.step(grads), self._subject.step, "step(grads)")
        self._read_params("after a step")
        if not self._replaceable:
            for i, (old, new) in enumerate(zip(before, self._subject.params, strict=True)):
                if new is not old and not np.shares_memory(np.asarray(old), np.asarray(new)):
                    raise ProtocolError(
                        f"params[{i}] was replaced by another array in a step, so whoever holds the parameter sees no "
                        "update; write into it (p[...] = new), or make `params` a property if arrays are immutable"
                    )

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        require_method(self._subject, "add_group")(params, **hyperparameters)
        self._expected += [(np.shape(p), np.asarray(p).dtype) for p in params]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._subject, name)


def _listed(found: list[tuple[Any, Any]]) -> str:
    return ", ".join(f"{dtype} {shape}" for shape, dtype in found) or "none"
