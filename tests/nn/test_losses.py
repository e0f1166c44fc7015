"""The losses: beside torch's, at extreme logits, in compiled training, and what they refuse."""

import math
from types import SimpleNamespace

import cuda_on_host
import numpy as np
import pytest
from compiled_cases import as_plain_python

from tinygrad_lr import Tensor, cuda, functional, gradcheck, manual_seed, nn, optim, tensor
from tinygrad_lr.compiled import compile_step, runner
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.training import fit

RNG = np.random.default_rng(5)
REDUCTIONS = ("mean", "sum", "none")
MOST = float(np.finfo(np.float32).max)


def of(*shape, low=-2.0, high=2.0):
    return RNG.uniform(low, high, shape)


# --- beside torch -----------------------------------------------------------------------------------------------------

# The function, its input, its target, and options; arrays among the options become Tensors.
BESIDE = [
    *(("mse_loss", of(4, 3), of(4, 3), {"weight": w}) for w in (None, of(4, 3, low=0.1))),
    *(("l1_loss", of(4, 3), of(4, 3), {"weight": w}) for w in (None, of(4, 3, low=0.1))),
    *(("smooth_l1_loss", of(4, 3), of(4, 3), {"beta": beta}) for beta in (0.0, 0.5, 1.0, 3)),
    *(("huber_loss", of(4, 3), of(4, 3), {"delta": delta}) for delta in (0.5, 1.0, 3)),
    ("huber_loss", of(4, 3), of(4, 3), {"delta": 0.5, "weight": of(4, 3, low=0.1)}),
    ("huber_loss", of(), of(), {}),
    *(
        ("binary_cross_entropy_with_logits", of(4, 3), of(4, 3, low=0.0, high=1.0), options)
        for options in (
            {},
            {"weight": of(4, 3, low=0.1)},
            {"weight": of(3, low=0.1)},
            {"weight": of(4, 1, low=0.1)},
            {"pos_weight": of(3, low=0.1)},
            {"pos_weight": of(3, low=0.1), "weight": of(3, low=0.1)},
            {"pos_weight": np.zeros(3)},
        )
    ),
    *(
        ("binary_cross_entropy", of(4, 3, low=0.0, high=1.0), of(4, 3, low=0.0, high=1.0), {"weight": w})
        for w in (None, of(4, 3, low=0.1), of(3, low=0.1))
    ),
    ("binary_cross_entropy", np.array([0.0, 1.0, 0.5, 0.0, 1.0]), np.array([0.0, 1.0, 0.25, 0.0, 1.0]), {}),
    *(
        ("cross_entropy", of(5, 3), np.array([0, 2, 1, 1, 2]), options)
        for options in (
            {},
            {"weight": of(3, low=0.1)},
            {"label_smoothing": 0.1},
            {"label_smoothing": 1.0},
            {"weight": of(3, low=0.1), "label_smoothing": 0.3},
            {"ignore_index": 2},
            {"ignore_index": 1, "weight": of(3, low=0.1), "label_smoothing": 0.3},
        )
    ),
    ("cross_entropy", of(3), np.array(1), {}),
    ("cross_entropy", of(3), np.array(1), {"weight": of(3, low=0.1), "label_smoothing": 0.3}),
    ("cross_entropy", of(5, 1), np.zeros(5, int), {}),
    ("cross_entropy", of(2, 3, 4), RNG.integers(0, 3, (2, 4)), {"weight": of(3, low=0.1), "label_smoothing": 0.3}),
    ("cross_entropy", of(2, 3, 4, 2), RNG.integers(0, 3, (2, 4, 2)), {"ignore_index": 0}),
    *(
        ("cross_entropy", of(*shape), of(*shape, low=0.0, high=1.0), options)
        for shape in ((5, 3), (3,), (2, 3, 4))
        for options in ({}, {"weight": of(3, low=0.1)}, {"weight": of(3, low=0.1), "label_smoothing": 0.3})
    ),
    ("nll_loss", of(5, 3), np.array([0, 2, 1, 1, 2]), {}),
    ("nll_loss", of(5, 3), np.array([0, 2, 1, 1, 2]), {"weight": of(3, low=0.1), "ignore_index": 1}),
    ("nll_loss", of(2, 3, 4), RNG.integers(0, 3, (2, 4)), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_values_and_gradients_are_those_of_torch(reduction, dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    for name, given, target, options in BESIDE:
        results = []
        for make, function in ((tensor, getattr(functional, name)), (torch.tensor, getattr(torch.nn.functional, name))):
            x = make(given.astype(dtype), requires_grad=True)
            y = make(target if target.dtype.kind == "i" else target.astype(dtype))
            kept = {
                key: make(value.astype(dtype)) if isinstance(value, np.ndarray) else value
                for key, value in options.items()
                if value is not None
            }
            out = function(x, y, reduction=reduction, **kept)
            (out * make(np.arange(1, out.numel() + 1).reshape(out.shape).astype(dtype))).sum().backward()
            results.append((np.asarray(out.detach()), np.asarray(x.grad)))
        for mine, his in zip(*results, strict=True):
            assert mine.shape == his.shape and mine.dtype == his.dtype
            np.testing.assert_allclose(
                mine, his, rtol=3e-6 if dtype == "float32" else 1e-13, atol=1e-6 if dtype == "float32" else 1e-14
            )


MODULES = [
    (lambda lib, make: lib.L1Loss(), of(4), of(4)),
    (lambda lib, make: lib.MSELoss(reduction="sum"), of(4), of(4)),
    (lambda lib, make: lib.SmoothL1Loss(beta=0.25), of(4), of(4)),
    (lambda lib, make: lib.HuberLoss("sum", 0.25), of(4), of(4)),
    (lambda lib, make: lib.BCEWithLogitsLoss(pos_weight=make([2.0, 3.0])), of(4, 2), of(4, 2, low=0.0, high=1.0)),
    (lambda lib, make: lib.BCEWithLogitsLoss(make([2.0, 3.0]), reduction="none"), of(4, 2), of(4, 2, low=0.0)),
    (lambda lib, make: lib.BCELoss(make([2.0, 3.0]), reduction="sum"), of(4, 2, low=0.0, high=1.0), np.eye(4, 2)),
    (lambda lib, make: lib.CrossEntropyLoss(make([1.0, 2.0, 0.5])), of(2, 3), np.array([2, 0])),
    (lambda lib, make: lib.CrossEntropyLoss(label_smoothing=0.2, ignore_index=0), of(2, 3), np.array([2, 0])),
    (lambda lib, make: lib.NLLLoss(make([1.0, 2.0, 0.5]), reduction="sum"), of(2, 3), np.array([2, 0])),
]


def test_modules_keep_the_options_of_torchs():
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    for build, given, target in MODULES:
        mine, his = build(nn, tensor), build(torch.nn, torch.tensor)
        x, y = given.astype(np.float32), target if target.dtype.kind == "i" else target.astype(np.float32)
        ours, theirs = mine(tensor(x), tensor(y)), his(torch.tensor(x), torch.tensor(y))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
        assert list(mine.state_dict()) == list(his.state_dict()) and not list(mine.parameters())
        assert mine.reduction == his.reduction and str(mine).startswith(type(his).__name__)


# --- at extreme predictions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "loss", "gradient"),
    [
        (1e4, 1.0, 0.0, 0.0),
        (1e4, 0.0, 1e4, 1.0),
        (-1e4, 1.0, 1e4, -1.0),
        (-1e4, 0.0, 0.0, 0.0),
        (1e4, 0.75, 2500.0, 0.25),
        (MOST, 1.0, 0.0, 0.0),
        (MOST, 0.0, MOST, 1.0),
        (-MOST, 0.0, 0.0, 0.0),
        (-MOST, 1.0, MOST, -1.0),
        (MOST, 0.5, MOST / 2, 0.5),
        (math.inf, 1.0, 0.0, 0.0),
        (math.inf, 0.0, math.inf, 1.0),
        (-math.inf, 0.0, 0.0, 0.0),
        (-math.inf, 1.0, math.inf, -1.0),
        (30.0, 1.0, math.exp(-30.0), -math.exp(-30.0)),  # where the sigmoid is rounded to 1
        (-80.0, 0.0, math.exp(-80.0), math.exp(-80.0)),
        (math.nan, 1.0, math.nan, math.nan),
    ],
)
def test_logits_of_two_classes(x, y, loss, gradient):
    for options in ({}, {"pos_weight": 1.0}):
        logit = tensor([x], requires_grad=True)
        out = functional.binary_cross_entropy_with_logits(logit, tensor([y]), reduction="sum", **options)
        out.backward()
        np.testing.assert_allclose([out.item(), logit.grad[0]], [loss, gradient], rtol=1e-6)


INF = math.inf


@pytest.mark.parametrize(
    ("logits", "target", "loss", "gradient"),
    [
        ([1e4, 0.0, -1e4], 0, 0.0, [0.0, 0.0, 0.0]),
        ([1e4, 0.0, -1e4], 1, 1e4, [1.0, -1.0, 0.0]),
        ([1e4, 0.0, -1e4], 2, 2e4, [1.0, 0.0, -1.0]),
        ([MOST, -MOST, 0.0], 0, 0.0, [0.0, 0.0, 0.0]),
        ([MOST, 0.0, 0.0], 1, MOST, [1.0, -1.0, 0.0]),
        ([MOST, MOST, 0.0], 0, math.log(2), [-0.5, 0.5, 0.0]),
        ([-INF, 0.0, 0.0], 1, math.log(2), [0.0, -0.5, 0.5]),
        ([-INF, 0.0, -INF], 1, 0.0, [0.0, 0.0, 0.0]),
        ([INF, 0.0, 0.0], 0, 0.0, [0.0, 0.0, 0.0]),
        ([INF, 0.0, 0.0], 1, INF, [1.0, -1.0, 0.0]),
        ([INF, 0.0, -INF], 0, 0.0, [0.0, 0.0, 0.0]),
        ([0.0, -30.0, -30.0], 0, 2 * math.exp(-30.0), [-2 * math.exp(-30.0), math.exp(-30.0), math.exp(-30.0)]),
        ([-INF, -INF, -INF], 0, math.nan, [math.nan] * 3),
        ([math.nan, 0.0, 0.0], 1, math.nan, [math.nan] * 3),
    ],
)
def test_logits_of_several_classes(logits, target, loss, gradient):
    for given in (np.array([target]), np.eye(3, dtype=np.float32)[[target]]):
        x = tensor([logits], requires_grad=True)
        out = functional.cross_entropy(x, given, reduction="sum")
        out.backward()
        # 1 + 2 exp(-30) is rounded to 1 in float32: what is less than its unit may be 0
        np.testing.assert_allclose(out.item(), loss, rtol=1e-6, atol=2.0**-24)
        np.testing.assert_allclose(x.grad[0], gradient, rtol=1e-6, atol=2.0**-24)


EDGES = np.array([0.0, -0.0, 0.5, -0.5, 1.0, -2.0, 1e-320, 1e-40, 1e30, -1e30, 1e308, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gradient", [1.0, -2.0])
def test_edges_are_those_of_torch(gradient, dtype):
    """But where torch has NaN for an infinite logit, whose limit is a number, and 0 for the gradient of |NaN|."""
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    with np.errstate(over="ignore"):
        edges, g = EDGES.astype(dtype), np.full(EDGES.shape, gradient, dtype)
    calls = [("huber_loss", 0.0, {"delta": delta}) for delta in (0.5, 1.0, 1e-30)]
    calls += [("smooth_l1_loss", 0.0, {"beta": beta}) for beta in (0.5, 1.0, 1e-30, 0.0)]
    calls += [("binary_cross_entropy_with_logits", y, {}) for y in (0.0, 0.25, 1.0)] + [("l1_loss", 0.0, {})]
    for name, y, options in calls:
        x, theirs = tensor(edges, requires_grad=True), torch.tensor(edges, requires_grad=True)
        with np.errstate(all="ignore"):
            out = getattr(functional, name)(x, np.full(edges.shape, y, dtype), reduction="none", **options)
            out.backward(g)
        to = torch.full(edges.shape, y, dtype=theirs.dtype)
        expected = getattr(torch.nn.functional, name)(theirs, to, reduction="none", **options)
        expected.backward(torch.tensor(g))
        limit = np.isinf(edges) if name.startswith("binary") else np.zeros(edges.shape, bool)
        absolute = np.isnan(edges) & (name == "l1_loss" or options.get("beta") == 0)
        for found, his, apart in (
            (out.numpy(), expected.detach().numpy(), limit),
            (x.grad, theirs.grad.numpy(), limit | absolute),
        ):
            np.testing.assert_allclose(
                found[~apart], his[~apart], rtol=1e-5, atol=1e-38, err_msg=f"{name} {y} {options}"
            )


def test_a_loss_that_is_not_wanted_does_not_overflow():
    x = tensor([1e30, -1e30, 0.5], requires_grad=True)
    for loss, values in (
        (functional.huber_loss, [1e30, 1e30, 0.125]),
        (functional.smooth_l1_loss, [1e30, 1e30, 0.125]),
        (functional.l1_loss, [1e30, 1e30, 0.5]),
    ):
        x.grad = None
        out = loss(x, 0.0, "none")
        out.sum().backward()
        np.testing.assert_allclose(out.numpy(), values, rtol=1e-6)
        np.testing.assert_allclose(x.grad, [1.0, -1.0, 1.0 if loss is functional.l1_loss else 0.5])
    narrow = functional.smooth_l1_loss(tensor([1e-30, 2.0]), 0.0, "none", beta=1e-30)
    np.testing.assert_allclose(narrow.numpy(), [0.5e-30, 2.0], rtol=1e-6)


def test_gradients_of_targets_and_of_probabilities():
    x, y = of(4, 3), of(4, 3, low=0.05, high=0.95)
    assert gradcheck(functional.binary_cross_entropy_with_logits, x, y)
    assert gradcheck(lambda x, y: functional.cross_entropy(x, y, label_smoothing=0.1), x, y)
    assert gradcheck(lambda x, y: functional.huber_loss(x, y, delta=0.7), x, y)
    assert gradcheck(lambda x: functional.softplus(x, beta=3.0) + functional.logsigmoid(x), x)
    assert gradcheck(lambda x: x.softmax(0) * x.log_softmax(-1) + x.logsumexp((0, 1)), x)


# --- in training ------------------------------------------------------------------------------------------------------

LOSSES = {
    "l1": (nn.L1Loss(), 2, None),
    "smooth l1": (nn.SmoothL1Loss(beta=0.5), 2, None),
    "huber": (nn.HuberLoss(delta=0.5), 2, None),
    "bce": (nn.BCEWithLogitsLoss(), 1, "binary"),
    "bce with weights": (nn.BCEWithLogitsLoss(tensor([0.5]), pos_weight=tensor([3.0])), 1, "binary"),
    "cross-entropy": (nn.CrossEntropyLoss(), 3, "classes"),
    "cross-entropy with all options": (
        nn.CrossEntropyLoss(tensor([0.5, 1.0, 2.0]), ignore_index=1, label_smoothing=0.1),
        3,
        "classes",
    ),
    "cross-entropy of probabilities": (nn.CrossEntropyLoss(tensor([0.5, 1.0, 2.0]), label_smoothing=0.1), 3, "shares"),
    "nll": (lambda out, y: nn.NLLLoss()(out.log_softmax(1), y), 3, "classes"),
}


def training(name, samples=10):
    loss, outputs, kind = LOSSES[name]
    rng = np.random.default_rng(1)
    x = rng.normal(size=(samples, 4)).astype(np.float32)
    y = {
        None: lambda: rng.normal(size=(samples, outputs)).astype(np.float32),
        "binary": lambda: (rng.random((samples, 1)) > 0.5).astype(np.float32),
        "classes": lambda: rng.permutation(np.arange(samples) % 3),
        "shares": lambda: rng.dirichlet([1.0] * 3, samples).astype(np.float32),
    }[kind]()
    manual_seed(3)
    model = nn.Linear(4, outputs)
    return (
        model,
        loss,
        optim.Adam(model.parameters(), lr=0.05),
        DataLoader(TensorDataset(x, y), 4, shuffle=True, seed=2),
    )


@pytest.fixture
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels: a whole step takes long to compile."""
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))


def test_a_step_with_a_loss_is_compiled_whole():
    test_compiled_training_follows_eager_training("cross-entropy with all options", None)


@pytest.mark.parametrize("name", LOSSES)
def test_compiled_training_follows_eager_training(name, calls_only):
    """Every loss is accepted, and used. Each kernel against its enclosure: tests/compiled/test_compiled_ops.py."""
    eager = fit(*training(name), epochs=4, compiled=False, progress=False)
    compiled = fit(*training(name), epochs=4, compiled=True, progress=False)
    np.testing.assert_allclose(compiled.loss, eager.loss, rtol=2e-4)
    assert np.mean(eager.loss[-3:]) < np.mean(eager.loss[:3])
    model, loss, optimizer, loader = training(name)
    x, y = next(iter(loader))
    step = compile_step(model, loss, optimizer)
    first = loss(model(x), y).item()
    assert step(x, y) == pytest.approx(first, rel=1e-5) and step(x, y) < first


@pytest.mark.parametrize("name", ["l1", "huber", "bce", "cross-entropy"])
def test_a_weight_for_each_sample(name, calls_only):
    """A batch of inputs, weights and target; a model that gives outputs and weights; a loss of both."""
    each = {"l1": nn.L1Loss, "huber": nn.HuberLoss, "bce": nn.BCEWithLogitsLoss, "cross-entropy": nn.CrossEntropyLoss}
    made = each[name](reduction="none")

    def weighted(out, y):
        losses = made(out[0], y)
        return (losses * out[1].reshape(-1, *[1] * (losses.ndim - 1))).mean()

    found = []
    for compiled in (False, True):
        inner, _, optimizer, loader = training(name)
        x, y = loader.dataset.tensors
        w = np.random.default_rng(4).uniform(0, 2, len(x)).astype(np.float32)
        w[3] = 0

        class WithWeights(nn.Module):
            def __init__(self, inner):
                self.inner = inner

            def forward(self, x, w):
                return self.inner(x), w

        data = DataLoader(TensorDataset(x, w, y), 4, shuffle=True, seed=2)
        found.append(fit(WithWeights(inner), weighted, optimizer, data, epochs=2, compiled=compiled, progress=False))
        out = (inner(x), tensor(w))
        expected = np.mean([w[i] * made(inner(x)[i : i + 1], y[i : i + 1]).mean().item() for i in range(len(w))])
        assert weighted(out, y).item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(found[0].loss, found[1].loss, rtol=2e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("wrong", [3, -1])
def test_a_wrong_class_in_a_later_batch_is_named(wrong, compiled, calls_only):
    model, loss, optimizer, loader = training("cross-entropy", 12)
    x, y = loader.dataset.tensors
    labels = y.numpy().copy()
    labels[9] = wrong
    data = DataLoader(TensorDataset(x, labels), 4)
    before = model.weight.numpy().copy()
    with pytest.raises(
        IndexError, match=rf"the target {wrong} in row 1 is no class: expected whole numbers from 0 to 2"
    ):
        fit(model, loss, optimizer, data, epochs=1, compiled=compiled, progress=False)
    assert np.isfinite(model.weight.numpy()).all() and (model.weight.numpy() != before).any()
    step = compile_step(model, loss, optimizer)
    step(x[:4], tensor(labels[:4]))
    with pytest.raises(IndexError, match=f"the target {wrong} in row 1 is no class"):
        step(x[8:], tensor(labels[8:]))


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses_on_cuda_are_those_on_the_cpu(name, monkeypatch):
    if cuda.is_available():
        pass
    elif cuda_on_host.unusable():
        pytest.skip(cuda_on_host.unusable())
    else:
        cuda_on_host.install(monkeypatch)
    model, loss, _, loader = training(name)
    x, y = loader.dataset.tensors
    results = []
    for device in ("cpu", "cuda"):
        given = model(x).detach().to(device).requires_grad_()
        moved = loss.to(device) if isinstance(loss, nn.Module) else loss
        try:
            out = moved(given, y.to(device))
            out.backward()
        finally:
            if isinstance(loss, nn.Module):
                loss.to("cpu")
        results.append((out.item(), to_host(given.grad)))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-7)


# --- what they refuse -------------------------------------------------------------------------------------------------

X, Y = np.zeros((4, 3), np.float32), np.zeros(4, np.int64)
LOGIT, SHARE = np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32)
REGRESSION = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits")
REGRESSION += ("binary_cross_entropy",)
F = functional
REFUSED = [
    *(
        (
            lambda f=f: getattr(F, f)(LOGIT, SHARE[:, 0]),
            ValueError,
            r"same shape, got \(4, 1\) and \(4,\); they are not",
        )
        for f in REGRESSION
    ),
    *(
        (lambda f=f: getattr(F, f)(LOGIT, SHARE, reduction="avg"), ValueError, "one of mean, sum, none")
        for f in REGRESSION
    ),
    *((lambda f=f: getattr(F, f)(LOGIT[:0], SHARE[:0]), ValueError, "check for an empty batch") for f in REGRESSION),
    *((lambda f=f: getattr(F, f)(LOGIT, "x"), TypeError, "expected a Tensor, a NumPy array or a") for f in REGRESSION),
    *(
        (lambda f=f: getattr(F, f)(X, Y, reduction=None), ValueError, "one of mean, sum")
        for f in ("cross_entropy", "nll_loss")
    ),
    *(
        (lambda f=f, w=w: getattr(F, f)(LOGIT, SHARE, weight=w), ValueError, "weight must have the shape of the input")
        for f in ("mse_loss", "l1_loss", "huber_loss")
        for w in (np.ones(4), np.ones((4, 2)), 2.0)
    ),
    (
        lambda: F.binary_cross_entropy_with_logits(LOGIT, SHARE, np.ones(3)),
        ValueError,
        r"weight must broadcast to .*\(4, 1",
    ),
    *(
        (
            lambda x=x: F.binary_cross_entropy(LOGIT + x, SHARE),
            ValueError,
            "probabilities are from 0 to 1; take the sig",
        )
        for x in (1.5, -0.5, np.inf)
    ),
    (
        lambda: F.binary_cross_entropy_with_logits(LOGIT, SHARE, pos_weight=np.ones(3)),
        ValueError,
        r"pos_weight must broadcast to the shape of the input, \(4, 1\), got \(3,\)",
    ),
    *(
        (lambda b=b: F.smooth_l1_loss(LOGIT, SHARE, beta=b), ValueError, "beta must be")
        for b in (-1.0, math.nan, math.inf)
    ),
    *(
        (lambda b=b: F.smooth_l1_loss(LOGIT, SHARE, beta=b), TypeError, "beta must be a real")
        for b in ("1", None, True)
    ),
    *(
        (lambda d=d: F.huber_loss(LOGIT, SHARE, delta=d), ValueError, "delta must be")
        for d in (0, -1.0, math.nan, 10**400)
    ),
    *((lambda d=d: F.huber_loss(LOGIT, SHARE, delta=d), TypeError, "delta must be a real") for d in ("1", [1.0], 1j)),
    *(
        (
            lambda y=y: F.cross_entropy(X, np.array(y)),
            IndexError,
            rf"target {bad} in row {row} is no class: .*from 0 to 2",
        )
        for y, bad, row in (([0, 1, 3, 0], 3, 2), ([-1, 0, 0, 0], -1, 0), ([0, 0, 0, 2**62], 2**62, 3))
    ),
    (
        lambda: F.cross_entropy(np.zeros((2, 3, 4)), np.array([[0, 1, 2, 0], [0, 5, 0, 0]])),
        IndexError,
        "the target 5 in row 1, place 1 is no class",
    ),
    (
        lambda: F.cross_entropy(X, Y[:3]),
        ValueError,
        r"needs a target of shape \(4,\), a class for each row, got \(3,\)",
    ),
    (lambda: F.cross_entropy(X, Y[:, None]), ValueError, r"got \(4, 1\); reshape it, e.g. with .squeeze\(1\)"),
    (lambda: F.cross_entropy(X, Y.astype(np.float32)), TypeError, r"classes as int64 .* write target.long\(\)"),
    (lambda: F.cross_entropy(X, Y == 0), TypeError, "targets are classes as int64"),
    (lambda: F.nll_loss(X, X), TypeError, "targets are classes as int64"),
    (lambda: F.cross_entropy(np.float32(1), np.int64(0)), ValueError, "got one without axes"),
    (lambda: F.cross_entropy(X, Y, np.ones(2)), ValueError, r"one number for each of 3 classes, got shape \(2,\)"),
    (lambda: F.cross_entropy(X, Y, [1.0, 1.0, 1.0]), TypeError, "expected a Tensor, a NumPy array"),
    (lambda: F.cross_entropy(X, Y, np.zeros(3)), ValueError, "weights add up to 0 is not defined"),
    (lambda: F.cross_entropy(X, Y - 100), ValueError, "whether all targets are ignore_index"),
    (lambda: F.cross_entropy(X[:0], Y[:0]), ValueError, "check for an empty batch"),
    (lambda: F.cross_entropy(X, Y, ignore_index=0.5), TypeError, "ignore_index must be a whole number"),
    (lambda: F.cross_entropy(X, Y, ignore_index=None), TypeError, "ignore_index must be a whole number"),
    *(
        (lambda s=s: F.cross_entropy(X, Y, label_smoothing=s), ValueError, "label_smoothing must be")
        for s in (-0.1, 1.5)
    ),
    (lambda: F.cross_entropy(X, Y, label_smoothing="0.1"), TypeError, "label_smoothing must be a real number"),
    (lambda: F.softplus(X, beta=0), ValueError, "beta must be another number than 0"),
    (lambda: F.softplus(X, threshold=math.nan), ValueError, "threshold must be a finite number"),
    (lambda: F.softmax(X), TypeError, r"softmax needs an axis: write t.softmax\(-1\)"),
    (lambda: F.softmax(X, 2), ValueError, "there is no axis 2"),
    (lambda: F.log_softmax(X, 1, dim=1), TypeError, "are one argument"),
    (lambda: F.logsumexp(X, 5), ValueError, "logsumexp: axis 5 is out of bounds"),
    (lambda: nn.L1Loss("avg"), ValueError, "reduction must be one of"),
    (lambda: nn.HuberLoss(delta=0), ValueError, "delta must be above 0"),
    (lambda: nn.SmoothL1Loss(beta=-1), ValueError, "beta must be at least 0"),
    (lambda: nn.CrossEntropyLoss(ignore_index="x"), TypeError, "ignore_index must be a whole number"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "label_smoothing must be from 0 to 1, got 2"),
    (lambda: nn.CrossEntropyLoss(weight="x"), TypeError, "a Tensor holds float32"),
]


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED)
def test_bad_input_is_a_clear_error(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_weights_of_classes_get_no_gradient_and_need_no_dtype():
    x, weight = tensor(X, requires_grad=True), Tensor([1.0, 2.0, 3.0], requires_grad=True, dtype="float64")
    loss = functional.cross_entropy(x, Y, weight)
    loss.backward()
    assert loss.dtype == np.float32 and x.grad is not None and weight.grad is None
