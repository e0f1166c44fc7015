"""A second compiled training of one optimizer takes the compiled step of the first, where nothing has changed since: it
calls neither model nor loss, and whatever was changed in between has the effect that it has on a step compiled anew."""

import gc
import os
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python, flow
from compiled_changes import AS_MANY, BETWEEN, CHANGES, at_the_start, parts
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tinygrad_lr import backend, manual_seed, nn, no_grad, optim, random
from tinygrad_lr.compiled import CannotCompile, Runner, fingerprint, runner
from tinygrad_lr.training import fit

EVERY = {**CHANGES, **AS_MANY, **BETWEEN}
loads = []


@pytest.fixture(autouse=True)
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels; `loads` has an entry for each program."""

    def load(text):
        loads.append(text)
        return SimpleNamespace(run=as_plain_python(text)["run"])

    loads.clear()
    monkeypatch.setattr(runner, "load", load)


def trained(t, epochs=2, **options):
    return fit(
        t.model,
        t.loss,
        t.optimizer,
        t.loader,
        epochs=epochs,
        progress=False,
        compiled=True,
        max_norm=t.max_norm,
        schedule=t.schedule,
        **options,
    )


def outcome(t):
    """What a training gives and leaves, bit for bit, or its error."""
    try:
        history = trained(t).to_csv()
    except (CannotCompile, ValueError, TypeError, RuntimeError) as error:
        history = f"{type(error).__name__}: {error}"
    states = [
        (name, np.asarray(values).tobytes())
        for state in t.optimizer.state_dict()["state"].values()
        for name, values in state.items()
    ]
    groups = [{**group, "params": 0} for group in t.optimizer.param_groups]
    values = [(parameter.data.tobytes(), str(parameter.grad)) for parameter in t.model.parameters()]
    return history, states, groups, values, t.loader.epoch, random.get_state()


def outcomes(changes, anew):
    """Those of trainings with changes between them. `anew`: no step that was compiled before is left."""
    found = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        at_the_start(monkeypatch)
        t = parts()
        t.x, t.y = np.tile(t.x, (2, 1)), np.tile(t.y, (2, 1))
        for names in [[], *changes]:
            for name in names:
                EVERY[name](t)
            if anew:
                vars(t.optimizer).pop(runner.KEPT_AS, None)
            found.append(outcome(t))
    return found


@settings(max_examples=20, suppress_health_check=[*HealthCheck], deadline=None)
@given(st.lists(st.lists(st.sampled_from([*EVERY]), max_size=3), min_size=1, max_size=4))
@example([["a large array is read"], ["a large array"], ["a large array"]])
@example([["another model"], ["weights"], ["clipped"], ["clipped"]])
def test_whatever_changes_the_outcome_is_that_of_a_step_compiled_anew(changes):
    assert outcomes(changes, anew=False) == outcomes(changes, anew=True)


@pytest.mark.parametrize("name", EVERY)
def test_each_change_alone(name):
    changes = [[name], []]
    assert outcomes(changes, anew=False) == outcomes(changes, anew=True)


@pytest.mark.parametrize(
    "name", ["attribute", "another formula", "the code of a layer", "a function that the loss calls"]
)
def test_a_change_that_no_fingerprint_showed_would_be_missed(name, monkeypatch):
    monkeypatch.setattr(fingerprint.Fingerprint, "__eq__", lambda self, other: True)
    changes = [[name]]
    assert outcomes(changes, anew=False) != outcomes(changes, anew=True)


def test_a_change_that_a_fingerprint_cannot_show_would_be_missed_without_a_new_trace(monkeypatch):
    monkeypatch.setattr(runner.Runner, "doubt", lambda self: None)
    changes = [["a large array is read"], ["a large array"]]
    assert outcomes(changes, anew=False) != outcomes(changes, anew=True)


def test_where_nothing_changes_neither_model_nor_loss_is_called(monkeypatch):
    at_the_start(monkeypatch)
    t, calls = parts(), []
    monkeypatch.setattr(runner, "trace_once", lambda *given: calls.append("again") or pytest.fail("traced again"))
    monkeypatch.setattr(
        runner, "trace", lambda *given, real=runner.trace, **more: calls.append(1) or real(*given, **more)
    )
    trained(t)
    assert len(calls) == 2 and len(loads) == 1  # full and short batches
    for name in (
        "nothing",
        "weights",
        "values of the data",
        "rate",
        "seed",
        "schedule",
        "an equal loss",
        "an equal loader",
    ):
        EVERY[name](t)
        trained(t, held_out=t.dataset, on_epoch=lambda epoch, history: None)
        assert len(calls) == 2 and len(loads) == 1, name


def test_where_not_all_can_be_seen_the_model_is_traced_again_and_nothing_is_written(monkeypatch):
    at_the_start(monkeypatch)
    t, calls = parts(), []
    EVERY["a large array is read"](t)
    trained(t)
    monkeypatch.setattr(runner, "trace_once", lambda *a, real=runner.trace_once: calls.append(1) or real(*a))
    trained(t)
    assert len(calls) == 2 and len(loads) == 1


def test_what_is_refused_is_refused_the_second_time_too():
    t = parts()
    trained(t)
    with no_grad(), pytest.raises(ValueError, match="depends on no parameter"):
        trained(t)
    trained(t)
    t.optimizer.step = t.optimizer.step
    with pytest.raises(CannotCompile, match="Adam has its own step"):
        trained(t)
    del t.optimizer.step
    trained(t)
    with backend.using("numpy"), pytest.raises(RuntimeError, match="compiled training needs Numba"):
        trained(t)
    with pytest.raises(TypeError, match="needs a DataLoader"):
        fit(t.model, t.loss, t.optimizer, list(t.loader), epochs=1, compiled=True)


def test_a_training_inside_another_one_gets_a_step_of_its_own():
    def run(nested):
        manual_seed(0)
        t, other = parts(), parts()
        other.loader.batch_size = 7

        def train_inside(epoch, history):
            if nested == "compiled":
                fit(t.model, nn.MSELoss("sum"), t.optimizer, other.loader, epochs=1, progress=False, compiled=True)
            else:
                fit(t.model, nn.MSELoss("sum"), t.optimizer, other.loader, epochs=1, progress=False)

        return trained(t, epochs=3, on_epoch=train_inside).loss

    assert np.allclose(run("compiled"), run("eager"), rtol=1e-4)


def test_no_step_is_kept_after_an_error():
    t = parts()
    trained(t)
    assert isinstance(vars(t.optimizer)[runner.KEPT_AS], Runner)
    with pytest.raises(ZeroDivisionError):
        trained(t, on_epoch=lambda epoch, history: 1 / 0)
    assert runner.KEPT_AS not in vars(t.optimizer)


def test_a_kept_step_goes_with_its_optimizer():
    t = parts()
    trained(t)
    seen = [weakref.ref(each) for each in (t.model, t.loader, t.optimizer, vars(t.optimizer)[runner.KEPT_AS])]
    del t
    gc.collect()
    assert [each() for each in seen] == [None] * 4


# --- what a fingerprint does not see, it says -------------------------------------------------------------------------


def reads_the_environment(x):
    return x * float(os.environ.get("NOTHING", 1))


def imports_inside(x):
    import math

    return x * math.pi


def asks_by_name(x):
    return x * getattr(x, "shape")[0]  # noqa: B009


def numpy_inside(x):
    return x * np.exp(1.0) + len(x)


class Value(float):
    pass


INCOMPLETE = {
    "a large array": np.zeros(100_000),
    "an array of objects": np.array([[1], None], object),
    "a long list": [0] * 1001,
    "a long dict": dict.fromkeys(range(1001)),
    "an open file": open(os.devnull),  # noqa: SIM115
    "an optimizer": optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1),
    "a module": os,
    "a method of a list": [].append,
    "the environment": reads_the_environment,
    "an import": imports_inside,
    "names at run time": asks_by_name,
    "a function of the standard library": os.path.join,
    "a class of the standard library": weakref.WeakSet,
    "an object with such a class below its own": type("Own", (weakref.WeakSet,), {})(),
}
COMPLETE = {
    "a network": nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)),
    "the flow of the tests": parts().model,
    "a function": numpy_inside,
    "a dtype and a slice": [np.dtype("f4"), slice(0, 3), np.float32, np.exp, len],
    "a number of a class of its own": Value(1.0),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_a_fingerprint_that_lacks_something_says_so(name):
    assert not fingerprint.fingerprint([SimpleNamespace(held=INCOMPLETE[name])]).complete


@pytest.mark.parametrize("name", COMPLETE)
def test_a_fingerprint_that_shows_everything_says_so(name):
    assert fingerprint.fingerprint([SimpleNamespace(held=COMPLETE[name])]).complete


def test_a_number_of_a_class_of_its_own_is_told_from_another():
    holder = SimpleNamespace(held=Value(1.0))
    before = fingerprint.fingerprint([holder])
    holder.held = Value(2.0)
    assert before.difference(fingerprint.fingerprint([holder])) == "SimpleNamespace.held"


def test_flows_of_one_optimizer_with_two_models_take_turns():
    """Each training compiles for its own model; none runs the other's step."""
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.05))
    doubled = lambda x: model(x) * 2.0  # noqa: E731
    twin, _, other, twins_loader = flow(lambda p: optim.SGD(p, lr=0.05))
    for one, same in ((model, twin), (doubled, lambda x: twin(x) * 2.0), (model, twin)):
        compiled = fit(one, loss, optimizer, loader, epochs=1, progress=False, compiled=True)
        eager = fit(same, loss, other, twins_loader, epochs=1, progress=False)
        assert np.allclose(compiled.loss, eager.loss, rtol=1e-5)
