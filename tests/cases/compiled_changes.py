"""A model, a loss, an optimizer and a loader, and everything that may change in them between compiled steps.

`CHANGES`: what a callback may do between two epochs. `AS_MANY`: what it may do with the loader. `BETWEEN`: what may be
done between two trainings besides.
"""

import copy
import sys
from types import SimpleNamespace

import numpy as np

from tinygrad_lr import manual_seed, nn, optim, schedules, tensor
from tinygrad_lr.compiled import compile_step
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit

SCALE = 1.0


def at_the_start(monkeypatch):
    """Globals and classes as every training finds them, also when a test is over."""
    LARGE.fill(1.0)
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 1.0)
    monkeypatch.setattr(sys.modules[__name__], "helper", helper)
    monkeypatch.setattr(Weighted, "weight", 1.0)
    monkeypatch.setattr(Weighted, "__call__", Weighted.__call__)
    monkeypatch.setattr(Scaled, "forward", Scaled.forward)
    monkeypatch.setattr(nn.Linear, "forward", nn.Linear.forward)


def helper(error):
    return (error * error).mean()


class Scaled(nn.Module):
    """Two layers, of which the first can be frozen, and everything that a callback may change."""

    power = 1.0

    def __init__(self):
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 1)
        self.scale, self.row, self.mask = 1.0, tensor([1.0]), np.ones((1, 4), np.float32)
        self.options = {"scales": [1.0]}

    def forward(self, x):
        hidden = self.body(x).tanh() * self.mask * self.row
        return self.head(hidden) * (self.scale * self.options["scales"][0] * SCALE * self.power + 0.5 * self.training)


class Weighted:
    weight = 1.0

    def __call__(self, prediction, target):
        error = prediction - target
        return helper(error) * self.weight


def halve_globally():
    globals()["SCALE"] = 0.5


def another_optimizer(t):
    t.kept = getattr(t, "kept", None) or optim.SGD(t.model.body.parameters(), lr=0.5)
    for parameter in t.model.body.parameters():
        parameter.grad = np.ones(parameter.shape)
    t.kept.step()


CHANGES = {
    "attribute": lambda t: setattr(t.model, "scale", 0.5),
    "loss": lambda t: setattr(t.loss, "weight", 0.1),
    "class": lambda t: setattr(Weighted, "weight", 0.25),
    "global": lambda t: halve_globally(),
    "option": lambda t: t.model.options["scales"].__setitem__(0, 2.0),
    "constant": lambda t: setattr(t.model.row, "data", [0.5]),
    "constant's memory": lambda t: t.model.row.data.fill(2.0),
    "array": lambda t: t.model.mask.fill(0.5),
    "new constant": lambda t: setattr(t.model, "row", tensor([3.0])),
    "mode": lambda t: t.model.eval(),
    "layer": lambda t: setattr(t.model, "body", nn.Linear(3, 4)),
    "frozen layer": lambda t: setattr(t.model.body.weight, "data", t.model.body.weight.data * 0.5),
    "another optimizer": another_optimizer,
    "frozen": lambda t: t.model.head.bias.requires_grad_(False),
    "decay": lambda t: t.optimizer.param_groups[0].update(weight_decay=0.1, betas=(0.5, 0.9)),
    "rate": lambda t: t.optimizer.param_groups[0].update(lr=0.5),
    "data": lambda t: setattr(t.dataset.tensors[0], "data", t.dataset.tensors[0].data * 0.5),
}


def parts(contiguous=True):
    manual_seed(5)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 3)).astype("f4"), rng.normal(size=(10, 1)).astype("f4")
    dataset = TensorDataset(x if contiguous else tensor(x.T.copy()).T.detach(), y)
    loader = DataLoader(dataset, 4, shuffle=True, seed=0)
    model = Scaled()
    optimizer = optim.Adam(model.head.parameters(), lr=0.05)
    parts = {"model": model, "loss": Weighted(), "optimizer": optimizer, "loader": loader, "dataset": dataset}
    return SimpleNamespace(**parts, x=x, y=y, max_norm=None, schedule=None)


def of_batch_size(size):
    return lambda t: setattr(t.loader, "batch_size", size)


def of_samples(count):
    return lambda t: setattr(t.loader, "dataset", TensorDataset(t.x[:count], t.y[:count]))


def twice_the_samples(t):
    t.loader.dataset, t.loader.batch_size = TensorDataset(t.x, t.y), 7


AS_MANY = {
    "other samples": lambda t: setattr(t.loader, "dataset", TensorDataset(t.x[10:] * 2, t.y[10:])),
    "more": twice_the_samples,
    "fewer": of_samples(9),
    "a longer last batch": of_samples(11),
    "seed": lambda t: setattr(t.loader, "seed", 3),
    "order": lambda t: setattr(t.loader, "shuffle", False),
}


def another_formula(t):
    """The code of a forward, as someone changes it who writes the model's class anew."""
    Scaled.forward = lambda self, x: self.head(self.body(x).relu()) * self.scale


def another_layer_forward(t):
    was = nn.Linear.forward
    nn.Linear.forward = lambda self, x: was(self, x) * 2.0


def another_loss_code(t):
    Weighted.__call__ = lambda self, prediction, target: (prediction - target).tanh().sum() * self.weight


def another_helper(t):
    globals()["helper"] = lambda error: abs(error).mean()


def a_group_more(t):
    owned = {id(p) for group in t.optimizer.param_groups for p in group["params"]}
    rest = [p for p in t.model.body.parameters() if id(p) not in owned]
    if rest:
        t.optimizer.add_param_group({"params": rest, "lr": 0.02})


def in_float64(t):
    t.loader.dataset = TensorDataset(*(each.data.astype("f8") for each in t.loader.dataset.tensors))


def an_eager_training(t):
    fit(t.model, t.loss, t.optimizer, t.loader, epochs=1, progress=False)


def a_compiled_step(t):
    step = compile_step(t.model, t.loss, t.optimizer)
    step(t.x, t.y)


def another_model(t):
    head, t.model = t.model.head, Scaled()
    t.model.head = head


def again_from_the_start(t):
    t.optimizer.load_state_dict({**t.optimizer.state_dict(), "state": {}})


def large(factor):
    """A loss that reads an element of an array too large to be looked at."""
    return lambda t: setattr(t, "loss", LargeLoss()) if factor is None else LARGE.fill(factor)


LARGE = np.ones(20_000, np.float32)


class LargeLoss(Weighted):
    def __call__(self, prediction, target):
        return Weighted.__call__(self, prediction, target) * LARGE[7]


BETWEEN = {
    "nothing": lambda t: None,
    "weights": lambda t: setattr(t.model.head.weight, "data", t.model.head.weight.data * 0.25),
    "another formula": another_formula,
    "a formula of its own": lambda t: setattr(t.model, "forward", lambda x: t.model.head(t.model.body(x))),
    "the code of a layer": another_layer_forward,
    "the code of the loss": another_loss_code,
    "a function that the loss calls": another_helper,
    "another loss": lambda t: setattr(t, "loss", nn.MSELoss("sum")),
    "a loss as a function": lambda t: setattr(t, "loss", lambda p, y: ((p - y) ** 2).sum()),
    "an equal loss": lambda t: setattr(t, "loss", copy.copy(t.loss)),
    "another loader": lambda t: setattr(t, "loader", DataLoader(TensorDataset(t.x[:7], t.y[:7]), 3, seed=1)),
    "an equal loader": lambda t: setattr(t, "loader", DataLoader(t.dataset, 4, shuffle=True, seed=0)),
    "another model": another_model,
    "batch size": of_batch_size(5),
    "fewer samples": of_samples(6),
    "no last batch": lambda t: setattr(t.loader, "drop_last", True),
    "float64": in_float64,
    "values of the data": lambda t: t.loader.dataset.tensors[0].data.fill(0.5),
    "a group more": a_group_more,
    "clipped": lambda t: setattr(t, "max_norm", None if t.max_norm else 0.01),
    "schedule": lambda t: setattr(t, "schedule", schedules.cosine(50)),
    "an eager training": an_eager_training,
    "a compiled step": a_compiled_step,
    "no state": again_from_the_start,
    "a large array is read": large(None),
    "a large array": large(0.25),
    "back to training mode": lambda t: t.model.train(),
}
