"""Starting up: what is imported when, and the cache folder. Its files: test_kernel_store.py, test_generated.py."""

import errno
import os
import sys
from pathlib import Path

import pytest
from startup_cases import STEP, compiling, finish, start

from tinygrad_lr import backend, optim
from tinygrad_lr.kernels import _cache, _jit

HEAVY = ("numba", "llvmlite", "scipy", "matplotlib", "hypothesis", "tqdm", "importlib.metadata")

# --- what is imported ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import tinygrad_lr",
        "from tinygrad_lr import cuda, data, nn, optim, randn, schedules, training",
        "from tinygrad_lr import optim, nn; optim.Adam(nn.Linear(2, 1).parameters())",
        "import tinygrad_lr.cli.commands",
        "from tinygrad_lr import CannotCompile, compile_step",
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
kinds = [*optim.OPTIMIZERS.values(), optim.AdamW]
together = threading.Barrier(len(kinds))
def train(kind):
    w = tensor([1.0, 2.0], requires_grad=True)
    together.wait()
    optimizer = kind([w], lr=0.5)
    for _ in range(2):  # ADOPT's first step only looks
        w.grad = w.data.copy()
        optimizer.step(max_norm=9.0)
    made.append(w.data.tolist() != [1.0, 2.0])
made = []
threads = [threading.Thread(target=train, args=(kind,)) for kind in kinds]
for each in threads: each.start()
for each in threads: each.join()
print(made)
"""


def test_first_steps_in_several_threads_at_once():
    """Each of them imports Numba, loads kernels and calls them, or waits for another one that does."""
    assert finish(start(FIRST_STEPS)) == (str([True] * (len(optim.OPTIMIZERS) + 1)), "")


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


NO_HOME = """
import os, pwd, sys
for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
    os.environ.pop(name, None)
def unknown(user):
    raise KeyError(user)
pwd.getpwuid = unknown
from tinygrad_lr import backend
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another notion of a home")
def test_a_user_without_a_home_gets_no_folder_of_that_name(tmp_path, monkeypatch):
    """In a container whose user has neither HOME nor an entry in passwd."""
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "temporary").chmod(0o1777)
    monkeypatch.chdir(tmp_path / "here")
    path = os.pathsep.join([str(Path(backend.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    code = NO_HOME + STEP.format(dtype="float32") + "print(backend.cache_folder())"
    said, warned = finish(start(code, PYTHONPATH=path, TMPDIR=str(tmp_path / "temporary")))
    assert os.listdir() == [] and warned == ""
    if not _jit.COMPILER_IS_OFF:
        own = tmp_path / "temporary" / f"tinygrad_lr-{os.geteuid()}"
        assert said.splitlines()[-1] == str(own) and own.stat().st_mode & 0o777 == 0o700


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
