"""Starting up: what is imported when, the files of compiled kernels, `warmup` and `info --timings`."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import cli, optim, tensor, timings, warmup
from tinygrad_lr.kernels import _cache, _jit
from tinygrad_lr.optim.plan import kernels as kernels_of

compiling = pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: nothing is compiled or kept")
HEAVY = ("numba", "llvmlite", "scipy", "matplotlib", "hypothesis", "tqdm", "importlib.metadata")
STEP = """
from tinygrad_lr import backend, optim, tensor
w = tensor([1.0, 2.0], requires_grad=True, dtype={dtype!r})
o = optim.SGD([w], lr=0.5); w.grad = w.data; o.step()
print(w.data.dtype, w.data.tobytes().hex())
"""


def start(code, *arguments, **environment):
    """A process of its own, with every warning shown."""
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", code, *map(str, arguments)],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    """What a process said, once it ended well, and its warnings."""
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return said.strip(), errors


def kept(folder):
    """Name and time of change of every file below a folder."""
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


# --- what is imported ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import tinygrad_lr",
        "from tinygrad_lr import cuda, data, nn, optim, randn, schedules, training",
        "from tinygrad_lr import optim, nn; optim.Adam(nn.Linear(2, 1).parameters())",
        "import tinygrad_lr.commands",
    ],
)
def test_importing_brings_in_nothing_heavy(code):
    said, _ = finish(start(f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])"))
    assert said == "[]"


@compiling
def test_a_kernel_from_the_cache_is_loaded_without_what_compiling_needs(tmp_path):
    asks = "import sys; print('numba' in sys.modules, 'numba.np.linalg' in sys.modules, 'scipy.linalg' in sys.modules)"
    code = STEP.format(dtype="float32") + asks
    first, _ = finish(start(code, NUMBA_CACHE_DIR=str(tmp_path)))
    second, _ = finish(start(code, NUMBA_CACHE_DIR=str(tmp_path)))
    assert first.splitlines()[0] == second.splitlines()[0]
    assert first.splitlines()[1].startswith("True True") and second.splitlines()[1] == "True False False"


# --- the files ----------------------------------------------------------------------------------------------------

SOURCE = """
from tinygrad_lr.kernels._jit import compiled

@compiled
def twice(a):
    return a + a

@compiled
def scaled(a, b):
    return twice(a) * b
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python takes a file changed within a second for unchanged
    monkeypatch.delitem(sys.modules, "small", raising=False)
    (tmp_path / "small.py").write_text(SOURCE)
    return tmp_path


def imported(home):
    """The module small.py as a new process would have it: nothing of it is in memory."""
    _cache.digest.cache_clear()
    spec = importlib.util.spec_from_file_location("small", home / "small.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["small"] = module  # a compiled function looks its module up
    spec.loader.exec_module(module)
    return module


def hits_and_misses(function):
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())


def files_of(home, name):
    return sorted((home / "cache").rglob(f"small.{name}-*.kernel"))


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
    path.write_bytes({
        "empty": b"", "truncated": whole[:half], "last byte": whole[:-1], "not ours": b"\x80\x04N.",
        "one bit": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
    }[damage])  # fmt: skip
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
    assert said.endswith("cannot be written to; set NUMBA_CACHE_DIR to a folder that can be written to")
    assert errors.count("RuntimeWarning") == 1 and errors.count("Set NUMBA_CACHE_DIR to a folder") == 1


@compiling
def test_a_filled_cache_that_cannot_be_written_to_is_read(home, monkeypatch):
    from tinygrad_lr.kernels import _store

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_cache, "refusal", "")
    assert imported(home).twice(2.0) == 4.0
    monkeypatch.setattr(_store, "_write", refuse)
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


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    if _jit.WITHOUT_NUMBA:
        pytest.skip("without Numba there is nothing to write")
    from tinygrad_lr.kernels._store import _write

    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        _write(tmp_path / "taken", b"content")
    assert sorted(os.listdir(tmp_path)) == ["taken"]
    _write(tmp_path / "free", b"content")
    assert (tmp_path / "free").read_bytes() == b"content"


def test_where_compiled_kernels_are_kept(tmp_path, monkeypatch):
    """pip would not remove them beside the source, and what is left shadows a later editable installation."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    if sys.platform != "darwin":
        assert _cache.home() == tmp_path / "tinygrad_lr"
    source = tmp_path / "here" / "kernels" / "a.py"
    assert _cache.folder_of(str(source)).parent == _cache.home()
    assert _cache.folder_of(str(source)) == _cache.folder_of(str(source.with_name("b.py")))
    assert _cache.folder_of(str(source)) != _cache.folder_of(str(tmp_path / "there" / "kernels" / "a.py"))


# --- tinygrad-lr warmup and info --timings ------------------------------------------------------------------------


@compiling
def test_after_warmup_training_compiles_nothing(tmp_path):
    program = "import sys; from tinygrad_lr.cli import main; sys.exit(main(sys.argv[1:]))"
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    adam = ("warmup", "--optimizer", "adam", "--dtype", "float32")
    said, _ = finish(start(program, *adam, **cache))
    assert said.splitlines() == ["3 kernels (float32): 3 compiled, 0 already there", f"In {tmp_path / 'cache'}"]
    before = kept(tmp_path / "cache")
    said, _ = finish(start(program, "train", "--out", tmp_path / "run", **cache))
    assert "Held-out R2" in said and kept(tmp_path / "cache") == before
    assert finish(start(program, *adam, **cache))[0].startswith("3 kernels (float32): 0 compiled, 3 already there")


def test_warmup_calls_every_kernel_of_every_optimizer():
    there = {kernel.loop for cls in optim.OPTIMIZERS.values() for kernel in kernels_of(cls.kernels).values()}
    called = [loop for loop, _ in warmup.calls(list(optim.OPTIMIZERS), np.dtype("float32"))]
    assert there <= set(called) and len(called) == len(set(called)) == len(there) + 1


@compiling
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_warmup_compiles_what_a_step_calls(dtype):
    for name, kind in optim.OPTIMIZERS.items():
        parameter = tensor([1.0, 2.0], requires_grad=True, dtype=dtype)
        parameter.grad = parameter.data
        optimizer = kind([parameter], lr=0.1)
        optimizer.step(max_norm=1.0)
        used = kernels_of(kind.kernels)[optimizer.variant(optimizer.param_groups[0])].loop
        before = set(used.signatures)
        (call,) = (call for loop, call in warmup.calls([name], np.dtype(dtype)) if loop is used)
        call()
        assert before and set(used.signatures) == before, name


@compiling
@pytest.mark.parametrize("state_dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_warmup_compiles_what_short_states_call(dtype, state_dtype):
    parameter = tensor([1.0, 2.0], requires_grad=True, dtype=dtype)
    parameter.grad = parameter.data
    optim.AdamW([parameter], state_dtype=state_dtype).step()
    used = kernels_of(f"adam_{state_dtype}")["plain"].loop
    before = set(used.signatures)
    (call,) = (call for loop, call in warmup.calls(["adamw"], np.dtype(dtype), state_dtype) if loop is used)
    call()
    assert before and set(used.signatures) == before
    assert used not in [loop for loop, _ in warmup.calls(["sgd"], np.dtype(dtype), state_dtype)]


def test_warmup_says_why_there_is_nothing_to_compile(monkeypatch, capsys):
    from tinygrad_lr import backend

    with backend.using("numpy"):
        assert cli.main(["warmup"]) == 2
    assert "the NumPy backend compiles nothing; install Numba" in capsys.readouterr().err
    monkeypatch.setattr(_jit, "COMPILER_IS_OFF", True)
    assert cli.main(["warmup"]) == 2 and cli.main(["info", "--timings"]) == 2
    assert capsys.readouterr().err.count("unset TINYGRAD_LR_BACKEND and NUMBA_DISABLE_JIT") == 2


@compiling
def test_warmup_fails_where_nothing_can_be_kept(monkeypatch, capsys):
    monkeypatch.setattr(_cache, "refusal", "No space left on device")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cli.main(["warmup", "--optimizer", "sgd", "--dtype", "float32"]) == 2
    said = capsys.readouterr()
    assert not said.out and "could not be kept (No space left on device); set NUMBA_CACHE_DIR" in said.err


@compiling
def test_timings_of_the_first_step(monkeypatch, capsys):
    monkeypatch.setattr(timings, "OPTIMIZERS", {"sgd": optim.SGD})
    assert cli.main(["info", "--timings"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^.+, \d+ threads$", out, re.MULTILINE)
    for label in timings.IMPORTS:
        assert re.search(rf"^{label} +\d+\.\d{{3}} s   \(median of 2 processes\)$", out, re.MULTILINE), out
    assert re.search(r"^sgd +\d+\.\d{3} s +\d+\.\d{3} s   3, then 0$", out, re.MULTILINE), out
    monkeypatch.setattr(timings, "_CHILD", "raise OSError('out of luck')")
    assert cli.main(["info", "--timings"]) == 2
    assert "the process that was to be timed failed: OSError: out of luck" in capsys.readouterr().err
