"""Adapters of torch's, timm's, transformers's, optax's and keras's schedules: each gives a function of the step.

`adapt_schedule` recognises a class or factory, translates the formula's arguments into the library's (`PEERS`, a row
each) and returns an `Adapted`. `torch_scheduler` and `timm_scheduler` read any scheduler that a function builds.

A schedule of a library gives rates, the base rate times the factor. Everything is built with the base rate that the
check is told (1 unless it says `base=`), so ends that a library takes as rates (eta_min, lr_end, ...) are the factor
times the base. torch's chainable schedulers compute each rate from the rate before it: `Adapted.chained` says so, for
their roundings add up. A library is imported when it is used. Next: ../checks/claims.py.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from tinygrad_lr.schedules.table import SCHEDULES
from tinygrad_lr.suggesting import suggested

from ..formulas.schedules import REFERENCES, reference_of
from .keras import keras_library
from .translation import imported

ONE_BY_ONE = 20_000  # steps of a scheduler that can only be stepped; more take long


@dataclass(frozen=True)
class Adapted:
    """A library's schedule as a function of the step.

    Attributes:
        schedule: `schedule(step)` gives the rate.
        title: its module and name.
        chained: whether each rate is computed from the rate before it.
        limit, why: the last step that can be read, and the reason; None: any step.
        slow: whether reading a step takes long.
        build: builds it with other arguments of the formula.
        library, target, settings, base: what it is built of, where it is of a library, for programs.
    """

    schedule: Callable[[Any], Any]
    title: str
    chained: bool = False
    limit: int | None = None
    why: str = "which are read one after another"
    build: Callable[..., Adapted] | None = None
    slow: bool = False
    library: str = ""
    target: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    base: float = 1.0

    def __call__(self, step: Any) -> Any:
        return self.schedule(step)


# --- what is stepped: torch's and timm's schedulers -------------------------------------------------------------------


def torch_scheduler(build: Callable[[Any], Any], *, base: float = 1.0, by: str = "steps", groups: int = 1) -> Adapted:
    """The rates of a scheduler of torch, transformers, or anything with `step()`, at any step.

    Args:
        build: `build(optimizer)` gives the scheduler.
        base: the optimizer's rate.
        by: "steps": `step()` is called so often; "epoch": `step(n)` is called with the number of the step.
        groups: of parameters; the rates of the last one are read.

    Raises:
        ImportError: torch is missing.
        ValueError: `by` is something else.

    Example:
        >>> import torch
        >>> halving = torch_scheduler(lambda o: torch.optim.lr_scheduler.StepLR(o, 2, gamma=0.5))
        >>> [halving(step) for step in (4, 0, 1, 2)]
        [0.25, 1.0, 1.0, 0.5]
    """
    torch = imported("torch", "torch")
    if by not in ("steps", "epoch"):
        raise ValueError(f"by must be 'steps' or 'epoch', got {by!r}")

    def new() -> Any:
        parameters = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(groups)]
        optimizer = torch.optim.SGD(parameters, lr=base, momentum=0.9)
        optimizer.step()  # which schedulers want to have seen
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return optimizer, build(optimizer)

    return Adapted(_Stepped(new, by), _title(build), chained=_is_chained(new), limit=_limit_of(new, by))


# Of torch's, those that compute a rate from the step alone; the others from the rate before it.
_FROM_THE_STEP = ("LambdaLR", "OneCycleLR", "CyclicLR", "CosineAnnealingWarmRestarts")


def _is_chained(new: Callable[[], Any]) -> bool:
    try:
        scheduler = new()[1]
    except Exception:  # which is found at the first step
        return False
    parts = getattr(scheduler, "_schedulers", [scheduler])
    return not all(_kind_of(part) in _FROM_THE_STEP for part in parts)


def _limit_of(new: Callable[[], Any], by: str) -> int | None:
    try:
        jumps = _kind_of(new()[1]) in _FROM_THE_STEP[:3]
    except Exception:
        jumps = False
    return None if jumps or by == "epoch" else ONE_BY_ONE


def _kind_of(scheduler: Any) -> str:
    names = [base.__name__ for base in type(scheduler).__mro__ if base.__module__ == "torch.optim.lr_scheduler"]
    return next((name for name in names if name in _FROM_THE_STEP), names[0] if names else "")


class _Stepped:
    """Steps a scheduler as far as it was asked, and remembers the rates; an error is the same each time."""

    def __init__(self, new: Callable[[], Any], by: str) -> None:
        self._new, self._by = new, by
        self._optimizer: Any = None
        self._scheduler: Any = None
        self._rates: list[float] = []
        self._error: Exception | None = None

    def __call__(self, step: Any) -> float:
        step = _whole(step)
        if self._by == "epoch":
            return self._at(step, lambda scheduler: scheduler.step(step))
        if step > ONE_BY_ONE:
            return self._at(step, lambda scheduler: self._jump(scheduler, step))
        if self._scheduler is None:
            self._optimizer, self._scheduler = self._new()
            self._rates.append(self._rate(self._optimizer))
        while len(self._rates) <= step:
            if self._error is not None:
                raise self._error
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._scheduler.step()
            except Exception as error:
                self._error = error
                raise
            self._rates.append(self._rate(self._optimizer))
        return self._rates[step]

    def _at(self, step: int, move: Callable[[Any], object]) -> float:
        optimizer, scheduler = self._new()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if step:
                move(scheduler)
        return self._rate(optimizer)

    def _jump(self, scheduler: Any, step: int) -> None:
        """Compute the rate at a step without those before it, as these kinds do after loading."""
        scheduler.last_epoch = step
        for group, rate in zip(scheduler.optimizer.param_groups, scheduler.get_lr(), strict=True):
            group["lr"] = rate

    @staticmethod
    def _rate(optimizer: Any) -> float:
        return float(optimizer.param_groups[-1]["lr"])


def timm_scheduler(build: Callable[[Any], Any], *, base: float = 1.0) -> Adapted:
    """The rates of one of timm's schedulers, which are asked with the number of the epoch or update.

    Args:
        build: `build(optimizer)` gives the scheduler.
        base: the optimizer's rate.

    Raises:
        ImportError: torch is missing.
    """
    torch = imported("torch", "torch")

    @cache
    def begun() -> tuple[Any, Any, float]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = build(optimizer)
        return optimizer, scheduler, float(optimizer.param_groups[-1]["lr"])

    def schedule(step: Any) -> float:
        step = _whole(step)
        optimizer, scheduler, first = begun()
        if not step:  # what it begins with stood in the optimizer
            return first
        (scheduler.step if scheduler.t_in_epochs else scheduler.step_update)(step)
        return float(optimizer.param_groups[-1]["lr"])

    return Adapted(schedule, _title(build))


def _whole(step: Any) -> int:
    if isinstance(step, (int, np.integer)) and not isinstance(step, bool):
        return int(step)
    raise TypeError(f"a scheduler is read at whole steps, got {step!r}")


def _title(build: Any) -> str:
    return str(getattr(build, "title", None) or getattr(build, "__qualname__", None) or type(build).__name__)


# --- which argument of a library is which argument of a formula -------------------------------------------------------


class Only:
    """An argument that the library lacks; the value that it has in it."""

    def __init__(self, value: Any) -> None:
        self.value = value


class As:
    """A library's argument, computed from all arguments of the formula, among them `base`."""

    def __init__(self, theirs: str, compute: Callable[[Mapping[str, Any]], Any]) -> None:
        self.theirs, self.compute = theirs, compute


def _rate_of(name: str, theirs: str) -> As:
    """A factor, which the library takes as a rate."""
    return As(theirs, lambda a: a[name] * a["base"])


Names = Mapping[str, "str | Only | As"]


@dataclass(frozen=True)
class Peer:
    """How a library's schedule is built from a formula's arguments.

    Attributes:
        library, name: the class or function.
        formulas: rows of REFERENCES that it may claim to be.
        names: an argument or option of the formula -> the library's.
        fixed: what it is built with besides, computed from all arguments.
    """

    library: str
    name: str
    formulas: tuple[str, ...]
    names: Names
    fixed: Mapping[str, As] | None = None


def _always(theirs: str, compute: Callable[[Mapping[str, Any]], Any]) -> dict[str, As]:
    return {theirs: As(theirs, compute)}


_BASE = _always("init_value", lambda a: a["base"])
_KERAS = _always("initial_learning_rate", lambda a: a["base"])
_SIZES: dict[str, str | Only | As] = {
    "total_steps": As("num_training_steps", lambda a: a["warmup_steps"] + a["total_steps"]),
    "warmup_steps": "num_warmup_steps",
    "warmup_start": Only(0.0),
}
_TIMM: dict[str, str | Only | As] = {
    "warmup_steps": "warmup_t",
    "warmup_start": _rate_of("warmup_start", "warmup_lr_init"),
    "clock": As("warmup_prefix", lambda a: a["clock"] != "from zero"),
}
_WSD_DECAYS = {"cosine": "cosine", "linear": "linear", "1-sqrt": "1-sqrt"}


def _wsd(decay: str) -> str:
    return f"warmup_stable_decay, {decay}"


def _scales(a: Mapping[str, Any]) -> dict[int, float]:
    """optax's factors between the values at milestones."""
    pairs = zip(a["milestones"], a["values"], a["values"][1:], strict=False)
    return {milestone: after / before for milestone, before, after in pairs}


def _constant_lr(a: Mapping[str, Any]) -> int:
    if len(a["milestones"]) != 1 or a["values"][1] != 1:
        raise ValueError("torch's ConstantLR has one milestone, and the factor 1 after it")
    return int(a["milestones"][0])


def _ratio(a: Mapping[str, Any]) -> float:
    if a["start"] != a["end"]:
        raise ValueError("get_wsd_schedule begins its warm-up at the end value, min_lr_ratio: start must be end")
    return float(a["end"])


PEERS = (
    Peer(
        "torch",
        "ConstantLR",
        ("piecewise",),
        {"milestones": As("total_iters", _constant_lr), "values": As("factor", lambda a: a["values"][0])},
    ),
    Peer(
        "torch", "LinearLR", ("linear",), {"total_steps": "total_iters", "start": "start_factor", "end": "end_factor"}
    ),
    Peer(
        "torch", "LinearLR", ("warmup",), {"steps": "total_iters", "start": "start_factor", "first_step": Only("zero")}
    ),
    Peer("torch", "ExponentialLR", ("exponential_decay",), {"decay_rate": "gamma", "decay_steps": Only(1)}),
    Peer("torch", "StepLR", ("step",), {"step_size": "step_size", "gamma": "gamma"}),
    Peer("torch", "MultiStepLR", ("multi_step",), {"milestones": "milestones", "gamma": "gamma"}),
    Peer("torch", "PolynomialLR", ("polynomial",), {"total_steps": "total_iters", "power": "power", "end": Only(0.0)}),
    Peer("torch", "CosineAnnealingLR", ("cosine",), {"total_steps": "T_max", "end": _rate_of("end", "eta_min")}),
    Peer(
        "torch",
        "CosineAnnealingWarmRestarts",
        ("cosine_restarts",),
        {
            "first_steps": "T_0",
            "cycle_mul": As("T_mult", lambda a: int(a["cycle_mul"]) if a["cycle_mul"] % 1 == 0 else a["cycle_mul"]),
            "end": _rate_of("end", "eta_min"),
        },
    ),
    Peer(
        "torch",
        "OneCycleLR",
        ("one_cycle",),
        {
            "total_steps": "total_steps",
            "peak_at": "pct_start",
            "div_factor": "div_factor",
            "final_div_factor": "final_div_factor",
            "anneal": As("anneal_strategy", lambda a: a["anneal"][:3] if a["anneal"] == "cosine" else a["anneal"]),
            "three_phase": "three_phase",
        },
        _always("max_lr", lambda a: a["base"]),
    ),
    *(
        Peer(
            "torch",
            "CyclicLR",
            (f"cyclic, {mode}",),
            {
                "low": _rate_of("low", "base_lr"),
                "up": "step_size_up",
                "down": "step_size_down",
                **({"gamma": "gamma"} if mode == "exp_range" else {}),
            },
            {"max_lr": As("max_lr", lambda a: a["base"]), "mode": As("mode", lambda a, mode=mode: mode)},  # type: ignore[misc]
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    Peer(
        "optax", "constant_schedule", ("constant",), {"factor": _rate_of("factor", "value"), "total_steps": Only(None)}
    ),
    Peer(
        "optax",
        "linear_schedule",
        ("linear",),
        {
            "total_steps": "transition_steps",
            "start": _rate_of("start", "init_value"),
            "end": _rate_of("end", "end_value"),
        },
    ),
    Peer(
        "optax",
        "warmup_constant_schedule",
        ("warmup",),
        {"steps": "warmup_steps", "start": _rate_of("start", "init_value"), "first_step": Only("zero")},
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "optax",
        "polynomial_schedule",
        ("polynomial",),
        {"total_steps": "transition_steps", "power": "power", "end": _rate_of("end", "end_value")},
        _BASE,
    ),
    Peer(
        "optax",
        "cosine_decay_schedule",
        ("cosine",),
        {"total_steps": "decay_steps", "end": "alpha", "exponent": "exponent"},
        _BASE,
    ),
    Peer(
        "optax",
        "exponential_decay",
        ("exponential_decay",),
        {
            "decay_rate": "decay_rate",
            "decay_steps": "transition_steps",
            "staircase": "staircase",
            "begin": "transition_begin",
            "limit": As("end_value", lambda a: None if a["limit"] is None else a["limit"] * a["base"]),
        },
        _BASE,
    ),
    Peer(
        "optax",
        "piecewise_constant_schedule",
        ("piecewise",),
        {
            "milestones": As("boundaries_and_scales", _scales),
            "values": As("init_value", lambda a: a["values"][0] * a["base"]),
        },
    ),
    Peer(
        "optax",
        "piecewise_interpolate_schedule",
        ("interpolated",),
        {
            "milestones": As("boundaries_and_scales", _scales),
            "values": As("init_value", lambda a: a["values"][0] * a["base"]),
            "anneal": "interpolate_type",
        },
    ),
    Peer(
        "optax",
        "cosine_onecycle_schedule",
        ("one_cycle",),
        {
            "total_steps": "transition_steps",
            "peak_at": "pct_start",
            "div_factor": "div_factor",
            "final_div_factor": "final_div_factor",
            "anneal": Only("cosine"),
        },
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "optax",
        "linear_onecycle_schedule",
        ("one_cycle",),
        {
            "total_steps": "transition_steps",
            "peak_at": "pct_start",
            "falls_to": "pct_final",
            "div_factor": "div_factor",
            "final_div_factor": "final_div_factor",
            "anneal": Only("linear"),
            "three_phase": Only(True),
        },
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "optax",
        "warmup_cosine_decay_schedule",
        (_wsd("cosine"),),
        {
            "warmup_steps": "warmup_steps",
            "stable_steps": Only(0),
            "decay_steps": As("decay_steps", lambda a: a["warmup_steps"] + a["decay_steps"]),
            "start": _rate_of("start", "init_value"),
            "end": _rate_of("end", "end_value"),
        },
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "optax",
        "warmup_cosine_decay_schedule",
        ("cosine",),
        {
            "warmup_steps": "warmup_steps",
            "warmup_start": _rate_of("warmup_start", "init_value"),
            "total_steps": As("decay_steps", lambda a: a["warmup_steps"] + a["total_steps"]),
            "end": _rate_of("end", "end_value"),
            "exponent": "exponent",
        },
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "optax",
        "warmup_exponential_decay_schedule",
        ("exponential_decay",),
        {
            "warmup_steps": "warmup_steps",
            "warmup_start": _rate_of("warmup_start", "init_value"),
            "decay_rate": "decay_rate",
            "decay_steps": "transition_steps",
            "staircase": "staircase",
            "begin": "transition_begin",
            "limit": As("end_value", lambda a: None if a["limit"] is None else a["limit"] * a["base"]),
        },
        _always("peak_value", lambda a: a["base"]),
    ),
    Peer(
        "keras",
        "ExponentialDecay",
        ("exponential_decay",),
        {"decay_rate": "decay_rate", "decay_steps": "decay_steps", "staircase": "staircase"},
        _KERAS,
    ),
    Peer(
        "keras",
        "InverseTimeDecay",
        ("inverse_time_decay",),
        {"decay_rate": "decay_rate", "decay_steps": "decay_steps", "staircase": "staircase"},
        _KERAS,
    ),
    Peer(
        "keras",
        "PolynomialDecay",
        ("polynomial",),
        {"total_steps": "decay_steps", "power": "power", "end": _rate_of("end", "end_learning_rate"), "cycle": "cycle"},
        _KERAS,
    ),
    Peer(
        "keras",
        "PiecewiseConstantDecay",
        ("piecewise",),
        {"milestones": "boundaries", "values": As("values", lambda a: [value * a["base"] for value in a["values"]])},
    ),
    Peer("keras", "CosineDecay", ("cosine",), {"total_steps": "decay_steps", "end": "alpha"}, _KERAS),
    Peer(
        "keras",
        "CosineDecay",
        (_wsd("cosine"),),
        {
            "warmup_steps": "warmup_steps",
            "stable_steps": Only(0),
            "decay_steps": "decay_steps",
            "start": _rate_of("start", "initial_learning_rate"),
            "end": "alpha",
        },
        _always("warmup_target", lambda a: a["base"]),
    ),
    Peer(
        "keras",
        "CosineDecayRestarts",
        ("cosine_restarts",),
        {"first_steps": "first_decay_steps", "cycle_mul": "t_mul", "cycle_decay": "m_mul", "end": "alpha"},
        _KERAS,
    ),
    Peer(
        "timm",
        "CosineLRScheduler",
        ("cosine",),
        {**_TIMM, "total_steps": "t_initial", "end": _rate_of("end", "lr_min"), "k_decay": "k_decay"},
    ),
    Peer(
        "timm",
        "CosineLRScheduler",
        ("cosine_restarts",),
        {
            **_TIMM,
            "first_steps": "t_initial",
            "cycle_mul": "cycle_mul",
            "cycle_decay": "cycle_decay",
            "num_cycles": As("cycle_limit", lambda a: a["num_cycles"] or sys.maxsize),
            "end": _rate_of("end", "lr_min"),
            "k_decay": "k_decay",
        },
    ),
    Peer(
        "timm",
        "TanhLRScheduler",
        ("tanh",),
        {**_TIMM, "total_steps": "t_initial", "lower": "lb", "upper": "ub", "end": _rate_of("end", "lr_min")},
    ),
    Peer(
        "timm",
        "PolyLRScheduler",
        ("polynomial",),
        {**_TIMM, "total_steps": "t_initial", "power": "power", "end": _rate_of("end", "lr_min"), "k_decay": "k_decay"},
    ),
    Peer("timm", "StepLRScheduler", ("step",), {**_TIMM, "step_size": "decay_t", "gamma": "decay_rate"}),
    Peer("timm", "MultiStepLRScheduler", ("multi_step",), {**_TIMM, "milestones": "decay_t", "gamma": "decay_rate"}),
    *(
        Peer(
            "timm",
            "WSDLRScheduler",
            (_wsd(decay),),
            {
                "warmup_steps": "warmup_t",
                "start": _rate_of("start", "warmup_lr_init"),
                "stable_steps": As("t_initial", lambda a: a["stable_steps"] + a["decay_steps"]),
                "decay_steps": "decay_t",
                "end": _rate_of("end", "lr_min"),
            },
            _always("decay_fn", lambda a, decay=decay: decay),  # type: ignore[misc]
        )
        for decay in ("cosine", "linear", "1-sqrt")
    ),
    Peer("transformers", "get_constant_schedule", ("constant",), {"factor": Only(1.0), "total_steps": Only(None)}),
    Peer(
        "transformers",
        "get_constant_schedule_with_warmup",
        ("warmup",),
        {"steps": "num_warmup_steps", "start": Only(0.0), "first_step": Only("zero")},
    ),
    Peer(
        "transformers", "get_linear_schedule_with_warmup", ("linear",), {**_SIZES, "start": Only(1.0), "end": Only(0.0)}
    ),
    Peer("transformers", "get_cosine_schedule_with_warmup", ("cosine",), {**_SIZES, "end": Only(0.0)}),
    Peer(
        "transformers",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        ("cosine_hard_restarts",),
        {**_SIZES, "num_cycles": "num_cycles"},
    ),
    Peer(
        "transformers",
        "get_polynomial_decay_schedule_with_warmup",
        ("polynomial",),
        {**_SIZES, "power": "power", "end": _rate_of("end", "lr_end")},
    ),
    Peer(
        "transformers",
        "get_inverse_sqrt_schedule",
        ("inverse_square_root",),
        {"warmup_steps": "num_warmup_steps", "warmup_start": Only(0.0), "timescale": "timescale"},
    ),
    *(
        Peer("transformers", name, ("cosine",), {**_SIZES, "end": "min_lr_rate"})
        for name in (
            "get_cosine_with_min_lr_schedule_with_warmup",
            "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        )
    ),
    *(
        Peer(
            "transformers",
            "get_wsd_schedule",
            (_wsd(decay),),
            {
                "warmup_steps": "num_warmup_steps",
                "stable_steps": "num_stable_steps",
                "decay_steps": "num_decay_steps",
                "start": As("min_lr_ratio", _ratio),
                "end": "min_lr_ratio",
            },
            _always("decay_type", lambda a, decay=decay: decay),  # type: ignore[misc]
        )
        for decay in _WSD_DECAYS
    ),
)


def name_of_claim(name: str) -> str:
    """The name of a row of REFERENCES, of the name or an alias of one.

    Raises:
        ValueError: there is none; the message lists the names.

    Example:
        >>> name_of_claim("wsd"), name_of_claim("one_cycle")
        ('warmup_stable_decay, cosine', 'one_cycle')
    """
    found = {alias: row.name for row in SCHEDULES.values() for alias in (row.name, *row.aliases)}
    found |= {key: key for key in REFERENCES}
    if not isinstance(name, str) or name not in found:
        said = f"expected one of {', '.join(map(repr, found))}, got {name!r}"
        raise ValueError(suggested(said, name, found, most=2))
    return found[name]


# --- recognition ------------------------------------------------------------------------------------------------------

_BASES = {("torch", "LRScheduler"): "torch", ("timm", "Scheduler"): "timm", ("keras", "LearningRateSchedule"): "keras"}


def library_of_schedule(target: Any) -> str:
    """The library whose schedule this is ("torch", "timm", "keras", "optax", "transformers"), or "" for any other.

    Example:
        >>> library_of_schedule(abs)
        ''
    """
    if inspect.isclass(target):
        bases = ((base.__module__.partition(".")[0], base.__name__) for base in target.__mro__)
        return next((_BASES[base] for base in bases if base in _BASES), "")
    module, name = str(getattr(target, "__module__", "")), str(getattr(target, "__name__", ""))
    if not inspect.isroutine(target) or "<locals>" in getattr(target, "__qualname__", ""):
        return ""
    if module.startswith("transformers.") and name.startswith("get_") and "schedule" in name:
        return "transformers"
    return "optax" if module.startswith("optax.") else ""


def adapt_schedule(
    target: Any, formula: str | None, given: Mapping[str, Any], base: float, names: Mapping[str, Any] | None = None
) -> Adapted | None:
    """A library's schedule, built with the arguments of a formula; None where the target is a schedule already.

    Args:
        target: a class or factory of a library, or any function of the step.
        formula: the row of REFERENCES that it claims to be; None: `given` are the library's own arguments.
        given: the formula's arguments and options, and others that are the library's own.
        base: the base rate.
        names: the formula's argument -> the library's, where these differ from `PEERS`, or for a target of one's own.

    Raises:
        TypeError, ValueError: an argument that the library lacks, or a class of which nothing is known.
    """
    if isinstance(target, Adapted):
        return target
    library = library_of_schedule(target)
    if not library:
        if names or inspect.isclass(target):
            raise TypeError(
                f"{_title(target)} is no scheduler of torch, timm, transformers, optax or keras; pass a function of "
                "the step, or build= for a factory"
            )
        return None

    def build(**settings: Any) -> Adapted:
        return _read(target, library, _translated(target, library, formula, {**given, **settings}, base, names), base)

    found = build()
    return replace(found, build=build if formula else None)


def schedule(
    target: Any,
    formula: str | None = None,
    *,
    base: float = 1.0,
    dialect: str | None = None,
    names: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Adapted:
    """A library's schedule as a function of the step, as `check_schedule` reads it.

    Args:
        target, names: as in `adapt_schedule`.
        formula: the row of REFERENCES whose arguments are given; None: they are the library's own.
        base: the base rate.
        dialect: a library whose options of the formula hold.
        arguments: of the formula, and the library's own.

    Raises:
        TypeError, ValueError: no schedule of a library, or an argument that it lacks.

    Example:
        >>> import optax
        >>> float(schedule(optax.cosine_decay_schedule, "cosine", total_steps=10, end=0.5)(10))
        0.5
    """
    given = arguments
    if formula is not None:
        row = reference_of(name_of_claim(formula))
        known = {*(row.arguments or {}), *(row.options or {})}
        mine = {key: value for key, value in arguments.items() if key in known}
        given = {**arguments, **row.checked({**row.of_dialect(dialect), **mine}, formula)}
        formula = name_of_claim(formula)
    found = adapt_schedule(target, formula, given, base, names)
    if found is None:
        raise TypeError(f"expected a schedule of torch, timm, transformers, optax or keras, got {_title(target)}")
    return found


def _translated(
    target: Any,
    library: str,
    formula: str | None,
    given: Mapping[str, Any],
    base: float,
    names: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The library's arguments."""
    name, known = target.__name__, set(inspect.signature(target).parameters)
    peer = _peer_of(target, library, formula) if formula else None
    chosen: dict[str, Any] = dict(peer.names) if peer else {}
    fixed = dict(peer.fixed or {}) if peer else {}
    chosen |= {key: Only(None) if theirs is None else theirs for key, theirs in (names or {}).items()}
    neutral = {"past_end", "switches", "ends_at", "decays", "falls_to"}  # which describe, and are no argument
    settings: dict[str, Any] = {}
    for key, value in given.items():
        theirs = chosen.get(key, key if key in known else None)
        if isinstance(theirs, str):
            settings[theirs] = value
        elif isinstance(theirs, As):
            settings[theirs.theirs] = theirs.compute({**given, "base": base})
        elif isinstance(theirs, Only):
            if theirs.value is not None and value != theirs.value:
                raise ValueError(f"{name} has no {key} but {theirs.value!r}; it is asked for {key}={value!r}")
        elif key not in neutral and value not in (None, False, 0, 0.0, 1.0, "after warm-up"):
            raise ValueError(
                f"{name} has no {key}; say names={{'{key}': its argument}}, or None if it has no such argument"
            )
    for each in fixed.values():
        if each.theirs not in settings:
            settings[each.theirs] = each.compute({**given, "base": base})
    if strange := sorted(set(settings) - known):
        raise ValueError(f"{name} has no argument {', '.join(strange)}; it has {', '.join(sorted(known))}")
    return settings


def _peer_of(target: Any, library: str, formula: str) -> Peer | None:
    names = [base.__name__ for base in target.__mro__] if inspect.isclass(target) else [target.__name__]
    found = [peer for peer in PEERS if peer.library == library and peer.name in names]
    for peer in found:
        if formula in peer.formulas:
            return peer
    return None


def claims_of_schedule(target: Any) -> tuple[str, ...]:
    """The rows of REFERENCES that a library's schedule may claim to be, as far as `PEERS` knows."""
    library, name = library_of_schedule(target), getattr(target, "__name__", "")
    rows = (peer.formulas for peer in PEERS if peer.library == library and peer.name == name)
    return tuple(formula for formulas in rows for formula in formulas)


def _read(target: Any, library: str, settings: dict[str, Any], base: float) -> Adapted:
    title = f"{target.__module__}.{target.__qualname__}".replace(".src.", ".")
    if library in ("torch", "transformers"):
        found = torch_scheduler(lambda optimizer: target(optimizer, **settings), base=base)
    elif library == "timm":
        found = timm_scheduler(lambda optimizer: target(optimizer, **settings), base=base)
    elif library == "optax":
        found = Adapted(target(**settings), title)
    else:
        keras, schedule = keras_library(), target(**settings)
        found = Adapted(lambda step: np.asarray(keras.ops.convert_to_numpy(schedule(step)))[()], title)
    slow = library in ("optax", "keras")
    return replace(found, title=title, slow=slow, library=library, target=target, settings=settings, base=base)
