"""An optimizer that evaluates a formula over NumPy arrays: a reference, and the base class of all mutants.

It computes in the dtype of each parameter, one parameter at a time. Next: own.py, torch.py.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..formulas import FAMILIES, Family
from ..protocol import Array, Gradients, Maker
from ..specification import Specification, of_family, unknown_name


class Naive:
    """A formula as an optimizer over NumPy arrays, with groups and a state in torch's layout.

    Each part of a step is a method, so that a mutant overrides the part with its bug.
    """

    def __init__(self, rule: str | Family, params: list[Array], hyperparameters: dict[str, Any]) -> None:
        self.family = FAMILIES[rule] if isinstance(rule, str) else rule
        self.name = self.family.name
        self.params: list[Array] = []
        self.groups: list[dict[str, Any]] = []
        self.state: list[dict[str, Any]] = []
        self.micro_steps = 1
        self.waiting: list[list[Array | None]] = []
        self.add_group(params, **hyperparameters)

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters with hyperparameters of their own."""
        start = len(self.params)
        self.params.extend(np.array(p) for p in params)
        self.state.extend({} for _ in params)
        self.groups.append({**hyperparameters, "params": list(range(start, len(self.params)))})

    def set_hyperparameters(self, **changes: Any) -> None:
        """Change hyperparameters in every group."""
        for group in self.groups:
            group.update(changes)

    def accumulate_every(self, micro_steps: int) -> None:
        """Update at every `micro_steps`-th step only, with the mean of the gradients since the last update."""
        self.micro_steps = micro_steps

    def step(self, grads: Gradients) -> None:
        """Step: update, or wait for more gradients (`accumulate_every`)."""
        self.waiting.append(list(grads))
        if len(self.waiting) == self.micro_steps:
            waited, self.waiting = self.waiting, []
            self.update_all(waited[0] if len(waited) == 1 else [_mean(column) for column in zip(*waited, strict=True)])

    def update_all(self, grads: Gradients) -> None:
        """Update every parameter that has a gradient, at once."""
        with np.errstate(all="ignore"):
            for group in self.groups:
                hyperparameters = {key: value for key, value in group.items() if key != "params"}
                for i in group["params"]:
                    if grads[i] is not None:
                        self.update(i, grads[i], hyperparameters)

    def update(self, i: int, g: Any, hyperparameters: dict[str, Any]) -> None:
        """One step of one parameter."""
        spec = of_family(self.family, hyperparameters)
        if not self.state[i]:
            self.state[i] = {"step": 0, **self.initial_state(spec, self.params[i])}
        self.state[i]["step"] += 1
        state = {key: value for key, value in self.state[i].items() if key != "step"}
        theta, state = self.formula(spec, self.params[i], g, state, self.state[i]["step"])
        self.write(i, theta, state)

    def initial_state(self, spec: Specification, theta: Array) -> dict[str, Any]:
        """The state before the first step, finite whatever theta holds."""
        start = theta if spec.family.initial else np.zeros_like(theta)
        return {key: np.array(value, theta.dtype) for key, value in spec.initial_state(start).items()}

    def formula(self, spec: Specification, theta: Array, g: Any, state: dict[str, Any], t: int) -> Any:
        """The update rule."""
        return spec.step(theta, g, state, t)

    def write(self, i: int, theta: Any, state: dict[str, Any]) -> None:
        """Store the results, in the parameter's dtype."""
        dtype = self.params[i].dtype
        self.params[i][...] = theta
        for key, value in state.items():
            value = np.array(value, dtype)
            same_size = value.size == self.params[i].size  # a scalar's state keeps no dimension of its own
            self.state[i][key] = value.reshape(self.params[i].shape) if same_size else value

    def get_state(self) -> dict[str, Any]:
        """A copy of the state and the hyperparameters."""
        started = {i: copy.deepcopy(state) for i, state in enumerate(self.state) if state}
        return {"state": started, "param_groups": copy.deepcopy(self.groups)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.state = [copy.deepcopy(state["state"].get(i, {})) for i in range(len(self.params))]
        self.groups = copy.deepcopy(state["param_groups"])


def _mean(micro_gradients: tuple[Array | None, ...]) -> Array | None:
    given = [g for g in micro_gradients if g is not None]
    return np.asarray(sum(given[1:], given[0]) / len(micro_gradients)) if given else None


def naive(rule: str | Specification | Family, kind: type[Naive] = Naive) -> Maker:
    """A maker of a formula (by its name, of a specification, or itself), or of a mutant of it.

    Example:
        >>> subject = naive("sgd")([np.array([1.0])], lr=0.5)
        >>> subject.step([np.array([2.0])]); subject.params
        [array([0.])]
    """
    if isinstance(rule, str) and rule not in FAMILIES:
        raise ValueError(unknown_name(rule))
    family = FAMILIES[rule] if isinstance(rule, str) else rule.family if isinstance(rule, Specification) else rule

    def make(params: list[Array], **hyperparameters: Any) -> Naive:
        return kind(family, params, hyperparameters)

    make.title = f"the formula of {family.name}" if kind is Naive else kind.__name__  # type: ignore[attr-defined]
    return make
