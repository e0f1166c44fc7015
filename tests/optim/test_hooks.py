"""Hooks of optimizers beside torch's: the same calls, in the same order, with the same arguments."""

import copy
import importlib
import pickle
import threading

import numpy as np
import pytest

from tinygrad_lr import compile_step, nn, ones, optim, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim import optimizer as ours_module
from tinygrad_lr.optim.hooks import STEP_HOOKS
from tinygrad_lr.training import fit

ALL_STEPS = ("register_optimizer_step_pre_hook", "register_optimizer_step_post_hook")
OWN_STEPS = ("register_step_pre_hook", "register_step_post_hook")
DICTS = (
    "register_state_dict_pre_hook",
    "register_state_dict_post_hook",
    "register_load_state_dict_pre_hook",
    "register_load_state_dict_post_hook",
)


class Plain(optim.Optimizer):
    """An optimizer written as in torch, whose step is Python."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=lr))

    def step(self, closure=None):
        loss = closure() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                p.data -= group["lr"] * p.grad
        return loss


class Twice(optim.SGD):
    """An optimizer whose step makes the step of its class twice."""

    def step(self, closure=None):
        super().step()
        return super().step(closure)


def weights():
    w = tensor([1.0, 2.0], requires_grad=True)
    w.grad = [1.0, -1.0]
    return w


def of_torch(torch):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = torch.tensor([1.0, -1.0])
    return torch.optim.SGD([w], lr=0.5), importlib.import_module("torch.optim.optimizer")


def every_call(optimizer, module):
    """What hooks of every kind are called with, in which order, by steps, state_dict and load_state_dict."""
    calls = []

    def told(name):
        def hook(who, *arguments):
            shown = [
                [("optimizer" if x is optimizer else "closure" if callable(x) else x) for x in each]
                if isinstance(each, tuple)
                else sorted(each)
                for each in arguments
            ]
            calls.append((name, who is optimizer, shown))

        return hook

    handles = []
    for times in ("1", "2"):
        handles += [getattr(optimizer, name)(told(name + times)) for name in (*OWN_STEPS, *DICTS)]
        handles += [getattr(module, name)(told(name + times)) for name in ALL_STEPS]
    handles += [getattr(optimizer, name)(told(name + " first"), prepend=True) for name in DICTS]
    try:
        optimizer.step()
        assert optimizer.step(lambda: 3.0) == 3.0
        optimizer.load_state_dict(optimizer.state_dict())
        handles[0].remove()
        handles[0].remove()
        optimizer.step()
    finally:
        for each in handles:
            each.remove()
    count = len(calls)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert len(calls) == count
    return calls


def test_hooks_are_called_as_torch_calls_them():
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    theirs = every_call(*of_torch(torch))
    assert len(theirs) == 3 * 8 - 1 + 4 * 3
    for cls in (optim.SGD, Plain, Twice):
        assert every_call(cls([weights()], lr=0.5), ours_module) == theirs


def renamed(optimizer):
    """Hooks that change what goes in and out: new arguments, a new dict, a dict changed in place."""
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((*args, lambda: 7.0), kwargs))
    optimizer.register_state_dict_post_hook(lambda o, saved: {"theirs": saved})
    optimizer.register_state_dict_post_hook(lambda o, saved: saved.update(more=1))
    optimizer.register_load_state_dict_pre_hook(lambda o, saved: saved.pop("more") and None)
    optimizer.register_load_state_dict_pre_hook(lambda o, saved: saved["theirs"])
    saved = optimizer.state_dict()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.load_state_dict(saved)
    return optimizer.step(), sorted(saved), optimizer.param_groups[0]["lr"]


def test_what_hooks_return_counts_as_in_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    theirs = renamed(of_torch(torch)[0])
    assert theirs == (7.0, ["more", "theirs"], 0.5)
    for cls in (optim.SGD, Plain):
        assert renamed(cls([weights()], lr=0.5)) == theirs


def test_a_closure_given_by_its_name_comes_by_its_place():
    """Here our step differs from torch's, whose hooks find it in kwargs; a class's own step does as torch."""
    closure, seen = (lambda: 1.0), []
    for cls in (optim.SGD, Plain):
        optimizer = cls([weights()])
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append((args[1:], kwargs)))
        optimizer.step(closure=closure)
    assert seen == [((closure,), {}), ((), {"closure": closure})]


def test_named_arguments_of_a_step_are_told_and_can_be_changed():
    optimizer, seen = optim.SGD([w := weights()], lr=1.0), []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {**kwargs, "max_norm": 2.0**-0.5}))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(kwargs))
    optimizer.step(zero_grad=True)
    assert seen == [{"zero_grad": True, "max_norm": 2.0**-0.5}] and w.grad is None
    np.testing.assert_allclose(w.data, [0.5, 2.5], rtol=1e-6)


@pytest.mark.parametrize("said", [1, (1,), ((), {}), ([], {}), ((None,), {}), "no"])
@pytest.mark.parametrize("cls", [optim.SGD, Plain])
def test_a_hook_that_returns_something_else_is_named_and_no_step_is_made(cls, said):
    optimizer = cls([w := weights()])
    optimizer.register_step_pre_hook(lambda *_: said)
    with pytest.raises(TypeError, match="returns None, or"):
        optimizer.step()
    assert w.data.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", [*OWN_STEPS, *DICTS])
def test_what_is_no_hook_is_refused(name):
    register = getattr(optim.SGD([weights()]), name)
    with pytest.raises(TypeError, match="a hook must be callable, got int"):
        register(3)
    if name in DICTS:
        with pytest.raises(TypeError, match="prepend must be True or False"):
            register(print, prepend=1)


def test_a_hook_may_remove_itself_and_add_another():
    optimizer, calls = optim.SGD([weights()]), []

    def once(*_):
        calls.append("once")
        handle.remove()
        optimizer.register_step_pre_hook(lambda *_: calls.append("later"))

    handle = optimizer.register_step_pre_hook(once)
    optimizer.step()
    optimizer.step()
    assert calls == ["once", "later"]


def test_a_hook_that_raises_ends_the_step_and_the_next_one_has_its_hooks():
    optimizer, calls = optim.SGD([w := weights()]), []

    def raises(*_):
        calls.append(1)
        raise RuntimeError("stop")

    optimizer.register_step_pre_hook(raises)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="stop"):
            optimizer.step()
    assert calls == [1, 1] and w.data.tolist() == [1.0, 2.0]


def test_steps_of_threads_have_their_hooks():
    optimizer, calls = optim.SGD([weights()]), []
    optimizer.register_step_pre_hook(lambda *_: calls.append(threading.get_ident()))
    threads = [threading.Thread(target=lambda: [optimizer.step() for _ in range(50)]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(calls) == 200 and optimizer.state[optimizer.param_groups[0]["params"][0]]["step"] == 200


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_have_no_hooks_as_in_torch(how):
    calls = []
    optimizer = optim.Adam([weights()])
    for name in (*OWN_STEPS, *DICTS):
        getattr(optimizer, name)(lambda *_: calls.append(1))
    other = how(optimizer)
    other.step()
    other.load_state_dict(other.state_dict())
    assert calls == []


def test_what_is_gone_leaves_no_hooks_behind():
    before = dict(STEP_HOOKS)
    optimizer = optim.SGD([weights()])
    handle = optimizer.register_step_pre_hook(print)
    assert len(STEP_HOOKS) == len(before) + 1
    del optimizer
    assert before == STEP_HOOKS
    handle.remove()
    optimizer = optim.SGD([weights()])
    optimizer.register_step_pre_hook(print).remove()
    optimizer.register_state_dict_pre_hook(print)
    assert before == STEP_HOOKS


# Compiled training.


def loader():
    return DataLoader(TensorDataset(ones(4, 2), ones(4, 1)), batch_size=2)


@pytest.mark.parametrize("where", ["own", "all"])
def test_eager_fit_runs_step_hooks_and_compiled_fit_refuses_them(where):
    model, calls = nn.Linear(2, 1), []
    optimizer = optim.SGD(model.parameters())
    register = optimizer.register_step_post_hook if where == "own" else optim.register_optimizer_step_post_hook
    with register(lambda *_: calls.append(1)):
        fit(model, nn.MSELoss(), optimizer, loader(), epochs=3)
        assert len(calls) == 6
        with pytest.raises(CannotCompile, match="hooks"):
            fit(model, nn.MSELoss(), optimizer, loader(), epochs=3, compiled=True)
    fit(model, nn.MSELoss(), optimizer, loader(), epochs=3, compiled=True)
    assert len(calls) == 6


@pytest.mark.parametrize("where", ["own", "all"])
def test_a_compiled_step_refuses_hooks_that_come_later(where):
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters())
    step = compile_step(model, nn.MSELoss(), optimizer)
    step(ones(2, 2), ones(2, 1))
    before = model.weight.data.copy()
    register = optimizer.register_step_pre_hook if where == "own" else optim.register_optimizer_step_pre_hook
    with register(lambda *_: None), pytest.raises(CannotCompile, match=r"hooks.* remove them"):
        step(ones(2, 2), ones(2, 1))
    assert (model.weight.data == before).all()
    step(ones(2, 2), ones(2, 1))


def test_a_callback_that_registers_a_hook_ends_a_compiled_fit():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters())

    def register(epoch, history):
        optimizer.register_step_pre_hook(lambda *_: None)

    with pytest.raises(CannotCompile, match="hooks"):
        fit(model, nn.MSELoss(), optimizer, loader(), epochs=3, compiled=True, on_epoch=register)
