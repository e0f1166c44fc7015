"""Lookahead and SAM around every optimizer: held to their formulas, with groups, schedulers, states and checkpoints."""

import copy
import math
import pickle

import mpmath
import numpy as np
import pytest
from optimizer_cases import richest

import tinygrad_lr
from tinygrad_lr import compile_step, nn, ones, optim, schedules, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim import SAM, Lookahead
from tinygrad_lr.optim.lr_scheduler import LRScheduler
from tinygrad_lr.training import Checkpoint, Diverged, fit
from tinygrad_lr.verify.formulas import lookahead as formula
from tinygrad_lr.verify.formulas.lookahead import followed
from tinygrad_lr.verify.formulas.sharpness import climbed

every_optimizer = pytest.mark.parametrize("name", optim.OPTIMIZERS)
SHAPES = [(2, 3), (4,)]


def leaves(dtype="float32"):
    rng = np.random.default_rng(1)
    return [tensor(rng.normal(size=shape), requires_grad=True, dtype=dtype) for shape in SHAPES]


def build(name, params):
    groups = [{"params": [("v", params[0])]}, {"params": [("w", params[1])], "lr": 0.02}]
    return optim.OPTIMIZERS[name](groups, **{"lr": 0.05, **richest(name)})


def give(params, seed):
    rng = np.random.default_rng(seed)
    for param in params:
        param.grad = rng.normal(size=param.shape)


def bits(params, optimizer):
    entries = optimizer.state_dict()["state"].values()
    arrays = [np.asarray(value) for entry in entries for value in entry.values()]
    return [array.tobytes() for array in [*(param.data for param in params), *arrays]]


# Lookahead.


@every_optimizer
def test_lookahead_is_the_optimizers_steps_and_the_formula_bit_for_bit(name):
    ours, theirs = leaves(), leaves()
    wrapped, plain = Lookahead(build(name, ours), k=3, alpha=0.25), build(name, theirs)
    slow = [param.data.copy() for param in theirs]
    for t in range(1, 8):
        give(ours, t)
        give(theirs, t)
        wrapped.step()
        plain.step()
        for i, param in enumerate(theirs):
            theta, slow[i] = followed(param.data.copy(), slow[i], t, 3, np.float32(0.25))
            param.data = theta
        assert bits(ours, wrapped) == bits(theirs, plain)


def hold_to_the_paper(alpha, slow_start="paper"):
    """Single steps from the state that there is. A path has at most ten roundings (a product and a sum for the
    momentum, a product and a difference for theta, a difference, a product and a sum for phi, and those of lr, mu,
    alpha), of terms whose sizes sum up to M."""
    (theta, _), unit = leaves(), 2.0**-24
    wrapped = Lookahead(optim.SGD([theta], lr=0.1, momentum=0.9, dialect="torch"), k=2, alpha=alpha)
    slow, momentum = theta.data.copy(), np.zeros(theta.shape, np.float32)
    with mpmath.workdps(50):
        settings = {"lr": 0.1, "momentum": 0.9, "alpha": alpha}
        settings = {key: mpmath.mpf(value) for key, value in settings.items()}
        for t in range(1, 7):
            before, g = theta.data.copy(), np.random.default_rng(t).normal(size=theta.shape).astype(np.float32)
            theta.grad = g
            wrapped.step()
            after_slow = wrapped.state_dict()["lookahead"]["slow_weights"][0]
            for at in np.ndindex(theta.shape):
                start, phi, m, gradient = (mpmath.mpf(float(x[at])) for x in (before, slow, momentum, g))
                state = {"momentum_buffer": m, "slow_buffer": phi}
                found, state = formula(start, gradient, state, t, update_period=2, slow_start=slow_start, **settings)
                size = abs(start) + 2 * abs(phi) + 0.1 * (0.9 * abs(m) + abs(gradient))
                bound = 2 * 10 * unit / (1 - 10 * unit) * size
                assert abs(float(theta.data[at]) - found) <= bound
                assert abs(float(after_slow[at]) - state["slow_buffer"]) <= bound
            slow, momentum = after_slow, wrapped.state[theta]["momentum_buffer"].copy()


@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_lookahead_over_sgd_is_the_papers_formula_within_the_derived_bound(alpha):
    hold_to_the_paper(alpha)


@pytest.mark.parametrize("slow_start", ["timm", "torch_optimizer"])
def test_the_bound_tells_the_paper_from_other_libraries(slow_start):
    with pytest.raises(AssertionError):
        hold_to_the_paper(0.5, slow_start)


def test_slow_weights_start_where_the_parameters_are_at_the_first_step():
    w = tensor([1.0], requires_grad=True)
    wrapped = Lookahead(optim.SGD([w], lr=1.0), k=1, alpha=0.5)
    w.data = [5.0]  # weights are often loaded after the optimizer is built
    w.grad = [2.0]
    wrapped.step()
    assert w.data.tolist() == [4.0]
    v = tensor([0.0], requires_grad=True)
    wrapped.add_param_group({"params": v})
    v.grad, w.grad = [2.0], None
    wrapped.step()
    assert v.data.tolist() == [-1.0] and w.data.tolist() == [4.0]


def test_a_skipped_step_does_not_count():
    w = tensor([1.0], requires_grad=True)
    wrapped = Lookahead(optim.SGD([w], lr=1.0), k=2)
    w.grad = [math.nan]
    assert wrapped.step(lambda: 3.0, skip_nonfinite=True) == 3.0 and wrapped.steps == 0
    assert not wrapped.step(skip_nonfinite=True, report=True).applied
    w.grad = [1.0]
    assert wrapped.step(skip_nonfinite=True, report=True).applied and wrapped.steps == 1
    assert wrapped.step(report=True).rates == (1.0,) and wrapped.step(lambda: 4.0, max_norm=1.0) == 4.0


# SAM.


def losses(params):
    total = 0
    for i, param in enumerate(params):
        total = total + ((param * (i + 1.5) - 0.3) ** 2).sum() + (param**4).sum()
    return total


@every_optimizer
@pytest.mark.parametrize("way", ["closure", "steps"])
def test_sam_is_the_optimizers_step_with_the_gradient_at_the_climbed_place(name, way):
    ours, theirs = leaves(), leaves()
    wrapped, plain = SAM(build(name, ours), rho=0.1), build(name, theirs)

    def closure():
        wrapped.zero_grad()
        loss = losses(ours)
        loss.backward()
        return loss

    for _ in range(4):
        if way == "closure":
            assert wrapped.step(closure).item() == losses(theirs).item()
        else:
            closure()
            wrapped.first_step(zero_grad=True)
            assert all(param.grad is None for param in ours)
            closure()
            wrapped.second_step()
        plain.zero_grad()
        losses(theirs).backward()
        start = [param.data.copy() for param in theirs]
        norm = optim.get_total_norm([param.grad for param in theirs])
        for param in theirs:
            param.data = param.data + (param.grad.astype(float) / norm * 0.1).astype(np.float32)
        plain.zero_grad()
        losses(theirs).backward()
        for param, values in zip(theirs, start, strict=True):
            param.data = values
        plain.step()
        assert bits(ours, wrapped) == bits(theirs, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-42, 1.0, 1e37])
def test_the_climb_is_the_papers_within_the_derived_bound(dtype, size):
    """e has the n + 3 roundings of a float64 norm, a quotient and a product; it is rounded, and so is the sum."""
    params = leaves(dtype)
    give(params, 3)
    for param in params:
        param.grad = param.grad * size
    unit = float(np.finfo(dtype).eps) / 2
    start = np.concatenate([param.data.ravel() for param in params])
    grads = np.concatenate([param.grad.ravel() for param in params])
    SAM(optim.SGD(params), rho=0.25).first_step()
    found = np.concatenate([param.data.ravel() for param in params])
    with mpmath.workdps(50):
        w, g = ([mpmath.mpf(float(x)) for x in each] for each in (start, grads))
        for ours, theirs, before in zip(found, climbed(w, g, mpmath.mpf(0.25)), w, strict=True):
            share = unit + (len(w) + 8) * 2.0**-53
            bound = (share * abs(theirs - before) + unit * abs(theirs)) * (1 + 2.0**-10)
            assert abs(mpmath.mpf(float(ours)) - theirs) <= bound
            assert ours != before


def test_with_gradients_of_zero_or_none_sam_stays():
    params = leaves()
    wrapped = SAM(optim.SGD(params, lr=1.0))
    before = [param.data.copy() for param in params]
    params[0].grad = np.zeros(params[0].shape)
    wrapped.first_step()
    wrapped.second_step()
    assert all((param.data == values).all() for param, values in zip(params, before, strict=True))
    with mpmath.workdps(50):
        assert climbed([1.0, 2.0], [0.0, 0.0], 0.1) == [1.0, 2.0]


def test_what_fails_in_the_second_pass_leaves_the_parameters_where_they_were():
    params, calls = leaves(), []
    wrapped = SAM(optim.SGD(params, lr=1.0))
    before = [param.data.copy() for param in params]

    def closure():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("out of data")
        losses(params).backward()

    with pytest.raises(RuntimeError, match="out of data"):
        wrapped.step(closure)
    assert all((param.data == values).all() for param, values in zip(params, before, strict=True))
    with pytest.raises(RuntimeError, match="call that first"):
        wrapped.second_step()


def test_the_order_of_sams_steps_and_its_closure_are_checked():
    params = leaves()
    wrapped = SAM(optim.SGD(params))
    with pytest.raises(TypeError, match=r"two gradients, and so a closure .* step\(closure\)"):
        wrapped.step()
    give(params, 0)
    wrapped.first_step()
    with pytest.raises(RuntimeError, match="called twice"):
        wrapped.first_step()
    with pytest.raises(RuntimeError, match="are in the climb"):
        wrapped.state_dict()
    wrapped.second_step(zero_grad=True)
    assert params[0].grad is None
    give(params, 0)
    params[1].grad[2] = math.inf
    before = params[0].data.copy()
    with pytest.raises(FloatingPointError, match="element 2 of the gradient of"):
        wrapped.first_step()
    assert (params[0].data == before).all()
    assert not wrapped.step(lambda: 3.0, skip_nonfinite=True, report=True).applied
    assert wrapped.step(lambda: 3.0, skip_nonfinite=True) == 3.0
    assert (params[0].data == before).all()


# What both share.

WRAPPERS = {
    "lookahead": lambda inner: Lookahead(inner, k=3, alpha=0.3),
    "sam": lambda inner: SAM(inner, rho=0.1),
    "both": lambda inner: Lookahead(SAM(inner, rho=0.1), k=2),
}
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS)


def go_on(wrapped, params, steps):
    def closure():
        wrapped.zero_grad()
        losses(params).backward()

    for _ in range(steps):
        wrapped.step(closure)


@every_wrapper
@pytest.mark.parametrize("cut", range(6))
@pytest.mark.parametrize("through", ["dict", "pickle", "other order"])
def test_a_saved_wrapper_goes_on_bit_for_bit(wrap, cut, through):
    def made(params, reverse=False):
        pairs = [("v", params[0]), ("w", params[1])]
        return WRAPPERS[wrap](optim.Adam(pairs[::-1] if reverse else pairs, lr=0.05))

    whole, first, second = leaves(), leaves(), leaves()
    go_on(made(whole), whole, 6)
    wrapped = made(first)
    go_on(wrapped, first, cut)
    saved = wrapped.state_dict()
    other = made(second, through == "other order")
    for param, values in zip(second, first, strict=True):
        param.data = values.data
    other.load_state_dict(pickle.loads(pickle.dumps(saved)) if through == "pickle" else saved)
    for array in saved.get("lookahead", {}).get("slow_weights", ()):
        array[...] = 7.0  # nothing is aliased
    go_on(other, second, 6 - cut)
    assert [a.data.tobytes() for a in whole] == [b.data.tobytes() for b in second]


@every_wrapper
@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_go_on_bit_for_bit_and_apart(wrap, how):
    params = leaves()
    wrapped = WRAPPERS[wrap](optim.Adam(params))
    go_on(wrapped, params, 4)
    others, other = how((params, wrapped))
    go_on(wrapped, params, 3)
    go_on(other, others, 3)
    assert [a.data.tobytes() for a in params] == [b.data.tobytes() for b in others]


@every_wrapper
def test_groups_states_and_schedulers_are_the_optimizers(wrap):
    params = leaves()
    inner = build("adam", params)
    wrapped = WRAPPERS[wrap](inner)
    assert wrapped.param_groups is inner.param_groups and wrapped.defaults == inner.defaults
    assert wrapped.dialect == inner.dialect and wrapped.has_stepped is False and not wrapped.has_own_step
    scheduler = LRScheduler(wrapped, schedules.warmup(2))
    assert [group["lr"] for group in inner.param_groups] == [0.0, 0.0]
    go_on(wrapped, params, 1)
    scheduler.step()
    assert wrapped.has_stepped and [group["lr"] for group in inner.param_groups] == [0.025, 0.01]
    assert wrapped.state[params[0]]["step"] == 1 and wrapped.kind.startswith(type(wrapped).__name__)
    assert repr(wrapped).startswith(type(wrapped).__name__) and "Adam(" in repr(wrapped)
    inner.load_state_dict(wrapped.state_dict())  # its own part alone


def test_hooks_are_those_of_the_optimizer_inside():
    params, calls = leaves(), []
    wrapped = SAM(optim.SGD(params))
    with pytest.raises(AttributeError, match=r"no hooks of its own; .* \.optimizer\.register_step_pre_hook"):
        wrapped.register_step_pre_hook(print)
    with pytest.raises(AttributeError, match="'SAM' object has no attribute 'momentum'"):
        _ = wrapped.momentum
    wrapped.optimizer.register_step_post_hook(lambda *_: calls.append(1))
    go_on(wrapped, params, 3)
    assert calls == [1, 1, 1]


def model_and_loader():
    tinygrad_lr.manual_seed(4)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    data = TensorDataset(tinygrad_lr.randn(24, 3), tinygrad_lr.randn(24, 1))
    return model, DataLoader(data, batch_size=6, shuffle=True, seed=1)


class Crash(Exception):
    """Stands for a process that ends at once."""


@every_wrapper
@pytest.mark.parametrize("accumulate", [1, 2])
def test_fit_trains_and_a_killed_training_goes_on_bit_for_bit(wrap, accumulate, tmp_path):
    def train(**options):
        model, loader = model_and_loader()
        wrapped = WRAPPERS[wrap](optim.Adam(model.parameters(), lr=0.05))
        checkpoint = options.get("checkpoint")
        resume = checkpoint.restore(model, wrapped, loader) if checkpoint else None
        options = {"epochs": 5, "schedule": schedules.cosine(20), "resume": resume, **options}
        history = fit(model, nn.MSELoss(), wrapped, loader, accumulate=accumulate, max_norm=5.0, **options)
        return history, b"".join(each.tobytes() for each in model.state_dict().values())

    expected, values = train()
    assert expected.loss[-1] < expected.loss[0]

    class Kill:
        def on_step(self, training):
            if training.step == 7:
                raise Crash

    with pytest.raises(Crash):
        train(checkpoint=Checkpoint(tmp_path, every_steps=1), callbacks=[Kill()])
    history, again = train(checkpoint=Checkpoint(tmp_path))
    assert again == values and history.to_csv() == expected.to_csv()


def test_fit_with_sam_is_the_loop_written_out():
    (model, loader), (other, again) = model_and_loader(), model_and_loader()
    fit(model, nn.MSELoss(), SAM(optim.SGD(model.parameters(), lr=0.05), rho=0.1), loader, epochs=2)
    sam = SAM(optim.SGD(other.parameters(), lr=0.05), rho=0.1)
    for epoch in range(2):
        again.epoch = epoch
        for x, y in again:

            def closure(x=x, y=y):
                sam.zero_grad()
                loss = nn.MSELoss()(other(x), y)
                loss.backward()
                return loss

            sam.step(closure)
    assert model[0].weight.data.tobytes() == other[0].weight.data.tobytes()


def test_fit_leaves_the_parameters_before_a_step_whose_second_loss_is_not_finite():
    w = tensor([0.5], requires_grad=True)
    model = lambda x: x * w if w.data[0] == 0.5 else x * w * float("inf")  # noqa: E731
    with pytest.raises(Diverged):
        fit(model, nn.MSELoss(), SAM(optim.SGD([w], lr=0.1)), [(ones(1), ones(1))], epochs=1)
    assert w.data.tolist() == [0.5]


@every_wrapper
def test_compiled_training_refuses_wrappers_with_the_reason(wrap):
    model, loader = model_and_loader()
    wrapped = WRAPPERS[wrap](optim.Adam(model.parameters()))
    with pytest.raises(CannotCompile, match="moves the parameters in Python around the steps"):
        fit(model, nn.MSELoss(), wrapped, loader, epochs=1, compiled=True)
    with pytest.raises(CannotCompile, match=type(wrapped).__name__):
        compile_step(model, nn.MSELoss(), wrapped)


def test_a_checkpoint_of_another_wrapper_is_refused(tmp_path):
    model, loader = model_and_loader()
    inner = optim.Adam(model.parameters())
    fit(model, nn.MSELoss(), Lookahead(inner), loader, epochs=1, checkpoint=Checkpoint(tmp_path))
    for other in (inner, SAM(inner), Lookahead(SAM(inner))):
        with pytest.raises(ValueError, match=r"its class was Lookahead\(Adam\) and is"):
            Checkpoint(tmp_path).restore(model, other, loader)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda w: Lookahead([w]), TypeError, "goes around an optimizer of tinygrad_lr, got list"),
        (lambda w: SAM(optim.SGD), TypeError, r"got SGD; make one: SGD\(\.\.\.\)"),
        (lambda w: Lookahead(optim.SGD([w]), k=0), ValueError, "k must be"),
        (lambda w: Lookahead(optim.SGD([w]), k=2.5), TypeError, "k must be"),
        (lambda w: Lookahead(optim.SGD([w]), alpha=1.5), ValueError, r"alpha must lie in \[0, 1\]"),
        (lambda w: SAM(optim.SGD([w]), rho=-1), ValueError, "rho must be at least 0"),
    ],
)
def test_mistakes_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make(tensor([1.0], requires_grad=True))


def saved_lookahead():
    params = leaves()
    wrapped = Lookahead(optim.Adam(params), k=2)
    go_on(wrapped, params, 3)
    return params, wrapped, wrapped.state_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved: saved.pop("lookahead"), "has no 'lookahead', which a state of Lookahead has"),
        (lambda saved: saved["lookahead"].pop("k"), "lacks k"),
        (lambda saved: saved["lookahead"].update(alpha=2.0), "alpha"),
        (lambda saved: saved["lookahead"].update(steps=-1), "steps"),
        (lambda saved: saved["lookahead"]["slow_weights"].pop(), "1 slow weights for 2 parameters"),
        (lambda saved: saved["lookahead"]["slow_weights"].reverse(), r"slow weight 0 is float32 \(4,\)"),
        (lambda saved: saved["param_groups"].clear(), "parameter groups"),
        (lambda saved: saved["state"][0].pop("exp_avg"), "lacks exp_avg"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    params, wrapped, saved = saved_lookahead()
    change(saved)
    before = pickle.dumps(wrapped.state_dict())
    with pytest.raises(ValueError, match=message):
        wrapped.load_state_dict(saved)
    assert pickle.dumps(wrapped.state_dict()) == before


@pytest.mark.parametrize("kinds", ["look look", "look sam look", "look look sam"])
def test_one_around_another_of_its_kind_resumes(kinds):
    """Both kept their state under one key, and the inner one's was lost."""

    def begun():
        w = tensor([1.0, -2.0, 0.5], requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.5)
        for place, kind in enumerate(kinds.split()):
            arguments = {"k": 2 + place} if kind == "look" else {"rho": 0.1 + place}
            optimizer = {"look": optim.Lookahead, "sam": optim.SAM}[kind](optimizer, **arguments)
        return w, optimizer

    def steps(w, optimizer, count):
        def closure():
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        for _ in range(count):
            optimizer.step(closure)

    w, optimizer = begun()
    steps(w, optimizer, 5)
    v, again = begun()
    for each in (again, again.optimizer):  # other numbers, which the state overwrites
        vars(each).update({"k": 9} if hasattr(each, "k") else {"rho": 9.0})
    v.data = w.data.copy()
    again.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    steps(w, optimizer, 8)
    steps(v, again, 8)
    assert (w.data == v.data).all() and repr(again) == repr(optimizer)


def test_one_sam_is_enough():
    """A second one would have been told in the middle of its first step."""
    inside = optim.SAM(optim.SGD([tensor([1.0], requires_grad=True)]))
    for each in (inside, optim.Lookahead(inside)):
        with pytest.raises(ValueError, match="take one SAM"):
            optim.SAM(each)
