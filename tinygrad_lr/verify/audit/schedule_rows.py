"""The schedules of the audit: torch's, optax's, timm's, transformers's and keras's, in configurations that users use.

Each claims a row of REFERENCES in its library's dialect. Next: rows.py, judgements.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ScheduleRow:
    """One schedule and its claim.

    Attributes:
        target: "module:Name", or "subjects:name" for a function of schedule_subjects.py that returns the schedule.
        formula: the name of the reference that it claims; "": only what holds for every schedule is asked.
        total_steps: that are read.
        options: further arguments of `check_schedule`: the formula's, `cycles=`, `parts=`, `base=`, ...
        note: what the reader of the claim must know.
    """

    target: str
    formula: str
    total_steps: int
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def title(self) -> str:
        """Its name, the shape of the formula, and what is set.

        Example:
            >>> ScheduleRow("torch.optim.lr_scheduler:StepLR", "step", 30, {"step_size": 10}).title
            'StepLR(step_size=10)'
        """
        said = [shape for shape in [self.formula.partition(", ")[2]] if shape]
        said += [f"{key}={value}" for key, value in self.options.items() if key != "dialect"]
        return f"{self.name}({', '.join(said)})" if said else self.name

    @property
    def name(self) -> str:
        """The schedule's own name."""
        return self.target.partition(":")[2]


def _rows(place: str, dialect: str | None, *rows: tuple[str, str, int, dict[str, Any]]) -> tuple[ScheduleRow, ...]:
    """Rows of one module: name, formula, steps and options of each."""
    said = {"dialect": dialect} if dialect else {}
    return tuple(ScheduleRow(place + name, formula, steps, {**said, **more}) for name, formula, steps, more in rows)


_WSD = "warmup_stable_decay, {}".format

TORCH_SCHEDULES = _rows(
    "torch.optim.lr_scheduler:",
    "torch",
    ("ConstantLR", "piecewise", 20, {"milestones": [5], "values": [0.25, 1.0]}),
    ("LinearLR", "linear", 20, {"start": 0.25, "end": 1.0}),
    ("LinearLR", "linear", 100, {"start": 1.0, "end": 0.0}),
    ("LinearLR", "warmup", 20, {"steps": 10, "start": 0.01}),
    ("ExponentialLR", "exponential_decay", 100, {"decay_rate": 0.95}),
    ("StepLR", "step", 100, {"step_size": 30, "gamma": 0.1}),
    ("MultiStepLR", "multi_step", 100, {"milestones": [30, 80], "gamma": 0.1}),
    ("PolynomialLR", "polynomial", 100, {"power": 0.9}),
    ("CosineAnnealingLR", "cosine", 100, {"end": 0.0, "base": 0.1}),
    ("CosineAnnealingLR", "cosine", 1000, {"end": 0.01}),
    ("CosineAnnealingWarmRestarts", "cosine_restarts", 100, {"first_steps": 10}),
    ("CosineAnnealingWarmRestarts", "cosine_restarts", 200, {"first_steps": 10, "cycle_mul": 2, "end": 0.01}),
    ("CyclicLR", "cyclic, triangular", 200, {"low": 0.1, "up": 20, "down": 30}),
    ("CyclicLR", "cyclic, triangular2", 200, {"low": 0.1, "up": 25, "down": 25}),
    ("CyclicLR", "cyclic, exp_range", 200, {"low": 0.1, "up": 20, "down": 20, "gamma": 0.99}),
    ("OneCycleLR", "one_cycle", 100, {}),
    ("OneCycleLR", "one_cycle", 100, {"anneal": "linear"}),
    ("OneCycleLR", "one_cycle", 100, {"three_phase": True}),
)
OPTAX_SCHEDULES = _rows(
    "optax:",
    "optax",
    ("constant_schedule", "constant", 10, {"factor": 0.1}),
    ("linear_schedule", "linear", 100, {"start": 1.0, "end": 0.1}),
    ("polynomial_schedule", "polynomial", 100, {"power": 2.0, "end": 0.1}),
    ("cosine_decay_schedule", "cosine", 100, {"end": 0.1}),
    ("cosine_decay_schedule", "cosine", 100, {"end": 0.1, "exponent": 2.0}),
    ("exponential_decay", "exponential_decay", 100, {"decay_rate": 0.9, "decay_steps": 10}),
    (
        "exponential_decay",
        "exponential_decay",
        100,
        {"decay_rate": 0.5, "decay_steps": 10, "staircase": True, "limit": 0.1},
    ),
    ("piecewise_constant_schedule", "piecewise", 100, {"milestones": [30, 60], "values": [1.0, 0.1, 0.01]}),
    ("piecewise_interpolate_schedule", "interpolated", 100, {"milestones": [30, 60], "values": [0.1, 1.0, 0.01]}),
    (
        "piecewise_interpolate_schedule",
        "interpolated",
        100,
        {"milestones": [30, 60], "values": [0.1, 1.0, 0.01], "anneal": "cosine"},
    ),
    ("cosine_onecycle_schedule", "one_cycle", 100, {}),
    ("linear_onecycle_schedule", "one_cycle", 100, {"anneal": "linear", "three_phase": True}),
    ("warmup_constant_schedule", "warmup", 20, {"steps": 10}),
    (
        "warmup_cosine_decay_schedule",
        _WSD("cosine"),
        100,
        {"warmup_steps": 10, "stable_steps": 0, "decay_steps": 90, "end": 0.1},
    ),
    ("warmup_cosine_decay_schedule", "cosine", 90, {"warmup_steps": 10, "end": 0.1, "exponent": 2.0}),
    (
        "warmup_exponential_decay_schedule",
        "exponential_decay",
        100,
        {"warmup_steps": 10, "decay_rate": 0.9, "decay_steps": 10},
    ),
)
KERAS_SCHEDULES = _rows(
    "keras.optimizers.schedules:",
    "keras",
    ("ExponentialDecay", "exponential_decay", 100, {"decay_rate": 0.96, "decay_steps": 10, "base": 0.1}),
    ("ExponentialDecay", "exponential_decay", 100, {"decay_rate": 0.96, "decay_steps": 10, "staircase": True}),
    ("InverseTimeDecay", "inverse_time_decay", 100, {"decay_rate": 0.5, "decay_steps": 10}),
    ("InverseTimeDecay", "inverse_time_decay", 100, {"decay_rate": 0.5, "decay_steps": 10, "staircase": True}),
    ("PolynomialDecay", "polynomial", 100, {"power": 0.5, "end": 0.01}),
    ("PolynomialDecay", "polynomial", 100, {"power": 1.0, "end": 0.01, "cycle": True}),
    ("PiecewiseConstantDecay", "piecewise", 100, {"milestones": [30, 60], "values": [1.0, 0.5, 0.1]}),
    ("CosineDecay", "cosine", 100, {"end": 0.1}),
    ("CosineDecay", _WSD("cosine"), 100, {"warmup_steps": 10, "stable_steps": 0, "decay_steps": 90, "end": 0.1}),
    ("CosineDecayRestarts", "cosine_restarts", 100, {"first_steps": 10, "cycle_mul": 1.0, "end": 0.1}),
    ("CosineDecayRestarts", "cosine_restarts", 200, {"first_steps": 10, "cycle_mul": 2.0, "cycle_decay": 0.9}),
)
TIMM_SCHEDULES = _rows(
    "timm.scheduler:",
    "timm",
    ("CosineLRScheduler", "cosine", 100, {"end": 0.01}),
    ("CosineLRScheduler", "cosine", 100, {"end": 0.01, "warmup_steps": 5, "warmup_start": 0.001}),
    ("CosineLRScheduler", "cosine", 100, {"end": 0.01, "warmup_steps": 5, "clock": "from zero", "t_in_epochs": False}),
    ("CosineLRScheduler", "cosine", 100, {"end": 0.01, "k_decay": 1.5}),
    ("CosineLRScheduler", "cosine_restarts", 100, {"first_steps": 10, "cycle_decay": 0.5, "end": 0.01}),
    ("CosineLRScheduler", "cosine_restarts", 200, {"first_steps": 10, "cycle_mul": 2.0, "num_cycles": 4}),
    ("TanhLRScheduler", "tanh", 100, {"lower": -7.0, "upper": 3.0, "end": 0.01}),
    ("PolyLRScheduler", "polynomial", 100, {"power": 0.5, "end": 0.01}),
    ("PolyLRScheduler", "polynomial", 100, {"power": 2.0, "k_decay": 1.5}),
    ("StepLRScheduler", "step", 100, {"step_size": 30, "gamma": 0.1, "warmup_steps": 5}),
    ("MultiStepLRScheduler", "multi_step", 100, {"milestones": [30, 60], "gamma": 0.1}),
    ("WSDLRScheduler", _WSD("cosine"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30, "end": 0.1}),
    ("WSDLRScheduler", _WSD("linear"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30}),
    ("WSDLRScheduler", _WSD("1-sqrt"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30}),
)
TRANSFORMERS_SCHEDULES = _rows(
    "transformers.optimization:",
    "transformers",
    ("get_constant_schedule", "constant", 10, {}),
    ("get_constant_schedule_with_warmup", "warmup", 20, {"steps": 10}),
    ("get_linear_schedule_with_warmup", "linear", 90, {"warmup_steps": 10}),
    ("get_cosine_schedule_with_warmup", "cosine", 90, {"warmup_steps": 10}),
    (
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "cosine_hard_restarts",
        90,
        {"warmup_steps": 10, "num_cycles": 3},
    ),
    (
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "cosine_hard_restarts",
        980,
        {"warmup_steps": 10, "num_cycles": 49},
    ),
    ("get_polynomial_decay_schedule_with_warmup", "polynomial", 90, {"warmup_steps": 10, "power": 2.0, "end": 1e-7}),
    ("get_inverse_sqrt_schedule", "inverse_square_root", 100, {"warmup_steps": 10, "timescale": 10}),
    ("get_cosine_with_min_lr_schedule_with_warmup", "cosine", 90, {"warmup_steps": 10, "end": 0.1}),
    ("get_cosine_with_min_lr_schedule_with_warmup_lr_rate", "cosine", 90, {"warmup_steps": 10, "end": 0.1}),
    ("get_wsd_schedule", _WSD("cosine"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30}),
    ("get_wsd_schedule", _WSD("linear"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30}),
    ("get_wsd_schedule", _WSD("1-sqrt"), 60, {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30}),
)

# Schedules that are made of others, or of a function (schedule_subjects.py).
MADE: dict[str, tuple[ScheduleRow, ...]] = {
    "torch": _rows(
        "subjects:",
        "torch",
        ("sequential_warmup_cosine", "cosine", 90, {"warmup_steps": 10, "warmup_start": 0.01}),
        (
            "sequential_warmup_restarts",
            "cosine_restarts",
            100,
            {"first_steps": 20, "warmup_steps": 5, "warmup_start": 0.1},
        ),
        ("sequential_constant_exponential", "exponential_decay", 100, {"decay_rate": 0.9, "begin": 20}),
        (
            "sequential_three_parts",
            _WSD("linear"),
            60,
            {"warmup_steps": 10, "stable_steps": 20, "decay_steps": 30, "start": 0.01},
        ),
        (
            "chained_constant_multi_step",
            "piecewise",
            100,
            {"milestones": [10, 30, 80], "values": [0.5, 1.0, 0.1, 0.01]},
        ),
        ("lambda_linear", "linear", 100, {}),
        ("lambda_noam", "noam", 1000, {"warmup_steps": 400, "dimension": 512}),
        ("multiplicative", "exponential_decay", 100, {"decay_rate": 0.95}),
        ("swa_cosine", "cosine", 10, {"end": 0.05, "past_end": "holds"}),
        ("swa_linear", "linear", 10, {"end": 0.05}),
        ("plateau", "step", 100, {"step_size": 10, "gamma": 0.1}),
    ),
    "transformers": _rows(
        "subjects:",
        "transformers",
        ("trainer_linear", "linear", 90, {"warmup_steps": 10}),
        ("trainer_cosine", "cosine", 90, {"warmup_steps": 10}),
        ("trainer_polynomial", "polynomial", 90, {"warmup_steps": 10, "power": 2.0, "end": 0.1}),
        ("trainer_restarts", "cosine_hard_restarts", 90, {"warmup_steps": 10, "num_cycles": 3}),
    ),
    "optax": _rows(
        "subjects:",
        "optax",
        ("joined_warmup_cosine", "cosine", 90, {"warmup_steps": 10}),
        ("joined_constant_exponential", "exponential_decay", 100, {"decay_rate": 0.9, "begin": 20}),
        ("sgdr", "cosine_restarts", 30, {"first_steps": 10, "num_cycles": 3}),
        ("injected", "linear", 20, {}),
    ),
    "keras": _rows(
        "subjects:",
        "keras",
        ("keras_callback", "step", 100, {"step_size": 10, "gamma": 0.5}),
        ("keras_plateau", "step", 100, {"step_size": 10, "gamma": 0.1}),
    ),
    "timm": _rows(
        "subjects:",
        "timm",
        ("timm_script_cosine", "cosine", 100, {"warmup_steps": 5, "warmup_start": 0.001, "end": 0.01}),
        ("timm_script_step", "step", 100, {"step_size": 30, "gamma": 0.1}),
        ("timm_script_poly", "polynomial", 100, {"power": 0.5, "end": 0.01}),
    ),
    "thinc": _rows(
        "subjects:",
        None,
        ("thinc_constant", "constant", 10, {"factor": 0.1}),
        ("thinc_constant_then", "piecewise", 40, {"milestones": [20], "values": [1.0, 0.1]}),
        ("thinc_decaying", "inverse_time_decay", 100, {"decay_rate": 0.5}),
        ("thinc_compounding", "exponential_decay", 100, {"decay_rate": 0.9, "limit": 0.1}),
        ("thinc_warmup_linear", "linear", 90, {"warmup_steps": 10}),
        ("thinc_cyclic", "cyclic, triangular", 100, {"low": 0.1, "up": 20, "down": 20}),
    ),
    "torchopt": _rows(
        "subjects:",
        None,
        ("torchopt_linear", "linear", 100, {"end": 0.1}),
        ("torchopt_polynomial", "polynomial", 100, {"power": 2.0, "end": 0.1}),
        ("torchopt_exponential", "exponential_decay", 100, {"decay_rate": 0.9, "decay_steps": 10, "staircase": True}),
    ),
    "fastai": _rows(
        "subjects:",
        None,
        ("fastai_cosine", "cosine", 100, {"end": 0.1}),
        ("fastai_linear", "linear", 100, {"end": 0.1}),
        ("fastai_exponential", "exponential", 100, {"end": 0.01}),
        (
            "fastai_one_cycle",
            "one_cycle",
            100,
            {"peak_at": 0.25, "div_factor": 25.0, "final_div_factor": 4000.0, "ends_at": "T"},
        ),
        ("fastai_flat_cosine", _WSD("cosine"), 100, {"warmup_steps": 0, "stable_steps": 75, "decay_steps": 25}),
    ),
    "scikit-learn": _rows("subjects:", None, ("sklearn_inverse_scaling", "inverse_square_root", 100, {"timescale": 1})),
}
