"""Wraps a maker, so that errors of protocol have a message and a remedy.

A checked optimizer can go wrong before any property is checked: it has no `step`, other shapes, replaced parameters, or
does not take a hyperparameter. Here each of these becomes a `ProtocolError` or a `NotApplicable`.
Next: checks/optimizers.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .execution import copied_alike
from .protocol import Array, Claim, Gradients, Maker, NotApplicable, require_method
from .report import shortened

# Options that say how an optimizer is written, not what it is asked for.
DIALECT_OPTIONS = ("eps_placement", "lr_placement", "amsgrad_form", "dampen_first_step", "decoupled_weight_decay")
# The properties that need no formula.
PARTS = {7: ("P7.buffers",), 9: ("P9.count", "P9.whole")}
AGNOSTIC = tuple(key for n in range(2, 19) for key in (f"P{n}", *PARTS.get(n, ())))
# Attributes that a maker may have (docs/verify.md, adapters/translation.py), and their defaults.
ADVERTISED: Mapping[str, Any] = {
    "missing_gradients": True,
    "mixes_dtypes": True,
    "dimensions": 0,
    "threads": None,
    "elementwise": None,
    "coupled": None,
    "inherited": {},
    "ancestors": None,
    "state_names": {},
    "title": "",
    "language": "numpy",
    "target": "",
    "prepare": None,
    "arguments": dict,
}
PROTOCOL = (
    "make(params, **hyperparameters) returns an object with a list `params` of arrays and a method step(grads), "
    "where a gradient may be None"
)


# Errors by which code refuses what it was asked for; so do those of classes of its own.
REFUSALS = (ValueError, TypeError, NotImplementedError, AssertionError)
# Whose own classes of errors say that something went wrong inside.
LIBRARIES = frozenset({"builtins", "numpy", "scipy", "torch", "jax", "jaxlib", "tensorflow", "numba"})


class ProtocolError(Exception):
    """The optimizer does not keep to the protocol. The message says what was expected, what came and what to do."""


def guarded(make: Maker, spec: Claim, fixed: Mapping[str, Any], dtype: DTypeLike = np.float32) -> Maker:
    """A maker that passes to `make` only what it takes, `fixed` always, and builds `GuardedSubject`s.

    Raises:
        NotApplicable: `make` does not take a hyperparameter, and its value is not the specification's; or it refuses,
            by an error that says so, settings or parameters, and takes the specification's settings for others.
    """
    takes = accepted_names(make)

    @cache
    def takes_the_claim() -> bool:
        """Whether the claimed settings can be built for some plain parameter of the dtype in question."""
        for shape in ((3,), (2, 4)):
            try:
                build([np.ones(shape, dtype)], **_hyperparameters(spec), refusing=False)
                return True
            except Exception:  # what is checked may raise anything
                continue
        return False

    def build(params: list[Array], refusing: bool = True, **hyperparameters: Any) -> Any:
        passed = {}
        for name, value in {**fixed, **hyperparameters}.items():
            if takes is None or name in takes:
                passed[name] = value
            elif not (name in spec.all_names and equal_settings(value, _declared(spec, name))):
                raise NotApplicable(f"make() takes no {name!r}, and the property asks for {name}={value!r}")
        copied = [copied_alike(p) for p in params]
        try:
            subject = invoke(lambda: make(copied, **passed), make, "make(params, **hyperparameters)")
        except Exception as error:
            if refusing and is_refusal(error) and takes_the_claim():
                asked = {name: value for name, value in passed.items() if not _is_claimed(spec, fixed, name, value)}
                raise NotApplicable(f"it refuses {_asked(asked, params)}: {told(error)}") from error
            raise
        return GuardedSubject(subject, params)

    build.takes = takes  # type: ignore[attr-defined]
    for name, otherwise in ADVERTISED.items():
        setattr(build, name, getattr(make, name, otherwise))
    return build


def _hyperparameters(spec: Claim) -> dict[str, Any]:
    return dict(spec.hyperparameters)


def _is_claimed(spec: Claim, fixed: Mapping[str, Any], name: str, value: Any) -> bool:
    return equal_settings(value, fixed[name] if name in fixed else _declared(spec, name))


def _asked(settings: Mapping[str, Any], params: list[Array]) -> str:
    """What was asked for, as far as it is out of the ordinary; else the parameters."""
    if settings:
        return ", ".join(f"{name} = {value!r}" for name, value in settings.items())
    return f"parameters {_listed([(np.shape(p), np.asarray(p).dtype) for p in params])}"


def is_refusal(error: Exception) -> bool:
    """Whether an error says that something is refused: a ValueError, or one of a class of the code's own, say.

    Example:
        >>> is_refusal(ValueError("Invalid learning rate: 0.0")), is_refusal(ZeroDivisionError())
        (True, False)
    """
    if isinstance(error, (ProtocolError, NotApplicable)):
        return False
    return isinstance(error, REFUSALS) or type(error).__module__.partition(".")[0] not in LIBRARIES


def told(error: Exception) -> str:
    """An error's class and message, on one line."""
    try:
        return shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", 200)
    except Exception:
        return type(error).__name__


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
        add = require_method(self._subject, "add_group")
        _unless_refused(lambda: add(params, **hyperparameters), "a second group")
        self._expected += [(np.shape(p), np.asarray(p).dtype) for p in params]

    def _change(self, **changes: Any) -> None:
        """Change hyperparameters in every group."""
        listed = ", ".join(f"{name} = {value!r}" for name, value in changes.items())
        _unless_refused(lambda: self._subject.set_hyperparameters(**changes), f"to be set to {listed}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._subject, name)
        return self._change if name == "set_hyperparameters" and callable(found) else found


def _unless_refused(call: Callable[[], None], what: str) -> None:
    """Call it; what it refuses by an error that says so is not applicable. A TypeError is no such error here."""
    try:
        call()
    except Exception as error:
        if is_refusal(error) and not isinstance(error, TypeError):
            raise NotApplicable(f"it refuses {what}: {told(error)}") from error
        raise


def _listed(found: list[tuple[Any, Any]]) -> str:
    return ", ".join(f"{dtype} {shape}" for shape, dtype in found) or "none"
