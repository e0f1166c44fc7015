"""A specification: a formula together with its hyperparameters. It can be stepped, printed and compared with.

`spec("adam", dialect="torch", betas=(0.8, 0.99))` is what an optimizer claims to compute. Next: bounds/enclosure.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygrad_lr.suggesting import suggested

from .formulas import FAMILIES, Family, Number, State
from .formulas.family import SYMBOLS
from .language.latex import line_as_latex
from .language.mathml import line_as_mathml
from .language.notation import evaluate, names_in, parse


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
    dialect: str | None = None
    """The dialect whose defaults were taken, where one was named."""
    scalars: str = "float64"
    """The dtype in which the host computes with hyperparameters; bounds allow for its roundings."""
    own: Family | None = None
    """The formula itself, where it is in no table: one of the user's own (`verify.formula`)."""

    def __post_init__(self) -> None:
        if self.own is None and self.name not in FAMILIES:
            raise ValueError(unknown_name(self.name))
        unknown = sorted(set(self.hyperparameters) - set(self.family.defaults))
        if unknown:
            raise ValueError(f"{self.name} has no hyperparameter {unknown}; it has {self.all_names}")

    def __getitem__(self, hyperparameter: str) -> Any:
        """The value of a hyperparameter: given, or the formula's default."""
        if hyperparameter in self.hyperparameters:
            return self.hyperparameters[hyperparameter]
        default = self.family.defaults[hyperparameter]
        if default is inspect.Parameter.empty:
            raise KeyError(f"{self.name} needs a value for {hyperparameter!r}")
        return default

    @property
    def family(self) -> Family:
        """The row of the table, or the formula of one's own: title, source, dialects."""
        return FAMILIES[self.name] if self.own is None else self.own

    @property
    def title(self) -> str:
        """The optimizer's name, as people write it."""
        return self.family.title

    @property
    def source(self) -> str:
        """Where the formula was published."""
        return self.family.source

    @property
    def dialects(self) -> tuple[str, ...]:
        """The dialects that exist; the first is the default."""
        return tuple(self.family.dialects)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every hyperparameter and dialect option that the formula has."""
        return tuple(self.family.defaults)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every hyperparameter's value (lr only where it is given)."""
        return {**self.family.defaults, **self.hyperparameters}

    @property
    def exempt(self) -> Mapping[str, str]:
        """Properties that the formula itself does not have, with the reason."""
        return self.family.exempt

    def having(self, **changes: Any) -> Specification:
        """The same specification with some hyperparameters changed."""
        return replace(self, hyperparameters={**self.hyperparameters, **changes})

    def state_keys(self, theta: Number = 0.0) -> tuple[str, ...]:
        """The names of the state arrays that these hyperparameters need (Adafactor: for a parameter like theta)."""
        return tuple(self.initial_state(theta) if self.family.initial else self.family.state(self.settings))

    def initial_state(self, theta: Number) -> State:
        """The state before the first step: zeros like theta (AdaGrad: its initial accumulator value)."""
        if self.family.initial:
            return self.family.initial(self.settings, theta)
        return {key: theta * 0.0 + start for key, start in self.family.state(self.settings).items()}

    def step(self, theta: Number, g: Number, state: State, t: int) -> tuple[Number, State]:
        """One step of the formula from a given parameter, gradient and state; t counts from 1."""
        return self.family.formula(theta, g, state, t, **self.hyperparameters)

    @property
    def undefined_at_zero(self) -> bool:
        """Whether the formula is 0/0 where no gradient has come yet: without an epsilon most are.

        Example:
            >>> spec("adam", eps=0.0).undefined_at_zero, spec("adam").undefined_at_zero
            (True, False)
        """
        theta = np.ones((2,) * max(1, self.family.dimensions))
        start, given = self.initial_state(theta), self.having(**{"lr": 0.1, **self.hyperparameters})
        state, found = start, theta
        with np.errstate(all="ignore"):
            for t in range(1, 17):  # RAdam divides from step 6 on, or earlier
                found, state = given.step(found, np.zeros_like(theta), state, t)
        return bool(np.isnan(found).any())

    def lines(self) -> list[str]:
        """The formula in the paper's notation, as plain text, one assignment a line.

        Example:
            >>> print(*spec("adagrad").lines(), sep="; ")
            s <- s + g^2; theta <- theta - lr g / sqrt(s + eps)
        """
        return self.family.lines(self.settings)

    def latex(self) -> list[str]:
        r"""The same lines in LaTeX.

        Example:
            >>> print(*spec("sgd").latex())
            \theta \leftarrow \theta - \eta \, g
        """
        return [line_as_latex(line) for line in self.lines()]

    def mathml(self) -> list[str]:
        """The same lines in MathML, an element `math` each.

        Example:
            >>> spec("sgd").mathml()[0][:37]
            '<math><mrow><mi data-name="theta">θ</'
        """
        return [line_as_mathml(line) for line in self.lines()]

    def symbols(self) -> dict[str, Any]:
        """The values of the hyperparameters under the symbols of the lines."""
        found: dict[str, Any] = {}
        for name, value in self.settings.items():
            symbol = SYMBOLS.get(name, name)
            if isinstance(symbol, tuple):
                found |= dict(zip(symbol, value, strict=False))
            elif not isinstance(value, (bool, str)):
                found[symbol] = value
        return found

    def legend(self, lines: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        """What the symbols of the lines stand for: hyperparameters, then the state arrays, and their symbols.

        Example:
            >>> spec("adagrad", weight_decay=0.1).legend()
            {'lr': ('lr',), 'weight_decay': ('lambda',), 'eps': ('eps',), 'sum': ('s',)}
        """
        used = {name for line in (self.lines() if lines is None else lines) for name in names_in(line)}
        given = {name: SYMBOLS.get(name, name) for name in self.all_names}
        for name, symbol in given.items():  # betas has as many symbols as it has members
            if isinstance(symbol, tuple) and isinstance(self.settings[name], (tuple, list)):
                given[name] = symbol[: len(self.settings[name])]
        named = {**given, **{key: self.family.symbols[key] for key in self.family.symbols}}
        found = {name: (symbol,) if isinstance(symbol, str) else symbol for name, symbol in named.items()}
        chosen = {name: tuple(s for s in symbols if s in used) for name, symbols in found.items()}
        return {name: symbols for name, symbols in chosen.items() if symbols}

    def worked_steps(self, theta: Number, gradients: Sequence[Number]) -> list[dict[str, Any]]:
        """Every quantity of the printed lines at each step, g and theta included, in float64.

        Args:
            theta: the parameter before the first step, a number or an array.
            gradients: one for each step, of theta's shape.

        Example:
            >>> [float(values["theta"]) for values in spec("sgd", lr=0.5).worked_steps(1.0, [1.0, -2.0])]
            [0.5, 1.5]
        """
        lines = [parse(line) for line in self.lines()]
        state = {self.family.symbols[key]: value for key, value in self.initial_state(np.asarray(theta)).items()}
        values: dict[str, Any] = {**self.symbols(), **self.family.memory, **state, "theta": theta}
        history = []
        with np.errstate(all="ignore"):
            for t, g in enumerate(gradients, start=1):
                values |= {"g": g, "t": t}
                for line in lines:
                    values[line.name] = evaluate(line.expression, values)
                history.append({"t": t, "g": values["g"], **{line.name: values[line.name] for line in lines}})
        return history


def unknown_name(name: str) -> str:
    """The message about a formula that does not exist."""
    return suggested(f"expected one of {sorted(FAMILIES)}, got {name!r}", name, FAMILIES, most=3, alike=0.5)


def of_family(family: Family, hyperparameters: dict[str, Any], dialect: str | None = None) -> Specification:
    """The specification of a formula, which a table has or not."""
    known = family.name in FAMILIES and FAMILIES[family.name] is family
    return Specification(family.name, hyperparameters, dialect, own=None if known else family)


def spec(name: str | Specification, *, dialect: str | None = None, **hyperparameters: Any) -> Specification:
    """The specification of an optimizer: a dialect's defaults, and the hyperparameters that are given.

    Args:
        name: a key of `verify.formulas.FAMILIES`, or a specification (one of your own, say), whose formula it is.
        dialect: whose defaults are taken for what is not given; None: the formula's first dialect (`explain` lists
            them).
        hyperparameters: as in the formula.

    Raises:
        ValueError: there is no such formula, dialect or hyperparameter; the message names those that there are.

    Example:
        >>> spec("adam", eps_placement="outside")["eps_placement"], spec("adam", dialect="keras")["eps"]
        ('outside', 1e-07)
    """
    if isinstance(name, Specification):
        family = name.family
    elif name in FAMILIES:
        family = FAMILIES[name]
    else:
        raise ValueError(unknown_name(name))
    return of_family(family, {**family.settings(dialect), **hyperparameters}, dialect)
