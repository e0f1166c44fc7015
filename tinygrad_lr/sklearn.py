"""scikit-learn's interface: `LinearRegressor`, `LinearClassifier`, `MLPRegressor` and `MLPClassifier`.

They go where scikit-learn's own estimators go: pipelines, grid searches, cross-validation. Arrays come in as float64.
Inputs, and the targets of regressors, are standardised inside by the training rows, in float64; parameters are trained
in float32; predictions are computed in float64, in the target's units. Rows that are equal in all are merged, and their
weights added, and rows of weight 0 are left out. So the order of rows changes nothing, and a row of weight 2 is that
row twice, to the last bit. This needs the extra `sklearn`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError(
        f"tinygrad_lr.sklearn needs scikit-learn 1.6 or newer ({error}): pip install 'tinygrad_lr[sklearn]'"
    ) from error

from tinygrad_lr import nn, optim, random
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.data.batches import DataLoader, TensorDataset
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.optim.validation import number
from tinygrad_lr.schedules.table import for_training
from tinygrad_lr.training import EarlyStopping, History, fit
from tinygrad_lr.training.tables.arrays import (
    FEWEST_TO_VALIDATE,
    Rows,
    batch_size,
    dataset_of,
    epochs_needed,
    patience_needed,
)
from tinygrad_lr.training.tables.models import apply_network, count_parameters, network
from tinygrad_lr.training.tables.rates import build_schedule
from tinygrad_lr.training.tables.tasks import TASKS, Task
from tinygrad_lr.training.tables.weighting import Weighted, WeightedLoss

__all__ = ["LinearClassifier", "LinearRegressor", "MLPClassifier", "MLPRegressor"]

REGRESSION = TASKS["regression"]
_drawing = Lock()  # initial weights come from the package's generator, of which there is one


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass
class _Rows:
    """Rows in a canonical order: no two are equal, none has weight 0."""

    inputs: np.ndarray  # float64, shape (rows, inputs)
    targets: np.ndarray  # float64 (rows, outputs), or the numbers of classes, int64 (rows,)
    weights: np.ndarray  # float64 (rows,)

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> _Rows:
        return _Rows(self.inputs[rows], self.targets[rows], self.weights[rows])


def _canonical(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> _Rows:
    """Rows sorted by their values; equal ones are one row with their weights added, and weight 0 is left out.

    Example:
        >>> rows = _canonical(np.array([[2.0], [1.0], [2.0]]), np.array([0, 1, 0]), np.array([1.0, 0.0, 2.0]))
        >>> rows.inputs.tolist(), rows.targets.tolist(), rows.weights.tolist()
        ([[2.0]], [0], [3.0])
    """
    there = weights > 0
    inputs, targets, weights = inputs[there], targets[there], weights[there]
    keys = np.column_stack([targets.reshape(len(targets), -1).astype(np.float64), inputs]) + 0.0  # -0.0 becomes 0.0
    order = np.lexsort(keys.T[::-1])
    keys, weights = keys[order], weights[order]
    is_first = np.append(True, (keys[1:] != keys[:-1]).any(axis=1))[: len(keys)]
    first = np.flatnonzero(is_first)
    # added in the order of their size, so that the order of rows does not show in the last bit
    by_size = np.lexsort((weights, np.cumsum(is_first)))
    added = np.add.reduceat(weights[by_size], first) if len(first) else weights
    chosen = order[first]
    return _Rows(inputs[chosen] + 0.0, targets[chosen], added)


@dataclass(frozen=True)
class _Scale:
    """Mean and standard deviation of columns; where a column is constant, its deviation counts as 1."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray, what: str) -> _Scale:
        """Those of some rows.

        Raises:
            ValueError: values so large that they have none in float64.
        """
        share = (weights / weights.sum())[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = (share * values).sum(axis=0)
            deviation = np.sqrt((share * (values - mean) ** 2).sum(axis=0))
        if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
            raise ValueError(f"{what} holds values too large to be standardised in float64; divide them first")
        constant = deviation <= 1e-12 * np.abs(mean)
        return cls(mean, np.where(constant | (deviation == 0), 1.0, deviation))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Standardised values."""
        scaled: np.ndarray = (values - self.mean) / self.deviation
        return scaled

    def undo(self, values: np.ndarray) -> np.ndarray:
        """The values as they were."""
        found: np.ndarray = values * self.deviation + self.mean
        return found


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass
class _Prepared:
    """Rows as `fit` takes them, and the model and loss that belong to their form."""

    model: nn.Module
    loss: nn.Module
    data: TensorDataset
    held_out: TensorDataset | None


def _prepared(
    model: nn.Module,
    loss: Callable[..., nn.Module],
    rows: _Rows,
    validation: _Rows | None,
    encode: Callable[[_Rows], tuple[np.ndarray, np.ndarray]],
) -> _Prepared:
    """Build datasets of rows; where their weights differ, they are in the batches, divided by their mean."""
    weighted = bool(np.ptp(rows.weights)) or (validation is not None and bool(np.ptp(validation.weights)))
    mean = rows.weights.mean()

    def dataset(of: _Rows) -> TensorDataset:
        return dataset_of(Rows(*encode(of), of.weights), mean, weighted)

    held_out = None if validation is None else dataset(validation)
    if weighted:
        return _Prepared(Weighted(model), WeightedLoss(loss(reduction="none")), dataset(rows), held_out)
    return _Prepared(model, loss(), dataset(rows), held_out)


# --- estimators -------------------------------------------------------------------------------------------------------


class _Estimator(BaseEstimator):
    """What all four have: checks of parameters, training, and one pass for `partial_fit`."""

    _hidden: bool  # whether there are hidden layers
    optimizer: str
    learning_rate: float
    schedule: str
    steps: int | None
    epochs: int | None
    batch_size: int | None
    weight_decay: float
    random_state: Any

    # --- parameters ---------------------------------------------------------------------------------------------------

    def _widths(self) -> list[int]:
        """The hidden layers, checked."""
        given = getattr(self, "hidden_layer_sizes", ())
        sizes = [given] if isinstance(given, (int, np.integer)) else list(given) if _is_sequence(given) else None
        if sizes is None:
            raise TypeError(f"hidden_layer_sizes must be a whole number or a tuple of them, got {shown(given)}")
        return [whole_number("hidden_layer_sizes", each, least=1) for each in sizes]

    def _check(self) -> None:
        """Raise where a parameter cannot be used."""
        _one_of("optimizer", self.optimizer, optim.OPTIMIZERS)
        _one_of("schedule", self.schedule, for_training())
        _positive("learning_rate", self.learning_rate)
        if self.steps is not None:
            whole_number("steps", self.steps, least=1)
        if self.epochs is not None:
            whole_number("epochs", self.epochs, least=1)
        if self.batch_size is not None:
            whole_number("batch_size", self.batch_size, least=1)
        if number("weight_decay", self.weight_decay) < 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay!r}")
        self._widths()
        if hasattr(self, "loss"):
            _one_of("loss", self.loss, REGRESSION.losses)
        if hasattr(self, "early_stopping"):
            true_or_false("early_stopping", self.early_stopping)
            if not 0 < number("validation_fraction", self.validation_fraction) < 1:
                raise ValueError(f"validation_fraction must lie between 0 and 1, got {self.validation_fraction!r}")
            if self.patience is not None:
                whole_number("patience", self.patience, least=1)

    def _make_optimizer(self, model: nn.Module, lr: float) -> optim.Optimizer:
        kind: Any = optim.OPTIMIZERS[self.optimizer]
        options: dict[str, Any] = {"lr": lr}
        if "weight_decay" in kind.validators:
            options["weight_decay"] = self.weight_decay
        elif self.weight_decay:
            raise ValueError(f"weight_decay is no option of the optimizer {self.optimizer}; leave it at 0")
        made: optim.Optimizer = kind(model.parameters(), **options)
        return made

    # --- fitting ------------------------------------------------------------------------------------------------------

    def _begin(self, rows: _Rows, outputs: int, seed: int) -> None:
        """Make a new network, and the scale of the inputs."""
        self._scale = _Scale.of(rows.inputs, rows.weights, "X")
        layers = [rows.inputs.shape[1], *self._widths(), outputs]
        count_parameters(layers, copies=4)
        with _drawing:
            before = random.get_state()
            random.manual_seed(seed)
            self._trained = network(layers)
            random.set_state(before)
        self._optimizer: optim.Optimizer | None = None
        self.n_iter_ = 0
        self.history_ = History()

    def _train(self, rows: _Rows, outputs: int, loss: Callable[..., nn.Module]) -> None:
        """Train anew on rows."""
        seed = _seed(self.random_state)
        self._begin(rows, outputs, seed)
        rows, validation = self._divided(rows, seed)
        ready = _prepared(self._trained, loss, rows, validation, self._encoded)
        loader = self._loader(ready.data, seed)
        epochs = self.epochs
        if epochs is None:
            per_epoch = len(loader)
            epochs = epochs_needed(per_epoch, self._hidden) if self.steps is None else -(-self.steps // per_epoch)
        callbacks = []
        if validation is not None:
            patience = getattr(self, "patience", None) or patience_needed(epochs)
            callbacks.append(EarlyStopping(patience))
        optimizer = self._make_optimizer(self._trained, self.learning_rate)
        self.history_ = fit(
            ready.model,
            ready.loss,
            optimizer,
            loader,
            epochs=epochs,
            schedule=build_schedule(self.schedule, epochs * len(loader)),
            held_out=ready.held_out,
            callbacks=callbacks,
            progress=False,
        )
        self._finish()

    def _pass_over(self, rows: _Rows, loss: Callable[..., nn.Module]) -> None:
        """Make one pass over rows, with the optimizer as the last pass left it, at a constant rate."""
        if self._optimizer is None:
            self._optimizer = self._make_optimizer(self._trained, self.learning_rate)
        ready = _prepared(self._trained, loss, rows, None, self._encoded)
        loader = self._loader(ready.data, _seed(self.random_state) + self.n_iter_)
        self.history_ = fit(ready.model, ready.loss, self._optimizer, loader, epochs=1, progress=False)
        self._finish()

    def _divided(self, rows: _Rows, seed: int) -> tuple[_Rows, _Rows | None]:
        """Rows to train on, and rows whose loss decides when to stop."""
        if not getattr(self, "early_stopping", False) or len(rows) < FEWEST_TO_VALIDATE:
            return rows, None
        order = np.random.default_rng(seed).permutation(len(rows))
        aside = max(1, round(len(rows) * self.validation_fraction))
        if aside >= len(rows):
            raise ValueError(f"validation_fraction={self.validation_fraction} leaves no row of {len(rows)} to train on")
        return rows.take(np.sort(order[aside:])), rows.take(np.sort(order[:aside]))

    def _loader(self, data: TensorDataset, seed: int) -> DataLoader:
        size = self.batch_size or batch_size(len(data))
        return DataLoader(data, min(size, len(data)), shuffle=True, seed=seed)

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets in the form that the loss takes."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Set what a fit leaves."""
        self.n_iter_ += len(np.unique(self.history_.epoch))
        self.loss_curve_ = self.history_.epoch_means()[1].tolist()
        self.loss_ = self.loss_curve_[-1]
        self._inference = copy.deepcopy(self._trained).double().eval()
        if not self._hidden:
            weight, bias = self._inference.state_dict().values()
            weight = weight / self._scale.deviation
            self._set_coefficients(weight, bias - weight @ self._scale.mean)

    def _set_coefficients(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Keep what a linear model gives for inputs as they come."""
        raise NotImplementedError

    def _outputs(self, X: Any) -> np.ndarray:
        """The outputs of the network for inputs as they come, float64, shape (rows, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            return apply_network(self._inference, self._scale.apply(X))


class _Regressor(MultiOutputMixin, RegressorMixin, _Estimator):
    """Trains on numbers, and predicts in their units."""

    loss: str

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on rows, from the beginning.

        Args:
            X: numbers, shape (rows, features). y: numbers, shape (rows,) or (rows, targets).
            sample_weight: how often each row counts, shape (rows,), at least 0; None: once.

        Returns:
            The estimator.
        """
        self._check()
        rows = self._rows(X, y, sample_weight, reset=True)
        self._target = _Scale.of(rows.targets, rows.weights, "y")
        self._train(rows, rows.targets.shape[1], REGRESSION.losses[self.loss])
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Make one pass over rows, at a constant learning rate; the first call decides how values are scaled.

        After `fit` it goes on from there.
        """
        self._check()
        first = not hasattr(self, "_trained")
        rows = self._rows(X, y, sample_weight, reset=first)
        if first:
            self._target = _Scale.of(rows.targets, rows.weights, "y")
            self._begin(rows, rows.targets.shape[1], _seed(self.random_state))
        elif rows.targets.shape[1] != len(self._target.mean):
            raise ValueError(
                f"y has {rows.targets.shape[1]} targets and had {len(self._target.mean)} in the first call"
            )
        self._pass_over(rows, REGRESSION.losses[self.loss])
        return self

    def _rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> _Rows:
        X, y = validate_data(self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True)
        y = np.asarray(y, np.float64)
        if reset:
            self._one_target = y.ndim == 1
        weights = _weights(sample_weight, X)
        return _canonical(X, y.reshape(len(y), -1), weights)

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        return self._scale.apply(rows.inputs).astype(np.float32), self._target.apply(rows.targets).astype(np.float32)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers in the target's units, float64, shape (rows,) or (rows, targets) as `y` had it."""
        outputs = self._outputs(X)  # raises where nothing was fitted
        found = self._target.undo(outputs)
        return found[:, 0] if self._one_target else found


class _Classifier(ClassifierMixin, _Estimator):
    """Trains on classes, and predicts them and their probabilities."""

    class_weight: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on rows, from the beginning.

        Args:
            X: numbers, shape (rows, features). y: a class for each row, of any one type, shape (rows,).
            sample_weight: how often each row counts, shape (rows,), at least 0; None: once.

        Returns:
            The estimator.

        Raises:
            ValueError: rows of one class only; they are those of a weight above 0.
        """
        self._check()
        X, y = self._validated(X, y, reset=True)
        weights = _weights(sample_weight, X)
        self.classes_ = np.unique(y[weights > 0])
        if len(self.classes_) < 2:
            only = shown(self.classes_.tolist())
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes, got 1 class: {only}")
        rows = self._rows(X, y, weights, self.class_weight)
        self._train(rows, self._outputs_needed(), self._loss())
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Make one pass over rows, at a constant learning rate; the first call decides how inputs are scaled.

        Args:
            X, y, sample_weight: see `fit`.
            classes: all classes that will come; needed in the first call.

        After `fit` it goes on from there.
        """
        self._check()
        first = not hasattr(self, "_trained")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all rows at once; give partial_fit a dict of weights, or "
                "sample_weight"
            )
        X, y = self._validated(X, y, reset=first)
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        if classes is not None:
            given = np.unique(column_or_1d(classes))
            if first:
                self.classes_ = given
                if len(given) < 2:
                    raise ValueError(f"classes must name at least 2 classes, got {shown(given.tolist())}")
            elif not np.array_equal(given, self.classes_):
                raise ValueError(
                    f"classes={shown(given.tolist())} is not what the first call had: {shown(self.classes_.tolist())}"
                )
        rows = self._rows(X, y, _weights(sample_weight, X), self.class_weight)
        if first:
            self._begin(rows, self._outputs_needed(), _seed(self.random_state))
        self._pass_over(rows, self._loss())
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, reset=reset, dtype=np.float64)
        check_classification_targets(y)
        return X, column_or_1d(y, warn=True)

    def _rows(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, class_weight: Any) -> _Rows:
        """Rows with the numbers of their classes."""
        here = weights > 0
        X, y, weights = X[here], y[here], weights[here]
        place = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        unknown = np.flatnonzero(self.classes_[place] != y)
        if len(unknown):
            raise ValueError(
                f"y holds {shown(y[unknown].tolist()[0])}, which is none of the classes {shown(self.classes_.tolist())}"
            )
        if class_weight is not None:
            counts = np.bincount(place, weights, minlength=len(self.classes_))
            if class_weight == "balanced":
                each = weights.sum() / (np.count_nonzero(counts) * np.where(counts > 0, counts, 1.0))
            else:
                each = compute_class_weight(class_weight, classes=self.classes_, y=y)
            weights = weights * each[place]
            if not weights.sum() > 0 or (weights < 0).any():
                raise ValueError(f"class_weight must leave weights of at least 0, and some above, got {class_weight!r}")
        return _canonical(X, place.astype(np.int64), weights)

    @property
    def _task(self) -> Task:
        return TASKS["binary" if len(self.classes_) == 2 else "multiclass"]

    def _outputs_needed(self) -> int:
        return self._task.outputs(self.classes_, len(self.classes_))

    def _loss(self) -> Callable[..., nn.Module]:
        return self._task.loss

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        two = len(self.classes_) == 2
        targets = rows.targets.astype(np.float32)[:, None] if two else rows.targets
        return self._scale.apply(rows.inputs).astype(np.float32), targets

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits, float64: of the second of two classes, shape (rows,), or of each class, shape (rows, classes)."""
        found = self._outputs(X)
        return found[:, 0] if len(self.classes_) == 2 else found

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, float64, shape (rows, classes), in the order of `classes_`."""
        outputs = self._outputs(X)  # raises where nothing was fitted
        probabilities = self._task.probabilities
        assert probabilities is not None  # a task of classes has them
        return probabilities(outputs)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`, also where that is below what float64 holds."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.column_stack([np.zeros(len(logits)), logits])
        shifted = logits - logits.max(axis=1, keepdims=True)
        found: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return found

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, shape (rows,)."""
        scores = self.decision_function(X)
        place = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        found: np.ndarray = self.classes_[place]
        return found


class LinearRegressor(_Regressor):
    """A linear model, trained by an optimizer of tinygrad_lr.

    Args:
        optimizer: a name among `tinygrad_lr.optim.OPTIMIZERS`. learning_rate: its highest learning rate.
        schedule: how the rate falls, after a warm-up over a twentieth of the steps: a name such as "cosine",
            "polynomial", "constant".
        loss: "mse", "l1", "huber" or "smooth_l1", on standardised targets.
        steps: how many steps there are, rounded up to whole epochs; None: 2,000, and at least 20 epochs; with hidden
            layers from 30 to 100 epochs, and at least 500 steps.
        epochs: how many epochs there are, in place of `steps`.
        batch_size: rows in a step; None: 32, and more where there are more than 4,096 rows, up to 256.
        weight_decay: of the optimizer, on standardised inputs.
        random_state: a seed, a RandomState, or None: a new seed for each fit.

    Attributes:
        coef_, intercept_: of inputs and targets as they come, float64; shape (features,) and a number, or
            (targets, features) and (targets,) where `y` has two axes.
        n_iter_: epochs made. loss_, loss_curve_: the mean training loss of the last, and of each epoch of the last fit.
        history_: of the last fit, a row for each step. n_features_in_, feature_names_in_: of the inputs.

    Example:
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> model = LinearRegressor(random_state=0).fit(X, 3 * X[:, 0] + 1)
        >>> round(float(model.coef_[0]), 3), round(float(model.intercept_), 3)
        (3.0, 1.0)
    """

    _hidden = False

    def __init__(
        self,
        *,
        optimizer: str = "adam",
        learning_rate: float = 0.03,
        schedule: str = "cosine",
        loss: str = "mse",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.loss = loss
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _set_coefficients(self, weight: np.ndarray, bias: np.ndarray) -> None:
        weight, bias = weight * self._target.deviation[:, None], self._target.undo(bias)
        self.coef_: np.ndarray = weight[0] if self._one_target else weight
        self.intercept_: Any = float(bias[0]) if self._one_target else bias


class LinearClassifier(_Classifier):
    """Logistic regression of two or more classes, trained by an optimizer of tinygrad_lr.

    Args:
        optimizer, learning_rate, schedule, steps, epochs, batch_size, random_state: see `LinearRegressor`.
        weight_decay: of the optimizer, on standardised inputs. Without it, the weights of classes that can be separated
            grow for ever.
        class_weight: None; "balanced", by which every class weighs the same in sum; or a dict of weights by class.

    Attributes:
        classes_: the classes, sorted.
        coef_, intercept_: of the logits for inputs as they come, float64, shape (1, features) and (1,) for two classes,
            else (classes, features) and (classes,).
        n_iter_, loss_, loss_curve_, history_, n_features_in_, feature_names_in_: see `LinearRegressor`.

    Example:
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> model = LinearClassifier(random_state=0).fit(X, np.where(X[:, 0] > 0.2, "high", "low"))
        >>> model.predict([[-0.5], [0.9]]).tolist(), model.predict_proba([[0.9]]).argmax()
        (['low', 'high'], np.int64(0))
    """

    _hidden = False

    def __init__(
        self,
        *,
        optimizer: str = "adam",
        learning_rate: float = 0.03,
        schedule: str = "cosine",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float = 0.001,
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.random_state = random_state

    def _set_coefficients(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.coef_, self.intercept_ = weight, bias


class MLPRegressor(_Regressor):
    """Linear layers with ReLU between them, trained by an optimizer of tinygrad_lr.

    Args:
        hidden_layer_sizes: the units of each hidden layer; one whole number is one layer.
        optimizer, learning_rate, schedule, loss, steps, epochs, batch_size, weight_decay, random_state: see
            `LinearRegressor`.
        early_stopping: whether a part of the rows is put aside, on which the best epoch is chosen, and training ends
            where the loss of these rows no longer falls. Of fewer than 8 rows, none are.
        validation_fraction: how large that part is.
        patience: how many epochs may pass without a lower loss; None: three tenths of all epochs, at least 10.

    Attributes:
        n_iter_, loss_, loss_curve_, history_, n_features_in_, feature_names_in_: see `LinearRegressor`.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> model = MLPRegressor(random_state=0).fit(X, X[:, 0] ** 2)
        >>> model.score(X, X[:, 0] ** 2) > 0.95
        True
    """

    _hidden = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        schedule: str = "cosine",
        loss: str = "mse",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float = 0.0,
        early_stopping: bool = True,
        validation_fraction: float = 0.25,
        patience: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.loss = loss
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state


class MLPClassifier(_Classifier):
    """Linear layers with ReLU between them, for two or more classes, trained by an optimizer of tinygrad_lr.

    Args:
        hidden_layer_sizes, early_stopping, validation_fraction, patience: see `MLPRegressor`.
        optimizer, learning_rate, schedule, steps, epochs, batch_size, weight_decay, random_state: see
            `LinearRegressor`.
        class_weight: None; "balanced", by which every class weighs the same in sum; or a dict of weights by class.

    Attributes:
        classes_: the classes, sorted.
        n_iter_, loss_, loss_curve_, history_, n_features_in_, feature_names_in_: see `LinearRegressor`.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> model = MLPClassifier(random_state=0).fit(X, abs(X[:, 0]) > 0.5)
        >>> model.predict([[0.0], [0.9]]).tolist()
        [False, True]
    """

    _hidden = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        optimizer: str = "adam",
        learning_rate: float = 0.003,
        schedule: str = "cosine",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float = 0.0,
        class_weight: Any = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.25,
        patience: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state


# --- checks -----------------------------------------------------------------------------------------------------------


def _is_sequence(value: object) -> bool:
    return isinstance(value, (tuple, list, np.ndarray))


def _one_of(name: str, value: object, known: Any) -> None:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")


def _positive(name: str, value: object) -> None:
    if number(name, value) <= 0:
        raise ValueError(f"{name} must be above 0, got {shown(value)}")


def _weights(sample_weight: Any, X: np.ndarray) -> np.ndarray:
    """The weight of each row, float64.

    Raises:
        ValueError: not one for each row, negative, not finite, or none above 0.
    """
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weights.sum() > 0:
        raise ValueError("sample_weight is 0 for every row, so there is nothing to train on")
    return np.asarray(weights)


def _seed(random_state: Any) -> int:
    """A seed for one fit."""
    return int(check_random_state(random_state).randint(2**31 - 1))
