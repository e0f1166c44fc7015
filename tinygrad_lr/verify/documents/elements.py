"""`explain_step`: what the next step of an optimizer will do to one element, line by line of its formula.

`Optimizer.explain` calls it: the formulas are verify's, and nothing in optim imports verify (explaining.py). The lines
are computed in float64 from the values, gradients, state and hyperparameters that there are; nothing is changed.
Next: explain.py, which shows a formula's first steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.integers import shown
from tinygrad_lr.optim import OPTIMIZERS, Optimizer, decoded_state

from ..formulas import FAMILIES
from ..language.notation import evaluate, parse
from ..specification import Specification
from .explain import corrections_in
from .text import as_number, table

__all__ = ["ElementStep", "explain_step"]

MOST_STEPS = 100_000  # for which what a formula remembers besides its states is followed from the first step


@dataclass(frozen=True)
class ElementStep:
    """What a step will do to one element. `print` shows it as text.

    Attributes:
        title: the optimizer and its dialect.
        parameter, index: which element.
        step: the number of the step, from 1.
        lines: the formula's lines, and for each the value that it computes for this element.
        before: theta, g and the states before the step, by their symbols.
        corrections: the factors 1 - beta^t.
        decay: how much of the update comes from weight decay: what it lacks without.
        update: what is added to theta.
        effective_rate: the rate with which plain descent would make the same update, -update / g; NaN where g is 0.
        after: theta after the step.
    """

    title: str
    parameter: str
    index: tuple[int, ...]
    step: int
    lines: tuple[tuple[str, float], ...]
    before: Mapping[str, float]
    corrections: Mapping[str, float]
    decay: float
    update: float
    effective_rate: float
    after: float

    def __str__(self) -> str:
        place = f"{self.parameter}{list(self.index)}" if self.index else self.parameter
        rows = [["line", "value"], *([text, as_number(value)] for text, value in self.lines)]
        end = {"decay part": self.decay, "update": self.update, "effective rate": self.effective_rate}
        end["theta after"] = self.after
        said = {**self.before, **self.corrections}
        return "\n".join(
            [
                f"{self.title}: step {self.step} of {place}",
                "before  " + ", ".join(f"{name} = {as_number(value)}" for name, value in said.items()),
                table(rows),
                "after   " + ", ".join(f"{name} = {as_number(value)}" for name, value in end.items()),
            ]
        )


def explain_step(optimizer: Optimizer, name: str, index: int | tuple[int, ...] = ()) -> ElementStep:
    """Explain what the next step will do to one element, with the gradient that it has now.

    Args:
        optimizer: one of tinygrad_lr, whose formula verify knows.
        name: of a parameter: "0.weight", or as messages name it.
        index: of the element; () for a parameter without axes.

    Returns:
        An `ElementStep`. Clipping, wrappers and hooks are no part of it.

    Raises:
        TypeError: no optimizer of tinygrad_lr.
        ValueError: no formula is known for it, there is no parameter of that name, or it has no gradient.
        IndexError: there is no such element.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = optim.AdamW([("w", w)], lr=0.1, weight_decay=0.25, dialect="torch")
        >>> w.grad = [0.5, 0.25]
        >>> print(explain_step(optimizer, "w", 1))
        AdamW (dialect torch): step 1 of w[1]
        before  theta = -2, g = 0.25, m = 0, v = 0, 1-beta1^t = 0.1, 1-beta2^t = 0.001
          line                                       value
          theta <- (1 - lr lambda) theta             -1.95
          m <- beta1 m + (1 - beta1) g               0.025
          v <- beta2 v + (1 - beta2) g^2             6.25e-05
          m^ = m / (1 - beta1^t)                     0.25
          v^ = v / (1 - beta2^t)                     0.0625
          theta <- theta - lr m^ / (sqrt(v^) + eps)  -2.05
        after   decay part = 0.05, update = -0.05, effective rate = 0.2, theta after = -2.05
    """
    chosen, param, label = _found(optimizer, name)
    if param._grad is None:
        raise ValueError(f"parameter {label!r} has no gradient, so that a step would leave it alone; call backward()")
    theta, g = _wide(param._data), _wide(param._grad)
    at = index if isinstance(index, tuple) else (index,)
    try:
        whole = len(at) == theta.ndim and np.ndim(theta[at]) == 0
    except (IndexError, TypeError):
        whole = False
    if not whole:
        raise IndexError(
            f"parameter {label!r} has the shape {theta.shape}, so that an index of it is {theta.ndim} whole numbers; "
            f"got {shown(index)}"
        )
    step, state = _state(optimizer, chosen, param, theta)
    values, new = _computed(chosen, theta, g, state, step)
    undecayed = chosen.having(weight_decay=0.0) if chosen.settings.get("weight_decay") else chosen
    _, without = _computed(undecayed, theta, g, state, step)

    def element(value: Any) -> float:
        return float(np.broadcast_to(value, theta.shape)[at]) if np.ndim(value) else float(value)

    after, before = element(new), element(theta)
    named = {chosen.family.symbols.get(key, key): value for key, value in state.items()}
    shown_states = {symbol: element(v) for symbol, v in named.items() if _has_one(v, theta.shape)}
    lines = [parse(text) for text, _ in values]
    corrections = {f"1-{n[2][1][1]}^t": n for line in lines for n in corrections_in(line.expression)}
    symbols = {**chosen.symbols(), "t": step}
    update = after - before
    gradient = element(g)
    own = chosen.name == OPTIMIZERS.name_of(type(optimizer))
    return ElementStep(
        f"{chosen.title} ({f'dialect {optimizer.dialect}' if own else f'in {type(optimizer).__name__}'})",
        label,
        tuple(int(i) for i in at),
        step,
        tuple((text, element(value)) for text, value in values if _has_one(value, theta.shape)),
        {"theta": before, "g": gradient, **shown_states},
        {text: float(evaluate(node, symbols)) for text, node in corrections.items()},
        after - element(without),
        update,
        -update / gradient if gradient else float("nan"),
        after,
    )


def _has_one(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether a value has a number for every element of a parameter: its own, its row's or column's, or one for all."""
    try:
        return np.broadcast_shapes(np.shape(value), shape) == shape
    except ValueError:
        return False


def _found(optimizer: Any, name: str) -> tuple[Specification, Tensor, str]:
    """The formula with the values of the parameter's group, the parameter, and its name."""
    if not isinstance(optimizer, Optimizer):
        inside = getattr(optimizer, "optimizer", None)
        hint = f"; explain the one inside {type(optimizer).__name__}: .optimizer" if inside is not None else ""
        raise TypeError(f"explain_step takes an optimizer of tinygrad_lr, got {type(optimizer).__name__}{hint}")
    for group in optimizer.param_groups:
        formula = _formula(optimizer, group)
        for param in group["params"]:
            label = optimizer._names[id(param)]
            if name in (label, optimizer._named[id(param)].name):
                return formula, param, label
    names = ", ".join(optimizer._names[id(param)] for group in optimizer.param_groups for param in group["params"])
    raise ValueError(f"no parameter has the name {shown(name)}; there are {names}")


def _formula(optimizer: Optimizer, group: Mapping[str, Any]) -> Specification:
    """The formula that updates a group, with the group's values."""
    cls, values = optimizer.formula_of(group)
    formula = OPTIMIZERS.name_of(cls)
    if formula is None or formula not in FAMILIES or not FAMILIES[formula].in_notation:
        raise ValueError(
            f"no formula in lines is known for {cls.__name__}; register it with one: "
            "optim.register(name, cls, summary, formula='module:FAMILY')"
        )
    return Specification(formula, {key: values[key] for key in FAMILIES[formula].defaults if key in values})


def _wide(value: Any) -> np.ndarray[Any, Any]:
    """An array, or one of the optimizer's `numbers`, on the host in float64."""
    return np.asarray(value if isinstance(value, float) else to_host(value), np.float64)


def _state(
    optimizer: Optimizer, chosen: Specification, param: Tensor, theta: np.ndarray[Any, Any]
) -> tuple[int, dict[str, Any]]:
    """The number of the next step, and the states before it by the formula's names."""
    entry = optimizer.state[param]
    wanted = chosen.initial_state(theta)
    if not entry:
        return 1, wanted
    kept = {key: value for key, value in entry.items() if key != "step"}
    if any(getattr(value, "dtype", np.dtype(float)).kind == "u" for value in kept.values()):  # codes of short moments
        place = [each for group in optimizer.param_groups for each in group["params"]].index(param)
        kept = decoded_state(optimizer.state_dict())["state"][place]
    missing = [key for key in wanted if key not in kept]
    if missing:
        raise ValueError(f"the state of the parameter has no {', '.join(missing)}, which the formula has")
    return entry["step"] + 1, {key: _wide(kept[key]) for key in wanted}


def _computed(
    chosen: Specification, theta: np.ndarray[Any, Any], g: np.ndarray[Any, Any], state: Mapping[str, Any], step: int
) -> tuple[list[tuple[str, Any]], Any]:
    """Every line with its value in step `step`, and theta after it."""
    of_vector = chosen.family.vector_lines if theta.ndim < 2 else None
    texts = of_vector(chosen.settings) if of_vector else chosen.lines()
    lines = [parse(text) for text in texts]
    named = {chosen.family.symbols[key]: value for key, value in state.items()}
    values: dict[str, Any] = {**chosen.symbols(), **_remembered(chosen, step), **named}
    values |= {"theta": theta, "g": g, "t": step}
    found = []
    with np.errstate(all="ignore"):
        for text, line in zip(texts, lines, strict=True):
            values[line.name] = evaluate(line.expression, values)
            found.append((text, values[line.name]))
    return found, values["theta"]


def _remembered(chosen: Specification, step: int) -> dict[str, float]:
    """What the lines carry from step to step without being state (NAdam's product), before a step.

    It depends on hyperparameters and the number of the step alone, and is followed with those that there are.
    """
    memory = dict(chosen.family.memory)
    if not memory:
        return {}
    if step > MOST_STEPS:
        raise ValueError(f"{chosen.title} remembers products of all steps, which are followed for {MOST_STEPS} steps")
    lines = [parse(text) for text in chosen.lines()]
    states = {symbol: 0.0 for symbol in chosen.family.symbols.values()}
    values: dict[str, Any] = {**chosen.symbols(), **memory, **states, "theta": 0.0}
    with np.errstate(all="ignore"):
        for t in range(1, step):
            values |= {"g": 0.0, "t": t}
            for line in lines:
                values[line.name] = evaluate(line.expression, values)
    return {name: float(values[name]) for name in memory}
