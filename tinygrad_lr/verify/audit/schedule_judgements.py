"""What a person judged of each accusation of a schedule, with the lines that it was held to. Next: judgements.py."""

from __future__ import annotations

from .judging import Judgement

_FORMULA = ("P35", "P35.built")

SCHEDULE_JUDGEMENTS: tuple[Judgement, ...] = (
    Judgement(
        "torch",
        "OneCycleLR",
        _FORMULA,
        "disputed",
        "It has a rate one step past its end: its last step() is past the minimum, and with lines below 0.",
        "torch: total_steps is 'the total number of steps in the cycle'; the ValueError comes one step later.",
        "None in a loop of total_steps steps, for that rate is never used; one more step trains with it.",
    ),
    Judgement(
        "transformers",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        _FORMULA,
        "true",
        "The rounded progress times num_cycles may fall below a whole number: that cycle begins with the rate 0.",
        "transformers, its docstring: the cosine restarts from the initial rate; optimization.py, '% 1.0' of a float.",
        "With 49 cycles of 20 steps some cycles begin one step late, after two steps at (nearly) 0.",
        only="num_cycles=49",
    ),
    Judgement(
        "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        _FORMULA,
        "true",
        "Its warm-up begins at 1/W in the place of 0, and its cosine is one step ahead: the minimum comes at T - 1.",
        "transformers, its docstring: 'increases linearly between 0 and the initial lr'.",
        "The first step is not wasted; all rates are those of the step after.",
    ),
    Judgement(
        "timm",
        "CosineLRScheduler",
        ("P35.built",),
        "true",
        "It finds the cycle by the floor of a logarithm, which rounding makes one too small at some restarts.",
        "arXiv:1608.03983, section 3: a restart every T_i steps, T_i = T_0 T_mult^i.",
        "With cycle_mul=3 the restart at 10 (3^5 - 1) / 2 = 1210 comes a step late, at the lowest rate.",
        only="cycle_decay",
    ),
    Judgement(
        "timm",
        "TanhLRScheduler",
        _FORMULA,
        "documented",
        "The first epoch has the base rate itself, not the curve's first value, which is 8e-7 smaller.",
        "timm, Scheduler: step() is called at the end of each epoch 'to calculate next epoch's value'.",
        "None.",
    ),
    Judgement(
        "keras",
        "CosineDecayRestarts",
        _FORMULA,
        "true",
        "It finds the cycle by the floor of a quotient of float32 logarithms: some restarts come a step early or late.",
        "arXiv:1608.03983, section 3: a restart every T_i steps; keras says 'ops.log is sensitive to the precision'.",
        "With t_mul=2 and a first cycle of 10 the fifteenth restart, at step 327670, is a step late.",
    ),
    Judgement(
        "optax",
        "linear_onecycle_schedule",
        ("P35.built",),
        "true",
        "Two of its boundaries fall on one step, one key of a dict, and one of its factors is lost.",
        "optax, linear_onecycle_schedule: boundaries int(pct_start T) and int(pct_final T) are the keys of one dict.",
        "None from two steps on: with total_steps=1 alone all rates are 25 times too small.",
    ),
    Judgement(
        "optax",
        "injected",
        ("P35", "P37"),
        "disputed",
        "Compiled, the rate after the end is -1.5e-8 and not 0: XLA multiplies by 1/20 where the source divides by 20.",
        "optax, linear_schedule: (init_value - end_value) (1 - count / transition_steps) + end_value, which is 0 when "
        "it is not compiled (the row linear_schedule)",
        "After the end of a schedule that ends at 0 steps climb by a hundred-millionth of the first rate; stop there, "
        "or let it end above 0.",
    ),
)
