"""`train_table` and `load_run`: tasks and options from Python, and that measured rows never leak into a training."""

import copy
import json
import pickle
from dataclasses import replace as replaced

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lr
from tinygrad_lr import training
from tinygrad_lr.cli import reporting
from tinygrad_lr.data.tables import Table
from tinygrad_lr.training import load_run, train_table
from tinygrad_lr.training.tables import lines, metrics
from tinygrad_lr.training.tables.arrays import batch_size, train_arrays
from tinygrad_lr.training.tables.options import Options
from tinygrad_lr.training.tables.training import lies_below, prepare

ROWS = 60
RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=ROWS), RNG.normal(size=ROWS)
COLOURS = np.array(["red", "blue", "green"])[np.arange(ROWS) % 3]


def columns(**more):
    """A table of two numbers, a category, and what they decide."""
    return {
        "x": X.tolist(),
        "z": Z.tolist(),
        "colour": COLOURS.tolist(),
        "y": (3 * X - 2 * Z + 5 + (COLOURS == "red")).tolist(),
        **more,
    }


def classes(count):
    """A class for each row, by its numbers."""
    if count == 2:
        return np.where(X + Z > 0, "yes", "no").tolist()
    return np.array(["a", "b", "c"])[np.argmax([X, Z, -X - Z], axis=0)].tolist()


def without(table, *names):
    return {name: cells for name, cells in table.items() if name not in names}


def bits(run):
    """What two equal trainings share."""
    return [each.tobytes() for each in run.model.state_dict().values()], run.history.loss.tobytes()


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_a_regression_reaches_least_squares_and_explains_itself():
    run = train_table(columns(), "y")
    assert run.metrics["measured_on"] == "held out" and run.metrics["r2"] > 0.999 and not run.below
    assert run.metrics["r2_least_squares"] == pytest.approx(1)
    known = {row["input"]: row["coefficient"] for row in run.explain().rows()}
    assert known["x"] == pytest.approx(3, abs=0.02) and known["z"] == pytest.approx(-2, abs=0.02)
    assert known["colour=red"] - known["colour=blue"] == pytest.approx(1, abs=0.05)
    rows = {"x": [0.5, -1.0], "z": [0.0, 2.0], "colour": ["blue", "green"]}
    by_hand = [
        known["(intercept)"] + known["x"] * x + known["z"] * z + known[f"colour={colour}"]
        for x, z, colour in zip(*rows.values(), strict=True)
    ]
    np.testing.assert_allclose(run.predict(rows), by_hand, rtol=1e-5)
    assert str(run.explain()).startswith("y = ") and run.predict(rows).shape == (2,)
    with pytest.raises(ValueError, match="y is a number and has no probabilities"):
        run.predict_proba(rows)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_coefficients_are_a_frame_and_a_file(backend, tmp_path):
    narwhals = pytest.importorskip("narwhals", reason="frames need it: `pip install 'tinygrad_lr[tables]'`")
    pytest.importorskip(backend, reason="no frame without its library")
    known = train_table(columns(y=classes(3)), "y", steps=20).explain()
    assert narwhals.from_native(known.to_frame(backend)).rows(named=True) == known.rows()
    assert known.to_csv(tmp_path / "known.csv") == (tmp_path / "known.csv").read_text()
    with pytest.raises(ValueError, match="backend must be one of pandas, polars, pyarrow"):
        known.to_frame("excel")


@pytest.mark.parametrize("target", [X.tolist(), classes(2), classes(3)], ids=["numbers", "two", "three"])
def test_a_trained_table_is_pickled_and_copied(target):
    run = train_table(columns(y=target), "y", steps=20)
    for again in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):
        assert np.array_equal(again.predict(columns()), run.predict(columns())) and again.task is run.task


@pytest.mark.parametrize("count", [2, 3])
def test_classes_reach_logistic_regression(count):
    run = train_table({**without(columns(), "y"), "kind": classes(count)}, "kind", steps=1500)
    assert run.encoder.task == ("binary" if count == 2 else "multiclass")
    found = run.metrics
    assert found["accuracy"] >= found["accuracy_logistic_regression"] - 0.06 > found["accuracy_base_rate"]
    assert ("auc" in found) == (count == 2) and found["log_loss"] < found["log_loss_base_rate"]
    table = without(columns(), "y")
    probabilities = run.predict_proba(table)
    assert probabilities.shape == (ROWS, count) and np.allclose(probabilities.sum(axis=1), 1)
    assert run.predict(table).tolist() == [run.classes[each] for each in probabilities.argmax(axis=1)]
    assert len(run.explain().outputs) == (1 if count == 2 else 3)
    held_out = run.description["split"]["held_out"]
    counts = np.unique(np.array(classes(count))[held_out], return_counts=True)[1] / len(held_out)
    of_all = np.unique(classes(count), return_counts=True)[1] / ROWS
    assert np.abs(counts - of_all).max() < 1 / len(held_out), "held-out rows have each class's share"


def test_a_class_that_no_training_row_has_is_said():
    table = {"x": np.arange(30.0), "t": np.arange(30), "c": ["a", "b"] * 12 + ["c"] * 6}
    run = train_table(table, "c", time="t", epochs=1)
    assert run.notes == ["No training row has the class c: the model cannot tell it from the others"]


def test_errors_are_in_the_unit_of_the_target(tmp_path):
    run = train_table(columns(p=[f"$ {each:.2f}" for each in columns()["y"]]), "p", ignore=["y"], epochs=1)
    assert any(
        "RMSE: " in line and line.endswith(", in $") for line in reporting.of_training(replaced(run, folder=tmp_path))
    )


def test_accuracy_below_the_base_rate_is_said():
    made = prepare({"x": [1.0, 2, 3, 4] * 9, "c": ["a", "b", "a", "a"] * 9}, {"target": "c"})
    other = {
        "accuracy": 0.6,
        "accuracy_logistic_regression": 0.6,
        "accuracy_base_rate": 0.75,
        "measured_on": "held out",
    }
    assert lies_below(made, other, "diverged").endswith(" does; the training diverged: try a smaller --lr than 0.03")
    said = lies_below(made, other)
    assert said.startswith("accuracy lies 0.1500 below the base rate, as that of logistic regression does: ")
    assert lies_below(made, {**other, "accuracy_logistic_regression": 0.7}).startswith(
        "accuracy lies 0.1000 below logistic"
    )
    assert not lies_below(made, {**other, "accuracy_base_rate": 0.6})
    made.options.class_weights = "balanced"
    assert not lies_below(made, other), "weights of classes trade accuracy for others"


def test_several_targets_are_measured_one_by_one(tmp_path):
    run = train_table(columns(w=(X * Z).tolist()), ["y", "w"], steps=1500, folds=2, held_out=0.3)
    both = run.metrics["targets"]
    assert both["y"]["r2"] > 0.99 > both["w"]["r2"]
    assert run.metrics["r2"] == pytest.approx((both["y"]["r2"] + both["w"]["r2"]) / 2)
    assert not {"rmse", "mae"} & set(run.metrics), "a mean of different units is in none"
    folds = run.metrics["folds"]
    assert "rmse" not in folds and set(folds["targets"]["y"]) == set(folds["targets"]["w"]) > {
        "rmse",
        "mae_least_squares",
    }
    values = [folds["targets"][name]["r2"]["values"] for name in ("y", "w")]
    assert folds["r2"]["values"] == pytest.approx(np.mean(values, axis=0))
    said = list(reporting.of_training(replaced(run, folder=tmp_path)))
    for name in ("y", "w"):
        assert sum(line.startswith(f"Held-out, {name}: R") for line in said) == 2
        assert sum(line.startswith(f"2 folds, {name}, ") for line in said) == 3
    assert sum("mean of the targets" in line for line in said) == 2 and not any(
        "mean" in s and "RMSE" in s for s in said
    )
    assert run.predict(columns()).shape == (ROWS, 2)
    assert run.explain().outputs == ["y", "w"]


def test_losses_that_an_outlier_moves_less():
    y = np.array(columns()["y"])
    y[::10] += 60
    moved = {}
    for loss in ("mse", "l1", "huber", "smooth_l1"):
        run = train_table(columns(y=y.tolist()), "y", loss=loss, held_out=0, steps=1200)
        moved[loss] = abs(float(np.median(run.predict(columns()) - np.array(columns()["y"]))))
        assert repr(run.prepared.plan.loss).startswith(
            {"mse": "MSELoss", "l1": "L1Loss", "huber": "HuberLoss", "smooth_l1": "SmoothL1Loss"}[loss]
        )
    assert moved["l1"] < moved["huber"] < moved["mse"] and moved["huber"] == moved["smooth_l1"]


def test_the_task_can_be_named():
    whole = [int(each) for each in (X > 0)]
    assert train_table(columns(k=whole), "k", steps=5).encoder.task == "binary"
    assert train_table(columns(k=whole), "k", task="regression", steps=5).encoder.task == "regression"


# --- numbers at the ends of float64 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-310, 1e307])
@pytest.mark.filterwarnings("error")
def test_units_at_the_ends_of_float64_change_nothing(unit):
    """Of 1e-310, a rounded number has only 44 bits."""
    known, run = (
        train_table({"x": (X * size).tolist(), "y": ((3 * X - Z) * size).tolist()}, "y", steps=40)
        for size in (1.0, unit)
    )
    for name in ("r2", "r2_least_squares"):
        assert run.metrics[name] == pytest.approx(known.metrics[name], rel=1e-5)
    for name in ("rmse", "mae"):
        assert run.metrics[name] / unit == pytest.approx(known.metrics[name], rel=1e-5)
    found = [each.predict({"x": (X * size).tolist()}) / size for each, size in ((known, 1.0), (run, unit))]
    assert np.allclose(*found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1e308, 5e-324])
@pytest.mark.filterwarnings("error")
def test_large_and_small_weights_are_proportions(size):
    table = columns(n=[size] * ROWS, kind=classes(2))
    for target, more in (("y", {}), ("kind", {"class_weights": {"yes": 1e308, "no": 1e308}}), ("kind", {})):
        other = "kind" if target == "y" else "y"
        weighted = train_table(table, target, weights="n", ignore=[other], steps=4, **more)
        plain = train_table(table, target, ignore=["n", other], steps=4)
        # a mean of equal weights may differ from them in its last bit
        assert np.allclose(weighted.history.loss, plain.history.loss, rtol=1e-5)
        name = "r2" if target == "y" else "log_loss"
        assert weighted.metrics[name] == pytest.approx(plain.metrics[name], rel=1e-6)
    trained = train_arrays(
        X[:, None].astype("f4"),
        Z[:, None].astype("f4"),
        "regression",
        weights=np.full(ROWS, size),
        options=Options.of({"steps": 4}),
    )
    assert np.isfinite(trained.history.loss).all()


def test_what_float32_cannot_keep_is_said():
    said = train_table({"x": [1e30, *X[1:]], "z": Z, "y": [*X[:-1], -1e30]}, "y", steps=9).encoder.describe()
    lost = [line.split()[0] for line in said if "beside its largest, float32 takes most others for the same" in line]
    assert lost == ["x", "y"]


# --- weights ----------------------------------------------------------------------------------------------------------


def test_a_row_of_weight_0_is_as_if_absent_and_one_of_2_as_if_twice():
    """To the metrics and the baseline exactly; to training in the mean of many steps."""
    count = np.arange(ROWS) % 3
    weighted = train_table(columns(n=count.tolist(), y=(X**2).tolist()), "y", weights="n", held_out=0, steps=3000)
    rows = np.repeat(np.arange(ROWS), count)
    repeated = {name: np.array(cells)[rows].tolist() for name, cells in columns(y=(X**2).tolist()).items()}
    whole = train_table(repeated, "y", held_out=0, steps=3000)
    assert "n" not in weighted.encoder.feature_names
    for name in ("r2_least_squares", "rmse_least_squares", "mae_least_squares"):
        assert weighted.metrics[name] == pytest.approx(whole.metrics[name], rel=1e-6)
    assert weighted.metrics["r2"] == pytest.approx(whole.metrics["r2"], abs=0.01)


@pytest.mark.parametrize("count", [2, 3])
def test_class_weights_move_the_decision(count):
    rare = np.where(X > 1.0, "rare", np.where((count == 3) & (Z > 0), "other", "usual")).tolist()
    noisy = np.array(rare)
    noisy[::7] = "usual"
    table = {"x": X.tolist(), "z": Z.tolist(), "kind": noisy.tolist()}
    plain = train_table(table, "kind", held_out=0, steps=800)
    balanced = train_table(table, "kind", class_weights="balanced", held_out=0, steps=800)
    named = train_table(table, "kind", class_weights={"rare": 20}, held_out=0, steps=800)
    share = [(each.predict(table) == "rare").mean() for each in (plain, balanced, named)]
    assert share[0] < share[1] and share[0] < share[2]
    assert plain.metrics["accuracy_base_rate"] == pytest.approx((noisy == "usual").mean(), abs=0.5)


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize("target", ["y", "kind", "sort"])
def test_weights_go_with_machine_code(target):
    from tinygrad_lr import backend

    if not backend.compiles():
        pytest.skip("nothing is compiled in this process")
    cells = {"y": columns()["y"], "kind": classes(3), "sort": classes(2)}[target]
    table = {**without(columns(), "y"), target: cells, "n": (np.arange(ROWS) % 3 + 1).tolist()}
    eager, machine = (train_table(table, target, weights="n", steps=40, compiled=which) for which in (False, True))
    for one, other in zip(eager.model.state_dict().values(), machine.model.state_dict().values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


# --- defaults, stopping, the best epoch -------------------------------------------------------------------------------


def test_the_budget_is_in_steps():
    for options, steps in (({}, 2000), ({"hidden": [3]}, 500), ({"steps": 7}, 8), ({"epochs": 3}, 6)):
        plan = prepare(columns(), {"target": "y", "held_out": 0.2, **options, "validation": 0}).plan
        assert plan.steps == steps, options
        assert len(plan.loader) == 2
    large = Options.of({"target": "y"})
    assert batch_size(20_000) == 256 and large.epochs is None
    assert [lines.lines_every(epochs) for epochs in (40, 41, 2000)] == [1, 2, 100]


def test_defaults_of_networks_depend_on_the_number_of_rows():
    def plan(rows, **options):
        table = {"x": list(range(rows)), "y": [float(each % 7) / 7 for each in range(rows)]}
        return prepare(table, {"target": "y", "numeric": ["x"], "held_out": 0, "hidden": [2], **options})

    few, many = plan(999), plan(1000)
    assert not few.plan.has_validation and len(many.data.division.validation) == 100
    assert few.plan.optimizer.defaults["weight_decay"] == 3 / 999
    assert many.plan.optimizer.defaults["weight_decay"] == 3 / 900
    assert (few.plan.epochs, many.plan.epochs, plan(20).plan.epochs, plan(40_000).plan.epochs) == (63, 69, 500, 30)
    assert plan(500).plan.epochs == 100 and plan(500, patience=5).plan.has_validation
    linear = plan(500, hidden=[], patience=5)
    assert linear.plan.patience == 5 and len(linear.data.division.validation) == 50, "as --help says"
    assert plan(999, weight_decay=0).plan.optimizer.defaults["weight_decay"] == 0
    assert plan(999, optimizer="adamw").plan.optimizer.defaults["weight_decay"] == 0.01
    assert Options.of({}).lr == 0.03 and Options.of({"optimizer": "sgd"}).lr == 0.01 and few.options.lr == 0.003


def noisy_columns():
    return columns(y=(np.array(columns()["y"]) * 0.2 + np.random.default_rng(1).normal(size=ROWS)).tolist())


def test_the_best_epoch_is_kept_and_the_training_stops():
    run = train_table(noisy_columns(), "y", hidden=[30], lr=0.03, epochs=400, patience=15, validation=0.25)
    measured = run.history.held_out_loss
    best = int(np.nanargmin(measured))
    assert run.metrics["best_epoch"] == run.history.epoch[best] + 1
    assert run.metrics["epochs"] == run.metrics["best_epoch"] + 15 < 400
    assert run.metrics["stopped"].startswith("the validation loss has not fallen for 15 epochs")
    assert run.files["best.npz"].keys() == run.files["model.npz"].keys()
    for name, values in run.model.state_dict().items():
        assert values.tobytes() == run.files["best.npz"][name].tobytes()
        assert name != "0.weight" or values.tobytes() != run.files["model.npz"][name].tobytes()
    assert run.metrics["best_validation_loss"] == measured[best]
    rows = run.description["split"]
    assert len(rows["validation"]) == round(0.25 * 42) and not set(rows["validation"]) & set(rows["held_out"])


def test_the_mean_of_the_last_weights_predicts():
    seen = []

    class Watch(training.Callback):
        def on_epoch(self, training):
            seen.append({name: np.asarray(value).copy() for name, value in training.model.state_dict().items()})

    made = prepare(columns(), {"target": "y", "average": True, "epochs": 8, "lr": 0.1})
    trained = made.plan.run(callbacks=[Watch()])
    for name, values in trained.network.state_dict().items():
        expected = np.mean([np.asarray(each[name], np.float64) for each in seen[6:]], axis=0).astype(np.float32)
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert values.tobytes() == trained.averaged[name].tobytes() != trained.last[name].tobytes()
        assert values.dtype == np.float32


def test_a_linear_model_that_lies_below_least_squares_says_what_to_try():
    run = train_table(columns(), "y", epochs=1)
    assert "R2 lies" in run.below and "below least squares: try steps=4000" in run.below
    said = lies_below(run.prepared, run.metrics, "interrupted")
    assert "below least squares: the training was interrupted after" in said and "try" not in said
    huge = lies_below(run.prepared, run.metrics | {"r2": -8.34381e37}, "diverged")
    lies = f"{run.metrics['r2_least_squares'] + 8.34381e37:.5g}"
    assert huge == f"R2 lies {lies} below least squares: the training diverged: try a smaller --lr than 0.03"
    run.metrics["r2"] = -8.34381e37
    assert "r2=-8.3438e+37" in repr(run)
    hidden = train_table(columns(), "y", epochs=1, hidden=[2])
    assert "lies" in hidden.below and "diverged" in lies_below(hidden.prepared, hidden.metrics, "diverged")
    assert "leave out hidden=" in hidden.below and "weight_decay=0.01 with optimizer='adamw'" in hidden.below


@pytest.mark.parametrize(
    ("target", "telling"), [("y", ["cents", "fall"]), ("k", ["b"]), ("k3", ["kind"]), ("x", []), ("few", [])]
)
def test_a_column_that_is_the_target_in_other_words_is_named(target, telling):
    rng = np.random.default_rng(0)
    x, y, c = rng.normal(size=60), rng.normal(size=60), rng.integers(0, 3, 60)
    table = {
        "x": x, "y": y, "cents": 100 * y + 3, "fall": -y, "near": y + 1e-3 * x,
        "b": y > 0, "k": np.where(y > 0, "u", "v"),
        "kind": np.array(["a", "b", "c"])[c], "k3": np.array(["r", "s", "t"])[c], "two": np.where(c == 2, "p", "q"),
        "few": x,
    }  # fmt: skip
    others = {"y": ["k", "b"], "k": ["y", "cents", "fall", "near"], "x": ["few"], "few": []}.get(target, [])
    if target == "few":  # rows
        table = {name: values[:20] for name, values in table.items()}
    notes = train_table(table, target, ignore=others, epochs=1).notes
    assert [each.partition(" alone tells ")[0] for each in notes if "exactly in the training rows" in each] == telling
    assert all(each.endswith("if it is not known before, leave it out (ignore=)") for each in notes)


def test_one_row_is_a_row():
    from tinygrad_lr.training.tables.training import described, in_words

    run = train_table({"x": [1, 2, 4], "y": [1.5, 2, 3]}, "y", epochs=1)
    assert in_words(run.prepared).endswith("trained on 2 rows of the table in batches of 2; 1 row held out")
    assert described(run.prepared.data, run.prepared)[-1].startswith("2 training rows in batches of 2: 1 step an epoch")


def test_what_an_optimizer_needs_and_does_not_get_is_said():
    from tinygrad_lr.training.tables.training import described

    table = {"x": [1, 2, 4], "y": [1.5, 2, 3]}
    said = {name: train_table(table, "y", epochs=1, optimizer=name).prepared for name in ("sophiah", "muon", "adam")}
    ends = {name: described(prepared.data, prepared)[-1] for name, prepared in said.items()}
    assert ends["sophiah"] == "sophiah needs estimates of the Hessian's diagonal, which this training does not give"
    assert ends["muon"].startswith("muon updates the matrices (") and ends["muon"].endswith("), adamw all others")
    assert "needs" not in ends["adam"]


# --- measured rows never leak -----------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["y", "kind"]), st.sampled_from([[], [4]]), st.booleans())
def test_held_out_rows_change_nothing_of_a_training(seed, target, hidden, weighted):
    table = columns(kind=classes(3), n=(np.arange(ROWS) % 4 + 1).tolist(), place=(np.arange(ROWS) % 12).tolist())
    options = {"hidden": hidden, "epochs": 6, "patience": 3 if hidden else None, "ignore": ["kind", "y"]}
    options["ignore"] = [name for name in ("kind", "y") if name != target]
    options["split_by"] = "place"
    options["weights"] = "n" if weighted else None
    run = train_table(table, target, **options)
    held_out = run.description["split"]["held_out"]
    rng = np.random.default_rng(seed)
    changed = {name: list(cells) for name, cells in table.items()}
    for row in held_out:
        changed["x"][row], changed["z"][row] = rng.normal() * 1e3, rng.normal()
        changed["y"][row] = rng.normal() * 1e6
        changed["kind"][row] = "abc"[rng.integers(3)]
        changed["n"][row] = int(rng.integers(1, 9))
        changed["colour"][row] = ["red", "blue", "green"][rng.integers(3)]
    other = train_table(changed, target, **options)
    assert other.description["split"] == run.description["split"]
    assert bits(other) == bits(run)
    assert other.encoder.feature_scale[0].tobytes() == run.encoder.feature_scale[0].tobytes()
    assert other.metrics.get("best_epoch") == run.metrics.get("best_epoch")
    assert other.metrics != run.metrics


def test_a_fold_learns_from_its_training_rows_alone():
    made = prepare(columns(), {"target": "y", "folds": 4, "hidden": [2], "epochs": 2})
    from tinygrad_lr.training.tables.preparing import fold_of

    for division in made.data.folds:
        fold = fold_of(made.data, made.options, division)
        known = X[division.known]
        mean, deviation = fold.data.encoder.feature_scale
        assert mean[0] == pytest.approx(known.mean()) and deviation[0] == pytest.approx(known.std())
        assert not set(division.held_out) & set(division.known)
    assert sorted(np.concatenate([each.held_out for each in made.data.folds])) == list(range(ROWS))


# --- dividing ---------------------------------------------------------------------------------------------------------


def test_folds_give_mean_and_spread_and_a_model_of_all_rows():
    run = train_table({**without(columns(), "y"), "kind": classes(2)}, "kind", folds=3, steps=300)
    found = run.metrics["folds"]["accuracy"]
    assert len(found["values"]) == 3 and found["mean"] == pytest.approx(np.mean(found["values"]))
    assert found["deviation"] == pytest.approx(np.std(found["values"], ddof=1))
    assert len(run.description["split"]["training"]) == ROWS and run.metrics["measured_on"] == "training"
    assert "accuracy_logistic_regression" in run.metrics["folds"]


def test_groups_stay_together_and_are_no_input():
    groups = [f"g{each % 9}" for each in range(ROWS)]
    run = train_table(columns(patient=groups), "y", split_by="patient", hidden=[2], steps=20, validation=0.25)
    split = run.description["split"]
    parts = [{groups[row] for row in split[name]} for name in ("training", "validation", "held_out")]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2] and all(parts)
    assert not any(name.startswith("patient") for name in run.encoder.feature_names)


def test_time_divides_into_before_and_after():
    days = [f"2024-{1 + each % 12:02}-{1 + each // 12:02}" for each in range(ROWS)]
    run = train_table(columns(day=days), "y", time="day", hidden=[2], folds=2, held_out=0.3, steps=20, validation=0.25)
    split = run.description["split"]
    latest = [max(days[row] for row in split[name]) for name in ("training", "validation")]
    earliest = [min(days[row] for row in split[name]) for name in ("validation", "held_out")]
    assert latest[0] < earliest[0] and latest[1] < earliest[1]
    assert any(name.startswith("day") for name in run.encoder.feature_names)


def test_a_table_of_its_own_is_measured_on(tmp_path):
    table = columns()
    (tmp_path / "later.csv").write_text(
        "z,x,colour,y\n" + "".join(f"{Z[i]},{X[i]},{COLOURS[i]},{table['y'][i]}\n" for i in range(20)) + "1,1,red,\n"
    )
    run = train_table(table, "y", test=str(tmp_path / "later.csv"), steps=3000)
    assert run.metrics["measured_on"] == "test" and run.metrics["rows"] == 20
    assert len(run.description["split"]["training"]) == ROWS and run.metrics["r2"] > 0.99
    expected = metrics.r_squared(np.array(table["y"][:20]), run.predict(table)[:20])
    assert run.metrics["r2"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "train", "apart", "shared", "message"),
    [
        ("split_by", ["a", "b", "c"], ["d", "e"], ["d", "b"], r"line 3.*'b' is a group of .* too \(9 rows"),
        ("split_by", [1, 2, 3], [4, 5], [3.0, 4], r"line 2.*'3' is a group of .* too"),
        (
            "time",
            ["2024-01-01", "2024-02-01"],
            ["2024-02-02"],
            ["2024-02-01", "2024-03-01"],
            "line 2.*is not after the",
        ),
        ("time", [1.5, 2.5], [2.75, 3], [2.5, 3], r"line 2.*'2.5' is not after .*, '2.5' \(9 such rows"),
    ],
)
def test_a_table_of_its_own_shares_no_group_and_no_time(tmp_path, name, train, apart, shared, message):
    def table(values):
        return columns(g=[values[row % len(values)] for row in range(ROWS)])

    def test(values):
        path, rows = tmp_path / "test.csv", table(values)
        path.write_text(
            "\n".join([",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))][:19])
        )
        return train_table(table(train), "y", test=str(path), epochs=1, **{name: "g"})

    assert test(apart).metrics["rows"] == 18
    with pytest.raises(ValueError, match=message):
        test(shared)


@pytest.mark.parametrize("options", [{"validation": 0.3}, {"patience": 3, "hidden": [2]}])
def test_validation_of_few_rows_is_refused_where_it_was_asked_for(options):
    table = {"x": list(range(9)), "y": [2.0 * each for each in range(9)]}
    with pytest.raises(ValueError, match="need at least 8 training rows, got 6; leave them out"):
        train_table(table, "y", epochs=1, **options)
    assert not prepare(table, {"target": "y", "hidden": [2]}).plan.has_validation


def test_rows_without_a_target_are_left_out():
    y = [None if row % 5 == 0 else value for row, value in enumerate(columns()["y"])]
    run = train_table(columns(y=y), "y", steps=20)
    split = run.description["split"]
    assert sorted(split["training"] + split["held_out"]) == [row for row in range(ROWS) if row % 5]
    assert len(run.predict(columns(y=y))) == ROWS


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [[], [4]])
@pytest.mark.parametrize("target", ["y", "kind"])
def test_load_run_gives_the_same_object(target, hidden, tmp_path):
    table = {**columns(), "kind": classes(3)}
    table = without(table, "y" if target == "kind" else "kind")
    run = train_table(table, target, hidden=hidden, steps=60, validation=0.2 if hidden else 0, out=tmp_path / "run")
    found = tinygrad_lr.load_run(tmp_path / "run")
    assert found.predict(table).tolist() == run.predict(table).tolist()
    assert found.metrics == json.loads(json.dumps(run.metrics)) and repr(found) == repr(run)
    assert found.history.loss.tolist() == run.history.loss.tolist() and found.folder == tmp_path / "run"
    assert found.classes == run.classes and found.encoder.to_json() == run.encoder.to_json()
    if target == "kind":
        assert found.predict_proba(table).tobytes() == run.predict_proba(table).tobytes()
    if hidden:
        with pytest.raises(ValueError, match="only a linear model has coefficients"):
            found.explain()
    else:
        assert str(found.explain()) == str(run.explain())
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert ("best.npz" in files) == bool(hidden) and ("coefficients.csv" in files) != bool(hidden)
    copied = found.save(tmp_path / "copy")
    again = load_run(copied)
    assert again.predict(table).tolist() == run.predict(table).tolist()
    assert {path.name for path in copied.iterdir()} == files
    with pytest.raises(ValueError, match="already holds a run"):
        run.save(tmp_path / "copy")
    run.save(tmp_path / "copy", force=True)


def test_nothing_is_written_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = train_table(columns(), "y", steps=4)
    assert run.folder is None and not list(tmp_path.iterdir()) and capsys.readouterr().out == ""
    said = []
    train_table(columns(), "y", epochs=2, progress=said.append)
    assert any(each.startswith("Epoch 2, Learning Rate: ") for each in said) and capsys.readouterr().out == ""
    train_table(columns(), "y", epochs=2, progress=True)
    assert "Epoch 1, " in capsys.readouterr().out


@pytest.mark.parametrize("make", ["pandas", "polars", "pyarrow", "dicts", "table"])
def test_frames_are_tables(make):
    table = columns()
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    if make in ("pandas", "polars", "pyarrow"):
        library = pytest.importorskip(make, reason=f"{make} makes the frame")
        frame = library.table(table) if make == "pyarrow" else library.DataFrame(table)
    else:
        frame = rows if make == "dicts" else Table(table)
    run = train_table(frame, "y", steps=20)
    expected = train_table(table, "y", steps=20)
    assert bits(run) == bits(expected)
    assert run.predict(frame).tolist() == expected.predict(table).tolist()


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_arrays_are_trained_without_a_table():
    inputs = np.stack([X, Z], axis=1).astype(np.float32)
    codes = (X > 0).astype(np.float32)[:, None]
    options = Options.of({"hidden": [8], "epochs": 30, "lr": 0.02})
    seen = []

    class Watch(training.Callback):
        def on_epoch(self, training):
            seen.append(training.epoch)

    trained = train_arrays(
        inputs, codes, "binary", weights=np.ones(ROWS), validation=(inputs, codes), options=options, callbacks=[Watch()]
    )
    assert trained.outputs(inputs).shape == (ROWS, 1) and len(seen) == 30
    assert trained.best is not None and set(trained.best.parameters) == set(trained.last)
    assert ((trained.outputs(inputs) > 0) == (codes > 0)).mean() > 0.9
