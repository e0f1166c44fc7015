"""Bad input over the public API and the command line: one table, and each row is a clear error of the right type.

Rows are written out, or follow from the tables of optimizers and schedules and from the arguments that take numbers. A
row is a name, what is done, the exception, and a part of its message.
"""

import math
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli_cases import TABLE, run

from tinygrad_lr import manual_seed, nn, optim, randn, schedules, set_num_threads, tensor, training, zeros
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.data.tables import read_table, split_rows
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.schedules import cosine
from tinygrad_lr.schedules.table import SCHEDULES
from tinygrad_lr.verify.documents.explain import explain

BEYOND, LONG, NAN = 10**400, 10**5000, math.nan
NUMBERS = {  # no real number of any size: value, exception
    "beyond float64": (BEYOND, ValueError),
    "of 5,000 digits": (LONG, ValueError),
    "below float64": (-BEYOND, ValueError),
    "NaN": (NAN, ValueError),
    "infinite": (math.inf, ValueError),
    "a text": ("x", TypeError),
    "a list": ([1, 2], TypeError),
    "complex": (1j, TypeError),
    "True": (True, TypeError),
}
COUNTS = {  # no count
    "half": (1.5, TypeError),
    "a float": (2.0, TypeError),
    "None": (None, TypeError),
    "a text": ("3", TypeError),
    "True": (True, TypeError),
    "NaN": (NAN, TypeError),
    "negative": (-1, ValueError),
}

ROWS: list[tuple] = []


def row(name, call, exception, message):
    ROWS.append(pytest.param(call, exception, message, id=name))


def param():
    return tensor([1.0, 2.0], requires_grad=True)


# --- schedules --------------------------------------------------------------------------------------------------------

ARTICLE = {"decay_lr_poly": {"power": 1.0}, "decay_lr_cosine": {}, "decay_lr_stable": {"stable_epochs": 1}}
COMMON = {"base_lr": 0.01, "epoch_i": 1, "batch_i": 1, "total_epochs": 10, "total_batches": 10, "warm_up": 2}
for function, own in ARTICLE.items():
    for argument in [*COMMON, *own]:
        for kind, (value, exception) in NUMBERS.items():
            if kind == "a list" and argument in ("epoch_i", "batch_i"):
                continue  # arrays of steps are fine
            call = partial(getattr(schedules, function), **{**COMMON, **own, argument: value})
            named = f"must be a|{argument}|total_batches" if argument.endswith("_i") else argument
            row(f"{function} {argument} {kind}", call, exception, named)

KIND_OF = {"steps": COUNTS, "timescale": COUNTS}
WITHOUT_END = {"total_steps"}  # None: no end, where an endless schedule may have none
for name, one in SCHEDULES.items():
    example = {"milestones": [3], "values": [1.0, 0.5]}
    for argument, kind_of in one.arguments.items():
        if isinstance(kind_of, tuple):
            example[argument] = kind_of[0]
        elif kind_of not in ("milestones", "values"):
            example[argument] = {**dict.fromkeys(KIND_OF, 4), "multiple": 2}.get(kind_of, 0.5)
    good = {argument: example[argument] for argument in one.arguments}
    for argument, kind_of in one.arguments.items():
        bad = KIND_OF.get(kind_of, NUMBERS if kind_of not in ("milestones", "values") else {})
        bad = {} if isinstance(kind_of, tuple) else bad
        for kind, (value, exception) in {**bad, **({"beyond": (BEYOND, ValueError)} if bad else {})}.items():
            if value is None and argument in WITHOUT_END and name in ("constant", "piecewise"):
                continue
            row(f"{name} {argument} {kind}", partial(one.build, **{**good, argument: value}), exception, argument)
        if isinstance(kind_of, tuple):
            row(f"{name} {argument} a word", partial(one.build, **{**good, argument: "no"}), ValueError, argument)

for kind, (value, exception) in NUMBERS.items():
    if kind not in ("a list", "beyond float64", "of 5,000 digits"):  # of any later step the end value is known
        row(f"a step {kind}", partial(cosine(10), value), exception, "a step must be")
    row(f"a factor {kind}", partial(cosine(10).__mul__, value), exception, "the factor must be")
    row(f"clip {kind}", partial(cosine(10).clip, value), exception, "min must be")
for kind, (value, exception) in COUNTS.items():
    row(f"repeat {kind}", partial(cosine(10).repeat, value), exception, "times must be a whole number")
row("repeat 0", partial(cosine(10).repeat, 0), ValueError, "times must be a whole number of at least 1")
row("shift half", partial(cosine(10).shift, 1.5), TypeError, "steps must be a whole number")
row("shift beyond", partial(cosine(10).shift, BEYOND), ValueError, r"at most 2\*\*62")
row("then", partial(cosine(10).then, 3), TypeError, "takes a schedule")
row("milestones a number", partial(schedules.piecewise, 3, [1, 2]), TypeError, "milestones must be a list of numbers")
row("values a text", partial(schedules.piecewise, [3], "12"), TypeError, "values must be a list of numbers")
row("values too few", partial(schedules.piecewise, [3], [1.0]), ValueError, "1 milestones need 2 values")

# --- optimizers -------------------------------------------------------------------------------------------------------

OF_CHECKS = {
    "number": NUMBERS,
    "non_negative": {**NUMBERS, "negative": (-1.0, ValueError)},
    "fraction": {**NUMBERS, "above 1": (1.5, ValueError)},
    "decay_rate": {**NUMBERS, "1": (1.0, ValueError)},
    "decay_rates": {
        "three": ((1, 2, 3), TypeError),
        "one number": (0.9, TypeError),
        "beyond": ((BEYOND, 0.9), ValueError),
        "NaN": ((0.9, NAN), ValueError),
        "texts": (("a", "b"), TypeError),
        "1": ((0.9, 1.0), ValueError),
    },
    "true_or_false": {"a text": ("no", TypeError), "1": (1, TypeError), "beyond": (BEYOND, TypeError)},
    "choice": {
        "a word": ("no", ValueError),
        "a number": (3, ValueError),
        "an array": (np.array(["a", "b"]), ValueError),
    },
}
for name, kind_of_optimizer in OPTIMIZERS.items():
    for argument, check in kind_of_optimizer.validators.items():
        for kind, (value, exception) in OF_CHECKS.get(check.__name__, {}).items():
            call = partial(lambda kind, options: kind([param()], **options), kind_of_optimizer, {argument: value})
            row(f"{name} {argument} {kind}", call, exception, argument)
    row(f"{name} no parameters", partial(kind_of_optimizer, []), ValueError, "param")
    row(f"{name} no Tensors", partial(kind_of_optimizer, [1.0]), TypeError, "Tensor")
    for dialect in ("jax", ["torch"], {}, None):
        call = partial(lambda kind, dialect: kind([param()], dialect=dialect), kind_of_optimizer, dialect)
        row(f"{name} the dialect {dialect}", call, ValueError, "knows the dialects")
    row(f"{name} a group's dialect", partial(kind_of_optimizer, [{"params": param(), "dialect": "torch"}]), TypeError,
        "one dialect for all groups")  # fmt: skip
    row(f"{name} a group's name", partial(kind_of_optimizer, [param()], name="w"), TypeError, "name")
    row(f"{name} a pair turned round", partial(kind_of_optimizer, [(param(), "w")]), TypeError, "in this order")
for kind, (value, exception) in NUMBERS.items():
    if kind != "infinite":
        row(f"clip_grad_norm_ {kind}", lambda v=value: optim.clip_grad_norm_([param()], v), exception, "max_norm")

# --- training ---------------------------------------------------------------------------------------------------------


def loader():
    return DataLoader(TensorDataset(tensor(np.ones((4, 3), "f4")), tensor(np.ones((4, 1), "f4"))), 2)


def fit(**changes):
    model = nn.Linear(3, 1)
    given = {"model": model, "loss": nn.MSELoss(), "optimizer": optim.SGD(model.parameters()), "loader": loader()}
    given |= {"epochs": 1, "progress": False, **changes}
    return training.fit(**given)


for name, message in {
    "model": "model must be callable",
    "loss": "loss must be callable",
    "optimizer": "optimizer must have param_groups",
    "loader": "loader must be a DataLoader",
    "schedule": "schedule must be callable",
    "held_out": "held_out must be",
    "resume": "resume takes the History",
    "on_epoch": "on_epoch must be callable",
    "compiled": "compiled must be True or False",
}.items():
    for value in (3, 1.5):
        row(f"fit {name} {value}", partial(fit, **{name: value}), TypeError, message)
for kind, (value, exception) in {**COUNTS, "0": (0, ValueError), "beyond": (BEYOND, ValueError)}.items():
    row(f"fit epochs {kind}", partial(fit, epochs=value), exception, "epochs")
for kind, (value, exception) in NUMBERS.items():
    row(f"fit max_norm {kind}", partial(fit, max_norm=value), exception, "max_norm")
    row(
        f"a schedule gives {kind}", partial(fit, schedule=lambda step, v=value: v), (ValueError, TypeError), "schedule|"
    )
ONE_ELEMENT = "the loss must give a Tensor with one element, got"
row("a loss gives a float", partial(fit, loss=lambda out, target: 1.0), TypeError, f"{ONE_ELEMENT} float")
row("a loss gives None", partial(fit, loss=lambda out, target: None), TypeError, f"{ONE_ELEMENT} NoneType")
row("a loss gives an array", partial(fit, loss=lambda out, target: np.ones(1)), TypeError, f"{ONE_ELEMENT} ndarray")
row("a loss gives many", partial(fit, loss=lambda out, target: out - target), ValueError, "one element|single|item")
row("a held-out loss of None", lambda: training.evaluate(nn.Linear(3, 1), lambda *_: None, loader().dataset), TypeError,
    f"{ONE_ELEMENT} NoneType")  # fmt: skip
for kind, (value, exception) in {**COUNTS, "0": (0, ValueError)}.items():
    if value is not None:
        row(f"batch_size {kind}", partial(DataLoader, loader().dataset, value), exception, "batch_size")
        row(
            f"a seed {kind}", partial(DataLoader, loader().dataset, 2, shuffle=True, seed=value), exception, "seed"
        ) if (value != 0) else None
    row(f"Linear in {kind}", partial(nn.Linear, value, 1), exception, "in_features must be a whole number")
    row(f"Linear out {kind}", partial(nn.Linear, 1, value), exception, "out_features must be a whole number")
    if value != 0:
        row(f"manual_seed {kind}", partial(manual_seed, value), exception, "seed")
        row(f"split_rows {kind}", partial(split_rows, value, 0.3, 0), exception, "rows|held-out")
        row(f"split_rows seed {kind}", partial(split_rows, 10, 0.3, value), exception, "seed must be a whole number")
    row(f"threads {kind}", partial(set_num_threads, value), (TypeError, ValueError), "thread")
row("Linear beyond", partial(nn.Linear, BEYOND, 1), ValueError, "in_features must be a whole number of at most")
row("Linear beyond, out", partial(nn.Linear, 1, LONG), ValueError, "out_features must be a whole number of at most")
row("rows beyond", partial(split_rows, BEYOND, 0.3, 0), ValueError, "rows must be a whole number of at most")
row("held out a text", partial(split_rows, 10, "x", 0), TypeError, "held-out fraction must be a number")
row("held out beyond", partial(split_rows, 10, BEYOND, 0), ValueError, "held-out fraction must lie in")
row("two delimiters", partial(read_table, "table.csv", "ab"), ValueError, "a delimiter is one character")
row("a line break as delimiter", partial(read_table, "table.csv", "\n"), ValueError, "a delimiter is one character")
row("a device as table", partial(read_table, os.devnull), ValueError, "device|empty")

# --- tensors ----------------------------------------------------------------------------------------------------------

row("sum over axis 9", lambda: param().sum(9), ValueError, "axis 9 is out of bounds")
row("sum over an axis beyond", lambda: param().sum(BEYOND), ValueError, "axis 1000.* is out of bounds")
row("mean over axes beyond", lambda: param().mean((0, LONG)), ValueError, "axis a whole number of .* is out of bounds")
row("reshape to more", lambda: param().reshape(3), ValueError, "reshape|shape")
row("index 9", lambda: param()[9], IndexError, "out of bounds")
row("randn of a text", lambda: randn("x"), TypeError, "whole numbers")
row("randn negative", lambda: randn(-1), ValueError, "at least 0")
row("zeros of half", lambda: zeros(1.5), TypeError, "whole numbers")
row("add a text", lambda: param() + "x", TypeError, "text|str")
row("add a number beyond", lambda: param() + BEYOND, (TypeError, ValueError), "float")
row("backward of many", lambda: (param() * 2).backward(), (RuntimeError, ValueError), "reduce it to one number first")

# --- explain, as a function -------------------------------------------------------------------------------------------

for settings, message in [
    ({"lr": NAN}, "lr must be a finite number, got nan"),
    ({"lr": "nan"}, "lr must be a finite number, got 'nan'"),
    ({"lr": BEYOND}, "lr must be a finite number"),
    ({"lr": None}, "lr must be a finite number"),
    ({"lr": True}, "lr must be a finite number"),
    ({"lr": [1]}, "lr must be a finite number"),
    ({"betas": (1, 2, 3)}, r"betas must be 2 finite numbers, such as \(0.9, 0.999\), got \(1, 2, 3\)"),
    ({"betas": 3}, "betas must be 2 finite numbers"),
    ({"betas": (NAN, 1)}, "betas must be 2 finite numbers"),
    ({"amsgrad": 3}, "amsgrad must be true, false or a word"),
    ({"eps_placement": 3}, "eps_placement must be true, false or a word"),
    ({"momentum": 3}, "has no hyperparameter"),
]:
    row(f"explain adam {settings}"[:60], partial(explain, "adam", **settings), ValueError, message)
for settings, message in [
    ({"total_steps": -1}, "total_steps must be a whole number"),
    ({"total_steps": BEYOND}, "total_steps must be at most"),
    ({"total_steps": 1.5}, "total_steps must be a whole number"),
    ({"total_steps": "x"}, "total_steps must be a whole number"),
    ({"end": NAN}, "end must be a finite number"),
    ({"speed": 1}, "cosine has no argument"),
]:
    row(f"explain cosine {settings}"[:60], partial(explain, "cosine", **settings), ValueError, message)
row("explain a long name", partial(explain, "x" * 5000), ValueError, "there is no optimizer or schedule")
row("explain a long property", partial(explain, "P" + "9" * 5000), ValueError, "no property is called")


def test_the_table_is_long():
    assert len(ROWS) + len(COMMANDS) >= 200 and len({each.id for each in ROWS}) == len(ROWS)


@pytest.mark.parametrize("call, exception, message", ROWS)
def test_bad_input_is_a_clear_error(call, exception, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    with pytest.raises(exception, match=message) as caught:
        call()
    # far below the inputs' 5,000 characters; the longest message lists the names of all formulas
    assert len(str(caught.value)) < 1500 and type(caught.value) not in (OverflowError, MemoryError, RecursionError)


# --- the command line -------------------------------------------------------------------------------------------------

TRAIN = ["train", "table.csv", "--target=effect", "--epochs=1"]
EMPTY = "expected a text that is not empty"
COMMANDS = {
    "lr=nan": (["explain", "adam", "--set", "lr=nan"], "lr must be a finite number, got 'nan'"),
    "lr=inf": (["explain", "adam", "--set", "lr=inf"], "lr must be a finite number"),
    "three betas": (["explain", "adam", "--set", "betas=(1,2,3)"], "betas must be 2 finite numbers"),
    "400 digits": (["explain", "adam", "--set", "lr=" + "9" * 400], "lr must be a finite number"),
    "5,000 digits": (["explain", "adam", "--set", "lr=" + "9" * 5000], "lr must be a finite number"),
    "brackets": (["explain", "adam", "--set", "lr=" + "(" * 5000], "lr must be a finite number"),
    "a deep value": (["explain", "adam", "--set", "lr=" + "[" * 90 + "]" * 90], "lr must be a finite number"),
    "no value": (["explain", "adam", "--set", "lr"], "expected NAME=VALUE"),
    "an empty setting": (["explain", "adam", "--set", ""], EMPTY),
    "set latex": (["explain", "adam", "--set", "latex=true"], "--set changes hyperparameters, got latex="),
    "set dialect": (["explain", "adam", "--set", "dialect=torch"], "--set changes hyperparameters"),
    "set name": (["explain", "adam", "--set", "name=sgd"], "--set changes hyperparameters"),
    "milestones": (["explain", "piecewise", "--set", "milestones=3"], "milestones must be a list of numbers"),
    "4 milestones": (["explain", "piecewise", "--set", "milestones=(1,2,3,4)"], "4 milestones need 5 values"),
    "explain nothing": (["explain", ""], EMPTY),
    "explain dialect": (["explain", "adam", "--dialect", ""], EMPTY),
    "huge layers": ([*TRAIN, "--hidden", "999999999,999999999"], "need .* bytes; this machine has"),
    "huge layer": ([*TRAIN, "--hidden", "9" * 20], "expected a whole number of at most 9007199254740992"),
    "20,000 layers": ([*TRAIN, "--hidden", ",".join(["1"] * 20_000)], "a model has 1 to 1000 layers, got 20001"),
    "epochs": ([*TRAIN, "--epochs", "1" + "0" * 400], "expected a whole number of at most"),
    "epochs of 5,000 digits": ([*TRAIN, "--epochs", "9" * 5000], r"at most .*, got '999.*\(5000 characters\)"),
    "steps": (["train", "table.csv", "--target=effect", "--batch-size=1", f"--epochs={2**53}"], "are more than"),
    "batch size": ([*TRAIN, "--batch-size", "9" * 400], "expected a whole number of at most"),
    "seed": ([*TRAIN, "--seed", "9" * 400], "expected a whole number of at most"),
    "warm-up": ([*TRAIN, "--warmup-epochs", "9" * 400], "expected a whole number of at most"),
    "lr": ([*TRAIN, "--lr", "9" * 400], "expected a finite number"),
    "weight decay": ([*TRAIN, "--weight-decay", "1e300"], "weight_decay"),
    "delimiter": ([*TRAIN, "--delimiter", "\n"], "a delimiter is one character, and no quotation mark"),
    "quote as delimiter": ([*TRAIN, "--delimiter", '"'], "a delimiter is one character, and no quotation mark"),
    "NUL": ([*TRAIN, "--out", "a\0b"], EMPTY),
    "out blank": ([*TRAIN, "--out", " "], EMPTY),
    "out a device": ([*TRAIN, "--out", "/dev/null/x"], "cannot write to the folder"),
    "out too long": ([*TRAIN, "--out", "a" * 5000], "name too long"),
    "table too long": (["train", "a" * 5000, "--target=x"], "name too long"),
    "a device": (["train", "/dev/zero", "--target=x"], "is a device, which may have no end"),
    "ignore commas": ([*TRAIN, "--ignore", ","], "one of them is empty|one is empty"),
    "hidden commas": ([*TRAIN, "--hidden", "3,,4"], "expected a whole number, got ''"),
    "predict out": (["predict", "run", "table.csv", "--out", "/no/such/x"], "error: /no/such/x: No such file"),
    "a property": (["verify", "adam", "--properties", ""], "one of them is empty|one is empty"),
    "timeout": (["verify", "adam", "--timeout", "-1"], "expected a finite number of at least 0"),
    "an expectation": (["verify", "adam", "--expect-failure", "P9"], "an expected failure is PROPERTY=REASON"),
    **{f"empty {option}": ([*TRAIN, option, ""], "expected|invalid choice|delimiter") for option in (
        "--out", "--target", "--categorical", "--ignore", "--delimiter", "--na-values", "--held-out", "--hidden",
        "--device", "--optimizer", "--dialect", "--lr", "--momentum", "--weight-decay", "--max-norm", "--schedule",
        "--power", "--warmup-epochs", "--stable-epochs", "--epochs", "--batch-size", "--seed")},
    **{f"empty verify {option}": (["verify", "adam", option, ""], "expected|invalid choice") for option in (
        "--spec", "--dialect", "--set", "--total-steps", "--properties", "--expect-failure", "--dtype", "--seed",
        "--timeout", "--json")},
    "empty table": (["train", "", "--target=x"], EMPTY),
    "empty folder": (["predict", "", "table.csv"], EMPTY),
    "empty predicted table": (["predict", "run", ""], EMPTY),
    "empty predict --out": (["predict", "run", "table.csv", "--out", ""], EMPTY),
    "empty verify": (["verify", ""], EMPTY),
    "empty warmup --optimizer": (["warmup", "--optimizer", ""], "invalid choice"),
    "empty warmup --dtype": (["warmup", "--dtype", ""], "invalid choice"),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table and a run."""
    folder, before = tmp_path_factory.mktemp("place"), os.getcwd()
    os.chdir(folder)
    try:
        Path("table.csv").write_text(TABLE)
        assert run(*TRAIN, "--out=run") == 0
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_command_is_one_clear_line(name, place, monkeypatch, capsys):
    arguments, message = COMMANDS[name]
    monkeypatch.chdir(place)
    before = sorted(os.listdir())
    assert run(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert re.search(message, lines[-1]), lines[-1]
    assert lines[-1].startswith("tinygrad-lr") and ".tmp" not in lines[-1] and len(lines[-1]) < 6000
    assert sorted(os.listdir()) == before, "nothing is made"


# --- what is read from a pipe, and long names -------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="this system has no /dev/stdin")
def test_a_table_from_a_pipe_is_read_once_and_its_hash_is_of_what_was_read(tmp_path, monkeypatch):
    import hashlib
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "tinygrad_lr", "train", "/dev/stdin", "--target=effect", "--epochs=1", "--out=run"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run(command, input=TABLE.encode(), cwd=tmp_path, check=True, capture_output=True, env=environment)
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["data"]["sha256"] == hashlib.sha256(TABLE.encode()).hexdigest()
    assert described["data"]["path"] == described["command"][2] == "/dev/stdin"
    assert described["data"]["rows"] == 40


def test_names_of_5000_characters_are_compiled():
    """Two that begin alike are two."""
    first, second = "a" * 5000, "a" * 4999 + "b"

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            setattr(self, first, nn.Linear(3, 2))
            setattr(self, second, nn.Linear(2, 1))

        def forward(self, x):
            return getattr(self, second)(getattr(self, first)(x))

    outcomes = []
    for compiled in (False, True):
        manual_seed(0)
        model = Model()
        if compiled:
            from tinygrad_lr.compiled import Runner

            optimizer = optim.SGD(model.parameters(), lr=0.1)
            source = Runner(model, nn.MSELoss(), optimizer, loader(), None).source
            assert max(map(len, source.splitlines())) < 1000
            training.fit(model, nn.MSELoss(), optimizer, loader(), epochs=2, progress=False, compiled=True)
        else:
            optimizer = optim.SGD(model.parameters(), lr=0.1)
            training.fit(model, nn.MSELoss(), optimizer, loader(), epochs=2, progress=False)
        outcomes.append([value.copy() for value in model.state_dict().values()])
    for eager, machine in zip(*outcomes, strict=True):
        np.testing.assert_allclose(machine, eager, rtol=1e-5)
