"""Flows for the tests of compiled training, and how a compiled step is held against an eager one.

A step is compared from one state, so that nothing is amplified: its loss and gradients, compiled and eager, lie in the
enclosures of step_enclosure.py, and from the same gradients the eager optimizer gives the same bits. `fit` is then held
to be these steps, bit for bit.
"""

import numpy as np
from step_enclosure import enclosed_step

from tinygrad_lr import manual_seed, nn, randn
from tinygrad_lr.compiled import Runner
from tinygrad_lr.compiled.tracing import trace
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit
from tinygrad_lr.training.rates import Rates


def flow(optimizer, *, model=None, loss=None, samples=10, batch=4, dtype="float32", seed=0, features=3, outputs=1):
    """A model, a loss, its optimizer and a loader, always the same for the same arguments."""
    manual_seed(7)
    x, y = randn(samples, features).data.astype(dtype), randn(samples, outputs).data.astype(dtype)
    made = (model or (lambda: nn.Linear(features, outputs)))().to(dtype)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True, seed=seed)
    return made, loss or nn.MSELoss(), optimizer(made.parameters()), loader


def check(optimizer, epochs=2, schedule=None, max_norm=None, **options):
    """Hold every step of a compiled fit against eager training; returns the file that was run."""
    trained = flow(optimizer, **options)
    history = fit(*trained, epochs=epochs, schedule=schedule, progress=False, compiled=True, max_norm=max_norm)
    model, loss, made, loader = flow(optimizer, **options)
    eager = flow(optimizer, **options)
    runner = Runner(model, loss, made, loader, max_norm)
    table = Rates(schedule, made.param_groups, len(loader), epochs).of(0, epochs)
    losses = []
    for i in range(len(table)):
        epoch, place = divmod(i, len(loader))
        rows = loader.order(epoch)[place * loader.batch_size :][: loader.batch_size]
        batch = [tensor._data[rows] for tensor in loader.dataset.tensors]
        allowed = enclosed_step(trace(model, loss, list(model.parameters()), batch), batch)
        eager[0].load_state_dict(model.state_dict())
        eager[2].load_state_dict(made.state_dict())
        found, steps = runner.run(loader.keys(epoch, 1), place, table[i : i + 1])
        assert steps == 1
        check_step(allowed, found[0], model, eager, batch)
        for param, other in zip(model.parameters(), eager[0].parameters(), strict=True):
            other.grad = param.grad
        for group, rate in zip(eager[2].param_groups, table[i].tolist(), strict=True):
            group["lr"] = rate
        eager[2].step(max_norm=max_norm)
        same_bits(model, made, eager[0], eager[2])
        losses.append(found[0])
    assert history.loss.tolist() == losses and np.array_equal(history.lr, table)
    assert history.epoch.tolist() == np.repeat(np.arange(epochs), len(loader)).tolist()
    assert trained[3].epoch == epochs and not history.interrupted
    made.eval()  # as fit leaves it
    same_bits(model, made, trained[0], trained[2])
    return runner.source


def check_step(allowed, loss, model, eager, batch):
    """Loss and gradients of the compiled step, and those of the eager one from the same state."""
    bound, gradients = allowed
    assert bound.contains(loss), f"compiled loss {loss}, allowed: {bound}"
    eager[2].zero_grad()
    *inputs, target = DataLoader(TensorDataset(*batch), batch_size=None).dataset.tensors
    value = eager[1](eager[0](*inputs), target)
    value.backward()
    assert bound.contains(value.item()), f"eager loss {value.item()}, allowed: {bound}"
    for param, other in zip(model.parameters(), eager[0].parameters(), strict=True):
        allowed_here = gradients.get(id(param))
        assert (param.grad is None) == (other.grad is None) == (allowed_here is None)
        if allowed_here is not None:
            assert allowed_here.contains(param.grad).all(), f"compiled {param.grad}, allowed: {allowed_here}"
            assert allowed_here.contains(other.grad).all(), f"eager {other.grad}, allowed: {allowed_here}"


def same_bits(model, optimizer, other_model, other_optimizer):
    """Parameters, gradients, hyperparameters and state are equal, bit for bit."""
    for one, other in zip(model.parameters(), other_model.parameters(), strict=True):
        assert one.data.tobytes() == other.data.tobytes()
        assert one.grad is other.grad is None or one.grad.tobytes() == other.grad.tobytes()
    states, others = optimizer.state_dict(), other_optimizer.state_dict()
    drop = {"params": 0, "initial_lr": 0}
    assert [{**g, **drop} for g in states["param_groups"]] == [{**g, **drop} for g in others["param_groups"]]
    assert states["state"].keys() == others["state"].keys()
    for i, state in states["state"].items():
        assert state.keys() == others["state"][i].keys()
        for key, values in state.items():
            assert np.asarray(values).tobytes() == np.asarray(others["state"][i][key]).tobytes(), key


class Formula(nn.Module):
    """A model of one formula over a linear layer."""

    def __init__(self, formula, features=3):
        self.linear = nn.Linear(features, 4)
        self.scale = nn.Parameter([0.5, -1.0, 1.5, 0.75])
        self.formula = formula

    def forward(self, x):
        return self.formula(self.linear(x), self.scale).reshape(-1, 1)


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())


UNARY = {
    "neg": lambda a: -a,
    "exp": lambda a: a.tanh().exp(),
    "log": lambda a: (a * a + 1.0).log(),
    "sqrt": lambda a: (a * a + 0.5).sqrt(),
    "abs": abs,
    "relu": lambda a: a.relu(),
    "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(),
    "square": lambda a: a**2,
    "power": lambda a: (a * a + 0.5) ** 1.5,
    "clone": lambda a: a.clone(),
    "twice": lambda a: a + a,
    "detached": lambda a: a * a.detach(),
    "flipped": lambda a: a[:, ::-1],
    "chosen": lambda a: a[:, np.array([1, 0, 2, 1])],
    "transposed": lambda a: a.T.T,
    "centred": lambda a: a - a.mean(0),
    "share": lambda a: a / (1.0 + abs(a).sum(1, keepdims=True)),
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1),
    "pow": lambda a, b: (a * a + 0.5) ** b,
    "matmul": lambda a, b: a * (a @ b).reshape(-1, 1),
    "outer": lambda a, b: a @ (b.reshape(4, 1) * b),
}
OPS = [*UNARY, *BINARY]


def apply(name, a, scale):
    return UNARY[name](a) if name in UNARY else BINARY[name](a, scale)


def as_plain_python(text):
    """The generated file without its compilation, as a namespace."""
    names = {}
    import_line = "from tinygrad_lr.kernels._shapes import shaped"
    assert import_line in text
    exec(text.replace("@compiled\n", "").replace(import_line, "shaped = lambda array, shape: array"), names)
    return names
