"""`tinygrad-lr verify`: what it names, what it prints and how it exits."""

import json

import pytest

from tinygrad_lr import cli
from tinygrad_lr.verify import command

OPTIMIZERS = """
class Descent:
    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr
    def step(self, grads):
        for p, g in zip(self.params, grads):
            if g is not None:
                p -= p.dtype.type(self.lr) * self.used(g)
    def used(self, g):
        return g

class Absolute(Descent):
    def used(self, g):
        return abs(g)

def schedule(step):
    return 1 - step / 10

number = 3
"""


@pytest.fixture(autouse=True)
def a_file_of_optimizers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OPTIMIZERS, "utf-8")
    (tmp_path / "broken.py").write_text("1 / 0", "utf-8")


def verify(*arguments):
    try:
        return cli.main(["verify", *arguments])
    except SystemExit as leaving:
        return leaving.code


def test_right_and_wrong(capsys, tmp_path):
    settings = ["--spec", "sgd", "--set", "lr=0.1", "--properties", "P1,P2,P14"]
    assert verify("mine.py:Descent", *settings, "--json", "report.json") == 0
    assert "all right: 4 passed" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["ok"] and [each["property_id"] for each in report["findings"]] == ["P0", "P1", "P2", "P14"]
    assert verify("mine.py:Absolute", *settings, "--seed", "3") == 1
    out = capsys.readouterr().out
    assert "seed 3" in out and "P14  failed" in out and "NOT right" in out
    expected = ["--expect-failure", "P1=takes |g|", "P14=takes |g|"]
    assert verify("mine.py:Absolute", *settings, *expected) == 0
    assert verify("mine.py:Descent", *settings, *expected) == 1


def test_without_a_formula(capsys):
    assert verify("mine.py:Descent", "--set", "lr=0.1") == 0
    assert "what holds for every rule" in capsys.readouterr().out


def test_our_own_in_a_dialect(capsys):
    chosen = ["--spec", "adam", "--properties", "P1"]
    assert verify("tinygrad_lr.optim:Adam", "--dialect", "torch", *chosen) == 0
    assert verify("tinygrad_lr.optim:Adam", *chosen, "--set", "eps_placement=outside") == 0
    assert "against adam (torch)" in capsys.readouterr().out


def test_a_schedule(capsys):
    assert verify("mine.py:schedule", "--schedule", "--total-steps", "10") == 0
    assert verify("mine.py:schedule", "--schedule", "--total-steps", "20") == 1
    assert verify("mine.py:schedule", "--schedule", "--total-steps", "10", "--spec", "cosine") == 1
    assert "P37" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py"], "expected module:name or file.py:name"),
        (["other.py:Descent"], "there is no file other.py"),
        (["broken.py:Descent"], "broken.py cannot be imported: ZeroDivisionError"),
        (["mine.py:Nothing"], "mine.py has no 'Nothing'"),
        (["no_such_module:Adam"], "No module named 'no_such_module'"),
        (["mine.py:number"], "expected an optimizer class"),
        (["mine.py:Descent", "--spec", "adamm"], "adam"),
        (["mine.py:Descent", "--spec", "adam", "--dialect", "jax"], "dialect"),
        (["mine.py:Descent", "--set", "lr"], "NAME=VALUE"),
        (["mine.py:Descent", "--properties", "P99"], "no property is called P99"),
        (["mine.py:Descent", "--expect-failure", "P1"], "PROPERTY=REASON"),
        (["mine.py:schedule", "--schedule"], "total_steps must say"),
        (["mine.py:Descent", "--seed", "-1"], "at least 0"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(arguments, message, capsys):
    assert verify(*arguments) == 2
    assert message in capsys.readouterr().err


def test_a_dotted_name_is_followed():
    assert command.load("pathlib:Path.cwd")().is_dir()
