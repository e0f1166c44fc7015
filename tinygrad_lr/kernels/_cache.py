"""Where compiled kernels are kept between processes: a folder of the user's own, which others cannot write.

Numba's own choice, `__pycache__` beside the source, leaves files in site-packages that pip does not know of. After an
uninstall they make a folder `tinygrad_lr` without code, which Python imports as an empty package in place of a later
editable installation. What lies in the folder: _store.py; whether it can be trusted: _private.py.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from . import _private

REMEDY = "set NUMBA_CACHE_DIR to a folder that can be written to"
refusal = ""  # why compiled code could not be kept in this process
_files_refused = False  # whether that was said
_in_memory: dict[str, str] = {}  # the digests of generated files


def home() -> Path:
    """NUMBA_CACHE_DIR where it is set, otherwise the folder `tinygrad_lr` in the user's cache folder.

    A NUMBA_CACHE_DIR that is shared by design (sticky, and others can write it) has a folder for each user. So has the
    folder of temporary files, which serves a user without a home (a container's, with neither HOME nor an entry in
    passwd).
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return _private.for_user(Path(chosen))
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        caches = "~/Library/Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    found = os.path.expanduser(caches)
    if not found.startswith("~"):
        return Path(found) / "tinygrad_lr"
    shared = Path(os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp")  # what `tempfile` would choose
    own = _private.for_user(shared)
    return own if own != shared else shared / "tinygrad_lr"


def folder_of(source: str) -> Path:
    """Where the machine code of a file's functions is kept: two installations have two folders, and a file that lies
    in a folder of `home()` (compiled/generated.py) has its own, so that all of `home()` can be moved."""
    parent = Path(source).resolve().parent
    if parent.parent == home().resolve():
        return parent
    return home() / f"{parent.name}_{hashlib.sha256(os.fsencode(parent)).hexdigest()[:16]}"


def why_unwritable(folder: Path) -> str:
    """Why nothing can be kept in a folder, whether it is there yet or not; empty where something can.

    Found out by writing: permissions say nothing of a full disk, and to root little of anything.
    """
    import tempfile  # as long as all else here

    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(2**16))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def require(folder: Path) -> None:
    """Raise where others could have written `home()` or a folder in it. One that is not there yet is fine.

    Raises:
        _private.Refused: the message says whose it is, and what to do.
    """
    if not _private.is_known_safe(folder):
        _private.require(home())
        _private.require(folder)


def make(folder: Path) -> None:
    """Make a folder in `home()` that only this user can read or write.

    Raises:
        _private.Refused: see `require`. OSError: it cannot be made.
    """
    _private.require(home())
    _private.make(folder)


def keep(path: Path, content: bytes) -> bool:
    """Write a file of compiled code that others cannot write, and say whether it is kept.

    Where the folder cannot be trusted there is one warning, and nothing is written.

    Raises:
        OSError: it cannot be written.
    """

    def write(file: IO[bytes]) -> None:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)
        file.write(content)

    try:
        make(path.parent)
    except _private.Refused as error:
        warn_refused(error)
        return False
    write_bytes(path, write, False)  # a loss of power may tear it, which its hash shows
    return True


def read(path: Path) -> bytes | None:
    """The content of a file of compiled code; None where there is none, or where others could have written it.

    The latter is one warning in a process.
    """
    try:
        require(path.parent)
        return _private.read(path)
    except _private.Refused as error:
        warn_refused(error, path)
        return None


def is_trusted(folder: Path) -> bool:
    """Whether others cannot have written a folder, or it is not there. Where they can, there is one warning."""
    try:
        require(folder)
    except _private.Refused as error:
        warn_refused(error)
        return False
    return True


def fault() -> str:
    """Why `home()` is not used, because others could have written it; empty where it is."""
    try:
        return _private.fault_of(home(), there=False)
    except OSError:  # what cannot be looked at is said by `why_unwritable`
        return ""


def kept() -> list[int]:
    """The bytes of each file of ours in `home()`, which may hold others: machine code, and compiled steps."""
    sizes = []
    for path in [*home().glob("*/*.kernel"), *home().glob("generated/tinygrad_lr_step_*.py")]:
        with suppress(OSError):  # gone meanwhile
            sizes.append(path.lstat().st_size)
    return sizes


def write_bytes(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object], durable: bool = True) -> None:
    """Call `write` with a binary file that becomes `path` when it is complete; until then `path` keeps what it had.

    When this returns and is `durable`, the file is on the disk: it also survives a loss of power. The name of the
    temporary file is drawn, because in two containers that share a folder every process is number 1.

    Raises:
        OSError: the folder is absent or full, or cannot be written to. It names `path`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bytes(Path(folder, "greeting"), lambda file: file.write(b"hello"))
        ...     Path(folder, "greeting").read_bytes(), os.listdir(folder)
        (b'hello', ['greeting'])
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Bring the names in a folder onto the disk, where the system can: what was renamed stays so after a loss of power.

    Windows, some network file systems, and folders that cannot be read, offer no such thing.
    """
    if sys.platform == "win32":
        return
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # it can be written to and not read
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EROFS):
            raise
    finally:
        os.close(opened)


def know(source: str, content: bytes) -> None:
    """Let `digest` be that of a content in memory: what is compiled is not what lies on disk."""
    _in_memory[source] = hashlib.sha256(content).hexdigest()


@cache
def digest(source: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    if source in _in_memory:
        return _in_memory[source]
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()


@cache
def digest_of_kernels() -> str:
    """SHA-256 of all files of this folder: machine code made from other ones must not be found."""
    content = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return hashlib.sha256(content).hexdigest()


def warn_not_kept(error: Exception | str) -> None:
    """Say, once in a process, that compiled code is not kept, and what to do."""
    global refusal
    if not refusal:
        refusal = str(error) or type(error).__name__
        warnings.warn(
            f"compiled kernels cannot be kept on disk ({error}); every process compiles anew. "
            f"{REMEDY[0].upper()}{REMEDY[1:]}.",
            RuntimeWarning,
            stacklevel=2,
        )


def warn_refused(error: _private.Refused, file: Path | None = None) -> None:
    """Say, once in a process, that compiled code is not read because others could have written it.

    A file alone is compiled anew and replaced. From a folder nothing is read, and nothing is kept there.
    """
    global refusal, _files_refused
    only_a_file = file is not None and str(error).startswith(str(file))
    if refusal or (only_a_file and _files_refused):
        return
    if only_a_file:
        _files_refused = True
        what = "a file of compiled kernels is not read, and is compiled anew"
    else:
        refusal = str(error)
        what = "compiled kernels are not read and not kept, and every process compiles anew"
    warnings.warn(f"{what}: {error}. Whoever can write there could run code as you.", RuntimeWarning, stacklevel=2)
