"""The engine on a GPU: each op against the CPU's derivative, the article's flow, and what is said where a row lacks.

These run on a GPU, on the simulator, or on the stand-in of cuda_on_host.py; the loops are also compiled for a GPU that
is not there.
"""

import importlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cuda_on_host
import kernel_rows
import numpy as np
import pytest
from cuda_cases import ptx
from engine_cases import differentiable, draw, forward, gamma, jacobian, roundings, slack
from kernel_loops import TABLES
from kernel_mutation import KERNELS, loaded
from optimizer_cases import having, informative, maker, raised, specification, what_a_setting_excludes

import tinygrad_lr
from tinygrad_lr import Tensor, cuda, nn, optim, randn, tensor
from tinygrad_lr.cli import main
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine import elementwise, on_cuda_arithmetic
from tinygrad_lr.engine.ops import OPS
from tinygrad_lr.engine.tensor import apply
from tinygrad_lr.kernels._jit import on_gpu, thread_index
from tinygrad_lr.kernels.ops.erf import erf, erfc
from tinygrad_lr.verify.guard import guarded
from tinygrad_lr.verify.properties import PROPERTIES, Case

needs_cuda = pytest.mark.usefixtures("traffic")
ON_CUDA = [name for name, op in OPS.items() if op.cuda_forward is not None]
CASES = [(name, i) for name in ON_CUDA for i in range(len(OPS[name].cases))]

PROPERTIES_ON_CUDA = [
    (property_id, name)
    for name in optim.OPTIMIZERS
    for property_id, check in PROPERTIES.items()
    # P18, another backend's bits, and P33.average: test_optimizers_properties.py; what brings its own cases has too
    # many elements for the simulator, in which each is a thread: the stand-in for a GPU and a GPU run it
    if check.applies(name)
    and property_id not in ("P18", "P33.average")
    and not (check.cases is not None and cuda.is_simulated())
]

# The CUDA loops of ops, and the kinds of their arguments: those of their first example.
LOOPS = {
    f"{module}.{name}": cuda_on_host.signature(table[name][0].arguments)
    for module, table in TABLES.items()
    if module not in kernel_rows.tables()
    for name, value in vars(loaded(module)).items()
    if isinstance(value, on_gpu) and name in table
}


# The rows that act element by element have loops for the forward and for the vector-Jacobian products.
OF_ROWS = {
    f"elementwise.{name}{suffix}": (name, which)
    for name in ON_CUDA
    if name not in on_cuda_arithmetic.ROWS
    for which, suffix in enumerate(("", "_grad0", "_grad1")[: len(OPS[name].rules)])
}
LOOPS |= {name: "1" * (len(OPS[op].vjps) + (3 if which else 1)) for name, (op, which) in OF_ROWS.items()}
APPROXIMATED = {erf, erfc, np.exp, np.expm1, np.log, np.log1p, np.tanh}  # by a GPU, to a few units
APPROXIMATED |= {np.log2, np.log10, np.sinh, np.cosh, np.tan}
APPROXIMATED |= {np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh}
REDUCED = {np.sin, np.cos, np.tan}  # a GPU's library reduces a large angle with one multiplication of doubles


def loop_of(name, dtype):
    """A CUDA loop by its name in LOOPS."""
    if name in OF_ROWS:
        op, which = OF_ROWS[name]
        return OPS[op].cuda_loop(which, dtype)
    module, attribute = name.split(".")
    return getattr(loaded(module), attribute)


def approximates(name):
    """Whether a loop calls a function of the library, or a rule that does."""
    return calls(name, APPROXIMATED) or (name.startswith("softmax.") and "softmax_" in name)


def calls(name, functions):
    """Whether the rule of a loop is one of some functions, or calls one."""
    op, which = OF_ROWS.get(name, ("", 0))
    if not op:
        return False
    rule = OPS[op].rules[which]
    named = getattr(getattr(rule, "__code__", None), "co_names", ())
    return bool(functions & {rule, *(getattr(elementwise, each, None) for each in named if each.endswith("_of"))})


def without_examples():
    """The CUDA loops that would be compiled to PTX by no test, each in a sentence."""
    files = [path.stem for path in KERNELS.rglob("*.py") if path.stem != "__init__"]
    return [
        f"the CUDA loop {module}.{name} has no example in tests/cases/kernel_loops.py"
        for module in files
        for name, value in vars(loaded(module)).items()
        if isinstance(value, on_gpu) and f"{module}.{name}" not in LOOPS
    ]


def test_every_loop_of_an_op_has_an_example(monkeypatch):
    assert not without_examples(), "\n".join(without_examples())
    monkeypatch.delitem(LOOPS, "mse.error_gpu")
    assert without_examples() == ["the CUDA loop mse.error_gpu has no example in tests/cases/kernel_loops.py"]


def numba_array(dtype, ndim):
    from numba import types

    return types.Array(getattr(types, dtype), ndim, "C")


@pytest.mark.sampled(one_in=20, each=("name",))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_compiles_to_ptx_without_a_double_in_float32(name, dtype, monkeypatch):
    from numba import types

    kinds = {str(n): numba_array(dtype, n) for n in (1, 2, 3)}
    kinds |= {"f": getattr(types, dtype), "i": types.int64, "r": numba_array("int64", 1)}
    text = ptx(loop_of(name, dtype), tuple(kinds[letter] for letter in LOOPS[name]), monkeypatch)
    assert ".target sm_90" in text
    if dtype == "float32" and not calls(name, REDUCED):
        assert ".f64" not in text
    if not approximates(name):
        assert ".approx" not in text


def test_the_look_at_ptx_sees_a_double(monkeypatch):
    @on_gpu
    def promoted(values, out):
        i = thread_index()
        if i < out.size:
            out[i] = 0.1 * values[i]  # a number that was not cast on the host

    array = numba_array("float32", 1)
    assert ".f64" in ptx(promoted, (array, array), monkeypatch)


IN_A_PROCESS = """
import pytest
from cuda_cases import ptx
from numba import types
from tinygrad_lr.kernels import _jit
from tinygrad_lr.engine import OPS
from tinygrad_lr.kernels.updates import adam
assert _jit.COMPILER_IS_OFF
number, kernel = types.float32, adam.KERNELS["amsgrad"]
array = types.Array(number, 1, "C")
ptx(OPS["sigmoid"].cuda_loop(0, "float32"), (array, array), pytest.MonkeyPatch())
signature = (array,) * 5 + (types.UniTuple(number, len(kernel.scalars)),)
print(".f64" in ptx(kernel.gpu, signature, pytest.MonkeyPatch()))
"""


@pytest.mark.parametrize("setting", [{"TINYGRAD_LR_BACKEND": "numpy"}, {"NUMBA_DISABLE_JIT": "1"}])
def test_loops_compile_where_the_rules_are_not_compiled_for_the_cpu(setting, monkeypatch):
    array = numba_array("float32", 1)
    ptx(
        importlib.import_module("tinygrad_lr.kernels.ops.arrays").add_gpu, (array, array, array), monkeypatch
    )  # or skip
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS],
        env={**os.environ, **setting, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "False", done.stderr


@needs_cuda
def test_the_stand_in_refuses_what_a_gpu_would_do_slowly(traffic):
    if traffic is None:
        pytest.skip("there is a GPU, or the simulator")
    values = on_cuda([1.0, 2.0])
    with pytest.raises(AssertionError, match="travels to the host"):
        np.add(values._data, 1.0)
    with pytest.raises(AssertionError, match="written by a kernel of numba's"):
        values._data[0] = 1.0
    add = importlib.import_module("tinygrad_lr.kernels.ops.arrays").add_gpu
    with pytest.raises(AssertionError, match="copied at every launch"):
        add.launch(2, (values._data, np.ones(2, np.float32), values._data))
    traffic.signatures.clear()
    add.launch(2, (values._data, on_cuda(np.ones(2))._data, values._data))
    assert traffic.signatures == {("arrays.add_gpu", "1(float64)1")}, "a dtype that the loop is not compiled for"
    traffic.signatures.clear()


@pytest.fixture
def traffic(monkeypatch):
    """A place called "cuda": a GPU or its simulator, and otherwise the stand-in, which counts what moves."""
    if cuda.is_available():
        yield None
        return
    if cuda_on_host.unusable():
        pytest.skip(cuda_on_host.unusable())
    counted = cuda_on_host.install(monkeypatch)
    yield counted
    for name, letters in counted.signatures:
        assert letters == LOOPS.get(name, letters), f"{name} is compiled to PTX for {LOOPS[name]} and runs on {letters}"


def on_cuda(array, **options):
    return Tensor(array, device="cuda", **options)


def host(array):
    return array if isinstance(array, np.ndarray) else array.copy_to_host()


def has_loops(op, case):
    """Operands of arithmetic have one shape, or one is a single number; sums are of everything or along one axis."""
    if len(op.vjps) == 2 and op.rules:
        return case.shapes[0] == case.shapes[1] or 1 in [np.prod(shape) for shape in case.shapes]
    return op.name not in ("sum", "mean") or not isinstance(case.options[0], tuple)


# Random words are taken modulo 2^64, of which the simulator's NumPy numbers warn.
wraps = pytest.mark.filterwarnings("ignore:.*overflow encountered in scalar (multiply|add)")


@wraps
@needs_cuda
@pytest.mark.sampled(one_in=5, each=("name",))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_an_op_and_its_products(name, number, dtype):
    """P44 on the device: the bounds are those of the CPU's rows; an elementary function may err by four units."""
    op, case = OPS[name], OPS[name].cases[number]
    arrays = draw(op, case, 5, dtype)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    inputs = [on_cuda(a, requires_grad=i >= op.conditions) for i, a in enumerate(arrays)]
    if not has_loops(op, case):
        with pytest.raises(NotImplementedError, match=rf"{name} .*is not implemented on device 'cuda'.*\.to\('cpu'\)"):
            apply(op, inputs, case.options)
        return
    out = apply(op, inputs, case.options)
    assert out.device == "cuda" and out.dtype == dtype
    exact = forward(op, wide, case)
    k = roundings(op, arrays, case)
    magnitude = np.maximum(np.abs(exact), 16.0 * max([a.size for a in arrays] + [1]))
    assert out.shape == exact.shape
    assert (np.abs(host(out._data) - exact) <= gamma(k, dtype) * magnitude).all()
    g = np.asarray(np.random.default_rng(1).uniform(-2, 2, exact.shape).astype(dtype))
    out.backward(g)
    for i in differentiable(op, case):
        x, jac = inputs[i], jacobian(op, i, arrays, case)
        expected = (jac.T @ g.astype(np.float64).reshape(-1)).reshape(arrays[i].shape)
        found = host(x.grad)
        assert found.shape == arrays[i].shape and found.dtype == dtype
        bound = 4 * gamma(k, dtype) * slack(op, i, g, arrays, case, jac)
        bound = bound + (0 if op.analytic else 2.0**-38 * np.sum(np.abs(g)))
        assert (np.abs(found - expected) <= bound).all(), f"{name}, input {i}"


@needs_cuda
def test_gradients_accumulate_over_uses_and_backwards():
    weight = on_cuda([[1.0, 2.0]], requires_grad=True)
    x, target = on_cuda([[1.0, 1.0]]), on_cuda([[0.0]])
    for uses in (1, 2):
        loss = apply(OPS["mse_loss"], (apply(OPS["linear"], (x, weight)), target), ("sum",))
        loss.backward()
        assert host(weight.grad).tolist() == [[6.0 * uses, 6.0 * uses]]
    weight.zero_grad()
    hidden = apply(OPS["linear"], (x, weight))
    apply(OPS["mse_loss"], (hidden, apply(OPS["tanh"], (hidden,))), ("sum",)).backward()
    on_cpu = tensor([[1.0, 2.0]], requires_grad=True)
    hidden = apply(OPS["linear"], (tensor([[1.0, 1.0]]), on_cpu))
    apply(OPS["mse_loss"], (hidden, hidden.tanh()), ("sum",)).backward()
    np.testing.assert_allclose(host(weight.grad), on_cpu.grad, rtol=1e-5)


@needs_cuda
def test_values_changed_behind_the_graphs_back_are_noticed_on_the_device_too():
    weight, x = on_cuda([[1.0, 2.0]], requires_grad=True), on_cuda([[1.0, 1.0]])
    raw = x.data
    out = apply(OPS["tanh"], (apply(OPS["linear"], (x, weight)),))
    out.backward([[1.0]], retain_graph=True)
    raw.copy_to_device(np.zeros((1, 2), np.float32))
    with pytest.raises(RuntimeError, match="backward through linear: input 0, of shape .* was changed in place"):
        out.backward([[1.0]])


@needs_cuda
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_the_articles_flow_step_by_step(name):
    """Each step's gradients against the CPU's from the same weights: dot products of 10, twice, and a factor."""
    tinygrad_lr.manual_seed(0)
    x, y = randn(20, 10), randn(20, 1)
    model = nn.Linear(10, 1).to("cuda")
    optimizer = optim.OPTIMIZERS[name](model.parameters(), lr=0.05)
    loss_fn = nn.MSELoss()
    data = DataLoader(TensorDataset(x.to("cuda"), y.to("cuda")), batch_size=10, shuffle=True, seed=1)
    same = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True, seed=1)
    losses = []
    for (features, target), (x_batch, y_batch) in zip(data, same, strict=True):
        assert features.device == "cuda" and features.tolist() == x_batch.tolist()
        reference = nn.Linear(10, 1)
        reference.load_state_dict(model.state_dict())
        loss_fn(reference(x_batch), y_batch).backward()
        optimizer.zero_grad()
        loss = loss_fn(model(features), target)
        loss.backward()
        absolute = np.abs(x_batch.data) @ np.abs(reference.weight.data).T + np.abs(reference.bias.data) + 1
        residual = absolute + np.abs(y_batch.data)
        bound = 2 * gamma(10 + 10 + 8, "float32") * 0.2
        weight_error = np.abs(host(model.weight.grad) - reference.weight.grad)
        assert (weight_error <= bound * (residual.T @ np.abs(x_batch.data))).all()
        assert (np.abs(host(model.bias.grad) - reference.bias.grad) <= bound * residual.sum()).all()
        optimizer.step()
        losses.append(loss.item())
    assert len(losses) == 2 and np.isfinite(losses).all()
    assert all(np.isfinite(value).all() for value in model.state_dict().values())


@needs_cuda
def test_sums_over_many_rows_are_taken_in_chunks():
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(100, 2)), rng.normal(size=(3, 2)), rng.normal(size=3)
    target = rng.normal(size=(100, 3))
    error = x @ weight.T + bias - target

    def gradients():
        inputs = [on_cuda(a.astype(np.float32), requires_grad=True) for a in (x, weight, bias)]
        loss = nn.MSELoss("sum")(apply(OPS["linear"], inputs), on_cuda(target.astype(np.float32)))
        loss.backward()
        return [host(loss._data), *(host(each.grad) for each in inputs)]

    found, absolute = gradients(), np.abs(x) @ np.abs(weight.T) + np.abs(bias) + np.abs(target)
    expected = [(error**2).sum(), 2 * error @ weight, 2 * error.T @ x, 2 * error.sum(0)]
    sizes = [(absolute**2).sum(), 2 * absolute @ np.abs(weight), 2 * absolute.T @ np.abs(x), 2 * absolute.sum(0)]
    for one, other, size in zip(found, expected, sizes, strict=True):
        assert (np.abs(one - other) <= gamma(2 * (3 + 5) + 32 + 10 + 2, "float32") * size).all()
    assert [a.tobytes() for a in found] == [a.tobytes() for a in gradients()]


@needs_cuda
def test_a_loss_with_a_penalty_and_a_sum_of_losses():
    def gradients(device):
        weight = Tensor([[0.5, -2.0, 3.0]], requires_grad=True, device=device)
        x, y = Tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 2.0]], device=device), Tensor([[1.0], [2.0]], device=device)
        total = 0.0
        for _ in range(2):
            error = apply(OPS["linear"], (x, weight)) - y
            total += (error * error).mean() / 2 + 0.25 * (weight * weight).sum() - weight.clone().mean()
        (-total).backward()
        return total.item(), host(weight.grad)

    (loss, grad), (expected_loss, expected) = gradients("cuda"), gradients("cpu")
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(grad, expected, rtol=1e-5)


@needs_cuda
def test_filling_gradients_with_zeros_and_reloading_the_state():
    model = nn.Linear(3, 2).to("cuda")
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    loss = nn.MSELoss()(model(on_cuda(np.ones((4, 3), np.float32))), on_cuda(np.zeros((4, 2), np.float32)))
    loss.backward()
    optimizer.step()
    saved = optimizer.state_dict()
    optimizer.zero_grad(set_to_none=False)
    assert not host(model.weight.grad).any()
    optimizer.step()
    optimizer.load_state_dict(saved)
    again = optimizer.state_dict()
    assert again["state"][0]["exp_avg"].tolist() == saved["state"][0]["exp_avg"].tolist()
    assert again["state"][0]["step"] == 1


@needs_cuda
def test_the_command_line_trains_on_cuda_and_the_model_loads_on_the_cpu(tmp_path, capsys):
    rows = ["a,b,y"] + [f"{i % 5},{i % 3},{i % 5 + 2 * (i % 3)}" for i in range(24)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows), "utf-8")
    arguments = ["train", str(table), "--target", "y", "--epochs", "2", "--batch-size", "16", "--hidden", "2"]
    assert main([*arguments, "--device", "cuda", "--out", str(tmp_path / "gpu")]) == 0
    assert main([*arguments, "--device", "cpu", "--out", str(tmp_path / "cpu")]) == 0
    found, expected = (dict(np.load(tmp_path / where / "model.npz")) for where in ("gpu", "cpu"))
    assert {name: array.shape for name, array in found.items()} == {
        name: array.shape for name, array in expected.items()
    }
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "gpu"), str(table)]) == 0
    predictions = [float(line) for line in capsys.readouterr().out.split() if line[:1] in "-0123456789"]
    assert len(predictions) == 24 and np.isfinite(predictions).all()


@needs_cuda
def test_what_does_not_fit_is_named():
    x, weight = on_cuda(np.ones((2, 3), np.float32)), on_cuda(np.ones((1, 4), np.float32))
    with pytest.raises(ValueError, match="linear: expected a weight of shape"):
        apply(OPS["linear"], (x, weight))
    with pytest.raises(ValueError, match=r"linear: expected a bias of shape \(1,\), got \(2,\)"):
        apply(OPS["linear"], (x, on_cuda(np.ones((1, 3), np.float32)), on_cuda(np.ones(2, np.float32))))
    with pytest.raises(TypeError, match="on 'cuda' input, weight and bias must have one dtype"):
        apply(OPS["linear"], (x, on_cuda(np.ones((1, 3)))))
    with pytest.raises(ValueError, match="mse_loss: prediction and target must have the same shape"):
        nn.MSELoss()(x, weight)
    with pytest.raises(ValueError, match="mean over no elements"):
        nn.MSELoss()(on_cuda(np.ones((0, 1), np.float32)), on_cuda(np.ones((0, 1), np.float32)))
    with pytest.raises(NotImplementedError, match=r"maximum is not implemented on device 'cuda'.*\.to\('cpu'\)"):
        x.maximum(x)
    with pytest.raises(NotImplementedError, match="exp of int64 is not implemented on device 'cuda'"):
        on_cuda([1, 2]).exp()
    with pytest.raises(NotImplementedError, match="add of int64 and int64 is not implemented on device 'cuda'"):
        on_cuda([1, 2]) + 1
    with pytest.raises(ValueError, match="mean: the mean of no elements"):
        on_cuda(np.ones((0, 1), np.float32)).mean()
    with pytest.raises(NotImplementedError, match=r"t\[...\] = value is not implemented on 'cuda'.*\.data"):
        x[0] = 1.0


def test_a_step_stays_on_the_device(traffic):
    """No values cross in a step but the loss that is asked for."""
    if traffic is None:
        pytest.skip("transfers are counted by the stand-in for a GPU only")
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to("cuda")
    optimizer, loss_fn = optim.Adam(model.parameters(), lr=0.1), nn.MSELoss()
    x, y = on_cuda(np.ones((5, 3), np.float32)), on_cuda(np.zeros((5, 1), np.float32))
    for _ in range(3):
        traffic.clear()
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
    assert traffic["to device"] == traffic["to host"] == 0 and traffic["launches"] > 10
    loss.item()
    assert traffic["to host"] == 1


@needs_cuda
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # as in test_optimizers_properties.py
@pytest.mark.sampled(one_in=6, each=("property_id",))
@pytest.mark.parametrize(("property_id", "name"), PROPERTIES_ON_CUDA)
def test_property_of_an_optimizer(property_id, name):
    rng = np.random.default_rng(0)
    spec = specification(name, None, having(name, momentum=0.5))
    dtype = informative(spec, np.float32)
    params = [raised(spec, each.astype(dtype)) for each in (rng.normal(size=3), np.ones(()), np.zeros((0, 2)))]
    params = params[:1] if spec.family.coupled else params
    gradients = [[np.asarray(rng.normal(size=p.shape), dtype) for p in params] for _ in range(2)]
    if property_id == "P1.range":
        gradients[1][0] *= np.finfo(dtype).max ** dtype(0.78)
    make = guarded(
        maker(name, None, "cuda"), spec, {}
    )  # cases of a property's own ask for settings that may be refused
    with what_a_setting_excludes(property_id):
        PROPERTIES[property_id](make, Case(spec, params, gradients))


@needs_cuda
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_parameters_of_no_elements(name):
    for shapes in ([(3,), (0,)], [(0,), (2, 3)], [(2, 0)], [(2, 0), (0,)], [(3,), (2, 0), ()]):
        params = [on_cuda(np.ones(shape, np.float32), requires_grad=True) for shape in shapes]
        optimizer = optim.OPTIMIZERS[name](params, lr=0.1)
        for _ in range(2):
            for param in params:
                param.grad = np.ones(param.shape)
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        assert all((host(param._data) < 1).all() for param in params)


@needs_cuda
def test_what_was_handed_out_is_watched_on_the_device_too():
    weight, x = on_cuda([[1.0, 2.0]], requires_grad=True), on_cuda([[3.0, 4.0]], requires_grad=True)
    assert weight.data is weight._data and x.data is x._data
    out = apply(OPS["linear"], (x, weight)).relu()
    out.backward([[1.0]])
    assert host(weight.grad).tolist() == [[3.0, 4.0]] and host(x.grad).tolist() == [[1.0, 2.0]]
    out = weight.tanh()
    weight.data = [[0.0, 0.0]]
    out.data.copy_to_device(np.zeros((1, 2), np.float32))
    with pytest.raises(RuntimeError, match="backward through tanh: its output"):
        out.backward([[1.0, 1.0]])


@needs_cuda
def test_the_articles_example(capsys, monkeypatch):
    if cuda.is_simulated():
        pytest.skip("takes the simulator 10 s; the stand-in for a GPU runs it where tests are compiled")
    main_on_cuda = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "article.py"))["main"]
    found = main_on_cuda()
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    expected = main_on_cuda()
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    # 100 steps of Adam: every rounding of a gradient moves the weights by up to a few units of 2^-24, and those add up
    np.testing.assert_allclose([loss for *_, loss in found], [loss for *_, loss in expected], rtol=1e-4)


@pytest.mark.gpu
def test_a_real_gpu_trains_the_articles_model():
    tinygrad_lr.manual_seed(0)
    x = randn(4096, 10)
    y = tensor(x.data @ np.arange(1.0, 11.0, dtype=np.float32)[:, None])
    model = nn.Linear(10, 1).to("cuda")
    optimizer, loss_fn = optim.Adam(model.parameters(), lr=0.1), nn.MSELoss()
    x, y = x.to("cuda"), y.to("cuda")
    first = last = None
    for _ in range(300):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        last = loss.item()
        first = last if first is None else first
    assert last < 0.01 * first


@wraps
@needs_cuda
def test_dropout_draws_the_masks_of_the_cpu():
    x = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    found = []
    for device in ("cpu", "cuda"):
        tinygrad_lr.manual_seed(3)
        given = Tensor(x, requires_grad=True, device=device)
        out = nn.Dropout(0.4)(nn.Dropout(0.3)(given))
        out.sum().backward()
        found.append([host(out._data).tolist(), host(given.grad).tolist()])
    assert found[0] == found[1]


WEIGHTS = np.array([1.0, 2.0, 0.5], "f4")
NEEDS_NOTHING = [
    nn.LeakyReLU(),
    nn.ELU(0.5),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Softplus(),
    nn.Softplus(2.0, 5.0),
]
NEEDS_NOTHING += [nn.Softmax(1), nn.Softmax(0), nn.LogSoftmax(-1), nn.LogSigmoid(), nn.Identity(), nn.Dropout(0.5)]
NEEDS_NOTHING += [nn.LayerNorm(3), nn.LayerNorm([4, 3], bias=False), nn.LayerNorm(3, elementwise_affine=False)]
LOSSES = [nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCEWithLogitsLoss, nn.CrossEntropyLoss]


def losses_of(reduction):
    """Losses and the kinds of their targets."""
    shares = [cls(reduction=reduction) for cls in LOSSES]
    shares += [nn.SmoothL1Loss(reduction, beta=0.0), nn.BCEWithLogitsLoss(pos_weight=WEIGHTS, reduction=reduction)]
    weighted = nn.CrossEntropyLoss(WEIGHTS, reduction=reduction, label_smoothing=0.1)
    return [(each, "shares") for each in (*shares, weighted)] + [(weighted, "classes"), (shares[5], "classes")]


@wraps
@needs_cuda
def test_every_module_and_loss_runs_on_the_device():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    targets = {"shares": np.abs(x) / 4, "classes": np.array([0, 2, 1, 1])}
    calls = [(module, None) for module in NEEDS_NOTHING]
    calls += [each for reduction in ("mean", "sum", "none") for each in losses_of(reduction)]
    for module, kind in calls:
        found = []
        for device in ("cpu", "cuda"):
            tinygrad_lr.manual_seed(3)
            given = Tensor(x, True, device=device)
            out = module.to(device)(given, *([] if kind is None else [Tensor(targets[kind], device=device)]))
            out.backward(np.ones(out.shape, "f4"))
            found.append((host(out._data), host(given.grad)))
        # three numbers of size 1 at most are added, after functions within 8 units
        assert all(np.allclose(*pair, rtol=1e-5, atol=1e-5) for pair in zip(*found, strict=True)), (module, kind)
