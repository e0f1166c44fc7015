"""`tinygrad-lr warmup` and `info --timings`: what is compiled ahead, and that nothing is left to compile."""

import re
import warnings

import numpy as np
import pytest
from startup_cases import compiling, finish, kept, start

from tinygrad_lr import backend, cli, optim, tensor
from tinygrad_lr.cli import timings, warmup
from tinygrad_lr.kernels import _cache, _jit
from tinygrad_lr.kernels.updates.hessian import AVERAGE
from tinygrad_lr.kernels.updates.norm import chunk_sums
from tinygrad_lr.optim.optimizer import kernels as kernels_of
from tinygrad_lr.optim.table import Table
from tinygrad_lr.training import fitting
from tinygrad_lr.training.history import History


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


COUNTING = """
import sys
from numba.core import event
from tinygrad_lr.cli import main

class Listener(event.Listener):
    def on_start(self, each):
        compiled.append(each.data["dispatcher"].__name__)
    def on_end(self, each):
        pass

compiled = []
with event.install_listener("numba:compile", Listener()):
    code = main(sys.argv[1:])
print(len(compiled), "compiled")
sys.exit(code)
"""
TRAINING = (
    "train",
    "--compiled",
    "--epochs=10",
    "--batch-size=103",
    "--optimizer=sgd",
    "--momentum=0.9",
    "--max-norm=1",
)


@compiling
def test_after_warmup_compiled_training_compiles_nothing(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    (said, where, counted), errors = parts(start(COUNTING, "warmup", *TRAINING, **cache))
    about = r"Linear\(10, 1\), sgd, batches of 103, 30 steps in machine code"
    found = re.fullmatch(rf"{about}: (\d+) functions compiled", said)
    assert found and int(found[1]) > 10 and counted == f"{found[1]} compiled"
    assert where == f"In {tmp_path / 'cache'}" and errors == "" and list(tmp_path.iterdir()) == [tmp_path / "cache"]
    before = kept(tmp_path / "cache")
    (*lines, counted), errors = parts(start(COUNTING, *TRAINING, "--out", tmp_path / "run", "--seed=5", **cache))
    assert any(each.startswith("Epoch 1, ") for each in lines) and counted == "0 compiled" and errors == ""
    assert kept(tmp_path / "cache") == before


def parts(process):
    said, errors = finish(process)
    return said.splitlines(), errors


@compiling
def test_warmup_before_a_training_in_python(capsys, tmp_path, monkeypatch):
    """In the cache of this process: how many are compiled depends on what was there, and a second time it is none."""
    monkeypatch.chdir(tmp_path)
    for expected in (r"\d+ functions compiled.*", "0 functions compiled, all were there"):
        assert cli.main(["warmup", "train", "--epochs", "2", "--lr", "1e30"]) == 0, "a training that diverges, too"
        said = capsys.readouterr().out.splitlines()
        assert re.fullmatch(rf"Linear\(10, 1\), adam, batches of 32, 20 steps in Python: {expected}", said[0])
    assert not list(tmp_path.iterdir())


@compiling
def test_ctrl_c_ends_a_warmup(capsys, monkeypatch):
    interrupted = History()
    interrupted.interrupted = True
    monkeypatch.setattr(fitting, "fit", lambda *arguments, **options: interrupted)
    assert cli.main(["warmup", "train", "--compiled"]) == 130
    assert not capsys.readouterr().out


REFUSED = {
    "the state of another optimizer": (
        ["--optimizer=sgd", "--state-dtype=int8"],
        "--state-dtype int8 belongs to adam and adamw, got --optimizer sgd; leave one out",
    ),
    "an option before train": (["--optimizer=sgd", "train"], "--optimizer stands in front of `train`; put what"),
    "a dtype before train": (["--dtype=float64", "train"], "--dtype stands in front of `train`"),
    "states before train": (["--state-dtype=int8", "train"], "--state-dtype stands in front of `train`"),
    "a file to print": (["train", "--show-compiled"], "--show-compiled prints and compiles nothing"),
    "a run that goes on": (["train", "--resume=run"], "--resume trains; put the command that began the run behind"),
    "a GPU": (["train", "--device=cuda"], "every process compiles its own CUDA loops, got --device cuda; leave it out"),
    "no table": (["train", "table.csv", "--compiled"], "table.csv: No such file"),
}


@compiling
@pytest.mark.parametrize("name", REFUSED)
def test_warmup_refuses_what_it_would_not_do(name, capsys):
    arguments, message = REFUSED[name]
    assert cli.main(["warmup", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err and not said.out


def test_warmup_calls_every_kernel_of_every_optimizer():
    there = {kernel.loop for cls in optim.OPTIMIZERS.values() for kernel in kernels_of(cls.kernels).values()}
    called = [loop for loop, _ in warmup.calls(list(optim.OPTIMIZERS), np.dtype("float32"))]
    there |= {AVERAGE.loop, chunk_sums}
    assert there == set(called) and len(called) == len(there)
    assert AVERAGE.loop not in [loop for loop, _ in warmup.calls(["sgd"], np.dtype("float32"))]


@compiling
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_warmup_compiles_what_update_hessian_calls(dtype):
    optim.SophiaH([tensor([1.0], requires_grad=True, dtype=dtype)]).update_hessian([[1.0]])
    before = set(AVERAGE.loop.signatures)
    (call,) = (call for loop, call in warmup.calls(["sophiah"], np.dtype(dtype)) if loop is AVERAGE.loop)
    call()
    assert before and set(AVERAGE.loop.signatures) == before


@compiling
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "cls"), optim.OPTIMIZERS.items(), ids=optim.OPTIMIZERS)
def test_warmup_compiles_what_a_step_calls(name, cls, dtype):
    parameters = [tensor(data, requires_grad=True, dtype=dtype) for data in ([[1.0, 2.0]], [3.0])]
    for parameter in parameters:
        parameter.grad = parameter.data
    optimizer = cls(parameters, lr=0.1)
    optimizer.step(max_norm=1.0)
    for used in (optimizer.kernel(group).loop for group in optimizer.param_groups):
        before = set(used.signatures)
        (call,) = (call for loop, call in warmup.calls([name], np.dtype(dtype)) if loop is used)
        call()
        assert before and set(used.signatures) == before


@compiling
@pytest.mark.sampled(one_in=3)
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
    monkeypatch.setattr(timings, "OPTIMIZERS", Table({"sgd": optim.OPTIMIZERS.rows["sgd"]}))
    assert cli.main(["info", "--timings"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^.+, \d+ threads$", out, re.MULTILINE)
    for label in timings.IMPORTS:
        assert re.search(rf"^{label} +\d+\.\d ms   \(median of 4 processes\)$", out, re.MULTILINE), out
    for name, functions in (("sgd", "3"), ("a compiled step", r"\d\d")):
        assert re.search(rf"^{name} +\d+\.\d{{3}} s +\d+\.\d{{3}} s   {functions}, then 0$", out, re.MULTILINE), out
    monkeypatch.setattr(timings, "_CHILD", "raise OSError('out of luck')")
    assert cli.main(["info", "--timings"]) == 2
    assert "the process that was to be timed failed: OSError: out of luck" in capsys.readouterr().err
