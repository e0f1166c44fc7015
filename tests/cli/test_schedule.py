"""`tinygrad-lr schedule`, and the text of a schedule in `tinygrad-lr train --schedule`."""

import csv
import json
from pathlib import Path

import pytest

from tinygrad_lr import cli
from tinygrad_lr.schedules import cosine, warmup
from tinygrad_lr.training.tables import rates
from tinygrad_lr.training.tables.options import Options


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_draws_and_prints_the_phases(capsys):
    assert cli.main(["schedule", "warmup(5) then cosine(95)", "--base-lr", "0.1", "--table", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("   0.1 |") and lines[0].count("*") > 5
    assert "phase 2, steps 5 to 99: 0.1 -> 0, cosine(95)" in lines and "from step 100 on: 0" in lines
    assert lines[-1].split() == ["100", "0", "2:", "cosine(95)"]
    assert cli.main(["schedule", "step(30, 0.5)", "--until", "50"]) == 0
    assert capsys.readouterr().out.splitlines()[13].split() == ["0", "50"]


def test_a_picture(capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here (extra `plot`)")
    for name, begins in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        assert cli.main(["schedule", "warmup(5) then cosine(95)", "--out", name]) == 0
        assert Path(name).read_bytes().startswith(begins)
    assert cli.main(["schedule", "cosine(95)", "--out", "a.txt"]) == 2
    assert cli.main(["schedule", "cosine(95)", "--out", "no/a.png"]) == 2
    said = capsys.readouterr().err
    assert "ends with .png, .svg, .pdf; got 'a.txt'" in said and "No such file" in said


def test_a_mistake_has_a_caret_under_it(capsys):
    assert cli.main(["schedule", "warmup(5) then cosin(95)"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "tinygrad-lr: error: no schedule is called 'cosin'; did you mean 'cosine'?",
        "  warmup(5) then cosin(95)",
        "                 ^",
    ]
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "--schedule", "warmup(5) then cosin(95)"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "tinygrad-lr train: error: argument --schedule: no schedule is called 'cosin'; did you mean 'cosine'?",
        "  warmup(5) then cosin(95)",
        "                 ^",
    ]
    with pytest.raises(SystemExit):
        cli.main(["schedule", "cosine(3)", "an\nerror", "\x1b[2J"])
    said = capsys.readouterr().err
    assert "\x1b" not in said and "an\\nerror" in said


def test_train_has_the_rates_of_the_text(capsys):
    text = "warmup(5) then cosine(15)"
    assert cli.main(["train", "--schedule", text, "--epochs", "2", "--lr", "0.1", "--out", "run", "--quiet"]) == 0
    rows = list(csv.DictReader(Path("run/history.csv").read_text("utf-8").splitlines()))
    schedule = warmup(5).then(cosine(15))
    assert [float(row["lr"]) for row in rows] == [schedule(step) * 0.1 for step in range(20)]
    written = json.loads(Path("run/run.json").read_text("utf-8"))
    assert f"--schedule={text}" in json.dumps(written) and repr(schedule) in json.dumps(written)
    assert rates.build_schedule(text, 20) == schedule


def test_what_a_text_leaves_no_room_for():
    with pytest.raises(ValueError, match="--warmup-epochs has no effect beside --schedule 'warmup"):
        Options.of({"schedule": "warmup(5) then cosine(15)", "warmup_epochs": 2})
    with pytest.raises(ValueError, match="--power belongs to --schedule polynomial"):
        Options.of({"schedule": "polynomial(5, 2)", "power": 2.0})
    with pytest.raises(ValueError, match="invalid choice: 'step'"):
        Options.of({"schedule": "step"})
