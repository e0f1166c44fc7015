"""What changes between compiled steps, in callbacks or between calls, has the effect that it has on eager training, or
is an error in both."""

from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python, flow
from compiled_changes import AS_MANY, CHANGES, at_the_start, of_batch_size, of_samples, parts

from tinygrad_lr import nn, optim, random, schedules, tensor
from tinygrad_lr.compiled import CannotCompile, Runner, compile_step, runner
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import Diverged, fit

loads = []


@pytest.fixture(autouse=True)
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels; `loads` has an entry for each program."""

    def load(text):
        loads.append(text)
        return SimpleNamespace(run=as_plain_python(text)["run"])

    loads.clear()
    monkeypatch.setattr(runner, "load", load)


@pytest.fixture
def both(monkeypatch):
    """Runs a training eager and compiled, each time from the same start, and gives what both leave."""

    def run_both(run):
        found = []
        for compiled in (False, True):
            at_the_start(monkeypatch)
            found.append(run(compiled))
        return found

    return run_both


def trained(t, loss=None, **options):
    return fit(t.model, loss or t.loss, t.optimizer, t.loader, progress=False, **options)


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_a_callback_has_its_effect(name, contiguous, both):
    def run(compiled):
        t = parts(contiguous)
        change = CHANGES[name]
        history = trained(t, epochs=4, compiled=compiled, on_epoch=lambda e, _: change(t) if e == 1 else None)
        return history.loss, t.model.training

    (eager, mode), (machine, other_mode) = both(run)
    assert np.allclose(eager, machine, rtol=1e-4) and mode == other_mode
    assert len(loads) <= 2 + (name == "frozen")  # whose parameters' counts of steps part in the next epoch


def eager_step(t, optimizer):
    def step(*batch):
        optimizer.zero_grad()
        *inputs, target = map(tensor, batch)
        value = t.loss(t.model(*inputs), target)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def step_of(t, compiled, optimizer=None):
    optimizer = optimizer or t.optimizer
    return compile_step(t.model, t.loss, optimizer) if compiled else eager_step(t, optimizer)


@pytest.mark.parametrize("name", [*CHANGES, "mode first"])
def test_a_change_between_calls_of_a_compiled_step_has_its_effect(name, both):
    def run(compiled):
        t = parts()
        if name == "mode first":
            t.model.eval()
        step = step_of(t, compiled)
        losses = [step(t.x, t.y) for _ in range(2)]
        CHANGES.get(name, id)(t)
        return [*losses, *(step(t.x, t.y) for _ in range(2))], t.model.training

    (eager, mode), (machine, other_mode) = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)
    assert mode == other_mode == (name not in ("mode", "mode first"))


def test_optimizers_of_two_halves_take_turns(both):
    """The second one is built after the first step, and moves what that step reads."""

    def run(compiled):
        t = parts()
        one = step_of(t, compiled)
        losses = [one(t.x, t.y)]
        two = step_of(t, compiled, optim.SGD(t.model.body.parameters(), lr=0.1))
        for _ in range(3):
            losses += [two(t.x, t.y), one(t.x, t.y)]
        return losses

    eager, machine = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)


def test_nothing_is_compiled_anew_where_nothing_changed():
    t = parts()
    trained(t, epochs=4, compiled=True, held_out=t.dataset, on_epoch=lambda epoch, history: None)
    assert len(loads) == 1
    step = step_of(t, True)
    for _ in range(3):
        step(t.x, t.y)
    assert len(loads) == 2


def test_what_no_signature_shows_is_seen_by_a_new_trace(both):
    """An element of a large array, which the loss takes as a number."""

    def run(compiled):
        t, large = parts(), np.ones(20_000, np.float32)
        return trained(
            t,
            lambda p, y: t.loss(p, y) * large[7],
            epochs=3,
            compiled=compiled,
            on_epoch=lambda epoch, _: large.fill(0.25),
        ).loss

    eager, machine = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)


def test_without_that_trace_it_would_be_missed(both, monkeypatch):
    monkeypatch.setattr(runner.Runner, "doubt", lambda self: None)
    with pytest.raises(AssertionError):
        test_what_no_signature_shows_is_seen_by_a_new_trace(both)


def test_a_model_that_can_no_longer_be_compiled_is_refused():
    t, kept = parts(), []

    def spoil(epoch, history):
        t.model.forward = lambda x: t.model.head(t.model.body(x)) * float(x.sum())
        kept.extend([len(history), [p._data.copy() for p in t.model.parameters()]])

    with pytest.raises(CannotCompile, match="output of sum"):
        trained(t, epochs=4, compiled=True, on_epoch=spoil)
    assert kept[0] == 3 and t.loader.epoch == 1
    assert all(np.array_equal(p._data, old) for p, old in zip(t.model.parameters(), kept[1], strict=True))


def by_rate(t):
    return lambda p, y: t.loss(p, y) * t.optimizer.param_groups[0]["lr"]


def by_epoch(t):
    return lambda p, y: t.loss(p, y) / (1.0 + t.loader.epoch)


def by_count(t):
    return lambda p, y: t.loss(p, y) * (1.0 + sum(state["step"] for state in t.optimizer.state.values()))


@pytest.mark.parametrize("loss_of", [by_rate, by_epoch, by_count])
def test_what_differs_from_step_to_step_cannot_be_read_by_the_loss(loss_of):
    t = parts()
    trained(t, epochs=1)  # there are counts of steps
    with pytest.raises(CannotCompile, match="is not the same at every step"):
        trained(t, loss_of(t), epochs=2, compiled=True)
    assert t.optimizer.param_groups[0]["lr"] == 0.05 and t.loader.epoch == 1
    assert [state["step"] for state in t.optimizer.state.values()] == [3, 3]


# --- loaders and optimizers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AS_MANY)
def test_a_loader_with_as_many_batches_may_change(name, both):
    def run(compiled):
        t = parts()
        t.x, t.y = np.tile(t.x, (2, 1)), np.tile(t.y, (2, 1))
        return trained(t, epochs=4, compiled=compiled, on_epoch=lambda e, _: AS_MANY[name](t) if e == 1 else None).loss

    eager, machine = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("change", [of_batch_size(5), of_batch_size(2), of_batch_size(10), of_samples(4)])
def test_a_loader_with_more_or_fewer_batches_is_refused_by_both(change, compiled):
    t = parts()
    with pytest.raises(ValueError, match=r"the loader has \d batches in an epoch and had 3 when fit began"):
        trained(t, epochs=3, compiled=compiled, on_epoch=lambda e, _: change(t))
    assert t.optimizer.state_dict()["state"][0]["step"] == 3


@pytest.mark.parametrize("compiled", [False, True])
def test_a_group_that_a_callback_adds_is_refused_by_both(compiled):
    t = parts()
    with pytest.raises(ValueError, match="the optimizer has 2 groups and had 1 when fit began"):
        trained(
            t,
            epochs=3,
            compiled=compiled,
            on_epoch=lambda e, _: t.optimizer.add_param_group({"params": t.model.body.parameters()}),
        )


def test_keys_for_too_few_epochs_are_refused():
    t = parts()
    made = Runner(t.model, t.loss, t.optimizer, t.loader)
    with pytest.raises(ValueError, match="1 epochs of 3 steps end before step 4"):
        made.run(t.loader.keys(0, 1), 2, np.full((2, 1), 0.1))


class Doubled(DataLoader):
    def __iter__(self):
        return ((x * 2.0, y) for x, y in super().__iter__())


class Backwards(DataLoader):
    def order(self, epoch):
        return np.arange(len(self.dataset))[::-1]


class Halved(optim.SGD):
    def step(self, closure=None, **options):
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = parameter.grad * 0.5
        return super().step(closure, **options)


class Kept(optim.SGD):
    def zero_grad(self, set_to_none=True):
        pass


def patched(thing, name):
    setattr(thing, name, getattr(thing, name))


@pytest.mark.parametrize(("kind", "method"), [(Doubled, "__iter__"), (Backwards, "order"), (None, "orders")])
def test_a_loader_that_makes_batches_its_own_way_is_refused(kind, method):
    t = parts()
    loader = (kind or DataLoader)(t.dataset, 4)
    if kind is None:
        patched(loader, method)
    with pytest.raises(CannotCompile, match=f"{type(loader).__name__} has its own {method}"):
        fit(t.model, t.loss, t.optimizer, loader, epochs=1, compiled=True)
    assert len(fit(t.model, t.loss, t.optimizer, loader, epochs=1, progress=False)) == 3


@pytest.mark.parametrize(("kind", "method"), [(Halved, "step"), (Kept, "zero_grad"), (None, "step")])
def test_an_optimizer_that_makes_steps_its_own_way_is_refused(kind, method):
    t = parts()
    optimizer = (kind or optim.SGD)(t.model.parameters(), lr=0.1)
    if kind is None:
        patched(optimizer, method)
    for compile_it in (
        lambda: fit(t.model, t.loss, optimizer, t.loader, epochs=1, compiled=True),
        lambda: compile_step(t.model, t.loss, optimizer)(t.x, t.y),
    ):
        with pytest.raises(CannotCompile, match=f"{type(optimizer).__name__} has its own {method}"):
            compile_it()


class Signed(optim.SGD):
    """An optimizer of one's own, made in the documented way: scalars that move."""

    def moving(self, group, step):
        return {**super().moving(group, step), "lr": group["lr"] * (2.0 if step == 5 else 1.0)}


class Rounded(optim.SGD):
    def moving(self, group, step):
        return {**super().moving(group, step), "lr": round(group["lr"] * step, 1) if group["lr"] > 1e-9 else 0.0}


@pytest.mark.parametrize("kind", [Signed, Rounded])
def test_an_optimizer_with_scalars_of_its_own_is_compiled(kind, both):
    def run(compiled):
        t = parts()
        t.optimizer = kind(t.model.parameters(), lr=0.034)
        return trained(t, epochs=4, compiled=compiled).loss

    eager, machine = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)


def test_a_dataset_that_is_trained_or_not_as_long_as_it_says_is_refused():
    t = parts()
    weight = tensor(t.x, requires_grad=True)
    optimizer = optim.SGD([weight], lr=0.1)
    with pytest.raises(CannotCompile, match="a tensor of the dataset is a trained parameter"):
        fit(
            lambda x: (x * weight[:1]).sum(1, keepdims=True),
            nn.MSELoss(),
            optimizer,
            DataLoader(TensorDataset(weight, t.y)),
            epochs=1,
            compiled=True,
        )
    t.dataset.tensors = (t.dataset.tensors[0], tensor(t.y[:5]))
    with pytest.raises(ValueError, match=r"has 10 samples, and tensors of shapes \(10, 3\), \(5, 1\)"):
        trained(t, epochs=1, compiled=True)


# --- ends, and single steps -------------------------------------------------------------------------------------------


def test_after_a_divergence_groups_have_the_rate_of_the_failed_step(both):
    def run(compiled):
        model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=1e9))
        with pytest.raises(Diverged):
            fit(
                model,
                loss,
                optimizer,
                loader,
                epochs=9,
                progress=False,
                compiled=compiled,
                schedule=schedules.cosine(27),
            )
        return optimizer.param_groups[0]["lr"], random.get_state(), loader.epoch

    eager, machine = both(run)
    assert eager == machine


@pytest.mark.parametrize("compiled", ["no", 1, None])
def test_compiled_is_true_or_false(compiled):
    with pytest.raises(TypeError, match=f"compiled must be True or False, got {compiled!r}"):
        fit(*flow(lambda p: optim.SGD(p, lr=0.1)), epochs=1, compiled=compiled)


def test_a_compiled_step_takes_tensors_of_any_shapes(both):
    def run(compiled):
        t = parts()
        t.loss = lambda p, y: ((p - y) * (p - y)).mean()
        step = step_of(t, compiled)
        return [step(t.x, 3.0), step(t.x[0], t.y[0, 0]), step(t.x, t.y), step(t.x[None], t.y[:1]), step(t.x, 2.0)]

    eager, machine = both(run)
    assert np.allclose(eager, machine, rtol=1e-4)


def test_a_compiled_step_names_a_batch_that_it_cannot_take():
    t = parts()
    step = step_of(t, True)
    with pytest.raises(TypeError, match="a step needs a batch"):
        step()
    with pytest.raises(ValueError, match=r"requires_grad|\.detach\(\)"):
        step(tensor(t.x, requires_grad=True), t.y)


def test_a_compiled_step_keeps_the_programs_of_the_last_shapes(monkeypatch):
    monkeypatch.setattr("tinygrad_lr.compiled.step.KEPT", 2)
    t = parts()
    step = step_of(t, True)
    for rows in (1, 2, 1, 3, 1, 2):  # when 3 comes, 2 is the one that was used longest ago
        step(t.x[:rows], t.y[:rows])
    assert [text.count(f"shapes ({rows}, 3)") for text, rows in zip(loads, (1, 2, 3, 2), strict=True)] == [1] * 4
