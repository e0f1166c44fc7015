"""torch's swa_utils beside torch: averages of parameters within the derived bound, the rates of SWALR, the state."""

import copy
import math
import pickle

import numpy as np
import pytest

from tinygrad_lr import Tensor, nn, optim, tensor
from tinygrad_lr.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

U = 2.0**-24


class Net(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(3, 2)
        self.register_buffer("mean", tensor([1.0, 2.0]))
        self.register_buffer("seen", Tensor(0))

    def forward(self, x):
        return self.layer(x) - self.mean


def drawn(updates):
    """Parameters and buffers of a model at some times."""
    rng = np.random.default_rng(5)
    shapes = {"layer.weight": (2, 3), "layer.bias": (2,), "mean": (2,)}
    return [
        {**{key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}, "seen": np.array(7 * i)}
        for i in range(updates)
    ]


def averaged(states, **options):
    model = Net()
    found = AveragedModel(model, **options)
    for state in states:
        model.load_state_dict(state)
        found.update_parameters(model)
    return found


KINDS = {
    "mean": lambda module: {},
    "mean, written out": lambda module: {"avg_fn": module.get_swa_avg_fn()},
    "mean, many": lambda module: {"multi_avg_fn": module.get_swa_multi_avg_fn()},
    "EMA": lambda module: {"avg_fn": module.get_ema_avg_fn(0.9)},
    "EMA, many": lambda module: {"multi_avg_fn": module.get_ema_multi_avg_fn(0.75)},
    "EMA, default": lambda module: {"multi_avg_fn": module.get_ema_multi_avg_fn()},
}


# torch refuses to divide whole numbers, which a buffer holds, in one of its ways
@pytest.mark.parametrize(
    ("kind", "use_buffers"), [(kind, b) for kind in KINDS for b in (False, True) if (kind, b) != ("mean, many", True)]
)
def test_averages_are_torchs_within_the_derived_bound(kind, use_buffers):
    """An update of values of at most M rounds a difference (2 M), a share, a product and a sum: at most 7 u M; as much
    in torch, whichever of its ways it goes. An average carries errors on and does not enlarge them."""
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    from torch.optim import swa_utils

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)
            self.register_buffer("mean", torch.zeros(2))
            self.register_buffer("seen", torch.tensor(0))

    states = drawn(12)
    ours = averaged(states, use_buffers=use_buffers, **KINDS[kind](optim.swa_utils))
    model = Theirs()
    theirs = swa_utils.AveragedModel(model, use_buffers=use_buffers, **KINDS[kind](swa_utils))
    for state in states:
        model.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
        theirs.update_parameters(model)
    his = {key: value.numpy() for key, value in theirs.state_dict().items()}
    own = ours.state_dict()
    assert sorted(own) == sorted(his) and own["n_averaged"] == his["n_averaged"] == 12
    largest = max(np.abs(value).max() for state in states for key, value in state.items() if key != "seen")
    for key, value in own.items():
        assert value.dtype == his[key].dtype
        if value.dtype.kind == "f":
            assert np.abs(value - his[key]).max() <= 14 * 12 * U * largest, key
    if not use_buffers:
        assert own["module.seen"] == 77 and own["module.mean"].tobytes() == states[-1]["mean"].tobytes()


def test_the_bound_refuses_another_average():
    states = drawn(12)
    one, other = averaged(states), averaged(states, avg_fn=get_ema_avg_fn(0.9))
    gap = np.abs(one.module.layer.weight.data - other.module.layer.weight.data).max()
    assert gap > 14 * 12 * U * 4


def test_the_mean_is_the_mean():
    states = drawn(9)
    found = averaged(states).module.layer.weight.data
    exact = np.mean([state["layer.weight"].astype(np.float64) for state in states], axis=0)
    largest = max(np.abs(state["layer.weight"]).max() for state in states)
    assert found.dtype == np.float32 and np.abs(found - exact).max() <= 7 * 9 * U * largest


def test_both_functions_of_an_average_give_the_same_bits():
    states = drawn(5)
    for one, many in ((get_swa_avg_fn(), get_swa_multi_avg_fn()), (get_ema_avg_fn(0.3), get_ema_multi_avg_fn(0.3))):
        a, b = averaged(states, avg_fn=one), averaged(states, multi_avg_fn=many)
        assert a.module.layer.weight.data.tobytes() == b.module.layer.weight.data.tobytes()


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_the_ends_of_decay(decay):
    states = drawn(4)
    found = averaged(states, avg_fn=get_ema_avg_fn(decay)).module.layer.bias.data
    assert found.tobytes() == states[0 if decay else -1]["layer.bias"].tobytes()


def test_it_is_a_copy_that_predicts_and_that_the_model_does_not_move():
    model = Net()
    model(tensor([[1.0, 2.0, 3.0]])).sum().backward()
    found = AveragedModel(model)
    found.update_parameters(model)
    x = tensor([[1.0, -1.0, 0.5]])
    before = found(x).numpy().copy()
    assert before.tobytes() == model(x).numpy().tobytes()
    assert found.module.layer.weight.grad is None and model.layer.weight.grad is not None
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    optimizer.step()
    assert found(x).numpy().tobytes() == before.tobytes() != model(x).numpy().tobytes()
    found.eval()
    assert not found.module.training and model.training


def test_an_average_of_a_model_whose_optimizer_holds_its_parameters():
    model = Net()
    optim.Adam(model.parameters())
    found = AveragedModel(model, avg_fn=get_ema_avg_fn(0.5))
    for value in (1.0, 3.0):
        model.layer.weight.data = np.full((2, 3), value, np.float32)
        found.update_parameters(model)
    assert (found.module.layer.weight.data == 2.0).all() and (model.layer.weight.data == 3.0).all()


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), None])
def test_a_saved_average_goes_on_bit_for_bit(how):
    states = drawn(8)
    whole, half = averaged(states), averaged(states[:4])
    if how is None:
        again = AveragedModel(Net())
        again.load_state_dict(half.state_dict())
    else:
        again = how(half)
    model = Net()
    for state in states[4:]:
        model.load_state_dict(state)
        again.update_parameters(model)
    assert all(value.tobytes() == again.state_dict()[key].tobytes() for key, value in whole.state_dict().items())


def test_mistakes_of_averages_are_named():
    with pytest.raises(TypeError, match="takes a Module, got list"):
        AveragedModel([])
    with pytest.raises(ValueError, match="one of avg_fn and multi_avg_fn"):
        AveragedModel(Net(), avg_fn=get_swa_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())
    with pytest.raises(TypeError, match="avg_fn must be a function such as"):
        AveragedModel(Net(), avg_fn=0.9)
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\], got 1.5"):
        get_ema_multi_avg_fn(1.5)
    with pytest.raises(ValueError, match="average the model that it is a copy of"):
        AveragedModel(Net()).update_parameters(nn.Linear(3, 2))
    with pytest.raises(TypeError, match="use_buffers"):
        AveragedModel(Net(), use_buffers=1)


def test_update_bn_changes_nothing():
    model = AveragedModel(Net())
    before = pickle.dumps(model.state_dict())
    assert update_bn(iter(()), model) is None and pickle.dumps(model.state_dict()) == before
    with pytest.raises(TypeError, match="update_bn takes a loader and a Module, got list"):
        update_bn(model, [])


# Rates.


def rates_of(optimizer, scheduler, steps, before):
    """Rates where another scheduler has halved them three times first."""
    for _ in range(3 if before else 0):
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
    found = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        found.append([float(group["lr"]) for group in optimizer.param_groups])
    return found


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("length", [0, 1, 10])
def test_swalr_has_torchs_rates(length, strategy, before):
    """torch divides by 1 - alpha at each step, down to 1 - alpha(9 / 10) > 0.024, and rounds eight times."""
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    from torch.optim import swa_utils

    w = torch.zeros(1, requires_grad=True)
    v = torch.zeros(1, requires_grad=True)
    theirs = torch.optim.SGD([{"params": [v], "lr": 0.5}, {"params": [w], "lr": 0.2}], lr=0.1)
    arguments = {"swa_lr": [0.05, 0.3], "anneal_epochs": length, "anneal_strategy": strategy}
    his = rates_of(theirs, swa_utils.SWALR(theirs, **arguments), 14, before)
    ours = optim.SGD([{"params": tensor([0.0], requires_grad=True), "lr": rate} for rate in (0.5, 0.2)])
    scheduler = SWALR(ours, **arguments)
    found = rates_of(ours, scheduler, 14, before)
    assert np.abs(np.array(found) - his).max() <= 14 * 8 * 2.0**-53 / 0.024
    assert found[-1] == scheduler.get_last_lr() == [0.05, 0.3]


def groups_of(*rates):
    return optim.SGD([{"params": tensor([0.0], requires_grad=True), "lr": rate} for rate in rates])


def test_swalr_resumes_at_any_step():
    whole = groups_of(0.5, 0.2)
    expected = rates_of(whole, SWALR(whole, 0.1, 5), 8, False)
    for cut in range(8):
        first = groups_of(0.5, 0.2)
        scheduler = SWALR(first, 0.1, 5)
        rates_of(first, scheduler, cut, False)
        second = groups_of(0.5, 0.2)
        other = SWALR(second, 0.1, 5)
        other.load_state_dict(scheduler.state_dict())
        assert rates_of(second, other, 8 - cut, False) == expected[cut:]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"swa_lr": [0.1]}, ValueError, "one for each of 2 groups; got 1"),
        ({"swa_lr": -0.1}, ValueError, "swa_lr must be at least 0"),
        ({"swa_lr": 0.1, "anneal_epochs": -1}, ValueError, "anneal_epochs"),
        ({"swa_lr": 0.1, "anneal_epochs": 1.5}, TypeError, "anneal_epochs"),
        ({"swa_lr": 0.1, "anneal_strategy": "sin"}, ValueError, "anneal_strategy must be one of 'cos', 'linear'"),
        ({"swa_lr": 0.1, "last_epoch": 3}, ValueError, "load the scheduler's state_dict"),
        ({"swa_lr": math.nan}, ValueError, "swa_lr must be a finite number"),
    ],
)
def test_mistakes_of_swalr_are_named(arguments, kind, message):
    with pytest.raises(kind, match=message):
        SWALR(groups_of(0.5, 0.2), **arguments)


@pytest.mark.parametrize(
    "state", [{}, {"last_epoch": 1}, {"last_epoch": 1, "start": None}, {"last_epoch": 1, "start": [0.1]}, [], 3]
)
def test_a_state_that_does_not_fit_swalr_changes_nothing(state):
    optimizer = groups_of(0.5, 0.2)
    scheduler = SWALR(optimizer, 0.1, 5)
    with pytest.raises(ValueError, match="the state of SWALR"):
        scheduler.load_state_dict(state)
    assert scheduler.get_last_lr() == [0.5, 0.2]
    with pytest.raises(TypeError, match="is not an Optimizer"):
        SWALR(object(), 0.1)
