"""Schedule-Free's two modes: y for gradients, x for predictions; by hand, in `fit`, and through checkpoints."""

import copy

import numpy as np
import pytest
from compiled_cases import flow

from tinygrad_lr import backend, optim, tensor
from tinygrad_lr.data import TensorDataset
from tinygrad_lr.training import Checkpoint, fit
from tinygrad_lr.training.stopping import BestParameters

HAVING = [name for name, cls in optim.OPTIMIZERS.items() if cls.eval is not optim.Optimizer.eval]
MAKERS = {name: lambda params, name=name: optim.OPTIMIZERS[name](params, lr=0.05, weight_decay=0.01) for name in HAVING}
every_one = pytest.mark.parametrize("name", HAVING)


def share_of_x(optimizer):
    group = optimizer.param_groups[0]
    return group["betas"][0] if "betas" in group else group["beta"]


def stepped(name, steps=5):
    rng = np.random.default_rng(0)
    params = [tensor(rng.normal(size=shape), requires_grad=True) for shape in ((2, 3), (4,))]
    optimizer = MAKERS[name](params)
    for _ in range(steps):
        for param in params:
            param.grad = rng.normal(size=param.shape)
        optimizer.step()
    return params, optimizer


def test_both_of_them_have_modes():
    assert HAVING == ["schedule_free_sgd", "schedule_free_adamw"]


@every_one
def test_eval_gives_the_weighted_mean_of_all_z(name):
    rng = np.random.default_rng(0)
    param = tensor(rng.normal(size=3), requires_grad=True)
    optimizer = optim.OPTIMIZERS[name]([param], lr=0.05)
    mean, total = np.zeros(3), 0.0
    for _ in range(6):
        param.grad = rng.normal(size=3)
        optimizer.step()
        state = optimizer.state[param]
        weight = state["weight_sum"] - total
        total = state["weight_sum"]
        mean += weight / total * (state["z"] - mean)
    optimizer.eval()
    np.testing.assert_allclose(param.data, mean, rtol=1e-13)


@every_one
def test_train_brings_the_same_bits_back(name):
    params, optimizer = stepped(name)
    before = [param.data.copy() for param in params]
    for _ in range(3):
        optimizer.eval()
        assert not np.array_equal(params[0].data, before[0])
        optimizer.eval()  # a second time changes nothing
        optimizer.train()
        optimizer.train()
        assert [param.data.tobytes() for param in params] == [each.tobytes() for each in before]


@every_one
def test_values_that_were_changed_in_between_count(name):
    params, optimizer = stepped(name)
    optimizer.eval()
    params[0].data = np.full((2, 3), 7.0)
    optimizer.train()
    beta, z = share_of_x(optimizer), optimizer.state[params[0]]["z"]
    np.testing.assert_allclose(params[0].data, beta * 7.0 + (1 - beta) * z, rtol=1e-15)


@every_one
def test_a_step_in_the_wrong_mode_is_refused_and_changes_nothing(name):
    params, optimizer = stepped(name)
    optimizer.eval()
    before = [param.data.copy() for param in params]
    for param in params:
        param.grad = np.ones(param.shape)
    with pytest.raises(RuntimeError, match=r"call optimizer\.train\(\) before the forward pass"):
        optimizer.step()
    assert all(np.array_equal(param.data, each) for param, each in zip(params, before, strict=True))


@every_one
def test_a_parameter_without_a_step_stays(name):
    param = tensor([1.0, 2.0], requires_grad=True)
    optimizer = MAKERS[name]([param])
    optimizer.eval()
    assert param.data.tolist() == [1.0, 2.0]


@every_one
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_copy_and_a_loaded_state_know_the_mode(name, mode):
    params, optimizer = stepped(name)
    getattr(optimizer, mode)()
    again, copied = copy.deepcopy((params, optimizer))
    others, other = stepped(name, 1)
    for mine, its in zip(others, params, strict=True):
        mine.data = its.data
    other.load_state_dict(optimizer.state_dict())
    for each in (optimizer, copied, other):
        each.train()
    for mine, its, own in zip(params, again, others, strict=True):
        np.testing.assert_allclose(its.data, mine.data, rtol=1e-14)
        np.testing.assert_allclose(own.data, mine.data, rtol=1e-14)


@pytest.fixture(params=[False, True], ids=["eager", "compiled"])
def compiled(request, monkeypatch):
    if not backend.compiles():
        monkeypatch.setattr(backend, "compiles", lambda: True)
        monkeypatch.setattr(backend, "require_compiler", lambda: None)
    return request.param


def bits(model):
    return [param.data.tobytes() for param in model.parameters()]


@every_one
def test_fit_ends_with_x_and_measures_it(name, compiled):
    model, loss, optimizer, loader = flow(MAKERS[name])
    held_out = TensorDataset(*loader.dataset.tensors)
    seen = []
    history = fit(
        model,
        loss,
        optimizer,
        loader,
        epochs=3,
        held_out=held_out,
        progress=False,
        compiled=compiled,
        on_epoch=lambda epoch, history: seen.append(bits(model)),
    )
    assert bits(model) == seen[-1] and len(set(map(tuple, seen))) == 3
    x, target = held_out.tensors
    assert history.held_out_loss[-1] == loss(model(x), target).item()
    optimizer.train()
    assert bits(model) != seen[-1]


@every_one
def test_measuring_changes_no_bit_of_the_training(name, compiled):
    ended = []
    for held_out in (None, True):
        model, loss, optimizer, loader = flow(MAKERS[name])
        data = TensorDataset(*loader.dataset.tensors) if held_out else None
        fit(model, loss, optimizer, loader, epochs=4, held_out=data, progress=False, compiled=compiled)
        ended.append(bits(model))
    assert ended[0] == ended[1]


@every_one
def test_a_run_that_goes_on_has_the_bits_of_one_that_was_never_stopped(name, compiled, tmp_path):
    whole = flow(MAKERS[name])
    fit(*whole, epochs=4, progress=False, compiled=compiled)
    halves = flow(MAKERS[name])
    history = fit(*halves, epochs=2, progress=False, compiled=compiled)
    fit(*halves, epochs=4, resume=history, progress=False, compiled=compiled)
    assert bits(halves[0]) == bits(whole[0])
    first = flow(MAKERS[name])
    fit(*first, epochs=2, progress=False, compiled=compiled, checkpoint=Checkpoint(tmp_path / "kept"))
    second = flow(MAKERS[name])
    checkpoint = Checkpoint(tmp_path / "kept")
    history = checkpoint.restore(*second[:1], *second[2:])
    fit(*second, epochs=4, resume=history, progress=False, compiled=compiled, checkpoint=checkpoint)
    assert bits(second[0]) == bits(whole[0])


@every_one
def test_the_best_parameters_are_those_for_predictions(name):
    model, loss, optimizer, loader = flow(MAKERS[name])
    best, data = BestParameters(), TensorDataset(*loader.dataset.tensors)
    history = fit(model, loss, optimizer, loader, epochs=4, held_out=data, progress=False, callbacks=[best])
    x, target = data.tensors
    assert loss(model(x), target).item() == np.nanmin(history.held_out_loss)
