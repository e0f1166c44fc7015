"""The files of compiled kernels: found again, shared, damaged, of another machine or version, read-only, full."""

import os
import sys

import numpy as np
import pytest
from startup_cases import STEP, compiling, finish, hits_and_misses, kept, start
from store_cases import SOURCE, files_of, imported, with_small_module

from tinygrad_lr.kernels import _cache, _jit


@pytest.fixture
def home(tmp_path, monkeypatch):
    return with_small_module(tmp_path, monkeypatch)


@compiling
def test_a_function_is_compiled_once_and_found_again(home):
    small = imported(home)
    assert small.scaled(2.0, 3.0) == 12.0 and hits_and_misses(small.scaled) == (0, 1)
    small = imported(home)
    assert small.scaled(2.0, 3.0) == 12.0 and hits_and_misses(small.scaled) == (1, 0)
    assert small.scaled(2, 3) == 12 and hits_and_misses(small.scaled) == (1, 1), "another signature, another file"
    assert len(files_of(home, "scaled")) == len(files_of(home, "twice")) == 2
    assert not [path for path in kept(home / "cache") if not path.endswith(".kernel")]
    assert small.scaled.stats.cache_path == str(_cache.folder_of(str(home / "small.py")))
    small.scaled._cache.flush()
    assert not files_of(home, "scaled") and files_of(home, "twice")


@compiling
def test_what_another_kernel_called_is_not_taken_for_what_python_calls(home):
    """`*numbers` has a type of its own in a compiled call, written like Python's: each call would read the file."""
    (home / "small.py").write_text(
        SOURCE + "\n@compiled\ndef all_of(*numbers):\n    return sum(numbers)\n"
        "\n@compiled\ndef around(a):\n    return all_of(a, a)\n"
    )
    assert imported(home).around(2.0) == 4.0
    for expected in ((0, 1), (1, 0)):
        small = imported(home)
        assert small.all_of(2.0, 2.0) == small.all_of(2.0, 2.0) == 4.0
        assert hits_and_misses(small.all_of) == expected


@compiling
@pytest.mark.parametrize("damage", ["empty", "truncated", "last byte", "one bit", "not ours"])
def test_a_damaged_file_is_compiled_anew_and_put_right(home, damage):
    assert imported(home).twice(2.0) == 4.0
    (path,) = files_of(home, "twice")
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "truncated": whole[:half],
            "last byte": whole[:-1],
            "not ours": b"\x80\x04N.",
            "one bit": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        }[damage]
    )
    small = imported(home)
    assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (0, 1)
    small = imported(home)
    assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (1, 0)


@compiling
@pytest.mark.parametrize("what", ["processor", "numba", "llvmlite", "python", "kernels"])
def test_a_cache_of_another_machine_or_version_is_ignored(home, monkeypatch, what):
    import llvmlite
    import numba
    from numba.core.codegen import JITCPUCodegen

    assert imported(home).twice(2.0) == 4.0
    with monkeypatch.context() as other:
        if what == "processor":
            other.setattr(JITCPUCodegen, "magic_tuple", lambda self: ("x86_64", "another", "+none"))
        elif what == "kernels":  # a rule that this one calls may stand in another file
            other.setattr(_cache, "digest_of_kernels", lambda: "another")
        elif what == "python":
            other.setattr(sys.implementation, "cache_tag", "cpython-399")
        else:
            other.setattr({"numba": numba, "llvmlite": llvmlite}[what], "__version__", "0.0.0")
        small = imported(home)
        assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (0, 1)
    small = imported(home)
    assert small.twice(2.0) == 4.0
    if what != "kernels":
        assert hits_and_misses(small.twice) == (1, 0), "each has its own file"


@compiling
def test_a_file_under_another_ones_name_is_ignored(home):
    small = imported(home)
    assert small.twice(2.0) == 4.0
    (of_floats,) = files_of(home, "twice")
    assert small.twice(2) == 4
    (of_integers,) = set(files_of(home, "twice")) - {of_floats}
    of_floats.write_bytes(of_integers.read_bytes())
    small = imported(home)
    assert small.twice(2.5) == 5.0 and hits_and_misses(small.twice) == (0, 1)


@compiling
def test_a_changed_source_is_compiled_anew_and_the_old_machine_code_goes(home):
    assert imported(home).twice(2.0) == 4.0
    before = files_of(home, "twice")
    (home / "small.py").write_text(SOURCE.replace("return a + a", "return 0 * a"))
    assert imported(home).twice(2.0) == 0.0
    after = files_of(home, "twice")
    assert len(before) == len(after) == 1 and before != after
    os.utime(home / "small.py", (1, 1))  # a copy of the same file, as in a container
    small = imported(home)
    assert small.twice(2.0) == 0.0 and hits_and_misses(small.twice) == (1, 0)


@compiling
def test_what_is_loaded_can_be_compiled_into_something_new(home):
    assert imported(home).twice(2.0) == 4.0
    small = imported(home)
    assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (1, 0)
    assert small.scaled(2.0, 3.0) == 12.0 and hits_and_misses(small.scaled) == (0, 1)


@compiling
def test_unknown_symbols_bring_in_all_that_numba_has():
    from tinygrad_lr.kernels import _store

    _jit.maximum(1.0, 2.0)  # Numba's runtime is there from now on
    refreshed = []

    class Context:
        def refresh(self):
            refreshed.append(True)

    _store._know(["NRT_adapt_ndarray_from_python", "llvm.fabs.f64"], Context())
    assert not refreshed
    _store._know(["tinygrad_lr_has_no_such_symbol"], Context())
    assert refreshed


@compiling
def test_a_kernel_that_calls_blas_is_loaded_by_a_new_process(home):
    """LLVM ends the process where a symbol is missing."""
    pytest.importorskip("scipy", reason="Numba's matrix products need SciPy")
    (home / "product.py").write_text(
        "import numpy as np\nfrom tinygrad_lr.kernels._jit import compiled\n\n\n@compiled\ndef product(a, b, out):\n"
        "    np.dot(a, b, out)\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport numpy as np\nfrom product import product\n"
        "a, out = np.arange(4.0).reshape(2, 2), np.zeros((2, 2)); product(a, a, out)\n"
        "print(out.ravel().tolist(), len(product.stats.cache_hits))"
    )
    assert finish(start(code, home))[0] == "[2.0, 3.0, 6.0, 11.0] 0"
    assert finish(start(code, home))[0] == "[2.0, 3.0, 6.0, 11.0] 1"


@compiling
def test_processes_that_start_at_once_on_an_empty_cache(tmp_path):
    """Of two types: Numba's own cache numbers both files 1, and each process then finds the other's code."""
    codes = [STEP.format(dtype=dtype) for dtype in ("float32", "float64", "float32")]
    said = [finish(each) for each in [start(code, NUMBA_CACHE_DIR=str(tmp_path)) for code in codes]]
    assert not [errors for _, errors in said if errors]
    assert said[0] == said[2] and [line.split()[0] for line, _ in said[:2]] == ["float32", "float64"]
    before = kept(tmp_path)
    assert len(before) == 6 and all(path.endswith(".kernel") for path in before), "a rule and two loops of each type"
    assert finish(start(codes[0], NUMBA_CACHE_DIR=str(tmp_path))) == said[0]
    assert finish(start(codes[1], NUMBA_CACHE_DIR=str(tmp_path))) == said[1]
    assert kept(tmp_path) == before


@compiling
def test_an_unwritable_cache_folder_warns_once_and_works(tmp_path):
    (tmp_path / "file").touch()
    code = STEP.format(dtype="float32") + "print(backend.cache_folder())"
    said, errors = finish(start(code, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache")))
    assert said.splitlines()[0] == "float32 " + np.array([0.5, 1.0], np.float32).tobytes().hex()
    assert said.endswith(
        "cannot be written to (Not a directory); set NUMBA_CACHE_DIR to a folder that can be written to"
    )
    assert errors.count("RuntimeWarning") == 1 and errors.count("Set NUMBA_CACHE_DIR to a folder") == 1


@compiling
def test_a_filled_cache_that_cannot_be_written_to_is_read(home, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_cache, "refusal", "")
    assert imported(home).twice(2.0) == 4.0
    monkeypatch.setattr(_cache, "write_bytes", refuse)
    small = imported(home)
    assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (1, 0)
    with pytest.warns(RuntimeWarning, match="cannot be kept on disk .*Set NUMBA_CACHE_DIR") as seen:
        assert small.twice(2) == 4 and small.scaled(2, 3) == 12
    assert len(seen) == 1


@compiling
def test_a_function_without_a_source_file_is_not_kept(monkeypatch):
    monkeypatch.setattr(_cache, "refusal", "")
    names = {"compiled": _jit.compiled}
    with pytest.warns(RuntimeWarning, match="cannot be kept on disk"):
        exec(compile(SOURCE.partition("@compiled\ndef scaled")[0], "/nowhere/at/all.py", "exec"), names)
    assert names["twice"](2.0) == 4.0


RULES = """
from tinygrad_lr.kernels import Kernel, compiled
{imports}

@compiled
def up(param, grad, lr):
    return (param + lr * grad,)

@compiled
def down(param, grad, lr):
    return (param - lr * {what},)

KERNELS = {{"up": Kernel(up, ()), "down": Kernel(down, ())}}
"""


def step(kernel):
    """Where one step from 1 with the gradient 2 and lr = 0.5 leads, and (hits, misses) of the loop."""
    param, grad = np.ones(4), np.full(4, 2.0)
    kernel.loop(param, grad, np.array([0.5]))
    return param[0], hits_and_misses(kernel.loop)


@compiling
def test_loops_of_two_rules_are_not_mixed_and_found_again(home):
    """All loops are copies of one: only the rules that they are bound to differ."""
    (home / "small.py").write_text(RULES.format(imports="", what="grad"))
    for expected in ((0, 1), (1, 0)):
        kernels = imported(home).KERNELS
        assert step(kernels["up"]) == (2.0, expected) and step(kernels["down"]) == (0.0, expected)
        assert step(kernels["up"])[0] == 2.0
    for name in ("up", "up.cpu", "up.unpacking", "down", "down.cpu", "down.unpacking"):
        assert len(files_of(home, name)) == 1, "in the name of the rule's file"
    (home / "small.py").write_text(RULES.format(imports="", what="grad * grad"))
    kernels = imported(home).KERNELS
    assert step(kernels["down"]) == (-1.0, (0, 1)), "a changed rule has another loop"


@compiling
def test_a_kernel_whose_loop_is_bound_to_another_rule_has_its_own_machine_code(home):
    """Of the same name, as in a mutant of a rule or in a test's copy."""
    (home / "small.py").write_text(RULES.format(imports="", what="grad"))
    small = imported(home)
    assert step(small.KERNELS["up"])[0] == 2.0
    code = small.down.py_func.__code__.replace(co_name="up", co_qualname="up") if sys.version_info >= (3, 11) else None
    if code is None:
        code = small.down.py_func.__code__.replace(co_name="up")
    other = type(small.down.py_func)(code, vars(small), "up")
    other.__module__, other.__qualname__ = "small", "up"
    assert step(_jit_kernel(other)) == (0.0, (0, 1))


def _jit_kernel(rule):
    from tinygrad_lr.kernels import Kernel

    return Kernel(_jit.compiled(rule), ())


@compiling
def test_a_changed_function_in_another_file_is_noticed(home, monkeypatch):
    """Numba's own cache does not (numba #1833)."""
    monkeypatch.syspath_prepend(str(home))
    helper = "from tinygrad_lr.kernels import compiled\n\n\n@compiled\ndef of(x):\n    return {} * x\n"
    (home / "small.py").write_text(RULES.format(imports="from helper import of", what="of(grad)"))
    for factor, arrives in ((1.0, 0.0), (3.0, -2.0)):
        monkeypatch.delitem(sys.modules, "helper", raising=False)
        (home / "helper.py").write_text(helper.format(factor))
        for expected in ((0, 1), (1, 0)):
            assert step(imported(home).KERNELS["down"]) == (arrives, expected)
    monkeypatch.delitem(sys.modules, "helper")


@compiling
def test_a_number_that_a_function_reads_is_part_of_its_key(home):
    (home / "small.py").write_text(
        "from tinygrad_lr.kernels import compiled\nFACTOR = 2.0\n\n\n@compiled\ndef of(x):\n    return FACTOR * x\n"
    )
    small = imported(home)
    small.FACTOR = 3.0
    assert small.of(1.0) == 3.0
    small = imported(home)
    assert small.of(1.0) == 2.0 and hits_and_misses(small.of) == (0, 1)
