"""Optimizer machinery: groups, names, arenas, state_dict, and every kind of bad input with its message."""

import numpy as np
import pytest

import tinygrad_lr
from tinygrad_lr import backend, nn, optim, tensor, zeros

every_optimizer = pytest.mark.parametrize("cls", optim.OPTIMIZERS.values(), ids=optim.OPTIMIZERS)


def leaf(*values, dtype=None):
    return tensor(list(values) or 1.0, requires_grad=True, dtype=dtype)


class TwoTowers(nn.Module):
    """The article's example of a vision and a text model with learning rates of their own."""

    def __init__(self):
        super().__init__()
        self.vision = nn.Linear(3, 2)
        self.text = nn.Linear(4, 2)


def give_gradients(params, seed):
    rng = np.random.default_rng(seed)
    for param in params:
        param.grad = rng.standard_normal(param.shape)


# Groups and names.


def test_the_articles_groups_have_their_own_rates():
    model = TwoTowers()
    optimizer = optim.SGD(
        [{"params": model.vision.parameters(), "lr": 1e-2}, {"params": model.text.parameters()}], lr=1e-3, momentum=0.9
    )
    assert [group["lr"] for group in optimizer.param_groups] == [1e-2, 1e-3]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
    names = [group["param_names"] for group in optimizer.state_dict()["param_groups"]]
    assert names == [["vision.weight", "vision.bias"], ["text.weight", "text.bias"]]
    before = [param.data.copy() for param in model.parameters()]
    for param in model.parameters():
        param.grad = np.ones(param.shape)
    optimizer.step()
    moved = [b - param.data for b, param in zip(before, model.parameters(), strict=True)]
    for array, rate in zip(moved, [1e-2, 1e-2, 1e-3, 1e-3], strict=True):
        np.testing.assert_allclose(array, rate, rtol=1e-4)


def test_names_are_unique_where_modules_share_them():
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = optim.SGD([*first.parameters(), *second.parameters(), leaf(1.0)])
    assert list(optimizer._names.values()) == ["weight", "bias", "weight#2", "bias#2", "group0.param4"]
    assert "param_names" not in optimizer.state_dict()["param_groups"][0], "no name there tells a parameter for sure"


def test_a_wrong_value_leaves_the_group_as_it_was():
    group = optim.SGD([leaf(1.0)], lr=0.1, momentum=0.5).param_groups[0]
    for key, value in [("lr", float("nan")), ("lr", -1.0), ("momentum", 2.0), ("lr_placement", "between")]:
        with pytest.raises(ValueError, match=key):
            group[key] = value
        with pytest.raises(ValueError, match=key):
            group.update({key: value})
    assert (group["lr"], group["momentum"], group["lr_placement"]) == (0.1, 0.5, "inside")
    assert group.setdefault("lr", 5.0) == 0.1
    assert group.setdefault("initial_lr", 5.0) == 5.0
    del group["initial_lr"]
    assert "initial_lr" not in group


BAD = {
    "no parameters": (lambda cls: cls([]), ValueError, "empty list of parameters"),
    "consumed generator": (lambda cls: cls(x for x in ()), ValueError, "already consumed"),
    "one Tensor": (lambda cls: cls(leaf(1.0)), TypeError, "wrap a single Tensor in a list"),
    "an array": (lambda cls: cls([np.ones(3)]), TypeError, r"tinygrad_lr.tensor\(array, requires_grad=True\)"),
    "a module": (lambda cls: cls(nn.Linear(2, 1)), TypeError, r"got the module Linear; pass module.parameters\(\)"),
    "a list of modules": (lambda cls: cls([nn.ReLU()]), TypeError, r"the module ReLU; pass module.parameters\(\)"),
    "a group's module": (lambda cls: cls([{"params": nn.Linear(2, 1)}]), TypeError, r"pass module.parameters\(\)"),
    "a number": (lambda cls: cls(3), TypeError, "must be an iterable of Tensors"),
    "a string": (lambda cls: cls("weights"), TypeError, "must be an iterable of Tensors"),
    "integer tensor": (lambda cls: cls([tensor([1, 2])]), TypeError, "only float32 and float64"),
    "a result": (lambda cls: cls([leaf(1.0) * 2]), ValueError, "only leaves can be optimized"),
    "one twice": (lambda cls: cls([shared := leaf(1.0), shared]), ValueError, "appears more than once"),
    "in two groups": (
        lambda cls: cls([{"params": [shared := leaf(1.0)]}, {"params": [shared]}]),
        ValueError,
        "appears more than once",
    ),
    "group without params": (lambda cls: cls([{"lr": 0.1}]), ValueError, "needs the key 'params'"),
    "dicts and tensors": (lambda cls: cls([{"params": [leaf(1.0)]}, leaf(2.0)]), TypeError, "either every entry"),
    "empty group": (lambda cls: cls([{"params": []}]), ValueError, "a parameter group is empty"),
    "misspelt key": (lambda cls: cls([{"params": [leaf(1.0)], "lrr": 0.1}]), TypeError, "did you mean 'lr'"),
    "NaN rate": (lambda cls: cls([leaf(1.0)], lr=float("nan")), ValueError, "lr must be a finite number, got nan"),
    "infinite rate": (lambda cls: cls([leaf(1.0)], lr=float("inf")), ValueError, "lr must be a finite number, got inf"),
    "negative rate": (lambda cls: cls([leaf(1.0)], lr=-0.1), ValueError, "lr must be at least 0, got -0.1"),
    "rate as text": (lambda cls: cls([leaf(1.0)], lr="0.1"), TypeError, "lr must be a real number, got '0.1'"),
    "rate as list": (lambda cls: cls([leaf(1.0)], lr=[0.1]), TypeError, "lr must be a real number"),
    "rate as bool": (lambda cls: cls([leaf(1.0)], lr=True), TypeError, "lr must be a real number"),
    "rate beyond float32": (lambda cls: cls([leaf(1.0)], lr=1e39), ValueError, r"becomes inf .* dtype float32"),
    "unknown dialect": (lambda cls: cls([leaf(1.0)], dialect="jax"), ValueError, "knows the dialects '"),
}


@every_optimizer
@pytest.mark.parametrize(
    ("key", "value", "error", "message"),
    [
        ("weight_decay", -1, ValueError, "weight_decay must be at least 0"),
        ("maximize", 1, TypeError, "maximize must be True or False"),
    ],
)
def test_a_wrong_decay_or_direction_is_refused(cls, key, value, error, message):
    absent = (TypeError, f"unexpected keyword argument '{key}'")
    error, message = (error, message) if key in cls.hyperparameters else absent
    with pytest.raises(error, match=message):
        cls([leaf(1.0)], **{key: value})


@every_optimizer
@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_a_named_error(cls, what):
    make, error, message = BAD[what]
    needed = {"negative decay": "weight_decay", "maximize as int": "maximize"}.get(what, "lr")
    if needed not in cls.hyperparameters:
        error, message = TypeError, "unexpected keyword argument"
    with pytest.raises(error, match=message):
        make(cls)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD(p, momentum=1.5), r"momentum must lie in \[0, 1\], got 1.5"),
        (lambda p: optim.SGD(p, nesterov=True), "nesterov needs momentum above 0 and dampening 0"),
        (lambda p: optim.SGD(p, nesterov=True, momentum=0.9, dampening=0.1), "nesterov needs momentum"),
        (lambda p: optim.SGD(p, lr_placement="both"), "lr_placement must be one of 'inside', 'outside'; got 'both'"),
        (lambda p: optim.Adagrad(p, initial_accumulator_value=-1), "initial_accumulator_value must be at least 0"),
        (lambda p: optim.RMSprop(p, alpha=1.0), r"alpha must lie in \[0, 1\), got 1.0"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), r"betas\[1\] must lie in \[0, 1\), got 1.0"),
        (lambda p: optim.Adam(p, betas=(-0.1, 0.9)), r"betas\[0\] must be at least 0"),
        (lambda p: optim.Adam(p, eps=-1e-8), "eps must be at least 0"),
        (lambda p: optim.Adam(p, weight_decay=-1), "weight_decay must be at least 0"),
        (lambda p: optim.Adam(p, eps=1e-50), r"eps=1e-50 becomes 0.0 in the parameters' dtype float32"),
        (lambda p: optim.Adam(p, amsgrad_form="keras"), "amsgrad_form must be one of 'paper', 'torch', 'optax'"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make([leaf(1.0)])


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.99, 0.999), "ab"])
def test_betas_must_be_two_numbers(betas):
    with pytest.raises(TypeError, match=r"betas(\[0\])? must be"):
        optim.Adam([leaf(1.0)], betas=betas)


def test_groups_can_be_added_and_a_bad_one_changes_nothing():
    first = leaf(1.0)
    optimizer = optim.Adam([first])
    with pytest.raises(ValueError, match="more than once"):
        optimizer.add_param_group({"params": first})
    with pytest.raises(ValueError, match="lr must be at least 0"):
        optimizer.add_param_group({"params": leaf(2.0), "lr": -1})
    with pytest.raises(TypeError, match="must be a dict"):
        optimizer.add_param_group([leaf(2.0)])
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [("late", leaf(2.0))], "lr": 0.5, "name": "head"})
    assert optimizer.param_groups[1]["lr"] == 0.5 and optimizer.param_groups[1]["name"] == "head"
    assert optimizer.state_dict()["param_groups"][1]["param_names"] == ["late"]


@pytest.mark.parametrize("key", ["params", "betas2"])
def test_a_group_refuses_keys_that_mean_nothing(key):
    group = optim.Adam([leaf(1.0)]).param_groups[0]
    with pytest.raises((TypeError, ValueError), match="add_param_group|did you mean 'betas'"):
        group[key] = 1
    with pytest.raises(KeyError, match="cannot be removed"):
        del group["lr"]


# Arenas.


@every_optimizer
def test_parameters_become_views_of_one_buffer_and_keep_their_values(cls):
    params = [leaf(1.0, 2.0), leaf(), zeros(2, 3, requires_grad=True), zeros(0, requires_grad=True)]
    values = [param.data.copy() for param in params]
    params[0].grad = [5.0, 6.0]
    for group in cls(params).param_groups:  # Muon makes two of one
        assert len({id(param.data.base) for param in group["params"] if param.data.size}) == 1
    for param, value in zip(params, values, strict=True):
        assert param.data.tobytes() == value.tobytes() and param.shape == value.shape
    assert params[0].grad.tolist() == [5.0, 6.0]


def test_assigning_data_writes_into_the_buffer():
    param, other = leaf(1.0, 2.0), leaf(3.0)
    optimizer = optim.SGD([param, other], lr=1.0)
    param.data = np.array([10.0, 20.0])
    give_gradients([param, other], 0)
    grads = param.grad.copy()
    optimizer.step()
    assert param.data.tolist() == (np.array([10, 20], np.float32) - grads).tolist()


@every_optimizer
@pytest.mark.parametrize("split", [False, True])
def test_two_optimizers_over_the_same_parameters_see_each_others_steps(cls, split):
    def run(separate):
        params = [tensor(np.arange(3.0) + i, requires_grad=True) for i in range(4)]
        first = cls(params, lr=0.1)
        second = optim.SGD(params[1:3][::-1] if split else params, lr=0.1, momentum=0.5)
        for seed in range(6):
            if separate:  # the arrays live apart: every step has to bring them together anew
                for param in params:
                    param._data, param._slot = param._data.copy(), None
            give_gradients(params, seed)
            (first if seed % 2 else second).step()
        return [param.data.tobytes() for param in params]

    assert run(separate=False) == run(separate=True)


def test_an_optimizer_over_the_same_parameters_shares_the_buffer():
    params = [leaf(1.0, 2.0), leaf(3.0)]
    optim.SGD(params)
    buffer = params[0].data.base
    optim.Adam(params)
    assert params[0].data.base is buffer


def test_a_model_that_moves_after_its_optimizer_was_built_is_an_error():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters())
    model.to("float64")
    give_gradients(model.parameters(), 0)
    with pytest.raises(RuntimeError, match="move the model first, then build its optimizer"):
        optimizer.step()


def test_zero_grad_to_none_and_to_zeros():
    params = [leaf(1.0, 2.0), leaf(3.0), leaf(4.0)]
    optimizer = optim.SGD(params, lr=0.1, weight_decay=0.5)
    give_gradients(params[:2], 0)
    optimizer.zero_grad(set_to_none=False)
    assert [None if param.grad is None else param.grad.tolist() for param in params] == [[0.0, 0.0], [0.0], None]
    optimizer.step()
    assert params[1].data.tolist() == [np.float32(3.0) - np.float32(0.1) * np.float32(1.5)]
    optimizer.zero_grad()
    before = params[1].data.copy()
    optimizer.step()
    assert all(param.grad is None for param in params) and params[1].data == before


def test_a_gradient_computed_before_the_optimizer_existed_counts():
    param = leaf(1.0)
    (param * 3.0).backward()
    optim.SGD([param], lr=1.0).step()
    assert param.data.item() == -2.0


def test_step_calls_a_closure_and_returns_its_loss():
    param = leaf(1.0)
    optimizer = optim.SGD([param], lr=1.0)

    def closure():
        loss = param * 2.0
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 2.0
    assert param.data.item() == -1.0


# state_dict.


def trained(cls, steps=3, **hyperparameters):
    model = TwoTowers()
    optimizer = cls(model.parameters(), **hyperparameters)
    for seed in range(steps):
        give_gradients(model.parameters(), seed)
        optimizer.step()
    return model, optimizer


@every_optimizer
def test_state_dict_is_matched_by_name_in_any_order(cls):
    tinygrad_lr.manual_seed(0)
    model, optimizer = trained(cls)
    saved = optimizer.state_dict()
    other = TwoTowers()
    other.load_state_dict(model.state_dict())
    reordered = cls(list(other.named_parameters())[::-1])
    reordered.load_state_dict(saved)
    give_gradients(model.parameters(), 9)
    give_gradients(other.parameters(), 9)
    optimizer.step()
    reordered.step()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert one.data.tobytes() == two.data.tobytes()


BROKEN_STATES = {
    "no dict": (lambda d: [1], "expected a state_dict with the keys"),
    "no groups": (lambda d: {"state": d["state"]}, "expected a state_dict with the keys"),
    "a group more": (lambda d: {**d, "param_groups": d["param_groups"] * 2}, "2 parameter groups, this optimizer 1"),
    "another order": (
        lambda d: d["param_groups"][0].update(param_names=["x", "text.weight", "text.bias", "vision.bias"]),
        "has 'vision.bias' at another position, and other names .* remove 'param_names'",
    ),
    "a parameter less": (
        lambda d: [d["param_groups"][0].pop("param_names"), d["param_groups"][0]["params"].pop()],
        "group 0 has 4 parameters, the state_dict 3",
    ),
    "another shape": (lambda d: d["state"][1].__setitem__("exp_avg", np.ones((7, 7))), r"of shape \(2,\), got"),
    "integers": (lambda d: d["state"][1].__setitem__("exp_avg", np.ones(2, int)), "must be floating-point"),
    "unknown state": (lambda d: d["state"][1].__setitem__("momentum", np.ones(2)), "unknown state 'momentum'"),
    "half a step": (lambda d: d["state"][1].__setitem__("step", 1.5), "step must be a whole number"),
    "NaN rate": (lambda d: d["param_groups"][0].__setitem__("lr", float("nan")), "lr must be a finite number"),
    "unknown hyperparameter": (lambda d: d["param_groups"][0].__setitem__("beta", 1), "did you mean 'betas'"),
}


@pytest.mark.parametrize("what", BROKEN_STATES)
def test_a_state_dict_that_does_not_fit_changes_nothing(what):
    breaking, message = BROKEN_STATES[what]
    model, optimizer = trained(optim.Adam)
    saved = trained(optim.Adam, steps=5, lr=0.5)[1].state_dict()
    broken = breaking(saved)
    before = optimizer.state_dict()
    with pytest.raises((TypeError, ValueError), match=message):
        optimizer.load_state_dict(broken if isinstance(broken, dict) or what == "no dict" else saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for index, state in before["state"].items():
        assert {k: np.asarray(v).tobytes() for k, v in state.items()} == {
            k: np.asarray(v).tobytes() for k, v in after["state"][index].items()
        }


def test_loading_forgets_what_the_saved_run_had_not_yet():
    model, optimizer = trained(optim.Adam)
    fresh = optim.Adam(TwoTowers().parameters()).state_dict()
    optimizer.load_state_dict(fresh)
    assert optimizer.state == {}


def test_the_state_and_its_arrays_are_live():
    model, optimizer = trained(optim.Adam)
    weight = model.vision.weight
    state = optimizer.state[weight]
    assert state["step"] == 3 and state["exp_avg"].shape == weight.shape
    state["step"] = 7
    assert optimizer.state_dict()["state"][0]["step"] == state["step"] == 7
    state["exp_avg"][...] = 0
    assert not optimizer.state_dict()["state"][0]["exp_avg"].any()


def test_repr_names_dialect_and_groups():
    _, optimizer = trained(optim.Adam, dialect="torch")
    assert "Adam(dialect='torch'" in repr(optimizer) and "group 0: 4 parameters, " in repr(optimizer)


# Backends.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_and_numba_give_the_same_bits(dtype, searches):
    """One test of all, so that every optimizer's machine code is made and run in every run of the suite."""
    classes = list(optim.OPTIMIZERS.values())
    if dtype == "float64":
        classes = searches.sample("optimizers in float64", classes, 8, key=lambda cls: cls.__name__)
    for cls in classes:
        results = []
        for name in ("numpy", "numba"):
            with backend.using(name):
                tinygrad_lr.manual_seed(0)
                model = TwoTowers().to(dtype)
                optimizer = cls(model.parameters(), **cls.examined[-1])
                for seed in range(4):
                    give_gradients(model.parameters(), seed)
                    optimizer.step()
                results.append([param.data.tobytes() for param in model.parameters()])
        assert results[0] == results[1], cls.__name__


def test_an_unknown_backend_is_an_error():
    with pytest.raises(ValueError, match="a backend is 'numba' or 'numpy', got 'cuda'"), backend.using("cuda"):
        pass


def test_cuda_without_a_gpu_says_what_to_do():
    if tinygrad_lr.cuda.is_available():
        pytest.skip(f"CUDA is here: {tinygrad_lr.cuda.state()}")
    with pytest.raises(RuntimeError, match="install an NVIDIA driver"):
        nn.Linear(2, 1).to("cuda")
