"""The optimizers that docs/conformance.md examines, and the formula of each. Next: equals.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tinygrad_lr.optim import OPTIMIZERS


@dataclass(frozen=True)
class LibraryOptimizer:
    """One optimizer of a library.

    Attributes:
        library, name: where it is found.
        formula: the formula that it is held against, in all its dialects.
        settings: hyperparameters in which it is examined.
        fixed: arguments that only the library has.
        dialect: the library's own.
        dimensions: how many dimensions its parameters must have at least.

    Without a formula an optimizer is examined for what holds of every rule (P2 to P18).
    """

    library: str
    name: str
    formula: str
    settings: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    dialect: str = ""
    dimensions: int = 0

    @property
    def title(self) -> str:
        """Its name, and what is set."""
        dialect = {"dialect": self.dialect} if self.library == "tinygrad_lr" else {}
        said = ", ".join(f"{key}={value}" for key, value in {**dialect, **self.settings, **self.fixed}.items())
        return f"{self.name}({said})" if said else self.name


MOMENTUM = {"momentum": 0.9}
CENTRED = {"centered": True}
AMSGRAD = {"amsgrad": True}
DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}
# What only a library's own arguments say, and the shapes that it demands.
FIXED: dict[tuple[str, str], dict[str, Any]] = {
    ("optax", "adafactor"): {"min_dim_size_to_factor": 1},
    ("optax", "optimistic_adam_v2"): {"nesterov": False},
    ("optax", "noisy_sgd"): {"key": 0},
    ("optax", "contrib.muon"): {"jit": True},
}
DIMENSIONS = {("optax", "sm3"): 1}  # it cannot be built for a parameter without dimensions
# Optimizers that are no rows: what is no function of parameters and gradients cannot be examined as one.
CLOSURE, VALUE, WRAPPER = "needs a closure", "needs the value of the objective", "wraps another optimizer"
NOT_EXAMINED: dict[str, dict[str, str]] = {
    "torch": {"LBFGS": CLOSURE, "SparseAdam": "takes sparse gradients alone"},
    "optax": {
        "lbfgs": VALUE,
        "polyak_sgd": VALUE,
        "contrib.momo": VALUE,
        "contrib.momo_adam": VALUE,
        "contrib.sophia": "needs the objective, for its Hessian",
        "contrib.mechanize": WRAPPER,
        "contrib.sam": WRAPPER,
        "contrib.schedule_free": f"{WRAPPER}; its forms for SGD and AdamW are examined",
        "contrib.galore": "projects on singular vectors, whose signs are the linear algebra library's",
        "contrib.dpsgd": "takes a gradient for each example",
        "contrib.reduce_on_plateau": VALUE,
        "optimistic_adam": "is deprecated in favour of optimistic_adam_v2",
    },
    "keras": {"LossScaleOptimizer": WRAPPER, "MultiOptimizer": WRAPPER},
}
# Rows without a formula.
NO_FORMULA: dict[tuple[str, str], str] = {
    ("optax", "noisy_sgd"): "adds noise of its own to the gradient",
    ("optax", "contrib.acprop"): "its docstring subtracts the moment of this step from the gradient, its code that "
    "of the step before; what the paper subtracts could not be read here",
    ("optax", "contrib.dadapt_adamw"): "Prodigy's predecessor; the paper's algorithm (arXiv:2301.07733) could not be "
    "read here, and a formula taken from the code would only say that the code is itself",
}
TORCH: list[tuple[str, str, dict[str, Any]]] = [
    ("SGD", "sgd", MOMENTUM),
    ("SGD", "sgd", {**MOMENTUM, "nesterov": True}),
    ("Adagrad", "adagrad", {}),
    ("RMSprop", "rmsprop", {}),
    ("RMSprop", "rmsprop", CENTRED),
    ("Adam", "adam", {}),
    ("Adam", "adam", AMSGRAD),
    ("AdamW", "adamw", {}),
    ("Adadelta", "adadelta", {}),
    ("Adamax", "adamax", {}),
    ("NAdam", "nadam", {}),
    ("RAdam", "radam", {}),
    ("Rprop", "rprop", {}),
    ("ASGD", "asgd", {}),
    ("Adafactor", "adafactor", {}),
    ("Muon", "muon", {}),
]
OPTAX: list[tuple[str, str, dict[str, Any]]] = [
    ("sgd", "sgd", MOMENTUM),
    ("sgd", "sgd", {**MOMENTUM, "nesterov": True}),
    ("adagrad", "adagrad", {}),
    ("rmsprop", "rmsprop", {}),
    ("rmsprop", "rmsprop", CENTRED),
    ("adam", "adam", {}),
    ("amsgrad", "adam", AMSGRAD),
    ("adamw", "adamw", {}),
    ("adadelta", "adadelta", {}),
    ("adamax", "adamax", {}),
    ("nadam", "nadam", {}),
    ("radam", "radam", {}),
    ("rprop", "rprop", {}),
    ("adan", "adan", {}),
    ("lion", "lion", {}),
    ("yogi", "yogi", {}),
    ("adabelief", "adabelief", {}),
    ("lamb", "lamb", {}),
    ("lars", "lars", {}),
    ("sign_sgd", "signsgd", {}),
    ("signum", "signsgd", MOMENTUM),
    ("adamaxw", "adamax", DECOUPLED),
    ("nadamw", "nadam", DECOUPLED),
    ("adafactor", "adafactor", {}),
    ("sm3", "sm3", {}),
    ("novograd", "novograd", {}),
    ("fromage", "fromage", {}),
    ("optimistic_gradient_descent", "optimistic_gd", {}),
    ("optimistic_adam_v2", "optimistic_adam", {}),
    ("contrib.ademamix", "ademamix", {}),
    ("contrib.muon", "muon", {}),
    ("contrib.prodigy", "prodigy", {}),
    ("contrib.schedule_free_sgd", "schedule_free_sgd", {}),
    ("contrib.schedule_free_adamw", "schedule_free_adamw", {}),
    ("contrib.adopt", "adopt", {}),
    ("contrib.cocob", "cocob", {}),
    ("contrib.dog", "dog", {}),
    ("contrib.dowg", "dowg", {}),
    ("contrib.madgrad", "madgrad", {}),
    ("contrib.simplified_ademamix", "simplified_ademamix", {}),
    ("noisy_sgd", "", {}),
    ("contrib.acprop", "", {}),
    ("contrib.dadapt_adamw", "", {}),
]
KERAS: list[tuple[str, str, dict[str, Any]]] = [
    ("SGD", "sgd", MOMENTUM),
    ("SGD", "sgd", {**MOMENTUM, "nesterov": True}),
    ("Adagrad", "adagrad", {}),
    ("RMSprop", "rmsprop", {}),
    ("RMSprop", "rmsprop", CENTRED),
    ("Adam", "adam", {}),
    ("Adam", "adam", AMSGRAD),
    ("AdamW", "adamw", {}),
    ("Adadelta", "adadelta", {}),
    ("Adamax", "adamax", {}),
    ("Nadam", "nadam", {}),
    ("Lion", "lion", {}),
    ("Lamb", "lamb", {}),
    ("Adafactor", "adafactor", {}),
    ("Ftrl", "ftrl", {}),
    ("Muon", "muon", {}),
    ("ScheduleFreeAdamW", "schedule_free_adamw", {}),
]


# Settings of ours without which a rule would not be seen: at h = 0, Sophia-H makes steps of one size.
SETTINGS: dict[str, dict[str, Any]] = {"sophiah": {"rho": 1.0, "initial_hessian": 2.0}}


def ours() -> list[LibraryOptimizer]:
    """Our own rows: every optimizer in every dialect that it has."""
    return [
        LibraryOptimizer("tinygrad_lr", cls.__name__, name, SETTINGS.get(name, {}), dialect=dialect)
        for name, cls in OPTIMIZERS.items()
        for dialect in cls.dialects
    ]


def peers() -> list[LibraryOptimizer]:
    """The peers' rows."""
    tables = {"torch": TORCH, "optax": OPTAX, "keras": KERAS}
    found = [
        LibraryOptimizer(library, name, formula, settings, FIXED.get((library, name), {}), library)
        for library, table in tables.items()
        for name, formula, settings in table
    ]
    return [replace(row, dimensions=DIMENSIONS.get((row.library, row.name), 0)) for row in found]


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
