"""A run from its first step until it is complete. Whenever the process dies, nothing is half replaced.

While it trains, a run has a folder of its own in the one that was chosen:

    FOLDER/unfinished/    begun.json: which run this is; checkpoint-STEP.npz, the last two; history.csv, which grows;
                          table.kept, test.kept: tables that came from a pipe, so that `--resume` has them

When the training is over, model.npz and run.json are written there too, and all of it is synced to the disk. Then one
rename makes the run complete, `FOLDER/unfinished` -> `FOLDER/committed`, and its files are moved over those of an
earlier run in FOLDER. A process that dies before the rename leaves the earlier run as it was, and an unfinished one
from which `--resume` goes on. One that dies after it leaves a `committed` folder: readers look there first (runs.py),
and the next process that writes into FOLDER moves the rest (`settle`). The picture comes last, and may fail alone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr.files import FolderLock, save_arrays, sync_folder, write_bytes, write_text
from tinygrad_lr.reading import Unreadable, parse_json, read_bytes
from tinygrad_lr.training import checkpoint, snapshot
from tinygrad_lr.training.history import History

from . import runs
from .opening import Kept
from .preparing import PreparedRun
from .runs import BEGUN, CHECKPOINT, COMMITTED, FILES, KEPT, MARK, UNFINISHED, RunError

__all__ = ["Run", "settle", "storable"]

# What lies in a folder of ours: it is removed with the folder; a folder with anything else in it is none of ours.
_OURS = re.compile(
    r"\.?(begun\.json|run\.json|(table|test)\.kept|(model|best|average)\.npz|(history|coefficients)\.csv|report\.html|checkpoint(-[0-9]+)?\.npz)"
    r"(\.damaged|\.[0-9a-f]{12}\.tmp)?"
)
_ASIDE = re.compile(r"\.tinygrad_lr-[0-9a-f]{12}\.tmp")  # a folder that is being made or removed
Warn = Callable[[str], object]
_PIECE = re.compile(
    r"\.((model|best|average)\.npz|(table|test)\.kept|(history|coefficients)\.csv|report\.html|curves\.png|run\.json)\.[0-9a-f]{12}\.tmp"
)


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


class Run:
    """A run that is going on, and the hold on its folder. Made by `begin` and `resume`.

    Attributes:
        folder: the one that was chosen.
        begun: the content of begun.json.
        checkpoint: for `fit`.
    """

    def __init__(
        self, folder: Path, lock: FolderLock, begun: Mapping[str, Any], is_fresh: bool, is_new: bool, warn: Warn
    ) -> None:
        self.folder, self.lock, self.begun, self.warn = folder, lock, begun, warn
        self.is_fresh, self.is_new = is_fresh, is_new  # the run; its folder
        self.own = folder / UNFINISHED
        self.checkpoint = checkpoint.Checkpoint(self.own, history_csv=True, warn=warn)

    # --- beginning ----------------------------------------------------------------------------------------------------

    @classmethod
    def begin(
        cls,
        folder: Path,
        force: bool,
        begun: Mapping[str, Any],
        is_new: bool = False,
        warn: Warn = _warn,
        piped: Mapping[str, bytes] | None = None,
    ) -> Run:
        """Take a folder for a new run; an earlier run in it stays as it is until this one is complete.

        Args:
            folder: made where it is absent. Files in it that belong to no run are left alone.
            force: whether an earlier run, an unfinished one, or the remains of one may be replaced.
            begun: what `resume` needs: "command", "data", "compiled".
            is_new: whether the caller has just made the folder.
            warn: called with a sentence where something is not as it should be, and the run goes on.
            piped: "table", "test" -> the bytes of one that cannot be had again.

        Raises:
            RunError: it cannot be made or written to, holds what must not be replaced, or another process trains there.
        """
        is_new = is_new or not folder.exists()
        try:
            _refuse_foreign(folder)
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder, warn)
            try:
                settle(folder)
                _refuse(folder, force)
                content = _json({**begun, "status": "running", "date": _now()})
                kept = {KEPT[each]: bytes_of for each, bytes_of in (piped or {}).items()}
                _put_in_place(folder, {BEGUN: content.encode(), **kept})
            except BaseException:
                lock.release()
                if is_new:
                    with suppress(OSError):
                        folder.rmdir()
                raise
        except OSError as error:
            raise runs.cannot_write(folder, error) from error
        return cls(folder, lock, begun, True, is_new, warn)

    @classmethod
    def resume(cls, folder: Path, warn: Warn = _warn) -> Run:
        """Take the run that a process left unfinished, or that was interrupted.

        Raises:
            RunError: there is none, it is damaged, or another process is at it.
        """
        if not folder.is_dir():
            raise RunError(f"{folder} is not a folder; name one in which `tinygrad-lr train` was interrupted")
        try:
            lock = _locked(folder, warn)
            try:
                settle(folder)
                own = folder / UNFINISHED
                if not _is_ours(own):
                    _put_in_place(folder, _from_interrupted(folder))
                return cls(folder, lock, _read_begun(own), False, False, warn)
            except BaseException:
                lock.release()
                raise
        except OSError as error:
            raise runs.cannot_write(folder, error) from error

    def arguments(self, given: Namespace, parse: Callable[[list[str]], Namespace]) -> Namespace:
        """The arguments of the command that began this run.

        Args:
            given: those of the command that goes on; `given.given` names the options that were written.
            parse: makes arguments of the words of a command.

        Raises:
            RunError: begun.json holds no such command, or its table is gone.
            ValueError: an option contradicts the run's.
        """
        where = self.own / BEGUN
        try:
            found = parse([_word(each) for each in self.begun["command"][1:]])
            if found.command != "train" or found.resume is not None:
                raise ValueError("it is no `train`")
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{where} is damaged: the command that began the run cannot be read ({error})") from error
        for name in given.given:
            _refuse_contradiction(name, getattr(given, name), getattr(found, name), self.folder)
        for name, of in (("table", self.begun["data"]), ("test", self.begun["data"].get("test"))):
            if of is None:
                continue
            path, kept = getattr(found, name), self.own / KEPT[name]
            if path is None:
                what = f"the run in {self.folder} had a table of a Python program, which is not there now"
                raise RunError(f"{what}; train again, with --force")
            if kept.is_file():
                setattr(found, name, Kept(kept, path))
            elif not Path(path).is_file():
                had = "trained on" if name == "table" else "measured on"
                what = f"the run in {self.folder} was {had} {of['path']}, which is no file now"
                raise RunError(f"{what}; put the table back")
        found.out = str(self.folder)
        return found

    def restore(self, made: PreparedRun) -> History | None:
        """Bring what `prepared` built to where the run was, and return the history; None where it is at its start.

        Raises:
            RunError: the table is another one, or this installation would not continue the run bit for bit.
            ValueError: the checkpoints are damaged, or of something else.
        """
        then, now = self.begun["data"], made.data.origin
        for about, before, what in (
            (now, then, "trained"),
            (now.get("test") or {}, then.get("test") or {}, "measured"),
        ):
            if before.get("sha256") != about.get("sha256"):
                raise RunError(
                    f"the run in {self.folder} cannot go on: {about.get('path')} is not the table that it was {what} "
                    f"on; its SHA-256 was {before.get('sha256')} and is {about.get('sha256')}"
                )
        if self.begun.get("compiled") != made.plan.compiled:
            here = "as machine code" if made.plan.compiled else "step by step"
            raise RunError(
                f"the run in {self.folder} would go on {here} here, and was not begun so: the numbers would be rounded "
                "otherwise; go on where it was begun (`tinygrad-lr info` tells them apart)"
            )
        return self.checkpoint.restore(made.plan.model, made.plan.optimizer, made.plan.loader)

    # --- ending -------------------------------------------------------------------------------------------------------

    def commit(
        self, description: Mapping[str, Any], files: Mapping[str, str | Mapping[str, np.ndarray]], history: History
    ) -> None:
        """Make the run complete: its files replace those of an earlier one, all or none of them.

        Args:
            description: the content of run.json.
            files: name of a file -> its text, or the arrays of an .npz file.

        Raises:
            RunError: they cannot be written; the earlier run is as it was, and `--resume` goes on from this one.
        """
        try:
            for name, content in files.items():
                if isinstance(content, str):
                    write_text(self.own / name, content)
                else:
                    save_arrays(self.own / name, content)
            if not self.checkpoint.csv_is_whole:
                history.to_csv(self.own / "history.csv")
            written = {*files, "history.csv", "run.json"}
            newest = self.checkpoint.newest()
            if description["status"] == "interrupted" and newest is not None:
                whole = newest.read_bytes()
                write_bytes(self.own / CHECKPOINT, lambda file: file.write(whole))
                written.update([CHECKPOINT, *(name for name in KEPT.values() if (self.own / name).is_file())])
            listed = {"files": [name for name in FILES if name in written]}
            about = {"format": runs.FORMAT, "format_version": runs.VERSION, **description, **listed}
            write_text(self.own / "run.json", runs.to_json(about))
            sync_folder(self.own)
            os.rename(self.own, self.folder / COMMITTED)
            sync_folder(self.folder)
        except OSError as error:
            raise RunError(
                f"cannot write to the folder {self.folder}: {error.strerror or error}; what was learnt is in "
                f"{self.own}: make room there, and go on with `tinygrad-lr train --resume {self.folder}`"
            ) from error
        try:
            settle(self.folder)
        except OSError as error:
            self.warn(f"{self.folder / COMMITTED} holds the run and could not be moved ({error.strerror or error})")

    def leave(self) -> None:
        """Let the folder go. Of a run that made no step nothing is left; any other one can go on."""
        newest = self.checkpoint.newest()
        if self.is_fresh and (newest is None or newest.stem == "checkpoint-0"):
            with suppress(OSError):
                _remove(self.own)
                if self.is_new:
                    self.folder.rmdir()
        self.lock.release()


def settle(folder: Path) -> None:
    """Move the files of a run that is complete over those of an earlier one, and remove what processes left that died.

    It may die at any point: the next call does the rest.

    Raises:
        OSError: a file cannot be moved.
    """
    committed = folder / COMMITTED
    if runs.is_marked(committed):
        listed = _files_of(folder)
        for name in sorted(FILES, key="run.json".__eq__):  # run.json is the last
            with suppress(FileNotFoundError):
                os.replace(committed / name, folder / name)
            if listed and name not in listed:
                (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
        sync_folder(committed)
        _remove(committed)
    for each in folder.iterdir():
        if _ASIDE.fullmatch(each.name) and each.is_dir() and not each.is_symlink():
            _remove_content(each)
        elif _PIECE.fullmatch(each.name):
            each.unlink(missing_ok=True)


def _files_of(folder: Path) -> list[str]:
    """The files that a complete run says it has; none where run.json cannot be read."""
    with suppress(RunError):
        listed = runs.read_description(folder).get("files")
        if isinstance(listed, list):
            return listed
    return []


def _from_interrupted(folder: Path) -> dict[str, bytes]:
    """The files of an unfinished run that goes on from an interrupted one, by name."""
    try:
        description = runs.read_description(folder)
    except RunError as error:
        raise RunError(f"there is nothing to resume: {error}") from error
    status = description.get("status")
    if status != "interrupted":
        raise RunError(f"there is nothing to resume: the run in {folder} is {status}; train a new one without --resume")
    path = folder / CHECKPOINT
    try:
        content = read_bytes(path, most=float("inf"))
        step = snapshot.read(path)["step"]
    except FileNotFoundError as error:
        raise RunError(f"there is nothing to resume: {path} is not there; replace the run with --force") from error
    except (Unreadable, KeyError) as error:
        raise RunError(f"{path} is damaged ({error}); replace the run with --force") from error
    begun = {name: description.get(name) for name in ("command", "data", "compiled")}
    kept = {name: (folder / name).read_bytes() for name in KEPT.values() if (folder / name).is_file()}
    return {
        **kept,
        f"checkpoint-{int(step)}.npz": content,
        BEGUN: _json({**begun, "status": "running", "date": _now()}).encode(),
    }


def _read_begun(own: Path) -> dict[str, Any]:
    try:
        begun = parse_json(read_bytes(own / BEGUN))
        command, data = begun["command"], begun["data"]
        if not isinstance(command, list) or not isinstance(data, dict) or not isinstance(data["path"], str | None):
            raise Unreadable("it does not say which command began the run")
    except (Unreadable, KeyError, TypeError, OSError) as error:
        raise RunError(f"{own / BEGUN} is damaged ({error}); begin anew with --force") from error
    return dict(begun)


def storable(words: list[str]) -> list[Any]:
    """The words of a command for JSON: a path that is not Unicode is said in bytes."""
    return [each if _is_unicode(each) else {"bytes": os.fsencode(each).hex()} for each in words]


def _is_unicode(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() == text


def _word(stored: Any) -> str:
    return stored if isinstance(stored, str) else os.fsdecode(bytes.fromhex(stored["bytes"]))


def _refuse_contradiction(name: str, now: Any, then: Any, folder: Path) -> None:
    """Raise where an option beside --resume says something else than the run; what is printed is no part of it."""
    if name in ("json", "quiet"):
        return
    option = "TABLE" if name == "table" else f"--{name.replace('_', '-')}"
    if name in ("force", "show_compiled"):
        raise ValueError(f"{option} does not go with --resume; leave one of them out")
    if name == "out":
        then = str(folder)
    if name in ("out", "table"):
        now, then = (each and str(Path(each).resolve()) for each in (now, then))
    if now != then:
        if isinstance(now, bool):
            raise ValueError(f"{option} contradicts the run in {folder}, which was begun without it; leave it out")
        raise ValueError(f"{option} {now} contradicts the run in {folder}, which has {then}; leave it out")


# --- what lies in a folder ------------------------------------------------------------------------------------------


def _locked(folder: Path, warn: Warn) -> FolderLock:
    try:
        lock = FolderLock(folder)
    except BlockingIOError as error:
        raise RunError(
            f"another process trains in {folder}; wait until it has ended, or choose another folder"
        ) from error
    if not lock.is_held:
        warn(f"{folder} cannot be locked here; let no other process train in it")
    return lock


def _refuse_foreign(folder: Path) -> None:
    """Raise where something that is not ours has the name of a file or folder of ours."""
    for name in (UNFINISHED, COMMITTED):
        there = folder / name
        empty = there.is_dir() and not there.is_symlink() and not any(there.iterdir())
        if os.path.lexists(there) and not empty and not _is_ours(there):
            raise RunError(f"{folder} has {name}, which is not of tinygrad_lr; choose another folder")
    taken = [name for name in FILES if os.path.lexists(folder / name)]
    folders = [name for name in taken if (folder / name).is_dir()]
    if folders or (taken and not runs.is_run(folder) and not _are_remains(folder, taken)):
        raise RunError(f"{folder} has {', '.join(folders or taken)}, but no run of tinygrad-lr; choose another folder")


def _refuse(folder: Path, force: bool) -> None:
    """Raise where an earlier run, or what is left of one, would be replaced and nobody asked for it."""
    if force:
        return
    if _is_ours(folder / UNFINISHED):
        raise RunError(
            f"{folder} holds an unfinished run; go on with `tinygrad-lr train --resume {folder}`, choose another "
            "folder, or replace the run with --force"
        )
    taken = [name for name in FILES if os.path.lexists(folder / name)]
    if not taken:
        return
    if not runs.is_run(folder):
        what = f"{folder} holds the remains of a run ({', '.join(taken)})"
        raise RunError(f"{what}; choose another folder, or replace them with --force")
    status = runs.read_description(folder).get("status")
    more = f"go on with `tinygrad-lr train --resume {folder}`, " if status == "interrupted" else ""
    raise RunError(f"{folder} already holds a run; {more}choose another folder, or replace the run with --force")


def _are_remains(folder: Path, taken: list[str]) -> bool:
    """Whether files with names of a run's are what a broken run left: torn files that can be told, or empty ones."""
    starts = {
        "run.json": [f'{{\n  "format": "{runs.FORMAT}"'.encode()],
        "history.csv": [b"step,epoch,samples,lr", b"step,epoch,lr"],
    }
    found = []
    for name in taken:
        try:
            content = (folder / name).read_bytes()[:64]
        except OSError:
            return False
        told = [each for each in starts.get(name, ()) if content[: len(each)] == each[: len(content)]]
        found.append("empty" if not content else "told" if told else "")
    return "told" in found or ("run.json" in taken and all(each == "empty" for each in found))


def _is_ours(own: Path) -> bool:
    """Whether a folder was made by this file: it holds a whole or torn begun.json, and nothing that is not ours."""
    if own.is_symlink() or not own.is_dir():
        return False
    names = os.listdir(own)
    if BEGUN not in names or not all(_OURS.fullmatch(name) for name in names):
        return False
    try:
        start = read_bytes(own / BEGUN)[: len(MARK)]
    except (OSError, Unreadable):
        return False
    return start == MARK[: len(start)]


def _put_in_place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make FOLDER/unfinished with these files, at once; one that was there is removed."""
    made, old = _aside(folder), _aside(folder)
    made.mkdir()
    try:
        for name, content in files.items():
            write_bytes(made / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        with suppress(FileNotFoundError):
            os.rename(folder / UNFINISHED, old)
        os.rename(made, folder / UNFINISHED)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    if old.exists():
        _remove_content(old)


def _remove(own: Path) -> None:
    """Remove a folder of ours: it has another name before the first file goes."""
    aside = _aside(own.parent)
    with suppress(FileNotFoundError):
        os.rename(own, aside)
        _remove_content(aside)


def _remove_content(aside: Path) -> None:
    """Remove a folder and the files of ours in it; with anything else in it, it stays."""
    for each in aside.iterdir():
        if _OURS.fullmatch(each.name):
            each.unlink(missing_ok=True)
    with suppress(OSError):
        aside.rmdir()


def _aside(folder: Path) -> Path:
    return folder / f".tinygrad_lr-{os.urandom(6).hex()}.tmp"


def _json(values: Mapping[str, Any]) -> str:
    return runs.to_json({"format": runs.FORMAT_BEGUN, "format_version": runs.VERSION, **values})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
