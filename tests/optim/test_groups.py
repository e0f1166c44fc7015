"""Parameter groups: no way of writing is without effect, and none passes by the checks."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

from tinygrad_lr import Tensor, nn, optim, tensor, zeros
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit

every_optimizer = pytest.mark.parametrize("cls", optim.OPTIMIZERS.values(), ids=optim.OPTIMIZERS)
NAN = float("nan")


def leaf(*values):
    return tensor(list(values) or [1.0], requires_grad=True)


def group_of(cls=optim.SGD, **hyperparameters):
    optimizer = cls([leaf()], **hyperparameters)
    return optimizer.param_groups[0]


# What cannot be changed says what to write.

LIST_CHANGES = {
    "append": lambda given, new: given.append(new),
    "extend": lambda given, new: given.extend([new]),
    "insert": lambda given, new: given.insert(0, new),
    "remove": lambda given, new: given.remove(given[0]),
    "pop": lambda given, new: given.pop(),
    "clear": lambda given, new: given.clear(),
    "reverse": lambda given, new: given.reverse(),
    "sort": lambda given, new: given.sort(),
    "[0] =": lambda given, new: given.__setitem__(0, new),
    "[:] =": lambda given, new: given.__setitem__(slice(None), [new]),
    "del": lambda given, new: given.__delitem__(0),
    "+=": lambda given, new: given.__iadd__([new]),
    "*=": lambda given, new: given.__imul__(2),
}


@pytest.mark.parametrize("how", LIST_CHANGES)
def test_neither_the_groups_nor_their_parameters_can_be_changed_without_effect(how):
    kept, new = leaf(1.0), leaf(2.0)
    optimizer = optim.SGD([kept], lr=1.0)
    for given, each in ((optimizer.param_groups, {"params": [new]}), (optimizer.param_groups[0]["params"], new)):
        with pytest.raises((TypeError, AttributeError), match="add_param_group"):
            LIST_CHANGES[how](given, each)
    with pytest.raises((TypeError, AttributeError), match="add_param_group"):
        optimizer.param_groups = []
    assert len(optimizer.param_groups) == 1 and optimizer.param_groups[0]["params"] == (kept,)
    kept.grad, new.grad = [1.0], [1.0]
    optimizer.step()
    assert (kept.item(), new.item()) == (0.0, 2.0)


def test_parameters_read_like_a_list():
    first, second = leaf(1.0), leaf(2.0)
    optimizer = optim.SGD([{"params": [first]}, {"params": [second]}])
    assert [id(p) for p in sum((g["params"] for g in optimizer.param_groups), [])] == [id(first), id(second)]
    params = optimizer.param_groups[0]["params"]
    assert len(params) == 1 and params[0] is first and isinstance(params + [second], list)
    assert not hasattr(params, "append")
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        params.nonsense  # noqa: B018
    optimizer.param_groups[0].update(optimizer.param_groups[0].copy())
    assert optimizer.param_groups[0]["params"] is params
    for copied in (copy.copy(optimizer.param_groups), pickle.loads(pickle.dumps(optimizer.param_groups))):
        assert type(copied) is list and copied[0]["lr"] == optimizer.param_groups[0]["lr"]


# Every way of writing is checked and takes effect.

WRITING = {
    "[key]": lambda group, **new: [group.__setitem__(key, value) for key, value in new.items()],
    "update": lambda group, **new: group.update(new),
    "update by name": lambda group, **new: group.update(**new),
    "update with pairs": lambda group, **new: group.update(list(new.items())),
    "|=": lambda group, **new: group.__ior__(new),
}


@pytest.mark.parametrize("how", WRITING)
def test_a_written_value_is_checked_and_counts_in_the_next_step(how):
    w = leaf(1.0)
    optimizer = optim.SGD([w], lr=0.5)
    group = optimizer.param_groups[0]
    w.grad = [0.0]
    optimizer.step()
    WRITING[how](group, weight_decay=0.5)
    optimizer.step()
    assert w.item() == 0.75 and optimizer.param_groups[0] is group
    for key, value in (("lr", NAN), ("lr", -1.0), ("weight_decay", NAN), ("momentum", 2.0), ("nesterov", True)):
        with pytest.raises(ValueError, match=key):
            WRITING[how](group, **{key: value})
    with pytest.raises(TypeError, match="did you mean 'weight_decay'"):
        WRITING[how](group, weight_decy=0.1)
    assert (group["lr"], group["weight_decay"], group["momentum"], group["nesterov"]) == (0.5, 0.5, 0.0, False)


@pytest.mark.parametrize("how", ["update", "|="])
def test_several_values_are_checked_together_and_written_all_or_none(how):
    group = group_of(momentum=0.0)
    WRITING[how](group, nesterov=True, momentum=0.9)
    assert group["nesterov"] and group["momentum"] == 0.9
    with pytest.raises(ValueError, match="weight_decay"):
        WRITING[how](group, momentum=0.5, weight_decay=-1)
    assert group["momentum"] == 0.9


@pytest.mark.parametrize("how", ["update", "|=", "[key]"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_written_value_counts_in_the_next_fit(how, compiled):
    def weights(write):
        model = nn.Linear(2, 1)
        model.load_state_dict({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)})
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        x = np.ones((4, 2), np.float32)
        loader = DataLoader(TensorDataset(x, x[:, :1]), 2, shuffle=False)
        for epochs in (1, 1):
            fit(model, nn.MSELoss(), optimizer, loader, epochs=epochs, progress=False, compiled=compiled)
            write(optimizer.param_groups[0])
        return model.weight.data.tolist()

    changed = weights(lambda group: WRITING[how](group, weight_decay=0.5, maximize=True))
    assert changed == weights(lambda group: dict.update(group, weight_decay=0.5, maximize=True) or group.put({}))
    assert changed != weights(lambda group: None)


def test_removing_is_refused_for_what_a_step_needs():
    group = group_of()
    for remove in (group.pop, group.__delitem__, lambda key: group.pop(key, None)):
        for key in ("lr", "momentum", "params"):
            with pytest.raises(KeyError, match="cannot be removed"):
                remove(key)
    with pytest.raises(KeyError, match="cannot be emptied"):
        group.clear()
    with pytest.raises(KeyError, match="cannot be removed"):
        group.popitem()
    group["layer"] = 3
    assert group.popitem() == ("layer", 3) and group.pop("layer", "none") == "none"
    with pytest.raises(KeyError):
        group.pop("layer")
    assert group.setdefault("lr", NAN) == 1e-3
    with pytest.raises(ValueError, match="initial_lr"):
        group.setdefault("initial_lr", NAN)


def test_copies_and_unions_are_plain_dicts():
    group = group_of(lr=0.1)
    for other in (group.copy(), copy.copy(group), group | {"lr": 0.5}, {"lr": 0.5} | group, dict(group)):
        assert type(other) is dict
        other["lr"] = NAN
    assert group["lr"] == 0.1


def test_a_group_checks_what_is_written_when_its_optimizer_is_gone():
    group = group_of(lr=0.1)
    gc.collect()
    with pytest.raises(ValueError, match="lr must be a finite number"):
        group["lr"] = NAN


# Rates.

RATES = {
    "NumPy's scalar": lambda: np.float64(0.25),
    "0-d array": lambda: np.array(0.25),
    "one-element array": lambda: np.array([0.25]),
    "Tensor": lambda: tensor(0.25),
    "one-element Tensor": lambda: tensor([[0.25]]),
    "parameter": lambda: tensor(0.25, requires_grad=True),
}


@pytest.mark.parametrize("kind", RATES)
def test_a_rate_of_one_element_is_a_number_and_never_aliased(kind):
    rate = RATES[kind]()
    optimizer = optim.SGD([leaf()], lr=rate)
    optimizer.add_param_group({"params": leaf(), "lr": rate})
    for group in optimizer.param_groups:
        group["lr"] = rate
        assert type(group["lr"]) is float and group["lr"] == 0.25
    if isinstance(rate, (Tensor, np.ndarray)):
        (rate.data if isinstance(rate, Tensor) else rate)[...] = 7.0
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25] and optimizer.defaults["lr"] == 0.25


def test_a_rate_that_is_torchs_tensor():
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    for rate in (torch.tensor(0.25), torch.tensor([0.25]), torch.tensor(0.25, requires_grad=True)):
        assert optim.SGD([leaf()], lr=rate).param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(
    "rate",
    [np.ones(2), tensor([0.1, 0.1]), np.array([]), np.array(True), np.array("0.1"), "0.1", [0.1], True, 1j, None]
    + [np.ma.masked, np.ma.array([0.1], mask=[True]), np.array([1j])],
    ids=repr,
)
def test_what_is_no_single_real_number_is_no_rate(rate):
    group = group_of()
    with pytest.raises(TypeError, match="lr must be a real number"):
        group["lr"] = rate


# Keys of the user's own, and options of torch.


@every_optimizer
def test_own_keys_are_kept_saved_and_loaded(cls):
    own = {"layer": 3, "lr_scale": 0.5, "is_bias": [True], "frozen": None, "tag": np.arange(2)}
    w = leaf()
    optimizer = cls([{"params": [w], **own}])
    w.grad = [1.0]
    optimizer.step()
    optimizer.param_groups[0]["late"] = "x"
    saved = optimizer.state_dict()
    saved["param_groups"][0]["is_bias"].append(False)
    assert optimizer.param_groups[0]["is_bias"] == [True]
    other = cls([leaf()])
    other.load_state_dict(saved)
    group = other.param_groups[0]
    assert group["layer"] == 3 and group["late"] == "x" and group["is_bias"] == [True, False]
    assert group["tag"].tolist() == [0, 1] and group["frozen"] is None


@pytest.mark.parametrize(
    ("cls", "key", "meant"),
    [
        (optim.SGD, "weight_decy", "weight_decay"),
        (optim.SGD, "weightdecay", "weight_decay"),
        (optim.SGD, "Weight-Decay", "weight_decay"),
        (optim.SGD, "LR", "lr"),
        (optim.SGD, "learning_rate", "lr"),
        (optim.SGD, "momentun", "momentum"),
        (optim.Adam, "beta1", "betas"),
        (optim.Adam, "beta_2", "betas"),
        (optim.Adam, "epsilon", "eps"),
        (optim.Adam, "ams_grad", "amsgrad"),
        (optim.SGD, "inital_lr", "initial_lr"),
    ],
)
def test_what_looks_like_a_hyperparameter_is_a_typo(cls, key, meant):
    optimizer = cls([leaf()])
    for attempt in (
        lambda: cls([{"params": [leaf()], key: 0.1}]),
        lambda: optimizer.add_param_group({"params": leaf(), key: 0.1}),
        lambda: optimizer.param_groups[0].__setitem__(key, 0.1),
        lambda: cls([leaf()], **{key: 0.1}),
    ):
        with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
            attempt()


def test_a_hyperparameter_of_another_optimizer_is_no_key_of_ones_own():
    with pytest.raises(TypeError, match="Adam has no hyperparameter 'momentum'; it has "):
        group_of(optim.Adam)["momentum"] = 0.9
    with pytest.raises(TypeError, match="keys of a parameter group are strings"):
        group_of()[3] = 1


@every_optimizer
def test_options_of_torch_are_accepted_where_they_choose_nothing(cls):
    w = leaf()
    for key in ("foreach", "fused", "capturable", "differentiable"):
        for value in (None, False):
            optimizer = cls([{"params": [leaf()], key: value}], **{key: value})
            optimizer.param_groups[0][key] = value
            saved = optimizer.state_dict()
            saved["param_groups"][0][key] = True  # as torch may have saved it: it changes no number
            optimizer.load_state_dict(saved)
        for attempt in (
            lambda: cls([w], **{key: True}),  # noqa: B023
            lambda: cls([{"params": [w], key: True}]),  # noqa: B023
            lambda: optimizer.param_groups[0].__setitem__(key, True),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=f"{key}=True .* there is one here"):
                attempt()
        with pytest.raises(TypeError, match=f"{key} must be True or False"):
            cls([w], **{key: "yes"})
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        cls([w], nothing=1)
    if "maximize" in cls.hyperparameters:
        assert cls([w], maximize=None).defaults["maximize"] is False


# Arguments.


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (lambda: {leaf(), leaf()}, "need an order, which a set does not have"),
        (lambda: frozenset({leaf()}), "need an order"),
        (lambda: [{"params": {leaf(), leaf()}}], "need an order"),
        (lambda: [{"params": frozenset({leaf()})}], "need an order"),
        (lambda: [{"params": None}], "must be a Tensor or an iterable of Tensors, got NoneType"),
        (lambda: [{"params": 3}], "got int"),
        (lambda: [{"params": "abc"}], "got str"),
        (lambda: [{"params": {"w": leaf()}}], r"got a dict; pass its \.items\(\)"),
        (lambda: [(3, leaf())], "a parameter's name is a string"),
    ],
)
def test_parameters_that_are_refused(params, message):
    with pytest.raises(TypeError, match=message):
        optim.SGD(params())


def test_any_ordered_iterable_of_parameters_will_do():
    named = {"a": leaf(1.0), "b": leaf(2.0)}
    for params in (
        named.values(),
        named.items(),
        iter(named.values()),
        (p for p in named.values()),
        tuple(named.items()),
    ):
        assert len(optim.SGD(params).param_groups[0]["params"]) == 2
    groups = optim.SGD([{"params": named.items()}, {"params": zeros(2, requires_grad=True)}]).param_groups
    assert [len(group["params"]) for group in groups] == [2, 1]


@pytest.mark.parametrize("closure", [3, "loss", 0.5, tensor(1.0)], ids=str)
def test_a_closure_that_cannot_be_called(closure):
    with pytest.raises(TypeError, match="a function that computes the loss"):
        optim.SGD([leaf()]).step(closure)


@pytest.mark.parametrize("given", ["no", 1, None])
def test_set_to_none_is_true_or_false(given):
    with pytest.raises(TypeError, match="set_to_none must be True or False"):
        optim.SGD([leaf()]).zero_grad(set_to_none=given)


# Memory.


def views_of(p):
    """Two Tensors over the memory of p, or p and one."""
    return {
        "detached": (p, p.detach()),
        "slices": (p.detach()[:3], p.detach()[2:]),
        "transposed": (p.detach().reshape(2, 2), p.detach().reshape(2, 2).T),
        "inside": (p, p.detach()[1:2]),
    }


@pytest.mark.parametrize("what", views_of(leaf(1.0, 2.0, 3.0, 4.0)))
def test_parameters_that_share_memory_are_refused(what):
    one, other = views_of(leaf(1.0, 2.0, 3.0, 4.0))[what]
    for each in (one, other):
        each.requires_grad = True
    with pytest.raises(ValueError, match=r"share memory.*\.detach\(\)\.clone\(\)"):
        optim.SGD([one, leaf(), other])
    optimizer = optim.SGD([one])
    again = one.detach().requires_grad_()
    with pytest.raises(ValueError, match="share memory"):
        optimizer.add_param_group({"params": [leaf(), again]})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": one.detach().clone().requires_grad_()})


def test_parameters_beside_each_other_in_one_array_are_taken():
    p = leaf(1.0, 2.0, 3.0, 4.0).detach().reshape(2, 2)
    columns = [p[:, 0].requires_grad_(), p[:, 1].requires_grad_()]
    optimizer = optim.SGD(columns, lr=1.0)
    columns[0].grad = [1.0, 1.0]
    optimizer.step()
    assert columns[0].tolist() == [0.0, 2.0] and columns[1].tolist() == [2.0, 4.0]


@pytest.fixture
def without_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def used(cls, compiled):
    """An optimizer, after a training if `compiled` says how."""
    model = nn.Linear(2, 1)
    optimizer = cls(model.parameters())
    x = np.ones((4, 2), np.float32)
    loader = DataLoader(TensorDataset(x, x[:, :1]), 2)
    if compiled is not None:
        fit(model, nn.MSELoss(), optimizer, loader, epochs=2, progress=False, compiled=compiled)
    return optimizer


@pytest.mark.sampled(one_in=20, each=("compiled",))
@every_optimizer
@pytest.mark.parametrize("compiled", [None, False, True])
def test_del_frees_an_optimizer_and_its_state_at_once(cls, compiled, without_gc):
    used(cls, compiled)  # where Numba compiles a loop, its own circles hold the frames that called it
    gc.collect()
    optimizer = used(cls, compiled)
    group = optimizer.param_groups[0]
    group["lr"] = np.float64(0.1)
    seen = [weakref.ref(optimizer), *(weakref.ref(segment) for segment in optimizer._segments[0])]
    del optimizer
    assert [each() for each in seen] == [None, None], "something keeps it in a circle"
    assert group["lr"] == 0.1
