"""The folder of generated files: found again, shared, damaged, full, read-only, several threads at once."""

import errno
import importlib.util
import os
import struct
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
from compiled_cases import flow
from startup_cases import compiling, finish, hits_and_misses, kept, start

from tinygrad_lr import optim
from tinygrad_lr.compiled import generated
from tinygrad_lr.kernels import _cache
from tinygrad_lr.training import fit

TEXT = "from tinygrad_lr.kernels._jit import compiled\n\n\n@compiled\ndef run(a):\n    return a + 1\n"
CALLED = """
from tinygrad_lr.compiled.generated import load
run = load({text!r}).run
print(run(1), sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values()))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "refusal", "")  # it is said once in a process
    return tmp_path / "cache"


def loaded(text=TEXT):
    """The module as a new process would have it."""
    _cache.digest.cache_clear()
    for name in [each for each in sys.modules if each.startswith(generated.NAME)]:
        del sys.modules[name]
    return generated.load(text)


def refuse(number):
    def write_bytes(*arguments):
        raise OSError(number, os.strerror(number))

    return write_bytes


@compiling
def test_machine_code_is_found_by_another_process_also_where_the_folder_was_moved(tmp_path):
    code = CALLED.format(text=TEXT)
    assert finish(start(code, NUMBA_CACHE_DIR=str(tmp_path / "here"))) == ("2 0 1", "")
    before = kept(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert finish(start(code, NUMBA_CACHE_DIR=str(tmp_path / "there"))) == ("2 1 0", "")
    assert len(before) == 2 and list(kept(tmp_path / "there").values()) == list(before.values())


def test_a_module_is_loaded_once(home):
    module = loaded("value = 1\n")
    assert module.value == 1 and generated.load("value = 1\n") is module is sys.modules[module.__name__]


def test_several_threads_find_a_whole_module(home):
    text, found = "import time\n\ntime.sleep(0.05)\nvalue = 1\n", []
    loaded("value = 0\n")
    threads = [threading.Thread(target=lambda: found.append(generated.load(text))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [module.value for module in found] == [1] * 4 and len(set(map(id, found))) == 1


def test_several_threads_train_compiled_at_once():
    loaded("value = 0\n")  # and forget the file of this flow
    flows = [flow(lambda params: optim.Adam(params, lr=0.05)) for _ in range(3)]
    histories: list = []

    def train(made):
        histories.append(fit(*made, epochs=2, progress=False, compiled=True))

    threads = [threading.Thread(target=train, args=(made,)) for made in flows]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(histories) == 3 and len({history.loss.tobytes() for history in histories}) == 1


DAMAGE = {
    "invalid UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "empty": lambda path: path.write_bytes(b""),
    "another program": lambda path: path.write_text("def run(a):\n    return 0\n"),
    "bytecode": lambda path: truncate_bytecode(path),
}


def truncate_bytecode(path):
    """Bytecode that Python takes for that of the file, and that ends after its head."""
    found, place = path.stat(), Path(importlib.util.cache_from_source(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    head = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, int(found.st_mtime), found.st_size)
    place.write_bytes(head)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_put_right(home, damage):
    module = loaded()
    path = home / "generated" / f"{module.__name__}.py"
    assert module.run(1) == 2 and path.read_text() == TEXT and module.__file__ == str(path)
    DAMAGE[damage](path)
    module = loaded()
    assert module.run(1) == 2 and path.read_text() == TEXT
    if hasattr(module.run, "stats"):
        assert hits_and_misses(module.run) == (1, 0)


def test_a_folder_in_the_place_of_a_file_is_one_warning(home):
    name = loaded("value = 1\n").__name__
    path = home / "generated" / f"{name}.py"
    path.unlink()
    path.mkdir()
    with pytest.warns(RuntimeWarning, match="cannot be kept on disk") as seen:
        assert loaded("value = 1\n").value == 1
    assert len(seen) == 1 and path.is_dir() and os.listdir(home / "generated") == [path.name]


def test_a_folder_that_cannot_be_made_is_named_and_training_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(_cache, "refusal", "")
    trained = flow(lambda params: optim.Adam(params, lr=0.05), features=7)  # a file that no other test has loaded
    with pytest.warns(RuntimeWarning, match=r"cannot be kept on disk.*generated.*NUMBA_CACHE_DIR"):
        history = fit(*trained, epochs=30, progress=False, compiled=True)
    assert history.loss[-1] < history.loss[0]
    assert (tmp_path / "file").read_text() == "in the way"


@compiling
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_written_is_one_warning(home, monkeypatch, number):
    with monkeypatch.context() as full:
        full.setattr(_cache, "write_bytes", refuse(number))
        with pytest.warns(RuntimeWarning, match=os.strerror(number)) as seen:
            module = loaded()
            assert module.run(1) == 2 and module.run(1.5) == 2.5
    assert len(seen) == 1 and not kept(home)


@compiling
def test_a_filled_folder_that_cannot_be_written_to_is_read(home, monkeypatch, recwarn):
    assert loaded().run(1) == 2
    before = kept(home)
    monkeypatch.setattr(_cache, "write_bytes", refuse(errno.EROFS))
    monkeypatch.setattr(os, "utime", refuse(errno.EROFS))
    monkeypatch.setattr(generated, "DAY", -1)  # so that its use would be noted
    module = loaded()
    assert module.run(1) == 2 and hits_and_misses(module.run) == (1, 0)
    assert kept(home) == before and not recwarn.list


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # a write of more fails in its midst, as on a full disk
import tinygrad_lr
from tinygrad_lr import optim, tensor
from tinygrad_lr.compiled.generated import load
print(load("value = 1" + 100 * " ").value, load({text!r}).run(1))
w = tensor([1.0, 2.0], requires_grad=True)
w.grad = w.data
optim.SGD([w], lr=0.5).step()
print(w.data.tolist())
"""


@compiling
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
def test_a_full_disk_is_one_warning_for_all_that_would_be_kept(tmp_path):
    said, errors = finish(start(FULL.format(text=TEXT), NUMBA_CACHE_DIR=str(tmp_path)))
    assert said.splitlines() == ["1 2", "[0.5, 1.0]"]
    assert errors.count("RuntimeWarning") == 1 and "cannot be kept on disk" in errors
    assert [os.path.getsize(path) for path in kept(tmp_path)] == [len(TEXT)], "and nothing is half-written"


def test_a_traceback_shows_the_line_where_there_is_no_file(home, monkeypatch):
    monkeypatch.setattr(_cache, "write_bytes", refuse(errno.ENOSPC))
    with pytest.warns(RuntimeWarning, match="cannot be kept"):
        module = loaded("def fails():\n    return 1 / 0  # here\n")
    with pytest.raises(ZeroDivisionError) as caught:
        module.fails()
    assert "return 1 / 0  # here" in "".join(traceback.format_exception(caught.value))


@compiling
def test_what_was_not_used_for_long_goes_when_something_new_comes(home):
    texts = [TEXT.replace("a + 1", f"a + {i}") for i in range(4)]
    for i, text in enumerate(texts[:3]):
        assert loaded(text).run(1) == 1 + i
    (home / "generated" / "notes.txt").write_text("not ours")
    (home / "generated" / f".{generated.NAME}0.py.abc.tmp").write_text("of a process that was killed")
    long_ago = time.time() - (generated.KEPT + 1) * generated.DAY
    unused, used = files_of(home, texts[0]), files_of(home, texts[1])
    for path in [*unused, *used, *(home / "generated").glob("*.t*"), *(home / "generated").glob(".*")]:
        os.utime(path, (long_ago, long_ago))
    assert loaded(texts[1]).run(1) == 2, "which is a use"
    assert loaded(texts[3]).run(1) == 4
    assert len(unused) == len(used) == 2 and not any(path.exists() for path in unused)
    assert all(path.exists() for path in [*used, *files_of(home, texts[2])])
    assert [path.name for path in (home / "generated").glob("*.t*")] == ["notes.txt"]
    module = loaded(texts[1])
    assert module.run(1) == 2 and hits_and_misses(module.run) == (1, 0)
    assert np.isclose(os.path.getmtime(used[0]), time.time(), atol=3600)


def files_of(home, text):
    return list((home / "generated").glob(f"{loaded(text).__name__}.*"))
