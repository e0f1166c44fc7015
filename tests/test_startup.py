"""Starting up: what is imported when, `warmup` and `info --timings`. The files of kernels: test_kernel_store.py."""

import errno
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from startup_cases import STEP, compiling, finish, kept, start

from tinygrad_lr import backend, cli, optim, tensor, timings, warmup
from tinygrad_lr.kernels import _cache, _jit
from tinygrad_lr.optim.plan import kernels as kernels_of

HEAVY = ("numba", "llvmlite", "scipy", "matplotlib", "hypothesis", "tqdm", "importlib.metadata")

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


FIRST_STEPS = """
import sys, threading
from tinygrad_lr import optim, tensor
sys.setswitchinterval(1e-6)
together = threading.Barrier(6)
def train(kind):
    w = tensor([1.0, 2.0], requires_grad=True)
    together.wait()
    optimizer = kind([w], lr=0.5)
    w.grad = w.data
    optimizer.step(max_norm=9.0)
    made.append(w.data.tolist() != [1.0, 2.0])
made = []
threads = [threading.Thread(target=train, args=(kind,)) for kind in [*optim.OPTIMIZERS.values(), optim.AdamW]]
for each in threads: each.start()
for each in threads: each.join()
print(made)
"""


def test_first_steps_in_several_threads_at_once():
    """Each of them imports Numba, loads kernels and calls them, or waits for another one that does."""
    assert finish(start(FIRST_STEPS)) == (str([True] * 6), "")


# --- the cache folder ---------------------------------------------------------------------------------------------


def test_whether_a_folder_can_be_written_to_is_found_out_by_writing(tmp_path, monkeypatch):
    """To root, permissions forbid nothing; /proc and a full disk do."""
    assert _cache.why_unwritable(tmp_path / "not" / "there" / "yet") == "" and not os.listdir(tmp_path)
    (tmp_path / "file").touch()
    assert _cache.why_unwritable(tmp_path / "file") == _cache.why_unwritable(tmp_path / "file" / "in it")
    assert _cache.why_unwritable(tmp_path / "file") == "Not a directory"
    if sys.platform == "linux":
        assert _cache.why_unwritable(Path("/proc/nope"))

    def full(**options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert _cache.why_unwritable(tmp_path) == "No space left on device"


def test_how_much_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    others = {"kernels_0/a.kernel": 600_000, "generated/tinygrad_lr_step_0.py": 400_000}
    for name, size in {**others, "kernels_0/notes": 9_000_000, "generated/mine.py": 9_000_000}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    assert sorted(_cache.kept()) == [400_000, 600_000]
    assert backend.cache_size() == "2 files, 1.0 MB; what is removed is compiled anew"


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
