"""`lr_range_test`: the curve by hand, the rule of its suggestion, and that all is as before, bit for bit."""

import random as python_random
import signal
from collections import deque

import numpy as np
import pytest
from optimizer_cases import without_cuda
from training_cases import machine_code_as_python as machine_code_as_python

from tinygrad_lr import backend, nn, optim, randn, random, tensor, training
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.optim.rewinding import Memory
from tinygrad_lr.schedules import piecewise
from tinygrad_lr.training import fit, lr_range_test
from tinygrad_lr.training.range_test import _suggested


class Net(nn.Module):
    """A model with all that a step may change: dropout, a buffer, a number, a list, and an array."""

    def __init__(self):
        self.first, self.drop, self.last = nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 1)
        self.register_buffer("mean", tensor(np.zeros(6, np.float32)))
        self.calls, self.seen, self.kept = 0, [], np.zeros(1)
        self.at = None  # the call at which `what` happens
        self.what = None

    def forward(self, x):
        self.calls += 1
        self.seen.append(self.calls)
        self.kept += np.random.random() + python_random.random()  # noqa: NPY002
        self.mean.data = 0.9 * self.mean.data + 0.1 * x.data.mean(0)
        if self.at == self.calls:
            self.what()
        return self.last(self.drop(self.first(x - self.mean).relu()))


def built(name, steps=3, groups=1, **settings):
    """A training in the middle: model, optimizer and a loader whose order is drawn."""
    random.manual_seed(1)
    model = Net()
    params = list(model.parameters())
    parts = [{"params": params}] if groups == 1 else [{"params": params[:2], "lr": 0.02}, {"params": params[2:]}]
    optimizer = optim.OPTIMIZERS[name](parts, lr=0.01, **settings)
    loader = DataLoader(TensorDataset(randn(30, 6), randn(30, 1)), batch_size=8, shuffle=True)
    if steps:
        optimizer.param_groups[0]["mine"] = ["a list", 1]
        batches = iter(loader)
        for _ in range(steps):
            loss_of(model, optimizer, next(batches)).backward()
            optimizer.step()
    return model, optimizer, loader


def loss_of(model, optimizer, batch):
    optimizer.zero_grad()
    return nn.MSELoss()(model(batch[0]), batch[1])


def all_of(model, optimizer, loader):
    """Everything that shall be as before, as plain values and bytes."""
    tensors = {**dict(model.named_parameters()), "mean": model.mean}
    state = [
        (segment.steps, segment.numbers, {key: flat.tobytes() for key, flat in segment.states.items()})
        for segments in optimizer._segments
        for segment in segments
    ]
    return {
        "values": {name: each.data.tobytes() for name, each in tensors.items()},
        "gradients": {name: None if each.grad is None else each.grad.tobytes() for name, each in tensors.items()},
        "state": repr(state),
        "groups": [list({**group, "params": None}.items()) for group in optimizer.param_groups],
        "stepped": optimizer._has_called_step,
        "model": (model.calls, list(model.seen), model.kept.tobytes(), [each.training for each in model.modules()]),
        "loader": dict(vars(loader)),
        "generators": repr((random.get_state(), np.random.get_state(), python_random.getstate())),  # noqa: NPY002
    }


def goes_on(model, optimizer, loader):
    """The bytes to which two steps more lead."""
    batches = iter(loader)
    optimizer.train()
    for _ in range(2):
        loss_of(model, optimizer, next(batches)).backward()
        optimizer.step()
    return [each.data.tobytes() for each in model.parameters()]


# Every optimizer in every setting in which its class is examined, and in each way to keep its state: a step takes
# microseconds, so none is left to a deep run.
SETTINGS = [
    pytest.param((name, settings), id=f"{name}-{place}")
    for name, cls in optim.OPTIMIZERS.items()
    for place, settings in enumerate([*cls.examined, *({"state_dtype": each} for each in cls.state_dtypes[1:])])
]


@pytest.mark.parametrize("steps", [0, 3], ids=["new", "trained"])
@pytest.mark.parametrize("which", SETTINGS)
def test_all_is_as_it_was(which, steps):
    def made():
        parts = built(which[0], steps, groups=2, **which[1])
        parts[0].drop.eval()
        if steps:
            parts[1].eval()
        return parts

    with backend.using("numpy"):  # the same bits, and nothing to compile
        parts = made()
        before = all_of(*parts)
        found = lr_range_test(parts[0], nn.MSELoss(), *parts[1:], start=1e-6, end=0.1, steps=12)
        assert len(found.losses) > 5
        assert all_of(*parts) == before
        went_on = goes_on(*parts)
        assert went_on == goes_on(*made())


def test_no_optimizer_is_left_out():
    assert {each.values[0][0] for each in SETTINGS} == set(optim.OPTIMIZERS)


@pytest.mark.parametrize("around", [optim.SAM, lambda each: optim.Lookahead(each, k=3)], ids=["SAM", "Lookahead"])
def test_with_something_around_it(around):
    model, inner, loader = built("adam")
    optimizer = around(inner)
    before, own = all_of(model, inner, loader), optimizer.state_dict()
    assert len(lr_range_test(model, nn.MSELoss(), optimizer, loader, end=0.1, steps=10).losses) == 10
    assert all_of(model, inner, loader) == before and repr(optimizer.state_dict()) == repr(own)


def fails():
    raise ZeroDivisionError("in the model")


def test_after_an_exception():
    parts = built("schedule_free_adamw")
    parts[0].at, parts[0].what = parts[0].calls + 7, fails
    before = all_of(*parts)
    with pytest.raises(ZeroDivisionError, match="in the model"):
        lr_range_test(parts[0], nn.MSELoss(), *parts[1:], steps=20)
    assert all_of(*parts) == before


@pytest.mark.parametrize(
    ("times", "own", "made"),
    [(1, False, 7), (2, False, 6), (1, True, 6)],
    ids=["once", "twice", "with a handler of the program's"],
)
def test_ctrl_c_ends_it_with_the_curve_until_then(times, own, made):
    """Once: after the step; a second one, and where the program has a handler, in the middle of the step."""

    def handler(number, frame):
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGINT, handler if own else signal.default_int_handler)
    try:
        parts = built("schedule_free_adamw")
        parts[0].at = parts[0].calls + 7
        parts[0].what = lambda: [signal.raise_signal(signal.SIGINT) for _ in range(times)]
        before = all_of(*parts)
        found = lr_range_test(parts[0], nn.MSELoss(), *parts[1:], steps=20)
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert found.interrupted and len(found.losses) == made and found.ended == f"interrupted after {made} steps"
    assert all_of(*parts) == before and found.suggestion is None


def test_the_checker_sees_what_is_left_changed(monkeypatch):
    """A test that puts nothing back is found out, by each of the parts."""
    parts = built("adam")
    before = all_of(*parts)
    monkeypatch.setattr(training.range_test, "_remembered", lambda *_: lambda: None)
    lr_range_test(parts[0], nn.MSELoss(), *parts[1:], steps=12)
    after = all_of(*parts)
    assert [part for part in before if before[part] == after[part]] == ["stepped"]


def test_a_compiled_training_goes_on_as_if_there_had_been_none(machine_code_as_python):
    def trained(looks):
        random.manual_seed(0)
        model, loss = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.3), nn.Linear(2, 1)), nn.MSELoss()
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        loader = DataLoader(TensorDataset(randn(12, 3), randn(12, 1)), batch_size=4, shuffle=True)
        history = None
        for epochs in (1, 3):
            history = fit(model, loss, optimizer, loader, epochs=epochs, resume=history, compiled=True)
            if looks:
                lr_range_test(model, loss, optimizer, loader, steps=10)
        return history.loss.tobytes(), [each.data.tobytes() for each in model.parameters()]

    assert trained(looks=True) == trained(looks=False)


def test_a_class_with_a_step_of_its_own():
    class Mine(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})
            self.count = 0

        def step(self, closure=None):
            self.count += 1
            for group in self.param_groups:
                for p in group["params"]:
                    entry = self.state[p]
                    entry["sum"] = entry.get("sum", 0.0) + p.grad
                    entry.setdefault("all", []).append(group["lr"])
                    p.data -= group["lr"] * entry["sum"]

    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = Mine([w])
    w.grad = [1.0, 1.0]
    optimizer.step()
    before = repr((optimizer.state_dict(), optimizer.count, w.data, w.grad))
    loader = [(tensor([1.0]), tensor([1.0]))] * 2
    lr_range_test(lambda x: (w * x).sum(), lambda out, y: ((out - y) ** 2).sum(), optimizer, loader, end=0.01)
    assert repr((optimizer.state_dict(), optimizer.count, w.data, w.grad)) == before


def test_live_views_of_the_state_stay_live():
    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    w.grad = [1.0, 2.0]
    optimizer.step()
    view, grad = optimizer.state[w]["exp_avg"], w.grad
    memory = Memory()
    memory.optimizer(optimizer)
    w.grad = [5.0, 5.0]
    optimizer.step()
    memory.put_back()
    assert view.base is optimizer.state[w]["exp_avg"].base and w.grad is grad and grad.tolist() == [1.0, 2.0]


def test_what_a_memory_puts_back():
    held = np.array([1.0])
    held.flags.writeable = False
    things = {"set": {1, 2}, "deque": deque([1], maxlen=2), "tuple": (np.array([1.0]), [2]), "held": held, "gone": 1}
    before, inner = repr(things), things["set"]
    memory = Memory()
    memory.value(things)
    for _ in range(2):
        things["set"].add(3)
        things["deque"].extend([4, 5])
        things["tuple"][0][0] = 9.0
        things["tuple"][1].append(3)
        del things["gone"]
        things["new"] = 1
        assert repr(things) != before
        memory.put_back()
        assert repr(things) == before and things["set"] is inner


@pytest.mark.skipif(bool(without_cuda()), reason=without_cuda() or "CUDA is here")
def test_on_a_gpu():
    model = nn.Linear(3, 1).to("cuda")
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(randn(4, 3).to("cuda"), randn(4, 1).to("cuda")), batch_size=2)
    fit(model, nn.MSELoss(), optimizer, loader, epochs=1)

    def now():
        grads = [to_host(each.grad).tobytes() for each in model.parameters()]
        values = [each.tobytes() for each in model.state_dict().values()], grads
        return values, repr(optimizer.state_dict())

    before = now()
    assert len(lr_range_test(model, nn.MSELoss(), optimizer, loader, end=0.1, steps=10).losses) == 10
    assert now() == before


# --- the curve ----------------------------------------------------------------------------------------------------


def quadratic(**options):
    """A range test of SGD on w^2 / 2 from 1, and the same by hand."""
    w = tensor(np.ones(1), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    loader = [(tensor(np.ones(1)), tensor(np.zeros(1)))]
    found = lr_range_test(lambda x: w * x, lambda out, y: (out * out).sum() * 0.5, optimizer, loader, **options)
    assert w.data.tolist() == [1.0]
    return found


@pytest.mark.parametrize("rise", ["exponential", "linear"])
def test_the_curve_is_that_of_the_formula(rise):
    found = quadratic(start=1e-3, end=1.0, steps=30, rise=rise, smoothing=0.5)
    k = np.arange(30) / 29
    rates = 1e-3 * 1000**k if rise == "exponential" else 1e-3 + (1 - 1e-3) * k
    np.testing.assert_allclose(found.rates, rates, rtol=1e-12)
    assert (found.rates[0], found.rates[-1]) == (1e-3, 1.0)
    w, average = 1.0, 0.0
    for step, rate in enumerate(found.rates):
        assert found.losses[step] == pytest.approx(w * w / 2, rel=1e-12)
        average = 0.5 * average + 0.5 * w * w / 2
        assert found.smoothed[step] == pytest.approx(average / (1 - 0.5 ** (step + 1)), rel=1e-12)
        w -= rate * w
    assert found.ended == "all 30 steps were made, up to rate 1" and not found.interrupted


def test_it_ends_where_the_loss_rises_and_where_it_is_not_finite():
    found = quadratic(start=1e-3, end=1000.0, steps=60, smoothing=0.0)
    multiples = found.smoothed / np.minimum.accumulate(found.smoothed)
    assert multiples[-1] > 4 and (multiples[:-1] <= 4).all() and "beyond 4 times its lowest" in found.ended
    found = quadratic(start=1e-3, end=1e300, steps=60, stop_at=1e308, smoothing=0.0)
    assert "no finite number" in found.ended and len(found.losses) < 60 and np.isfinite(found.losses).all()
    w = tensor([1.0], requires_grad=True)
    found = lr_range_test(
        lambda x: w * x, lambda a, b: (a * b).sum(), optim.SGD([w]), [(tensor([1.0]), np.array([np.nan]))]
    )
    assert len(found.losses) == 0 and found.suggestion is None and repr(found) == "RangeTest(0 steps, suggestion none)"
    with pytest.raises(ValueError, match="at least two steps"):
        found.as_lines()


def test_groups_keep_the_ratios_of_their_base_rates():
    model, optimizer, loader = built("sgd", groups=2)
    optimizer.param_groups[0]["initial_lr"], optimizer.param_groups[1]["initial_lr"] = 0.1, 0.4
    seen = []
    optimizer.register_step_pre_hook(lambda o, *_: seen.append([group["lr"] for group in o.param_groups]))
    found = lr_range_test(model, nn.MSELoss(), optimizer, loader, end=0.1, steps=10)
    assert found.ratios == (0.25, 1.0)
    assert seen == [[0.25 * rate, rate] for rate in found.rates.tolist()]
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.01]


def test_groups_whose_rates_are_all_zero_have_equal_ones():
    w = tensor([1.0], requires_grad=True)
    loader = [(tensor([1.0]), tensor([0.0]))]
    found = lr_range_test(lambda x: w * x, nn.MSELoss(), optim.SGD([w], lr=0.0), loader, start=1e-3, end=0.1, steps=20)
    assert found.ratios == (1.0,) and found.losses[-1] < found.losses[0]


def test_its_first_losses_are_those_of_fit_and_of_clipping_and_accumulation():
    for options in ({}, {"max_norm": 0.1}, {"accumulate": 2}):
        model, optimizer, loader = built("sgd", steps=0)
        found = lr_range_test(model, nn.MSELoss(), optimizer, loader, start=0.01, end=0.1, steps=10, **options)
        optimizer.param_groups[0]["lr"] = 1.0
        schedule = piecewise(range(1, 10), found.rates)
        history = fit(model, nn.MSELoss(), optimizer, loader, epochs=6, schedule=schedule, **options)
        assert history.loss[:10].tolist() == found.losses.tolist()


# --- the suggestion -----------------------------------------------------------------------------------------------


RATES = np.geomspace(1e-6, 1.0, 61)  # ten steps for each power of ten


def curve(fall_at, lowest_at, end=3.0):
    """Level 2, an S-shaped fall by 1 that is steepest at `fall_at`, and a rise behind `lowest_at`."""
    x = np.log10(RATES)
    fallen = 2 - 1 / (1 + np.exp(-4 * (x - np.log10(fall_at))))
    return np.where(x > np.log10(lowest_at), fallen + (end * (x - np.log10(lowest_at))) ** 2, fallen)


def test_the_smaller_of_the_two_rates_is_suggested():
    suggestion, rule, steepest, tenth = _suggested(RATES, curve(1e-3, 0.1), curve(1e-3, 0.1), 0.9)
    assert suggestion == steepest == pytest.approx(1e-3) and tenth == pytest.approx(0.01, rel=0.3)
    assert rule.startswith("the rate of the steepest descent")
    suggestion, rule, steepest, tenth = _suggested(RATES, curve(0.1, 0.2), curve(0.1, 0.2), 0.9)
    assert suggestion == tenth == pytest.approx(0.02, rel=0.3) and steepest == pytest.approx(0.1)
    assert rule.startswith("a tenth of the rate of the lowest")
    suggestion, rule, steepest, tenth = _suggested(RATES, curve(0.1, 10), curve(0.1, 10), 0.9)
    assert suggestion == steepest and tenth is None and "had not risen again" in rule


def test_where_the_curve_suggests_nothing():
    rng = np.random.default_rng(0)
    flat = 2 + rng.normal(size=61) * 0.1
    smooth = 2 + rng.normal(size=61) * 0.01
    for losses, smoothed, why in [
        (flat, smooth, "single batches scatter by"),
        (np.full(61, 2.0), np.full(61, 2.0), "falls by 0 below"),
        (np.linspace(2, 3, 61), np.linspace(2, 3, 61), "falls by 0 below"),
        (curve(1e-5, 10), curve(1e-5, 10), "within the first 16 steps"),
        (curve(1e3, 1e6), curve(1e3, 1e6), "most steeply at the last rate"),
        (curve(1e-3, 0.1)[:15], curve(1e-3, 0.1)[:15], "15 steps and a suggestion needs 20"),
    ]:
        suggestion, rule, *both = _suggested(RATES[: len(losses)], losses, smoothed, 0.9)
        assert suggestion is None and both == [None, None] and rule.startswith("none: ") and why in rule, rule


def test_mere_noise_rarely_gets_a_suggestion():
    rng, rates, found = np.random.default_rng(0), np.geomspace(1e-7, 10, 100), 0
    for _ in range(300):
        losses, average, smoothed = 1 + 0.2 * rng.normal(size=100), 0.0, []
        for step, loss in enumerate(losses, 1):
            average = 0.9 * average + 0.1 * loss
            smoothed.append(average / (1 - 0.9**step))
        found += _suggested(rates, losses, np.array(smoothed), 0.9)[0] is not None
    assert 0 < found < 30


def test_the_suggestion_trains():
    random.manual_seed(0)
    inputs = randn(256, 8)
    loader = DataLoader(
        TensorDataset(inputs, inputs.detach().sum(1).reshape(256, 1)), batch_size=32, shuffle=True, seed=0
    )
    for name in ("sgd", "adam"):
        model = nn.Linear(8, 1)
        optimizer = optim.OPTIMIZERS[name](model.parameters(), lr=1.0)
        found = lr_range_test(model, nn.MSELoss(), optimizer, loader)
        optimizer.param_groups[0]["lr"] = found.suggestion
        history = fit(model, nn.MSELoss(), optimizer, loader, epochs=20)
        assert history.loss[-1] < 0.05 * history.loss[0]


# --- what is seen -------------------------------------------------------------------------------------------------


def test_drawings():
    found = quadratic(start=1e-3, end=1000.0, steps=60, smoothing=0.5)
    lines = found.as_lines(width=20, height=5)
    assert len(lines) == 8 and lines[6].split() == ["0.001", f"{found.rates[-1]:.3g}"]
    assert lines[7].split() == ["^", f"{found.suggestion:.3g}"] and all("*" in line for line in lines[:5])
    assert lines[7].index("^") - lines[0].index("|") - 1 in range(20)
    with pytest.raises(ValueError, match="width"):
        found.as_lines(width=3)
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here (extra `plot`)")
    figure = found.plot()
    assert figure.axes[0].get_xscale() == "log" and len(figure.axes[0].lines) == 3
    assert found.plot(figure.axes[0]) is figure


def test_without_matplotlib_it_says_how_to_get_it(monkeypatch):
    found = quadratic(start=1e-3, steps=20)
    monkeypatch.setattr(training.range_drawing, "is_available", lambda: False)
    with pytest.raises(ModuleNotFoundError, match="plot"):
        found.plot()


WRONG = {
    "optimizer": ({"optimizer": object()}, TypeError, "an optimizer of tinygrad_lr.*got object"),
    "start": ({"start": 0}, ValueError, "start must be above 0, got 0"),
    "end": ({"start": 1.0, "end": 0.1}, ValueError, "end must be above start, got start=1 and end=0.1"),
    "steps": ({"steps": 9}, ValueError, "steps must be a whole number of at least 10, got 9"),
    "rise": ({"rise": "log"}, ValueError, "rise must be 'exponential' or 'linear', got 'log'"),
    "smoothing": ({"smoothing": 1.0}, ValueError, "smoothing must be below 1, got 1"),
    "stop_at": ({"stop_at": 1}, ValueError, "stop_at must be above 1, got 1"),
    "accumulate": ({"accumulate": 0}, ValueError, "accumulate"),
    "loader": ({"loader": TensorDataset(np.zeros(3), np.zeros(3))}, TypeError, "loader must be"),
    "no batches": ({"loader": []}, ValueError, "no batches"),
    "model": ({"model": None}, TypeError, "model must be callable"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes(case):
    given, error, says = WRONG[case]
    model, optimizer, loader = built("adam", steps=0)
    before = all_of(model, optimizer, loader)
    arguments = {"model": model, "loss": nn.MSELoss(), "optimizer": optimizer, "loader": loader, **given}
    with pytest.raises(error, match=says):
        lr_range_test(**arguments)
    assert all_of(model, optimizer, loader) == before
