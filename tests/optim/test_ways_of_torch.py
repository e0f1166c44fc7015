"""What torch's users do next: our states in torch's optimizers, closures, new groups, copies, beside torch itself.

Where both compute, numbers are compared loosely: that they agree within the derived bound is test_against_torch.py's.
"""

import copy
import inspect
import json

import numpy as np
import pytest

from tinygrad_lr import enable_grad, no_grad, optim, tensor
from tinygrad_lr.engine.recording import switch

torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
from torch_cases import RUNS, TORCH, default_dtype  # noqa: E402 (it needs torch)

NAMES = list(TORCH)
every_configuration = pytest.mark.parametrize(("name", "settings"), RUNS)
SHAPES = [(2, 3), (4,), ()]


@pytest.fixture(autouse=True)
def scalars_in_float64():
    with default_dtype("float64"):
        yield


def start():
    rng = np.random.default_rng(3)
    return [np.asarray(rng.normal(size=shape)) for shape in SHAPES]


def pair(name, settings):
    settings = {"lr": 0.01, **settings}
    ours = [tensor(p, requires_grad=True) for p in start()]
    theirs = [torch.tensor(p, requires_grad=True) for p in start()]
    own = optim.OPTIMIZERS[name](ours, dialect="torch", **settings)
    return ours, own, theirs, TORCH[name](theirs, **settings)


def step(params, optimizer, seed, skipped=()):
    rng = np.random.default_rng(seed)
    for i, param in enumerate(params):
        g = np.asarray(rng.normal(size=tuple(param.shape)))
        if i in skipped:
            param.grad = None
        else:
            param.grad = torch.tensor(g) if isinstance(param, torch.Tensor) else g
    optimizer.step()


def agree(ours, theirs):
    for mine, his in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, his.detach().numpy(), rtol=1e-9, atol=1e-12)


# States.


@every_configuration
def test_our_state_goes_on_in_torch(name, settings, tmp_path):
    ours, own, theirs, other = pair(name, settings)
    for seed in range(4):
        step(ours, own, seed)
    with torch.no_grad():
        for mine, his in zip(ours, theirs, strict=True):
            his.copy_(torch.tensor(mine.data))
    torch.save(optim.for_torch(own.state_dict()), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for seed in range(4, 8):
        step(ours, own, seed)
        step(theirs, other, seed)
    agree(ours, theirs)


def test_torch_refuses_arrays_as_they_are():
    """Why `for_torch` is there: this is torch's rule, and can be removed with it when torch takes arrays."""
    ours, own, _, other = pair("adam", {})
    step(ours, own, 0)
    with pytest.raises(TypeError):
        other.load_state_dict(own.state_dict())


def test_a_state_for_torch_is_a_copy_and_short_moments_are_decoded():
    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([w], state_dtype="int8", dialect="torch")
    w.grad = [1.0, 2.0]
    optimizer.step()
    entry = optim.for_torch(optimizer.state_dict())["state"][0]
    assert entry["exp_avg"].dtype == torch.float32 and entry["exp_avg"].shape == (2,) and entry["step"] == 1
    plain = optim.Adam([w], dialect="torch")
    plain.load_state_dict(optim.decoded_state(optimizer.state_dict()))
    saved = plain.state_dict()
    optim.for_torch(saved)["state"][0]["exp_avg"].zero_()
    assert saved["state"][0]["exp_avg"].all()


@every_configuration
@pytest.mark.parametrize("through", ["tensors", "a .pt file", "arrays", "JSON"])
def test_torchs_state_goes_on_here(name, settings, through, tmp_path):
    ours, own, theirs, other = pair(name, settings)
    for seed in range(4):
        step(theirs, other, seed)
    for mine, his in zip(ours, theirs, strict=True):
        mine.data = his.detach().numpy()
    saved = other.state_dict()
    if through == "a .pt file":
        torch.save(saved, tmp_path / "state.pt")
        saved = torch.load(tmp_path / "state.pt", weights_only=True)
    elif through != "tensors":
        saved = copy.deepcopy(saved)
        for entry in saved["state"].values():
            entry.update({k: v.numpy() for k, v in entry.items() if isinstance(v, torch.Tensor)})
    if through == "JSON":
        saved = json.loads(json.dumps(saved, default=lambda value: value.tolist()))
    own.load_state_dict(saved)
    for seed in range(4, 8):
        step(ours, own, seed)
        step(theirs, other, seed)
    agree(ours, theirs)


@every_configuration
def test_torchs_state_goes_on_in_an_optimizer_of_any_dialect(name, settings):
    """torch's groups lack the options by which dialects differ, and mean what torch does."""
    _, _, theirs, other = pair(name, settings)
    for seed in range(4):
        step(theirs, other, seed)
    for dialect in optim.OPTIMIZERS[name].dialects:
        ours = [tensor(p.detach().numpy().copy(), requires_grad=True) for p in theirs]
        own = optim.OPTIMIZERS[name](ours, dialect=dialect, **settings)
        own.load_state_dict(copy.deepcopy(other.state_dict()))
        twins = [torch.tensor(p.detach().numpy(), requires_grad=True) for p in theirs]
        twin = TORCH[name](twins, **settings)
        twin.load_state_dict(copy.deepcopy(other.state_dict()))
        for seed in range(4, 8):
            step(ours, own, seed)
            step(twins, twin, seed)
        agree(ours, twins)


@every_configuration
def test_a_state_of_other_steps_is_refused_for_torch(name, settings):
    """What tells is a twin that has torch's dialect and all hyperparameters that torch knows."""
    cls, known = optim.OPTIMIZERS[name], inspect.signature(TORCH[name]).parameters
    ours, twins = ([tensor(p, requires_grad=True) for p in start()] for _ in range(2))
    own = cls(ours, **settings)
    (group,) = own.param_groups
    shared = [key for key in cls.hyperparameters if key in known or key in cls.torch_names.values()]
    twin = cls(twins, dialect="torch", **{key: group[key] for key in shared})
    for seed in range(10):
        step(ours, own, seed)
        step(twins, twin, seed)
    if all(np.array_equal(one.data, other.data) for one, other in zip(ours, twins, strict=True)):
        assert optim.for_torch(own.state_dict())["param_groups"][0]["params"] == [0, 1, 2]
    else:
        with pytest.raises(ValueError, match='group 0 has .*, which torch.* does not have.*dialect="torch"'):
            optim.for_torch(own.state_dict())


def test_a_state_of_bfloat16_loads():
    theirs = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16, requires_grad=True)
    other = torch.optim.Adam([theirs])
    theirs.grad = torch.tensor([0.5, 0.25, 0.125], dtype=torch.bfloat16)
    other.step()
    w = tensor([1.0, 2.0, 3.0], requires_grad=True)
    own = optim.Adam([w], dialect="torch")
    own.load_state_dict(other.state_dict())
    assert own.state[w]["exp_avg"].tolist() == other.state[theirs]["exp_avg"].tolist()


def test_torchs_names_of_hyperparameters_are_those_of_groups_too():
    """A group kept "d" as a key of the user's own, which changed nothing."""
    rows = [tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2)]
    optimizer = optim.Adafactor([{"params": rows[0], "d": 2.0, "eps": (None, 0.5)}], dialect="torch")
    optimizer.add_param_group({"params": rows[1], "d": 3.0})
    first, second = optimizer.param_groups
    assert (first["clip_threshold"], second["clip_threshold"]) == (2.0, 3.0)
    assert first["epsilons"] == (float(np.finfo(np.float64).eps), 0.5)
    assert optim.Adafactor(rows, eps=(None, 0.5), dialect="torch").defaults["epsilons"] == first["epsilons"]
    first["d"] = 4.0
    assert first["clip_threshold"] == 4.0 and "d" not in first and "eps" not in first
    with pytest.raises(TypeError, match="d is torch's name of clip_threshold; leave one of them out"):
        first.update(d=1.0, clip_threshold=2.0)
    with pytest.raises(TypeError, match="epsilons must be two numbers"):
        optimizer.param_groups[0]["eps"] = 1e-8


@pytest.mark.parametrize("key", ["foreach", "fused", "capturable", "differentiable"])
@pytest.mark.parametrize("name", NAMES)
def test_torchs_states_load_whatever_implementation_they_were_made_with(name, key):
    ours, own, _, _ = pair(name, {})
    cls = TORCH[name]
    if key not in inspect.signature(cls).parameters or key == "capturable":
        pytest.skip(f"torch's {cls.__name__} has no {key} on a CPU")
    params = [torch.tensor(p, requires_grad=True) for p in start()]
    other = cls(params, **{key: True})
    if key != "differentiable":
        step(params, other, 0)
    own.load_state_dict(other.state_dict())
    assert key not in own.param_groups[0]


@every_configuration
def test_names_cross_both_ways(name, settings):
    """torch keeps names where it was given pairs, and matches by position all the same."""
    ours = [(f"p{i}", tensor(p, requires_grad=True)) for i, p in enumerate(start())]
    theirs = [(f"p{i}", torch.tensor(p, requires_grad=True)) for i, p in enumerate(start())]
    own = optim.OPTIMIZERS[name](ours, dialect="torch", **settings)
    other = TORCH[name](theirs, **settings)
    step([p for _, p in theirs], other, 0)
    own.load_state_dict(other.state_dict())
    assert own.state_dict()["param_groups"][0]["param_names"] == other.state_dict()["param_groups"][0]["param_names"]
    other.load_state_dict(optim.for_torch(own.state_dict()))
    reordered = optim.OPTIMIZERS[name](ours[::-1], dialect="torch", **settings)
    reordered.load_state_dict(other.state_dict())
    for _, param in ours:
        assert str(own.state[param]) == str(reordered.state[param])


@pytest.mark.parametrize("change", ["momentum on", "rate", "decay", "reset"])
def test_changes_between_steps_have_torchs_effect(change):
    ours, own, theirs, other = pair("sgd", {"momentum": 0.0 if change == "momentum on" else 0.9})
    for seed in range(6):
        if seed == 3:
            for optimizer in (own, other):
                group = optimizer.param_groups[0]
                if change == "rate":
                    group["lr"] *= 0.1
                elif change == "decay":
                    group |= {"weight_decay": 0.5}
                elif change == "momentum on":
                    group.update(momentum=0.5)
                else:
                    optimizer.state.clear()
        step(ours, own, seed)
        step(theirs, other, seed)
        agree(ours, theirs)


@every_configuration
def test_a_reset_and_gradients_that_are_missing_have_torchs_effect(name, settings):
    if name == "adagrad":
        pytest.skip("torch's Adagrad makes its state when it is built, and cannot do without")
    ours, own, theirs, other = pair(name, settings)
    for seed, skipped in enumerate([(), (1,), (0, 2), (), (1,)]):
        if seed == 3:
            for optimizer in (own, other):
                optimizer.state.pop(optimizer.param_groups[0]["params"][1], None)
        step(ours, own, seed, skipped)
        step(theirs, other, seed, skipped)
        agree(ours, theirs)


# Groups.


@every_configuration
def test_a_new_group_takes_the_defaults(name, settings):
    ours, own, theirs, other = pair(name, settings)
    late_ours, late_theirs = (
        tensor(np.ones(3), requires_grad=True),
        torch.ones(3, dtype=torch.double, requires_grad=True),
    )
    for seed in range(6):
        if seed == 2:
            own.add_param_group({"params": late_ours, "lr": 0.5})
            other.add_param_group({"params": late_theirs, "lr": 0.5})
            ours, theirs = [*ours, late_ours], [*theirs, late_theirs]
        step(ours, own, seed)
        step(theirs, other, seed)
    agree(ours, theirs)
    for mine, his in zip(own.param_groups, other.param_groups, strict=True):
        known = own.hyperparameters.keys() & his.keys()
        assert {key: mine[key] for key in known} == {key: his[key] for key in known}


def test_sets_are_refused_as_torch_refuses_them():
    for module, leaf in ((torch.optim, torch.ones(1, requires_grad=True)), (optim, tensor([1.0], requires_grad=True))):
        with pytest.raises(TypeError, match="order"):
            module.SGD([{"params": {leaf}}], lr=0.1)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad_has_torchs_meaning(set_to_none):
    ours, own, theirs, other = pair("sgd", {"momentum": 0.9, "weight_decay": 0.1})
    step(ours, own, 0)
    step(theirs, other, 0)
    for optimizer in (own, other):
        optimizer.zero_grad(set_to_none=set_to_none)
        optimizer.step()
    agree(ours, theirs)
    assert [p.grad is None for p in ours] == [p.grad is None for p in theirs] == [set_to_none] * 3


# Closures.


def quadratic(params):
    total = 0.0
    for param in params:
        total = total + (param * param).sum()
    return total


@pytest.mark.parametrize("outside", ["no_grad", "nothing"])
@every_configuration
def test_a_closure_computes_with_gradients_wherever_step_is_called(name, settings, outside):
    ours, own, theirs, other = pair(name, settings)
    called = []

    def closure_of(params, optimizer):
        def closure():
            called.append(torch.is_grad_enabled() if optimizer is other else switch.recording)
            optimizer.zero_grad()
            loss = quadratic(params)
            loss.backward()
            return loss

        return closure

    losses = []
    for params, optimizer, off in ((ours, own, no_grad), (theirs, other, torch.no_grad)):
        for _ in range(3):
            with off() if outside == "no_grad" else enable_grad():
                losses.append(optimizer.step(closure_of(params, optimizer)).item())
    assert losses[:3] == pytest.approx(losses[3:], rel=1e-9) and called == [True] * 6 and switch.recording
    agree(ours, theirs)


def test_recording_is_as_before_after_a_closure_that_fails():
    optimizer = optim.SGD([tensor([1.0], requires_grad=True)])
    with no_grad():
        with pytest.raises(ZeroDivisionError):
            optimizer.step(lambda: 1 / 0)
        assert not switch.recording
    assert optimizer.step(lambda: None) is None


# Copies.


@every_configuration
def test_a_deep_copy_goes_on_as_torchs_does(name, settings):
    ours, own, theirs, other = pair(name, settings)
    for seed in range(3):
        step(ours, own, seed)
        step(theirs, other, seed)
    ours, own = copy.deepcopy((ours, own))
    theirs, other = copy.deepcopy((theirs, other))
    for seed in range(3, 6):
        step(ours, own, seed)
        step(theirs, other, seed)
    agree(ours, theirs)
