"""scikit-learn's interface: scikit-learn's own checks of estimators, and what a user does with them."""

import json
import os
import pickle
import re
import subprocess
import sys
import threading
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="needs scikit-learn: pip install 'tinygrad_lr[sklearn]'")

import sklearn
from sklearn import datasets, neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from threadpoolctl import threadpool_limits

import tinygrad_lr
from tinygrad_lr import sklearn as ours
from tinygrad_lr.data.standardising import Standardiser, in_proportion
from tinygrad_lr.kernels import _jit
from tinygrad_lr.sklearn import LinearClassifier, LinearRegressor, MLPClassifier, MLPRegressor
from tinygrad_lr.training import Diverged, train_table
from tinygrad_lr.training.tables.arrays import Plan

pd = pytest.importorskip("pandas", reason="frames of pandas are what users of scikit-learn have")
DOCUMENT = (Path(__file__).parents[1] / "docs" / "sklearn.md").read_text("utf-8")
KINDS = [getattr(ours, name) for name in ours.__all__]
QUICK = {"steps": 60}  # of small tables, as these are
FEW = {"steps": 10}  # where only equality counts
compiled = pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="thousands of steps of uncompiled kernels take minutes")


def data(rows=40, features=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    return X, X @ np.arange(1, features + 1) + 0.1 * rng.normal(size=rows)


def two(rows=40):
    X, y = data(rows)
    return X, np.where(y > 0, "up", "down")


def three(rows=60):
    X, y = data(rows)
    return X, np.digitize(y, [-2, 2])


def of(kind, rows=40):
    return two(rows) if issubclass(kind, ours._Classifier) else data(rows)


# --- scikit-learn's own checks ----------------------------------------------------------------------------------------


def checks(**parameters):
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{number}-{check.func.__name__}")
        for kind in KINDS
        for number, (estimator, check) in enumerate(estimator_checks_generator(kind(**parameters)))
        if check.func.__name__ != ALONE  # below, in a process of its own
    ]


ALONE = "check_array_api_input"
CHECKS = checks(steps=100, learning_rate=0.05)


@compiled
@pytest.mark.parametrize("estimator, check", CHECKS)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks warn of their own data
def test_check_estimator(estimator, check):
    check(estimator)


@compiled
@pytest.mark.sampled(one_in=60)
@pytest.mark.parametrize("estimator, check", checks())
@pytest.mark.filterwarnings("ignore")
def test_check_estimator_with_defaults(estimator, check):
    """All of them take two to three minutes."""
    check(estimator)


def rows_of_the_document():
    """The checks of all estimators, of classifiers and of regressors, as docs/sklearn.md has them in a table."""
    of_kind = {}
    for kind in KINDS:
        found = estimator_checks_generator(kind(), expected_failed_checks={})
        of_kind[kind] = Counter(check.func.__name__.removeprefix("check_") for _, check in found)
    assert of_kind[LinearClassifier] == of_kind[MLPClassifier] and of_kind[LinearRegressor] == of_kind[MLPRegressor]
    common = of_kind[LinearClassifier] & of_kind[LinearRegressor]
    rows = {"all four": common, "classifiers also": of_kind[LinearClassifier] - common}
    rows["regressors also"] = of_kind[LinearRegressor] - common
    return [
        f"| {who} | {names.total()} | {', '.join(f'`{name}`' for name in sorted(names))} |"
        for who, names in rows.items()
    ]


def test_the_document_names_every_check():
    """What checks there are says scikit-learn, so the list holds for one version of it."""
    rows = rows_of_the_document()
    assert int(rows[0].split("|")[2]) > 50
    version = re.search(r"scikit-learn ([0-9]+\.[0-9]+) has", DOCUMENT).group(1)
    if version != ".".join(sklearn.__version__.split(".")[:2]):
        pytest.skip(f"the document lists the checks of scikit-learn {version}, and this is {sklearn.__version__}")
    assert [row for row in rows if row not in DOCUMENT] == []


SEPARATE = f"""
import sys, warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import estimator_checks_generator
from tinygrad_lr import sklearn as ours
done = 0
for name in ours.__all__:
    for estimator, check in estimator_checks_generator(getattr(ours, name)(**eval(sys.argv[1]))):
        if check.func.__name__ == "{ALONE}":
            check(estimator)
            done += 1
print(done)
"""


@compiled
def test_array_api_input_in_a_process_that_allows_it(searches):
    """SciPy looks at this variable once, when it is imported; without it, scikit-learn skips the check."""
    found = subprocess.run(
        [sys.executable, "-c", SEPARATE, str({} if searches.deep else {"steps": 10})],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(len(KINDS)), found.stderr[-2000:]


# --- what is learnt ---------------------------------------------------------------------------------------------------


@compiled
def test_not_below_scikit_learns_networks_by_default():
    """Diabetes, iris and digits, a third of the rows held out. Loose: it is the order of size that is shown."""
    for load, kind, theirs in [
        (datasets.load_diabetes, MLPRegressor, neural_network.MLPRegressor),
        (datasets.load_iris, MLPClassifier, neural_network.MLPClassifier),
        (datasets.load_digits, MLPClassifier, neural_network.MLPClassifier),
    ]:
        X, y = load(return_X_y=True)
        X, held, y, target = train_test_split(X, y, test_size=0.33, random_state=0)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer = make_pipeline(StandardScaler(), theirs(random_state=0, max_iter=100)).fit(X, y)
        score = kind(random_state=0).fit(X, y).score(held, target)
        assert score > peer.score(held, target) - 0.03, (load.__name__, score, peer.score(held, target))


@compiled
def test_linear_models_find_what_least_squares_and_logistic_regression_find():
    X, y = datasets.load_diabetes(return_X_y=True)
    exact, model = LinearRegression().fit(X, y), LinearRegressor(random_state=0).fit(X, y)
    assert model.score(X, y) > exact.score(X, y) - 0.002
    assert np.allclose(model.predict(X), X @ model.coef_ + model.intercept_, rtol=1e-6)
    X, y = datasets.load_breast_cancer(return_X_y=True)
    exact = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    model = LinearClassifier(random_state=0).fit(X, y)
    assert model.score(X, y) > exact.score(X, y) - 0.01
    assert np.allclose(model.decision_function(X), (X @ model.coef_.T + model.intercept_)[:, 0], rtol=1e-4, atol=1e-5)


def test_coefficients_have_the_shapes_of_scikit_learn():
    X, y = data()
    both = np.column_stack([y, -y])
    assert LinearRegressor(**QUICK).fit(X, y).coef_.shape == LinearRegression().fit(X, y).coef_.shape == (3,)
    for target in (both, both[:, :1]):
        mine, theirs = LinearRegressor(**QUICK).fit(X, target), LinearRegression().fit(X, target)
        assert mine.coef_.shape == theirs.coef_.shape and mine.intercept_.shape == theirs.intercept_.shape
        assert mine.predict(X).shape == theirs.predict(X).shape == target.shape
    for X, y in (two(), three()):
        mine, theirs = LinearClassifier(**QUICK).fit(X, y), LogisticRegression().fit(X, y)
        assert mine.coef_.shape == theirs.coef_.shape and mine.intercept_.shape == theirs.intercept_.shape
        assert mine.classes_.tolist() == theirs.classes_.tolist()
        assert mine.decision_function(X).shape == theirs.decision_function(X).shape


def test_predictions_are_in_the_units_of_the_target_and_do_not_depend_on_those_of_the_inputs():
    X, y = data(80)
    model, scaled = (MLPRegressor(steps=300, random_state=0) for _ in range(2))
    found = model.fit(X, y).predict(X)
    again = scaled.fit(X * 1e6 + 1e9, y * 1e-3 - 50).predict(X * 1e6 + 1e9)
    assert np.allclose(found, (again + 50) * 1e3, rtol=1e-2, atol=1e-2)


def test_probabilities():
    for X, y in (two(), three()):
        model = MLPClassifier(random_state=0, **QUICK).fit(X, y)
        found = model.predict_proba(X)
        assert found.shape == (len(X), len(model.classes_)) and np.allclose(found.sum(axis=1), 1)
        assert np.array_equal(model.classes_[found.argmax(axis=1)], model.predict(X))
        assert np.allclose(np.log(found), model.predict_log_proba(X))
        far = model.predict_log_proba(X * 1e6)
        assert np.isfinite(far).all() and far.min() < -1000, "what exp cannot hold has a logarithm"


# --- the other way in -------------------------------------------------------------------------------------------------


class Seen(Exception):
    """Ends a training before its first step; it has the plan."""


def sorted_rows(kind, rows):
    """Rows in the order into which estimators put them, a column of them true or false; and as a table."""
    X, y = data(rows, features=3)
    X[:, 2] = X[:, 2] > 0.5
    if issubclass(kind, ours._Classifier):
        y = np.array(["a", "b", "c"])[np.digitize(y, [0, 2] if rows > 1_000 else [0])]
    X, y = (each[np.lexsort([X[:, 1], X[:, 0], y])] for each in (X, y))
    return X, y, {"p": X[:, 0], "q": X[:, 1], "r": X[:, 2] == 1}


def hidden_of(kind):
    return {"hidden": [100]} if "MLP" in kind.__name__ else {}


@pytest.mark.parametrize("rows", [60, 1_100, 5_000])
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_trained_with_the_same_defaults(kind, rows, monkeypatch):
    """All that decides a training is the same. Of 1,100 rows, networks put a tenth aside; 5,000 have larger batches."""

    def seen(plan, **options):
        raise Seen(plan)

    monkeypatch.setattr(Plan, "run", seen)
    X, y, table = sorted_rows(kind, rows)
    plans = []
    for train in (
        lambda: train_table({**table, "y": y}, "y", held_out=0, seed=3, **hidden_of(kind)),
        lambda: kind(random_state=3).fit(X, y),
    ):
        with pytest.raises(Seen) as found:
            train()
        plans.append(found.value.args[0])
    first, second = (
        {
            "layers": plan.layers,
            "loss": repr(plan.loss),
            "optimizer": (type(plan.optimizer), plan.optimizer.defaults),
            "schedule": repr(plan.schedule),
            "lengths": (plan.epochs, plan.steps, plan.patience, plan.compiled, plan.loader.batch_size),
            "order": plan.loader.order(0).tolist(),
            "parameters": [each.tobytes() for each in plan.network.state_dict().values()],
            "rows": [each.numpy().tobytes() for each in plan.loader.dataset.tensors],
            "watched": None if plan.watched is None else [each.numpy().tobytes() for each in plan.watched.tensors],
        }
        for plan in plans
    )
    assert first == second
    assert plans[0].has_validation == ("MLP" in kind.__name__ and rows > 1_000)


@pytest.mark.parametrize("kind, rows", [(LinearRegressor, 60), (MLPClassifier, 1_100)])
def test_a_table_gives_the_same_numbers(kind, rows):
    X, y, table = sorted_rows(kind, rows)
    run = train_table({**table, "y": y}, "y", held_out=0, seed=3, steps=60, **hidden_of(kind))
    model = kind(random_state=3, steps=60).fit(X, y)
    for name in ("loss", "lr", "held_out_loss"):
        assert run.history[name].tobytes() == model.history_[name].tobytes(), name
    if issubclass(kind, ours._Classifier):
        assert np.allclose(run.predict_proba(table), model.predict_proba(X), atol=1e-6)
    else:
        assert np.allclose(run.predict(table), model.predict(X), rtol=1e-5, atol=1e-5)


def test_a_parameter_of_none_is_a_default_that_can_be_searched():
    assert all(
        kind().get_params()[name] is None for kind in KINDS for name in ("learning_rate", "weight_decay", "steps")
    )
    X, y = data()
    grid = {"learning_rate": [None, 0.3], "weight_decay": [None, 0.0, 0.5]}
    search = GridSearchCV(MLPRegressor(random_state=0, **FEW), grid, cv=2).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 6
    decay = MLPRegressor(random_state=0, weight_decay=3 / 40, **FEW).fit(X, y)
    assert np.array_equal(decay.predict(X), MLPRegressor(random_state=0, **FEW).fit(X, y).predict(X))


# --- numbers at the ends of float64 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-310, 1e-160, 1e160, 1e306])
@pytest.mark.parametrize("kind", KINDS)
def test_units_change_nothing(kind, unit):
    """A power of ten is rounded, so that standardised numbers differ in their last bits, and of 1e-310 in more."""
    X, y = of(kind)
    of_X, of_y = (unit, unit) if kind in (LinearRegressor, MLPRegressor) else (unit, None)
    expected = kind(random_state=0, **FEW).fit(X, y)
    target = y if of_y is None else y * of_y
    model = kind(random_state=0, **FEW).fit(X * of_X, target)
    assert model.score(X * of_X, target) == pytest.approx(expected.score(X, y), abs=1e-4)
    found, known = (each.predict(data) for each, data in ((model, X * of_X), (expected, X)))
    assert (found == known).all() if of_y is None else np.allclose(found / of_y, known, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [1.7e308, 1e-300, 5e-324])
@pytest.mark.parametrize("kind", KINDS)
def test_large_and_small_weights_are_proportions(kind, size):
    X, y = of(kind)
    kept = kind(random_state=0, **FEW).fit(X, y).predict(X)
    assert np.array_equal(kind(random_state=0, **FEW).fit(X, y, np.full(40, size)).predict(X), kept)
    if size > 1e-310:  # else there is nothing between it and 0
        halves = np.where(np.arange(40) % 2, 0.25, 0.75)
        few, many = (kind(random_state=0, **FEW).fit(X, y, w).predict(X) for w in (halves, halves * size))
        assert (few == many).all() if few.dtype.kind == "U" else np.allclose(few, many, rtol=1e-5, atol=1e-6)


def test_large_and_small_class_weights():
    X, y = two()
    kept = LinearClassifier(random_state=0, **FEW).fit(X, y).decision_function(X)
    for size in (1e308, 1e-308):
        model = LinearClassifier(class_weight={"up": size, "down": size}, random_state=0, **FEW)
        assert np.allclose(model.fit(X, y, np.full(40, size)).decision_function(X), kept, rtol=1e-5)


def test_what_float32_cannot_keep_is_said():
    X, y = data()
    X[0, 1] = 1e30
    with pytest.warns(UserWarning, match="column 1 of X has numbers so much larger than its others"):
        LinearRegressor(**QUICK).fit(X, y)
    with pytest.warns(UserWarning, match="column 0 of y has numbers"):
        MLPRegressor(**QUICK).fit(X[:, [0, 2]], X[:, 1])


@pytest.mark.parametrize("unit", [1e-310, 1e-300, 1.0, 1e300, 1.7e308])
def test_the_standardiser_with_weights_is_that_of_repeated_rows(unit):
    values, counts = np.array([[1.0, 0.5], [-1.0, 0.5], [0.25, 0.5]]) * unit, np.array([1, 2, 3])
    expected = Standardiser.fit(values.repeat(counts, axis=0))
    for scale in (1, 1e-300, 5e307):
        found = Standardiser.fit(values, counts * scale)
        assert np.allclose(found.mean / unit, expected.mean / unit, rtol=1e-9)
        assert np.allclose(found.deviation[0] / unit, expected.deviation[0] / unit, rtol=1e-9)
        assert found.constant.tolist() == [False, True] and found.deviation[1] == 1
        assert np.allclose(found.inverse(found(values)) / unit, values / unit, rtol=1e-9)
    assert in_proportion(np.array([1e-300, 3e-300])).tolist() != [1e-300, 3e-300]


# --- the same bits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_order_repetition_and_weights_of_rows(kind):
    X, y = of(kind)
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = kind(random_state=0, **QUICK).fit(X, y, sample_weight=weights)
    repeated = kind(random_state=0, **QUICK).fit(X.repeat(weights, axis=0), y.repeat(weights))
    order = np.random.default_rng(2).permutation(len(X))
    shuffled = kind(random_state=0, **QUICK).fit(X[order], y[order], sample_weight=weights[order])
    other = kind(random_state=0, **QUICK).fit(X, y)
    method = "decision_function" if hasattr(kind, "decision_function") else "predict"
    bits = [getattr(each, method)(X).tobytes() for each in (weighted, repeated, shuffled, other)]
    assert bits[0] == bits[1] == bits[2] != bits[3]


def test_the_random_state():
    X, y = data()
    kind = MLPRegressor
    first, second, other = (kind(random_state=seed, **QUICK).fit(X, y).predict(X).tobytes() for seed in (0, 0, 1))
    assert first == second != other
    one, two = (
        [kind(random_state=state, **QUICK).fit(X, y).predict(X).tobytes() for _ in range(2)]
        for state in map(np.random.RandomState, (0, 0))
    )
    assert one == two and one[0] != one[1]
    assert kind(**QUICK).fit(X, y).predict(X).tobytes() != kind(**QUICK).fit(X, y).predict(X).tobytes()


def test_fitting_leaves_the_packages_generator_alone_and_threads_do_not_disturb_one_another():
    X, y = data()
    tinygrad_lr.manual_seed(5)
    before = tinygrad_lr.random.get_state()
    expected = [MLPRegressor(random_state=seed, **QUICK).fit(X, y).predict(X).tobytes() for seed in range(4)]
    assert tinygrad_lr.random.get_state() == before
    found = {}

    def fit(seed):
        found[seed] = MLPRegressor(random_state=seed, **QUICK).fit(X, y).predict(X).tobytes()

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [found[seed] for seed in range(4)] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_estimator_is_pickled_without_numba(kind):
    X, y = of(kind)
    model = kind(random_state=0, **QUICK).fit(X, y)
    model.partial_fit(X, y)
    text = pickle.dumps(model)
    assert b"numba" not in text.lower()
    again = pickle.loads(text)
    assert np.array_equal(again.predict(X), model.predict(X))
    model.partial_fit(X, y), again.partial_fit(X, y)
    assert np.array_equal(again.predict(X), model.predict(X)), "the optimizer's state is in the pickle"
    fresh = clone(again)
    assert fresh.get_params() == kind(random_state=0, **QUICK).get_params() and not hasattr(fresh, "n_iter_")


# --- partial_fit ------------------------------------------------------------------------------------------------------


def test_partial_fit_learns_and_goes_on():
    X, y = data(200)
    model = LinearRegressor(learning_rate=0.05, random_state=0)
    scores = []
    for first in list(range(0, 200, 50)) * 6:
        model.partial_fit(X[first : first + 50], y[first : first + 50])
        scores.append(model.score(X, y))
    assert scores[0] < 0.6 < 0.95 < scores[-1] and model.n_iter_ == 24
    model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) > 24, "fit begins anew"


def test_partial_fit_takes_the_parameters_of_today():
    X, y = data()
    model = MLPRegressor(hidden_layer_sizes=(3,), random_state=0).partial_fit(X, y)
    for rate in (0.02, 0.01):
        model.set_params(learning_rate=rate).partial_fit(X, y)
        assert set(model.history_["lr"].tolist()) == {rate}
    steps = model._optimizer.state_dict()["state"][0]["step"]
    assert steps == 3 * len(model.history_), "the moments go on"
    model.set_params(optimizer="sgd").partial_fit(X, y)
    assert type(model._optimizer) is tinygrad_lr.optim.SGD


def test_none_is_the_default_of_train():
    X, y = data()
    usual = LinearRegressor(steps=20, random_state=0).fit(X, y)
    none = LinearRegressor(optimizer=None, schedule=None, loss=None, steps=20, random_state=0).fit(X, y)
    assert np.array_equal(usual.coef_, none.coef_)


def test_partial_fit_of_classes():
    X, y = three(90)
    model = MLPClassifier(random_state=0)
    for _ in range(30):
        for label in (2, 0, 1):  # batches of one class each
            model.partial_fit(X[y == label], y[y == label], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2] and model.predict_proba(X).shape == (90, 3)
    fitted = MLPClassifier(random_state=0, **QUICK).fit(X, y)
    before = fitted.n_iter_
    assert fitted.partial_fit(X[:1], y[:1]).n_iter_ == before + 1


# --- the company they keep --------------------------------------------------------------------------------------------


def test_frames_of_pandas_and_polars():
    X, y = data()
    names = ["age", "size", "größe"]
    for library in ("pandas", "polars"):
        frames = pytest.importorskip(library, reason=f"a frame of {library} needs it")
        frame, target = frames.DataFrame(dict(zip(names, X.T, strict=True))), frames.Series(y)
        model = LinearRegressor(random_state=0, **QUICK).fit(frame, target)
        assert model.feature_names_in_.tolist() == names
        assert np.array_equal(model.predict(frame), LinearRegressor(random_state=0, **QUICK).fit(X, y).predict(X))
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(frame[names[::-1]])


def test_pipelines_searches_and_cross_validation():
    X, y = two(60)
    words = np.where(X[:, :1] > 0, "yes", "no")
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), LinearClassifier(random_state=0, **QUICK))
    assert pipeline.fit(words, y).predict(words).shape == (60,)
    scores = cross_val_score(MLPClassifier(random_state=0, steps=200), X, y, cv=3)
    assert scores.mean() > 0.8
    grid = {"learning_rate": [0.001, 0.02], "optimizer": ["sgd", "adam"]}
    search = GridSearchCV(LinearClassifier(random_state=0, **QUICK), grid, cv=2).fit(X, y)
    assert search.best_params_["learning_rate"] == 0.02 and search.best_estimator_.score(X, y) > 0.8


@compiled
def test_a_grid_search_in_two_processes():
    X, y = data(60)
    grid = {"hidden_layer_sizes": [4, (8, 4)]}
    one, two = (
        GridSearchCV(MLPRegressor(random_state=0, **QUICK), grid, cv=2, n_jobs=jobs).fit(X, y) for jobs in (None, 2)
    )
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


def test_class_weights():
    X, y = data(200)
    rare = np.where(y > 5, "rare", "common")
    assert 10 < (rare == "rare").sum() < 40
    plain = LinearClassifier(random_state=0, steps=200).fit(X, rare)
    found = {}
    for weight in ("balanced", {"rare": 9, "common": 1}):
        model = LinearClassifier(random_state=0, steps=200, class_weight=weight).fit(X, rare)
        found[str(weight)] = (model.predict(X) == "rare").sum()
        assert found[str(weight)] >= (plain.predict(X) == "rare").sum()
    given = LinearClassifier(random_state=0, steps=200).fit(X, rare, sample_weight=np.where(rare == "rare", 9.0, 1.0))
    model = LinearClassifier(random_state=0, steps=200, class_weight={"rare": 9, "common": 1}).fit(X, rare)
    assert np.array_equal(given.decision_function(X), model.decision_function(X))


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [0, 1], [-1, 1], [1.0, 2.0], [False, True], ["b", "a", "größe"], [7, 8, 9]]
)
def test_classes_of_any_type(labels):
    X, y = three()
    y = np.asarray(labels)[y % len(labels)]
    model = LinearClassifier(**QUICK).fit(X, y)
    assert model.classes_.tolist() == sorted(labels) and model.predict(X).dtype == np.asarray(labels).dtype
    objects = LinearClassifier(**QUICK).fit(X, y.astype(object)) if isinstance(labels[0], str) else model
    assert objects.classes_.tolist() == sorted(labels)


def test_early_stopping_keeps_the_best_epoch():
    X, y = data(30)
    y = y + np.random.default_rng(0).normal(size=30) * 5
    model = MLPRegressor(random_state=0, epochs=400, learning_rate=0.02, patience=10).fit(X, y)
    assert model.n_iter_ < 400 and "has not fallen for 10 epochs" in model.history_.stopped
    held = model.history_.held_out_by_epoch()[1]
    assert held.argmin() == model.n_iter_ - 11
    whole = MLPRegressor(random_state=0, epochs=20, early_stopping=False).fit(X, y)
    assert whole.n_iter_ == 20 and np.isnan(whole.history_.held_out_loss).all()
    assert len(whole.loss_curve_) == 20 and whole.loss_ == whole.loss_curve_[-1]
    assert MLPRegressor(random_state=0, early_stopping=True, **QUICK).fit(X, y).history_.held_out_by_epoch()[0].size
    tiny = MLPRegressor(random_state=0, **QUICK).fit(X[:7], y[:7])
    assert np.isnan(tiny.history_.held_out_loss).all(), "of seven rows, none is put aside"


@pytest.mark.parametrize("optimizer", sorted(tinygrad_lr.optim.OPTIMIZERS))
def test_every_optimizer(optimizer):
    X, y = data()
    model = LinearRegressor(optimizer=optimizer, steps=20, random_state=0).fit(X, y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("schedule", [*sorted(tinygrad_lr.schedules.table.for_training()), "warmup(5) then cosine(45)"])
def test_every_schedule(schedule):
    X, y = data()
    history = LinearRegressor(schedule=schedule, learning_rate=0.01, steps=40, random_state=0).fit(X, y).history_
    assert 0 < history.lr.max() <= 0.01


@pytest.mark.parametrize("loss", sorted(ours.REGRESSION.losses))
def test_every_loss_with_and_without_weights(loss):
    X, y = data()
    for weights in (None, np.arange(40)):
        model = LinearRegressor(loss=loss, steps=400, learning_rate=0.05, random_state=0)
        assert model.fit(X, y, sample_weight=weights).score(X, y) > 0.8


# --- mistakes ---------------------------------------------------------------------------------------------------------

X, Y = data()
LABELS = two()[1]
R, C = LinearRegressor, LinearClassifier
BAD_PARAMETERS = [
    ({"optimizer": "adams"}, ValueError, "optimizer must be one of .*, got 'adams'"),
    ({"optimizer": ""}, ValueError, "optimizer must be one of"),
    ({"optimizer": tinygrad_lr.optim.Adam}, ValueError, "optimizer must be one of"),
    ({"schedule": "cosin"}, ValueError, "schedule must be one of .*, got 'cosin'"),
    ({"schedule": "warmup(5) then cosin(95)"}, ValueError, "no schedule is called 'cosin'; did you mean 'cosine'"),
    ({"schedule": tinygrad_lr.schedules.cosine(3)}, ValueError, "schedule must be one of"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be above 0, got 0"),
    ({"learning_rate": -0.1}, ValueError, "learning_rate must be above 0"),
    ({"learning_rate": float("nan")}, ValueError, "learning_rate must be a finite number"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate must be a real number"),
    ({"steps": 9, "epochs": 2}, ValueError, "steps and epochs contradict each other; leave one of them at None"),
    ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, got 0"),
    ({"steps": 1.5}, TypeError, "steps must be a whole number"),
    ({"steps": True}, TypeError, "steps must be a whole number"),
    ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1"),
    ({"epochs": "10"}, TypeError, "epochs must be a whole number"),
    ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1"),
    ({"batch_size": "auto"}, TypeError, "batch_size must be a whole number"),
    ({"weight_decay": -1}, ValueError, "weight_decay must be at least 0"),
    ({"weight_decay": "auto"}, TypeError, "weight_decay must be a real number"),
    ({"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ({"random_state": -1}, ValueError, "Seed must be between"),
]
OF_NETWORKS = [
    ({"hidden_layer_sizes": (8, 0)}, ValueError, "hidden_layer_sizes must be a whole number of at least 1, got 0"),
    ({"hidden_layer_sizes": "32,16"}, TypeError, "hidden_layer_sizes must be a whole number or a tuple of them"),
    ({"hidden_layer_sizes": (1.5,)}, TypeError, "hidden_layer_sizes must be a whole number"),
    ({"hidden_layer_sizes": None}, TypeError, "hidden_layer_sizes must be a whole number or a tuple"),
    ({"early_stopping": "yes"}, TypeError, "early_stopping must be True or False"),
    ({"validation_fraction": 0}, ValueError, "validation_fraction must lie between 0 and 1"),
    ({"validation_fraction": 1.0}, ValueError, "validation_fraction must lie between 0 and 1"),
    ({"validation_fraction": 0.999, "early_stopping": True}, ValueError, "leaves no row of 40 to train on"),
    ({"validation_fraction": "a"}, TypeError, "validation_fraction must be a real number"),
    ({"patience": 0}, ValueError, "patience must be a whole number of at least 1"),
    ({"patience": 1.5}, TypeError, "patience must be a whole number"),
    ({"patience": 5, "early_stopping": False}, ValueError, "patience belongs to early_stopping, which is False"),
]
INPUTS = [
    ("X of one axis", lambda: R().fit(X[0], Y), ValueError, "Expected 2D array"),
    ("rows missing in y", lambda: R().fit(X, Y[:-1]), ValueError, "inconsistent numbers of samples"),
    ("no rows", lambda: R().fit(X[:0], Y[:0]), ValueError, "0 sample"),
    ("no columns", lambda: R().fit(X[:, :0], Y), ValueError, "0 feature"),
    ("NaN in X", lambda: R().fit(np.where(X > 2, np.nan, X), Y), ValueError, "Input X contains NaN"),
    ("infinity in y", lambda: R().fit(X, np.where(Y > 2, np.inf, Y)), ValueError, "Input y contains infinity"),
    ("NaN in y of classes", lambda: C().fit(X, np.where(Y > 2, np.nan, 1.0)), ValueError, "Input y contains NaN"),
    (
        "texts in X",
        lambda: R().fit(X.astype(str).tolist()[:-1] + [["a"] * 3], Y),
        ValueError,
        "could not convert string",
    ),
    ("texts as numbers", lambda: R().fit(X, LABELS), ValueError, "could not convert string to float|dtype='numeric'"),
    ("complex", lambda: R().fit(X * 1j, Y), ValueError, "Complex data not supported"),
    ("numbers as classes", lambda: C().fit(X, Y), ValueError, "Unknown label type: continuous"),
    (
        "two targets of classes",
        lambda: C().fit(X, np.column_stack([LABELS, LABELS])),
        ValueError,
        r"y should be a 1d array.*MultiOutputClassifier\(LinearClassifier\(\)\)",
    ),
    ("texts and numbers as classes", lambda: C().fit(X, np.array(["a", 1] * 20, object)), TypeError, "got int and str"),
    ("a missing class", lambda: C().fit(X, np.array(["a", None] * 20, object)), TypeError, "of one type, got NoneType"),
    (
        "dates in X",
        lambda: R().fit(pd.DataFrame({"day": [pd.Timestamp("2024-05-01")] * 40, "n": Y}), Y),
        TypeError,
        "encode texts, categories and dates as numbers.*training.train_table",
    ),
    (
        "categories in X",
        lambda: R().fit(pd.DataFrame({"kind": pd.Categorical(LABELS)}), Y),
        ValueError,
        "could not convert string to float: '(up|down)'; encode texts, categories.*train_table",
    ),
    (
        "too few rows to stop early",
        lambda: MLPRegressor(early_stopping=True).fit(X[:7], Y[:7]),
        ValueError,
        "early_stopping needs at least 8 different rows, got 7",
    ),
    ("one class", lambda: C().fit(X, np.zeros(40, int)), ValueError, r"at least 2 classes, got 1 class: \[0\]"),
    ("one class of weight above 0", lambda: C().fit(X, LABELS, LABELS == "up"), ValueError, "got 1 class"),
    ("weights missing", lambda: R().fit(X, Y, np.ones(39)), ValueError, "sample_weight.shape"),
    ("negative weights", lambda: R().fit(X, Y, -np.ones(40)), ValueError, "Negative values in data"),
    ("NaN as weight", lambda: R().fit(X, Y, np.full(40, np.nan)), ValueError, "NaN"),
    ("weights of two axes", lambda: R().fit(X, Y, np.ones((40, 2))), ValueError, "1D array or scalar"),
    ("no weights", lambda: R().fit(X, Y, np.zeros(40)), ValueError, "non-zero|0 for every row"),
    ("all weights 0, classes", lambda: C().fit(X, LABELS, np.zeros(40)), ValueError, "non-zero|0 for every row"),
    ("class_weight", lambda: C(class_weight="even").fit(X, LABELS), ValueError, "class_weight"),
    ("class_weight of no class", lambda: C(class_weight={"left": 2}).fit(X, LABELS), ValueError, "not in class_weight"),
    ("class_weight of 0", lambda: C(class_weight={"up": 0, "down": 0}).fit(X, LABELS), ValueError, "some above"),
    ("class_weight below 0", lambda: C(class_weight={"up": -1, "down": 1}).fit(X, LABELS), ValueError, "at least 0"),
    ("not fitted", lambda: R().predict(X), NotFittedError, "not fitted yet"),
    ("not fitted, classes", lambda: C().predict_proba(X), NotFittedError, "not fitted yet"),
    ("columns at predict", lambda: R(**QUICK).fit(X, Y).predict(X[:, :2]), ValueError, "X has 2 features, but"),
    ("no classes at first", lambda: C().partial_fit(X, LABELS), ValueError, "classes must be passed on the first call"),
    ("one class at first", lambda: C().partial_fit(X, LABELS, ["up"]), ValueError, "at least 2 classes"),
    ("an unknown class", lambda: C().partial_fit(X, LABELS, ["up", "left"]), ValueError, "'down', which is none of"),
    (
        "other classes later",
        lambda: C().partial_fit(X, LABELS, ["down", "up"]).partial_fit(X, LABELS, ["a", "up"]),
        ValueError,
        "is not what the first call had",
    ),
    (
        "balanced in passes",
        lambda: C(class_weight="balanced").partial_fit(X, LABELS, ["down", "up"]),
        ValueError,
        "needs all rows at once",
    ),
    (
        "columns in the second pass",
        lambda: R().partial_fit(X, Y).partial_fit(X[:, :2], Y),
        ValueError,
        "X has 2 features, but LinearRegressor is expecting 3",
    ),
    (
        "targets in the second pass",
        lambda: R().partial_fit(X, Y).partial_fit(X, np.column_stack([Y, Y])),
        ValueError,
        "y has 2 targets and had 1 in the first call",
    ),
    (
        "other layers in the second pass",
        lambda: MLPRegressor(random_state=0).partial_fit(X, Y).set_params(hidden_layer_sizes=(3,)).partial_fit(X, Y),
        ValueError,
        r"hidden_layer_sizes=\(3,\) is not what was trained so far, \(100,\)",
    ),
    ("diverging", lambda: R(optimizer="sgd", learning_rate=1e9).fit(X, Y), Diverged, "the loss became"),
    ("an unknown parameter", lambda: R(rate=3), TypeError, "unexpected keyword argument 'rate'"),
    ("set_params", lambda: R().set_params(rate=3), ValueError, "Invalid parameter 'rate'"),
]
ROWS = [
    *[
        (f"{kind.__name__} {given}", lambda k=kind, g=given: k(**g).fit(X, Y), *rest)
        for kind in (R, MLPRegressor)
        for given, *rest in BAD_PARAMETERS
    ],
    *[(f"{given}", lambda g=given: MLPRegressor(**g).fit(X, Y), *rest) for given, *rest in OF_NETWORKS],
    ("loss", lambda: R(loss="cross_entropy").fit(X, Y), ValueError, "loss must be one of mse, l1, huber, smooth_l1"),
    *INPUTS,
]


@pytest.mark.parametrize("call, exception, message", [pytest.param(*each[1:], id=each[0]) for each in ROWS])
def test_mistakes(call, exception, message):
    with pytest.raises(exception, match=message):
        call()


def test_sparse_inputs_are_refused_in_scikit_learns_words():
    sparse = pytest.importorskip("scipy.sparse", reason="scikit-learn brings SciPy")
    for call in (lambda: R().fit(sparse.csr_matrix(X), Y), lambda: R(**QUICK).fit(X, Y).predict(sparse.csr_array(X))):
        with pytest.raises(TypeError, match="Sparse data was passed.*but dense data is required"):
            call()


def test_a_column_of_classes_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        C(**QUICK).fit(X, LABELS[:, None])


def test_a_failed_fit_leaves_the_earlier_one():
    model = MLPRegressor(random_state=0, **QUICK).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError):
        model.fit(X, np.where(Y > 2, np.nan, Y))
    model.set_params(optimizer="sgd", learning_rate=1e9)
    with pytest.raises(Diverged):
        model.fit(1e3 * X[:, :2], Y)
    assert np.array_equal(model.predict(X), before)


def test_after_ctrl_c_there_is_what_was_learnt_and_a_search_ends(monkeypatch):
    def interrupted(plan, **options):
        history = fit(plan, **options)
        history.interrupted = True
        return history

    fit = Plan.fit
    monkeypatch.setattr(Plan, "fit", interrupted)
    model = LinearRegressor(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.predict(X).shape == (40,)


def test_a_pickle_of_another_version_is_said():
    text = pickle.dumps(LinearRegressor(random_state=0, **QUICK).fit(X, Y))
    ours_is, other = (each.encode() for each in (tinygrad_lr.__version__, "9" * len(tinygrad_lr.__version__)))
    with pytest.warns(UserWarning, match=f"pickled by tinygrad_lr {other.decode()}.*fit it again"):
        assert pickle.loads(text.replace(ours_is, other)).predict(X).shape == (40,)


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import tinygrad_lr.training
from tinygrad_lr import *
try:
    import tinygrad_lr.sklearn
except ImportError as error:
    print(error)
"""


def test_without_scikit_learn_the_message_says_how_to_get_it():
    found = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "tinygrad_lr.sklearn needs scikit-learn" in found.stdout, found.stderr
    assert "pip install 'tinygrad_lr[sklearn]'" in found.stdout


def test_the_rest_imports_no_scikit_learn():
    code = "import sys, json; from tinygrad_lr import training, data, nn; print(json.dumps('sklearn' in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert json.loads(found.stdout) is False
