"""Which folders and files of compiled code may be trusted: those that nobody else can write. As OpenSSH judges its own.

Machine code and pickles run as whoever loads them. A folder or file of the cache is used only if it belongs to this
user or to root, and neither its group nor others can write it. Every folder and symbolic link on the way to it must
belong to this user or to root too, and nobody else may be able to rename what lies there. A file is judged by what was
opened, not by its name. Windows has no such modes; there nothing is judged. Where the folder is: _cache.py.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MOST = 256 * 2**20  # bytes of a file; the machine code of the largest step has less than one million
_LINKS = 40  # on a way, as many as Linux follows
_judged: dict[str, str] = {}  # folder -> its fault; each folder that is there is judged once in a process


class Refused(Exception):
    """A folder or file that others could have written. The message says whose it is, its mode, and what to do."""


def for_user(folder: Path) -> Path:
    """The folder itself, or this user's own in it where it is shared by design: sticky, and others can write it."""
    try:
        mode = os.stat(folder).st_mode
    except OSError:
        return folder
    if hasattr(os, "geteuid") and mode & stat.S_ISVTX and mode & 0o022:
        return folder / f"tinygrad_lr-{os.geteuid()}"
    return folder


def is_known_safe(folder: Path) -> bool:
    """Whether a folder was judged in this process, and can be trusted."""
    return _judged.get(str(folder)) == ""


def require(folder: Path) -> None:
    """Raise where a folder cannot be trusted. One that is not there yet can.

    Raises:
        Refused: it, or what leads to it, could have been written by others.
    """
    known = _judged.get(str(folder))
    if known is None:
        try:
            known = fault_of(folder)
        except OSError:  # it is not there, or cannot be looked at and so not be read either
            return
        _judged[str(folder)] = known
    if known:
        raise Refused(known)


def make(folder: Path) -> None:
    """Make a folder, and those above it that are lacking, for this user alone, whatever the umask is.

    Raises:
        Refused: see `require`. OSError: it cannot be made.
    """
    require(folder)
    if not folder.is_dir():
        try:
            if fault := fault_of(folder, there=False):
                raise Refused(fault)
            for each in [*reversed(folder.parents), folder]:
                if not each.is_dir():
                    with suppress(FileExistsError):  # made meanwhile; it is judged below
                        os.mkdir(each, 0o700)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(folder)) from error
        _judged.pop(str(folder), None)
        if not folder.is_dir():
            raise NotADirectoryError(20, os.strerror(20), str(folder))
        require(folder)


def read(path: Path) -> bytes | None:
    """The content of a file in a folder that can be trusted, or None where there is none.

    Raises:
        Refused: the file could have been written by others, or it is a link, or larger than any of ours.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        if os.path.islink(path):
            raise Refused(f"{path} is a symbolic link; remove it") from None
        return None
    try:
        found = os.fstat(handle)
        if fault := _fault(path, found):
            raise Refused(fault)
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > MOST:
            raise Refused(f"{path} has {found.st_size:,} bytes, more than any compiled function; remove it")
        with open(handle, "rb", closefd=False) as file:
            return file.read(found.st_size)
    except OSError:
        return None
    finally:
        os.close(handle)


def require_tree(folder: Path) -> None:
    """Raise where a folder, or anything below it, cannot be trusted: what another library will read by itself.

    Raises:
        Refused: see `require`. OSError: it cannot be looked at.
    """
    require(folder)
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            found = os.lstat(path)
            fault = _fault(path, found)
            if stat.S_ISLNK(found.st_mode):
                fault = f"{path} is a symbolic link; remove it"
            if fault:
                raise Refused(fault)


def fault_of(folder: Path, there: bool = True) -> str:
    """Why a folder cannot be trusted; empty where it can.

    Args:
        there: whether the folder must be there. If not, the part of the way to it that is there is judged.

    Raises:
        OSError: it, or a part of the way to it, is not there or cannot be looked at.
    """
    if not hasattr(os, "geteuid"):
        return ""
    place = Path(os.path.abspath(os.sep))
    left = list(reversed(Path(os.getcwd(), folder).parts[1:]))
    fault, links = _fault_on_way(place, os.lstat(place)), 0
    while left and not fault:
        part = left.pop()
        if part == os.pardir:  # of a link's target; `place` itself has no links
            place = place.parent
            continue
        try:
            found = os.lstat(place / part)
        except FileNotFoundError:
            if there:
                raise
            return ""
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _LINKS or not _is_trusted(found.st_uid):
                return _belongs_to(place / part, found, "symbolic link")
            target = Path(os.readlink(place / part))
            place = Path(os.path.abspath(os.sep)) if target.is_absolute() else place
            left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            continue
        place /= part
        fault = _fault_on_way(place, found) if left else _fault(place, found)
    return fault


def _is_trusted(user: int) -> bool:
    return user in (os.geteuid(), 0)


def _fault(path: Path, found: os.stat_result) -> str:
    """Why a folder or file of the cache cannot be trusted."""
    if not hasattr(os, "geteuid"):
        return ""
    if not _is_trusted(found.st_uid):
        return _belongs_to(path, found)
    if found.st_mode & 0o022:
        return (
            f"{path} (mode {stat.S_IMODE(found.st_mode):04o}, of {_name(found.st_uid)}) can be written by others; if "
            f"you trust what is in it, run `chmod -R go-w {path}`, else remove it"
        )
    return ""


def _fault_on_way(path: Path, found: os.stat_result) -> str:
    """Why a folder that leads to the cache cannot be trusted: others could put something else in place of what is in
    it. In a sticky one they cannot, and the group that a user has alone is no other."""
    if not _is_trusted(found.st_uid):
        return _belongs_to(path, found)
    mode = found.st_mode
    if mode & stat.S_ISVTX or not mode & 0o022 or (not mode & 0o002 and _is_users_own_group(found.st_gid)):
        return ""
    return (
        f"{path} (mode {stat.S_IMODE(mode):04o}, of {_name(found.st_uid)}), which leads to it, can be written by "
        f"others; run `chmod go-w {path}`, or set NUMBA_CACHE_DIR to a folder that only you can write"
    )


def _belongs_to(path: Path, found: os.stat_result, what: str = "") -> str:
    return (
        f"{path} (mode {stat.S_IMODE(found.st_mode):04o}){f', a {what},' if what else ''} belongs to "
        f"{_name(found.st_uid)}, not to {_name(os.geteuid())} or root; set NUMBA_CACHE_DIR to a folder of your own"
    )


def _name(user: int) -> str:
    try:
        import pwd

        return f"{pwd.getpwuid(user).pw_name} (user {user})"
    except (ImportError, KeyError):
        return f"user {user}"


def _is_users_own_group(group: int) -> bool:
    """Whether a group is named after this user and has no other member, as many systems make one for each user."""
    try:
        import grp
        import pwd

        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    return user.pw_gid == group and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
