"""check_scheduler: P36 and P41."""

import pytest

from tinygrad_lr import optim, schedules, tensor, verify


def new_optimizer(lr):
    return optim.SGD([tensor([1.0], requires_grad=True)], lr=lr)


@pytest.mark.parametrize("schedule", [schedules.cosine(6), schedules.polynomial(6), schedules.warmup(3)])
def test_p36_and_p41_ours(schedule):
    build = lambda optimizer: optim.lr_scheduler.LRScheduler(optimizer, schedule)  # noqa: E731
    report = verify.check_scheduler(new_optimizer, build, total_steps=8)
    assert report.ok and [each.property_id for each in report.findings] == ["P36", "P41"], str(report)


class Forgetful:
    """A scheduler that halves the rate, saves no state, and adds a rate of its own."""

    def __init__(self, optimizer, offset=0.0):
        self.optimizer, self.offset, self.count = optimizer, offset, 0

    def step(self):
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 * 0.5**self.count if not self.offset else group["lr"] / 2 + self.offset

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_p36_and_p41_a_wrong_scheduler_is_found():
    report = verify.check_scheduler(new_optimizer, Forgetful, total_steps=4)
    assert report["P36"].outcome == "failed" and "cut at 1" in report["P36"].where
    report = verify.check_scheduler(new_optimizer, lambda o: Forgetful(o, 0.01), total_steps=4)
    assert report["P41"].outcome == "failed"
    with pytest.raises(ValueError, match="total_steps must be a whole number of at least 1, got 0"):
        verify.check_scheduler(new_optimizer, Forgetful, total_steps=0)
    with pytest.raises(ValueError, match="P1 is checked by verify.check_optimizer; here there are P36, P41"):
        verify.check_scheduler(new_optimizer, Forgetful, total_steps=1, expected_failures={"P1": "?"})
    with pytest.raises(TypeError, match="needs new_optimizer"):
        verify.check_scheduler(None, Forgetful, total_steps=1)


def test_p36_torchs_lambda_lr_forgets_its_rate_when_it_is_built_after_loading():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")

    def new(lr):
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)

    report = verify.check_scheduler(  # which does not let torch's warning through: it makes no steps on purpose
        new, lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)), total_steps=4
    )
    assert "load optimizer, build scheduler" in report["P36"].where and report["P41"].outcome == "passed"


class Uneven(Forgetful):
    """Adds a rate of its own to that of the second group, from its second step on."""

    def step(self):
        self.count += 1
        for index, group in enumerate(self.optimizer.param_groups):
            group["lr"] = group["lr"] / 2 + 0.01 * (index == 1 and self.count > 1)


def test_a_step_of_a_scheduler_is_told_as_the_caller_counts():
    def two_groups(lr):
        return optim.SGD([{"params": [tensor([1.0], requires_grad=True)]} for _ in range(2)], lr=lr)

    finding = verify.check_scheduler(two_groups, Uneven, total_steps=4)["P41"]
    assert finding.where == "step 2 (group 1)" and finding.example == {"step": 2}
    finding = verify.check_scheduler(new_optimizer, Forgetful, total_steps=4)["P36"]
    assert finding.example == {"step": 2} and finding.where.startswith("step 2 (cut at 1, build both")
    every = lambda optimizer, scheduler, index: scheduler.step()  # noqa: E731
    finding = verify.check_scheduler(new_optimizer, Forgetful, total_steps=4, micro_step=every)["P43.accumulation"]
    assert finding.where == "step 0 (a micro-step, of update 0)"
