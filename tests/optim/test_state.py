"""`optimizer.state` and `state_dict`: writing takes effect; what does not fit is a named error and changes nothing."""

import copy
import json
from collections import defaultdict

import numpy as np
import pytest

from tinygrad_lr import nn, optim, tensor, zeros

every_optimizer = pytest.mark.parametrize("cls", optim.OPTIMIZERS.values(), ids=optim.OPTIMIZERS)
EVERY = [pytest.param(cls, each, id=f"{name}-{i}") for name, cls in optim.OPTIMIZERS.items()
         for i, each in enumerate(cls.examined)]  # fmt: skip
every_setting = pytest.mark.parametrize(("cls", "settings"), EVERY)


def leaves(seed=0):
    rng = np.random.default_rng(seed)
    return [tensor(rng.normal(size=shape).astype("f4"), requires_grad=True) for shape in ((2, 3), (4,), ())]


def step(optimizer, params, seed):
    rng = np.random.default_rng(seed)
    for param in params:
        param.grad = rng.normal(size=param.shape)
    optimizer.step()


def run(cls, params, steps, **settings):
    optimizer = cls(params, **settings)
    for seed in range(steps):
        step(optimizer, params, seed)
    return optimizer


def bits(params):
    return [param.data.tobytes() for param in params]


def everything(optimizer):
    """The optimizer's state_dict with bytes in place of arrays."""
    saved = optimizer.state_dict()
    state = {i: {k: np.asarray(v).tobytes() for k, v in entry.items()} for i, entry in saved["state"].items()}
    return state, saved["param_groups"]


# The state, as in torch.

RESETS = {
    "clear": lambda o: o.state.clear(),
    "= {}": lambda o: setattr(o, "state", {}),
    "= defaultdict": lambda o: setattr(o, "state", defaultdict(dict)),
    "del each": lambda o: [o.state.__delitem__(p) for p in list(o.state)],
    "pop each": lambda o: [o.state.pop(p) for p in list(o.state)],
    "popitem": lambda o: [o.state.popitem() for _ in range(3)],
    "= {} each": lambda o: [o.state.__setitem__(p, {}) for p in list(o.state)],
    "clear each": lambda o: [entry.clear() for entry in list(o.state.values())],
}


@pytest.mark.parametrize("how", RESETS)
@every_setting
def test_a_reset_makes_the_next_step_the_first(cls, settings, how):
    params = leaves()
    optimizer = run(cls, params, 3, **settings)
    fresh_params = [tensor(param.data, requires_grad=True) for param in params]
    fresh = cls(fresh_params, **settings)
    assert len(optimizer.state) == 3
    RESETS[how](optimizer)
    assert optimizer.state == {} and not optimizer.state and optimizer.state_dict()["state"] == {}
    for seed in (7, 8):
        step(optimizer, params, seed)
        step(fresh, fresh_params, seed)
    assert bits(params) == bits(fresh_params) and everything(optimizer) == everything(fresh)


@pytest.mark.parametrize("short", ["bfloat16", "int8"])
def test_a_reset_of_short_moments(short):
    params = leaves()
    optimizer = run(optim.Adam, params, 3, state_dtype=short)
    fresh_params = [tensor(param.data, requires_grad=True) for param in params]
    fresh = optim.Adam(fresh_params, state_dtype=short)
    optimizer.state.clear()
    for seed in (7, 8):
        step(optimizer, params, seed)
        step(fresh, fresh_params, seed)
    assert bits(params) == bits(fresh_params)


def test_the_entry_of_a_parameter_before_its_first_step_is_empty():
    w = tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([w])
    entry = optimizer.state[w]
    assert entry == {} and len(entry) == 0 and w not in optimizer.state and optimizer.state.get(w) is None
    assert optimizer.state.setdefault(w, {}) == {} and optimizer.state.pop(w, "none") == "none"
    with pytest.raises(KeyError, match="has not made a step"):
        del optimizer.state[w]
    with pytest.raises(KeyError, match="state is empty"):
        optimizer.state.popitem()
    with pytest.raises(KeyError, match="is no parameter of this optimizer"):
        optimizer.state[zeros(1)]
    with pytest.raises(KeyError, match="assign a whole entry"):
        entry["exp_avg"] = np.ones(1)
    with pytest.raises(TypeError, match="a dict of entries by parameter, got int"):
        optimizer.state = 3
    w.grad = [1.0]
    optimizer.step()
    assert entry["step"] == 1 and w in optimizer.state and repr(entry).startswith("{'step': 1, ")


@every_setting
def test_a_loaded_state_has_its_entries_in_the_order_of_a_run(cls, settings):
    """A vector first, which has no rows and columns: a file of the state would have other bytes."""
    vector, matrix = (tensor(np.ones(shape, "f4"), requires_grad=True) for shape in ((3,), (2, 3)))
    optimizer = run(cls, [vector, matrix], 2, **settings)
    again = cls([tensor(param.data, requires_grad=True) for param in (vector, matrix)], **settings)
    again.load_state_dict(optimizer.state_dict())
    saved, loaded = optimizer.state_dict()["state"], again.state_dict()["state"]
    assert {i: [*entry] for i, entry in saved.items()} == {i: [*entry] for i, entry in loaded.items()}


def test_a_reset_of_one_parameter_leaves_the_others():
    params, others = leaves(), leaves()
    one, other = run(optim.Adam, params, 3), run(optim.Adam, others, 3)
    popped = one.state.pop(params[1])
    assert popped["step"] == 3 and isinstance(popped, dict)
    assert params[1] not in one.state and one.state[params[0]]["step"] == 3
    one.state[params[1]] = popped
    for seed in (7, 8):
        step(one, params, seed)
        step(other, others, seed)
    assert bits(params) == bits(others) and everything(one) == everything(other)


@pytest.mark.parametrize("how", ["entry", "key", "state", "update"])
def test_an_assigned_state_counts_in_the_next_step(how):
    params, others = leaves(), leaves()
    one, other = run(optim.Adam, params, 5), run(optim.Adam, others, 2)
    entries = {other_p: one.state[p].copy() for p, other_p in zip(params, others, strict=True)}
    for p, q in zip(params, others, strict=True):
        q.data = p.data
    if how == "state":
        other.state = entries
    elif how == "update":
        other.state.update(entries)
    for q, entry in entries.items():
        if how == "entry":
            other.state[q] = entry
        elif how == "key":
            for key, value in entry.items():
                other.state[q][key] = value
    step(one, params, 9)
    step(other, others, 9)
    assert bits(params) == bits(others) and everything(one) == everything(other)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"step": 3}, "lacks exp_avg, exp_avg_sq, which a run of 3 steps has"),
        ({"exp_avg": np.ones(1), "exp_avg_sq": np.ones(1)}, "lacks 'step'"),
        ({"step": 1, "exp_avg": np.ones(2), "exp_avg_sq": np.ones(1)}, r"of shape \(1,\), got"),
        ({"step": -1, "exp_avg": np.ones(1), "exp_avg_sq": np.ones(1)}, "step must be a whole number"),
        (None, "must be a dict, got None"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(entry, message):
    w = tensor([1.0], requires_grad=True)
    optimizer = run(optim.Adam, [w], 2)
    before = everything(optimizer)
    for attempt in (
        lambda: optimizer.state.__setitem__(w, entry),
        lambda: setattr(optimizer, "state", {w: entry}),
        lambda: optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: entry}}),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            attempt()
        assert everything(optimizer) == before
    wrong = (("step", 1.5), ("step", 2**63), ("exp_avg", np.ones(2)), ("exp_avg", np.array([1j])))
    for key, value in (*wrong, ("exp_avg", np.array([1e300]))):
        with pytest.raises(ValueError, match=key):
            optimizer.state[w][key] = value
    with pytest.raises(KeyError, match="resets the whole entry"):
        del optimizer.state[w]["exp_avg"]
    assert everything(optimizer) == before


def test_copies_of_the_state_are_dicts():
    w = tensor([1.0], requires_grad=True)
    optimizer = run(optim.Adam, [w], 2)
    copied = copy.deepcopy(optimizer.state)
    assert type(copied) is dict and next(iter(copied.values()))["exp_avg"] == optimizer.state[w]["exp_avg"]
    next(iter(copied.values()))["exp_avg"][:] = 0
    assert optimizer.state[w]["exp_avg"][0] != 0 and optimizer.state.copy().keys() == {w}
    assert "exp_avg_sq" in repr(optimizer.state)


# Loading.


def through_json(saved):
    return json.loads(json.dumps(saved, default=lambda value: value.tolist()))


@every_setting
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_state_that_went_through_json_goes_on_bit_for_bit(cls, settings, dtype):
    def made():
        return [tensor(p.data, dtype=dtype, requires_grad=True) for p in leaves()]

    params, others = made(), made()
    one, other = run(cls, params, 3, **settings), cls(others)
    other.load_state_dict(through_json(one.state_dict()))
    for p, q in zip(params, others, strict=True):
        q.data = p.data
    step(one, params, 9)
    step(other, others, 9)
    assert bits(params) == bits(others) and everything(one) == everything(other)


@pytest.mark.parametrize("short", ["bfloat16", "int8"])
def test_short_moments_go_through_json(short):
    params, others = leaves(), leaves()
    one, other = run(optim.Adam, params, 3, state_dtype=short), optim.Adam(others, state_dtype=short)
    other.load_state_dict(through_json(one.state_dict()))
    assert everything(one) == everything(other)


def saved_adam():
    return run(optim.Adam, leaves(), 3).state_dict()


def changed(change):
    saved = saved_adam()
    change(saved)
    return saved


BROKEN = {
    "unknown parameter": (lambda d: d["state"].update({3: d["state"][0]}), r"state for the parameters \[3\]"),
    "unknown parameter of JSON": (lambda d: d["state"].update({"7": d["state"][0]}), r"parameters \[7\]"),
    "a name as a key": (lambda d: d["state"].update({"weight": d["state"][0]}), r"parameters \['weight'\]"),
    "twice": (lambda d: d["state"].update({"0": d["state"][0]}), "twice"),
    "None": (lambda d: d["state"].update({0: None}), "must be a dict, got None"),
    "a list": (lambda d: d["state"].update({0: [1, 2]}), r"must be a dict, got \[1, 2\]"),
    "no step": (lambda d: d["state"][0].pop("step"), "lacks 'step'"),
    "step None": (lambda d: d["state"][0].update(step=None), "lacks 'step'"),
    "all None": (lambda d: d["state"].update({0: {"step": None}}), "None for every value"),
    "a moment less": (lambda d: d["state"][0].pop("exp_avg_sq"), "lacks exp_avg_sq"),
    "a moment None": (lambda d: d["state"][0].update(exp_avg=None), "lacks exp_avg,"),
    "step as text": (lambda d: d["state"][0].update(step="3"), "step must be a whole number"),
    "step True": (lambda d: d["state"][0].update(step=True), "step must be a whole number"),
    "step NaN": (lambda d: d["state"][0].update(step=float("nan")), "step must be a whole number"),
    "step infinite": (lambda d: d["state"][0].update(step=float("inf")), "step must be a whole number"),
    "step beyond all runs": (lambda d: d["state"][0].update(step=10**400), "step must be a whole number"),
    "beyond float32": (lambda d: d["state"][0].update(exp_avg=np.full((2, 3), 1e300)), "cannot hold 1e\\+300"),
    "two steps": (lambda d: d["state"][0].update(step=np.ones(2)), "step must be a whole number"),
    "ragged lists": (lambda d: d["state"][0].update(exp_avg=[[1.0, 2.0, 3.0], [4.0]]), "is no array"),
    "text": (lambda d: d["state"][0].update(exp_avg="x"), "must be floating-point"),
    "masked": (lambda d: d["state"][0].update(exp_avg=np.ma.array(np.ones((2, 3)), mask=np.eye(2, 3))), "masked"),
    "objects": (lambda d: d["state"][0].update(exp_avg=np.ones((2, 3), object)), "must be floating-point"),
    "state a list": (lambda d: d.update(state=[]), "a dict 'state' and a list 'param_groups', got list"),
    "groups a dict": (lambda d: d.update(param_groups={}), "a list 'param_groups', got dict and dict"),
    "group a list": (lambda d: d.update(param_groups=[[0, 1, 2]]), "saved group 0 must be a dict with the key"),
    "group without params": (lambda d: d["param_groups"][0].pop("params"), "must be a dict with the key 'params'"),
    "params a number": (lambda d: d["param_groups"][0].update(params=3), "'params' of saved group 0 must be a list"),
    "params twice": (lambda d: d["param_groups"][0].update(params=[0, 0, 1]), "must be different whole numbers"),
    "params text": (lambda d: d["param_groups"][0].update(params=["a", "b", "c"]), "must be different whole numbers"),
    "names too few": (lambda d: d["param_groups"][0].update(param_names=["a"]), "must be a list of 3 names"),
    "names a number": (lambda d: d["param_groups"][0].update(param_names=3), "must be a list of 3 names"),
    "rate NaN": (lambda d: d["param_groups"][0].update(lr=float("nan")), "lr must be a finite number"),
    "typo": (lambda d: d["param_groups"][0].update(weight_decy=0.1), "did you mean 'weight_decay'"),
    "of SGD": (lambda d: d["param_groups"][0].update(momentum=0.9), "has no hyperparameter 'momentum'"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_state_that_is_incomplete_or_unknown_is_named_and_changes_nothing(what):
    change, message = BROKEN[what]
    params = leaves()
    optimizer = run(optim.Adam, params, 2, lr=0.5)
    before, values = everything(optimizer), bits(params)
    with pytest.raises((TypeError, ValueError), match=message):
        optimizer.load_state_dict(changed(change))
    assert everything(optimizer) == before and bits(params) == values


@every_setting
def test_an_entry_that_lacks_a_moment_of_this_setting_is_refused(cls, settings):
    params = leaves()
    optimizer = run(cls, params, 2, **settings)
    for key in optimizer.state_dict()["state"][len(params) - 1].keys() - {"step"}:
        saved = optimizer.state_dict()
        del saved["state"][len(params) - 1][key]
        with pytest.raises(ValueError, match=f"lacks {key}, which a run of 2 steps has"):
            optimizer.load_state_dict(saved)


def test_a_moment_that_a_changed_setting_needs_is_saved():
    params, others = leaves(), leaves()
    optimizer = run(optim.SGD, params, 2)
    optimizer.param_groups[0]["momentum"] = 0.9
    other = optim.SGD(others)
    other.load_state_dict(optimizer.state_dict())
    for p, q in zip(params, others, strict=True):
        q.data = p.data
    step(optimizer, params, 9)
    step(other, others, 9)
    assert bits(params) == bits(others)


def test_what_torch_leaves_out_for_sgd_loads():
    w = tensor([1.0, 2.0], requires_grad=True)
    group = {"lr": 0.1, "momentum": 0.9, "params": [0]}
    optimizer = optim.SGD([w], dialect="torch")
    optimizer.load_state_dict({"state": {0: {"momentum_buffer": np.ones(2, "f4")}}, "param_groups": [group]})
    assert optimizer.state[w]["step"] == 1
    for state in ({0: {"momentum_buffer": None}}, {0: {}}, {}):
        optimizer.load_state_dict({"state": state, "param_groups": [group]})
        assert optimizer.state == {}
    with pytest.raises(ValueError, match="lacks momentum_buffer"):
        optimizer.load_state_dict({"state": {0: {"step": 3}}, "param_groups": [group]})


# Which entry belongs to which parameter.


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)


def marked(params):
    """A state whose moments say at which position each parameter stood."""
    optimizer = optim.SGD(params, momentum=0.9)
    members = optimizer.param_groups[0]["params"]
    for i, param in enumerate(members):
        optimizer.state[param] = {"step": 1, "momentum_buffer": np.full(param.shape, float(i))}
    return optimizer.state_dict()


def found(params, saved):
    optimizer = optim.SGD(params, momentum=0.9)
    optimizer.load_state_dict(saved)
    return [float(optimizer.state[p]["momentum_buffer"].flat[0]) for p in optimizer.param_groups[0]["params"]]


def test_parameters_with_given_names_are_matched_by_name_in_any_order():
    saved = marked(Two().named_parameters())
    reordered = list(Two().named_parameters())[::-1]
    assert found(reordered, saved) == [3.0, 2.0, 1.0, 0.0]
    saved = marked([("x", zeros(2, requires_grad=True)), ("y", zeros(2, requires_grad=True))])
    assert found([("y", zeros(2, requires_grad=True)), ("x", zeros(2, requires_grad=True))], saved) == [1.0, 0.0]


def test_generated_names_are_not_trusted():
    """Two modules have the same names, and `weight#2` depends on the order. Position tells, as in torch."""
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    saved = marked([first.weight, second.weight, first.bias, second.bias])
    assert "param_names" not in saved["param_groups"][0]
    assert found([second.weight, first.weight, second.bias, first.bias], saved) == [0.0, 1.0, 2.0, 3.0]
    saved = marked([zeros(2, requires_grad=True), zeros(2, requires_grad=True)])
    assert found([("y", zeros(2, requires_grad=True)), zeros(2, requires_grad=True)], saved) == [0.0, 1.0]


@pytest.mark.parametrize("names", [["group0.param1", "group0.param0"], ["weight#2", "weight"], ["x", "x"]])
def test_saved_names_that_are_no_help_are_left_aside(names):
    saved = marked([zeros(2, requires_grad=True), zeros(2, requires_grad=True)])
    saved["param_groups"][0]["param_names"] = names
    assert found([zeros(2, requires_grad=True), zeros(2, requires_grad=True)], saved) == [0.0, 1.0]


def test_named_states_and_unnamed_parameters_are_matched_by_position():
    model = Two()
    saved = marked(model.named_parameters())
    unnamed = [tensor(p.data, requires_grad=True) for p in model.parameters()]
    assert found(unnamed, saved) == [0.0, 1.0, 2.0, 3.0]
    unnamed_saved = marked(unnamed)
    assert found(Two().named_parameters(), unnamed_saved) == found(Two().parameters(), unnamed_saved) == [0, 1, 2, 3]
    renamed = marked([(f"net.{name}", p) for name, p in model.named_parameters()])
    assert found(model.parameters(), renamed) == [0.0, 1.0, 2.0, 3.0]


def test_what_does_not_fit_names_a_remedy():
    model = Two()
    saved = marked(model.named_parameters())
    with pytest.raises(ValueError, match=r"missing in it: \['c.weight'\].*to match by position, remove 'param_names'"):
        found([("c.weight", model.a.weight), *list(model.named_parameters())[1:]], saved)
    del saved["param_groups"][0]["param_names"]
    with pytest.raises(ValueError, match="give the parameters in the order in which they were saved"):
        found(list(model.parameters())[::-1], saved)
    with pytest.raises(
        ValueError, match="has 1 parameters, the state_dict 4; build the optimizer with the same groups"
    ):
        found([model.a.weight], saved)
