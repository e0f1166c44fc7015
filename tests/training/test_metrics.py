"""Metrics and baselines of tables against scikit-learn, and the edges that scikit-learn does not decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.training.tables import baselines, metrics
from tinygrad_lr.training.tables.measuring import spread
from tinygrad_lr.training.tables.tasks import TASKS, task_of
from tinygrad_lr.training.tables.weighting import checked_weights, class_weights

NEEDED = "scikit-learn is the witness; pip install 'tinygrad_lr[sklearn]'"
sklearn_metrics = pytest.importorskip("sklearn.metrics", reason=NEEDED)
linear_model = pytest.importorskip("sklearn.linear_model", reason=NEEDED)

CASES = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def weights_of(rng, rows, kind):
    """None, random weights, or weights of which some are 0."""
    weights = rng.random(rows) + 0.1
    return {"none": None, "some": weights, "zeros": np.where(np.arange(rows) % 3 == 0, 0.0, weights)}[kind]


KINDS = st.sampled_from(["none", "some", "zeros"])


@given(CASES, st.integers(2, 30), KINDS)
def test_metrics_of_numbers_are_scikit_learns(rng, rows, kind):
    target, prediction, weights = rng.normal(size=rows), rng.normal(size=rows), weights_of(rng, rows, kind)
    asked = {"sample_weight": weights}
    if weights is None or (weights > 0).sum() > 1:
        expected = sklearn_metrics.r2_score(target, prediction, **asked)
        assert metrics.r_squared(target, prediction, weights) == pytest.approx(expected, rel=1e-9)
    expected = sklearn_metrics.mean_squared_error(target, prediction, **asked) ** 0.5
    assert metrics.rmse(target, prediction, weights) == pytest.approx(expected, rel=1e-12)
    expected = sklearn_metrics.mean_absolute_error(target, prediction, **asked)
    assert metrics.mae(target, prediction[:, None], weights) == pytest.approx(expected, rel=1e-12)


@given(CASES, st.integers(2, 30), st.integers(2, 4), KINDS)
def test_metrics_of_classes_are_scikit_learns(rng, rows, count, kind):
    classes, weights = rng.integers(0, count, rows), weights_of(rng, rows, kind)
    probabilities = rng.dirichlet(np.ones(count), rows)
    labels, asked = list(range(count)), {"sample_weight": weights}
    predicted = probabilities.argmax(axis=1)
    expected = sklearn_metrics.accuracy_score(classes, predicted, **asked)
    assert metrics.accuracy(classes, predicted, weights) == pytest.approx(expected, rel=1e-12)
    expected = sklearn_metrics.log_loss(classes, probabilities, labels=labels, **asked)
    assert metrics.log_loss(classes, probabilities, weights) == pytest.approx(expected, rel=1e-9)


@given(CASES, st.integers(2, 40), st.integers(1, 40), KINDS)
def test_auc_is_scikit_learns_with_ties(rng, rows, levels, kind):
    positive, score, weights = rng.integers(0, 2, rows), rng.integers(0, levels, rows) / 7, weights_of(rng, rows, kind)
    counted = positive if weights is None else positive[weights > 0]
    if len(set(counted.tolist())) < 2:
        assert metrics.auc(positive, score, weights) is None
        return
    expected = sklearn_metrics.roc_auc_score(positive, score, sample_weight=weights)
    assert metrics.auc(positive, score, weights) == pytest.approx(expected, abs=1e-9)


def test_what_is_undefined_is_none_and_large_numbers_do_not_overflow():
    assert metrics.r_squared(np.ones(4), np.arange(4.0)) is None
    assert metrics.auc(np.ones(3), np.arange(3)) is None
    assert metrics.rmse(np.array([1e200, 0]), np.array([0.0, 0])) == pytest.approx(1e200 / 2**0.5)
    assert metrics.rmse(np.array([1e-200, 0]), np.array([0.0, 0])) == pytest.approx(1e-200 / 2**0.5)
    assert np.isfinite(metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]])))
    found = spread([{"r2": 0.5}, {"r2": None}])["r2"]
    assert found == {"mean": 0.5, "deviation": None, "values": [0.5, None]}


@given(CASES, st.integers(4, 40), st.integers(1, 4), KINDS)
def test_least_squares_is_scikit_learns(rng, rows, inputs, kind):
    x, y, others = rng.normal(size=(rows, inputs)), rng.normal(size=(rows, 2)), rng.normal(size=(3, inputs))
    weights = weights_of(rng, rows, kind)
    if (rows if weights is None else (weights > 0).sum()) <= inputs + 1:
        return  # many solutions: ours is the shortest with its intercept, scikit-learn's the shortest without
    expected = linear_model.LinearRegression().fit(x, y, sample_weight=weights).predict(others)
    np.testing.assert_allclose(baselines.least_squares(x, y, others, weights), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("nearly", [0.0, 1e-3])
@pytest.mark.parametrize("kind", ["none", "zeros"])
def test_least_squares_of_many_rows_are_those_of_few(monkeypatch, nearly, kind):
    rng = np.random.default_rng(0)
    kinds = np.eye(5)[rng.integers(0, 5, 90)]  # whose sum is the intercept's column
    x = np.column_stack([rng.normal(size=(90, 3)), kinds, kinds[:, 0] + nearly * rng.normal(size=90)])
    y, weights = rng.normal(size=(90, 2)), weights_of(rng, 90, kind)
    expected = baselines.least_squares(x, y, x[:40], weights)
    monkeypatch.setattr(baselines, "LARGE", 1)
    monkeypatch.setattr(baselines, "BLOCK", 16)
    solve = np.linalg.lstsq
    monkeypatch.setattr(np.linalg, "lstsq", lambda *_, **__: pytest.fail("the whole matrix was made"))
    np.testing.assert_allclose(baselines.least_squares(x, y, x[:40], weights), expected, rtol=1e-7, atol=1e-9)
    monkeypatch.setattr(np.linalg, "lstsq", solve)
    x[:, 0] = x[:, 1] + 1e-6 * x[:, 0]  # what their squares cannot tell
    found = baselines.least_squares(x, y, x[:40])
    monkeypatch.setattr(baselines, "LARGE", 1e9)
    np.testing.assert_allclose(found, baselines.least_squares(x, y, x[:40]), rtol=1e-9)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("kind", ["none", "some", "zeros"])
@pytest.mark.parametrize("separable", [False, True])
def test_logistic_regression_is_scikit_learns(count, kind, separable):
    """Also where classes can be separated: the penalty of C=1 gives it a solution."""
    rng = np.random.default_rng([count, separable])
    x = rng.normal(size=(120, 6))
    classes = np.argmax(x[:, :count] + (0 if separable else 2) * rng.normal(size=(120, count)), axis=1)
    weights = weights_of(rng, 120, kind)
    model = linear_model.LogisticRegression(C=1, tol=1e-12, max_iter=100_000).fit(x, classes, sample_weight=weights)
    found = baselines.logistic_regression(x, classes, count, x, weights)
    np.testing.assert_allclose(found, model.predict_proba(x), atol=2e-6)  # lbfgs stops at about 1e-7 of coefficients


def test_logistic_regression_of_columns_that_depend_on_each_other_and_of_a_class_without_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2))
    x = np.column_stack([x, x.sum(axis=1), np.ones(50), np.zeros(50)])
    classes = (x[:, 0] > 0).astype(int)
    expected = linear_model.LogisticRegression(C=1, tol=1e-12, max_iter=100_000).fit(x, classes).predict_proba(x)
    np.testing.assert_allclose(baselines.logistic_regression(x, classes, 2, x), expected, atol=2e-6)
    found = baselines.logistic_regression(x, classes, 3, x)
    assert np.isfinite(found).all() and (found[:, 2] < 0.05).all()


def test_the_base_rate_is_the_share_of_each_class():
    found = baselines.base_rate(np.array([0, 1, 1, 1]), 3, 2, np.array([3.0, 1, 1, 1]))
    assert found.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0]]


def test_balanced_class_weights_are_scikit_learns():
    utils = pytest.importorskip("sklearn.utils.class_weight", reason=NEEDED)
    classes = np.array([0, 0, 0, 1, 2, 2])
    expected = utils.compute_class_weight("balanced", classes=np.arange(3), y=classes)
    np.testing.assert_allclose(class_weights("balanced", ["a", "b", "c"], classes), expected)
    assert class_weights({"b": 4}, ["a", "b", "c"], classes).tolist() == [1, 4, 1]


@pytest.mark.parametrize(
    "values, message",
    [([1, -1], "at least 0, got -1 for row 2"), ([1, np.nan], "got nan"), ([np.inf], "got inf"), ([0, 0], "all 0")],
)
def test_weights_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        checked_weights(values)


@pytest.mark.parametrize("name", TASKS)
def test_a_row_of_tasks_is_whole(name):
    """Each task measures what decides, of the model and of its baseline; a perfect baseline is not beaten."""
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.normal(size=(60, 3)).astype(np.float32)
    if name == "regression":
        targets = inputs @ np.ones((3, 1), np.float32)
    else:
        codes = inputs.argmax(axis=1) if name == "multiclass" else (inputs[:, 0] > 0).astype(int)
        targets = codes.astype(np.int64) if name == "multiclass" else codes[:, None].astype(np.float32)
    predicted = task.baseline(inputs, targets, 3 if name == "multiclass" else 2, inputs, None)
    found = task.measure(targets.reshape(60).astype(targets.dtype), predicted, None)
    assert found[task.decisive] > 0.9
    for loss in task.losses:
        assert hasattr(task.loss(loss, reduction="none"), "forward")
    with pytest.raises(ValueError, match="^--loss: .* has the losses .*; got 'hinge'$"):
        task.loss("hinge")
    with pytest.raises(ValueError, match="which belongs to (regression|binary and multiclass)$"):
        task.loss("cross_entropy" if name == "regression" else "mse")


def test_a_loss_of_another_task_and_an_unknown_task_are_named():
    with pytest.raises(ValueError, match="'mse', which belongs to regression"):
        TASKS["binary"].loss("mse")
    with pytest.raises(ValueError, match="task must be one of regression, binary, multiclass"):
        task_of("ranking")
    logits = np.array([[-800.0], [0.0], [800.0]])
    assert TASKS["binary"].probabilities(logits).tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    of_no = TASKS["binary"].probabilities(np.array([[50.0]]))[0, 0]
    assert of_no == pytest.approx(np.exp(-50.0), rel=1e-15), "a small probability is not 1 - the other"
    assert np.isfinite(TASKS["multiclass"].probabilities(np.array([[1e4, -1e4, 0]]))).all()
