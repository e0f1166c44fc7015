"""Every mistake a user can make on the command line is one clear line, before training begins where it can be."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from cli_cases import folder_of_its_own, run, train  # noqa: F401

from tinygrad_lr import cuda
from tinygrad_lr.training import fitting
from tinygrad_lr.training.tables import unfinished


def spoil(name, content):
    """Train into the folder `run`, then change one of its files."""
    train("--out", "run")
    path = Path("run", name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content(path.read_bytes()) if callable(content) else content)


def describe(**changes):
    """Changes of run.json."""
    return lambda text: json.dumps({**json.loads(text), **changes}).encode()


def npz(**arrays):
    np.savez("other.npz", **arrays)
    return Path("other.npz").read_bytes()


def make_file(name, text=""):
    with open(name, "w") as file:
        file.write(text)


TRAIN = ["train", "table.csv", "--target", "effect"]
MISTAKES = {
    "no command": ([], "COMMAND"),
    "unknown command": (["trian"], "invalid choice"),
    "unknown option": ([*TRAIN, "--learning-rate=1"], "unrecognized arguments: --learning-rate"),
    "no target": (["train", "table.csv"], "--target is missing: .*dose, colour, effect"),
    "unknown target": (["train", "table.csv", "--target=efect"], "no column 'efect'; did you mean 'effect'"),
    "no such table": (["train", "absent.csv", "--target=y"], "absent.csv: No such file"),
    "table is a folder": (["train", ".", "--target=y"], "error: "),
    "lr nan": ([*TRAIN, "--lr=nan"], "--lr: expected a finite number of at least 0, got 'nan'"),
    "lr negative": ([*TRAIN, "--lr=-1"], "expected a finite number of at least 0"),
    "lr text": ([*TRAIN, "--lr=fast"], "--lr: expected a number, got 'fast'"),
    "lr beyond float32": ([*TRAIN, "--lr=1e300"], "lr"),
    "epochs 0": ([*TRAIN, "--epochs=0"], "--epochs: expected a whole number of at least 1, got '0'"),
    "epochs 1.5": ([*TRAIN, "--epochs=1.5"], "expected a whole number, got '1.5'"),
    "batch size": ([*TRAIN, "--batch-size=0"], "--batch-size: expected a whole number of at least 1"),
    "seed": ([*TRAIN, "--seed=-1"], "--seed: expected a whole number of at least 0"),
    "negative warm-up": ([*TRAIN, "--warmup-epochs=-1"], "--warmup-epochs: expected a whole number of at least 0"),
    "long warm-up": ([*TRAIN, "--epochs=3", "--warmup-epochs=4"], r"the warm-up \(4 steps\) cannot be longer"),
    "long plateau": (
        [*TRAIN, "--epochs=9", "--schedule=wsd", "--stable-epochs=9", "--warmup-epochs=1"],
        r"and the plateau \(9 steps\) cannot be",
    ),
    "hidden": ([*TRAIN, "--hidden=32,x"], "--hidden: expected a whole number, got 'x'"),
    "hidden 0": ([*TRAIN, "--hidden=0"], "--hidden: expected a whole number of at least 1"),
    "optimizer": ([*TRAIN, "--optimizer=adm"], "invalid choice: 'adm'"),
    "optimizer in capitals": ([*TRAIN, "--optimizer=AdamW"], "did you mean 'adamw'"),
    "set another library's name": ([*TRAIN, "--set", "beta1=0.9"], "did you mean 'betas'"),
    "set the dialect": ([*TRAIN, "--set", "dialect=torch"], "write --dialect torch"),
    "set two names of one": (
        [*TRAIN, "--optimizer=adafactor", "--set", "d=2", "--set", "clip_threshold=3"],
        "d is torch's name of clip_threshold",
    ),
    "dialect": ([*TRAIN, "--dialect=jax"], "adam has the dialects article, torch, optax, keras; got 'jax'"),
    "schedule": ([*TRAIN, "--schedule=step"], "invalid choice: 'step'"),
    "power 0": ([*TRAIN, "--schedule=polynomial", "--power=0"], "power must be above 0"),
    "power of cosine": ([*TRAIN, "--schedule=cosine", "--power=2"], "--power belongs to --schedule polynomial, not to"),
    "plateau of cosine": ([*TRAIN, "--schedule=cosine", "--stable-epochs=2"], "--stable-epochs belongs to"),
    "momentum of adam": ([*TRAIN, "--momentum=0.9"], "--momentum is no option of adam"),
    "max norm 0": ([*TRAIN, "--max-norm=0"], "--max-norm must be above 0, got 0"),
    "held out 1": ([*TRAIN, "--held-out=1"], "at least 0 and below 1, got '1'"),
    "ignore": ([*TRAIN, "--ignore=dos"], "no column 'dos'; did you mean 'dose'"),
    "delimiter": ([*TRAIN, "--delimiter=ab"], "a delimiter is one character"),
    "out is a file": ([*TRAIN, "--out=table.csv"], "cannot write to the folder table.csv"),
    "out in a file": ([*TRAIN, "--out=table.csv/run"], "cannot write to the folder .*: Not a directory"),
    "foreign files": ([*TRAIN, "--out=foreign"], "foreign has model.npz, but no run of tinygrad-lr"),
    "predict without a run": (["predict", "foreign", "table.csv"], "holds no run: it has no run.json"),
    "predict without a folder": (["predict", "absent", "table.csv"], "absent is not a folder; name a folder"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line_before_training(name, capsys, monkeypatch):
    arguments, message = MISTAKES[name]
    os.mkdir("foreign")
    make_file("foreign/model.npz")
    monkeypatch.setattr(fitting, "fit", lambda *_, **__: pytest.fail("training began"))
    assert run(*arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert re.search(message, err[-1]), err
    assert err[-1].startswith("tinygrad-lr") and not any("Traceback" in text for text in err)
    assert not os.path.exists("runs")


DAMAGE = {
    "empty model": ("model.npz", b"", "model.npz is damaged"),
    "half a model": ("model.npz", lambda content: content[: len(content) // 2], "model.npz is damaged"),
    "flipped bits": ("model.npz", lambda content: content.replace(b"NUMPY", b"NUMPY"[::-1], 1), "model.npz is damaged"),
    "a pickle": ("model.npz", lambda _: npz(weight=np.array([{}], object)), "model.npz is damaged"),
    "no model": ("model.npz", None, "model.npz is not there; the run is incomplete"),
    "not finite": ("model.npz", lambda _: npz(weight=np.array([[np.nan] * 3], np.float32)), "'weight' is not finite"),
    "other shape": (
        "model.npz",
        lambda _: npz(weight=np.zeros((1, 9), np.float32), bias=np.zeros(1, np.float32)),
        r"do not fit together: .*\(1, 9\)",
    ),
    "other names": (
        "model.npz",
        lambda _: npz(w=np.zeros(3, np.float32)),
        "do not fit together: the model has 4 parameters, and 3 are",
    ),
    "not JSON": ("run.json", b"{", "run.json cannot be read"),
    "not text": ("run.json", b"\xff\xfe", "run.json cannot be read"),
    "other JSON": ("run.json", b"[]", "does not describe a run of tinygrad-lr"),
    "later format": (
        "run.json",
        describe(format_version=99),
        "format version 99; this tinygrad_lr reads versions 1 and 2",
    ),
    "no encoder": ("run.json", describe(encoder={}), "do not fit together"),
    "no model description": ("run.json", describe(model={}), "do not fit together"),
    "strange arguments": ("run.json", describe(reading=[1]), "do not fit together"),
    "strange marks": ("run.json", describe(reading={"na_values": 3}), "do not fit together"),
    "strange layers": ("run.json", describe(model={"layers": [4]}), "do not fit together"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_named(name, capsys):
    file, content, message = DAMAGE[name]
    spoil(file, content)
    capsys.readouterr()
    assert run("predict", "run", "table.csv") == 2
    err = capsys.readouterr().err
    assert re.search(message, err) and err.count("\n") == 1, err


def test_predict_names_what_does_not_fit(capsys):
    train("--out", "run")
    make_file("other.csv", "dose,colour\nmuch,red\n")
    make_file("taken.csv")
    for arguments, message in [
        (["run", "other.csv"], "line 2, column 'dose': 'much' is not a number"),
        (["run", "table.csv", "--out", "taken.csv"], "taken.csv: exists already"),
        (["run", "table.csv", "--out", "absent/predictions.csv"], "No such file or directory"),
        (["run", "absent.csv"], "absent.csv: No such file or directory"),
    ]:
        assert run("predict", *arguments) == 2
        assert message in capsys.readouterr().err
    assert Path("taken.csv").read_text() == ""


@pytest.mark.skipif(cuda.is_available(), reason="CUDA (or its simulator) is there, so asking for it is no mistake")
def test_a_gpu_that_is_not_there(capsys):
    assert run(*TRAIN, "--device", "cuda") == 2
    err = capsys.readouterr().err
    assert "device 'cuda' was asked for, but CUDA is not available" in err and "pip install" in err


def test_a_training_that_fails_leaves_no_empty_folder(capsys, monkeypatch):
    def lacking(*arguments, **options):
        raise NotImplementedError("linear is not implemented on device 'cuda'; move its inputs with .to('cpu') first")

    monkeypatch.setattr(fitting, "fit", lacking)
    assert run(*TRAIN, "--out", "run") == 2
    assert "not implemented on device 'cuda'" in capsys.readouterr().err
    assert not os.path.exists("run")


def test_nothing_half_written_when_the_disk_is_full(monkeypatch, capsys):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "save_arrays", full)
        assert run(*TRAIN, "--epochs=1", "--out=run") == 2
    assert "cannot write to the folder run: No space left on device" in capsys.readouterr().err
    assert os.listdir("run") == ["unfinished"]
    assert run("train", "--resume=run") == 0 and "model.npz" in os.listdir("run")
    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "write_bytes", full)  # before the first step, too
        assert run(*TRAIN, "--epochs=1", "--out=new") == 2
    assert "cannot write to the folder new: No space left on device" in capsys.readouterr().err
    assert not os.path.exists("new")
