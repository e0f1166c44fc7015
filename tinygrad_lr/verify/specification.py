"""A specification: a formula together with the hyperparameters it runs with. Next: enclosure.py."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

from .formulas import FORMULAS, Number, State, defaults, hyperparameter_names


@dataclass(frozen=True)
class Specification:
    """A formula with its hyperparameters: what an optimizer claims to compute.

    Example:
        >>> spec = Specification("adagrad", {"lr": 0.1, "eps": 0.0})
        >>> theta, state = spec.step(1.0, 2.0, spec.initial_state(1.0), 1)
        >>> float(theta), state["sum"]
        (0.9, 4.0)
    """

    name: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in FORMULAS:
            raise ValueError(f"expected one of {sorted(FORMULAS)}, got {self.name!r}")
        unknown = sorted(set(self.hyperparameters) - set(defaults(self.name)))
        if unknown:
            raise ValueError(f"{self.name} has no hyperparameter {unknown}; it has {hyperparameter_names(self.name)}")

    def __getitem__(self, hyperparameter: str) -> Any:
        """The value of a hyperparameter: given, or the formula's default."""
        if hyperparameter in self.hyperparameters:
            return self.hyperparameters[hyperparameter]
        default = defaults(self.name)[hyperparameter]
        if default is inspect.Parameter.empty:
            raise KeyError(f"{self.name} needs a value for {hyperparameter!r}")
        return default

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every hyperparameter and dialect option that the formula has."""
        return hyperparameter_names(self.name)

    def having(self, **changes: Any) -> Specification:
        """The same specification with some hyperparameters changed."""
        return Specification(self.name, {**self.hyperparameters, **changes})

    def state_keys(self) -> tuple[str, ...]:
        """The names of the state arrays that these hyperparameters need."""
        if self.name == "sgd":
            return ("momentum_buffer",) if self["momentum"] else ()
        if self.name == "adagrad":
            return ("sum",)
        if self.name == "rmsprop":
            more = ("grad_avg",) if self["centered"] else ()
            return ("square_avg", *more, *(("momentum_buffer",) if self["momentum"] else ()))
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self["amsgrad"] else ()))

    def initial_state(self, theta: Number) -> State:
        """The state before the first step: zeros like theta (AdaGrad: its initial accumulator value)."""
        start = self["initial_accumulator_value"] if self.name == "adagrad" else 0.0
        return {key: theta * 0.0 + start for key in self.state_keys()}

    def step(self, theta: Number, g: Number, state: State, t: int) -> tuple[Number, State]:
        """One step of the formula from a given parameter, gradient and state; t counts from 1."""
        return FORMULAS[self.name](theta, g, state, t, **self.hyperparameters)
