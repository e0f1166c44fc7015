"""The fingerprint of a model and a loss: what it sees, by which path it names it, and what it leaves out."""

import sys
from argparse import Namespace
from collections import deque
from functools import partial
from random import Random
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tinygrad_lr import nn, no_grad, optim, tensor
from tinygrad_lr.compiled import fingerprint as file
from tinygrad_lr.compiled.fingerprint import fingerprint
from tinygrad_lr.data import DataLoader, TensorDataset

SCALE = 1.0
OPTIONS = ModuleType("options_of_a_test")
OPTIONS.scale = OPTIONS.other = 1.0


def helper():
    return SCALE


class Slots:
    __slots__ = "scale"

    def __init__(self):
        self.scale = 1.0


class Model(nn.Module):
    factor = 1.0

    def __init__(self):
        self.layer = nn.Linear(3, 1)
        self.parts = [nn.ReLU(), {"scale": 1.0, 2: None}, (1, deque([0.0])), {5}]
        self.array, self.constant, self.large = np.zeros(3), tensor([1.0, 2.0]), np.zeros(100_000)
        self.slots, self.own = Slots(), SimpleNamespace(scale=1.0, more=Namespace(scale=0.0))
        self.draws, self.python = np.random.default_rng(0), Random(0)
        self.old_draws = np.random.RandomState(0)
        self.cycle = [self]
        variable = 1.0

        def change(value):
            nonlocal variable
            variable = value

        self.change, self.function = change, lambda x, scale=self.array: x * variable * SCALE
        self.partial = partial(helper, scale=[1.0])
        self.number = np.float32(1)

    @property
    def shown(self):
        return OPTIONS.scale

    def forward(self, x):
        return self.layer(x) * helper()


def assign(path, value):
    """A change of an attribute."""
    *holders, name = path.split(".")

    def change(model):
        for holder in holders:
            model = getattr(model, holder)
        setattr(model, name, value)

    return change


def globally(name, value):
    return lambda model, monkeypatch: monkeypatch.setattr(sys.modules[__name__], name, value)


def on_class(model, monkeypatch):
    monkeypatch.setattr(Model, "factor", 2.0)


def patched_class(model, monkeypatch):
    monkeypatch.setattr(Model, "forward", lambda self, x: x)


def in_module(model, monkeypatch):
    monkeypatch.setattr(OPTIONS, "scale", 2.0)


def added(model):
    with no_grad():
        model.constant += 1.0


def called(model):
    model.function.calls = 1


CHANGES = {
    "attribute": (assign("layer.in_features", 4), "Model.layer.in_features"),
    "type of an attribute": (assign("layer.in_features", 3.0), "Model.layer.in_features"),
    "new attribute": (assign("layer.scale", 4), "Model.layer"),
    "mode": (lambda m: m.eval(), "Model"),
    "layer": (lambda m: setattr(m, "layer", nn.Linear(3, 1)), "Model.layer.weight"),
    "list": (lambda m: m.parts.append(1), "Model.parts"),
    "item": (lambda m: m.parts.__setitem__(0, 1), "Model.parts[0]"),
    "dict": (lambda m: m.parts[1].update(scale=-0.0), "Model.parts[1]['scale']"),
    "sign of zero": (lambda m: m.parts[2][1].__setitem__(0, -0.0), "Model.parts[2][1][0]"),
    "key": (lambda m: m.parts[1].pop(2), "Model.parts[1]"),
    "set": (lambda m: m.parts[3].add(7), "Model.parts[3]"),
    "array": (lambda m: m.array.__setitem__(1, 2.0), "Model.array"),
    "Tensor in place": (added, "Model.constant"),
    "raw values": (lambda m: m.constant.data.fill(7), "Model.constant"),
    "Tensor": (assign("constant", tensor([1.0, 2.0])), "Model.constant"),
    "requires_grad": (lambda m: m.layer.weight.requires_grad_(False), "Model.layer.weight"),
    "slots": (assign("slots.scale", 2.0), "Model.slots.scale"),
    "namespace": (assign("own.scale", 2.0), "Model.own.scale"),
    "arguments": (assign("own.more.scale", 2.0), "Model.own.more.scale"),
    "generator": (lambda m: m.draws.random(), "Model.draws"),
    "Python's": (lambda m: m.python.random(), "Model.python"),
    "NumPy's old one": (lambda m: m.old_draws.random(), "Model.old_draws"),
    "closure": (lambda m: m.change(2.0), "Model.change's variable variable"),
    "partial": (lambda m: m.partial.keywords["scale"].append(2), "Model.partial.keywords['scale']"),
    "attribute of a function": (called, "Model.function.calls"),
    "NumPy's number": (assign("number", np.float32(2)), "Model.number"),
    "function": (assign("function", helper), "Model.function"),
    "global": (globally("SCALE", 2.0), "Model.function's global SCALE"),
    "class": (on_class, "Model.factor"),
    "method": (patched_class, "Model.forward"),
    "another module": (in_module, "Model.shown's global OPTIONS.scale"),
}


def changed_by(change, model, monkeypatch, **options):
    before = fingerprint([model], **options)
    assert before == fingerprint([model], **options) and before.difference(fingerprint([model], **options)) is None
    change(model, monkeypatch) if change.__code__.co_argcount == 2 else change(model)
    after = fingerprint([model], **options)
    assert (before == after) == (before.difference(after) is None)
    return before.difference(after)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_and_named(name, monkeypatch):
    change, path = CHANGES[name]
    assert changed_by(change, Model(), monkeypatch) == path


@pytest.mark.parametrize("name", CHANGES)
def test_a_bound_method_a_closure_and_a_partial_lead_to_their_objects(name, monkeypatch):
    change, model = CHANGES[name][0], Model()
    for root in (model.forward, lambda x: model(x), partial(model, 1)):
        before = fingerprint([root])
        assert before == fingerprint([root])
    change(model, monkeypatch) if change.__code__.co_argcount == 2 else change(model)
    assert before.difference(fingerprint([root])) is not None


UNSEEN = {
    "values of trained parameters": lambda m: setattr(m.layer.weight, "data", [[1.0, 2.0, 3.0]]),
    "gradients": lambda m: setattr(m.layer.weight, "grad", [[1.0, 2.0, 3.0]]),
    "elements of a large array": lambda m: m.large.fill(1.0),
    "what nothing names": lambda m: setattr(OPTIONS, "other", 2.0),
    "an equal number": lambda m: setattr(m.own, "scale", float("1.0")),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_left_out(name, monkeypatch):
    model = Model()
    trained = {id(parameter) for parameter in model.parameters()}
    assert changed_by(UNSEEN[name], model, monkeypatch, trained=trained) is None


def test_optimizers_loaders_and_foreign_objects_are_known_by_identity():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(np.zeros(4)))
    with open(__file__) as opened:
        holder = SimpleNamespace(optimizer=optimizer, loader=loader, opened=opened, many=[0] * 1001, table={})
        holder.table.update(dict.fromkeys(range(1001)))
        before = fingerprint([holder])
        optimizer.param_groups[0]["lr"], loader.epoch = 0.5, 3
        holder.many[5], holder.table[5] = 1, 1
        opened.readline()
        assert before == fingerprint([holder])
        holder.optimizer = optim.SGD(model.parameters(), lr=0.5)
        assert before.difference(fingerprint([holder])) == "SimpleNamespace.optimizer"


def test_a_model_or_loss_of_an_installed_package_is_walked():
    kind = type("Loss", (), {"__module__": "numpy.losses"})
    loss, holder = kind(), SimpleNamespace(loss=kind())
    before, inside = fingerprint([loss]), fingerprint([holder])
    loss.weight = holder.loss.weight = 2.0
    assert before.difference(fingerprint([loss])) == "Loss" and inside == fingerprint([holder])


def test_what_lies_too_deep_is_known_by_identity(monkeypatch):
    monkeypatch.setattr(file, "DEPTH", 3)
    root = [[[[1]]]]
    before = fingerprint([root])
    root[0][0][0][0] = 2
    assert before == fingerprint([root])
    root[0][0][0] = [2]
    assert before.difference(fingerprint([root])) == "list[0][0][0]"


def test_one_object_in_two_places_is_told_from_two():
    one, other = [1], [1]
    holder = [one, other]
    before = fingerprint([holder])
    holder[1] = one
    assert before.difference(fingerprint([holder])) == "list[1]"
