"""Kills trainings and looks at what they left: one process that has imported everything, and forks one for each trial.

`python killing.py FOLDER < JSON` makes the trials that the JSON asks for, and prints what went wrong.
"""

import contextlib
import functools
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

TABLE = "dose,colour,effect\n" + "".join(f"{i},{['red', 'blue'][i % 2]},{3 * i + 10 * (i % 2)}\n" for i in range(40))
TRAIN = ["train", "table.csv", "--target", "effect", "--epochs", "3", "--batch-size", "8", "--out", "run"]
EARLIER, NEWER = ["--seed", "1"], ["--seed", "0"]
FILES = ("model.npz", "coefficients.csv", "history.csv", "report.html")
BROKEN = ""  # what is broken on purpose, to see that the trials show it


class Mortal:
    """Counts what this process does to files, and dies before the `last`-th time; as in a loss of power with `tears`.

    A loss of power takes from every file what was written since it was last synced, or a part of that, and undoes some
    of the last renamings and removals in folders that were not synced since.
    """

    def __init__(self, last=None, tears=None):
        self.count, self.last, self.tears = 0, last, tears
        self.dirty, self.journal, self.busy = set(), [], False

    def watch(self):
        sys.addaudithook(self.hook)
        fsync = os.fsync

        def synced(opened):
            if BROKEN == "no fsync":
                return
            path = os.readlink(f"/proc/self/fd/{opened if isinstance(opened, int) else opened.fileno()}")
            fsync(opened)
            self.dirty.discard(path)
            self.journal = [each for each in self.journal if each[0] != path]

        os.fsync = synced

    def hook(self, event, arguments):
        if self.busy or event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        path = arguments[0]
        if not isinstance(path, (str, bytes, os.PathLike)) or os.fsdecode(path).startswith(("/dev", "/proc", "/sys")):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        self.busy = True
        try:
            if self.count == self.last:
                self.die()
            self.count += 1
            if self.tears is not None:
                paths = arguments[: 2 if event == "os.rename" else 1]
                self.note(event, [os.path.abspath(os.fsdecode(each)) for each in paths])
        finally:
            self.busy = False

    def note(self, event, paths):
        if event == "open":
            self.dirty.add(paths[0])
        elif event == "os.rename":
            before = Path(paths[1]).read_bytes() if os.path.isfile(paths[1]) else None
            self.journal.append((os.path.dirname(paths[1]), "rename", *paths, before))
            moved = {each for each in self.dirty if each.startswith(paths[0])}
            self.dirty = self.dirty - moved | {paths[1] + each[len(paths[0]) :] for each in moved}
        elif event == "os.remove" and os.path.isfile(paths[0]):
            self.journal.append((os.path.dirname(paths[0]), "remove", paths[0], Path(paths[0]).read_bytes()))

    def die(self):
        if self.tears is not None:
            for path in sorted(self.dirty):
                with contextlib.suppress(OSError):
                    os.truncate(path, self.tears.randrange(os.path.getsize(path) + 1))
            kept = self.tears.randrange(len(self.journal) + 1)
            for _, what, path, *rest in reversed(self.journal[kept:]):
                with contextlib.suppress(OSError):
                    if what == "remove":
                        Path(path).write_bytes(rest[0])
                    else:
                        os.rename(rest[0], path)
                        if rest[1] is not None:
                            Path(rest[0]).write_bytes(rest[1])
        os.kill(os.getpid(), signal.SIGKILL)


def command(*arguments):
    """The exit code of a command, and what it said."""
    from tinygrad_lr import cli

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(list(arguments))
    return code, said.getvalue()


def forked(work):
    """How a forked process that does some work ended, as os.waitpid says it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def in_child(arguments, mortal=None):
    def work():
        if mortal is not None:
            mortal.watch()
        code, said = command(*arguments)
        if mortal is not None and mortal.last is None:
            Path("count").write_text(str(mortal.count))
        return code

    return forked(work)


def bytes_of(folder):
    """Of each file of a run, where a reader finds it."""
    from tinygrad_lr.training.tables import runs

    return tuple(runs.place(Path(folder), name).read_bytes() for name in FILES)


class Trials:
    """The earlier run, the newer one, and what each of them predicts."""

    def __init__(self):
        from tinygrad_lr.cli import commands, plotting  # noqa: F401
        from tinygrad_lr.training import checkpoint

        Path("table.csv").write_text(TABLE)
        plotting.is_available = lambda: False
        checkpoint.Checkpoint = functools.partial(checkpoint.Checkpoint, every_steps=2)
        self.known = {}
        for name, options in (("earlier", EARLIER), ("newer", NEWER)):
            code, said = command(*TRAIN, *options)
            assert code == 0, said
            code, said = command("predict", "run", "table.csv", "--out", "predictions.csv", "--force")
            assert code == 0, said
            self.known[name] = (*bytes_of("run"), Path("predictions.csv").read_bytes())
            os.rename("run", name)

    def place(self, over):
        shutil.rmtree("run", ignore_errors=True)
        if over:
            shutil.copytree("earlier", "run")
            Path("run", "notes.txt").write_text("mine")
            Path("run", ".writable").write_text("mine")

    def count(self, over):
        self.place(over)
        os.waitpid(in_child([*TRAIN, *NEWER, "--force"], Mortal()), 0)
        return int(Path("count").read_text())

    def after(self, over, rng):
        """What is wrong after a process was killed; then go on with the run, or begin anew."""
        mine = over and (Path("run", "notes.txt").read_text(), Path("run", ".writable").read_text()) != ("mine", "mine")
        if mine:
            return "files that are not ours were touched"
        there = self.whole()
        if there is None and over:
            return "neither the earlier nor the newer run is whole"
        code, said = command("predict", "run", "table.csv", "--out", "predictions.csv", "--force")
        if there is None:
            if code != 2 or not any(each in said for each in ("--resume run", "holds no run", "not a folder")):
                return f"predict without a run: {code} {said}"
        elif code != 0 or Path("predictions.csv").read_bytes() != self.known[there][-1]:
            return f"predict with the {there} run: {code} {said}"
        begun = Path("run", "unfinished").exists() or Path("run", "committed").exists()
        if rng.random() < 0.2:
            code, said = command(*TRAIN, *NEWER, "--force")
            return self.complete(code, said, over, "--force")
        code, said = command("train", "--resume", "run")
        if code == 0:
            return self.complete(code, said, over, "--resume")
        if there == "newer" and "nothing to resume: the run in run is finished" in said:
            return self.complete(0, said, over, "a finished run")
        if begun and there != "newer":
            return f"--resume with a run that was begun: {said}"
        if "nothing to resume" not in said and "is not a folder" not in said:
            return f"--resume with nothing there: {said}"
        code, said = command(*TRAIN, *NEWER, *(["--force"] if over else []))
        return self.complete(code, said, over, "a new run")

    def whole(self):
        """Which of the runs a reader finds, whole."""
        with contextlib.suppress(OSError):
            found = bytes_of("run")
            for name, known in self.known.items():
                if known[:-1] == found:
                    return name
            return "a mixture"
        return None

    def complete(self, code, said, over, what):
        names = {*FILES, "run.json", *(["notes.txt", ".writable"] if over else [])}
        if code != 0 or bytes_of("run") != self.known["newer"][:-1]:
            return f"{what}: {code} {said}, or other bits"
        if set(os.listdir("run")) != names:
            return f"{what} left {sorted(os.listdir('run'))}"
        return None

    def at_operation(self, over, number, tears):
        """A training that dies before its `number`-th operation on files."""
        rng = random.Random(f"{over} {number} {tears}")
        self.place(over)
        child = in_child([*TRAIN, *NEWER, "--force"], Mortal(number, rng if tears else None))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return f"was not killed: {status}"
        return self.after(over, rng)

    def at_moment(self, over, share, seconds):
        """A training that is killed after a share of the seconds that it takes."""
        rng = random.Random(f"{over} {share}")
        self.place(over)
        child = in_child([*TRAIN, *NEWER, "--force"])
        time.sleep(share * seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return self.after(over, rng)


def write_in_place(self, description, files, history):
    """How a run was written before: over the earlier one, a file after the other."""
    from tinygrad_lr.training.tables import runs, unfinished

    for name in ("run.json", *FILES):
        (self.folder / name).unlink(missing_ok=True)
    unfinished.save_arrays(self.folder / "model.npz", files["model.npz"])
    for name in ("coefficients.csv", "report.html"):
        unfinished.write_text(self.folder / name, files[name])
    history.to_csv(self.folder / "history.csv")
    text = runs.to_json({"format": runs.FORMAT, "format_version": runs.VERSION, **description})
    unfinished.write_text(self.folder / "run.json", text)
    shutil.rmtree(self.own)


def main():
    global BROKEN
    asked = json.loads(sys.stdin.read())
    trials = Trials()
    BROKEN = asked["broken"]
    if BROKEN == "in place":
        from tinygrad_lr.training.tables.unfinished import Run

        Run.commit = write_in_place
    rng = random.Random(asked["seed"])
    failures = []
    for over in (False, True):
        total = trials.count(over)
        numbers = range(total)
        if asked["operations"] < total:
            numbers = sorted(rng.sample(numbers, asked["operations"]))
        for number in numbers:
            for tears in (False, True):
                what = trials.at_operation(over, number, tears)
                failures.append((over, f"operation {number} of {total}", tears, what))
        trials.place(over)
        began = time.perf_counter()
        os.waitpid(in_child([*TRAIN, *NEWER, "--force"]), 0)
        seconds = time.perf_counter() - began
        for i in range(asked["moments"] // 2):
            share = rng.uniform(0, 1.1) if i % 2 else rng.uniform(0.7, 1.1)  # the last ones: while files are written
            failures.append((over, f"moment {share:.4f}", False, trials.at_moment(over, share, seconds)))
    print(json.dumps({"made": len(failures), "failures": [each for each in failures if each[-1]]}))


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main()
