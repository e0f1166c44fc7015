"""Modules beside torch.nn: each program runs with both libraries and must give the same.

A program gets a library and yields what it sees: names, shapes, numbers, or the class of an error. Where torch raises a
RuntimeError for a state that does not fit, ours is a ValueError; `error` counts them as one.
"""

import copy
import importlib
import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from tinygrad_lr import Tensor, nn, tensor


class Ours:
    nn, tensor = nn, staticmethod(tensor)

    @staticmethod
    def shape(value):
        return value.shape


class Torchs:
    def __init__(self):
        torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
        self.nn, self.tensor = torch.nn, torch.tensor

    @staticmethod
    def shape(value):
        return tuple(value.shape)


def numbers(value):
    """The values of a Tensor or an array as nested lists."""
    return value.tolist()


def names(pairs):
    return [name for name, _ in pairs]


def error(call):
    try:
        call()
    except Exception as raised:
        return {"RuntimeError": "ValueError"}.get(type(raised).__name__, type(raised).__name__)
    return "nothing was raised"


def a_model(lib):
    """Own parameters before, between and after children; a shared module; a None; buffers of both kinds."""
    nn = lib.nn

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.gain = nn.Parameter(lib.tensor([1.0, 2.0]))
            self.register_buffer("mean", lib.tensor([0.5]))

        def forward(self, x):
            return self.linear(x) * self.gain + self.mean

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(3, 2, bias=False)
            self.scale = nn.Parameter(lib.tensor([2.0]))
            self.inner = Inner()
            self.again = self.inner.linear
            self.register_buffer("count", lib.tensor([1, 2]))
            self.register_buffer("passing", lib.tensor([3.0]), persistent=False)
            self.register_buffer("later", None)
            self.register_parameter("absent", None)
            self.shift = nn.Parameter(lib.tensor([[0.5, 0.25]]))
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(self.again(self.inner(self.first(x)))) * self.scale + self.shift

    model = Model()
    for i, parameter in enumerate(model.parameters()):
        fill(parameter, (np.arange(parameter.data.size if lib is Ours else parameter.numel()) - i) / 8)
    return model


def fill(parameter, values):
    shape = tuple(parameter.shape)
    if not isinstance(parameter, Tensor):
        parameter.data.copy_(importlib.import_module("torch").tensor(np.reshape(values, shape)))
    else:
        parameter.data = np.reshape(values, shape)


def going_through_the_parts(lib):
    model = a_model(lib)
    for recurse in (True, False):
        yield names(model.named_parameters(recurse=recurse))
        yield names(model.named_buffers(recurse=recurse))
        yield len(list(model.parameters(recurse))), len(list(model.buffers(recurse)))
    yield names(model.named_parameters("outer")), names(model.named_buffers(prefix="outer", recurse=False))
    yield names(model.named_parameters(remove_duplicate=False))
    yield names(model.named_modules()), names(model.named_modules(prefix="outer"))
    yield names(model.named_modules(remove_duplicate=False))
    yield names(model.named_children()), [type(child).__name__ for child in model.children()]
    yield [type(module).__name__ for module in model.modules()]
    yield list(model.state_dict()), list(model.state_dict(prefix="outer."))
    visited = []
    yield model.apply(lambda module: visited.append(type(module).__name__)) is model, visited
    yield type(model.get_submodule("inner.linear")).__name__, model.get_submodule("") is model
    yield model.get_parameter("inner.gain") is model.inner.gain, model.get_buffer("inner.mean") is model.inner.mean
    for wrong in ("inner.gone", "gone.inner", "scale"):
        yield error(lambda wrong=wrong: model.get_submodule(wrong))
    yield error(lambda: model.get_parameter("inner.mean")), error(lambda: model.get_buffer("inner.gain"))


def gradients_of_all(lib):
    model = a_model(lib)
    out = model(lib.tensor([[1.0, -2.0, 0.5], [0.25, 4.0, -1.0]]))
    out.sum().backward()
    yield numbers(out)
    yield [(name, numbers(parameter.grad)) for name, parameter in model.named_parameters()]
    model.zero_grad(set_to_none=False)
    yield [numbers(parameter.grad) for parameter in model.parameters()]
    model.zero_grad()
    yield [parameter.grad for parameter in model.parameters()]
    yield model.requires_grad_(False) is model, [parameter.requires_grad for parameter in model.parameters()]
    yield model(lib.tensor([[1.0, 2.0, 3.0]])).requires_grad, [buffer.requires_grad for buffer in model.buffers()]


def states(lib):
    model, other = a_model(lib), a_model(lib)
    for parameter in other.parameters():
        fill(parameter, np.full(tuple(parameter.shape), 7.0))
    state = model.state_dict()
    yield list(other.load_state_dict(state).missing_keys), [numbers(value) for value in other.state_dict().values()]
    part = {name: value for name, value in state.items() if name != "scale"} | {"more": lib.tensor([1.0])}
    found = other.load_state_dict(part, strict=False)
    yield list(found.missing_keys), list(found.unexpected_keys)
    before = [numbers(value) for value in model.state_dict().values()]
    for wrong in (part, {**state, "scale": lib.tensor([1.0, 2.0])}, {}):
        yield error(lambda wrong=wrong: model.load_state_dict(wrong))
    yield error(lambda: model.load_state_dict({"scale": lib.tensor([1.0, 2.0])}, strict=False))
    yield error(lambda: model.load_state_dict([("scale", 1.0)]))
    yield before == [numbers(value) for value in model.state_dict().values()]
    wider = {name: lib.tensor(np.asarray(value, np.float64)) for name, value in state.items()}
    model.load_state_dict(wider)
    yield [str(value.dtype).split(".")[-1] for value in model.state_dict().values()]


def attributes(lib):
    nn = lib.nn
    linear = nn.Linear(2, 1)
    weight = linear.weight
    linear.bias = None
    yield names(linear.named_parameters()), list(linear.state_dict())
    yield error(lambda: setattr(linear, "bias", lib.tensor([1.0])))  # the name is that of a parameter still
    yield error(lambda: setattr(linear, "weight", lib.tensor([[1.0, 2.0]])))
    yield error(lambda: setattr(linear, "weight", 3)), linear.weight is weight
    linear.bias = nn.Parameter(lib.tensor([1.0]))
    linear.weight = nn.Parameter(lib.tensor([[1.0, 2.0]]))
    yield names(linear.named_parameters())
    del linear.weight
    yield names(linear.named_parameters()), error(lambda: linear.weight)
    linear.weight = lib.tensor([[1.0, 2.0]])  # a plain attribute now
    yield names(linear.named_parameters())
    linear.weight = nn.Parameter(lib.tensor([[1.0, 2.0]]))
    yield names(linear.named_parameters())
    model = a_model(lib)
    yield error(lambda: setattr(model, "inner", 3)), error(lambda: setattr(model, "inner", lib.tensor([1.0])))
    yield error(lambda: setattr(model, "count", 3)), error(lambda: setattr(model, "count", [1.0]))
    model.count = lib.tensor([5.0])
    model.later = lib.tensor([6.0])
    yield list(model.state_dict()), numbers(model.state_dict()["later"])
    model.inner = None
    yield names(model.named_parameters()), names(model.named_children())
    model.act = nn.Linear(1, 1)
    yield error(lambda: setattr(model, "scale", nn.Linear(1, 1)))  # a Module in the place of a Parameter
    yield names(model.named_parameters())
    model.first = nn.Parameter(lib.tensor([1.0]))  # the reverse
    del model.count, model.act
    yield names(model.named_parameters()), names(model.named_buffers()), error(lambda: delattr(model, "act"))


def names_that_are_none(lib):
    model, parameter = a_model(lib), lib.nn.Parameter(lib.tensor([1.0]))
    for register, value in (
        (model.register_parameter, parameter),
        (model.register_buffer, lib.tensor([1.0])),
        (model.add_module, lib.nn.ReLU()),
    ):
        yield error(lambda register=register, value=value: register("a.b", value))
        yield error(lambda register=register, value=value: register("", value))
        yield error(lambda register=register, value=value: register(3, value))
        yield error(lambda register=register, value=value: register("forward", value))
        yield error(lambda register=register: register("new", 3))
    yield error(lambda: setattr(model, "a.b", parameter))
    yield error(lambda: model.register_buffer("scale", lib.tensor([1.0])))
    yield error(lambda: model.register_parameter("count", parameter))
    yield error(lambda: model.add_module("scale", lib.nn.ReLU()))
    model.register_buffer("count", lib.tensor([9]))  # what is a buffer already can be registered again
    model.register_parameter("scale", parameter)
    model.add_module("act", lib.nn.Tanh())
    yield names(model.named_parameters()), names(model.named_buffers()), names(model.named_children())


def sequentials(lib):
    nn = lib.nn
    parts = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh()]
    model = nn.Sequential(*parts)
    x = lib.tensor([[1.0, -1.0]])
    for where in (slice(1, None), slice(None, -1), slice(None, None, 2), slice(0, 0), slice(None)):
        part = model[where]
        yield type(part).__name__, names(part.named_children()), len(part), list(part) == parts[where]
        yield names(part.named_parameters())
    yield numbers(model[:2](x)) == numbers(parts[1](parts[0](x)))
    yield model[-1] is parts[-1], model[2] is parts[2], error(lambda: model[4]), error(lambda: model[-5])
    model[1] = nn.Tanh()
    model[-1] = nn.ReLU()
    yield [type(part).__name__ for part in model], names(model.named_children())
    yield error(lambda: model.__setitem__(9, nn.ReLU()))
    del model[1]
    yield names(model.named_children()), names(model.named_parameters())
    yield model.append(nn.ReLU()) is model, names(model.named_children())
    yield model.insert(1, nn.Tanh()) is model, [type(part).__name__ for part in model]
    yield model.extend([nn.ReLU(), nn.ReLU()]) is model, names(model.named_children())
    yield type(model.pop(1)).__name__, len(model), names(model.named_children())
    del model[1:]
    yield names(model.named_children())
    both = nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh(), nn.Linear(1, 1))
    yield type(both).__name__, names(both.named_children())
    model += nn.Sequential(nn.ReLU())
    yield names(model.named_children())
    named = nn.Sequential(OrderedDict(first=nn.Linear(1, 2), second=nn.ReLU(), third=nn.Linear(2, 1)))
    yield names(named.named_parameters()), names(named[1:].named_children()), type(named.second).__name__
    yield named[0] is named.first, names(named.append(nn.ReLU()).named_children())
    yield error(lambda: nn.Sequential(3)), error(lambda: nn.Sequential(OrderedDict(a=3)))
    model.add_module("last", nn.Tanh())
    yield [type(part).__name__ for part in model]


def module_lists(lib):
    nn = lib.nn
    layers = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
    layers.append(nn.Linear(1, 2)).extend([nn.Tanh()])
    layers.insert(1, nn.Linear(2, 2))
    yield names(layers.named_parameters()), [type(each).__name__ for each in layers]
    part = layers[1:3]
    yield type(part).__name__, names(part.named_children()), part[0] is layers[1]
    layers += [nn.ReLU()]
    yield len(layers), layers[-1] is layers[5], error(lambda: layers[6])
    layers[0] = nn.Tanh()
    del layers[-1], layers[1:3]
    yield [type(each).__name__ for each in layers], names(layers.named_children())
    yield type(layers.pop(0)).__name__, names(layers.named_children()), names((layers + [nn.ReLU()]).named_children())
    yield error(lambda: layers.append(3)), error(lambda: nn.ModuleList([3])), error(lambda: layers.extend(3))
    yield len(nn.ModuleList()), list(nn.ModuleList())


def module_dicts(lib):
    nn = lib.nn
    towers = nn.ModuleDict({"vision": nn.Linear(1, 2), "text": nn.Linear(2, 2)})
    towers["more"] = nn.ReLU()
    towers.update({"last": nn.Tanh()})
    yield list(towers), list(towers.keys()), len(towers), "text" in towers, "gone" in towers
    yield names(towers.named_parameters()), [type(each).__name__ for each in towers.values()]
    yield [(name, type(each).__name__) for name, each in towers.items()]
    del towers["text"]
    yield type(towers.pop("more")).__name__, list(towers), error(lambda: towers["gone"])
    yield error(lambda: towers.__setitem__("a.b", nn.ReLU())), error(lambda: towers.__setitem__("x", 3))
    yield error(lambda: towers.__setitem__("keys", nn.ReLU()))
    towers.clear()
    yield list(towers), list(towers.parameters())


def parameter_lists(lib):
    nn = lib.nn

    class Polynomial(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.ParameterList([nn.Parameter(lib.tensor([1.0])), lib.tensor([2.0])])

        def forward(self, x):
            return self.c[0] + self.c[1] * x

    model = Polynomial()
    model.c.append(nn.Parameter(lib.tensor([3.0])))
    model.c.extend([lib.tensor([4.0])])
    yield names(model.named_parameters()), [each.requires_grad for each in model.parameters()], len(model.c)
    model(lib.tensor([5.0])).sum().backward()
    yield [None if each.grad is None else numbers(each.grad) for each in model.parameters()]
    yield type(model.c[1:]).__name__, [numbers(each) for each in model.c[1:]]
    model.c[0] = nn.Parameter(lib.tensor([9.0]))
    yield [numbers(each) for each in model.c], error(lambda: model.c[4]), numbers(model.c[-1])
    yield list(model.state_dict())


def modes(lib):
    class Frozen(lib.nn.Module):
        def train(self, mode=True):
            return super().train(False)

    model = a_model(lib)
    model.frozen = Frozen()
    yield model.training, model.frozen.training
    yield model.train() is model, [module.training for module in model.modules()]
    yield model.eval() is model, [module.training for module in model.modules()]
    yield type(error(lambda: model.train("invalid"))).__name__, model.training


def dtypes(lib):
    model = a_model(lib)
    parts = [*model.parameters(), *model.buffers()]
    for move in (model.double, model.float, model.double, lambda: model.to(lib.tensor([1.0])), model.cpu):
        yield move() is model
        yield [str(each.dtype).split(".")[-1] for each in (*model.parameters(), *model.buffers())]
    yield [a is b for a, b in zip(parts, model.parameters(), strict=False)]
    yield (
        numbers(model.double()(lib.tensor([[1.0, 2.0, 3.0]]).double()))
        if lib is not Ours
        else numbers(model.double()(lib.tensor([[1.0, 2.0, 3.0]]).to("float64")))
    )


def copies(lib):
    model = a_model(lib)
    for twin in (copy.deepcopy(model), pickled(model) if lib is Ours else copy.deepcopy(model)):
        yield list(twin.state_dict()), names(twin.named_buffers()), names(twin.named_modules())
        yield twin.again is twin.inner.linear, twin.first.weight is model.first.weight
        fill(twin.scale, np.array([11.0]))
        yield numbers(model.scale), numbers(twin.scale), type(twin.scale).__name__, twin.scale.requires_grad


def pickled(model):
    """As pickle gives it back; the classes of a test's function cannot be pickled by name."""
    classes = {kind.__qualname__: kind for kind in {type(each) for each in model.modules()}}

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.__qualname__ if isinstance(value, type) and value in classes.values() else None

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, name):
            return classes[name]

    file = io.BytesIO()
    Pickler(file).dump(model)
    file.seek(0)
    return Unpickler(file).load()


def texts(lib):
    class Shown(lib.nn.Module):
        def __init__(self, *parts):
            super().__init__()
            for i, part in enumerate(parts):
                self.add_module(f"part{i}", part)

        def extra_repr(self):
            return "one=1" if not list(self.children()) else "one=1\ntwo=2"

    yield repr(lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Sequential(lib.nn.ReLU(), Shown())))
    yield repr(Shown(lib.nn.Tanh(), Shown())), repr(lib.nn.ModuleDict({"a": lib.nn.Sigmoid()}))


PROGRAMS = [
    going_through_the_parts,
    gradients_of_all,
    states,
    attributes,
    names_that_are_none,
    sequentials,
    module_lists,
    module_dicts,
    parameter_lists,
    modes,
    dtypes,
    copies,
    texts,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_gives_what_it_gives_with_torch(program):
    theirs = list(program(Torchs()))
    ours = list(program(Ours))
    for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"what the program yields at place {i}"
    assert len(theirs) >= 2
