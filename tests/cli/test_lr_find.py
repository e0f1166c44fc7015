"""`tinygrad-lr lr-find`: the range test of the training that `train` would do."""

import signal
from pathlib import Path

import numpy as np
import pytest
from cli_cases import folder_of_its_own as folder_of_its_own
from cli_cases import run

from tinygrad_lr.cli import finding
from tinygrad_lr.training import lr_range_test
from tinygrad_lr.training.tables.training import prepare

FIND = ["lr-find", "table.csv", "--target", "effect", "--batch-size", 8]


def test_it_draws_and_suggests_and_leaves_nothing(capsys):
    assert run(*FIND, "--optimizer", "sgd", "--max-norm", 5, "--points", 60, "--from", 1e-6, "--to", 5) == 0
    said = capsys.readouterr().out.splitlines()
    options = {"target": "effect", "batch_size": 8, "optimizer": "sgd", "max_norm": 5.0}
    plan = prepare("table.csv", options).plan
    arguments = plan.model, plan.loss, plan.optimizer, plan.loader
    found = lr_range_test(*arguments, start=1e-6, end=5.0, steps=60, max_norm=5.0)
    assert said == [
        *found.as_lines(),
        f"table.csv: sgd, batches of 8; {found.ended}",
        f"Suggested learning rate: {found.suggestion:.3g} (--lr {found.suggestion:.2g})",
        f"Rule: {found.rule}",
    ]
    assert [each.name for each in Path().iterdir()] == ["table.csv"]


def test_where_nothing_is_suggested_it_says_why(capsys):
    assert run(*FIND, "--to", 1e-6, "--points", 20) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("Rule: none: the smoothed loss falls by") and "Suggested" not in said[-2]


def test_equal_steps_and_train_options(capsys):
    assert run(*FIND, "--linear", "--from", 0.1, "--to", 1, "--points", 30, "--set", "betas=0.8,0.9") == 0
    assert run("lr-find", "--optimizer", "sgd") == 0
    assert "diabetes.csv: sgd, batches of 32" in capsys.readouterr().out


def test_a_picture(capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here (extra `plot`)")
    assert run(*FIND, "--out", "a.png") == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert run(*FIND, "--out", "a.txt") == 2
    assert "ends with .png, .svg, .pdf; got 'a.txt'" in capsys.readouterr().err


def test_without_matplotlib_it_says_so_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(finding, "is_available", lambda: False)
    assert run(*FIND, "--out", "a.png") == 2
    said = capsys.readouterr()
    assert not said.out and "--out needs matplotlib: pip install 'tinygrad_lr[plot]'" in said.err


def test_after_ctrl_c_the_curve_until_then_is_drawn(monkeypatch, capsys):
    def interrupted(*arguments, **options):
        arguments[2].register_step_pre_hook(lambda *_: steps.append(1))
        arguments[2].register_step_post_hook(lambda *_: len(steps) == 5 and signal.raise_signal(signal.SIGINT))
        return lr_range_test(*arguments, **options)

    steps = []
    monkeypatch.setattr(finding, "lr_range_test", interrupted)
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run(*FIND) == 130
    finally:
        signal.signal(signal.SIGINT, earlier)
    said = capsys.readouterr().out
    assert "interrupted after 5 steps" in said and "Rule: none: the curve has 5 steps" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", 1, "--to", 0.1], "--from must be above 0 and below --to, got 1 and 0.1"),
        (["--from", 0], "--from must be above 0"),
        (["--points", 3], "--points must be at least 10, got 3"),
        (["--optimizer", "nope"], "invalid choice: 'nope'"),
        (["--target", "nope"], "nope"),
    ],
)
def test_mistakes(arguments, says, capsys):
    assert run(*FIND, *arguments) == 2
    assert says in capsys.readouterr().err


def test_a_loss_that_is_not_finite_has_no_curve(monkeypatch, capsys):
    nothing = np.zeros(0)
    found = finding.lr_range_test.__globals__["RangeTest"](
        nothing, nothing, nothing, None, "none: no curve", None, None, "the loss was no finite number", (1.0,)
    )
    monkeypatch.setattr(finding, "lr_range_test", lambda *_, **__: found)
    monkeypatch.setattr(finding, "is_available", lambda: True)
    assert run(*FIND, "--out", "a.png") == 0
    said = capsys.readouterr()
    assert "no finite number" in said.out and "no a.png" in said.err and not Path("a.png").exists()


def test_with_standard_output_closed_it_does_not_begin(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    assert run(*FIND) == 2
    assert "standard output is closed" in capsys.readouterr().err
