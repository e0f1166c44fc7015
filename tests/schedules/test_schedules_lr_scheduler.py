"""LRScheduler and GradualWarmupScheduler: the article's values, resume at every step (P36), P41, P43, errors."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_cases import Groups, finite_schedules

from tinygrad_lr.optim.lr_scheduler import CyclicLR, GradualWarmupScheduler, LRScheduler, MultiStepLR
from tinygrad_lr.schedules import constant, cosine, linear, piecewise, warmup
from tinygrad_lr.verify.properties.schedules import check_homogeneous, check_once_per_update, check_resume, rates


def real_optimizer():
    from tinygrad_lr import optim, zeros

    groups = [{"params": [zeros(2, requires_grad=True)]}, {"params": [zeros(3, requires_grad=True)], "lr": 0.003}]
    return optim.SGD(groups, lr=0.1, momentum=0.9)


@given(finite_schedules(), finite_schedules())
@settings(max_examples=20)
def test_resume_at_every_step_in_any_order(first, second):
    schedule = first.shift(-max(first.total_steps - 3, 0)).then(second.shift(-max(second.total_steps - 3, 0)))
    check_resume(lambda: Groups(0.1, 0.003), lambda optimizer: LRScheduler(optimizer, schedule), 8)


@pytest.mark.filterwarnings("ignore:scheduler.step:UserWarning")  # the optimizer makes no steps here
@pytest.mark.parametrize("new", [lambda: Groups(0.1, 0.003), real_optimizer], ids=["any groups", "SGD"])
def test_resume_of_the_article_and_of_what_torch_gets_wrong(new):
    check_resume(new, lambda optimizer: GradualWarmupScheduler(optimizer, 8, 5), 8)
    check_resume(new, lambda optimizer: LRScheduler(optimizer, linear(4, 0.1, 1.0)), 8)
    nested = warmup(2).then(piecewise([2, 4], [1.0, 0.1, 0.01], 5).then(cosine(3)).repeat(2))
    check_resume(new, lambda optimizer: LRScheduler(optimizer, nested), 14)


@given(st.floats(1e-6, 10), st.integers(0, 8))
def test_gradual_warmup_has_the_articles_values(base, warm):
    optimizer = Groups(base, 2 * base)
    scheduler = GradualWarmupScheduler(optimizer, 10, warm)
    for epoch in range(10):
        expected = [rate * epoch / warm if epoch < warm else rate for rate in (base, 2 * base)]
        assert scheduler.get_lr() == scheduler.get_last_lr() == rates(optimizer) == expected
        scheduler.step()


@given(finite_schedules(), st.floats(1e-3, 1))
@settings(max_examples=20)
def test_rates_follow_the_schedule_and_scale_with_the_base(schedule, base):
    def run(base_lr):
        optimizer = Groups(base_lr)
        scheduler = LRScheduler(optimizer, schedule)
        seen = []
        for step in range(12):
            assert rates(optimizer) == [schedule(step) * base_lr] and scheduler.last_epoch == step
            seen += rates(optimizer)
            scheduler.step()
        return seen

    check_homogeneous(run, base)


def test_resume_by_last_epoch():
    optimizer = Groups(0.1)
    straight = LRScheduler(optimizer, cosine(10))
    for _ in range(5):
        straight.step()
    resumed = LRScheduler(optimizer, cosine(10), last_epoch=4)
    assert resumed.last_epoch == 5 and resumed.get_lr() == straight.get_lr()
    with pytest.raises(ValueError, match="no 'initial_lr'"):
        LRScheduler(Groups(0.1), cosine(10), last_epoch=4)


def test_a_group_added_later_joins_with_its_own_base_rate():
    optimizer = Groups(0.1)
    scheduler = LRScheduler(optimizer, cosine(10))
    scheduler.step()
    optimizer.add_param_group({"lr": 0.02})
    assert scheduler.base_lrs == [0.1, 0.02]
    scheduler.step()
    assert rates(optimizer) == [cosine(10)(2) * 0.1, cosine(10)(2) * 0.02]


def test_a_manual_edit_lasts_until_the_next_step():
    optimizer = Groups(0.1)
    scheduler = LRScheduler(optimizer, constant(0.5))
    optimizer.param_groups[0]["lr"] = 7.0
    scheduler.step()
    assert rates(optimizer) == [0.05]


def test_micro_steps_advance_once():
    scheduler = LRScheduler(Groups(0.1), cosine(10))

    def micro_step(index):
        if (index + 1) % 3 == 0:
            scheduler.step()

    check_once_per_update(micro_step, lambda: scheduler.last_epoch, k=3, updates=4)


def test_state_is_one_integer():
    scheduler = LRScheduler(Groups(0.1), cosine(10))
    scheduler.step()
    assert scheduler.state_dict() == {"last_epoch": 1}
    scheduler.load_state_dict({"last_epoch": np.int64(4)})
    assert rates(scheduler.optimizer) == [cosine(10)(4) * 0.1] and "LRScheduler at epoch 4" in repr(scheduler)
    wrong = [{"last_epoch": value} for value in (-1, 1.0, True, "1")]
    for bad in ({}, {"last_epoch": 1, "gamma": 2}, *wrong, None, 3):
        with pytest.raises(ValueError, match="last_epoch"):
            scheduler.load_state_dict(bad)
        assert scheduler.last_epoch == 4


BAD = [
    (lambda: GradualWarmupScheduler("adam", 10, 5), TypeError, "str is not an Optimizer"),
    (lambda: GradualWarmupScheduler(SimpleNamespace(param_groups=[]), 10, 5), TypeError, "not an Optimizer"),
    (lambda: LRScheduler(SimpleNamespace(param_groups=[{"rate": 1}]), cosine(3)), TypeError, "no 'lr'"),
    (lambda: GradualWarmupScheduler(Groups(0.1), 10, -5), ValueError, "warmup_epochs"),
    (lambda: GradualWarmupScheduler(Groups(0.1), 10, 2.5), TypeError, "warmup_epochs"),
    (lambda: GradualWarmupScheduler(Groups(0.1), -1, 2), ValueError, "total_epochs"),
    (
        lambda: LRScheduler(Groups(0.1), 0.5),
        TypeError,
        "must be a Schedule .*, a function of one step, or a list .* got float",
    ),
    (lambda: LRScheduler(Groups(0.1), [0.5]), TypeError, "must be a Schedule .* got float"),
    (lambda: LRScheduler(Groups(0.1), lambda step: -1), ValueError, "factor at step 0 must be at least 0"),
    (
        lambda: LRScheduler(Groups(0.1), lambda step: float("nan")),
        ValueError,
        "factor at step 0 must be a finite number",
    ),
    (lambda: LRScheduler(Groups(0.1), lambda step: None), TypeError, "factor at step 0 must be a real number"),
    (lambda: LRScheduler(Groups(0.1), lambda step: [0.1]), TypeError, "factor at step 0 must be a real number"),
    (lambda: LRScheduler(Groups(0.1), cosine(3), last_epoch=-2), ValueError, "last_epoch must be -1"),
    (lambda: LRScheduler(Groups(0.1), cosine(3), last_epoch="0"), TypeError, "last_epoch"),
    (lambda: LRScheduler(Groups(float("nan")), cosine(3)), ValueError, "base rate must be a finite number"),
    (lambda: LRScheduler(Groups(-0.1), cosine(3)), ValueError, "base rate must be at least 0"),
    (lambda: MultiStepLR(Groups(0.1), 5), TypeError, "milestones must be a list of numbers, got 5"),
    (lambda: MultiStepLR(Groups(0.1), np.array(5)), TypeError, "milestones must be a list of numbers"),
    (lambda: MultiStepLR(Groups(0.1), [3, None]), TypeError, "a milestone must be a whole number .* got None"),
    (
        lambda: CyclicLR(Groups(0.1), 0.1, 0.2, mode=np.array([1, 2]), cycle_momentum=False),
        ValueError,
        "mode must be one of .* got array",
    ),
]


@pytest.mark.parametrize("call, error, message", BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_scheduler_stays_where_it_is_if_its_schedule_has_no_rate_there():
    optimizer = Groups(0.1)
    scheduler = LRScheduler(optimizer, lambda step: -1.0 if step == 2 else 1.0 / (step + 1))
    scheduler.step()
    for attempt in (scheduler.step, lambda: scheduler.load_state_dict({"last_epoch": 2})):
        with pytest.raises(ValueError, match="factor at step 2"):
            attempt()
        assert scheduler.last_epoch == 1 and optimizer.param_groups[0]["lr"] == 0.05
    scheduler.load_state_dict({"last_epoch": 3})
    assert optimizer.param_groups[0]["lr"] == 0.025
