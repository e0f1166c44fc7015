"""Compiled training never gives silently other results than eager training: what Python does in model or loss is
compiled faithfully or refused, with what was read, changed or drawn, and of which tensor."""

import copy
import random as python_random
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python, check, flow

from tinygrad_lr import functional, manual_seed, nn, no_grad, optim, random, tensor, zeros
from tinygrad_lr.compiled import CannotCompile, runner, side_effects
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit


@pytest.fixture(autouse=True)
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels."""
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))


def sgd(params):
    return optim.SGD(params, lr=0.05)


class Two(nn.Module):
    """Two linear layers and what a formula makes of them."""

    def __init__(self, formula, **more):
        self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 1)
        self.formula = formula
        vars(self).update(more)

    def forward(self, x):
        return self.formula(self, x)


def chosen(s, x):
    return s.a(x) if float(x.data.mean()) > 0 else s.b(x)


def wired(s, x):
    p, q = s.a(x), s.b(x)
    return p - q if x.numpy().mean() > 0 else q - p


def changed_input(s, x):
    x.data[:] = x.data * 2 + 1
    return s.a(x)


def changed_in_place(s, x):
    x += 1.0
    return s.a(x)


def clipped_weight(s, x):
    s.a.weight.data[:] = np.clip(s.a.weight.data, -0.1, 0.1)
    return s.a(x)


def assigned_weight(s, x):
    s.a.weight.data = np.clip(s.a.weight.data, -0.1, 0.1)
    return s.a(x)


def running_mean(s, x):
    with no_grad():
        s.buffer *= 0.9
        s.buffer += x.mean(0) * 0.1
    return s.a(x)


def raw_buffer(s, x):
    s.buffer.data[:] += 1.0
    return s.a(x)


def counted(s, x):
    s.count += 1
    return s.a(x)


def listed(s, x):
    s.count.append(0)
    return s.a(x)


def kept(s, x):
    s.count = s.a(x)
    return s.count


def caught(s, x):
    try:
        return s.a(x) * x.sum().item()
    except Exception:
        return s.a(x)


def penalty(s, x):
    x = x.detach().requires_grad_()
    y = s.a(x)
    y.sum().backward(retain_graph=True)
    return y * float((x.grad**2).sum())


def grad_set(s):
    s.a.weight.grad = np.ones((1, 3))
    return 0.0


def noise(s, x):
    return s.a(x + random.generator().random(x.shape).astype("float32"))


def numpy_noise(s, x):
    return s.a(x) * np.random.random()  # noqa: NPY002


def python_noise(s, x):
    return s.a(x) if python_random.random() < 0.5 else s.b(x)


def own_noise(s, x):
    return s.a(x) * (1.0 if s.count.random() < 0.99 else 0.5)


def seeded(s, x):
    manual_seed(3)
    return s.a(x)


def constant_changed_between_uses(s, x):
    mask = np.ones(3, np.float32)
    x = x * mask
    mask[:] = 0.5
    return s.a(x * mask)


def constant_added_to_between_uses(s, x):
    mask = zeros(3)
    x = x * mask
    mask += 0.5
    return s.a(x * mask)


def rounded_down(s, x):
    return s.a(x.to("int64").to("float32"))


READS = {
    "which parameters": (chosen, r"model's input \(\.data\)"),
    "wiring": (wired, r"model's input \(\.numpy\(\)\)"),
    "a branch": (lambda s, x: s.a(x) if (x > 0.0).any() else x, r"output of greater, of shape .*\(logical_or\)"),
    "an index": (lambda s, x: s.a(x)[(abs(s.b(x)) < 3.0)[:, 0]], r"output of index, of shape \(4,\) \(as an index\)"),
    "item": (lambda s, x: s.a(x) * x.sum().item(), r"output of sum, of shape \(\) \(as a Python number\)"),
    "of a parameter": (lambda s, x: s.a(x) * float(s.a.weight[0, 0]), "output of index.*as a Python number"),
    "without a graph": (lambda s, x: s.a(x) * np.asarray(s.a.weight.detach()).sum(), "parameter 'a.weight'"),
    "tolist": (lambda s, x: s.a(x) * x.detach().tolist()[0][0], r"model's input \(\.tolist\(\)\)"),
    "a copy": (lambda s, x: s.a(tensor(x)), r"model's input \(a copy\)"),
    "deepcopy": (lambda s, x: s.a(copy.deepcopy(x)), r"model's input \(a copy\)"),
    "state_dict": (lambda s, x: s.a(x) * s.a.state_dict()["weight"].sum(), r"'a.weight' \(state_dict"),
    "backward": (penalty, r"output of sum.*\(backward"),
    "changed input": (changed_input, r"model's input \(\.data"),
    "a gradient set": (lambda s, x: s.a(x) + grad_set(s), r"parameter 'a.weight' \(assigning to .grad"),
    "in place": (changed_in_place, r"model's input \(in-place add"),
    "clipped weight": (clipped_weight, r"parameter 'a.weight' \(\.data"),
    "assigned weight": (assigned_weight, r"parameter 'a.weight' \(\.data"),
    "an error that the model catches": (caught, "output of sum"),
}
OTHERS = {
    "running mean": (running_mean, {"buffer": zeros(3)}, r"output of mul.*\(in-place add"),
    "raw buffer": (raw_buffer, {"buffer": zeros(3)}, "^Two.buffer changes at each call"),
    "counter": (counted, {"count": 0}, "^Two.count changes at each call"),
    "list": (listed, {"count": []}, "^Two.count changes at each call"),
    "kept output": (kept, {"count": None}, "^Two.count changes at each call"),
    "dropout": (noise, {}, "random numbers .tinygrad_lr's generator"),
    "NumPy's numbers": (numpy_noise, {}, "random numbers .NumPy's generator"),
    "Python's numbers": (python_noise, {}, "random numbers .Python's generator"),
    "a generator of its own": (own_noise, {"count": np.random.default_rng(0)}, "^Two.count changes at each call"),
    "a seed": (seeded, {}, "random numbers .tinygrad_lr's generator"),
    "a constant changed": (constant_changed_between_uses, {}, "a constant that mul reads is changed in place"),
    "a constant added to": (constant_added_to_between_uses, {}, "a constant that mul reads is changed in place"),
    "whole numbers": (rounded_down, {}, "cast of whole numbers"),
}
REFUSED = {**{name: (formula, {}, message) for name, (formula, message) in READS.items()}, **OTHERS}


def generators():
    return random.get_state(), str(np.random.get_state()), python_random.getstate()  # noqa: NPY002


def parts(formula, **more):
    return flow(sgd, model=lambda: Two(formula, **more))


@pytest.mark.parametrize("name", REFUSED)
def test_what_python_does_is_refused_and_named(name):
    formula, more, message = REFUSED[name]
    model, loss, optimizer, loader = parts(formula, **more)
    before = [p._data.copy() for p in model.parameters()]
    states = generators()
    with pytest.raises(CannotCompile, match=f"{message}.*compiled=False.*--eager"):
        fit(model, loss, optimizer, loader, epochs=1, progress=False, compiled=True)
    assert all(np.array_equal(p._data, values) for p, values in zip(model.parameters(), before, strict=True))
    assert states == generators()
    fit(*parts(formula, **more), epochs=1, progress=False)  # eager training takes it


def rate_setter(t):
    return lambda p, y: (t[2].param_groups[0].update(lr=0.5), functional.mse_loss(p, y))[1]


def decay_setter(t):
    return lambda p, y: (t[2].param_groups[0].update(weight_decay=0.5), functional.mse_loss(p, y))[1]


def epoch_setter(t):
    return lambda p, y: (setattr(t[3], "epoch", 7), functional.mse_loss(p, y))[1]


SETTERS = [
    (rate_setter, "lr of group 0"),
    (decay_setter, "weight_decay of group 0"),
    (epoch_setter, "the loader's epoch"),
]


@pytest.mark.parametrize(("loss_of", "what"), SETTERS)
def test_what_changes_optimizer_or_loader_is_refused(loss_of, what):
    t = flow(sgd)
    with pytest.raises(CannotCompile, match=rf"changes what trains it \({what}\)"):
        fit(t[0], loss_of(t), *t[2:], epochs=1, compiled=True)


class Annealed(nn.Linear):
    """Whose `train` is a callback of every epoch."""

    factor = 1.0

    def train(self, mode=True):
        if mode:
            self.factor *= 0.5
        return super().train(mode)

    def forward(self, x):
        return super().forward(x) * self.factor


def test_a_train_of_its_own_is_called_for_every_epoch():
    losses = []
    for compiled in (False, True):
        t = flow(sgd, model=lambda: Annealed(3, 1))
        losses.append(fit(*t, epochs=5, progress=False, compiled=compiled).loss)
    assert np.allclose(*losses, rtol=1e-5)


LABELS = np.array([0, 1, 1, 0, 2, 3, 2, 3, 0, 1])


class Embedding(nn.Module):
    def __init__(self):
        self.table = nn.Parameter(np.linspace(-1, 1, 12).reshape(4, 3))

    def forward(self, labels):
        return self.table[labels].sum(1, keepdims=True)


@pytest.mark.parametrize("labels", [LABELS, LABELS * 0], ids=["palindrome first", "all equal"])
@pytest.mark.parametrize("batch", [1, 4])
def test_values_of_the_batch_as_an_index_are_refused(labels, batch):
    model = Embedding()
    loader = DataLoader(TensorDataset(labels, np.zeros((10, 1))), batch)
    with pytest.raises(CannotCompile, match=r"model's input \(as an index"):
        fit(model, nn.MSELoss(), sgd(model.parameters()), loader, epochs=1, compiled=True)


def rare(p, t):
    loss = functional.mse_loss(p, t)
    return loss * 0.1 if loss.item() > 50 else loss


def swapped(p, t):
    p, t = (t, p) if float(t.data.mean()) > 1e6 else (p, t)
    return functional.mse_loss(p, t)


@pytest.mark.parametrize(("loss", "message"), [(rare, "output of mse_loss"), (swapped, r"the target \(\.data")])
def test_a_loss_that_reads_values_is_refused(loss, message):
    with pytest.raises(CannotCompile, match=message):
        fit(*flow(sgd, loss=loss), epochs=1, compiled=True)


BRANCHES = {"which parameters": chosen, "wiring": wired, "item": READS["item"][0]}


@pytest.mark.parametrize("formula", BRANCHES.values(), ids=BRANCHES)
def test_a_second_trace_on_other_values_sees_what_the_watch_would_miss(formula, monkeypatch):
    monkeypatch.setattr(side_effects.SideEffects, "touched", lambda self, tensor, how: None)
    with pytest.raises(CannotCompile, match="at every step|branches in Python"):
        fit(*parts(formula), epochs=1, progress=False, compiled=True)


def test_an_index_that_the_watch_would_miss_is_seen_too(monkeypatch):
    monkeypatch.setattr(side_effects.SideEffects, "touched", lambda self, tensor, how: None)
    model = Embedding()
    loader = DataLoader(TensorDataset(LABELS, np.zeros((10, 1))), 4)
    with pytest.raises(CannotCompile, match="the options or shapes of index"):
        fit(model, nn.MSELoss(), sgd(model.parameters()), loader, epochs=1, compiled=True)


# --- what is compiled faithfully --------------------------------------------------------------------------------------


def centred(s, x):
    with no_grad():
        mean = x.mean(0)
    return s.a(x - mean)


def stopped(s, x):
    hidden = s.b(x).tanh().reshape(-1, 1)
    return s.a(x) * hidden.reshape(1, -1).detach().reshape(-1, 1) + hidden * x.detach()[:, :1]


def constant_read(s, x):
    return s.a(x) * float(s.scale.data.sum()) + s.scale.item()


def set_up_once(s, x):
    if s.mask is None:
        s.mask = tensor([1.0, 0.5, 0.25])
    return s.a(x * s.mask)


def made_anew(s, x):
    mask = zeros(3)
    mask += 0.5
    mask[1] = 2.0
    return s.a(x * mask + np.arange(3.0, dtype=np.float32))


def tied(s, x):
    s.tied = s.tied if s.tied is not None else s.a.weight.detach()
    return s.a(x) * 0.5 + x @ s.tied.T


def asks_for_gradients(s, x):
    return s.a(x) if x.requires_grad else s.b(x) * 2.0 + s.a(x) * 0.0


FAITHFUL = {
    "no_grad": (centred, {}),
    "detached": (stopped, {}),
    "constants are read": (constant_read, {"scale": tensor(0.5)}),
    "set up once": (set_up_once, {"mask": None}),
    "constants made anew": (made_anew, {}),
    "a weight detached once": (tied, {"tied": None}),
    "printing": (lambda s, x: s.a(x) * len(f"{x} {s.a(x)!r}"[:7]), {}),
    "the batch requires no gradients": (asks_for_gradients, {}),
}


@pytest.mark.parametrize("name", FAITHFUL)
def test_what_a_compiled_step_can_do_is_compiled(name):
    formula, more = FAITHFUL[name]
    check(sgd, epochs=1, model=lambda: Two(formula, **more), loss=lambda a, b: ((a - b) * (a - b)).mean())


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_whole_numbers_of_the_batch_may_be_moved_and_converted(dtype):
    losses = []
    for compiled in (False, True):
        model, _, optimizer, loader = flow(sgd)
        whole = np.arange(30).reshape(10, 3).astype(dtype)
        loader = DataLoader(TensorDataset(loader.dataset.tensors[0], whole), 4, shuffle=True, seed=0)

        def loss(p, t):
            return functional.mse_loss(p.reshape(-1), t[:, 1].clone().to("float32"))

        losses.append(fit(model, loss, optimizer, loader, epochs=3, progress=False, compiled=compiled).loss)
    assert np.allclose(*losses, rtol=1e-5)


def test_another_thread_may_draw_while_a_model_is_traced():
    """It is done as another thread would do it: once, unseen by the watch."""
    drawn = []

    def loss(p, t):
        if not drawn:
            drawn.append(python_random.random())
        return functional.mse_loss(p, t)

    before = generators()
    fit(*flow(sgd, loss=loss), epochs=1, progress=False, compiled=True)
    assert generators()[2] != before[2]  # what another thread drew is not drawn again


def test_threads_compile_side_by_side():
    errors = []

    def work():
        try:
            fit(*flow(sgd, seed=None), epochs=3, progress=False, compiled=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not errors


def test_the_generator_stands_as_after_eager_training():
    found = []
    for compiled in (False, True):
        parts = flow(sgd, seed=None)
        fit(*parts, epochs=3, progress=False, compiled=compiled)
        found.append(random.get_state())
    assert found[0] == found[1]
