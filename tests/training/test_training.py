"""fit: rates, history, exact resume, Ctrl-C, divergence, and every misuse named."""

import os
import signal

import numpy as np
import pytest
from startup_cases import compiling

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import Diverged, evaluate, fit, line
from tinygrad_lr.training.history import History
from tinygrad_lr.training.rates import Rates


class Lab:
    """A small regression, the same every time: a model, its optimizer, a loader of 5 batches, held-out data."""

    def __init__(self, optimizer="adam", groups=1, **options):
        tinygrad_lr.manual_seed(0)
        inputs = tinygrad_lr.randn(45, 4)
        target = inputs @ tinygrad_lr.randn(4, 1) + 0.1 * tinygrad_lr.randn(45, 1)
        self.loader = DataLoader(TensorDataset(inputs, target), 9, shuffle=True, seed=1)
        self.held_out = (tinygrad_lr.randn(7, 4), tinygrad_lr.randn(7, 1))
        self.model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
        params = self.model.parameters()
        if groups == 2:
            params = [{"params": self.model[0].parameters(), "lr": 0.5}, {"params": self.model[2].parameters()}]
        self.optimizer = optim.OPTIMIZERS[optimizer](params, lr=0.05, **options)

    def fit(self, epochs=4, **options):
        return fit(self.model, nn.MSELoss(), self.optimizer, self.loader, epochs=epochs, **options)

    def bits(self):
        """Parameters and optimizer state, as bytes."""
        state = self.optimizer.state_dict()["state"]
        arrays = [*self.model.state_dict().values(), *(np.asarray(v) for s in state.values() for v in s.values())]
        return b"".join(array.tobytes() for array in arrays)


@pytest.fixture
def ctrl_c():
    """Sends this process the signal of Ctrl-C, with Python's own handler in place."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def schedule():
    return schedules.warmup(5).then(schedules.cosine(15))


def test_a_fit_equals_the_loop_written_out():
    ours, theirs = Lab("adagrad"), Lab("adagrad")
    history = ours.fit(2, schedule=schedule())
    losses, step = [], 0
    for epoch in range(2):
        theirs.loader.epoch = epoch
        for inputs, target in theirs.loader:
            theirs.optimizer.param_groups[0]["lr"] = 0.05 * schedule()(step)
            theirs.optimizer.zero_grad()
            loss = nn.MSELoss()(theirs.model(inputs), target)
            loss.backward()
            theirs.optimizer.step()
            losses.append(loss.item())
            step += 1
    assert history.loss.tolist() == losses
    assert ours.bits() == theirs.bits()
    assert history.lr[:, 0].tolist() == [0.05 * schedule()(step) for step in range(10)]


def test_the_history_has_a_row_for_each_step_and_a_rate_for_each_group():
    lab = Lab("sgd", groups=2)
    history = lab.fit(4, schedule=schedule(), held_out=lab.held_out)
    assert len(history) == 20 and not history.interrupted
    assert history.step.tolist() == list(range(20))
    assert history.epoch.tolist() == np.repeat(range(4), 5).tolist()
    assert history.lr.shape == (20, 2)
    assert np.array_equal(history.lr, np.outer(schedule()(np.arange(20)), [0.5, 0.05]))
    assert np.flatnonzero(np.isfinite(history.held_out_loss)).tolist() == [4, 9, 14, 19]
    assert history.held_out_loss[-1] == evaluate(lab.model, nn.MSELoss(), TensorDataset(*lab.held_out))
    assert history.column_names == ["step", "epoch", "samples", "lr_0", "lr_1", "loss", "held_out_loss"]
    assert history[-1]["step"] == 19 and history[0]["loss"] == history.loss[0]


def test_without_a_schedule_the_rates_are_left_alone():
    lab = Lab()
    history = lab.fit(1)
    assert set(history.lr[:, 0]) == {0.05} and "initial_lr" not in lab.optimizer.param_groups[0]


def test_many_inputs_plain_batches_and_foreign_optimizers():
    class Foreign:
        def __init__(self, tensor):
            self.tensor, self.param_groups = tensor, [{"lr": 0.1}]

        def zero_grad(self):
            self.tensor.zero_grad()

        def step(self):
            self.tensor.data = self.tensor.data - self.param_groups[0]["lr"] * self.tensor.grad

    weight = tinygrad_lr.tensor([1.0], requires_grad=True)
    one, two, target = (tinygrad_lr.tensor([[value]]) for value in (1.0, 2.0, 6.0))
    history = fit(lambda a, b: (a + b) * weight, nn.MSELoss(), Foreign(weight), [(one, two, target)], epochs=60)
    assert abs(weight.item() - 2) < 1e-4 and len(history) == 60


@pytest.mark.parametrize("cut", [1, 3])
def test_a_resumed_run_equals_one_never_stopped(cut):
    whole, first, second = Lab(), Lab(), Lab()
    expected = whole.fit(4, schedule=schedule(), held_out=whole.held_out)
    early = first.fit(cut, schedule=schedule(), held_out=first.held_out)
    second.model.load_state_dict(first.model.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    history = second.fit(4, schedule=schedule(), held_out=second.held_out, resume=early)
    assert history.to_csv() == expected.to_csv() and second.bits() == whole.bits()
    assert len(early) == 5 * cut, "the history passed in is left as it was"


def test_the_comparison_of_resumed_runs_can_fail():
    whole, first, second = Lab(), Lab(), Lab()
    whole.fit(4, schedule=schedule())
    early = first.fit(2, schedule=schedule())
    second.model.load_state_dict(first.model.state_dict())  # the optimizer's state is forgotten
    second.fit(4, schedule=schedule(), resume=early)
    assert second.bits() != whole.bits()


@pytest.mark.parametrize("at", [0, 3, 4, 13, 18])
def test_ctrl_c_ends_after_the_step_and_resuming_is_exact(ctrl_c, at):
    whole, stopped = Lab(), Lab()
    expected = whole.fit(4, schedule=schedule(), held_out=whole.held_out)
    step = stopped.optimizer.step
    calls = []

    def interrupted_step():
        calls.append(None)
        if len(calls) == at + 1:
            ctrl_c()
        step()

    stopped.optimizer.step = interrupted_step
    history = stopped.fit(4, schedule=schedule(), held_out=stopped.held_out)
    assert history.interrupted and len(history) == at + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = stopped.fit(4, schedule=schedule(), held_out=stopped.held_out, resume=history)
    assert resumed.to_csv() == expected.to_csv() and stopped.bits() == whole.bits()
    assert not resumed.interrupted


def test_a_second_ctrl_c_does_not_wait(ctrl_c):
    lab = Lab()

    def impatient(*arguments):
        ctrl_c()
        ctrl_c()
        raise AssertionError("the second Ctrl-C should have ended this")

    history = fit(impatient, nn.MSELoss(), lab.optimizer, lab.loader, epochs=1)
    assert history.interrupted and len(history) == 0


def test_ctrl_c_in_a_callback(ctrl_c):
    def stop(epoch, history):
        raise KeyboardInterrupt

    history = Lab().fit(4, on_epoch=stop)
    assert history.interrupted and len(history) == 5


def test_a_handler_of_the_program_is_left_in_place():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Lab().fit(1)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_divergence_is_named_and_keeps_the_history():
    lab = Lab("sgd")
    lab.optimizer.param_groups[0]["lr"] = 1e18
    message = r"became (inf|nan) at step \d+ .*learning rate 1e\+18.*smaller learning rate"
    with pytest.raises(Diverged, match=message) as caught:
        lab.fit(4)
    assert 1 <= len(caught.value.history) < 20
    assert np.isfinite(caught.value.history.loss).all()


def test_training_and_evaluation_mode():
    lab = Lab()
    modes = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = lab.model

        def forward(self, x):
            modes.append(self.training)
            return self.inner(x)

    model = Watching().eval()
    fit(model, nn.MSELoss(), lab.optimizer, lab.loader, epochs=1, held_out=lab.held_out)
    assert modes == [True] * 5 + [False] and model.training


def test_a_part_of_a_model_stays_in_its_own_mode():
    lab = Lab()
    lab.model[0].eval()
    evaluate(lab.model, nn.MSELoss(), TensorDataset(*lab.held_out))
    assert [each.training for each in lab.model.modules()] == [True, False, True, True]
    lab.model.eval()
    lab.model[1].train()
    evaluate(lab.model, nn.MSELoss(), TensorDataset(*lab.held_out))
    assert [each.training for each in lab.model.modules()] == [False, False, True, False]


def test_lines_and_callback(capsys):
    seen = []
    history = Lab().fit(2, progress=True, on_epoch=lambda epoch, history: seen.append((epoch, len(history))))
    out = capsys.readouterr().out.splitlines()
    assert seen == [(0, 5), (1, 10)]
    assert out[0] == f"Epoch 1, Learning Rate: 0.050000, Loss Value: {history.loss[:5].mean():.6f}"
    assert out[1] == line(history)
    Lab().fit(1)
    assert capsys.readouterr().out == ""


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("tinygrad_lr.training.fitting.is_terminal", lambda: True)
    monkeypatch.setattr("tinygrad_lr.training.progress.is_terminal", lambda: True)
    Lab().fit(2)
    printed = capsys.readouterr()
    assert printed.out.count("Epoch ") == 2
    assert "/10" in printed.err and "step" in printed.err


def bad(**changes):
    lab = Lab()
    options = {"model": lab.model, "loss": nn.MSELoss(), "optimizer": lab.optimizer, "loader": lab.loader, "epochs": 2}
    options.update(changes)
    positional = [options.pop(name) for name in ("model", "loss", "optimizer", "loader")]
    return fit(*positional, **options)


class Short(list):
    """Announces more batches than it has."""

    def __len__(self):
        return 3


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=compiling)])
def test_the_mean_of_an_epoch_is_taken_over_its_samples(compiled, capsys):
    """Batches of 4, 4 and 2 at rate 0: the mean is the loss of the whole table, in the history and the lines."""
    rng = np.random.default_rng(0)
    inputs, target = rng.normal(size=(10, 3)), 10 * rng.normal(size=(10, 1))
    model = nn.Linear(3, 1).to("float64")
    loader = DataLoader(TensorDataset(inputs, target), 4, shuffle=True, seed=0)
    with pytest.warns(UserWarning, match="every learning rate is 0"):
        optimizer = optim.SGD(model.parameters(), lr=0.0)
        history = fit(model, nn.MSELoss(), optimizer, loader, epochs=2, compiled=compiled, progress=True)
    whole = evaluate(model, nn.MSELoss(), TensorDataset(inputs, target))
    assert history.samples.tolist() == [4, 4, 2] * 2
    # Three losses, two products and two sums, each rounded once: 10 roundings are more than all of them.
    assert np.allclose(history.epoch_means()[1], whole, rtol=10 * np.finfo(np.float64).eps, atol=0)
    assert abs(history.loss[:3].mean() - whole) > 0.01 * whole, "the mean over batches is another number"
    assert [text.split(": ")[-1] for text in capsys.readouterr().out.splitlines()] == [f"{whole:.6f}"] * 2


def test_clipping_needs_a_step_that_clips():
    class Own(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

        def step(self):
            raise AssertionError("fit refuses before the first step")

    lab = Lab()
    with pytest.raises(TypeError, match="Own does not: clip the gradients in its step"):
        fit(lab.model, nn.MSELoss(), Own(lab.model.parameters()), lab.loader, epochs=1, max_norm=1.0)


def test_samples_of_plain_batches():
    weight = tinygrad_lr.tensor([1.0], requires_grad=True)
    batches = [(np.ones((n, 1), np.float32), np.ones((n, 1), np.float32)) for n in (5, 1)]
    history = fit(lambda x: x * weight, nn.MSELoss(), optim.SGD([weight], lr=0.1), batches, epochs=1)
    assert history.samples.tolist() == [5, 1] and history[1]["samples"] == 1


def test_a_history_without_samples_is_read(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("step,epoch,lr,loss,held_out_loss\n0,0,0.1,4.0,\n1,0,0.1,2.0,\n")
    assert History.from_csv(path).samples.tolist() == [1, 1] and History.from_csv(path).epoch_means()[1] == [3.0]


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=compiling)])
def test_an_optimizer_of_another_model_is_refused(compiled):
    lab, other = Lab(), Lab()
    before = lab.bits() + other.bits()
    with pytest.raises(ValueError, match="the loss depends on no parameter of the optimizer.*model.parameters"):
        fit(lab.model, nn.MSELoss(), other.optimizer, lab.loader, epochs=1, compiled=compiled)
    assert lab.bits() + other.bits() == before


def test_a_loss_without_a_gradient_is_refused():
    lab = Lab()
    with pytest.raises(ValueError, match="the loss depends on no parameter of the optimizer"):
        fit(lambda x: lab.model(x).detach(), nn.MSELoss(), lab.optimizer, lab.loader, epochs=1)
    with tinygrad_lr.no_grad(), pytest.raises(ValueError, match="outside no_grad"):
        lab.fit(1)


ZEROS = [
    (schedules.cosine(10), 10, "40 of 50 steps, the last ones, .* cosine\\(10\\) in steps, 5 an epoch, 50 in all"),
    (schedules.warmup(2).then(schedules.polynomial(43)), 10, "5 of 50 steps"),
    (lambda steps: np.where(np.asarray(steps) < 10, 1.0, 0.0), 4, "10 of 20 steps, .*the schedule in steps"),
    (schedules.constant(0.0), 1, "5 of 5 steps"),
    (schedules.cosine(10), 20_000, "about 9999[0-9] of 100000 steps"),
]


@pytest.mark.parametrize("schedule, epochs, message", ZEROS)
def test_steps_at_rate_0_are_a_warning(schedule, epochs, message):
    with pytest.warns(UserWarning, match=message) as caught:
        Rates(schedule, [{"lr": 0.5}], 5, epochs).warn_of_zeros(0, stacklevel=2)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_steps_at_rate_0_are_a_warning_of_fit():
    lab = Lab()
    with pytest.warns(UserWarning, match="10 of 20 steps") as caught:
        lab.fit(4, schedule=schedules.cosine(10))
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="every learning rate is 0"):
        zero = Lab("sgd")
        zero.optimizer.param_groups[0]["lr"] = 0.0
        zero.fit(1)


@pytest.mark.parametrize(
    "schedule, first, groups",
    [
        (schedules.cosine(20), 0, [{"lr": 0.5}]),
        (schedules.cosine(20), 20, [{"lr": 0.5}]),  # nothing is left to do
        (schedules.warmup(5), 0, [{"lr": 0.5}]),
        (schedules.cosine(19), 0, [{"lr": 0.5}]),  # one step of 20
        (None, 0, [{"lr": 0.5}, {"lr": 0.0}]),  # a group that is frozen
    ],
)
def test_rates_as_they_should_be_give_no_warning(schedule, first, groups):
    Rates(schedule, groups, 5, 4).warn_of_zeros(first)


BATCH = (np.zeros((2, 4), np.float32), np.zeros((2, 1), np.float32))
BAD = {
    "model": ({"model": 3}, TypeError, "model must be callable, got int"),
    "loss": ({"loss": None}, TypeError, "loss must be callable, got NoneType"),
    "optimizer": ({"optimizer": "adam"}, TypeError, "optimizer must have param_groups"),
    "epochs 0": ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, got 0"),
    "epochs 1.5": ({"epochs": 1.5}, TypeError, "epochs must be a whole number of at least 1, got 1.5"),
    "epochs True": ({"epochs": True}, TypeError, "epochs must be a whole number of at least 1, got True"),
    "a dataset": ({"loader": TensorDataset(*BATCH)}, TypeError, "wrap a dataset: DataLoader"),
    "a generator": ({"loader": iter([BATCH])}, TypeError, "loader must be a DataLoader or a sequence of batches"),
    "no batches": ({"loader": []}, ValueError, "the loader has no batches"),
    "too few batches": (
        {"loader": Short([tuple(map(tinygrad_lr.tensor, BATCH))])},
        ValueError,
        "announced 3 batches and gave fewer",
    ),
    "schedule": ({"schedule": 0.1}, TypeError, r"schedule must be callable, got float; fit takes a schedule itself"),
    "negative factor": ({"schedule": lambda step: -1.0 - step}, ValueError, "finite factor of at least 0 for each"),
    "NaN factor": ({"schedule": lambda step: step * np.nan}, ValueError, "one finite factor"),
    "two factors": ({"schedule": lambda step: [1.0, 0.5]}, TypeError, "one number for a step, got .* for step 0"),
    "enormous rate": ({"schedule": lambda step: 1e300 + step * 1.0}, ValueError, "lr"),
    "callback": ({"on_epoch": 1}, TypeError, "on_epoch must be callable"),
    "held out": ({"held_out": 5}, TypeError, r"held_out must be \(inputs, target\)"),
    "held-out lengths": ({"held_out": (np.zeros((3, 4)), np.zeros((2, 1)))}, ValueError, "first axes of one length"),
    "held out empty": ({"held_out": (np.zeros((0, 4)), np.zeros((0, 1)))}, ValueError, "held_out has no samples"),
    "resume": ({"resume": 3}, TypeError, "resume takes the History of an earlier fit, got int"),
    "resume groups": ({"resume": History(["a", "b"])}, ValueError, "has 2 groups, the optimizer has 1"),
    "loss of a number": ({"loss": lambda output, target: 1.0}, TypeError, "loss must give a Tensor.*got float"),
    "loss forgotten": ({"loss": lambda output, target: None}, TypeError, "loss must give a Tensor.*got NoneType"),
    "loss not a number": ({"loss": nn.MSELoss("none")}, ValueError, r"loss must .* one element.*\.mean"),
}


@pytest.mark.parametrize("name", BAD)
def test_misuse_is_named(name):
    changes, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        bad(**changes)


def test_history_survives_a_file(tmp_path):
    lab = Lab("sgd", groups=2)
    history = lab.fit(2, held_out=lab.held_out)
    history.to_csv(tmp_path / "history.csv")
    again = History.from_csv(tmp_path / "history.csv")
    assert again.to_csv() == history.to_csv() and again.groups == ["0", "1"]
    assert np.array_equal(again.lr, history.lr) and np.array_equal(again.loss, history.loss)
    assert repr(again) == "History(10 steps, 2 epochs)"
    with pytest.raises(IndexError, match="row 10 of a history with 10 rows"):
        again[10]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "line 1: not a history"),
        ("a,b\n1,2\n", "line 1: not a history"),
        ("step,epoch,lr,loss,held_out_loss\n0,0,0.1,much,\n", "line 2: not a row"),
        ("step,epoch,lr,loss,held_out_loss\n0,0,0.1\n", "line 2: not a row"),
        ("step,epoch,lr,loss,held_out_loss\n0,0,0.1,1,\n0,0,0.1,1,\n", "line 3: not a row.*should come next"),
    ],
)
def test_a_damaged_history_is_named(tmp_path, text, message):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        History.from_csv(tmp_path / "history.csv")


def test_a_schedule_that_is_a_function_is_asked_in_every_training():
    """The factors of the package's own schedules are kept, because those are immutable."""
    factor = 1.0
    group = {"lr": 0.5}
    rates = [Rates(lambda steps: factor + 0.0 * steps, [group], 4, 2).of(0).tolist()]
    factor = 0.5
    rates.append(Rates(lambda steps: factor + 0.0 * steps, [group], 4, 2).of(0).tolist())
    assert rates == [[[0.5]] * 4, [[0.25]] * 4]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "function",
    [lambda step: 1.0, lambda step: 0.5 if step > 7 else 1, lambda step: np.float32(0.5) ** (step // 5), np.sqrt],
    ids=["constant", "a condition", "a power", "NumPy's"],
)
def test_a_plain_function_of_one_step_is_a_schedule(function, compiled):
    """Each is called with one whole number at a time: none of these is the same function of an array."""
    asked = []

    def schedule(step):
        asked.append(step)
        return function(step)

    history = Lab().fit(4, schedule=schedule, compiled=compiled)
    assert history.lr[:, 0].tolist() == [0.05 * float(function(step)) for step in range(20)]
    assert set(asked) == set(range(20)) and {type(step) for step in asked} == {int}


def test_equal_schedules_give_equal_rates_and_others_give_others():
    group = {"lr": 0.5}
    first, again, longer = (Rates(schedules.cosine(n), [group], 4, 3).of(1).tolist() for n in (12, 12, 13))
    assert first == again == [[0.5 * schedules.cosine(12)(step)] for step in range(4, 8)] != longer
