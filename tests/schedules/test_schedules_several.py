"""Several schedulers of one optimizer, schedulers over torch's optimizers and rates, the warning about the order."""

import warnings

import numpy as np
import pytest
from schedule_cases import Groups

from tinygrad_lr import optim, tensor
from tinygrad_lr.optim.lr_scheduler import GradualWarmupScheduler, LRScheduler
from tinygrad_lr.schedules import constant, cosine, exponential, piecewise, polynomial, warmup
from tinygrad_lr.verify.properties.schedules import rates


def sgd(lr=0.1):
    return optim.SGD([tensor([1.0], requires_grad=True)], lr=lr)


def test_two_schedulers_multiply():
    optimizer, one, other = Groups(0.1, 0.02), warmup(3), cosine(10)
    first, second = LRScheduler(optimizer, one), LRScheduler(optimizer, other)
    for step in range(12):
        expected = [other(step) * (one(step) * base) for base in (0.1, 0.02)]
        assert rates(optimizer) == first.get_lr() == second.get_last_lr() == expected
        first.step()
        assert rates(optimizer) == [other(step) * (one(step + 1) * base) for base in (0.1, 0.02)]
        second.step()


def test_three_schedulers_the_articles_among_them():
    optimizer = Groups(0.1)
    three = [GradualWarmupScheduler(optimizer, 10, 4), LRScheduler(optimizer, lambda step: 0.9**step)]
    three.append(LRScheduler(optimizer, piecewise([3], [1.0, 0.1])))
    for step in range(8):
        expected = 0.1 * min(step / 4, 1) * 0.9**step * (1.0 if step < 3 else 0.1)
        assert rates(optimizer) == pytest.approx([expected], rel=1e-14)
        for each in three:
            each.step()


torch_chains = pytest.mark.parametrize("order", [(0, 1), (1, 0)])


@torch_chains
def test_they_multiply_as_torchs_do(order):
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    ours = sgd()
    builders = [
        (lambda: torch.optim.lr_scheduler.ExponentialLR(theirs, 0.9), lambda: LRScheduler(ours, lambda t: 0.9**t)),
        (lambda: torch.optim.lr_scheduler.StepLR(theirs, 3, 0.5), lambda: LRScheduler(ours, lambda t: 0.5 ** (t // 3))),
    ]
    pairs = [[build() for build in builders[i]] for i in order]
    for _ in range(12):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        theirs.step()
        ours.step()
        for pair in pairs:
            for each in pair:
                each.step()


def test_a_chain_resumes_bit_for_bit_whatever_is_loaded_first():
    one, other = polynomial(10), exponential(10, 0.1)
    optimizer = sgd()
    pair = LRScheduler(optimizer, one), LRScheduler(optimizer, other)
    seen, saved = [], None
    for step in range(9):
        if step == 4:
            saved = optimizer.state_dict(), [each.state_dict() for each in pair]
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for each in pair:
            each.step()
    for built_first in (True, False):
        again = sgd(0.7)
        if built_first:
            resumed = LRScheduler(again, one), LRScheduler(again, other)
            again.load_state_dict(saved[0])
        else:
            again.load_state_dict(saved[0])
            resumed = LRScheduler(again, one), LRScheduler(again, other)
        for each, state in zip(resumed, saved[1], strict=True):
            each.load_state_dict(state)
        for step in range(4, 9):
            assert again.param_groups[0]["lr"] == seen[step]
            again.step()
            for each in resumed:
                each.step()
    again = sgd(0.7)
    again.load_state_dict(saved[0])
    resumed = LRScheduler(again, one, last_epoch=3), LRScheduler(again, other, last_epoch=3)
    assert again.param_groups[0]["lr"] == seen[4] and resumed[0].last_epoch == 4


def test_two_equal_schedules_multiply_and_resume_as_two():
    optimizer = Groups(0.1)
    pair = LRScheduler(optimizer, cosine(10)), LRScheduler(optimizer, cosine(10))
    for each in pair:
        for _ in range(3):
            each.step()
    assert rates(optimizer) == [cosine(10)(3) * (cosine(10)(3) * 0.1)]
    again = Groups(0.1)
    again.load_state_dict(optimizer.state_dict())
    resumed = [LRScheduler(again, cosine(10), last_epoch=2) for _ in range(2)]
    assert rates(again) == rates(optimizer) and resumed[1].last_epoch == 3


def test_a_scheduler_that_another_one_replaces_leaves_no_factor_behind():
    """As in a notebook where the line is run again: at the end of a cosine the factor is 0."""
    optimizer = Groups(0.1)
    scheduler = LRScheduler(optimizer, cosine(2))
    for _ in range(5):
        scheduler.step()
    assert rates(optimizer) == [0.0]
    scheduler = LRScheduler(optimizer, cosine(4))
    assert rates(optimizer) == [0.1]
    scheduler.step()
    assert rates(optimizer) == [cosine(4)(1) * 0.1]


def test_the_end_of_schedulers_leaves_the_rates():
    optimizer = Groups(0.1)

    def train():
        pair = LRScheduler(optimizer, constant(0.5)), LRScheduler(optimizer, constant(0.5))
        for each in pair:
            each.step()

    train()
    assert rates(optimizer) == [0.025]
    LRScheduler(optimizer, constant(0.1))
    assert rates(optimizer) == [0.1 * 0.1]


def test_one_that_was_replaced_and_steps_again_is_back():
    optimizer = Groups(0.1)
    first = LRScheduler(optimizer, cosine(10))
    first.step()
    second = LRScheduler(optimizer, cosine(10), last_epoch=4)
    assert rates(optimizer) == [cosine(10)(5) * 0.1] == second.get_lr()
    first.step()
    assert rates(optimizer) == [cosine(10)(2) * 0.1]


def test_schedulers_of_two_optimizers_have_nothing_to_do_with_each_other():
    one, other = Groups(0.1), Groups(0.1)
    first, second = LRScheduler(one, constant(0.5)), LRScheduler(other, constant(0.25))
    first.step()
    second.step()
    assert (rates(one), rates(other)) == ([0.05], [0.025])


def test_one_that_failed_takes_no_part():
    optimizer = Groups(0.1)
    with pytest.raises(ValueError, match="factor at step 0"):
        LRScheduler(optimizer, lambda step: -1.0)
    kept = LRScheduler(optimizer, constant(0.5))
    assert rates(optimizer) == [0.05] == kept.get_lr()


def test_nested_schedules_are_one_scheduler():
    nested = (warmup(2).then(cosine(4).repeat(2)) * 0.5).shift(1) * polynomial(12)
    optimizer = Groups(0.1)
    scheduler = LRScheduler(optimizer, nested)
    for step in range(14):
        assert rates(optimizer) == [nested(step) * 0.1]
        scheduler.step()


# A plain function.


def test_a_function_is_called_with_one_whole_number():
    asked = []

    def halve(step):
        asked.append(step)
        return np.float32(0.5) if step else 1

    optimizer = Groups(0.1, 0.2)
    scheduler = LRScheduler(optimizer, halve)
    scheduler.step()
    assert rates(optimizer) == [0.05, 0.1] and asked == [0, 1] and {type(step) for step in asked} == {int}
    assert all(type(rate) is float for rate in rates(optimizer))


def test_lambda_lr_of_torch_has_the_same_rates():
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    rule = lambda step: 1 / (1 + step) if step < 5 else 0.1  # noqa: E731
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    ours = sgd()
    pair = torch.optim.lr_scheduler.LambdaLR(theirs, rule), LRScheduler(ours, rule)
    for _ in range(8):
        assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
        theirs.step()
        ours.step()
        for each in pair:
            each.step()


# Rates that are tensors.


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_rate_that_is_torchs_tensor_is_changed_in_place(shape):
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    w = torch.ones(1, requires_grad=True)
    rate = torch.full(shape, 0.5)
    optimizer = torch.optim.SGD([w], lr=rate)
    scheduler = LRScheduler(optimizer, cosine(4))
    for step in range(5):
        assert optimizer.param_groups[0]["lr"] is rate and rate.item() == np.float32(cosine(4)(step) * 0.5)
        assert rate.shape == shape and scheduler.base_lrs == [0.5]
        w.grad = torch.ones(1)
        before = w.item()
        optimizer.step()
        assert w.item() == pytest.approx(before - rate.item())
        scheduler.step()


def test_a_rate_that_is_an_array_is_changed_in_place():
    rate = np.array(0.5)
    optimizer = Groups(rate)
    scheduler = LRScheduler(optimizer, constant(0.5))
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate == 0.25
    optimizer = sgd(np.array([0.5]))
    LRScheduler(optimizer, constant(0.5))
    assert type(optimizer.param_groups[0]["lr"]) is float and optimizer.param_groups[0]["lr"] == 0.25
    with pytest.raises(TypeError, match="a group's base rate must be a real number"):
        LRScheduler(Groups(np.ones(2)), constant(0.5))


# The order of the steps.


@pytest.mark.parametrize("build", [lambda o: LRScheduler(o, cosine(5)), lambda o: GradualWarmupScheduler(o, 5, 2)])
def test_a_scheduler_that_steps_before_its_optimizer_warns_once(build):
    scheduler = build(sgd())
    with pytest.warns(UserWarning, match="call optimizer.step.. first") as caught:
        scheduler.step()
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_no_warning_where_the_optimizer_made_its_step_or_it_is_not_known():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = sgd()
        optimizer.step()  # without a gradient: it was called all the same
        LRScheduler(optimizer, cosine(5)).step()
        loaded = sgd()
        w = loaded.param_groups[0]["params"][0]
        w.grad = [1.0]
        loaded.step()
        fresh = sgd()
        fresh.load_state_dict(loaded.state_dict())
        LRScheduler(fresh, cosine(5)).step()
        LRScheduler(Groups(0.1), cosine(5)).step()
        resumed = LRScheduler(sgd(), cosine(5))
        resumed.load_state_dict({"last_epoch": 3})
        resumed.step()
