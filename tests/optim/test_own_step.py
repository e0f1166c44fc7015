"""An optimizer written torch's way: a dict of defaults, a `step` of its own, `self.state[p]` as a dict it fills."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

from tinygrad_lr import compile_step, nn, no_grad, optim, schedules, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim.lr_scheduler import LRScheduler
from tinygrad_lr.training import fit


class Heavy(optim.Optimizer):
    """Gradient descent with momentum, as one writes it for torch."""

    def __init__(self, params, lr=0.1, momentum=0.5, foreach=None):
        super().__init__(params, dict(lr=lr, momentum=momentum, foreach=foreach))

    def step(self, closure=None):
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                entry = self.state[p]
                if len(entry) == 0:
                    entry["step"], entry["buffer"] = 0, np.zeros_like(p.data)
                entry["step"] += 1
                entry["buffer"] = group["momentum"] * entry["buffer"] + p.grad
                p.data -= group["lr"] * entry["buffer"]
        return loss


def leaf(*values):
    return tensor(list(values), requires_grad=True)


def batches():
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("f4")
    return DataLoader(TensorDataset(x, x[:, :1]), 4, shuffle=True, seed=0)


def test_it_makes_the_steps_of_the_kernel():
    ours, theirs = leaf(1.0, 2.0), leaf(1.0, 2.0)
    own, kernel = Heavy([ours]), optim.SGD([theirs], lr=0.1, momentum=0.5, lr_placement="outside")
    for seed in range(5):
        ours.grad = theirs.grad = np.random.default_rng(seed).normal(size=2)
        own.step()
        kernel.step()
        assert np.allclose(ours.data, theirs.data, rtol=1e-6)
    assert own.state[ours]["step"] == 5 and own.param_groups[0]["lr"] == 0.1 and own.defaults["foreach"] is None


@pytest.mark.parametrize("in_place", ["p.data -=", "p -=", "p.data ="])
def test_every_way_to_change_a_parameter(in_place):
    class Plain(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @no_grad()
        def step(self):
            for p in self.param_groups[0]["params"]:
                if in_place == "p.data -=":
                    p.data -= self.param_groups[0]["lr"] * p.grad
                elif in_place == "p -=":
                    p -= self.param_groups[0]["lr"] * p.grad
                else:
                    p.data = p.data - self.param_groups[0]["lr"] * p.grad

    w = leaf(1.0)
    optimizer = Plain([w], 0.5)
    (w * 2.0).sum().backward()
    optimizer.step()
    assert w.tolist() == [0.0]


def test_fit_trains_with_it_and_compiled_says_why_not():
    model = nn.Linear(3, 1)
    optimizer = Heavy(model.parameters())
    history = fit(model, nn.MSELoss(), optimizer, batches(), epochs=30, progress=False, schedule=schedules.cosine(60))
    assert history.loss[-1] < 0.1 * history.loss[0] and optimizer.param_groups[0]["lr"] < 0.01
    for attempt in (
        lambda: fit(model, nn.MSELoss(), optimizer, batches(), epochs=1, compiled=True),
        lambda: compile_step(model, nn.MSELoss(), optimizer)(np.ones((2, 3), "f4"), np.ones((2, 1), "f4")),
    ):
        with pytest.raises(CannotCompile, match="Heavy has its own step, and machine code calls neither"):
            attempt()


def test_zero_grad_groups_and_schedulers():
    a, b = leaf(1.0), leaf(2.0)
    optimizer = Heavy([a], lr=np.array([0.5]))
    optimizer.add_param_group({"params": [("b", b)], "lr": 0.25, "layer": 2})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25] and optimizer.param_groups[1]["momentum"] == 0.5
    a.grad = b.grad = [3.0]
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == b.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert a.grad is b.grad is None
    scheduler = LRScheduler(optimizer, lambda step: 0.5**step)
    scheduler.step()  # whether it has made a step is not known: no warning
    assert [g["lr"] for g in optimizer.param_groups] == [0.25, 0.125]
    for group in optimizer.param_groups:
        with pytest.raises(ValueError, match="lr must be a finite number"):
            group |= {"lr": float("nan")}
        with pytest.raises(TypeError, match="did you mean 'momentum'"):
            group["momentun"] = 0.1
    with pytest.raises(ValueError, match="more than once"):
        optimizer.add_param_group({"params": [a]})
    assert optimizer.step(lambda: 7) == 7 and "group 1: 1 parameters" in repr(optimizer)


def stepped(steps=3):
    params = [leaf(1.0, 2.0), leaf(3.0)]
    optimizer = Heavy([{"params": params[:1]}, {"params": params[1:], "lr": 0.3}])
    optimizer.state["counts"] = {"all": 3}
    go_on(params, optimizer, range(steps))
    return params, optimizer


def go_on(params, optimizer, seeds):
    for seed in seeds:
        for p in params:
            p.grad = np.random.default_rng(seed).normal(size=p.shape)
        optimizer.step()
    return [p.data.tobytes() for p in params]


@pytest.mark.parametrize("through", ["itself", "pickle"])
def test_its_state_is_saved_and_loaded(through):
    params, optimizer = stepped()
    saved = optimizer.state_dict()
    assert saved["state"][0].keys() == {"step", "buffer"} and saved["state"]["counts"] == {"all": 3}
    saved = pickle.loads(pickle.dumps(saved)) if through == "pickle" else saved
    others, other = stepped(1)
    for p, q in zip(params, others, strict=True):
        q.data = p.data
    other.load_state_dict(saved)
    saved["state"][0]["buffer"][:] = 7.0
    assert go_on(params, optimizer, range(5, 8)) == go_on(others, other, range(5, 8))
    before = copy.deepcopy(other.state_dict())
    for broken in ({5: {}}, {0: None}):
        with pytest.raises((TypeError, ValueError), match=r"parameters \[5\]|must be a dict, got None"):
            other.load_state_dict({**saved, "state": broken})
    assert str(other.state_dict()) == str(before)


@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))], ids=["deepcopy", "pickle"]
)
def test_a_copy_goes_on_bit_for_bit(how):
    params, optimizer = stepped()
    others, other = how((params, optimizer))
    assert type(other) is Heavy and go_on(others, other, [7]) == go_on(params, optimizer, [7])
    assert other.state.keys() - {"counts"} == set(others)


def test_its_state_can_be_reset_as_in_torch():
    params, optimizer = stepped()
    optimizer.state = {}
    assert optimizer.state[params[0]] == {}
    optimizer.state.clear()
    go_on(params, optimizer, [1])
    assert optimizer.state[params[0]]["step"] == 1


def test_it_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        params, optimizer = stepped()
        group, seen = (
            optimizer.param_groups[0],
            [weakref.ref(optimizer), weakref.ref(optimizer.state[params[0]]["buffer"])],
        )
        del optimizer
        assert [each() for each in seen] == [None, None] and group["lr"] == 0.1
    finally:
        gc.enable()


def test_mistakes_are_named():
    class NoStep(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, dict(lr=0.1))

    with pytest.raises(NotImplementedError, match="NoStep has neither a kernel nor a step; write step"):
        NoStep([leaf(1.0)]).step()
    with pytest.raises(ValueError, match="lr must be at least 0"):
        Heavy([leaf(1.0)], lr=-1)
    with pytest.raises(TypeError, match="an optimizer updates Tensors"):
        Heavy([np.ones(3)])
    params, optimizer = stepped()
    optimizer.state[leaf(1.0)] = {}
    with pytest.raises(ValueError, match="that is in no group"):
        optimizer.state_dict()


def test_a_subclass_of_ours_may_have_its_own_step():
    class Loud(optim.SGD):
        def __init__(self, params, lr: float = 0.5) -> None:
            super().__init__(params, lr=lr)
            self.said = 0

        def step(self, closure=None):
            self.said += 1
            return super().step(closure)

    w = leaf(1.0)
    optimizer = Loud([w])
    w.grad = [1.0]
    optimizer.step()
    other = copy.deepcopy(optimizer)
    assert w.item() == 0.5 and other.said == 1 and optimizer.has_stepped
