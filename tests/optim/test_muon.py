"""Muon beside torch's, and the AdamW that takes what is no matrix: groups, states, schedules, compiled training."""

import copy
import json

import numpy as np
import pytest

from tinygrad_lr import manual_seed, nn, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim import lr_scheduler
from tinygrad_lr.training import fit

SHAPES = [(3, 4), (4,), (5, 2), (), (2, 2, 2)]
MATRICES, OTHERS = [0, 2], [1, 3, 4]
ADAMW = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}


def leaves(seed=0):
    rng = np.random.default_rng(seed)
    return [tensor(rng.normal(size=shape), requires_grad=True, dtype="float64") for shape in SHAPES]


def step(params, optimizer, seed, **more):
    rng = np.random.default_rng(100 + seed)
    for param in params:
        param.grad = np.asarray(rng.normal(size=param.shape))
    return optimizer.step(**more)


def values(params):
    return [param.data.copy() for param in params]


# Which of the two updates a parameter.


def test_matrices_and_all_else_make_two_groups():
    params = leaves()
    optimizer = optim.Muon(params, lr=0.5, weight_decay=0.25)
    matrices, others = optimizer.param_groups
    assert [id(p) for p in matrices["params"]] == [id(params[i]) for i in MATRICES]
    assert [id(p) for p in others["params"]] == [id(params[i]) for i in OTHERS]
    assert (matrices["update"], others["update"]) == ("muon", "adamw") and "betas" not in matrices
    assert (others["lr"], others["weight_decay"], others["betas"], others["eps"]) == (0.5, 0.25, (0.9, 0.999), 1e-8)
    assert "update='muon'" in repr(optimizer) and "update='adamw'" in repr(optimizer)
    assert [group["update"] for group in optim.Muon(leaves()[:1]).param_groups] == ["muon"]
    assert [group["update"] for group in optim.Muon(leaves()[1:2]).param_groups] == ["adamw"]


def test_the_hyperparameters_of_adamw_are_those_that_are_given_for_it():
    params = leaves()
    own = {"params": params[2:4], "lr": 0.3, "adamw": {"eps": 1e-3}}
    asked = {"params": params[4:], "betas": (0.5, 0.6)}
    optimizer = optim.Muon([{"params": params[:2]}, own, asked], lr=0.2, adamw=ADAMW)
    groups = [{key: group[key] for key in ADAMW} for group in optimizer.param_groups if group["update"] == "adamw"]
    assert groups == [ADAMW, {**ADAMW, "eps": 1e-3}, {**ADAMW, "betas": (0.5, 0.6)}]
    assert [group["lr"] for group in optimizer.param_groups if group["update"] == "muon"] == [0.2, 0.3]


def test_what_is_no_matrix_steps_as_adamw_does_and_matrices_as_alone():
    params, alone, matrices = leaves(), leaves(), leaves()
    optimizer = optim.Muon(params, lr=0.05, weight_decay=0.2, adamw=ADAMW)
    adamw = optim.AdamW([alone[i] for i in OTHERS], dialect="torch", **ADAMW)
    muon = optim.Muon([matrices[i] for i in MATRICES], lr=0.05, weight_decay=0.2)
    for seed in range(5):
        step(params, optimizer, seed, max_norm=0.5)
        for each in (alone, matrices):
            for param, other in zip(each, params, strict=True):
                param.grad = other.grad
        clip = [group["params"] for group in optimizer.param_groups]
        optim.clip_grad_norm_([*clip[0], *clip[1]], 0.5)
        for each in (alone, matrices):
            for param, other in zip(each, params, strict=True):
                param.grad = other.grad
        adamw.step()
        muon.step()
    for i in OTHERS:
        np.testing.assert_allclose(params[i].data, alone[i].data, rtol=1e-12)
    for i in MATRICES:
        np.testing.assert_allclose(params[i].data, matrices[i].data, rtol=1e-9, atol=1e-12)


def test_matrices_that_are_given_to_adamw_follow_it():
    params, alone = leaves(), leaves()
    optimizer = optim.Muon([{"params": params[:1], "update": "adamw"}, {"params": params[1:]}], adamw=ADAMW)
    adamw = optim.AdamW(alone[:1], dialect="torch", **ADAMW)
    assert [group["update"] for group in optimizer.param_groups] == ["adamw", "muon", "adamw"]
    for seed in range(3):
        step(params, optimizer, seed)
        alone[0].grad = params[0].grad
        adamw.step()
    assert np.array_equal(params[0].data, alone[0].data)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"adamw": 3}, TypeError, "adamw must be a dict of AdamW's lr, betas, eps, weight_decay, got 3"),
        ({"adamw": {"momentum": 0.9}}, TypeError, "adamw takes lr, betas, eps, weight_decay, got 'momentum'"),
        ({"adamw": {"eps": -1.0}}, ValueError, "eps must be at least 0"),
        ({"ns_steps": 100}, ValueError, "ns_steps must be"),
        ({"ns_steps": 2.0}, TypeError, "ns_steps must be"),
        ({"ns_coefficients": (1.0, 2.0)}, TypeError, "ns_coefficients must be three numbers"),
        ({"adjust_lr_fn": "rows"}, ValueError, "adjust_lr_fn must be one of 'original', 'columns', 'match_rms_adamw'"),
    ],
)
def test_wrong_arguments_are_said(given, error, message):
    with pytest.raises(error, match=message):
        optim.Muon(leaves(), **given)


def test_wrong_groups_are_said():
    params = leaves()
    with pytest.raises(ValueError, match=r"Muon updates matrices, not a parameter of shape \(4,\)"):
        optim.Muon([{"params": params[:2], "update": "muon"}])
    with pytest.raises(ValueError, match="update must be one of 'muon', 'adamw'; got 'sgd'"):
        optim.Muon([{"params": params, "update": "sgd"}])
    with pytest.raises(ValueError, match="eps=1e-300 becomes 0.0 in the parameters' dtype float32"):
        optim.Muon([tensor([1.0], requires_grad=True)], adamw={"eps": 1e-300})
    matrices, others = optim.Muon(params).param_groups
    with pytest.raises(ValueError, match="'update': 'muon' keeps it, got 'adamw'"):
        matrices["update"] = "adamw"
    with pytest.raises(ValueError, match="betas are AdamW's, and this group has 'update': 'muon'"):
        matrices["betas"] = (0.5, 0.5)
    with pytest.raises(ValueError, match=r"betas\[0\] must lie in \[0, 1\)"):
        others["betas"] = (1.5, 0.5)
    others["betas"], others["update"] = (0.5, 0.6), "adamw"
    assert others["betas"] == (0.5, 0.6)


# All that a group can do.


def test_a_new_group_is_parted_too():
    params = leaves()
    optimizer = optim.Muon(params[:1])
    optimizer.add_param_group({"params": params[1:], "lr": 0.125, "adamw": {"lr": 0.5}})
    assert [(group["update"], group["lr"]) for group in optimizer.param_groups] == [
        ("muon", 0.02),
        ("muon", 0.125),
        ("adamw", 0.5),
    ]
    before = values(params)
    step(params, optimizer, 0)
    assert all((one != other).all() for one, other in zip(before, values(params), strict=True))


def test_schedules_move_both_rates():
    optimizer = optim.Muon(leaves(), lr=0.5, adamw={"lr": 0.25})
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    step(leaves(), optimizer, 0)
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.125] == scheduler.get_last_lr()


def test_a_report_has_both_rates_and_one_norm():
    params = leaves()
    optimizer = optim.Muon(params, lr=0.5, adamw={"lr": 0.25})
    report = step(params, optimizer, 0, report=True)
    assert report.applied and report.rates == (0.5, 0.25)
    assert report.norm == pytest.approx(np.sqrt(sum((p.grad**2).sum() for p in params)), rel=1e-12)


@pytest.mark.parametrize("through", ["dicts", "JSON", "deepcopy"])
def test_a_run_goes_on_from_its_state(through):
    params, others = leaves(), leaves()
    optimizer, other = (optim.Muon(each, momentum_form="corrected", adamw=ADAMW) for each in (params, others))
    for seed in range(3):
        step(params, optimizer, seed)
    state = optimizer.state_dict()
    assert [sorted(state["state"][i]) for i in range(5)] == [["momentum_buffer", "step"]] * 2 + [
        ["exp_avg", "exp_avg_sq", "step"]
    ] * 3
    if through == "deepcopy":
        others, other = copy.deepcopy((params, optimizer))
    else:
        if through == "JSON":
            state = json.loads(json.dumps(state, default=lambda array: array.tolist()))
        for param, mine in zip(others, params, strict=True):
            param.data = mine.data
        other.load_state_dict(state)
    for seed in range(3, 6):
        step(params, optimizer, seed)
        step(others, other, seed)
    assert all(np.array_equal(one, other) for one, other in zip(values(params), values(others), strict=True))


def test_a_state_of_other_groups_is_refused():
    params, others = leaves(), leaves()
    optimizer = optim.Muon([{"params": params[:1]}, {"params": params[2:3]}])
    other = optim.Muon([{"params": others[:1], "update": "adamw"}, {"params": others[2:3]}])
    step([params[0], params[2]], optimizer, 0)
    with pytest.raises(ValueError, match="'update': 'adamw' keeps it, got 'muon'"):
        other.load_state_dict(optimizer.state_dict())
    state = optimizer.state_dict()
    del state["state"][0]["step"]
    optimizer.load_state_dict(state)  # as torch's, which counts none
    optimizer.param_groups[0]["momentum_form"] = "corrected"
    state["param_groups"][0]["momentum_form"] = "corrected"
    with pytest.raises(ValueError, match="lacks 'step'"):
        optimizer.load_state_dict(state)


@pytest.mark.sampled(one_in=2)  # Numba takes ten seconds for each
@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_a_compiled_training_is_the_eager_one(max_norm):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype(np.float32)
    loader = DataLoader(TensorDataset(x, x[:, :1] - x[:, 1:2] ** 2), 8)
    found = []
    for compiled in (False, True):
        manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
        optimizer = optim.Muon(model.parameters(), lr=0.05, adamw={"lr": 0.01})
        history = fit(
            model, nn.MSELoss(), optimizer, loader, epochs=5, progress=False, compiled=compiled, max_norm=max_norm
        )
        found.append(([p.data for p in model.parameters()], history.loss))
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert found[0][1][-1] < found[0][1][0]


# Beside torch's.

torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
SETTINGS = [
    {},
    {"weight_decay": 0.0, "momentum": 0.5, "nesterov": False},
    {"adjust_lr_fn": "match_rms_adamw", "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5)},
    {"adjust_lr_fn": "original", "eps": 100.0},
]


@pytest.fixture
def in_float64(monkeypatch):
    """torch's Muon rounds to bfloat16, once for each matrix: so it computes in the parameter's dtype."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def pair(settings):
    ours = [each for i, each in enumerate(leaves()) if i in MATRICES]
    theirs = [torch.tensor(p.data, requires_grad=True) for p in ours]
    return (
        ours,
        optim.Muon(ours, lr=0.02, dialect="torch", **settings),
        theirs,
        torch.optim.Muon(theirs, 0.02, **settings),
    )


def both(ours, own, theirs, other, seed):
    step(ours, own, seed)
    for param, mine in zip(theirs, ours, strict=True):
        param.grad = torch.tensor(mine.grad)
    other.step()


def agree(ours, theirs):
    for mine, his in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, his.detach().numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
def test_dialect_torch_is_torchs_muon_but_for_bfloat16(settings, in_float64):
    ours, own, theirs, other = pair(settings)
    for seed in range(5):
        both(ours, own, theirs, other, seed)
    agree(ours, theirs)


def test_the_default_dialect_of_torch_has_torchs_defaults():
    own, other = pair({})[1::2]
    group, defaults = own.param_groups[0], other.defaults
    assert {key: group[key] for key in defaults} == {**defaults, "lr": 0.02, "adjust_lr_fn": "original"}


def test_torchs_bfloat16_changes_the_step_and_not_the_momentum():
    """Its step differs by what bfloat16 rounds: 2^-9 of each number, and more after each iteration."""
    ours, own, theirs, other = pair({})
    both(ours, own, theirs, other, 0)
    for mine, his in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            own.state[mine]["momentum_buffer"], other.state[his]["momentum_buffer"].numpy(), rtol=1e-14
        )
        difference = np.abs(mine.data - his.detach().numpy()).max()
        assert 1e-6 < difference < 0.02 * np.sqrt(5 / 2)  # of a step that is lr times its scale, about


@pytest.mark.parametrize("settings", SETTINGS)
def test_states_cross_both_ways(settings, in_float64, tmp_path):
    ours, own, theirs, other = pair(settings)
    for seed in range(3):
        both(ours, own, theirs, other, seed)
    mine, my_own, his, his_other = pair(settings)
    for one, two, three in zip(mine, his, ours, strict=True):
        one.data = three.data
        with torch.no_grad():
            two.copy_(torch.tensor(three.data))
    torch.save(other.state_dict(), tmp_path / "theirs.pt")
    my_own.load_state_dict(torch.load(tmp_path / "theirs.pt"))
    torch.save(optim.for_torch(own.state_dict()), tmp_path / "ours.pt")
    his_other.load_state_dict(torch.load(tmp_path / "ours.pt", weights_only=True))
    for seed in range(3, 6):
        step(ours, own, seed)
        both(mine, my_own, his, his_other, seed)
    agree(mine, his)
    for one, two in zip(mine, ours, strict=True):
        np.testing.assert_allclose(one.data, two.data, rtol=1e-7, atol=1e-9)
