"""Races: gradients, runs that are pure functions, the table that no lucky rate leads, and the command `race`."""

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import cli, optim, random, schedules
from tinygrad_lr.race import Outcome, Run, problem, race, rate_grid, run, save
from tinygrad_lr.race.drawing import as_lines
from tinygrad_lr.race.problems import FUNCTIONS, function_of
from tinygrad_lr.race.racing import leaders
from tinygrad_lr.race.summary import rows_of

SMALL = {"optimizers": ["sgd", "adam:torch"], "schedules": ["constant"], "rates": [0.001, 0.1], "seeds": 2, "steps": 20}
NAMED = ["rosenbrock", "beale", "quadratic(1)", "quadratic(1e4)"]


def by_complex_step(value, x, y):
    """Both derivatives of a function of + - * alone, without cancellation (Squire and Trapp, 1998)."""
    step = 1e-30
    return value(x + step * 1j, y).imag / step, value(x, y + step * 1j).imag / step


def error_of(gradient, value, place):
    expected = by_complex_step(value, *place)
    return max(abs(a - b) / (1 + abs(b)) for a, b in zip(gradient(*place), expected, strict=True))


# --- problems ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_a_gradient_is_the_derivative(name):
    function = function_of(problem(name))
    places = [function.start, function.minimum, *np.random.default_rng(0).normal(size=(50, 2)).tolist()]
    for place in places:
        assert error_of(function.gradient, function.value, place) < 1e-13
    assert function.value(*function.minimum) == 0 and function.gradient(*function.minimum) == (0, 0)
    wrong = lambda x, y: (function.gradient(x, y)[0], -function.gradient(x, y)[1])  # noqa: E731
    assert max(error_of(wrong, function.value, place) for place in places) > 0.1


def test_starts_and_values_are_the_published_ones():
    """f at the start, as Moré, Garbow and Hillstrom's sums of squares have it."""
    rosenbrock, beale = FUNCTIONS["rosenbrock"], FUNCTIONS["beale"]
    assert rosenbrock.start == (-1.2, 1.0) and rosenbrock.value(-1.2, 1.0) == pytest.approx(4.4**2 + 2.2**2)
    assert beale.start == (1.0, 1.0) and beale.value(1.0, 1.0) == 1.5**2 + 2.25**2 + 2.625**2
    for function in FUNCTIONS.values():
        assert tuple(function.start_of(0)) == function.start != tuple(function.start_of(1))


def test_the_quadratic_has_its_condition_number():
    gradient = function_of(problem("quadratic(250)")).gradient
    hessian = np.array([gradient(1.0, 0.0), gradient(0.0, 1.0)])
    assert np.linalg.cond(hessian) == pytest.approx(250) and abs(hessian[0, 1]) > 1, "the axes are turned"


# --- one run ----------------------------------------------------------------------------------------------------------

RUNS = [
    Run(problem("beale"), "adam", "torch", "warmup(3) then cosine(17)", 0.1, 1, 20),
    Run(problem(), "schedule_free_sgd", None, "constant", 0.1, 0, 30),
]


@pytest.mark.parametrize("given", RUNS, ids=["function", "table"])
def test_a_run_depends_on_its_description_alone(given):
    random.manual_seed(3)
    before = random.get_state()
    first = run(given)
    assert random.get_state() == before
    random.manual_seed(4)
    run(dataclasses.replace(given, seed=given.seed + 1))
    assert run(given) == first
    assert run(dataclasses.replace(given, seed=given.seed + 1)).loss != first.loss
    assert run(dataclasses.replace(given, rate=0.2)).loss != first.loss


def test_a_run_follows_its_schedule_and_its_start():
    gradient = function_of(problem("quadratic(10)")).gradient
    found = run(Run(problem("quadratic(10)"), "sgd", "torch", "step(1, 0.5)", 0.1, 0, 2))
    first = np.array([0.2, 1.4])
    second = first - 0.1 * np.array(gradient(*first))
    third = second - 0.05 * np.array(gradient(*second))
    np.testing.assert_allclose(found.path, [first, second, third], rtol=1e-12)
    assert found.curve[-1] == (2, found.loss) and not found.diverged


@pytest.mark.parametrize("on", ["rosenbrock", "beale", "quadratic(1e6)", None])
def test_what_diverges_counts_as_such_and_ends_nothing(on):
    found = race(on, optimizers=["sgd"], schedules=["constant"], rates=[1e3, 1e30], seeds=2, steps=60)
    (row,) = found.table()
    assert len(found.outcomes) == 4 and all(each.diverged and each.loss == math.inf for each in found.outcomes)
    assert (row.best_rate, row.diverged, row.loss, row.width) == (None, 1.0, math.inf, 0.0)
    assert "diverged" in found.lines()[1] and "x" in as_lines(found)[0]


def test_a_table_that_changed_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{n},{2 * n}\n" for n in range(30)))
    given = Run(problem(tmp_path / "a.csv", target="y"), "sgd", None, "constant", 0.1, 0, 10)
    assert run(given).loss < run(given).start_loss
    (tmp_path / "a.csv").write_text("x,y\n1,2\n2,3\n")
    with pytest.raises(ValueError, match="not the file that the race began with"):
        run(dataclasses.replace(given, seed=1))


# --- the table --------------------------------------------------------------------------------------------------------


def outcomes(name, losses, seeds=1):
    """Of the rates 1, 10, 100, ...; a loss may be a tuple, one for each seed."""
    for place, loss in enumerate(losses):
        for seed, each in enumerate(loss if isinstance(loss, tuple) else (loss,) * seeds):
            given = Run(problem("beale"), name, None, "constant", 10.0**place, seed, 1)
            yield Outcome(given, each, each == math.inf, 9.0, ())


GRID = [1.0, 10.0, 100.0, 1000.0]


def test_a_lucky_rate_does_not_lead():
    lucky, steady = outcomes("sgd", [8, 0.001, 8, 8]), outcomes("adam", [1.2, 1, 1.1, 8])
    first, second = rows_of([*lucky, *steady], GRID, 1.5)
    assert (first.optimizer, second.optimizer) == ("adam", "sgd") and second.loss < first.loss
    assert (first.missed, first.good_from, first.good_to, first.width) == (1.2, 1.0, 100.0, 2.0)
    assert first.open_ended and not second.open_ended and second.width == 0 and first.at_edge == ""


def test_the_edges_of_the_grid_are_marked():
    rows = {
        row.optimizer: row for row in rows_of([*outcomes("sgd", [4, 3, 2, 1]), *outcomes("adam", [1] * 4)], GRID, 2)
    }
    assert (rows["sgd"].at_edge, rows["sgd"].missed) == ("highest", 2)
    assert (rows["adam"].at_edge, rows["adam"].best_rate, rows["adam"].width) == ("lowest", 1.0, 3.0)
    found = race("quadratic(10)", **{**SMALL, "rates": [0.001, 0.01]})
    assert "0.01*" in found.lines()[1] and any("edge of the grid" in line for line in found.lines())


def test_a_good_range_has_no_hole_and_seeds_count_by_their_median():
    (row,) = rows_of(outcomes("sgd", [1.0, (math.inf, 1, 1.5), math.inf, 1.0]), GRID, 2)
    assert (row.best_rate, row.missed, row.good_to, row.diverged) == (1.0, 1.5, 10.0, 0.5)
    (row,) = rows_of(outcomes("sgd", [5, (math.inf, 1, 2), 5, 5]), GRID, 2)
    assert (row.loss, row.lowest, row.highest) == (2, 1, math.inf)


def test_rates_of_a_grid():
    assert rate_grid(1e-4, 10, 11)[::2] == [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]
    for wrong in ((1, 1, 3), (0, 1, 3), (1, 2, 1), (1, 1.00001, 900)):
        with pytest.raises(ValueError):
            rate_grid(*wrong)


# --- the race ---------------------------------------------------------------------------------------------------------


def test_the_number_of_jobs_changes_nothing():
    pytest.importorskip("joblib", reason="joblib is not installed here (extra `scale`)")
    for on in ("rosenbrock", None):
        alone, together = race(on, **SMALL), race(on, jobs=2, **SMALL)
        assert alone == together and alone.to_csv() == together.to_csv() and len(alone.outcomes) == 8


@pytest.fixture
def cluster():
    """A scheduler on loopback with two workers, each a process of its own: the scheduler, and name -> process."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed here (extra `scale`)")
    options = {"n_workers": 0, "host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**options) as made:
        command = [sys.executable, "-m", "dask", "worker", made.scheduler_address, "--no-nanny", "--nthreads", "1"]
        command += ["--host", "127.0.0.1", "--no-dashboard", "--name"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        workers = {name: subprocess.Popen([*command, name], **quiet) for name in ("first", "second")}
        try:
            until = time.monotonic() + 60
            while len(made.scheduler.workers) < 2:
                assert time.monotonic() < until, "the workers did not come up"
                time.sleep(0.02)
            yield made.scheduler, workers
        finally:
            for each in workers.values():
                each.kill()
                each.wait()


def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_table(cluster):
    scheduler, workers = cluster
    options = {**SMALL, "seeds": 5, "steps": 300, "optimizers": ["adam"]}
    left = []

    def kill(outcome):
        if not left:
            left.extend(len(each.processing) for each in scheduler.workers.values() if each.name == "first")
            workers["first"].kill()

    found = race("rosenbrock", dask=scheduler.address, on_outcome=kill, **options)
    assert left[0] > 0, "it had runs to make"
    assert workers["first"].wait() == -signal.SIGKILL and workers["second"].poll() is None
    assert found == race("rosenbrock", **options) and len(found.outcomes) == 10


def test_ctrl_c_ends_it_with_what_is_there():
    seen = []

    def interrupt(outcome):
        seen.append(outcome)
        if len(seen) == 3:
            raise KeyboardInterrupt

    found = race("beale", on_outcome=interrupt, **SMALL)
    assert found.interrupted and found.outcomes == seen and found.wanted == 8
    assert found.lines()[-1] == "interrupted after 3 of 8 runs: the table is of these alone"


@pytest.mark.parametrize(("first", "code"), [(1, 130), (0, 130)], ids=["some", "none"])
def test_ctrl_c_at_the_command_leaves_what_there_is(tmp_path, monkeypatch, capsys, first, code):
    def interrupted(given):
        if given.seed == first:
            os.kill(os.getpid(), signal.SIGINT)
        return run(given)

    monkeypatch.setattr("tinygrad_lr.race.racing.run", interrupted)
    words = ["race", "beale", "--optimizer", "sgd", "--steps", "9", "--out", str(tmp_path / "a")]
    assert cli.main(words) == code
    said = capsys.readouterr()
    if first == 0:
        assert "interrupted before a run was complete" in said.err and not os.listdir(tmp_path)
        return
    assert "interrupted after 22 of 66 runs" in said.out
    assert json.loads((tmp_path / "a" / "race.json").read_text())["status"] == "interrupted"


def test_the_default_race_has_an_optimizer_of_each_family_with_a_rate():
    found = leaders()
    assert "adam" in found and "cocob" not in found and len(found) == len(set(found)) > 3
    assert "sophiah" not in found, "it needs estimates"


def test_a_race_says_what_it_does_not_give():
    found = race("beale", optimizers=["sophiah", "sgd"], schedules=["constant"], rates=[0.01], seeds=1, steps=5)
    assert found.notes == ["sophiah needs estimates of the Hessian's diagonal, which a race does not give"]


MISTAKES = [
    ({"on": "a.csv"}, "needs target=, the column to predict; functions are rosenbrock, beale, quadratic"),
    ({"on": "beale", "target": "x"}, "target= and hidden= are for tables, and beale is a function"),
    ({"on": "quadratic(0.5)"}, "a condition number of at least 1"),
    ({"on": "quadratic(nan)"}, "a condition number of at least 1"),
    ({"on": "beale(3)"}, "beale takes no number"),
    ({"on": "beale", "optimizers": ["nope"]}, "no optimizer is called 'nope'; there are"),
    ({"on": "beale", "optimizers": ["adam:nope"]}, "adam has no dialect 'nope'; it has"),
    ({"on": "beale", "optimizers": []}, "at least one optimizer and one schedule"),
    ({"on": "beale", "schedules": ["cosin(3)"]}, "did you mean 'cosine'"),
    ({"on": "beale", "rates": [0.0]}, "a rate must be above 0"),
    ({"on": "beale", "rates": []}, "at least one rate"),
    ({"on": "beale", "within": 0.5}, "within must be at least 1"),
    ({"on": "beale", "jobs": 2, "dask": "tcp://127.0.0.1:1"}, "both are given"),
    ({"target": "nope"}, "no column 'nope'"),
    ({"held_out": 1}, "held_out must be below 1"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedules": [schedules.cosine(5)]}, "optimizers and schedules are texts, .*; got Cosine"),
        ({"optimizers": [optim.Adam]}, "optimizers and schedules are texts, .*; got type"),
        ({"on": 5}, "a problem is the name of a function, or the path of a table; got int"),
    ],
)
def test_what_is_no_text_is_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        race(**{"on": "rosenbrock", "seeds": 1, "steps": 2, **arguments})


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[each[1][:30] for each in MISTAKES])
def test_mistakes_are_said_before_anything_runs(arguments, message):
    with pytest.raises(ValueError, match=message):
        race(**arguments, on_outcome=lambda outcome: pytest.fail("it ran"))


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for options in ({"jobs": 2}, {"dask": "tcp://127.0.0.1:1"}):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'tinygrad_lr\[scale\]'"):
            race("beale", **SMALL, **options)


def test_a_schedule_that_ends_early_is_said_once():
    found = race("beale", **{**SMALL, "schedules": ["cosine(5)"]})
    assert found.notes == ["the schedule 'cosine(5)' is 0 from step 5 on, of 20 steps"]


# --- the command and the folder ---------------------------------------------------------------------------------------


def test_the_command_prints_and_leaves_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["race", "rosenbrock", "--optimizer", "sgd,adam:torch", "--schedule", "warmup(5) then cosine(15)"]
    words += ["--rates", "1e-3:0.1:3", "--steps", "20", "--out", "left", "--seeds", "2"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "rosenbrock: 12 runs of 20 steps" in said and "@ best, # within 10 times" in said
    rows = list(csv.DictReader(Path("left/race.csv").read_text("utf-8").splitlines()))
    assert {row["optimizer"] for row in rows} == {"sgd", "adam:torch"}
    written = json.loads(Path("left/race.json").read_text("utf-8"))
    assert len(written["runs"]) == 12 and written["table"][0]["best_rate"] == float(rows[0]["best_rate"])
    assert os.listdir() == ["left"], "nothing unfinished stays"
    assert cli.main(words) == 2
    assert "not an empty folder; name another one" in capsys.readouterr().err


@pytest.mark.parametrize("on", ["beale", None])
def test_a_picture(tmp_path, on):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed here (extra `plot`)")
    assert save(race(on, **SMALL), tmp_path / "new" / "a") == ["race.csv", "race.json", "race.png"]
    assert (tmp_path / "new" / "a" / "race.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_is_left_whole_or_not_at_all(tmp_path, monkeypatch):
    found = race("beale", **{**SMALL, "optimizers": ["sgd"], "rates": [1e20]})  # its table holds infinities
    (tmp_path / ".a.unfinished").mkdir()
    (tmp_path / ".a.unfinished" / "race.csv").write_text("half")  # of a process that died
    (tmp_path / "a").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("tinygrad_lr.race.leaving.as_object", lambda race: {}["full disk"])
        with pytest.raises(KeyError):
            save(found, tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"] and not os.listdir(tmp_path / "a")
    assert save(found, tmp_path / "a")[:2] == ["race.csv", "race.json"]
    with pytest.raises(FileExistsError):
        save(found, tmp_path / "a")
