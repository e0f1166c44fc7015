"""Steps that pass over gradients that are not finite, and steps that say what they did."""

import math

import numpy as np
import pytest
from optimizer_cases import richest

from tinygrad_lr import optim, tensor
from tinygrad_lr.verify.formulas import clipping as formulas

NAN, INF = math.nan, math.inf


def leaves():
    rng = np.random.default_rng(1)
    return [tensor(rng.normal(size=shape), requires_grad=True, dtype="float32") for shape in [(2, 3), (4,)]]


def build(name):
    v, w = leaves()
    groups = [{"params": [("v", v)]}, {"params": [("w", w)], "lr": 0.25}]
    return (v, w), optim.OPTIMIZERS[name](groups, **{"lr": 0.5, **richest(name)})


def give(params, seed, wrong=None):
    rng = np.random.default_rng(seed)
    for param in params:
        param.grad = rng.normal(size=param.shape)
    if wrong is not None:
        params[1].grad[2] = wrong


def everything(params, optimizer):
    saved = optimizer.state_dict()
    arrays = [value for entry in saved["state"].values() for value in entry.values() if isinstance(value, np.ndarray)]
    steps = [entry["step"] for entry in saved["state"].values()]
    return [array.tobytes() for array in [*(p.data for p in params), *arrays]], steps


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_a_run_with_skipped_steps_is_one_without_them(name, max_norm):
    runs = []
    for wrong in ((NAN, INF, -INF), ()):
        params, optimizer = build(name)
        for seed in range(3):
            give(params, seed)
            optimizer.step(max_norm=max_norm, skip_nonfinite=True)
            for each in wrong:
                give(params, seed + 10, each)
                before = everything(params, optimizer)
                assert optimizer.step(lambda: 2.0, max_norm=max_norm, skip_nonfinite=True) == 2.0
                assert everything(params, optimizer) == before
        runs.append(everything(params, optimizer))
    assert runs[0] == runs[1]


def test_a_finite_step_is_the_step_without_being_asked():
    runs = []
    for more in ({}, {"skip_nonfinite": True}, {"report": True}, {"skip_nonfinite": True, "report": True}):
        params, optimizer = build("adam")
        for seed in range(3):
            give(params, seed)
            optimizer.step(max_norm=0.5, **more)
        runs.append(everything(params, optimizer))
    assert runs == [runs[0]] * 4


@pytest.mark.parametrize("wrong", [NAN, INF])
def test_without_being_asked_a_step_is_made_as_before(wrong):
    params, optimizer = build("sgd")
    give(params, 0, wrong)
    said = optimizer.step(report=True)
    assert said.applied and not math.isfinite(said.norm) and not np.isfinite(params[1].data).all()


def test_a_report_tells_rates_norm_and_factor():
    params, optimizer = build("adam")
    give(params, 0)
    grads = [param.grad.astype(float) for param in params]
    norm = formulas.total_norm(grads)
    said = optimizer.step(lambda: 3.0, max_norm=norm / 4, report=True)
    assert said == optim.StepReport(True, "", (0.5, 0.25), said.norm, said.factor, 3.0)
    assert abs(said.norm - norm) <= 2 * (10 + 3) * 2.0**-53 * norm
    # the factor is four units of rounding below the quotient
    assert 0 <= 0.25 - said.factor <= 5 * 2.0**-24 * 0.25
    optimizer.param_groups[1]["lr"] = 0.125
    assert optimizer.step(max_norm=2 * norm, report=True) == optim.StepReport(True, "", (0.5, 0.125), said.norm)


def test_a_report_of_a_skipped_step_says_why():
    params, optimizer = build("adam")
    give(params, 0, NAN)
    said = optimizer.step(max_norm=1.0, skip_nonfinite=True, report=True, zero_grad=True)
    assert not said.applied and said.reason == "element 2 of the gradient of w, of shape (4,), is nan"
    assert math.isnan(said.norm) and params[0].grad is None and not optimizer.state
    said = optimizer.step(report=True)
    assert said == optim.StepReport(False, "no parameter has a gradient", (0.5, 0.25), 0.0)
    assert optimizer.has_stepped  # a scheduler that goes on now is in order


def test_a_norm_whose_squares_overflow_is_no_reason_to_skip():
    params, optimizer = build("sgd")
    give(params, 0)
    params[0].grad[0, 0] = 3e38
    said = optimizer.step(max_norm=1.0, skip_nonfinite=True, report=True)
    assert said.applied and said.norm == pytest.approx(3e38, rel=1e-6) and np.isfinite(params[0].data).all()


def test_hooks_are_told_what_was_asked_and_the_report_is_returned():
    params, optimizer = build("sgd")
    give(params, 0)
    seen = []
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(kwargs))
    assert optimizer.step(report=True, skip_nonfinite=True).applied
    assert seen == [{"skip_nonfinite": True, "report": True}]


@pytest.mark.parametrize("name", ["skip_nonfinite", "report"])
def test_both_are_true_or_false(name):
    params, optimizer = build("sgd")
    give(params, 0)
    before, calls = params[0].data.copy(), []
    with pytest.raises(TypeError, match=f"{name} must be True or False, got 1"):
        optimizer.step(lambda: calls.append(1), **{name: 1})
    assert (params[0].data == before).all() and not calls


def test_without_skipping_a_clipped_step_still_raises():
    params, optimizer = build("sgd")
    give(params, 0, INF)
    with pytest.raises(FloatingPointError, match="have no finite norm: element 2 of the gradient of w"):
        optimizer.step(max_norm=1.0, report=True)
