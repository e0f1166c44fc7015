"""Modules beside torch's rules: states that cannot be held, hidden parts, optimizers, buffers in training."""

import copy
import importlib
import pickle

import numpy as np
import pytest

import tinygrad_lr.nn.functional as F
from tinygrad_lr import CannotCompile, Tensor, engine, nn, no_grad, ones, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit

# --- states -----------------------------------------------------------------------------------------------------------


def counting():
    model = nn.Sequential(nn.Linear(2, 1))
    model.register_buffer("count", tensor([1, 2]))
    model.register_buffer("flags", tensor([True, False]))
    return model


STATES = {  # what is in the state under a name, and what is said of it
    "a mask": ("0.bias", np.ma.masked_array([1.0], [True]), r"0\.bias cannot be read: the array has masked elements"),
    "objects": ("0.bias", np.array([object()]), "is object, not real numbers"),
    "complex numbers": ("0.bias", np.array([1j]), "is complex128, not real numbers"),
    "ragged lists": ("0.weight", [[1.0], [1.0, 2.0]], "0.weight cannot be read"),
    "None": ("0.bias", None, r"has shape \(1,\) here and \(\) in the state"),
    "a set": ("0.bias", {1.0}, r"has shape \(1,\) here and \(\) in the state"),
    "beyond float32": ("0.bias", np.array([1e300]), r"is float32 here, which cannot hold the float64 1e\+300"),
    "a half as a count": ("count", np.array([1.0, 2.5]), "count is int64 here, which cannot hold the float64 2.5"),
    "NaN as a count": ("count", np.array([np.nan, 1.0]), "which cannot hold the float64 nan"),
    "2 as a flag": ("flags", np.array([2, 0]), "flags is bool here, which cannot hold the int64 2"),
    "beyond int64": ("count", np.array([1, 2**63], np.uint64), "cannot hold the uint64 9223372036854775808"),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", STATES)
def test_a_value_that_cannot_be_held_is_refused_and_nothing_changes(name, strict):
    where, value, words = STATES[name]
    model = counting()
    before = {key: array.tobytes() for key, array in model.state_dict().items()}
    state = {key: array * 0 for key, array in model.state_dict().items()} | {where: value}
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(state, strict=strict)
    assert {key: array.tobytes() for key, array in model.state_dict().items()} == before


def test_values_that_can_be_held_are_cast():
    model = counting()
    values = {"0.weight": [[np.inf, np.nan]], "0.bias": np.ma.masked_array([2.0]), "count": [3.0, 4.0], "flags": [1, 0]}
    assert model.load_state_dict(values) == ([], [])
    assert model[0].weight.tolist()[0][0] == np.inf and np.isnan(model[0].weight.tolist()[0][1])
    assert model.count.tolist() == [3, 4] and model.flags.tolist() == [True, False] and model[0].bias.tolist() == [2.0]
    assert {key: array.dtype.name for key, array in model.state_dict().items()} == {
        "count": "int64",
        "flags": "bool",
        "0.weight": "float32",
        "0.bias": "float32",
    }


def test_the_prefix_that_a_wrapper_adds_is_named():
    model = nn.Linear(2, 1)
    state = model.state_dict(prefix="module.")
    assert list(state) == ["module.weight", "module.bias"]
    with pytest.raises(ValueError, match=r"begins with 'module\.': remove that, name\.removeprefix\('module\.'\)"):
        model.load_state_dict(state)
    assert model.load_state_dict({name.removeprefix("module."): array for name, array in state.items()}) == ([], [])
    assert model.load_state_dict(state, strict=False) == (["weight", "bias"], ["module.weight", "module.bias"])


# --- parts that are hidden, or hold one another -----------------------------------------------------------------------


class Holder(nn.Module):
    def __init__(self, held):
        self.held = held

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (lambda: [nn.Parameter([1.0])], "list of Parameters, which would not be trained or saved; write nn.ParameterL"),
        (lambda: ({"a": nn.Parameter([1.0])},), "tuple of Parameters"),
        (lambda: {"a": nn.Parameter([1.0])}, "dict of Parameters.*assign each of them"),
        (lambda: {nn.Parameter([1.0])}, "set of Parameters"),
        (lambda: {nn.Linear(1, 1)}, "set of Modules, whose parameters"),
        (lambda: {"a": nn.Linear(1, 1)}, "dict of Modules.*nn.ModuleDict"),
    ],
)
def test_parts_in_containers_that_nobody_goes_through_are_refused(held, words):
    with pytest.raises(TypeError, match=words):
        Holder(held())
    model = Holder([])
    model.held.append(held())
    for ask in (model.parameters, model.state_dict, lambda: model.load_state_dict({})):
        with pytest.raises(TypeError, match="'held' of Holder is a list of"):
            ask()


def test_lists_of_what_is_registered_and_of_plain_tensors_are_allowed():
    model = Holder([ones(2)])
    model.weight = nn.Parameter([1.0])
    model.held = [model.weight, {"again": (model.weight,)}]
    assert [name for name, _ in model.named_parameters()] == ["weight"]


def test_a_module_cannot_be_a_part_of_itself():
    model = nn.Sequential(nn.Sequential(nn.ReLU()))
    for attempt in (
        lambda: setattr(model, "own", model),
        lambda: setattr(model[0], "parent", model),
        lambda: model[0].append(model),
        lambda: model[0].__setitem__(0, model),
    ):
        with pytest.raises(ValueError, match="a part of itself; for a link that is no part write object.__setattr__"):
            attempt()
    assert len(list(model.modules())) == 3
    object.__setattr__(model[0], "parent", model)
    assert len(list(model.modules())) == 3 and model.state_dict() == {}


def test_a_failed_change_of_a_container_leaves_it_as_it_was():
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    for container in (nn.Sequential(a, b), nn.ModuleList([a, b])):
        for attempt in (
            lambda c: c.extend([nn.ReLU(), 3]),
            lambda c: c.insert(0, None),
            lambda c: c.__setitem__(slice(0, 1), [nn.ReLU(), "x"]),
            lambda c: c.__setitem__(0, None),
            lambda c: c + [3],
        ):
            with pytest.raises(TypeError, match="takes Modules, got"):
                attempt(container)
            assert list(container) == [a, b] and [name for name, _ in container.named_children()] == ["0", "1"]
        container[0:1] = [nn.ReLU(), nn.Tanh()]
        assert [type(each) for each in container] == [nn.ReLU, nn.Tanh, nn.Linear]


def test_a_slice_shares_its_parts_and_gives_them_no_new_names():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)).eval()
    names = [parameter.name for parameter in model.parameters()]
    part = model[1:] + nn.Sequential(nn.ReLU())
    assert part[1] is model[2] and not model[1:].training and [p.name for p in model.parameters()] == names
    part = model[1:].append(nn.Tanh())  # torch's would put it in the place of "2"
    assert [name for name, _ in part.named_children()] == ["1", "2", "3"] and part[1] is model[2]

    class Network(nn.Sequential):
        def __init__(self, width):
            super().__init__(nn.Linear(1, width), nn.Linear(width, 1))

    assert type(Network(3)[1:]) is nn.Sequential and type(Network(3)[:1](ones(1, 1))) is Tensor


# --- what is not here -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("register_forward_hook", "there are no hooks: compute it in forward"),
        ("register_full_backward_hook", "there are no hooks"),
        ("half", r"write \.float\(\) or \.double\(\)"),
        ("compile", r"fit\(\.\.\., compiled=True\)"),
        ("_parameters", r"named_parameters\(recurse=False\)"),
        ("wieght", "'Linear' object has no attribute 'wieght'$"),
    ],
)
def test_what_is_missing_says_what_to_write(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(nn.Linear(1, 1), name)
    assert not hasattr(nn.Linear(1, 1), name)


def test_layers_and_functions_that_are_missing_are_named_with_those_there_are():
    with pytest.raises(AttributeError, match=r"nn has no Conv2d; it has .*Linear, .*Write a Module"):
        nn.Conv2d  # noqa: B018
    with pytest.raises(AttributeError, match="functional has no conv2d; it has .*relu"):
        F.conv2d  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("tinygrad_lr.nn.conv")


def test_functional_under_torchs_name_is_the_engines():
    assert nn.functional is F and F.__all__ == [*engine.functional.__all__, "dropout", "layer_norm"]
    assert all(getattr(F, name) is getattr(engine.functional, name) for name in engine.functional.__all__)
    x, weight, bias = ones(2, 3), ones(1, 3), ones(1)
    assert F.linear(x, weight, bias).tolist() == [[4.0], [4.0]] and F.mse_loss(x, x * 3).item() == 4.0


# --- optimizers -------------------------------------------------------------------------------------------------------


def trained(model):
    """The model after a step, with its optimizer: its parameters then lie in the optimizer's buffer."""
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(ones(3, 2)).sum().backward()
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_that_was_trained_has_memory_of_its_own(copied):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[1].weight = nn.Parameter(ones(1, 2))
    model.register_buffer("mean", ones(2))
    optimizer = trained(model)
    twin = copied(model)
    ours, theirs = ([each._data for each in (*m.parameters(), *m.buffers())] for m in (model, twin))
    assert not any(np.shares_memory(a, b) for a in ours for b in theirs)
    assert [a.tobytes() for a in ours] == [a.tobytes() for a in theirs]
    grads = [p.grad for p in twin.parameters()]
    assert not any(np.shares_memory(p.grad, g) for p in model.parameters() for g in grads)
    before = [each.tobytes() for each in theirs]
    optimizer.step()
    assert before == [each.tobytes() for each in theirs]
    values = [each.tobytes() for each in ours]
    trained(twin)
    assert values == [each.tobytes() for each in ours]


def test_a_model_that_was_converted_after_its_optimizer_was_built_is_an_error_at_the_step():
    """torch goes on with moments of the old dtype; here state and parameters have one dtype."""
    model = nn.Linear(2, 1)
    optimizer = trained(model)
    parameters = list(model.parameters())
    values = model.state_dict()
    assert model.double() is model and [a is b for a, b in zip(parameters, model.parameters(), strict=True)]
    model.zero_grad()
    model(ones(3, 2, dtype="float64")).sum().backward()
    for step in (optimizer.step, lambda: optimizer.step(max_norm=1.0)):
        with pytest.raises(RuntimeError, match="was float32 .* is float64 .* now; move the model first, then build"):
            step()
    model.float()
    assert all(array.tobytes() == values[name].tobytes() for name, array in model.state_dict().items())
    optimizer.step()  # it found the values again
    assert optimizer.state[model.weight]["step"] == 2


def test_requires_grad_and_zero_grad_of_parameters_that_lie_in_an_optimizers_buffer():
    model = nn.Linear(2, 1)
    optimizer = trained(model)
    grad = model.weight.grad
    model.zero_grad(set_to_none=False)
    assert model.weight.grad is grad and grad.tolist() == [[0.0, 0.0]]
    model.zero_grad(True)
    assert model.weight.grad is None
    before = model.state_dict()
    model.requires_grad_(False)
    assert not model(ones(3, 2)).requires_grad
    optimizer.step()
    assert model.state_dict()["weight"].tobytes() == before["weight"].tobytes()


# --- buffers in training ----------------------------------------------------------------------------------------------


class Scaled(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(2, 1)
        self.register_buffer("mean", tensor([0.5, 0.25]))

    def forward(self, x):
        return self.linear(x - self.mean)


class Running(Scaled):
    def forward(self, x):
        if self.training:
            with no_grad():
                self.mean = self.mean * 0.5 + x.mean(0) * 0.5
        return super().forward(x)


class InPlace(Scaled):
    def forward(self, x):
        with no_grad():
            self.mean += 1.0
        return super().forward(x)


def problem():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 2)).astype("f4")
    return DataLoader(TensorDataset(x, x[:, :1] * 2), 4)


def losses(model, compiled, start):
    model.linear.load_state_dict(start)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    first = fit(model, nn.MSELoss(), optimizer, problem(), epochs=2, compiled=compiled).loss
    model.load_state_dict({**model.state_dict(), "mean": [-1.0, 2.0]})  # a compiled step must see it
    again = fit(model, nn.MSELoss(), optimizer, problem(), epochs=2, compiled=compiled).loss
    model.mean = tensor([3.0, 3.0])
    last = fit(model, nn.MSELoss(), optimizer, problem(), epochs=2, compiled=compiled).loss
    return np.concatenate([first, again, last])


def test_a_buffer_is_a_constant_of_a_compiled_step_and_a_change_between_trainings_is_seen():
    start = nn.Linear(2, 1).state_dict()
    eager, compiled = losses(Scaled(), False, start), losses(Scaled(), True, start)
    np.testing.assert_allclose(compiled, eager, rtol=18 * 50 * 2.0**-24)  # 18 steps of 50 roundings
    assert abs(eager[6] - eager[5]) > 1e-3 and abs(eager[12] - eager[11]) > 1e-3  # the changes matter


@pytest.mark.parametrize("kind", [Running, InPlace])
def test_a_forward_that_changes_a_buffer_trains_eagerly_and_cannot_be_compiled(kind):
    model = kind()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    assert [name for name, _ in model.named_parameters()] == ["linear.weight", "linear.bias"]
    fit(model, nn.MSELoss(), optimizer, problem(), epochs=1)
    assert model.mean.tolist() != [0.5, 0.25] and "mean" in model.state_dict()
    with pytest.raises(CannotCompile, match="changes at each call|in place|reads or changes"):
        fit(model, nn.MSELoss(), optimizer, problem(), epochs=1, compiled=True)


class Frozen(nn.Module):
    def __init__(self):
        self.part = nn.Linear(2, 1)

    def train(self, mode=True):
        return super().train(False)

    def forward(self, x):
        return self.part(x) * (2.0 if self.training else 1.0)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_child_with_a_train_of_its_own_is_asked(compiled):
    model = nn.Sequential(Frozen())
    fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), problem(), epochs=2, compiled=compiled)
    assert model.training and not model[0].training and not model[0].part.training
