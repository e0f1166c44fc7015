"""A rule in plain Python, run on every type of number: floats, arrays, intervals, mpmath's numbers.

A formula of the table (adam.py) chooses by `by_sign` and `maximum`. A rule of one's own may say `if g > 0` and
`max(a, b)`, which no array can be asked. `Rule` runs it on whole arrays where that works and else element by element;
on intervals it follows every `if` both ways where rounding may decide it (decisions.py). Next: ../brought.py.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .decisions import Undecided, branches
from .numbers import Number, State, shape_of

# The functions of numbers.py that a rule is written with; `verify` has them under these names.
WRITTEN_WITH = (
    *("cbrt", "exp", "log", "matmul", "maximum", "mean", "minimum", "norm"),
    *("rms", "sign", "sqrt", "tanh", "total", "transpose", "where"),
)
FIRST = ("theta", "g", "state", "t")
CALLED = {
    "grad": "g",
    "gradient": "g",
    "param": "theta",
    "params": "theta",
    "x": "theta",
    "step": "t",
    **{n: n for n in FIRST},
}
# What Python and NumPy say where a program asks an array what only a number can answer.
OF_ARRAYS = ("truth value of a", "only length-1 arrays", "only 0-dimensional arrays", "setting an array element")


class FormulaError(ValueError):
    """A formula of one's own does what a formula cannot. The message says what, where, and what to write instead."""


class Rule:
    """A user's function `theta, state = function(theta, g, state, t, **hyperparameters)` as a formula.

    Attributes:
        elementwise: whether each element may be computed by itself.
        keys: the names of the states, once they are known; the rule must return these.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.name = function, getattr(function, "__name__", type(function).__name__)
        self.__doc__ = inspect.getdoc(function)
        self.elementwise = True
        self.keys: tuple[str, ...] | None = None
        self._by_elements = False
        self.__signature__ = _signature(function, self.name)

    def __call__(self, theta: Number, g: Number, state: State, t: int, **hyperparameters: Any) -> tuple[Number, State]:
        if hasattr(theta, "low"):
            return self._on_intervals(theta, g, state, t, hyperparameters)
        alone = np.ndim(theta) == 0
        if not self._by_elements or alone or not self.elementwise:
            try:
                return self._once(theta, g, state, t, hyperparameters)
            except FormulaError as error:
                if alone or not self.elementwise or not _asks_an_array(error.__cause__):
                    raise
                self._by_elements = True
        return self._element_by_element(theta, g, state, t, hyperparameters)

    def _once(
        self, theta: Number, g: Number, state: State, t: int, hyperparameters: Mapping[str, Any]
    ) -> tuple[Number, State]:
        """What the function returns, in the shapes that a formula's results have; it may change what it is given."""
        given = [np.array(x) if isinstance(x, np.ndarray) else x for x in (theta, g, *state.values())]
        try:
            found = self.function(given[0], given[1], dict(zip(state, given[2:], strict=True)), t, **hyperparameters)
        except Exception as error:
            raise FormulaError(self._what_went_wrong(error)) from error
        after, kept = self._checked(found)
        return self._like(theta, after, "theta"), {
            key: self._like(state.get(key, theta), value, f"state[{key!r}]") for key, value in kept.items()
        }

    def _checked(self, found: Any) -> tuple[Any, dict[str, Any]]:
        form = f"{self.name} must return theta and the state, as in `return theta, {{'m': m}}`"
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
            raise FormulaError(f"{form}; it returned {_described(found)}")
        keys, declared = sorted(map(str, found[1])), sorted(self.keys) if self.keys is not None else None
        if declared is not None and keys != declared:
            raise FormulaError(
                f"{form}, with the states that state= declares: expected {declared}, got {keys}; declare every state "
                "with what it holds before the first step, state={'m': 0.0}, and return each of them in every step"
            )
        for what, value in {"theta": found[0], **found[1]}.items():
            if value is None or isinstance(value, (str, list, tuple, dict, bool)):
                raise FormulaError(f"{form}; its {what} is {_described(value)}, and no number")
        return found[0], {key: found[1][key] for key in (self.keys or found[1])}

    def _like(self, model: Number, value: Number, what: str) -> Number:
        """The value with the model's shape, which a number that is the same for all elements lacks."""
        if hasattr(value, "low"):
            return value
        shape, found = shape_of(model), np.shape(value)
        if found == shape:
            return value
        if found == () and shape and not hasattr(model, "low"):
            return np.full(shape, value, np.asarray(model).dtype)
        if not self.elementwise or hasattr(model, "low"):
            return value
        raise FormulaError(f"{self.name} gives {what} the shape {found}; expected {shape}, as it had")

    def _element_by_element(
        self, theta: Any, g: Any, state: State, t: int, hyperparameters: Mapping[str, Any]
    ) -> tuple[Any, State]:
        columns = [list(np.ravel(x)) for x in (theta, g, *state.values())]
        found = []
        for first, second, *rest in zip(*columns, strict=True):
            try:
                after, kept = self.function(first, second, dict(zip(state, rest, strict=True)), t, **hyperparameters)
                found.append((after, *(kept[key] for key in state)))
            except (ZeroDivisionError, OverflowError):
                found.append((np.nan,) * (1 + len(state)))
            except Exception:  # what is wrong is said by the one that checks all
                self._once(first, second, dict(zip(state, rest, strict=True)), t, hyperparameters)
                raise
        results = zip(*found, strict=True) if found else [()] * (1 + len(state))
        models = (theta, *state.values())
        after, *kept_values = (
            np.array(values, model.dtype).reshape(np.shape(model))
            for values, model in zip(results, models, strict=True)
        )
        return after, dict(zip(state, kept_values, strict=True))

    def _on_intervals(
        self, theta: Any, g: Any, state: State, t: int, hyperparameters: Mapping[str, Any]
    ) -> tuple[Any, State]:
        try:
            ways = branches(lambda: self._once(theta, g, state, t, hyperparameters))
        except Undecided as error:
            raise FormulaError(f"{self.name}: {error}") from error
        if len(ways) == 1 and all(hasattr(value, "low") for value in (ways[0][1][0], *ways[0][1][1].values())):
            ((_, found),) = ways
            after, kept = found
        else:
            after = type(theta).among([(where, found[0]) for where, found in ways])
            kept = {key: type(theta).among([(where, found[1][key]) for where, found in ways]) for key in ways[0][1][1]}
        return _spread(theta, after), {key: _spread(state.get(key, theta), value) for key, value in kept.items()}

    def _what_went_wrong(self, error: Exception) -> str:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == self._file()]
        line = f" in line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
        advice = ""
        if isinstance(error, KeyError) and self.keys is not None and str(error.args[0]) not in self.keys:
            advice = f"; state= declares {list(self.keys)}, declare {error.args[0]!r} there, with its start"
        elif isinstance(error, ValueError) and "broadcast" in str(error) and self.keys:
            advice = (
                "; a state has theta's shape, unless state= is a function, as in state=lambda theta: {'m': theta * 0}"
            )
        elif isinstance(error, NameError):
            advice = (
                f"; a hyperparameter is an argument after the *, with a default, as in {self.name}(theta, g, state, t, "
                f"*, lr, {error.name}=0.9)"
            )
        elif isinstance(error, TypeError) and frames:
            called = dict.fromkeys(re.findall(r"\b((?:math|np|numpy)\.(?:linalg\.)?(\w+))\(", frames[-1].line or ""))
            known = [f"verify.{name} for {full}" for full, name in called if name in WRITTEN_WITH]
            advice = f"; here write {' and '.join(known)}" if known else ""
        return f"the formula {self.name} raised {type(error).__name__}{line}: {error}{advice}"

    def _file(self) -> str:
        return getattr(getattr(self.function, "__code__", None), "co_filename", "")


def _spread(model: Any, value: Any) -> Any:
    """The enclosure with the model's shape."""
    if np.shape(value.low) == np.shape(model.low):
        return value
    if np.shape(value.low) != ():
        return value
    return type(model)(
        np.broadcast_to(value.low, model.low.shape),
        np.broadcast_to(value.high, model.low.shape),
        model.dtype,
        model.roundings,
    )


def _asks_an_array(error: BaseException | None) -> bool:
    return isinstance(error, Exception) and any(text in str(error) for text in OF_ARRAYS)


def _described(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} values" if len(value) != 2 else f"theta and {_described(value[1])}"
    return "None" if value is None else type(value).__name__


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    """The function's signature as a formula has it: four arguments, then hyperparameters by name.

    Raises:
        FormulaError: it has another form; the message says which one is expected.
    """
    form = f"expected {name}(theta, g, state, t, *, lr, ...): the parameter, its gradient, a dict, the step from 1"
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise FormulaError(f"{form}; got {name}, whose arguments cannot be read") from error
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variable = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(positional) < len(FIRST) or variable or any(p.kind is p.POSITIONAL_ONLY for p in positional[len(FIRST) :]):
        raise FormulaError(f"{form}, every hyperparameter by its name; got {name}({_listed(parameters)})")
    for place, each in enumerate(positional[: len(FIRST)]):
        if CALLED.get(each.name, FIRST[place]) != FIRST[place]:
            raise FormulaError(f"{form}, in this order; got {name}({_listed(parameters)})")
    first = [p.replace(kind=p.POSITIONAL_ONLY, default=p.empty) for p in positional[: len(FIRST)]]
    rest = [p for p in parameters if p.name not in {each.name for each in first}]
    return inspect.Signature([*first, *(p.replace(kind=p.KEYWORD_ONLY) for p in rest)])


def _listed(parameters: Iterable[inspect.Parameter]) -> str:
    return ", ".join(map(str, parameters))
