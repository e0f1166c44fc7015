"""`tinygrad-lr verify`: what it names, what it prints and how it exits."""

import json
import re
from pathlib import Path

import pytest
from verify_cases import DESCENT

from tinygrad_lr import cli
from tinygrad_lr.verify import command

OPTIMIZERS = (
    DESCENT
    + """
class Absolute(Descent):
    def used(self, g):
        return abs(g)

class Prints(Descent):
    def used(self, g):
        print("a word from step")
        return g

class Renamed:
    def __init__(self, params, rate=0.1, keep=0.9, waits=True):
        self.params, self.rate, self.keep, self.waits = params, rate, keep, waits
        self.m = [np.zeros_like(p) for p in params]
    def start(self):
        self.waits = False
    def step(self, grads):
        for p, g, m in zip(self.params, grads, self.m):
            if g is not None and not self.waits:
                m *= p.dtype.type(self.keep)
                m += g
                p -= p.dtype.type(self.rate) * m

class Later(Descent):
    steps = 0
    def step(self, grads):
        Later.steps += 1
        if Later.steps > 10:  # P0 takes six
            self.end()
        super().step(grads)

class HoldsTheLock(Later):
    def end(self):
        sum(range(10**12))  # in C, without giving the interpreter's lock away

class Exits(Later):
    def end(self):
        import os
        os._exit(7)

def schedule(step):
    return 1 - step / 10

def straight(step):
    return 1 - min(step, 10) / 10

def slow_schedule(step):
    import time
    time.sleep(1)
    return 0.1

number = 3
"""
)


@pytest.fixture(autouse=True)
def a_file_of_optimizers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(OPTIMIZERS, "utf-8")
    (tmp_path / "broken.py").write_text("1 / 0", "utf-8")


def verify(*arguments):
    try:
        return cli.main(["verify", *arguments])
    except SystemExit as leaving:
        return leaving.code


def checked(*arguments):
    """The report, made in this process."""
    return command.check(cli.parser().parse_args(["verify", *arguments]))


def test_right_and_wrong(capsys, tmp_path):
    settings = ["--spec", "sgd", "--set", "lr=0.1", "--properties", "P1,P2,P14"]
    assert verify("mine.py:Descent", *settings, "--json", "report.json") == 0
    assert "all right: 4 passed" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["ok"] and [each["property_id"] for each in report["findings"]] == ["P0", "P1", "P2", "P14"]
    assert verify("mine.py:Absolute", *settings, "--seed", "3") == 1
    out = capsys.readouterr().out
    assert (
        "seed 3" in out and "1. A step is not the formula's." in out and "also      P14" in out and "NOT right" in out
    )
    expected = ["--expect-failure", "P1=takes |g|", "P14=takes |g|"]
    assert checked("mine.py:Absolute", *settings, *expected).ok
    assert not checked("mine.py:Descent", *settings, *expected).ok


def test_a_schedule_of_a_library_takes_names(capsys):
    """--names says what a library calls an argument of the formula; the other options of optimizers are refused."""
    pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[peers]'")
    target = ["torch.optim.lr_scheduler:StepLR", "--schedule", "--spec", "step"]
    settings = ["--set", "gamma=0.1", "step_size=3", "base=0.1"]
    assert verify(*target, *settings, "--names", "gamma=nothing") == 2
    assert "StepLR has no argument nothing" in capsys.readouterr().err
    assert verify(*target, *settings, "--without", "gamma") == 2
    assert "--without says nothing about a schedule" in capsys.readouterr().err


def test_a_program_names_a_file_and_the_report_its_line(capsys, tmp_path):
    settings = ["--spec", "sgd", "--set", "lr=0.1", "--properties", "P14"]
    files = ["--format", "sarif", "--out", "r.sarif", "--script", "programs", "--badge", "b.svg"]
    assert verify("mine.py:Absolute", *settings, *files) == 1
    out = capsys.readouterr().out
    assert "NOT right: 1 passed, 1 failed; the report is in r.sarif" in out and "wrote programs" in out
    (program,) = (tmp_path / "programs").iterdir()
    assert f"runpy.run_path({str(tmp_path / 'mine.py')!r})['Absolute']" in program.read_text("utf-8")
    place = json.loads((tmp_path / "r.sarif").read_text("utf-8"))["runs"][0]["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "mine.py"
    assert place["physicalLocation"]["region"]["startLine"] == 2 + OPTIMIZERS.splitlines()[1:].index(
        "class Absolute(Descent):"
    )
    assert "sgd, 1 property wrong" in (tmp_path / "b.svg").read_text("utf-8")
    assert verify("mine.py:Absolute", *settings, "--script", "-", "--all") == 1
    assert "raise SystemExit(" in capsys.readouterr().out


def test_without_a_formula():
    report = checked("mine.py:Descent", "--set", "lr=0.1")
    assert report.ok and "what holds for every rule" in report.subject


def test_our_own_in_a_dialect():
    chosen = ["--spec", "adam", "--properties", "P1"]
    report = checked("tinygrad_lr.optim:Adam", "--dialect", "torch", *chosen)
    assert report.ok and "against adam (torch)" in report.subject
    assert checked("tinygrad_lr.optim:Adam", *chosen, "--set", "eps_placement=outside").ok


def test_our_own_are_held_to_their_own_formulas_by_default(capsys):
    assert "against adam (article)" in checked("adam", "--properties", "P1").subject
    in_a_dialect = checked("tinygrad_lr.optim.adam:Adam", "--dialect", "torch", "--properties", "P2")
    assert "against adam (torch)" in in_a_dialect.subject
    held_to = checked("sgd", "--set", "lr=0.1", "momentum=0.9", "--properties", "P1")
    assert held_to["P1"].outcome == "passed"
    assert verify("adagrad", "--properties", "P1") == 0  # in another process
    assert "tinygrad_lr.optim.Adagrad against adagrad (article)" in capsys.readouterr().out


def test_what_the_optimizer_calls_it():
    claim = ["mine.py:Renamed", "--spec", "sgd", "--dialect", "torch", "--set", "momentum=0.9", "--properties", "P1"]
    names = ["--names", "lr=rate", "momentum=keep", "dampening=", "--without", "weight_decay,nesterov,maximize"]
    report = checked(*claim, *names, "--prepare", "start", "--state-names", "momentum_buffer=")
    assert report["P1"].outcome == "passed" and "state_names says None" in report["P1"].reason, str(report)
    assert checked(*claim, *names)["P1"].outcome == "failed", "it waits to be started"
    starts = "import mine\ndef prepare(optimizer): optimizer.start()\n"
    Path("starts.py").write_text(starts, "utf-8")
    assert checked(*claim, *names, "--prepare", "starts.py:prepare")["P1"].outcome == "passed"
    report = checked("mine.py:Renamed", "--spec", "sgd", "--set", "waits=false", *names, "--properties", "P1")
    assert report["P1"].outcome == "passed", "what the formula does not have is the optimizer's own"


def test_a_schedule(capsys):
    assert verify("mine.py:schedule", "--schedule", "--total-steps", "10") == 0
    assert not checked("mine.py:schedule", "--schedule", "--total-steps", "20").ok
    report = checked("mine.py:schedule", "--schedule", "--total-steps", "10", "--spec", "cosine")
    assert "P37" in {each.property_id for each in report.failures}
    said = ("--schedule", "--spec", "polynomial", "--set", "total_steps=10")
    assert checked("mine.py:straight", *said)["P35"].outcome == "passed"
    assert not checked("mine.py:straight", *said, "base=0.1").ok
    report = checked("mine.py:slow_schedule", "--schedule", "--total-steps", "10", "--timeout", "0.1")
    assert report["P0"].reason.startswith("no answer within 0.1 s")


def test_a_scheduler_of_torch_needs_no_file():
    pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    said = ("torch.optim.lr_scheduler:CosineAnnealingLR", "--schedule", "--spec", "cosine", "--set", "total_steps=50")
    report = checked(*said, "base=0.1", "--dialect", "torch")
    assert report.ok and "CosineAnnealingLR against cosine (past_end='rises'), base rate 0.1" in report.subject
    assert checked(*said)["P37"].nearest_bug == "matches: rises again past its end"


ENDS = {
    "HoldsTheLock": "no answer within 0.5 s, and it let nothing else in Python run; where it stood is printed above",
    "Exits": "it ended its process with status 7: os._exit(), or a crash in C?",
}


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_or_stops_its_process_is_reported_with_what_was_found_before(name, capfd):
    settings = ["--spec", "sgd", "--set", "lr=0.1", "--properties", "P2,P3,P14", "--timeout", "0.5"]
    assert verify(f"mine.py:{name}", *settings) == 1
    out, err = capfd.readouterr()
    assert f"mine.py:{name}, whose process ended early" in out and re.search("P0 +can be run", out)
    assert "[P2, repeatability]" in out and ENDS[name] in out and "NOT right: 1 passed, 1 error, 1 not run" in out
    if name == "HoldsTheLock":
        assert 'mine.py", line' in err and "in step" in err and "in P2" in err


def test_what_the_target_prints_goes_to_standard_error(capfd):
    assert verify("mine.py:Prints", "--set", "lr=0.1", "--properties", "P2") == 0
    out, err = capfd.readouterr()
    assert "a word from step" in err and "a word from step" not in out and "all right" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py"], "expected module:name or file.py:name"),
        (["other.py:Descent"], "there is no file other.py"),
        (["broken.py:Descent"], "broken.py cannot be imported: ZeroDivisionError"),
        (["broken:Descent"], "broken cannot be imported: ZeroDivisionError"),
        (["mine.py:Nothing"], "mine.py has no 'Nothing'"),
        (["no_such_module:Adam"], "No module named 'no_such_module'"),
        (["mine.py:number"], "expected an optimizer class"),
        (["mine.py:Descent", "--spec", "adamm"], "adam"),
        (["mine.py:Descent", "--spec", "adam", "--dialect", "jax"], "dialect"),
        (["mine.py:Descent", "--properties", "P99"], "no property is called P99"),
        (["mine.py:schedule", "--schedule"], "total_steps must say"),
        (["mine.py:schedule", "--schedule", "--total-steps", "10", "--set", "power=2"], "there is no argument"),
        (["mine.py:schedule", "--schedule", "--spec", "cosine", "--dialect", "tensor"], "a schedule is one of torch"),
        (["mine.py:Descent", "--timeout", "0"], "timeout must be above 0"),
        (["mine.py:Descent", "--names", "lr=rate"], "it has the arguments lr"),
        (["mine.py:Descent", "--spec", "sgd", "--names", "rate=lr"], "sgd has no rate; it has lr"),
        (["mine.py:Descent", "--spec", "sgd", "--set", "momentum=0.9", "--without", "momentum"], "say momentum=0 in"),
        (["mine.py:Descent", "--spec", "adam", "--state-names", "m=v"], "adam has no m; it has exp_avg"),
        (["mine.py:Descent", "--spec", "sgd", "--set", "rate=1"], "make() takes no rate"),
    ],
)
def test_what_the_check_refuses_says_why(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        checked(*arguments)


SCHEDULE = ["mine.py:schedule", "--schedule", "--total-steps", "10"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py:Nothing"], "mine.py has no 'Nothing'"),  # found by the process that checks
        ([*SCHEDULE, "--set", "power=2"], "there is no argument ['power']"),
        (["mine.py:Descent", "--set", "lr"], "NAME=VALUE"),
        (["mine.py:Descent", "--expect-failure", "P1"], "PROPERTY=REASON"),
        (["mine.py:Descent", "--seed", "-1"], "at least 0"),
        (["mine.py:Descent", "--names", "lr"], "expected NAME=THEIRS, such as lr=learning_rate, got 'lr'"),
        ([*SCHEDULE, "--state-names", "exp_avg=m"], "--state-names says nothing about a schedule"),
        (["mine.py:Descent", "--properties", ""], "--properties: expected names"),
        (["mine.py:Descent", "--total-steps", "10"], "--total-steps is of a schedule"),
        ([*SCHEDULE, "--properties", "P35"], "--properties says nothing about a schedule"),
        ([*SCHEDULE, "--seed", "3"], "--seed says nothing about a schedule"),
        ([*SCHEDULE, "--dtype", "float64"], "--dtype says nothing about a schedule"),
        ([*SCHEDULE, "--deep"], "--deep says nothing about a schedule"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(arguments, message, capsys):
    assert verify(*arguments) == 2
    assert message in capsys.readouterr().err


def test_a_dotted_name_is_followed():
    assert command.load("pathlib:Path.cwd")().is_dir()
