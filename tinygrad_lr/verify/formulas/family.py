"""A row of the table of formulas: what is known about an optimizer besides its formula. Next: adam.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from tinygrad_lr.optim.table import OPTIMIZERS, imported

from .numbers import SCHEDULE, Number, State

Formula = Callable[..., tuple[Number, State]]
Settings = Mapping[str, Any]

# How hyperparameters are written in the printed formulas; a tuple's members have a symbol each.
SYMBOLS: dict[str, str | tuple[str, ...]] = {
    "lr": "lr",
    "betas": ("beta1", "beta2", "beta3", "beta4", "beta5"),
    "eps": "eps",
    "weight_decay": "lambda",
    "momentum": "mu",
    "dampening": "tau",
    "alpha": "alpha",
    "rho": "rho",
    "lr_decay": "delta",
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("Delta_min", "Delta_max"),
    "momentum_decay": "psi",
    "lambd": "lambda0",
    "t0": "t_0",
    "trust_coefficient": "kappa",
    "beta2_decay": "gamma",
    "epsilons": ("eps1", "eps2"),
    "clip_threshold": "d",
    "initial_distance": "d_0",
    "beta": "beta",
    "l1": "lambda1",
    "l2": "lambda2",
    "ns_coefficients": ("a", "b", "c"),
    "min_norm": "nu",
    "nus": ("nu1", "nu2"),
    "final_lr": "phi",
    "growth_rate": "rho",
    "update_period": "k",
    "batch_size": "B",
    "size_limit": "phi_max",
    "integral": "K_i",
    "derivative": "K_d",
    "shampoo_beta": "rho",
}


@dataclass(frozen=True)
class Family:
    """An optimizer: its formula, where it was published, its dialects and what is printed about it.

    Attributes:
        name, title: the key in the tables, and how people call it.
        source: the paper: authors, year, arXiv id, algorithm.
        formula: `theta, state = formula(theta, g, state, t, **hyperparameters)`; t counts from 1.
        state: from the hyperparameters, the state arrays' names and what they are filled with before the first step.
        lines: from the hyperparameters, the formula in the paper's notation (the language of notation.py).
        symbols: the state arrays' symbols in those lines.
        dialects: for each dialect what differs from the formula's defaults, the default `lr` included. The first one is
            the dialect in force when none is named.
        remarks: for each dialect in words what its peculiarity is, where the hyperparameters do not say it.
        exempt: properties that do not hold for this rule, with the reason.
        memory: variables of the lines that are carried from step to step without being state, with their first values.
        elementwise: whether each element is updated by itself (LAMB, LARS: no).
        example_shape: of the parameter in a worked example (by default a number, or two where it is not elementwise).
        initial: from the hyperparameters and theta, the state before the first step, where `state` cannot say it: it
            depends on the shape of theta (Adafactor) or on theta itself (Prodigy).
        dimensions: how many dimensions a parameter must have at least (Muon: 2).
        coupled: whether all parameters together determine a step (Prodigy), so that it is examined on one.
        iterations: whether the paper counts iterations (MADGRAD's k): a late parameter may then start at their count.
        narrow_in: the dtypes in which the derived bound is narrow enough to say something about a step.
        free: states that the formula does not determine alone, with the reason: parameters alone are compared.
        roundings: how many roundings each operation may cost in the implementations (sums of squares as squared norms).
        choices: for an option that is a word, the words that there are, where P17 does not know them by its name.
        matters: for a hyperparameter, what else must be set for it to matter and another value, where P17 does not
            know them by its name.
        vector_lines: the lines for a parameter of fewer than two dimensions, where they are others (Adafactor).
        own: whether a user brought it (`verify.formula`), so that it is in no table.
        in_notation: whether its lines are in the language of notation.py; else they are a program's.
    """

    name: str
    title: str
    source: str
    formula: Formula
    state: Callable[[Settings], dict[str, float]]
    lines: Callable[[Settings], list[str]]
    symbols: Mapping[str, str]
    dialects: Mapping[str, Settings]
    remarks: Mapping[str, str] = field(default_factory=dict)
    exempt: Mapping[str, str] = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)
    elementwise: bool = True
    example_shape: tuple[int, ...] | None = None
    initial: Callable[[Settings, Number], State] | None = None
    dimensions: int = 0
    coupled: bool = False
    iterations: bool = False
    narrow_in: tuple[str, ...] = ("float32", "float64")
    roundings: float = 1.0
    free: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    matters: Mapping[str, tuple[Mapping[str, Any], Any]] = field(default_factory=dict)
    vector_lines: Callable[[Settings], list[str]] | None = None
    own: bool = False
    in_notation: bool = True

    @cached_property
    def defaults(self) -> Settings:
        """The hyperparameters and dialect options, in order, with the formula's defaults (lr has none: `empty`)."""
        parameters = inspect.signature(self.formula).parameters.values()
        return MappingProxyType({p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY})

    def settings(self, dialect: str | None = None) -> dict[str, Any]:
        """Every hyperparameter's value in a dialect (by default the first one)."""
        if dialect is None:
            dialect = next(iter(self.dialects))
        if dialect not in self.dialects:
            raise ValueError(f"{self.name} has the dialects {', '.join(self.dialects)}, got {dialect!r}")
        return {**self.defaults, **self.dialects[dialect]}


class Families(Mapping[str, Family]):
    """Rows by name: those given, and those that users registered with their optimizers (`optim.register`)."""

    def __init__(self, rows: Iterable[Family]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Family:
        if name in self._rows:
            return self._rows[name]
        if name not in OPTIMIZERS or not OPTIMIZERS.rows[name].formula:
            raise KeyError(name)
        row = imported(OPTIMIZERS.rows[name].formula)
        if not isinstance(row, Family) or row.name != name:
            raise ValueError(f"{OPTIMIZERS.rows[name].formula} must be a Family with the name {name!r}, got {row!r}")
        return self._rows.setdefault(name, row)

    def __contains__(self, name: object) -> bool:
        return name in self._rows or (name in OPTIMIZERS and bool(OPTIMIZERS.rows[str(name)].formula))

    def __iter__(self) -> Iterator[str]:
        registered = [name for name in OPTIMIZERS if OPTIMIZERS.rows[name].formula]
        return iter(dict.fromkeys([*self._rows, *registered]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Formulas(Mapping[str, Formula]):
    """The formulas of some rows, by name."""

    def __init__(self, rows: Mapping[str, Family]) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> Formula:
        return self._rows[name].formula

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def decay_lines(settings: Settings) -> list[str]:
    """What the lines begin with: the sign of the objective, and weight decay."""
    found = ["g <- -g"] if settings.get("maximize") else []
    if settings.get("weight_decay"):
        decoupled = settings.get("decoupled_weight_decay")
        shrinks = "theta <- (1 - lambda) theta" if decoupled == SCHEDULE else "theta <- (1 - lr lambda) theta"
        found.append(shrinks if decoupled else "g <- g + lambda theta")
    return found


MOMENTS = ["m <- beta1 m + (1 - beta1) g", "v <- beta2 v + (1 - beta2) g^2"]


def direction_lines(settings: Settings, name: str = "u", m: str = "m", v: str = "v") -> list[str]:
    """Adam's direction as `numbers.adam_direction` computes it."""
    more = " + eps_root" if settings.get("eps_root") else ""
    if settings.get("eps_placement") == "hat":
        return [f"{name} = sqrt(1 - beta2^t) / (1 - beta1^t) {m} / (sqrt({v}{more}) + eps)"]
    inside = settings.get("eps_placement") == "inside"
    below = "sqrt(v^ + eps)" if inside else f"(sqrt(v^{more}) + eps)"
    return [f"m^ = {m} / (1 - beta1^t)", f"v^ = {v} / (1 - beta2^t)", f"{name} = m^ / {below}"]


def root_text(v: str, settings: Settings) -> str:
    """The denominator as it is printed for an epsilon placement."""
    return f"sqrt({v} + eps)" if settings["eps_placement"] == "inside" else f"(sqrt({v}) + eps)"
