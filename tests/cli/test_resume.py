"""No run is lost: signals, full disks, closed output, failing pictures; and `train --resume` goes on bit for bit."""

import contextlib
import errno
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import killing
import numpy as np
import pytest
from cli_cases import PROGRAM, described, folder_of_its_own, machine_code_as_python, program, run, train  # noqa: F401

from tinygrad_lr.cli import commands, plotting
from tinygrad_lr.files import FolderLock
from tinygrad_lr.training import Checkpoint, checkpoint
from tinygrad_lr.training.tables import provenance, trained, unfinished
from tinygrad_lr.training.tables.training import begun, prepare

RUN = ("model.npz", "history.csv", "coefficients.csv", "report.html", "curves.png", "run.json")
TRAIN = ("train", "table.csv", "--target", "effect", "--batch-size", 8)
# A process in which a signal comes after so many looks at the checkpoint, when nothing is due.
SIGNALLED = """
import os, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
from tinygrad_lr.training import Checkpoint, checkpoint
from tinygrad_lr.training.tables import provenance, trained, unfinished
look, looks, name = Checkpoint.look, [], sys.argv.pop()
def watched(self, closed=False):
    look(self, closed)
    looks.append(None)
    if len(looks) == 7:
        os.kill(os.getpid(), getattr(signal, name))
Checkpoint.look = watched
from tinygrad_lr.cli import main
sys.exit(main())
"""
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals, devices and rights")


@pytest.fixture
def unpictured(monkeypatch):
    monkeypatch.setattr(plotting, "is_available", lambda: False)


def same_run(one, other):
    there = {path.name for path in Path(one).iterdir()} - {"run.json", "curves.png"}
    for name in there:
        assert Path(one, name).read_bytes() == Path(other, name).read_bytes(), name
    first, second = described(one), described(other)
    for each in (first, second):
        del each["date"], each["metrics"]["seconds"], each["arguments"]  # "command" has them
    assert first == second


class Crash(Exception):
    """Ends a training where a kill would, as far as files go."""


def crash(monkeypatch, *arguments, looks=5, begin=TRAIN):
    """A training that dies after so many steps, with a checkpoint every third one."""
    count = [0]

    class Dying(Checkpoint):
        def __init__(self, folder, **options):
            super().__init__(folder, every_steps=3, **options)

        def look(self, closed=False):
            super().look(closed)
            count[0] += 1
            if count[0] == looks:
                raise Crash

        def close(self):
            with contextlib.suppress(OSError):
                super().close()

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "Checkpoint", Dying)
        patch.setattr(unfinished.Run, "leave", lambda self: self.lock.release())
        with pytest.raises(Crash):
            run(*begin, *arguments)


OPTIONS = [
    ["--hidden=4", "--optimizer=sgd", "--momentum=0.9", "--schedule=cosine", "--seed=7"],
    ["--hidden=3", "--lr=0.9", "--patience=2", "--epochs=9", "--validation=0.4"],
    ["--average", "--weights=dose", "--max-norm=1"],
    ["--schedule=wsd", "--warmup-epochs=1", "--optimizer=rmsprop", "--dialect=torch"],
    ["--compiled", "--optimizer=lion", "--max-norm=0.5"],
    ["--optimizer=adamw", "--held-out=0", "--categorical=dose", "--na-values=-,missing", "--keep-na"],
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("looks", [2, 9])
def test_a_killed_run_goes_on_bit_for_bit(options, looks, monkeypatch, unpictured, capsys):
    options = ["--epochs=4", *options]
    assert run(*TRAIN, *options, "--out", "whole") == 0
    crash(monkeypatch, *options, "--out", "run", looks=looks)
    assert run("predict", "run", "table.csv") == 2
    assert "go on with `tinygrad-lr train --resume run`" in capsys.readouterr().err
    assert run("train", "--resume", "run") == 0
    assert sorted(os.listdir("run")) == sorted(os.listdir("whole"))
    same_run("whole", "run")


@POSIX
@pytest.mark.parametrize("name, code", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_save_and_the_run_goes_on(name, code, capsys):
    options = ("--epochs", 3)
    done = program(*TRAIN, *options, "--out", "run", name, code=SIGNALLED)
    assert done.returncode == code and b"Traceback" not in done.stderr
    assert b"interrupted after 7 of 12 steps" in done.stderr and b"train --resume run" in done.stderr
    assert sorted(os.listdir("run")) == sorted([*RUN, "checkpoint.npz"])
    assert described("run")["status"] == "interrupted" and b"  checkpoint.npz " in done.stdout
    assert run("predict", "run", "table.csv", "--out", "predictions.csv") == 0
    assert run(*TRAIN, *options, "--out", "whole") == 0
    assert run("train", "--resume", "run") == 0
    assert sorted(os.listdir("run")) == sorted(RUN)
    same_run("whole", "run")


@POSIX
def test_a_signal_that_is_ignored_stays_so():
    """nohup ignores SIGHUP, so that a run outlives its terminal."""
    code = SIGNALLED.replace("signal.SIG_DFL)", "signal.SIG_IGN)")
    done = program(*TRAIN, "--epochs", 3, "--out", "run", "SIGHUP", code=code)
    assert done.returncode == 0 and described("run")["status"] == "finished", done.stderr


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("during", ["save_arrays", "write_text", "settle"])
def test_ctrl_c_while_files_are_written_loses_nothing(during, times, monkeypatch, unpictured):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    real = getattr(unfinished, during)

    def interrupted(*arguments):
        if Path("run/unfinished/model.npz").exists() or during == "save_arrays" or Path("run/committed").exists():
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    try:
        monkeypatch.setattr(unfinished, during, interrupted)
        train("--out", "run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert described("run")["status"] == "finished" and sorted(os.listdir("run")) == sorted({*RUN} - {"curves.png"})


def test_ctrl_c_while_the_picture_is_drawn_ends_the_drawing_only(monkeypatch, capsys):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(plotting, "draw_curves", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        train("--out", "run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert "warning: no curves.png: interrupted; all else is in run" in capsys.readouterr().err
    assert described("run")["status"] == "finished"


def test_a_signal_before_the_first_step_leaves_an_earlier_run_alone(monkeypatch, capsys):
    train("--out", "run")
    before = {name: Path("run", name).read_bytes() for name in os.listdir("run")}
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    real = Checkpoint.begin
    try:
        monkeypatch.setattr(
            Checkpoint, "begin", lambda self, *rest: (real(self, *rest), os.kill(os.getpid(), signal.SIGTERM))
        )
        assert run(*TRAIN, "--out", "run", "--force") == 143
        assert run(*TRAIN, "--out", "new") == 143
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert "interrupted before there was anything to save" in capsys.readouterr().err
    assert {name: Path("run", name).read_bytes() for name in os.listdir("run")} == before
    assert not os.path.exists("new")


# --- output that nobody reads ---------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("epochs", [1, 30])
def test_train_piped_into_head_trains_to_its_end(epochs):
    command = [sys.executable, "-c", PROGRAM, *map(str, TRAIN), "--epochs", str(epochs), "--out", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert any(line.startswith(b"Epoch 1, ") for line in process.stdout)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=600) == 0 and err == b""
    assert described("run")["status"] == "finished" and len(np.loadtxt("run/history.csv", str)) == 4 * epochs + 1


@POSIX
@pytest.mark.parametrize("redirection", [">&-", "> /dev/full", ">&- 2>&-", "> /dev/full 2> /dev/full"])
def test_train_with_an_output_that_cannot_be_written(redirection):
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    done = shell(*TRAIN, "--epochs", 2, "--out", "run", redirection=redirection)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert described("run")["status"] == "finished"
    warned = redirection == "> /dev/full"
    assert (b"warning: the output cannot be written (No space left on device)" in done.stderr) == warned
    assert done.stderr.count(b"\n") == warned


def shell(*arguments, redirection):
    command = f'exec "$@" {redirection}'
    words = ["sh", "-c", command, "sh", sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=600, check=False)


@POSIX
@pytest.mark.parametrize("command", ["predict", "info", "explain"])
def test_a_command_whose_only_output_cannot_be_written_says_so_in_one_line(command, unpictured):
    train("--out", "run")
    arguments = {"predict": ("predict", "run", "table.csv"), "info": ("info",), "explain": ("explain", "adam")}[command]
    done = shell(*arguments, redirection=">&-")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"standard output is closed" in done.stderr
    if os.path.exists("/dev/full"):
        done = shell(*arguments, redirection="> /dev/full")
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"No space left on device" in done.stderr
    done = shell(*arguments, redirection="| true")
    assert done.stderr == b""


# --- the picture, full disks, rights --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("a\nb"), MemoryError(), RuntimeError()]
)
def test_a_failure_of_the_picture_is_one_line(error, monkeypatch, capsys):
    def fails(*arguments):
        raise error

    monkeypatch.setattr(plotting, "draw_curves", fails)
    train("--out", "run")
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and f"warning: no curves.png: {type(error).__name__}" in said.err
    assert sorted(os.listdir("run")) == sorted({*RUN} - {"curves.png"}) and "curves.png" not in said.out
    assert run("predict", "run", "table.csv", "--out", "predictions.csv") == 0


@pytest.mark.parametrize("name", [b"$x^{$.csv", b"\\frac{$.csv", b"bytes\xff.csv", b"\xe4\xb8\xad.csv", b"a\nb.csv"])
def test_names_that_a_picture_or_a_text_might_choke_on(name, capsys, recwarn):
    try:
        shutil.copy("table.csv", os.fsdecode(name))
    except OSError:
        pytest.skip(f"this file system has no file {name!r}")
    assert run("train", os.fsdecode(name), "--target", "effect", "--epochs", 1, "--out", "run") == 0
    assert sorted(os.listdir("run")) == sorted(RUN) and not capsys.readouterr().err and not recwarn.list
    assert run("predict", "run", "table.csv", "--out", "predictions.csv") == 0


@POSIX
def test_a_run_on_a_table_whose_name_is_not_unicode_goes_on(monkeypatch, unpictured):
    name = os.fsdecode(b"bytes\xff.csv")
    try:
        shutil.copy("table.csv", name)
    except OSError:
        pytest.skip("this file system has no such file")
    crash(monkeypatch, "--epochs", 4, "--out", "run")
    os.rename("run/unfinished/begun.json", "begun.json")
    begun = json.loads(Path("begun.json").read_text())
    begun["command"][2] = {"bytes": os.fsencode(os.path.abspath(name)).hex()}
    Path("run/unfinished/begun.json").write_text(json.dumps(begun, indent=2))
    assert run("train", "--resume", "run") == 0
    assert provenance.command_line and described("run")["command"][2] == begun["command"][2]


def test_a_disk_that_is_full_when_the_run_is_written(monkeypatch, unpictured, capsys):
    train("--out", "run")
    before = {name: Path("run", name).read_bytes() for name in os.listdir("run")}
    assert run(*TRAIN, "--epochs", 3, "--out", "whole") == 0
    for broken in ("save_arrays", "write_text", "sync_folder"):
        with monkeypatch.context() as patch:

            def full(path, *rest):
                if "unfinished" in str(path):
                    raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(unfinished, broken, full)
            assert run(*TRAIN, "--epochs", 3, "--out", "run", "--force") == 2
        said = capsys.readouterr().err
        assert "cannot write to the folder run: No space left on device; what was learnt is in run/unfinished" in said
        assert "tinygrad-lr train --resume run" in said
        assert {name: Path("run", name).read_bytes() for name in before} == before
    assert run("train", "--resume", "run") == 0
    same_run("whole", "run")


@POSIX
def test_a_small_disk_that_fills_up(tmp_path, capsys, unpictured):
    """A file system of its own in memory, with room for less and less."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=64", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs rights that this process has not")
    try:
        train("--out", disk / "run")
        before = {name: (disk / "run" / name).read_bytes() for name in os.listdir(disk / "run")}
        outcomes = set()
        for room in range(0, 130_000, 12_288):
            free = os.statvfs(disk)
            (disk / "ballast").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
            code = run(*TRAIN, "--epochs", 3, "--seed", 5, "--out", disk / "run", "--force")
            said = capsys.readouterr().err
            outcomes.add(code)
            (disk / "ballast").unlink()
            if code == 0:
                break
            assert code == 2 and "No space left on device" in said and "Traceback" not in said
            assert {name: (disk / "run" / name).read_bytes() for name in before} == before
            assert run("predict", disk / "run", "table.csv", "--out", "predictions.csv", "--force") == 0
        assert outcomes == {0, 2}
        assert sorted(os.listdir(disk / "run")) == sorted({*RUN} - {"curves.png"})
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@POSIX
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # by jax, where another test has imported it
def test_a_folder_whose_rights_are_taken_away_while_it_trains(monkeypatch, unpictured):
    """As another user where this one is root, who may write everywhere."""
    place = Path(tempfile.mkdtemp())  # pytest's own folders let no other user in
    try:
        place.chmod(0o755)
        shutil.copy("table.csv", place)
        monkeypatch.chdir(place)
        train("--out", "run")
        before = {name: Path("run", name).read_bytes() for name in os.listdir("run")}
        if os.getuid() == 0:
            for path in [place, *place.rglob("*")]:
                os.chown(path, 54321, 54321)
        child = killing.forked(lambda: without_rights(place))
        assert os.waitpid(child, 0)[1] == 0
        said = Path("said").read_text()
        assert said.startswith("2 ") and "Permission denied" in said and "Traceback" not in said, said
        assert {name: Path("run", name).read_bytes() for name in before} == before
    finally:
        shutil.rmtree(place)


def without_rights(place):
    if os.getuid() == 0:
        os.setgid(54321)
        os.setuid(54321)
    real, count = Checkpoint.look, []

    def look(self, closed=False):
        count.append(None)
        if len(count) == 5:
            os.chmod("run/unfinished", 0o500)
            os.chmod("run", 0o500)
        real(self, closed)

    Checkpoint.look = look
    code, said = killing.command(*map(str, TRAIN), "--epochs", "3", "--out", "run", "--force")
    Path("said").write_text(f"{code} {said}")
    return 0


def test_predict_while_a_training_replaces_the_run(monkeypatch, unpictured):
    """It reads run.json of one and model.npz of the other, and begins again."""
    for seed in (1, 2):
        train("--out", f"seed{seed}", "--hidden", seed, "--seed", seed)
    assert run("predict", "seed2", "table.csv", "--out", "expected.csv") == 0
    for named in (["run.json"], []):  # what is not yet read when the other files are replaced
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("seed1", "run")
        real, reads = trained.restored, []

        def replaced_meanwhile(folder, description, real=real, reads=reads, named=named):
            reads.append(None)
            early = [] if named else [real(folder, description)]
            if len(reads) == 1:
                for name in os.listdir("seed2"):
                    shutil.copy(f"seed2/{name}", "run")
            return early[0] if early else real(folder, description)

        with monkeypatch.context() as patch:
            patch.setattr(trained, "restored", replaced_meanwhile)
            assert run("predict", "run", "table.csv", "--out", "found.csv", "--force") == 0
        assert len(reads) == 2 and Path("found.csv").read_text() == Path("expected.csv").read_text()


# --- what --resume and --force refuse -------------------------------------------------------------------------------


def test_options_that_contradict_the_run_are_refused(monkeypatch, capsys, unpictured):
    crash(monkeypatch, "--epochs", 4, "--out", "run", "--lr", 0.02)
    shutil.copy("table.csv", "other.csv")
    for options, message in [
        (["--lr", 0.5], "--lr 0.5 contradicts the run in run, which has 0.02; leave it out"),
        (["--epochs", 9], "--epochs 9 contradicts the run in run, which has 4"),
        (["--optimizer", "sgd"], "--optimizer sgd contradicts the run in run, which has adam"),
        (["--compiled"], "--compiled contradicts the run in run, which was begun without it"),
        (["--out", "elsewhere"], "--out .*elsewhere contradicts the run"),
        (["--force"], "--force does not go with --resume"),
        (["--show-compiled"], "--show-compiled does not go with --resume"),
    ]:
        assert run("train", "--resume", "run", *options) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert re.search(message, err), err
    assert run("train", "other.csv", "--resume", "run") == 2
    assert "TABLE" in capsys.readouterr().err
    assert run("train", "table.csv", "--resume", "run", "--lr", 0.02, "--epochs", 4, "--out", "run", "--quiet") == 0
    assert capsys.readouterr().out == "", "what is printed is no part of the run"


def piped(monkeypatch, content):
    """What is read from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("form", ["table", "compressed", "to measure on"])
def test_a_table_that_came_from_a_pipe_is_kept_until_the_run_is_over(form, monkeypatch, capsys, unpictured):
    text = Path("table.csv").read_bytes()
    content = gzip.compress(text) if form == "compressed" else text
    begin = ("train", "table.csv", "--test", "-") if form == "to measure on" else ("train", "-")
    begin = (*begin, "--target", "effect", "--batch-size", 8, "--epochs", 4)
    piped(monkeypatch, content)
    assert run(*begin, "--out", "whole") == 0
    piped(monkeypatch, content)
    crash(monkeypatch, "--out", "run", looks=9, begin=begin)
    name = "test.kept" if form == "to measure on" else "table.kept"
    assert Path("run/unfinished", name).read_bytes() == content
    piped(monkeypatch, b"")
    real, count = Checkpoint.look, []

    def watched(self, closed=False):
        real(self, closed)
        count.append(None)
        if len(count) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "look", watched)
            assert run("train", "--resume", "run") == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert name in os.listdir("run") and described("run")["status"] == "interrupted"
    capsys.readouterr()
    assert run("train", "--resume", "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "finished"
    assert sorted(os.listdir("run")) == sorted(os.listdir("whole")), "nothing of it is left"
    same_run("whole", "run")


def test_a_table_of_a_python_program_cannot_be_resumed(capsys):
    made = prepare({"dose": [1.0, 2, 3, 4] * 9, "effect": [1.5, 2, 3, 4] * 9}, {"target": "effect"})
    taken = unfinished.Run.begin(Path("run"), False, begun(made))
    taken.lock.release()
    assert run("train", "--resume", "run") == 2
    assert (
        "had a table of a Python program, which is not there now; train again, with --force" in capsys.readouterr().err
    )


def test_a_table_that_changed_is_refused(monkeypatch, capsys):
    crash(monkeypatch, "--epochs", 4, "--out", "run")
    text = Path("table.csv").read_text()
    Path("table.csv").write_text(text.replace("39,blue", "38,blue"))
    assert run("train", "--resume", "run") == 2
    assert "table.csv is not the table that it was trained on; its SHA-256 was" in capsys.readouterr().err
    os.unlink("table.csv")
    assert run("train", "--resume", "run") == 2
    assert "was trained on" in capsys.readouterr().err
    Path("table.csv").write_text(text)
    assert run("train", "--resume", "run") == 0


def test_where_there_is_nothing_to_resume(capsys, unpictured):
    train("--out", "run")
    os.mkdir("empty")
    for folder, message in [
        ("absent", "absent is not a folder; name one in which"),
        ("empty", "there is nothing to resume: empty holds no run"),
        ("run", "there is nothing to resume: the run in run is finished"),
    ]:
        assert run("train", "--resume", folder) == 2
        assert message in capsys.readouterr().err
    assert os.listdir("empty") == []


def test_a_folder_in_which_a_training_goes_on(capsys, monkeypatch):
    crash(monkeypatch, "--out", "run")
    held = FolderLock("run")
    for arguments in (["train", "--resume", "run"], [*TRAIN, "--out", "run"], [*TRAIN, "--out", "run", "--force"]):
        assert run(*arguments) == 2
        assert "another process trains in run; wait until it has ended" in capsys.readouterr().err
    held.release()
    assert run("train", "--resume", "run") == 0


def test_two_trainings_that_choose_a_folder_at_once(monkeypatch, unpictured):
    real = commands.runs.free_folder

    def slow(name):
        folder = real(name)
        if str(folder) == os.path.join("runs", "table"):
            os.makedirs(folder)  # by another process
        return folder

    monkeypatch.setattr(commands.runs, "free_folder", slow)
    train()
    assert sorted(os.listdir("runs")) == ["table", "table-2"] and os.listdir("runs/table") == []


def test_an_unfinished_run_is_not_replaced_unasked(monkeypatch, capsys, unpictured):
    crash(monkeypatch, "--out", "run")
    assert run(*TRAIN, "--out", "run") == 2
    err = capsys.readouterr().err
    assert "run holds an unfinished run; go on with `tinygrad-lr train --resume run`" in err and "--force" in err
    train("--out", "run", "--force")
    assert sorted(os.listdir("run")) == sorted({*RUN} - {"curves.png"})


def torn_begun():
    os.rename("run", "unfinished")
    os.mkdir("run")
    os.rename("unfinished", "run/unfinished")
    for name in os.listdir("run/unfinished"):
        os.unlink(f"run/unfinished/{name}")
    Path("run/unfinished/begun.json").write_text('{\n  "for')


REMAINS = {
    "without run.json": lambda: os.unlink("run/run.json"),
    "without model.npz": lambda: os.unlink("run/model.npz"),
    "a torn run.json": lambda: os.truncate("run/run.json", 60),
    "an empty run.json": lambda: os.truncate("run/run.json", 0),
    "all empty": lambda: [os.truncate(f"run/{name}", 0) for name in os.listdir("run")],
    "a torn begun.json": torn_begun,
}


@pytest.mark.parametrize("name", REMAINS)
def test_force_takes_the_remains_of_a_broken_run(name, capsys, unpictured):
    train("--out", "run")
    REMAINS[name]()
    capsys.readouterr()
    assert run(*TRAIN, "--out", "run") == 2
    assert "--force" in capsys.readouterr().err
    train("--out", "run", "--force")
    assert sorted(os.listdir("run")) == sorted({*RUN} - {"curves.png"})


FOREIGN = {
    "model.npz": lambda: np.savez("run/model.npz", w=np.ones(3)),
    "history.csv": lambda: Path("run/history.csv").write_text("date,what\n"),
    "run.json": lambda: Path("run/run.json").write_text('{"speed": 3}'),
    "unfinished": lambda: Path("run/unfinished").write_text("my symphony"),
    "unfinished/": lambda: (os.mkdir("run/unfinished"), Path("run/unfinished/symphony").touch()),
    "a run inside": lambda: train("--out", "run/unfinished"),
    "committed/": lambda: (os.mkdir("run/committed"), Path("run/committed/crime").touch()),
    "a folder run.json": lambda: os.makedirs("run/run.json/in it"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_ours_is_never_replaced(name, capsys, unpictured):
    os.mkdir("run")
    FOREIGN[name]()
    before = {path: path.is_file() and path.read_bytes() for path in Path("run").rglob("*")}
    for options in ([], ["--force"]):
        assert run(*TRAIN, "--out", "run", *options) == 2
        assert "choose another folder" in capsys.readouterr().err
        assert {path: path.is_file() and path.read_bytes() for path in Path("run").rglob("*")} == before


def test_files_of_the_users_own_stay(unpictured):
    os.mkdir("run")
    mine = (".writable", "notes.txt", ".model.npz.tmp", "checkpoint-3.npz", ".tinygrad_lr-mine.tmp")
    for name in mine:
        Path("run", name).write_text("mine")
    for options in ([], ["--force"]):
        train("--out", "run", *options)
        assert all(Path("run", name).read_text() == "mine" for name in mine)


def test_damaged_checkpoints_are_named(monkeypatch, capsys, unpictured):
    assert run(*TRAIN, "--epochs", 4, "--out", "whole") == 0
    crash(monkeypatch, "--epochs", 4, "--out", "run", looks=9)
    older, newer = sorted(Path("run/unfinished").glob("checkpoint-*.npz"))
    os.truncate(newer, 100)
    shutil.copytree("run", "both")
    assert run("train", "--resume", "run") == 0
    assert f"warning: run/unfinished/{newer.name} is damaged" in capsys.readouterr().err
    same_run("whole", "run")
    os.truncate(Path("both/unfinished", older.name), 100)
    assert run("train", "--resume", "both") == 2
    assert "every checkpoint in both/unfinished is damaged" in capsys.readouterr().err
    assert run(*TRAIN, "--out", "both", "--force") == 0


FORKS = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="it forks, and looks into /proc")


# --- kills ----------------------------------------------------------------------------------------------------------


def trials(folder, **asked):
    os.makedirs(folder)
    done = subprocess.run(
        [sys.executable, killing.__file__, folder],
        env={**os.environ, "TINYGRAD_LR_BACKEND": "numpy"},  # a process without Numba forks sooner
        input=json.dumps({"seed": 0, "broken": "", **asked}),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@FORKS
def test_kills_leave_a_whole_run_and_one_that_goes_on(tmp_path, searches):
    """At random moments, and before operations on files, with a process that dies and with one that loses its power."""
    asked = {"operations": searches.choose(1000, 7), "moments": searches.choose(1000, 24)}
    found = trials(tmp_path / "trials", **asked)
    searches.count("kills", found["made"], 1172)
    assert found["made"] >= 50 and found["failures"] == []


@FORKS
@pytest.mark.parametrize("broken", ["no fsync", "in place"])
def test_kills_show_what_is_broken(tmp_path, broken):
    assert trials(tmp_path / "trials", operations=8, moments=0, broken=broken)["failures"]
