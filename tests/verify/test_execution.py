"""A case runs as its fields say: changes, late groups, loaded counts, layouts, buffers; and its example says so."""

from dataclasses import replace

import numpy as np
import pytest

from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.execution import LAYOUTS, Execution, copied_alike, example_of, joined, run
from tinygrad_lr.verify.guard import guarded
from tinygrad_lr.verify.protocol import Broken, Case, NotApplicable
from tinygrad_lr.verify.specification import spec


def case_of(**fields):
    params = [np.ones(3), np.full((2, 3), 2.0)]
    gradients = [[np.full(3, float(t)), np.full((2, 3), -float(t))] for t in range(1, 5)]
    return Case(spec("sgd", lr=0.5), params, gradients, **fields)


def ends(case, make=None):
    return [[float(p.flat[0]) for p in params] for params in run(case, make or adapters.naive("sgd"))]


def test_changes_come_before_their_step_and_last():
    assert ends(case_of(changes={1: {"lr": 0.25}}))[1:] == [[0.5, 2.5], [0.0, 3.0], [-0.75, 3.75], [-1.75, 4.75]]


def test_late_parameters_join_before_their_first_gradient_with_settings_of_their_own():
    case = case_of(late=1, group={"lr": 1.0}, changes={3: {"lr": 0.0}})
    case.gradients[0][1] = case.gradients[1][1] = None
    assert joined(case) == [1, 1, 2, 2]
    assert [each[1] for each in ends(case)] == [2.0, 2.0, 2.0, 5.0, 5.0]
    execution = Execution(case, adapters.naive("sgd"))
    for _ in execution.steps():
        pass
    assert [each["lr"] for each in execution.past[1]] == [1.0, 0.0] and execution.counts == [4, 2]


def test_a_count_is_loaded_after_the_first_step():
    case = replace(case_of(count=1000), spec=spec("adam", lr=0.5))
    execution = Execution(case, adapters.naive("adam"))
    for _ in execution.steps():
        pass
    assert execution.counts == [1003, 1003]
    assert execution.subject.get_state()["state"][0]["step"] == 1003

    class Shows(adapters.Naive):
        def get_state(self):
            return {"state": {0: {"step": 1, "beta_product": 0.9}}}

    with pytest.raises(NotApplicable, match="beta_product"):
        run(case, adapters.naive("adam", Shows))
    with pytest.raises(NotApplicable, match="shows no step count"):
        run(
            case_of(count=9),
            lambda params, **_: type(
                "S",
                (),
                {
                    "params": params,
                    "step": lambda s, g: None,
                    "get_state": lambda s: {},
                    "set_state": lambda s, x: None,
                },
            )(),
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_lie_in_memory_as_the_layout_says(layout):
    seen = {}

    class Looks(adapters.Naive):
        def __init__(self, name, params, hyperparameters):
            seen["params"] = params[1]
            super().__init__(name, params, hyperparameters)

        def step(self, grads):
            seen["gradient"] = grads[1]
            super().step(grads)

    case = case_of(layout=layout)
    assert ends(case, guarded(adapters.naive("sgd", Looks), case.spec, {})) == ends(case_of())
    gradient, param = seen["gradient"], seen["params"]
    other = ("transposed", "strided", "reversed", "repeated", "transposed, parameters too")
    assert gradient.flags.c_contiguous == (layout not in other)
    assert gradient.flags.writeable == (layout not in ("read-only", "repeated"))
    assert param.flags.c_contiguous == ("parameters" not in layout)
    assert (gradient.__array_interface__["data"][0] % 16 != 0) == (layout in ("offset", "reversed"))
    assert copied_alike(param).flags.forc == param.flags.forc


def test_buffers_are_the_same_arrays_and_earlier_gradients_are_looked_at():
    class Keeps(adapters.Naive):
        kept = None

        def step(self, grads):
            grads, self.kept = (self.kept or grads), grads
            super().step(grads)

    late_by_one = ends(case_of(), adapters.naive("sgd", Keeps))
    assert ends(case_of(buffers=True), adapters.naive("sgd", Keeps)) != late_by_one
    assert ends(case_of(buffers=True)) == ends(case_of())

    class Spoils(adapters.Naive):
        old = None

        def step(self, grads):
            super().step(grads)
            if self.old is not None:
                self.old *= 2
            self.old = grads[0]

    for kind in (adapters.Naive, Spoils):
        execution = Execution(case_of(), adapters.naive("sgd", kind))
        for _ in execution.steps():
            pass
        if kind is Spoils:
            with pytest.raises(Broken, match="the caller's gradient 0 of step 1"):
                execution.expect_gradients_untouched()
        else:
            execution.expect_gradients_untouched()


def test_an_example_shows_what_is_set():
    case = case_of(changes={1: {"lr": 0.25}}, late=1, layout="strided", buffers=True, count=7, group={"lr": 1.0})
    example = example_of(case, lambda name: True)
    shown = {key: example[key] for key in ("changes", "late", "group", "count", "layout", "buffers")}
    assert shown == {
        "changes": {1: {"lr": 0.25}},
        "late": 1,
        "group": {"lr": 1.0},
        "count": 7,
        "layout": "strided",
        "buffers": True,
    }
    assert "late" not in example_of(case_of(), lambda name: True)
