"""`EQUIVALENTS`: what the schedules of transformers, timm, optax and keras are here, a row each.

A row's `ours` is Python: an expression of the constructors of this room, in the other library's arguments. A test
evaluates it, with the arguments that the reference formulas (`verify/formulas/schedules.py`) have in that library, and
holds it to the formula; docs/schedules.md prints it. torch's schedulers are in `optim/lr_scheduler/table.py`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

from .base import Schedule

__all__ = ["EQUIVALENTS", "Equivalent"]


class Equivalent(NamedTuple):
    """A schedule of another library.

    Attributes:
        library, name: the class or function.
        ours: the expression. It gives factors of the optimizer's rate, `base`, where the library has schedulers
            (timm, transformers); where it has functions of the step that give rates (optax, keras) it gives rates.
        differs: what is not the same, or what else to write.
        formula: of rows with one name the formula that the expression is for, a row of REFERENCES; "": any.
    """

    library: str
    name: str
    ours: str
    differs: str = ""
    formula: str = ""

    def build(self, arguments: Mapping[str, Any], base: float = 1.0) -> Schedule:
        """The schedule for arguments of the other library.

        Example:
            >>> row = EQUIVALENTS[0]
            >>> row.name, row.build({})
            ('get_constant_schedule', constant())
        """
        from . import phases

        known = {name: getattr(phases, name) for name in phases.__all__}
        found = eval(  # a constant of this file
            self.ours, {"accumulate": itertools.accumulate, "mul": operator.mul, "base": base, **known, **arguments}
        )
        assert isinstance(found, Schedule)
        return found


_WARM = "warmup(num_warmup_steps)"
_REST = "num_training_steps - num_warmup_steps"
_RISES = "After num_training_steps theirs rises again."
_TIMM = "warmup(warmup_t, warmup_lr_init / base).then({}.shift(0 if warmup_prefix else -warmup_t))"
_K_DECAY = "Without k_decay and noise."
_PIECES = "accumulate([init_value, *boundaries_and_scales.values()], mul)"
_LIMIT = "With end_value: .clip(min=end_value), or max= where the rate grows."

EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent("transformers", "get_constant_schedule", "constant()"),
    Equivalent("transformers", "get_constant_schedule_with_warmup", f"{_WARM}.then(constant())"),
    Equivalent("transformers", "get_linear_schedule_with_warmup", f"{_WARM}.then(linear({_REST}))"),
    Equivalent(
        "transformers", "get_cosine_schedule_with_warmup", f"{_WARM}.then(cosine({_REST}))", f"{_RISES} num_cycles=0.5."
    ),
    Equivalent(
        "transformers",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        f"{_WARM}.then(cosine_hard_restarts({_REST}, num_cycles))",
    ),
    Equivalent(
        "transformers",
        "get_polynomial_decay_schedule_with_warmup",
        f"{_WARM}.then(polynomial({_REST}, power, lr_end / base))",
    ),
    Equivalent(
        "transformers",
        "get_inverse_sqrt_schedule",
        f"{_WARM}.then(inverse_square_root(timescale))",
        "timescale is num_warmup_steps where it is not given.",
    ),
    Equivalent(
        "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup",
        f"{_WARM}.then(cosine({_REST}, min_lr_rate))",
        f"{_RISES} min_lr_rate is min_lr / base.",
    ),
    Equivalent(
        "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        f"{_WARM}.then(cosine({_REST}, min_lr_rate))",
        f"{_RISES} Without warmup_lr_rate.",
    ),
    Equivalent(
        "transformers",
        "get_wsd_schedule",
        "warmup_stable_decay(num_warmup_steps, num_stable_steps, num_decay_steps, decay_type, "
        "min_lr_ratio, min_lr_ratio)",
        'warmup_type="linear".',
    ),
    Equivalent("timm", "CosineLRScheduler", _TIMM.format("cosine(t_initial, lr_min / base)"), _K_DECAY, "cosine"),
    Equivalent(
        "timm",
        "CosineLRScheduler",
        _TIMM.format("cosine_restarts(t_initial, cycle_mul, lr_min / base, num_cycles=cycle_limit)"),
        f"{_K_DECAY} Theirs lowers each cycle's peak to cycle_decay times the base rate; cycle_decay here lowers its "
        "height above the end, which is the same with lr_min=0.",
        "cosine_restarts",
    ),
    Equivalent("timm", "TanhLRScheduler", _TIMM.format("tanh(t_initial, lb, ub, lr_min / base)"), "One cycle."),
    Equivalent("timm", "PolyLRScheduler", _TIMM.format("polynomial(t_initial, power, lr_min / base)"), _K_DECAY),
    Equivalent("timm", "StepLRScheduler", _TIMM.format("step(decay_t, decay_rate)")),
    Equivalent(
        "timm",
        "MultiStepLRScheduler",
        _TIMM.format("multi_step([each - 1 for each in decay_t], decay_rate)"),
        "Theirs passes a milestone one step early.",
    ),
    Equivalent(
        "timm",
        "WSDLRScheduler",
        "warmup_stable_decay(warmup_t, t_initial - decay_t, decay_t, decay_fn, lr_min / base, warmup_lr_init / base)",
        "Of kozistr's cool-downs only those to lr_min.",
    ),
    Equivalent("optax", "constant_schedule", "constant(value)"),
    Equivalent(
        "optax",
        "linear_schedule",
        "linear(transition_steps, init_value, end_value)",
        "With transition_begin: .shift(transition_begin).",
    ),
    Equivalent(
        "optax",
        "polynomial_schedule",
        "polynomial(transition_steps, power, end_value / init_value) * init_value",
        "With transition_begin: .shift(transition_begin).",
    ),
    Equivalent("optax", "cosine_decay_schedule", "cosine(decay_steps, alpha) * init_value", "exponent=1."),
    Equivalent(
        "optax",
        "exponential_decay",
        "exponential_decay(decay_rate, transition_steps, staircase).shift(transition_begin) * init_value",
        _LIMIT,
    ),
    Equivalent("optax", "piecewise_constant_schedule", f"piecewise(boundaries_and_scales, {_PIECES})"),
    Equivalent(
        "optax", "piecewise_interpolate_schedule", f"interpolated(boundaries_and_scales, {_PIECES}, interpolate_type)"
    ),
    Equivalent(
        "optax",
        "cosine_onecycle_schedule",
        "interpolated([int(pct_start * transition_steps), transition_steps], "
        "[1 / div_factor, 1, 1 / div_factor / final_div_factor], 'cosine') * peak_value",
        "It ends at step T; torch's, and one_cycle here, at T - 1.",
    ),
    Equivalent(
        "optax",
        "linear_onecycle_schedule",
        "interpolated([int(pct_start * transition_steps), int(pct_final * transition_steps), transition_steps], "
        "[1 / div_factor, 1, 1 / div_factor, 1 / div_factor / final_div_factor]) * peak_value",
        "It ends at step T; torch's, and one_cycle here, at T - 1.",
    ),
    Equivalent("optax", "warmup_constant_schedule", "warmup(warmup_steps, init_value / peak_value) * peak_value"),
    Equivalent(
        "optax",
        "warmup_cosine_decay_schedule",
        "warmup(warmup_steps, init_value / peak_value)"
        ".then(cosine(decay_steps - warmup_steps, end_value / peak_value)) * peak_value",
        "Its decay_steps counts the warm-up too. exponent=1.",
    ),
    Equivalent(
        "optax",
        "warmup_exponential_decay_schedule",
        "warmup(warmup_steps, init_value / peak_value)"
        ".then(exponential_decay(decay_rate, transition_steps, staircase).shift(transition_begin)) * peak_value",
        _LIMIT,
    ),
    Equivalent(
        "keras", "ExponentialDecay", "exponential_decay(decay_rate, decay_steps, staircase) * initial_learning_rate"
    ),
    Equivalent(
        "keras", "InverseTimeDecay", "inverse_time_decay(decay_rate, decay_steps, staircase) * initial_learning_rate"
    ),
    Equivalent(
        "keras",
        "PolynomialDecay",
        "polynomial(decay_steps, power, end_learning_rate / initial_learning_rate) * initial_learning_rate",
        "cycle=False.",
    ),
    Equivalent(
        "keras",
        "PiecewiseConstantDecay",
        "piecewise([each + 1 for each in boundaries], values)",
        "A boundary belongs to what precedes it; here to what follows.",
    ),
    Equivalent(
        "keras", "CosineDecay", "cosine(decay_steps, alpha) * initial_learning_rate", "Without warmup_target.", "cosine"
    ),
    Equivalent(
        "keras",
        "CosineDecay",
        "warmup(warmup_steps, initial_learning_rate / warmup_target).then(cosine(decay_steps, alpha)) * warmup_target",
        "With warmup_target.",
        "warmup_stable_decay, cosine",
    ),
    Equivalent(
        "keras",
        "CosineDecayRestarts",
        "cosine_restarts(first_decay_steps, t_mul, alpha, m_mul) * initial_learning_rate",
    ),
)
