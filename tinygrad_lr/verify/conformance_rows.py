"""The rows of the difference matrix: which optimizers are examined, and as what. Next: conformance.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_lr.optim import OPTIMIZERS


@dataclass(frozen=True)
class Row:
    """One optimizer of a library.

    Attributes:
        library, name: where it is found.
        formula: the formula that it is held against, in all its dialects.
        settings: hyperparameters in which it is examined.
        fixed: arguments that only the library has.
        dialect: the library's own.
    """

    library: str
    name: str
    formula: str
    settings: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    dialect: str = ""

    @property
    def title(self) -> str:
        """Its name, and what is set."""
        dialect = {"dialect": self.dialect} if self.library == "tinygrad_lr" else {}
        said = ", ".join(f"{key}={value}" for key, value in {**dialect, **self.settings, **self.fixed}.items())
        return f"{self.name}({said})" if said else self.name


MOMENTUM = {"momentum": 0.9}
CENTRED = {"centered": True}
AMSGRAD = {"amsgrad": True}
TORCH: list[tuple[str, str, dict[str, Any]]] = [
    ("SGD", "sgd", MOMENTUM), ("SGD", "sgd", {**MOMENTUM, "nesterov": True}), ("Adagrad", "adagrad", {}),
    ("RMSprop", "rmsprop", {}), ("RMSprop", "rmsprop", CENTRED), ("Adam", "adam", {}), ("Adam", "adam", AMSGRAD),
    ("AdamW", "adamw", {}), ("Adadelta", "adadelta", {}), ("Adamax", "adamax", {}), ("NAdam", "nadam", {}),
    ("RAdam", "radam", {}), ("Rprop", "rprop", {}), ("ASGD", "asgd", {}),
]  # fmt: skip
OPTAX: list[tuple[str, str, dict[str, Any]]] = [
    ("sgd", "sgd", MOMENTUM), ("sgd", "sgd", {**MOMENTUM, "nesterov": True}), ("adagrad", "adagrad", {}),
    ("rmsprop", "rmsprop", {}), ("rmsprop", "rmsprop", CENTRED), ("adam", "adam", {}), ("amsgrad", "adam", AMSGRAD),
    ("adamw", "adamw", {}), ("adadelta", "adadelta", {}), ("adamax", "adamax", {}), ("nadam", "nadam", {}),
    ("radam", "radam", {}), ("rprop", "rprop", {}), ("adan", "adan", {}), ("lion", "lion", {}), ("yogi", "yogi", {}),
    ("adabelief", "adabelief", {}), ("lamb", "lamb", {}), ("lars", "lars", {}), ("sign_sgd", "signsgd", {}),
]  # fmt: skip
KERAS: list[tuple[str, str, dict[str, Any]]] = [
    ("SGD", "sgd", MOMENTUM), ("SGD", "sgd", {**MOMENTUM, "nesterov": True}), ("Adagrad", "adagrad", {}),
    ("RMSprop", "rmsprop", {}), ("RMSprop", "rmsprop", CENTRED), ("Adam", "adam", {}), ("Adam", "adam", AMSGRAD),
    ("AdamW", "adamw", {}), ("Adadelta", "adadelta", {}), ("Adamax", "adamax", {}), ("Nadam", "nadam", {}),
    ("Lion", "lion", {}), ("Lamb", "lamb", {}),
]  # fmt: skip
OURS = [
    Row("tinygrad_lr", cls.__name__, name, dialect=dialect) for name, cls in OPTIMIZERS.items()
    for dialect in ("article", "torch")
]  # fmt: skip


def rows() -> list[Row]:
    """The peers' rows."""
    tables = {"torch": TORCH, "optax": OPTAX, "keras": KERAS}
    return [
        Row(library, name, formula, settings, dialect=library)
        for library, table in tables.items()
        for name, formula, settings in table
    ]


def _one_cycle() -> Callable[[int], float]:
    import torch

    def rate(step: int) -> float:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, anneal_strategy="linear")
        for _ in range(step):
            optimizer.step()
            schedule.step()
        return float(optimizer.param_groups[0]["lr"])

    return rate


def _warm_restarts() -> Callable[[int], float]:
    import torch

    def rate(epoch: int) -> float:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        optimizer.step()
        schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=3)
        schedule.step(epoch)
        return float(optimizer.param_groups[0]["lr"])

    return rate


# title, the schedule, the steps to read, the lengths of its cycles
SCHEDULES: list[tuple[str, Callable[[], Callable[[int], float]], int, list[int]]] = [
    ("torch OneCycleLR(max_lr=1, total_steps=10, anneal_strategy='linear')", _one_cycle, 11, []),
    ("torch CosineAnnealingWarmRestarts(T_0=1, T_mult=3)", _warm_restarts, 125, [1, 3, 9, 27, 81, 243]),
]
