"""Compiled training as it runs: Ctrl-C, cost and memory. The folder of generated files: test_generated.py."""

import io
import math
import os
import signal
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python, flow, same_bits

from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.compiled import Runner, runner
from tinygrad_lr.data import DataLoader
from tinygrad_lr.training import fit
from tinygrad_lr.training.history import History

FOREIGN = io.StringIO()  # counts calls; an object of the standard library, into which no fingerprint looks
SCHEDULE = schedules.warmup(5).then(schedules.cosine(40))


def adam(params):
    return optim.Adam(params, lr=0.05)


@pytest.fixture
def ctrl_c():
    """Sends this process the signal of Ctrl-C, with Python's own handler in place."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", [0, None])
def test_ctrl_c_loses_nothing(monkeypatch, ctrl_c, at_once, seed):
    """15 epochs of 3 steps, stopped in the fourth call of the machine code, and gone on from there."""
    monkeypatch.setattr(Runner, "at_once", at_once)
    whole, stopped = flow(adam, seed=seed), flow(adam, seed=seed)
    expected = fit(*whole, epochs=15, schedule=SCHEDULE, progress=False, compiled=True)
    stopped = flow(adam, seed=seed)  # the generator starts anew with each flow
    calls, run = [], Runner.run

    def interrupted_run(self, *arguments):
        calls.append(None)
        if len(calls) == 4:
            ctrl_c()
        return run(self, *arguments)

    monkeypatch.setattr(Runner, "run", interrupted_run)
    history = fit(*stopped, epochs=15, schedule=SCHEDULE, progress=False, compiled=True)
    steps = len(history)
    assert history.interrupted and 4 <= steps < 45 and len(calls) == 4
    assert stopped[2].state_dict()["state"][0]["step"] == steps
    assert stopped[3].epoch == math.ceil(steps / 3)  # epochs begun
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert history.loss.tolist() == expected.loss[:steps].tolist()
    if seed is None and steps % 3:
        return  # the order of an unseeded epoch that was begun is gone, as in eager training
    resumed = fit(*stopped, epochs=15, schedule=SCHEDULE, progress=False, compiled=True, resume=history)
    assert resumed.to_csv() == expected.to_csv() and not resumed.interrupted
    same_bits(*whole[::2], *stopped[::2])


@pytest.mark.parametrize("seed", [0, None])
def test_ctrl_c_before_the_steps_of_drawn_orders(monkeypatch, ctrl_c, seed):
    """Orders of many epochs are drawn at once; no step of them is made."""
    monkeypatch.setattr(Runner, "at_once", 12)
    expected = fit(*flow(adam, seed=seed), epochs=40, progress=False, compiled=True)
    stopped = flow(adam, seed=seed)
    keys, asked = DataLoader.keys, []

    def keys_and_ctrl_c(self, first, count):
        asked.append((first, count))
        drawn = keys(self, first, count)
        if len(asked) == 3:
            ctrl_c()
        return drawn

    monkeypatch.setattr(DataLoader, "keys", keys_and_ctrl_c)
    history = fit(*stopped, epochs=40, progress=False, compiled=True)
    assert asked[:3] == [(0, 4), (4, 4), (8, 4)] and history.interrupted
    assert len(history) == 24 and stopped[3].epoch == 8
    resumed = fit(*stopped, epochs=40, progress=False, compiled=True, resume=history)
    assert resumed.to_csv() == expected.to_csv()


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_ctrl_c_while_the_model_is_traced_ends_fit_before_its_first_step(ctrl_c, call):
    """Full and short batches are traced twice each."""
    plain = nn.MSELoss()

    class Loss:
        def __call__(self, prediction, target):
            FOREIGN.write("x")
            if FOREIGN.tell() == call:
                ctrl_c()
            return plain(prediction, target)

    FOREIGN.seek(0)
    model, _, optimizer, loader = flow(adam)
    before = model.state_dict()
    history = fit(model, Loss(), optimizer, loader, epochs=3, progress=False, compiled=True)
    assert FOREIGN.tell() == 4 and history.interrupted and len(history) == 0
    assert loader.epoch == 0 and optimizer.state_dict()["state"] == {}
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())


def test_a_second_ctrl_c_while_the_model_is_traced_leaves_everything_as_it_was(ctrl_c):
    plain = nn.MSELoss()

    def loss(prediction, target):
        FOREIGN.write("x")
        if FOREIGN.tell() == 2:  # the parameters have other values for a while
            ctrl_c()
            ctrl_c()
        return plain(prediction, target)

    FOREIGN.seek(0)
    model, _, optimizer, loader = flow(adam)
    before = model.state_dict()
    history = fit(model, loss, optimizer, loader, epochs=3, progress=False, compiled=True)
    assert FOREIGN.tell() == 2 and history.interrupted and len(history) == 0
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())


def test_a_checkpoint_written_at_ctrl_c_is_whole(tmp_path, ctrl_c):
    """Ctrl-C comes while on_epoch saves: the file is finished, training ends there, and goes on from the file."""
    whole, stopped, resumed = flow(adam), flow(adam), flow(adam)
    fit(*whole, epochs=6, schedule=SCHEDULE, progress=False, compiled=True)

    def save(epoch, history):
        if epoch == 2:
            ctrl_c()
        np.savez(tmp_path / "model.npz", **stopped[0].state_dict())
        np.save(tmp_path / "optimizer.npy", stopped[2].state_dict(), allow_pickle=True)
        history.to_csv(tmp_path / "history.csv")

    history = fit(*stopped, epochs=6, schedule=SCHEDULE, progress=False, compiled=True, on_epoch=save)
    assert history.interrupted and len(history) == 9
    resumed[0].load_state_dict(dict(np.load(tmp_path / "model.npz")))
    resumed[2].load_state_dict(np.load(tmp_path / "optimizer.npy", allow_pickle=True).item())
    saved = History.from_csv(tmp_path / "history.csv")
    fit(*resumed, epochs=6, schedule=SCHEDULE, progress=False, compiled=True, resume=saved)
    same_bits(*whole[::2], *resumed[::2])


class Counting:
    """A file of kernels that counts the calls of each."""

    def __init__(self, module, counts):
        self.module, self.counts = module, counts

    def __getattr__(self, name):
        def call(*arguments):
            self.counts[name] = self.counts.get(name, 0) + 1
            return getattr(self.module, name)(*arguments)

        return call


def test_the_cost_is_linear_in_steps(monkeypatch):
    """Calls of kernels, which are all that a step does: twice and four times as many for as many steps."""
    counts = {}

    def load(text):
        names = as_plain_python(text)
        names.update({name: Counting(names[name], counts) for name in ("matmul", "moves", "norm")})
        names["adam_plain"] = Counting(SimpleNamespace(adam_plain=names["adam_plain"]), counts).adam_plain
        return SimpleNamespace(run=names["run"])

    monkeypatch.setattr(runner, "load", load)
    found = []
    for epochs in (2, 4, 8):
        counts.clear()
        fit(*flow(adam), epochs=epochs, progress=False, compiled=True, max_norm=1.0)
        found.append(dict(counts))
    assert found[0]["adam_plain"] == 6 and found[0]["take_rows"] == 12
    for times, each in zip((2, 4), found[1:], strict=True):
        assert each == {name: count * times for name, count in found[0].items()}


def test_memory_does_not_grow_with_the_number_of_steps(monkeypatch):
    """Beyond the history's columns, rate, epoch, samples and loss of 8 bytes each, in arrays with an eighth to spare.
    One more number kept for each step would be 12 kB, what an interpreter keeps by the way is less than 2."""
    monkeypatch.setattr(Runner, "at_once", 50)
    model, loss, optimizer, loader = flow(adam, samples=4, batch=4, features=1)  # all orders: 32 bytes a step
    peaks = []
    for steps in (2000, 500, 2000):  # the first time compiles and fills caches
        tracemalloc.start()
        history = fit(model, loss, optimizer, loader, epochs=steps, progress=False, compiled=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(history) == steps
    assert peaks[2] - peaks[1] <= 32 * 1.125 * 1500 + 2000


def test_an_epoch_of_one_step_and_one_sample():
    model, loss, optimizer, loader = flow(adam, samples=1, batch=1)
    history = fit(model, nn.MSELoss(), optimizer, loader, epochs=50, progress=False, compiled=True)
    assert len(history) == 50 and history.loss[-1] < history.loss[0]
