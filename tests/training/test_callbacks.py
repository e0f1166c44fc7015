"""Callbacks of fit: when they are called, what they may change, how they end a training, and what checkpoints keep."""

import os
import signal

import numpy as np
import pytest
from training_cases import MODES, Crash, machine_code_as_python  # noqa: F401 (a fixture)

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import (
    STOP,
    BestParameters,
    Callback,
    Checkpoint,
    Diverged,
    EarlyStopping,
    Stop,
    evaluate,
    fit,
)

pytestmark = pytest.mark.usefixtures("machine_code_as_python")


class Lab:
    """Ten epochs of four steps; the held-out loss falls for some epochs and then rises."""

    def __init__(self, seed=None, lr=0.03):
        tinygrad_lr.manual_seed(3)
        inputs, target = tinygrad_lr.randn(16, 6), tinygrad_lr.randn(16, 1)
        self.loader = DataLoader(TensorDataset(inputs, target), batch_size=4, shuffle=True, seed=seed)
        self.model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))
        self.optimizer = optim.Adam(self.model.parameters(), lr=lr)
        self.held_out = (tinygrad_lr.randn(9, 6), tinygrad_lr.randn(9, 1))

    def fit(self, callbacks=(), epochs=10, **options):
        options = {"held_out": self.held_out, "progress": False, **options}
        if options.get("resume") is None:
            tinygrad_lr.manual_seed(5)  # draws the orders
        return fit(
            self.model, nn.MSELoss(), self.optimizer, self.loader, epochs=epochs, callbacks=list(callbacks), **options
        )

    def bits(self):
        state = self.optimizer.state_dict()["state"]
        arrays = [np.asarray(value) for _, each in sorted(state.items()) for value in each.values()]
        arrays += self.model.state_dict().values()
        return b"".join(each.tobytes() for each in arrays), tinygrad_lr.random.get_state(), self.loader.epoch


def same(one, other):
    """Whether two histories are equal; pytest would compare the texts for minutes where they are not."""
    return one.to_csv() == other.to_csv()


class Log(Callback):
    """Writes down what is called, and where the training stands."""

    def __init__(self, name="", stop=None):
        self.name, self.stop, self.log = name, stop, []

    def say(self, event, training):
        self.log.append((event, training.step, training.epoch, training.ended))
        return STOP if self.stop == (event, training.step) else None

    def on_begin(self, training):
        return self.say("begin", training)

    def on_step(self, training):
        return self.say("step", training)

    def on_epoch(self, training):
        assert np.isfinite(training.history.held_out_loss[-1]) and training.epochs == 10
        return self.say("epoch", training)

    def on_end(self, training):
        self.say("end", training)


# --- when -------------------------------------------------------------------------------------------------------------


@MODES
def test_the_order_of_calls(compiled):
    log = Log()
    lab, plain = Lab(), Lab()
    history = lab.fit([log], compiled=compiled)
    expected = [("begin", 0, 0, None)]
    for epoch in range(10):
        expected += [("step", step, step // 4, None) for step in range(4 * epoch + 1, 4 * epoch + 5)]
        expected.append(("epoch", 4 * epoch + 4, epoch + 1, None))
    assert log.log == [*expected, ("end", 40, 10, "complete")]
    bits = lab.bits()
    assert same(plain.fit(compiled=compiled), history) and plain.bits() == bits
    assert history.stopped is None and not history.interrupted


@MODES
@pytest.mark.parametrize("event, step", [("begin", 0), ("step", 6), ("step", 8), ("epoch", 8), ("step", 40)])
def test_stop_ends_the_training_and_every_callback_hears_of_it(compiled, event, step):
    first, second = Log("first", stop=(event, step)), Log("second")
    history = Lab().fit([first, second], compiled=compiled)
    assert len(history) == step and not history.interrupted
    assert history.stopped == f"Log.on_{event} returned STOP after step {step}"
    assert first.log == second.log and first.log[-1] == ("end", step, step // 4, "stopped")
    assert np.isfinite(history.held_out_loss).sum() == step // 4, "a complete epoch is measured, another one is not"
    assert "stopped" in repr(history) and history.copy().stopped == history.stopped


@MODES
def test_a_training_stopped_within_an_epoch_goes_on_exactly(compiled):
    whole, halves = Lab(seed=1), Lab(seed=1)
    expected = whole.fit(compiled=compiled, schedule=schedules.cosine(40))
    bits = whole.bits()
    history = halves.fit([Log(stop=("step", 6))], compiled=compiled, schedule=schedules.cosine(40))
    history = halves.fit(compiled=compiled, schedule=schedules.cosine(40), resume=history)
    assert history.stopped is None and same(history, expected) and halves.bits() == bits


def test_the_first_reason_counts_and_on_epoch_may_stop_too():
    class Because:
        def __init__(self, reason):
            self.reason = reason

        def on_epoch(self, training):
            return Stop(self.reason)

    assert Lab().fit([Because("one"), Because("two")]).stopped == "one"
    history = Lab().fit(on_epoch=lambda epoch, history: STOP if epoch == 2 else "whatever")
    assert history.stopped == "on_epoch returned STOP after step 12" and len(history) == 12
    assert STOP.because("x") == Stop("x") and Stop() == STOP


@MODES
def test_a_callback_for_progress_or_the_end_alone_leaves_epochs_together(compiled, monkeypatch):
    asked, times = [], iter(np.arange(1e6))

    class Watcher:
        def on_progress(self, training):
            asked.append(training.step)

    monkeypatch.setattr("tinygrad_lr.training.callbacks.perf_counter", lambda: next(times))
    lab, plain = Lab(), Lab()
    history = lab.fit([Watcher()], held_out=None, epochs=200, compiled=compiled)
    assert same(plain.fit(held_out=None, epochs=200, compiled=compiled), history)
    assert asked == sorted(asked) and asked[-1] == 800 and (len(asked) < 400) == compiled


def test_progress_at_the_end_of_an_epoch_comes_when_the_held_out_loss_is_there(monkeypatch):
    times = iter(np.arange(1e6))
    monkeypatch.setattr("tinygrad_lr.training.callbacks.perf_counter", lambda: next(times))

    class Watcher:
        def on_progress(self, training):
            ends = training.history.held_out_loss[3::4]
            assert np.isfinite(ends).all() and len(ends) == training.epoch
            return STOP if training.step == 10 else None

    assert len(Lab().fit([Watcher()])) == 10


# --- what they may change ---------------------------------------------------------------------------------------------


@MODES
def test_a_changed_rate_holds_from_the_next_step_on(compiled):
    class Halve:
        def __init__(self, key):
            self.key = key

        def on_step(self, training):
            if training.step == 6:
                training.optimizer.param_groups[0][self.key] /= 2

    history = Lab().fit([Halve("lr")], epochs=3, compiled=compiled)
    assert history.lr[:, 0].tolist() == [0.03] * 6 + [0.015] * 6
    history = Lab().fit([Halve("initial_lr")], epochs=3, compiled=compiled, schedule=schedules.cosine(12))
    factors = schedules.cosine(12)(np.arange(12))
    assert history.lr[:, 0].tolist() == [*(0.03 * factors[:6]), *(0.015 * factors[6:])]

    class Double:
        def on_epoch(self, training):
            training.optimizer.param_groups[0]["lr"] *= 2

    history = Lab().fit([Double()], epochs=3, compiled=compiled)
    assert history.lr[::4, 0].tolist() == [0.03, 0.06, 0.12]


@pytest.mark.parametrize("event", ["on_step", "on_epoch"])
def test_changed_parameters_are_those_of_the_next_step(event):
    def change(training):
        if training.step == 8:
            weight = training.model[2].weight
            weight.data = weight.data * 0
            training.model.eval()

    callback = type("Change", (), {event: staticmethod(change)})()
    eager, compiled = (lab.fit([callback], compiled=each) for lab, each in ((Lab(), False), (Lab(), True)))
    assert np.allclose(eager.loss, compiled.loss, rtol=1e-4) and not np.allclose(eager.loss[8:], Lab().fit().loss[8:])


@MODES
def test_the_number_of_groups_may_not_change(compiled):
    class Adds:
        def on_step(self, training):
            training.optimizer.add_param_group({"params": [tinygrad_lr.zeros(1, requires_grad=True)]})

    with pytest.raises(ValueError, match="the optimizer has 2 groups and had 1 when fit began"):
        Lab().fit([Adds()], compiled=compiled)


@MODES
@pytest.mark.parametrize("event", ["on_begin", "on_step", "on_epoch", "on_end"])
def test_what_a_callback_raises_ends_the_training_and_all_others_end(compiled, event):
    def fail(training):
        raise Crash(event)

    failing, log = type("Failing", (Callback,), {event: staticmethod(fail)})(), Log()
    with pytest.raises(Crash, match=event):
        Lab().fit([log, failing], compiled=compiled)
    assert log.log[-1][0] == "end" and log.log[-1][3] == ("complete" if event == "on_end" else "failed")


def test_a_diverged_training_ends_its_callbacks():
    log, lab = Log(), Lab()
    lab.model[0].weight.data = lab.model[0].weight.data * np.float32(np.nan)
    with pytest.raises(Diverged):
        lab.fit([log, EarlyStopping()])
    assert log.log == [("begin", 0, 0, None), ("end", 0, 0, "failed")]


# --- early stopping and the best parameters ---------------------------------------------------------------------------


def test_early_stopping_waits_and_restores():
    free, lab = Lab(), Lab()
    losses = free.fit().held_out_loss[3::4]
    lowest = int(np.argmin(losses))
    assert 0 < lowest < 7, "the case is one in which the held-out loss falls and then rises"
    early = EarlyStopping(patience=2)
    history = lab.fit([early])
    assert len(history) == 4 * (lowest + 3) and early.waited == 2
    assert (early.best_epoch, early.best_loss) == (lowest, losses[lowest])
    assert history.stopped == (
        "the held-out loss has not fallen for 2 epochs; "
        f"its lowest, {early.best_loss:.6g}, is that of epoch {lowest + 1}"
    )
    assert evaluate(lab.model, nn.MSELoss(), TensorDataset(*lab.held_out)) == losses[lowest]
    last = Lab()
    last.fit([EarlyStopping(patience=2, restore_best=False)])
    assert evaluate(last.model, nn.MSELoss(), TensorDataset(*last.held_out)) == losses[lowest + 2]


def feed(losses, **options):
    """After how many epochs of these held-out losses a training stops; 0 where it does not."""
    early, lab = EarlyStopping(restore_best=False, **options), Lab()

    class Says:
        def on_epoch(self, training):
            training.history.set_held_out(losses[training.epoch - 1])

    history = lab.fit([Says(), early], epochs=len(losses))
    return len(history) // 4 if history.stopped else 0


INF, NAN = float("inf"), float("nan")
PATIENCE = [
    ([5, 4, 3, 2, 1], {"patience": 1}, 0),
    ([1, 2, 3, 4], {"patience": 1}, 2),
    ([1, 2, 3, 4], {"patience": 2}, 3),
    ([1, 1, 1, 1], {"patience": 2}, 3),
    ([5, 6, 4, 5, 3, 4], {"patience": 2}, 0),
    ([5, 4.95, 4.9, 4.85, 4.8], {"patience": 3, "min_delta": 0.1}, 0),
    ([5, 4.95, 4.92, 4.91, 4.8], {"patience": 3, "min_delta": 0.1}, 4),
    ([NAN, NAN, NAN], {"patience": 2}, 2),
    ([NAN, 3, 2, NAN, INF], {"patience": 2}, 5),
    ([INF, INF, 1], {"patience": 2}, 2),
]


@pytest.mark.parametrize("losses, options, stops", PATIENCE)
def test_patience(losses, options, stops):
    assert feed(losses, **options) == stops


def test_the_training_loss_can_be_monitored():
    lab = Lab()
    best = BestParameters(monitor="loss", restore=False)
    history = lab.fit([best, EarlyStopping(3, monitor="loss")], held_out=None, epochs=30)
    means = history.epoch_means()[1]
    assert best.best_epoch == int(np.argmin(means)) and best.best_loss == means.min()
    assert list(best.parameters) == list(lab.model.state_dict())


@MODES
@pytest.mark.parametrize("stop_after", [1, 4, 6, 8, 16])
@pytest.mark.parametrize("seed", [None, 1])
def test_a_killed_and_resumed_training_has_the_bits_of_one_never_stopped(tmp_path, compiled, stop_after, seed):
    options = {"compiled": compiled, "schedule": schedules.warmup(4).then(schedules.cosine(60))}

    def callbacks():
        return [EarlyStopping(patience=3), BestParameters(restore=False)]

    class Kill(Checkpoint):
        def look(self, closed=False):
            super().look(closed)
            if len(self._training[3]) >= stop_after:
                raise Crash

    whole, given = Lab(seed), callbacks()
    expected = whole.fit(given, **options)
    assert expected.stopped and len(expected) == 20
    bits, best = whole.bits(), given[1].parameters
    with pytest.raises(Crash):
        Lab(seed).fit([*callbacks(), Kill(tmp_path, every_steps=1)], **options)
    for _ in range(2):  # the second time, the training was stopped already
        again, checkpoint, given = Lab(seed), Checkpoint(tmp_path, every_steps=1), callbacks()
        resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
        history = again.fit([checkpoint, *given], resume=resumed, **options)
        assert same(history, expected) and history.stopped == expected.stopped
        assert again.bits()[:2] == bits[:2]
        assert all(np.array_equal(value, given[1].parameters[name]) for name, value in best.items())


def test_the_comparison_of_bits_can_fail(tmp_path, monkeypatch):
    """A checkpoint that forgets the best parameters is seen."""
    whole = Lab()
    whole.fit([EarlyStopping(3)])
    bits = whole.bits()
    lab, checkpoint = Lab(), Checkpoint(tmp_path, every_steps=1)
    lab.fit([EarlyStopping(3), checkpoint])
    again, checkpoint = Lab(), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    assert again.bits() != bits, "the checkpoint holds the last parameters"
    checkpoint._states[0]["state"]["best"] = None
    with pytest.raises(ValueError, match="whose parameters this BestParameters does not have"):
        again.fit([EarlyStopping(3), checkpoint], resume=resumed)


@MODES
def test_resuming_in_the_process_is_exact_too(compiled):
    """The model was given the best parameters, and goes on from the last ones."""
    whole, halves = Lab(), Lab()
    expected = whole.fit([EarlyStopping(50)], epochs=10, compiled=compiled)
    bits = whole.bits()
    early = EarlyStopping(50)
    history = halves.fit([early], epochs=8, compiled=compiled)
    assert early.best_epoch < 7
    history = halves.fit([early], epochs=10, compiled=compiled, resume=history)
    assert same(history, expected) and halves.bits() == bits
    history = halves.fit([early], epochs=1, compiled=compiled)
    assert early.best_epoch == 0, "a new training begins anew"


def test_ctrl_c_restores_the_best_and_the_checkpoint_has_the_last(tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        whole, lab = Lab(), Lab()
        expected = whole.fit([EarlyStopping(20)])
        bits = whole.bits()

        class CtrlC:
            def on_step(self, training):
                if training.step == 34:
                    os.kill(os.getpid(), signal.SIGINT)

        lab = Lab()
        early = EarlyStopping(20)
        history = lab.fit([early, CtrlC(), Checkpoint(tmp_path)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert history.interrupted and history.stopped is None and len(history) == 34
    assert evaluate(lab.model, nn.MSELoss(), TensorDataset(*lab.held_out)) == early.best_loss
    again, checkpoint = Lab(), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    assert same(again.fit([EarlyStopping(20), checkpoint], resume=resumed), expected)
    assert again.bits() == bits


def test_parameters_of_a_plain_function_are_restored():
    weight = tinygrad_lr.tensor([[3.0]], requires_grad=True)
    data = (tinygrad_lr.tensor([[1.0]]), tinygrad_lr.tensor([[0.0]]))
    held = (tinygrad_lr.tensor([[1.0]]), tinygrad_lr.tensor([[2.0]]))
    best = BestParameters()
    sgd = optim.SGD([weight], lr=0.1)
    fit(lambda x: x @ weight, nn.MSELoss(), sgd, [data], epochs=9, held_out=held, callbacks=[best], progress=False)
    assert 0 < best.best_epoch < 8 and abs(weight.item() - 2) < 0.2 and best.parameters == {}


# --- state of callbacks of the user's ---------------------------------------------------------------------------------


class Counts:
    """A callback of the user's, with state of several kinds."""

    def __init__(self):
        self.seen = {"losses": np.zeros(0), "steps": 0, "name": "größe", "pair": (1, None)}

    def on_step(self, training):
        losses = np.append(self.seen["losses"], training.history[-1]["loss"])
        self.seen |= {"losses": losses, "steps": self.seen["steps"] + 1}

    def state_dict(self):
        return self.seen

    def load_state_dict(self, state):
        self.seen = state


@MODES
def test_state_of_a_callback_is_kept(tmp_path, compiled):
    counts, checkpoint, lab = Counts(), Checkpoint(tmp_path, every_steps=1), Lab()
    lab.fit([counts, Log(stop=("step", 6)), checkpoint], compiled=compiled)
    again, second, checkpoint = Lab(), Counts(), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    history = again.fit([second, checkpoint], compiled=compiled, resume=resumed)
    assert second.seen["steps"] == 40 and second.seen["losses"].tolist() == history.loss.tolist()
    assert second.seen["name"] == "größe" and second.seen["pair"] == (1, None)


@pytest.mark.parametrize("others", [[], [EarlyStopping()], [Counts(), EarlyStopping()], [EarlyStopping(), Counts()]])
def test_a_training_that_goes_on_needs_the_same_callbacks(tmp_path, others):
    Lab().fit([Counts(), Checkpoint(tmp_path)], epochs=2)
    again, checkpoint = Lab(), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    with pytest.raises(ValueError, match=r"the state of the callbacks \[Counts\], and fit was called with \["):
        again.fit([*others, checkpoint], resume=resumed)
    assert len(again.fit([Counts(), checkpoint], resume=resumed)) == 40, "the checkpoint can still be taken"


def test_state_that_cannot_be_kept_is_refused_before_training(tmp_path):
    class Odd(Counts):
        def __init__(self):
            self.seen = {"file": object()}

    lab = Lab()
    with pytest.raises(TypeError, match="the checkpoint.* what is kept are numbers, texts, arrays"):
        lab.fit([Odd(), Checkpoint(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


# --- mistakes ---------------------------------------------------------------------------------------------------------


def returning(event, value):
    return type("Says", (), {event: lambda self, training: value})()


class Half:
    on_epoch = None
    on_step = 3


class OnlySaves(Callback):
    def state_dict(self):
        return {}


twice = Log()
MISTAKES = [
    (
        "no list",
        lambda: EarlyStopping(),
        TypeError,
        "must be a list of callbacks, got EarlyStopping; put it into a list",
    ),
    ("None", lambda: None, TypeError, "callbacks must be a list of callbacks, got NoneType"),
    ("a text", lambda: "stop", TypeError, "callbacks must be a list of callbacks, got str"),
    ("a dict", lambda: {"stop": Log()}, TypeError, "callbacks must be a list of callbacks, got dict"),
    ("a class", lambda: [EarlyStopping], TypeError, r"callbacks\[0\] is the class EarlyStopping; make an object of it"),
    ("a function", lambda: [Log(), lambda e, h: None], TypeError, r"callbacks\[1\] must have .* as on_epoch"),
    ("a number", lambda: [3], TypeError, r"callbacks\[0\] must have one of the methods on_begin, on_step"),
    ("a model", lambda: [nn.Linear(1, 1)], TypeError, "got Linear"),
    ("None in it", lambda: [None], TypeError, "got NoneType"),
    ("no method", lambda: [Half()], TypeError, "must have one of the methods"),
    ("twice", lambda: [twice, twice], ValueError, r"callbacks\[1\] is the same Log as one before it"),
    ("only saves", lambda: [OnlySaves()], TypeError, "has only one of state_dict and load_state_dict"),
    ("two checkpoints", lambda: [Checkpoint("a"), Checkpoint("b")], ValueError, "two checkpoints"),
    ("no patience", lambda: [EarlyStopping(0)], ValueError, "patience must be a whole number of at least 1, got 0"),
    ("half a patience", lambda: [EarlyStopping(1.5)], TypeError, "patience must be a whole number"),
    ("a patience of True", lambda: [EarlyStopping(True)], TypeError, "patience must be a whole number"),
    ("min_delta below 0", lambda: [EarlyStopping(min_delta=-1)], ValueError, "min_delta must be at least 0"),
    ("min_delta NaN", lambda: [EarlyStopping(min_delta=NAN)], ValueError, "min_delta must be a finite number"),
    ("min_delta a text", lambda: [EarlyStopping(min_delta="1")], TypeError, "min_delta must be a real number"),
    ("monitor", lambda: [EarlyStopping(monitor="accuracy")], ValueError, "monitor must be one of held_out_loss, loss"),
    ("monitor None", lambda: [BestParameters(None)], ValueError, "monitor must be one of"),
    ("restore_best", lambda: [EarlyStopping(restore_best="yes")], TypeError, "restore_best must be True or False"),
    ("restore", lambda: [BestParameters(restore=1)], TypeError, "restore must be True or False"),
    *[
        (
            f"{event} gives {value!r}",
            lambda e=event, v=value: [returning(e, v)],
            TypeError,
            f"Says.{event} must return None",
        )
        for event in ("on_begin", "on_step", "on_epoch", "on_progress", "on_end")
        for value in (True, False, "STOP", 0)
    ],
]


@pytest.mark.parametrize("make, exception, message", [pytest.param(*each[1:], id=each[0]) for each in MISTAKES])
def test_mistakes(make, exception, message):
    with pytest.raises(exception, match=message):
        raw(make())


def raw(callbacks):
    lab = Lab()
    fit(lab.model, nn.MSELoss(), lab.optimizer, lab.loader, epochs=2, held_out=lab.held_out, callbacks=callbacks)


def test_early_stopping_needs_what_it_monitors():
    for kind in (EarlyStopping, BestParameters):
        with pytest.raises(ValueError, match=f"{kind.__name__} needs the held-out loss: give held-out data"):
            Lab().fit([kind()], held_out=None)


def test_a_checkpoint_is_given_once(tmp_path):
    with pytest.raises(ValueError, match="two checkpoints"):
        Lab().fit([Checkpoint(tmp_path / "a")], checkpoint=Checkpoint(tmp_path / "b"))
    with pytest.raises(TypeError, match="checkpoint must be a training.Checkpoint, got str"):
        Lab().fit(checkpoint="a")
    checkpoint = Checkpoint(tmp_path)
    Lab().fit([checkpoint], epochs=1)
    assert checkpoint.newest().exists()
