"""`tinygrad-lr compare` and report.html: what a run's folder says, as a page; damaged and older folders."""

import copy
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from browser import HOSTILE, data_of
from cli_cases import described, folder_of_its_own, machine_code_as_python, run, train  # noqa: F401

from tinygrad_lr.training import History, compare_runs, load_run, train_table
from tinygrad_lr.training.tables.reported import reported
from tinygrad_lr.training.tables.runs import RunError


def page_of(path):
    return Path(path).read_text(encoding="utf-8")


def write(folder, name, text):
    Path(folder, name).write_text(text, encoding="utf-8")


def test_a_run_has_its_report_without_matplotlib_and_as_load_run_makes_it(monkeypatch):
    from tinygrad_lr.cli import plotting

    monkeypatch.setattr(plotting, "is_available", lambda: False)
    train("--out=run", "--validation=0.2", "--hidden=3", "--patience=1")
    (found,) = data_of(page_of("run/report.html"))["runs"]
    history = History.from_csv("run/history.csv")
    assert history.has_norms and found["each"]["loss"] == history.loss.tolist()
    assert found["measured"]["gradientNorm"] == history.norms_by_epoch()[1].tolist()
    assert found["name"] == "table.csv" and found["watched"] == "validation"
    assert load_run("run").report() == page_of("run/report.html")


def test_settings_and_results_are_those_of_the_run():
    train("--out=run", "--optimizer=sgd", "--lr=0.02", "--set=nesterov=True", "--momentum=0.5", "--seed=0")
    there = data_of(page_of("run/report.html"))
    settings = {name: value for name, (value,) in there["settings"]}
    expected = {"table": "table.csv", "--optimizer": "sgd", "--lr": "0.02", "--momentum": "0.5", "--seed": "0"}
    assert expected.items() <= settings.items()
    assert settings["nesterov"] == "true" and settings["target"] == "effect" and "lr" not in settings
    results = {name: value for name, (value,) in there["results"]}
    metrics = described("run")["metrics"]
    assert results["R2"] == f"{metrics['r2']:.6g}"
    assert results["R2 of least squares"] == f"{metrics['r2_least_squares']:.6g}"
    assert str(Path.cwd()) not in page_of("run/report.html"), "no path of this machine is given away"


def test_metrics_of_targets_and_folds_have_their_names():
    columns = {name: np.arange(30.0) * factor for name, factor in (("x", 1), ("a", 2), ("b", 3))}
    trained = train_table(columns, ["a", "b"], folds=2, epochs=2)
    results = dict(reported(trained.description, trained.history).results)
    of_b = trained.metrics["folds"]["targets"]["b"]["r2"]
    assert results["a: RMSE"] == f"{trained.metrics['targets']['a']['rmse']:.6g}"
    assert results["folds: b: R2"] == f"{of_b['mean']:.6g} ± {of_b['deviation']:.6g}"


def test_a_training_that_diverged_has_its_report(capsys):
    with np.errstate(all="ignore"):
        code = run(
            *["train", "table.csv", "--target=effect", "--optimizer=sgd", "--lr=1e30", "--batch-size=8", "--out=run"]
        )
    assert code == 1
    there = data_of(page_of("run/report.html"))
    (found,) = there["runs"]
    assert found["epoch"]["number"] == [] and dict(there["results"])["epochs"] == ["0"]
    history = load_run("run").history
    steps = len(history)
    assert (
        described("run")["metrics"]["epochs"] == 0
        and repr(history) == f"History({steps} step{'s' * (steps > 1)}, 0 epochs)"
    )
    assert found["status"] == "diverged" and found["diverged"]["step"] == steps
    assert found["diverged"]["why"] in " ".join(capsys.readouterr().err.split())
    assert f"at step {steps} (epoch {found['diverged']['epoch'] + 1})" in found["diverged"]["why"]


def test_compare_puts_runs_over_one_another(capsys):
    train("--out=one")
    train("--out=two", "--lr=0.5")
    capsys.readouterr()
    assert run("compare", "one", "two/", "--language=zh") == 0
    assert capsys.readouterr().out == "2 runs in compare.html; open it with a browser\n"
    there = data_of(page_of("compare.html"))
    assert [each["name"] for each in there["runs"]] == ["one", "two"] and there["language"] == "zh"
    assert {each["loss"] for each in there["runs"]} == {"mean squared error (target standardised)"}
    assert len({each["data"] for each in there["runs"]}) == 1
    differing = [name for name, values in there["settings"] if len(set(values)) > 1]
    assert differing == ["--lr"]
    assert run("compare", "one", "two") == 2 and "compare.html: exists already" in capsys.readouterr().err
    assert (
        run("compare", "two", "one", "--force") == 0 and page_of("compare.html").count("<title>two, one</title>") == 1
    )


def test_runs_of_other_tables_targets_or_losses_are_told_apart():
    rows = {"x": np.arange(20.0), "y": np.arange(20.0) % 3, "kind": ["a", "b"] * 10}
    other = {**rows, "x": np.arange(20.0) + 1}
    options = {"epochs": 1}
    runs = {
        "one": train_table(rows, "y", loss="mse", **options),
        "same": train_table(rows, "y", loss="mse", lr=0.5, **options),
        "loss": train_table(rows, "y", loss="l1", **options),
        "target": train_table(rows, "kind", **options),
        "rows": train_table({name: column[:-1] for name, column in other.items()}, "y", **options),
    }
    found = {each["name"]: each for each in data_of(compare_runs(runs))["runs"]}
    assert found["one"]["loss"] == found["same"]["loss"] and found["one"]["data"] == found["same"]["data"]
    assert [found[name]["loss"] for name in ("loss", "target")] == [
        "mean absolute error (target standardised)",
        "cross-entropy",
    ]
    assert len({found[name]["data"] for name in ("one", "target", "rows")}) == 3


def test_what_a_classifier_is_compared_with_has_its_name():
    columns = {"x": np.arange(20.0), "kind": ["a", "b"] * 10}
    trained = train_table(columns, "kind", epochs=1)
    names = reported(trained.description, trained.history).results.keys()
    assert {"log loss", "log loss of logistic regression", "accuracy of base rate"} <= names


def test_python_compares_runs_that_lie_nowhere():
    rows = {"x": [0.0, 1, 2, 3] * 5, "y": [1.0, 3, 5, 7] * 5}
    one = train_table(rows, "y", epochs=2)
    runs = [data_of(compare_runs(given))["runs"] for given in ([one, one], {"a": one, "b": one})]
    names = [[each["name"] for each in pair] for pair in runs]
    assert names == [["run 1", "run 2"], ["a", "b"]]


def test_a_run_of_an_older_version_was_not_measured():
    train("--out=old")
    train("--out=new")
    lines = [line.split(",") for line in page_of("old/history.csv").splitlines()]
    write("old", "history.csv", "".join(",".join(line[:-2]) + "\n" for line in lines))
    assert run("compare", "old", "new") == 0
    old, new = data_of(page_of("compare.html"))["runs"]
    assert old["measured"] is None and len(new["measured"]["number"]) == 2
    Path("old/history.csv").unlink()
    assert run("compare", "old", "new", "--force") == 0
    assert data_of(page_of("compare.html"))["runs"][0]["steps"] == 0


@pytest.mark.parametrize(
    "words, message",
    [
        (["run"], "a comparison takes at least two runs, got 1"),
        (["run", "run"], "run is there twice; a comparison takes different runs"),
        (["run", "absent"], "absent is not a folder"),
        (["run", "."], r"\. holds no run"),
        (["run", "table.csv"], "table.csv is not a folder"),
        (["run", "other", "--out=no/where.html"], "no/where.html: No such file"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(capsys, words, message):
    train("--out=run")
    train("--out=other")
    capsys.readouterr()
    assert run("compare", *words) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1 and not os.path.exists("compare.html")
    assert re.search(message, said.err), said.err


def test_a_list_is_asked_for_where_one_run_is_given():
    with pytest.raises(ValueError, match="at least two runs, got 'run'; put them into a list"):
        compare_runs("run")


STRANGE = [None, True, 0, -1, 1e308, "", "x", HOSTILE[0], [], [[]], {}, {"x": [{}]}, ["x"] * 3, 10**30]


def test_whatever_a_run_json_holds_there_is_a_page_or_one_clear_error():
    train("--out=run", "--folds=2")
    whole, history = described("run"), History.from_csv("run/history.csv")
    inside = [(name, each) for name, value in whole.items() if isinstance(value, dict) for each in value]
    places = [*((name,) for name in whole), *inside]
    pages = errors = 0
    for place in places:
        for value in STRANGE:
            changed = copy.deepcopy(whole)
            inner = changed[place[0]] if len(place) == 2 else changed
            inner[place[-1]] = value
            changed = json.loads(json.dumps(changed))
            try:
                found = reported(changed, history, "run")
            except RunError as error:
                assert place == ("status",) and "'status' of run.json" in str(error)
                errors += 1
            else:
                assert all(isinstance(each, str) for each in (*found.settings.values(), *found.results.values()))
                pages += 1
    assert errors == len(STRANGE) and pages > 500
