"""The kernels as machine code: every variant runs the same bits compiled, as Python and over NumPy arrays, and every
CUDA loop compiles to PTX without a GPU, with no double-precision arithmetic in a float32 kernel."""

import os
import re
import subprocess
import sys
import threading

import kernel_rows
import numpy as np
import pytest
from cuda_cases import ptx
from kernel_rows import drawn, of_factors, of_matrices, of_measures, of_rules, rows, special

from tinygrad_lr import cuda, optim
from tinygrad_lr.kernels import Kernel, _jit, _kernel, _run
from tinygrad_lr.kernels.updates.hessian import AVERAGE

KERNELS = {**rows(), "hessian-averaged": AVERAGE}
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def after(kernel, backend, arrays, scalars):
    arrays = [array.copy() for array in arrays]
    _run.run(kernel, backend, arrays, scalars)
    return [array.tobytes() for array in arrays]


def by_the_rule(kernel, arrays, scalars):
    """One element after the other, by the rule as plain Python."""
    expected = [array.copy() for array in arrays]
    rule = _jit.uncompiled(kernel.rule)
    with np.errstate(all="ignore"):
        for i in range(arrays[0].size):
            results = rule(expected[0][i], expected[1][i], *(state[i] for state in expected[2:]), *scalars)
            for target, value in zip((expected[0], *expected[2:]), results, strict=True):
                target[i] = value
    return [array.tobytes() for array in expected]


@every_kernel
@every_dtype
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 33])
def test_loop_equals_python_rule_equals_numpy(kernel, dtype, size):
    arrays, scalars = drawn(kernel, size, dtype)
    expected = by_the_rule(kernel, arrays, scalars)
    assert after(kernel, "numba", arrays, scalars) == expected
    assert after(kernel, "numpy", arrays, scalars) == expected


@every_kernel
@every_dtype
def test_loop_equals_python_rule_equals_numpy_at_zeros_and_subnormal_numbers(kernel, dtype):
    arrays, scalars = special(kernel, dtype)
    expected = by_the_rule(kernel, arrays, scalars)
    assert after(kernel, "numba", arrays, scalars) == expected
    assert after(kernel, "numpy", arrays, scalars) == expected


@every_kernel
def test_special_values_agree_between_loop_and_numpy(kernel):
    special = np.array([0.0, -0.0, 1e-45, -1e-40, 1e38, -1e38, np.inf, -np.inf, np.nan, 1.0], np.float32)
    arrays, scalars = drawn(kernel, 100, np.float32)
    arrays[0][:], arrays[1][:] = np.repeat(special, 10), np.tile(special, 10)
    expected, found = ([array.copy() for array in arrays] for _ in range(2))
    _run.run(kernel, "numba", expected, scalars)
    _run.run(kernel, "numpy", found, scalars)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@every_kernel
def test_bits_do_not_depend_on_the_number_of_threads(kernel, monkeypatch):
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 10)
    arrays, scalars = drawn(kernel, 137, np.float32)
    results = []
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(_run, "_threads", threads)
        results.append(after(kernel, "numba", arrays, scalars))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("states", range(5))
def test_the_loops_of_each_number_of_states(states):
    """With a rule of this file, and so outside the package: in Numba, NumPy and as plain Python."""
    rule = (none_of, one_of, two_of, three_of, four_of)[states]
    kernel = Kernel(rule, tuple("abcd"[:states]))
    assert kernel.scalars == ("first", "second") and kernel.gpu is not None
    assert kernel.module == __name__
    arrays, scalars = drawn(kernel, 33, np.float32)
    assert after(kernel, "numba", arrays, scalars) == after(kernel, "numpy", arrays, scalars)
    assert after(kernel, "numpy", arrays, scalars) == by_the_rule(kernel, arrays, scalars)


@_jit.compiled
def none_of(param, grad, first, second):
    return (first * param - second * grad,)


@_jit.compiled
def one_of(param, grad, a, first, second):
    return first * param - second * grad, a + grad


@_jit.compiled
def two_of(param, grad, a, b, first, second):
    return first * param - second * grad, a + grad, b - a


@_jit.compiled
def three_of(param, grad, a, b, c, first, second):
    return first * param - second * grad, a + grad, b - a, c * b


@_jit.compiled
def four_of(param, grad, a, b, c, d, first, second):
    return first * param - second * grad, a + grad, b - a, c * b, d - c


def test_a_kernel_of_more_states_says_where_loops_stand():
    with pytest.raises(ValueError, match=r"at most 5 states, got a, b, c, d, e, f; add loops .* kernels/_kernel\.py"):
        Kernel(none_of, tuple("abcdef"))


def test_a_loop_without_a_kernel_has_no_rule():
    with pytest.raises(TypeError):
        _kernel.cpu0(np.ones(1), np.ones(1), 0.5)


def test_every_file_of_updates_is_in_the_table():
    """What the others of these tests run over: no file can be left out."""
    judged = {*of_rules(), *of_measures(), *of_factors(), *of_matrices()}
    assert {cls.kernels for cls in optim.OPTIMIZERS.values()} <= judged
    assert all(kernel.rule is not None for kernel in KERNELS.values())


def test_what_a_file_of_kernels_lacks_is_said_in_a_sentence(monkeypatch):
    table = {"plain": Kernel(one_of, ("a",)), "blocks": Kernel(None, ("a",), block_loop=one_of)}
    monkeypatch.setattr(kernel_rows.loaded("sgd"), "KERNELS", table)
    monkeypatch.setattr(kernel_rows, "optimizers_of", lambda name: {})
    found = kernel_rows.lacks("sgd")
    assert found[0] == "no optimizer of optim.OPTIMIZERS uses kernels/updates/sgd.py"
    assert f"sgd.KERNELS['plain'] takes its rule from {__name__}; write it in the file itself" in found
    assert "the rule of sgd.KERNELS['plain'] takes no scalar 'sign', which multiplies the gradient" in found
    assert "sgd.KERNELS['blocks'] has no rule" in found


def test_steps_of_several_sizes_in_several_threads(monkeypatch):
    """Each size is cut into another number of chunks."""
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 10)
    monkeypatch.setattr(_run, "_threads", 4)
    kernel = KERNELS["adam-plain"]
    cases = [drawn(kernel, size, np.float32) for size in (25, 35, 45)]
    expected = [after(kernel, "numpy", *case) for case in cases]
    found: list = [[], [], []]

    def steps(i):
        for _ in range(30):
            found[i].append(after(kernel, "numba", *cases[i]))

    threads = [threading.Thread(target=steps, args=(i,)) for i in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[bits] * 30 for bits in expected]


def test_numpy_runs_in_blocks(monkeypatch):
    monkeypatch.setattr(_run, "BLOCK", 5)
    kernel = KERNELS["adam-plain"]
    arrays, scalars = drawn(kernel, 23, np.float32)
    assert after(kernel, "numpy", arrays, scalars) == after(kernel, "numba", arrays, scalars)


@pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: there is no machine code to look at")
@every_kernel
def test_cpu_loop_is_vectorised_without_double_arithmetic(kernel):
    import numba

    arrays, scalars = drawn(kernel, 8, np.float32)
    loop = numba.njit(**_jit._FLAGS)(kernel.loop.py_func)  # code from the cache cannot be inspected
    loop(*arrays, scalars)
    (assembly,) = loop.inspect_asm().values()
    assert re.search(r"\bv?mulps\b|\bfmul\s+v\d+\.4s", assembly), "no packed single-precision product"
    assert not re.search(r"\bv?(mul|add|div|sqrt)[ps]d\b", assembly), "double-precision arithmetic"
    assert not re.search(r"\bvf(n?m(add|sub))\d*[ps]s\b", assembly), "contracted: not the formula's roundings"


@pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: there is no machine code to look at")
def test_the_look_at_machine_code_sees_double_arithmetic():
    import numba

    @numba.njit(error_model="numpy")
    def promoted(param, beta):
        for i in range(param.size):
            param[i] = (1 - beta) * param[i]  # the integer literal makes float64 of a float32

    promoted(np.ones(8, np.float32), np.float32(0.5))
    (assembly,) = promoted.inspect_asm().values()
    assert re.search(r"\bv?(mul|add|div|sub)[ps]d\b|\bfmul\s+[vd]", assembly)


def update_ptx(kernel, dtype, monkeypatch):
    from numba import types

    number = types.float32 if dtype is np.float32 else types.float64
    array = types.Array(number, 1, "C")
    scalars = types.UniTuple(number, len(kernel.scalars))
    return ptx(kernel.gpu, (array,) * (2 + len(kernel.states)) + (scalars,), monkeypatch)


@pytest.mark.sampled(one_in=3, each=("kernel",))
@every_kernel
@every_dtype
def test_cuda_loop_compiles_to_ptx_for_compute_capability_9_0(kernel, dtype, monkeypatch):
    text = update_ptx(kernel, dtype, monkeypatch)
    assert ".target sm_90" in text
    assert ".approx" not in text, "an approximate division or root"
    if dtype is np.float32:
        # Addresses are integers; a double in a float32 kernel would be a scalar that was not cast on the host.
        assert ".f64" not in text


@pytest.mark.filterwarnings("ignore:.*encountered in sqrt:RuntimeWarning")  # of a drawn state that became negative
@pytest.mark.skipif(
    not cuda.is_simulated(), reason="runs on the CUDA simulator: NUMBA_DISABLE_JIT=1 NUMBA_ENABLE_CUDASIM=1 pytest"
)
@every_kernel
@every_dtype
@pytest.mark.parametrize("size", [1, 9, 300])
def test_simulated_cuda_loop_equals_cpu_loop(kernel, dtype, size):
    from numba import cuda as numba_cuda

    if size == 300 and kernel is not KERNELS["sgd-plain"]:
        size = 33  # several blocks are simulated once; the launch is the same code for every kernel
    arrays, scalars = special(kernel, dtype) if size == 9 else drawn(kernel, size, dtype)
    on_device = [numba_cuda.to_device(array) for array in arrays]
    _run.run(kernel, "cuda", on_device, scalars)
    assert [array.copy_to_host().tobytes() for array in on_device] == after(kernel, "numba", arrays, scalars)


def test_a_thread_index_outside_a_kernel_says_so():
    with pytest.raises(RuntimeError, match="only defined inside a CUDA kernel"):
        _jit.thread_index()


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "2"])
def test_number_of_threads_is_checked(count):
    with pytest.raises(ValueError, match="number of threads must be a whole number of at least 1"):
        _run.set_num_threads(count)


def in_a_new_process(code, **environment):
    """Run code in a process of its own; its standard output and error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )
    return done.returncode, done.stdout.strip(), done.stderr


STEP = """
from tinygrad_lr import optim, tensor, backend
w = tensor([1.0, 2.0], requires_grad=True); o = optim.Adam([w]); w.grad = [1.0, -3.0]; o.step()
import sys; print(backend.get(), 'numba' in sys.modules, w.data.tobytes().hex())
"""


def test_numpy_backend_keeps_numba_out_and_gives_the_same_bits():
    _, numpy_says, _ = in_a_new_process(STEP, TINYGRAD_LR_BACKEND="numpy")
    _, numba_says, _ = in_a_new_process(STEP, TINYGRAD_LR_BACKEND="numba")
    assert numpy_says.startswith("numpy False ") and numba_says.startswith("numba True ")
    assert numpy_says.split()[-1] == numba_says.split()[-1]


WITHOUT_NUMBA = """
import sys, warnings; sys.modules['numba'] = None
import importlib.util; find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == 'numba' else find(name, *a)
"""


def test_without_numba_it_runs_on_numpy_and_warns_once():
    code = WITHOUT_NUMBA + "warnings.simplefilter('always')\n" + STEP + "o.step()"
    status, said, errors = in_a_new_process(code)
    assert status == 0, errors
    assert said.startswith("numpy")
    assert errors.count("Numba is not installed") == 1


@pytest.mark.parametrize(
    ("environment", "code", "message"),
    [
        ({"TINYGRAD_LR_BACKEND": "tpu"}, STEP, "must be 'numba' or 'numpy', got 'tpu'"),
        ({"TINYGRAD_LR_BACKEND": "numba"}, WITHOUT_NUMBA + STEP, "Numba is not installed: `pip install numba`"),
        ({"TINYGRAD_LR_NUM_THREADS": "many"}, "import tinygrad_lr as t; t.get_num_threads()", "got 'many'"),
    ],
)
def test_environment_variables_are_checked(environment, code, message):
    status, _, errors = in_a_new_process(code, **environment)
    assert status == 1 and message in errors
