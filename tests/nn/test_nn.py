"""Modules, layers and losses; names, state, modes; and the article's model."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from engine_cases import gamma
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr import Tensor, cuda, gradcheck, manual_seed, nn, ones, optim, randn, tensor


class LinearModel(nn.Module):
    """The article's, with its super().__init__()."""

    def __init__(self):
        super(LinearModel, self).__init__()  # noqa: UP008
        self.linear = nn.Linear(10, 1)

    def forward(self, x):
        return self.linear(x)


class TwoTowers(nn.Module):
    def __init__(self):
        self.vision = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
        self.text = nn.Linear(4, 2)
        self.scale = nn.Parameter(1.0)

    def forward(self, image, words):
        return (self.vision(image) * self.text(words)).sum(axis=1) * self.scale


def test_the_articles_model() -> None:
    model = LinearModel()
    loss = nn.MSELoss()(model(randn(100, 10)), randn(100, 1))
    loss.backward()
    assert {n: p.grad.shape for n, p in model.named_parameters()} == {"linear.weight": (1, 10), "linear.bias": (1,)}
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_parameters_carry_their_full_names() -> None:
    model = TwoTowers()
    names = ["scale", "vision.0.weight", "vision.0.bias", "text.weight", "text.bias"]  # its own first, as in torch
    assert [n for n, _ in model.named_parameters()] == names
    assert [p.name for p in model.parameters()] == names
    assert [p.name for p in model.vision.parameters()] == ["vision.0.weight", "vision.0.bias"]
    assert [n for n, _ in model.vision.named_parameters()] == ["0.weight", "0.bias"]
    outer = nn.Sequential(model)
    assert model.text.weight.name == "0.text.weight"
    model.vision.extra = nn.Parameter([1.0])  # added when it already hangs in place
    assert model.vision.extra.name == "0.vision.extra"
    model.vision.deep = nn.Sequential(nn.Linear(1, 1))
    assert model.vision.deep[0].bias.name == "0.vision.deep.0.bias"
    assert [n for n, _ in outer.named_modules()][:3] == ["", "0", "0.vision"]


def test_a_shared_part_is_listed_once_and_saved_under_each_name() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    model[2].weight = model[0].weight
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.bias"]
    assert sorted(model.state_dict()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    layer = nn.Linear(2, 2)
    twice = nn.Sequential(layer, layer)
    assert [p.name for p in twice.parameters()] == ["0.weight", "0.bias"] and len(twice) == 2
    x = ones(1, 2)
    twice(x).sum().backward()
    assert layer.weight.grad.shape == (2, 2)


def test_the_parts_of_a_model_work_together() -> None:
    model = TwoTowers()
    out = model(randn(5, 3), randn(5, 4))
    assert out.shape == (5,)
    out.sum().backward()
    assert all(p.grad.shape == p.shape for p in model.parameters())


def test_reassigning_and_removing_parts() -> None:
    model = nn.Linear(2, 1)
    model.bias = None
    assert [n for n, _ in model.named_parameters()] == ["weight"]
    assert model(ones(3, 2)).shape == (3, 1)
    with pytest.raises(TypeError, match="'weight' is a Parameter; assign Parameter"):
        model.weight = ones(1, 2)
    model.note = ones(2)
    model.text = "not a part"
    del model.weight
    assert list(model.parameters()) == []


# --- state ------------------------------------------------------------------------------------------------------------


def test_state_is_copied_out_and_in() -> None:
    one, other = TwoTowers(), TwoTowers()
    state = one.state_dict()
    other.load_state_dict(state)
    memory = other.text.weight.data
    for name, p in other.named_parameters():
        np.testing.assert_array_equal(p.data, state[name])
        state[name][...] = -7
    assert not any((p.data == -7).any() for p in (*one.parameters(), *other.parameters()))
    other.load_state_dict({n: tensor(a.astype(np.float64)) for n, a in one.state_dict().items()})
    assert other.text.weight.data is memory and memory.dtype == np.float32


BAD_STATES = {
    "missing": (lambda s: s.pop("text.bias"), "missing text.bias"),
    "unexpected": (lambda s: s.update(typo=np.ones(1)), "unexpected typo"),
    "shape": (lambda s: s.update(scale=np.ones(2)), r"scale has shape \(\) here and \(2,\) in the state"),
    "kind": (lambda s: s.update(scale=np.array("x")), "scale is <U1, not real numbers"),
    "several": (lambda s: (s.pop("scale"), s.update(typo=1.0)), "TwoTowers: missing scale; unexpected typo"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(name: str) -> None:
    spoil, words = BAD_STATES[name]
    model, other = TwoTowers(), TwoTowers()
    before = model.state_dict()
    state = other.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(state)
    for n, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[n])
    with pytest.raises(TypeError, match="mapping of names to arrays, got list"):
        model.load_state_dict([])


def test_a_state_written_after_forward_is_noticed() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    loss = model(ones(1, 2)).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="linear: input 1.*changed in place"):
        loss.backward()


def test_modes_and_copies() -> None:
    model = TwoTowers()
    assert model.training and model.eval() is model
    assert not any(m.training for m in model.modules())
    model.train()
    assert all(m.training for m in model.modules())
    twin = copy.deepcopy(model)
    assert [p.name for p in twin.parameters()] == [p.name for p in model.parameters()]
    twin.text.weight.data[...] = 5
    assert not (model.text.weight.data == 5).any()


def test_to_another_dtype() -> None:
    model = nn.Linear(2, 1)
    model(ones(1, 2)).sum().backward()
    assert model.to("float64") is model
    assert model.weight.dtype == np.float64 and model.weight.grad.dtype == np.float64
    assert model(ones(1, 2, dtype="float64")).dtype == np.float64
    model.to("cpu")
    with pytest.raises(TypeError, match="float32 or float64, got int64"):
        model.to("int64")
    with pytest.raises(ValueError, match="'cpu' or 'cuda', got 'cuda:1'"):
        model.to("cuda:1")


@pytest.mark.skipif(not cuda.is_available(), reason="CUDA is neither here nor simulated")
def test_to_cuda_and_back() -> None:
    model = nn.Linear(3, 2)
    before = model.state_dict()
    model.to("cuda")
    assert model.weight.device == "cuda" and model.bias.requires_grad
    np.testing.assert_array_equal(model.state_dict()["weight"], before["weight"])
    model.load_state_dict({name: array + 1 for name, array in before.items()})
    model.to("cpu")
    np.testing.assert_array_equal(model.weight.data, before["weight"] + 1)
    assert isinstance(model.weight.data, np.ndarray)


# --- layers -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_linear_is_initialised_within_torchs_bounds(n: int, m: int, seed: int) -> None:
    manual_seed(seed)
    layer = nn.Linear(n, m)
    bound = np.float32(1 / math.sqrt(n))
    assert layer.weight.shape == (m, n) and layer.bias.shape == (m,)
    for p in layer.parameters():
        assert p.dtype == np.float32 and (np.abs(p.data) <= bound).all()
    manual_seed(seed)
    np.testing.assert_array_equal(nn.Linear(n, m).weight.data, layer.weight.data)


def test_linear_is_initialised_with_the_variance_of_the_uniform_distribution() -> None:
    manual_seed(1)
    n, count = 100, 100 * 1000
    weights = nn.Linear(n, 1000).weight.data.astype(np.float64) * math.sqrt(n)
    assert abs(weights.mean()) < 6 * math.sqrt(1 / 3 / count)
    assert abs(weights.var() - 1 / 3) < 6 * math.sqrt(4 / 45 / count)


@given(st.integers(0, 2**32 - 1))
def test_linear_computes_x_weight_t_plus_bias(seed: int) -> None:
    manual_seed(seed)
    layer, x = nn.Linear(4, 3), randn(5, 4)
    a, w, b = (t.data.astype(np.float64) for t in (x, layer.weight, layer.bias))
    bound = gamma(5, "float32") * (np.abs(a) @ np.abs(w).T + np.abs(b))
    assert (np.abs(layer(x).data - (a @ w.T + b)) <= bound).all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss_reductions(reduction: str) -> None:
    a, b = tensor([[1.0], [3.0]], requires_grad=True), tensor([[2.0], [1.0]])
    loss = nn.MSELoss(reduction)(a, b)
    expected = {"mean": 2.5, "sum": 5.0, "none": [[1.0], [4.0]]}[reduction]
    assert loss.tolist() == expected
    loss.sum().backward()
    assert a.grad.tolist() == ([[-1.0], [2.0]] if reduction == "mean" else [[-2.0], [4.0]])


def test_gradients_of_a_model_through_its_parameters() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.Sigmoid()).to("float64")
    x, y = randn(5, 3, dtype="float64"), randn(5, 2, dtype="float64")
    assert gradcheck(lambda *parameters: nn.MSELoss()(model(x), y), *model.parameters())


def test_layers_and_losses_take_arrays_and_numbers() -> None:
    layer, x = nn.Linear(3, 2), np.ones((4, 3), "f4")
    out = layer(x)
    assert isinstance(out, Tensor) and out.dtype == np.float32
    assert out.data.tobytes() == layer(tensor(x)).data.tobytes()
    for module in (nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Sequential(nn.Tanh(), nn.ReLU())):
        assert module(x).data.tobytes() == module(tensor(x)).data.tobytes()
    for target in (1.0, 1, np.ones((4, 2), "f4"), np.ones((4, 2), np.int32)):
        layer.zero_grad()
        loss = nn.MSELoss()(layer(x), target)
        loss.backward()
        assert abs(loss.item() - ((out.data - 1) ** 2).mean()) <= 1e-6 and layer.weight.grad.shape == (2, 3)


def test_an_array_that_changes_after_it_was_used_is_noticed() -> None:
    layer, x = nn.Linear(3, 2), np.ones((4, 3), "f4")
    out = layer(x).sum()
    x[0] = 5
    with pytest.raises(RuntimeError, match="linear: input 0.*changed in place"):
        out.backward()


class Silent(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        self.linear(x)


@pytest.mark.parametrize("call", [lambda: Silent()(ones(1, 2)), lambda: nn.Sequential(Silent(), nn.ReLU())(ones(1, 2))])
def test_a_forward_without_return_is_named(call) -> None:
    with pytest.raises(TypeError, match="Silent.forward returned None; end it with `return` and the output"):
        call()


# --- lists of modules -------------------------------------------------------------------------------------------------


class Network(nn.Module):
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [nn.Linear(1, 1)],
        lambda: (nn.ReLU(), nn.Linear(1, 1)),
        lambda: {"first": nn.Linear(1, 1)},
        lambda: [1, [nn.Linear(1, 1)]],
    ],
)
def test_containers_that_hide_modules_are_refused(layers) -> None:
    remedy = "(list|tuple) of Modules.*write nn.ModuleList|dict of Modules.*assign each of them"
    with pytest.raises(TypeError, match=f"'layers' of Network is a ({remedy})"):
        Network(layers())


def test_a_list_that_is_filled_later_is_refused_when_the_parameters_are_asked_for() -> None:
    model = Network([])
    model.layers.append(nn.Linear(1, 1))
    for whole in (model, nn.Sequential(nn.ReLU(), model)):
        with pytest.raises(TypeError, match="'layers' of Network is a list of Modules"):
            optim.SGD(whole.parameters(), lr=0.1)


def test_lists_of_other_things_and_of_registered_modules_are_allowed() -> None:
    model = Network([1, "two", {"three": 3}, nn.ReLU()])
    model.first, model.second = nn.Linear(1, 2), nn.Linear(2, 1)
    model.layers = [model.first, model.second]
    assert [name for name, _ in model.named_parameters()] == [
        "first.weight",
        "first.bias",
        "second.weight",
        "second.bias",
    ]
    assert model(ones(3, 1)).shape == (3, 1)


def test_module_list_registers_its_entries() -> None:
    model = Network(nn.ModuleList([nn.Linear(4, 3), nn.Tanh()]))
    assert model.layers.append(nn.Linear(3, 2)) is model.layers
    assert model.layers.extend(nn.Sequential(nn.ReLU(), nn.Linear(2, 1))) is model.layers
    names = [f"layers.{i}.{what}" for i in (0, 2, 4) for what in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == names == list(model.state_dict())
    assert [p.name for p in model.parameters()] == names
    model(ones(5, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    twin = copy.deepcopy(model)
    twin.load_state_dict(model.state_dict())
    assert twin(ones(5, 4)).tolist() == model(ones(5, 4)).tolist()
    assert not any(m.training for m in model.eval().modules())
    assert repr(model).splitlines()[1:3] == [
        "  (layers): ModuleList(",
        "    (0): Linear(in_features=4, out_features=3, bias=True)",
    ]


def test_module_list_is_a_list() -> None:
    a, b, c, d = parts = [nn.Linear(1, 1), nn.ReLU(), nn.Tanh(), nn.Linear(1, 1)]
    modules = nn.ModuleList([a, d])
    assert modules.insert(1, b) is modules and list(modules) == [a, b, d]
    modules.insert(-1, c)
    assert list(modules) == parts and len(modules) == 4 and modules[0] is a and modules[-1] is d and b in modules
    assert [p.name for p in modules.parameters()] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    part = modules[1:]
    assert isinstance(part, nn.ModuleList) and list(part) == [b, c, d]
    assert [p.name for p in d.parameters()] == ["3.weight", "3.bias"]  # a slice gives no new names
    assert list(part.state_dict()) == ["2.weight", "2.bias"]
    modules[0] = c
    del modules[1]
    assert list(modules) == [c, c, d] and modules.pop() is d and list(modules) == [c, c]
    many = nn.ModuleList(nn.Linear(1, 1) for _ in range(11))
    assert [name for name, _ in many.named_modules()][-1] == "10" and len(many) == 11
    assert len(nn.ModuleList()) == 0 and list(nn.ModuleList().parameters()) == []


MISTAKES = {
    "no module in a list": (lambda: nn.ModuleList([nn.ReLU(), 3]), TypeError, "takes Modules, got int at position 1"),
    "a set of modules": (lambda: nn.ModuleList({nn.ReLU()}), TypeError, "takes a list of entries, got set"),
    "a module as a list": (lambda: nn.ModuleList(nn.ReLU()), TypeError, "takes a list of entries, got ReLU"),
    "a Tensor as a list": (lambda: nn.ParameterList(ones(2)), TypeError, "takes a list of entries, got Tensor"),
    "a list in a Sequential": (lambda: nn.Sequential([nn.ReLU()]), TypeError, "takes Modules, got list at position 0"),
    "no dict": (lambda: nn.ModuleDict(3), TypeError, "takes a dict, or pairs of names and Modules, got int"),
    "no pairs": (lambda: nn.ModuleDict([1]), TypeError, "takes a dict, or pairs of names and Modules, got list"),
    "index past a list": (lambda: nn.ModuleList([nn.ReLU()])[1], IndexError, "out of range"),
    "calling a list": (lambda: nn.ModuleList()(1), NotImplementedError, "ModuleList has no forward.*nn.Sequential"),
    "features of 0": (lambda: nn.Linear(0, 1), ValueError, "in_features must be a whole number of at least 1, got 0"),
    "features of 1.5": (lambda: nn.Linear(1, 1.5), TypeError, "out_features must be a whole number"),
    "features of True": (lambda: nn.Linear(True, 1), TypeError, "got True"),
    "unknown reduction": (lambda: nn.MSELoss("max"), ValueError, "mean, sum, none, got 'max'"),
    "no module": (lambda: nn.Sequential(nn.ReLU(), 3), TypeError, "got int at position 1"),
    "no forward": (lambda: nn.Module()(1), NotImplementedError, "Module has no forward"),
    "integer parameter": (lambda: nn.Parameter([1, 2]), TypeError, "only float32 and float64"),
    "unfit batch": (lambda: nn.Linear(10, 1)(ones(4, 9)), ValueError, r"in_features elements, .*\(1, 10\).*\(4, 9\)"),
    "shapes of the famous trap": (lambda: nn.MSELoss()(ones(4, 1), ones(4)), ValueError, "compare every pair"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    attempt, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words):
        attempt()


def test_repr_shows_the_parts() -> None:
    text = repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()), nn.MSELoss()))
    assert text.splitlines() == [
        "Sequential(",
        "  (0): Linear(in_features=2, out_features=3, bias=True)",
        "  (1): Sequential(",
        "    (0): ReLU()",
        "  )",
        "  (2): MSELoss(reduction='mean')",
        ")",
    ]


def test_sequential_is_a_sequence() -> None:
    model = nn.Sequential(nn.Tanh(), nn.Sigmoid())
    assert len(model) == 2 and [type(m) for m in model] == [nn.Tanh, nn.Sigmoid] and isinstance(model[-1], nn.Sigmoid)
    assert isinstance(model(ones(2)), Tensor)
