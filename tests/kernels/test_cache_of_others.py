"""The cache of compiled code against another user of the machine, who plants files, folders and links.

As root, a process of another user really does it, or a file is given to that user. Otherwise the system's answer for a
file is changed: it names another owner.
"""

import hashlib
import os
import pickle
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from startup_cases import STEP, compiling, finish, hits_and_misses, kept, start
from store_cases import files_of, imported, with_small_module

from tinygrad_lr import backend
from tinygrad_lr.compiled import generated
from tinygrad_lr.kernels import _cache, _private
from tinygrad_lr.kernels._store import HEAD

OTHER = 65534
pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners and modes to look at")
of_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can run a process of another user; the other tests of this file play one",
)
WARNING = "could run code as you"


@pytest.fixture
def home(tmp_path, monkeypatch):
    return with_small_module(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def as_a_new_process(monkeypatch):
    """Nothing was judged or said yet."""
    monkeypatch.setattr(_private, "_judged", {})
    monkeypatch.setattr(_cache, "refusal", "")
    monkeypatch.setattr(_cache, "_files_refused", False)


@pytest.fixture
def given_away(monkeypatch):
    """Makes another user the owner of a file, a folder or a link."""
    foreign = set()

    def owned_by_other(ask):
        def answer(*arguments, **options):
            found = ask(*arguments, **options)
            return os.stat_result([*found[:4], OTHER, *found[5:]]) if found.st_ino in foreign else found

        return answer

    def give(path):
        if os.geteuid() == 0:
            os.chown(path, OTHER, OTHER, follow_symlinks=False)
        else:
            foreign.add(os.lstat(path).st_ino)

    if os.geteuid() != 0:
        for name in ("lstat", "fstat"):
            monkeypatch.setattr(os, name, owned_by_other(getattr(os, name)))
    return give


class Evil:
    """What runs code when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return exec, (f"open({str(self.marker)!r}, 'w').close()",)


def evil(marker):
    """The bytes of a file of the cache, whole by its hash, that makes a marker when it is unpickled."""
    content = pickle.dumps(Evil(marker))
    return HEAD + hashlib.sha256(content).digest() + content


def filled(home):
    """The file that machine code is found in, and a check that what is planted there would run."""
    assert imported(home).twice(2.0) == 4.0
    (path,) = files_of(home, "twice")
    return path


def runs_safely(home, *, warned=True, hits=0):
    """Call the function as a new process would. Nothing planted runs, and there is one warning that says what to do."""
    _private._judged.clear()
    with pytest.warns(RuntimeWarning, match=WARNING) if warned else nullcontext() as seen:
        small = imported(home)
        assert small.twice(2.0) == 4.0 and hits_and_misses(small.twice) == (hits, 1 - hits)
        assert small.scaled(2.0, 3.0) == 12.0
    assert not (home / "marker").exists()
    if warned:
        (warning,) = seen
        return str(warning.message)
    return ""


@compiling
def test_the_planted_file_would_run_if_it_were_trusted(home, monkeypatch):
    """Otherwise the tests below could not fail."""
    filled(home).write_bytes(evil(home / "marker"))
    monkeypatch.setattr(_private, "_is_trusted", lambda user: True)
    assert imported(home).twice(2.0) == 4.0
    assert (home / "marker").exists()


@compiling
def test_a_file_of_another_user_is_not_read_and_is_replaced(home, given_away):
    path = filled(home)
    path.write_bytes(evil(home / "marker"))
    given_away(path)
    said = runs_safely(home)
    assert f"{path} (mode 0600) belongs to" in said and f"(user {OTHER})" in said or f"user {OTHER}" in said
    assert "not to" in said and "compiled anew" in said
    assert not backend.cache_folder().endswith("is not used"), "the folder is ours"
    assert runs_safely(home, warned=False, hits=1) == "", "the new file is ours"


@compiling
@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602, 0o777])
def test_a_file_that_others_can_write_is_not_read_and_is_replaced(home, mode):
    path = filled(home)
    path.write_bytes(evil(home / "marker"))
    path.chmod(mode)
    said = runs_safely(home)
    assert f"{path} (mode {mode:04o}" in said and f"chmod -R go-w {path}" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    runs_safely(home, warned=False, hits=1)


@compiling
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o722])
@pytest.mark.parametrize("which", ["cache", "inner"])
def test_a_folder_that_others_can_write_is_neither_read_nor_filled(home, mode, which):
    path = filled(home)
    path.write_bytes(evil(home / "marker"))
    folder = home / "cache" if which == "cache" else path.parent
    folder.chmod(mode)
    before = kept(home / "cache")
    said = runs_safely(home)
    assert f"{folder} (mode {mode:04o}" in said and f"chmod go-w {folder}" in said.replace(" -R", "")
    assert "not read and not kept" in said and kept(home / "cache") == before
    if which == "cache":
        assert f"{home / 'cache'} is not used: {folder} (mode" in backend.cache_folder()


@compiling
def test_a_folder_of_another_user_is_neither_read_nor_filled(home, given_away):
    path = filled(home)
    path.write_bytes(evil(home / "marker"))
    given_away(home / "cache")
    before = kept(home / "cache")
    said = runs_safely(home)
    assert f"{home / 'cache'} (mode 0700) belongs to" in said and "set NUMBA_CACHE_DIR to a folder of your own" in said
    assert kept(home / "cache") == before


@compiling
def test_a_link_in_place_of_a_file_is_not_followed(home):
    path = filled(home)
    (home / "elsewhere").write_bytes(evil(home / "marker"))
    path.unlink()
    path.symlink_to(home / "elsewhere")
    assert f"{path} is a symbolic link" in runs_safely(home)
    assert not path.is_symlink() and (home / "elsewhere").exists()


@compiling
@pytest.mark.parametrize("what", ["pipe", "large", "folder", "cut"])
def test_what_is_no_file_of_ours_is_compiled_anew_and_nothing_waits(home, what):
    path = filled(home)
    path.unlink()
    if what == "pipe":
        os.mkfifo(path, 0o600)
    elif what == "folder":
        path.mkdir(0o700)
    else:
        path.write_bytes(HEAD)
        os.truncate(path, _private.MOST + 1 if what == "large" else 20)
        path.chmod(0o600)
    _private._judged.clear()
    with pytest.warns(RuntimeWarning) if what in ("large", "folder") else nullcontext() as seen:
        assert imported(home).twice(2.0) == 4.0
    if what == "large":
        assert "more than any compiled function" in str(seen[0].message)


@compiling
def test_folders_and_files_are_this_users_alone_whatever_the_umask_is(home, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(home / "a" / "b" / "cache"))
    before = os.umask(0)
    try:
        assert imported(home).twice(2.0) == 4.0
        generated.load("value = 'umask'\n")
    finally:
        os.umask(before)
    places = [home / "a", *(home / "a").rglob("*")]
    assert len(places) >= 7
    for path in places:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@compiling
def test_a_cache_of_an_earlier_version_stays_usable(home):
    """Made under umask 022: others can read it and not write it."""
    path = filled(home)
    for each in [home / "cache", path.parent]:
        each.chmod(0o755)
    path.chmod(0o644)
    runs_safely(home, warned=False, hits=1)


def test_the_way_to_the_cache_is_judged_too(tmp_path, given_away):
    way = tmp_path / "way"
    cache = way / "cache"
    _private.make(cache)
    assert _private.fault_of(cache) == ""
    way.chmod(0o777)
    assert f"{way} (mode 0777" in _private.fault_of(cache) and "which leads to it" in _private.fault_of(cache)
    way.chmod(0o1777)
    assert _private.fault_of(cache) == "", "in a sticky folder others cannot replace what is ours"
    cache.chmod(0o1777)
    assert f"{cache} (mode 1777" in _private.fault_of(cache)
    cache.chmod(0o700)
    (tmp_path / "link").symlink_to("way")
    assert _private.fault_of(tmp_path / "link" / "cache") == ""
    assert _private.fault_of(tmp_path / "link" / ".." / "way" / "cache") == ""
    given_away(tmp_path / "link")
    assert "a symbolic link, belongs to" in _private.fault_of(tmp_path / "link" / "cache")
    (tmp_path / "round").symlink_to("round")
    assert _private.fault_of(tmp_path / "round" / "cache")
    given_away(way)
    assert f"{way} (mode 1777) belongs to" in _private.fault_of(cache)
    with pytest.raises(_private.Refused):
        _private.make(way / "another")
    assert not (way / "another").exists(), "nothing is made in a folder of someone else's"


def test_the_group_that_a_user_has_alone_may_write_what_leads_to_the_cache(tmp_path, monkeypatch):
    """As folders made under umask 002 have it. The cache itself may not be written by any group."""
    cache = tmp_path / "way" / "cache"
    _private.make(cache)
    cache.parent.chmod(0o775)
    monkeypatch.setattr(_private, "_is_users_own_group", lambda group: True)
    assert _private.fault_of(cache) == ""
    cache.parent.chmod(0o777)
    assert "which leads to it" in _private.fault_of(cache)
    cache.parent.chmod(0o775)
    monkeypatch.setattr(_private, "_is_users_own_group", lambda group: False)
    assert "which leads to it" in _private.fault_of(cache)
    monkeypatch.undo()
    assert _private._is_users_own_group(2**31 - 7) is False


def test_a_folder_that_is_not_there_is_no_fault_and_the_way_is_judged_before_it_is_made(tmp_path):
    _private.require(tmp_path / "absent" / "cache")
    with pytest.raises(FileNotFoundError):
        _private.fault_of(tmp_path / "absent")
    assert _private.read(tmp_path / "absent" / "file") is None
    tmp_path.chmod(0o777)
    with pytest.raises(_private.Refused, match="which leads to it"):
        _private.make(tmp_path / "absent" / "cache")
    assert os.listdir(tmp_path) == []


def test_a_folder_shared_by_design_has_one_for_each_user(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(shared))
    assert _cache.home() == shared
    shared.chmod(0o1777)
    assert _cache.home() == shared / f"tinygrad_lr-{os.geteuid()}"
    generated.load("value = 'shared'\n")
    assert stat.S_IMODE(_cache.home().stat().st_mode) == 0o700 and len(_cache.kept()) == 1


PLANT = """
import os
from pathlib import Path
os.setgid({other}); os.setuid({other})
for name in {names!r}:
    path = Path("tinygrad_lr-0", name)  # in the folder in which it was started: he may not enter those above
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes.fromhex({content!r}))
    path.parent.chmod(0o777)
Path("tinygrad_lr-0").chmod(0o777)
"""


@compiling
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run a process of another user"
)
def test_another_user_runs_no_code_as_root_through_a_shared_folder(tmp_path):
    """He makes root's folder before root does, and fills it with files under the names that root looks for."""
    shared, code = tmp_path / "shared", STEP.format(dtype="float32")
    shared.mkdir()
    expected = finish(start(code, NUMBA_CACHE_DIR=str(tmp_path / "own")))
    names = [str(path.relative_to(tmp_path / "own")) for path in (tmp_path / "own").rglob("*.kernel")]
    assert names
    shared.chmod(0o1777)
    content = evil(tmp_path / "marker").hex()
    script = PLANT.format(other=OTHER, names=names, content=content)
    subprocess.run([sys.executable, "-S", "-c", script], check=True, cwd=shared)
    before = kept(shared)
    said, errors = finish(start(code, NUMBA_CACHE_DIR=str(shared)))
    assert said == expected[0] and not (tmp_path / "marker").exists()
    assert errors.count("RuntimeWarning") == 1 and WARNING in errors
    assert f"{shared / 'tinygrad_lr-0'} (mode 0777) belongs to" in errors and kept(shared) == before


@compiling
def test_every_user_of_a_shared_folder_keeps_code_of_his_own(tmp_path):
    """Another user's process would have to read Python from where it lies; it is played by one that takes itself for
    his."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    code = STEP.format(dtype="float32")
    for each in (code, f"import os; os.geteuid = lambda: {OTHER if os.geteuid() == 0 else 0}\n{code}"):
        said, errors = finish(start(each, NUMBA_CACHE_DIR=str(shared)))
        assert not errors or os.geteuid() != 0
        before = kept(shared)
        assert finish(start(each, NUMBA_CACHE_DIR=str(shared))) == (said, errors) and kept(shared) == before
    if os.geteuid() == 0:
        assert {path.name for path in shared.iterdir()} == {"tinygrad_lr-0", f"tinygrad_lr-{OTHER}"}
    else:
        assert {path.name for path in shared.iterdir()} == {f"tinygrad_lr-{os.geteuid()}"}


@compiling
def test_a_cache_that_root_made_is_read(home, given_away, monkeypatch):
    """As one in the image of a container, which every user may read and none but root write."""
    path = filled(home)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)
        runs_safely(home, warned=False, hits=1)
    else:
        assert _private._is_trusted(0) and _private._is_trusted(os.geteuid())


@compiling
def test_a_generated_file_of_another_user_is_not_read_or_changed(home, given_away, tmp_path):
    text = "value = 'mine'\n"
    path = Path(generated.load(text).__file__)
    folder = path.parent
    (tmp_path / "victim").write_text("kept")
    os.utime(tmp_path / "victim", (1, 1))
    old = folder / f"{generated.NAME}old.py"
    old.symlink_to(tmp_path / "victim")
    (folder / f"{path.stem}.link").symlink_to(tmp_path / "victim")
    os.utime(path, (1, 1))
    given_away(folder)
    _private._judged.clear()
    sys.modules.pop(path.stem)
    with pytest.warns(RuntimeWarning, match=WARNING):
        assert generated.load(text).value == "mine"
    assert path.stat().st_mtime == 1, "not even its time is changed"
    assert (tmp_path / "victim").stat().st_mtime == 1 and old.is_symlink()


def test_a_link_among_generated_files_is_not_followed(home, tmp_path):
    """Its target keeps its times; the link itself may go."""
    path = Path(generated.load("value = 'linked'\n").__file__)
    (tmp_path / "victim").write_text("kept")
    os.utime(tmp_path / "victim", (1, 1))
    (path.parent / f"{path.stem}.link").symlink_to(tmp_path / "victim")
    (path.parent / f"{generated.NAME}old.py").symlink_to(tmp_path / "victim")
    os.utime(path, (1, 1))
    sys.modules.pop(path.stem)
    assert generated.load("value = 'linked'\n").value == "linked" and path.stat().st_mtime > 1
    generated.load("value = 'another'\n")
    assert (tmp_path / "victim").read_text() == "kept" and (tmp_path / "victim").stat().st_mtime == 1


@compiling
@pytest.mark.parametrize("fault", ["foreign folder", "foreign file", "writable file", "link", "none"])
def test_a_folder_left_to_numba_passes_the_same_test(home, given_away, monkeypatch, fault):
    from tinygrad_lr.kernels import _numba

    monkeypatch.setattr(_numba, "usable", lambda names: False)
    assert imported(home).twice(2.0) == 4.0
    indices = list((home / "cache").rglob("*twice*.nbi"))
    assert indices, "Numba keeps it"
    path = indices[0]
    if fault == "foreign folder":
        given_away(path.parent)
    elif fault == "foreign file":
        given_away(path)
    elif fault == "writable file":
        path.chmod(0o666)
    elif fault == "link":
        path.rename(home / "index")
        path.symlink_to(home / "index")
    _private._judged.clear()
    with nullcontext() if fault == "none" else pytest.warns(RuntimeWarning, match=WARNING):
        small = imported(home)
    assert small.twice(2.0) == 4.0
    assert hits_and_misses(small.twice) == ((1, 0) if fault == "none" else (0, 1))


def test_where_there_are_no_owners_nothing_is_judged(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "file").chmod(0o666)
    monkeypatch.delattr(os, "geteuid")
    assert _private.fault_of(tmp_path) == "" and _private.read(tmp_path / "file") == b"content"
    assert _private.for_user(tmp_path) == tmp_path
