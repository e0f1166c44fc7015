"""scikit-learn's interface: `LinearRegressor`, `LinearClassifier`, `MLPRegressor` and `MLPClassifier`.

They go where scikit-learn's own estimators go: pipelines, grid searches, cross-validation. They train as `train_table`
does (training/tables/arrays.py), with its defaults: a parameter that is None is what `tinygrad-lr train` takes.

Arrays come in as float64. Inputs, and the targets of regressors, are standardised inside by the training rows, in
float64; inputs of 0 and 1 alone stay as they are. Parameters are trained in float32. Predictions are computed in
float64, in the target's units. Rows are put into an order of their own; a row whose weight is 2 is that row twice, and
rows of weight 0 are left out. So the order of rows changes nothing, to the last bit. This needs the extra `sklearn`.
"""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
    from sklearn.metrics import r2_score
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
from tinygrad_lr.data.standardising import EXTREME, Standardiser, in_proportion, lost_in_float32
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.reals import real_number
from tinygrad_lr.schedules import from_text
from tinygrad_lr.schedules.table import for_training, is_text
from tinygrad_lr.training import History
from tinygrad_lr.training.tables.arrays import FEWEST_TO_VALIDATE, VALIDATED, Plan, Rows, planned, validates_unasked
from tinygrad_lr.training.tables.models import apply_network
from tinygrad_lr.training.tables.options import Options
from tinygrad_lr.training.tables.splitting import VALIDATION, Respecting, divide
from tinygrad_lr.training.tables.tasks import TASKS, Task
from tinygrad_lr.version import __version__

__all__ = ["LinearClassifier", "LinearRegressor", "MLPClassifier", "MLPRegressor"]

REGRESSION = TASKS["regression"]
MOST_COUNTED = 2.0**53  # up to here a sum of whole numbers is exact
# Rows that are equal, or weigh a whole number, stand there as often as that is, unless that takes more numbers than
# this and more than eight times those of different rows.
REPEATED, REPEATED_TIMES = 2**24, 8
VERSION = "_tinygrad_lr_version"
_drawing = Lock()  # initial weights come from the package's generator, of which there is one


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass
class _Rows:
    """Rows in a canonical order, none of weight 0.

    Attributes:
        inputs: float64, shape (rows, inputs).
        targets: float64 (rows, outputs), or the numbers of classes, int64 (rows,).
        weights: float64 (rows,), or None where all weigh the same.
        stands_for: how many rows these are, where equal ones were merged.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None
    stands_for: float

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> _Rows:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        share = len(rows) / len(self) if weights is None else weights.sum() / self.weights.sum()  # type: ignore[union-attr]
        return _Rows(self.inputs[rows], self.targets[rows], weights, self.stands_for * share)


def _canonical(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, count: float) -> _Rows:
    """Rows sorted by their values, so that neither their order shows, nor whether a row is there twice or weighs 2.

    Where the weights of all different rows, added up, are whole numbers, each row stands there so often. Else, and
    where that would be very many, equal rows are one row with their weights added.

    Args:
        count: how many rows these stand for.

    Example:
        >>> rows = _canonical(np.array([[2.0], [1.0], [2.0]]), np.array([0, 1, 0]), np.array([1.0, 0.0, 2.0]), 3)
        >>> rows.inputs.tolist(), rows.targets.tolist(), rows.weights
        ([[2.0], [2.0], [2.0]], [0, 0, 0], None)
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
    if _are_counts(added) and added.sum() * keys.shape[1] <= max(REPEATED, REPEATED_TIMES * len(first) * keys.shape[1]):
        chosen, added = np.repeat(chosen, added.astype(np.int64)), np.ones(1)
    return _Rows(inputs[chosen] + 0.0, targets[chosen], added if np.ptp(added) else None, count)


def _are_counts(weights: np.ndarray) -> bool:
    """Whether weights are whole numbers, and few enough to be how often rows are there."""
    return bool(
        (weights == np.floor(weights)).all() and (weights < MOST_COUNTED).all() and weights.sum() < MOST_COUNTED
    )


def _scale_of(rows: _Rows, values: np.ndarray, what: str) -> Standardiser:
    """The scale of columns of rows; warns of those of which float32 cannot keep what they say."""
    scale = Standardiser.fit(values, rows.weights)
    lost = np.flatnonzero(lost_in_float32(values, scale)).tolist()
    if lost:
        columns = ", ".join(map(str, lost[:5])) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        warnings.warn(
            f"column {columns} of {what} has numbers so much larger than its others that these are all the same in "
            "float32, in which models are trained; take its logarithm, or clip it",
            UserWarning,
            stacklevel=5,
        )
    return scale


def _scale_of_inputs(rows: _Rows) -> Standardiser:
    """The scale of inputs. Columns of 0 and 1 alone stay as they are, as categories and booleans of a table do."""
    scale = _scale_of(rows, rows.inputs, "X")
    unchanged = ((rows.inputs == 0) | (rows.inputs == 1)).all(axis=0) & ~scale.constant
    return Standardiser(np.where(unchanged, 0, scale.mean), np.where(unchanged, 1, scale.deviation), scale.constant)


def _of_first_rows(scale: Standardiser) -> Standardiser:
    """The scale where more rows will come: a column that is constant in the first ones may vary in the others."""
    return Standardiser(scale.mean, scale.deviation)


# --- estimators -------------------------------------------------------------------------------------------------------


class _Estimator(BaseEstimator):
    """What all four have: checks of parameters, training, and one pass for `partial_fit`."""

    _hidden: bool  # whether there are hidden layers
    optimizer: str | None
    learning_rate: float | None
    schedule: str | None
    steps: int | None
    epochs: int | None
    batch_size: int | None
    weight_decay: float | None
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
        for name, known in (("optimizer", optim.OPTIMIZERS), ("schedule", for_training()), ("loss", REGRESSION.losses)):
            value = getattr(self, name, None)
            if name == "schedule" and isinstance(value, str) and is_text(value):
                from_text(value)
            elif value is not None:
                _one_of(name, value, known)
        if self.learning_rate is not None:
            real_number("learning_rate", self.learning_rate, above=0)
        for name in ("steps", "epochs", "batch_size", "patience"):
            self._whole(name)
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs contradict each other; leave one of them at None")
        if self.weight_decay is not None:
            real_number("weight_decay", self.weight_decay, least=0)
            if self.weight_decay and not self._decays():
                raise ValueError(f"weight_decay is no option of the optimizer {self.optimizer}; leave it at None")
        self._widths()
        if hasattr(self, "early_stopping"):
            if self.early_stopping is not None:
                true_or_false("early_stopping", self.early_stopping)
            if self.early_stopping is False and self.patience is not None:
                raise ValueError("patience belongs to early_stopping, which is False; leave patience at None")
            if not 0 < real_number("validation_fraction", self.validation_fraction) < 1:
                raise ValueError(f"validation_fraction must lie between 0 and 1, got {self.validation_fraction!r}")

    def _decays(self) -> bool:
        """Whether the optimizer takes a weight decay."""
        kind: Any = optim.OPTIMIZERS[self.optimizer or Options.optimizer]
        return "weight_decay" in kind.validators

    def _whole(self, name: str) -> int | None:
        given = getattr(self, name, None)
        return None if given is None else whole_number(name, given, least=1)

    def _options(self, seed: int) -> Options:
        """The parameters as `train` has them."""
        decay = None if self.weight_decay is None else real_number("weight_decay", self.weight_decay)
        found = Options(
            hidden=self._widths(),
            loss=getattr(self, "loss", None),
            optimizer=self.optimizer or Options.optimizer,
            lr=None if self.learning_rate is None else real_number("learning_rate", self.learning_rate),
            weight_decay=decay if self._decays() else None,
            schedule=self.schedule,
            steps=self._whole("steps"),
            epochs=self._whole("epochs"),
            batch_size=self._whole("batch_size"),
            patience=self._whole("patience"),
            seed=seed,
        )
        found.complete()
        return found

    # --- fitting ------------------------------------------------------------------------------------------------------

    def _plan(self, rows: _Rows, validation: _Rows | None, options: Options, network: nn.Module | None = None) -> Plan:
        """What trains rows. The package's generator is as before."""
        known = self._of(rows)
        watched = None if validation is None else self._of(validation)
        with _drawing:
            before = random.get_state()
            try:
                return planned(known, self._task.name, self._classes, options, watched, network=network)
            finally:
                random.set_state(before)

    def _of(self, rows: _Rows) -> Rows:
        return Rows(*self._encoded(rows), rows.weights, rows.stands_for)

    def _train(self, rows: _Rows) -> None:
        """Train anew on rows."""
        options = self._options(_seed(self.random_state))
        training, validation = self._divided(rows, options)
        trained = self._plan(training, validation, options).run()
        if trained.diverged is not None:
            raise trained.diverged
        if not len(trained.history):  # Ctrl-C before the first step
            raise KeyboardInterrupt
        self._trained = trained.network
        self._trained_widths = self._widths()
        self._optimizer: optim.Optimizer | None = None
        self._stands_for = training.stands_for
        self.n_iter_ = 0
        self._finish(trained.history)

    def _replace(self, fitted: _Estimator) -> None:
        """Become what a copy was fitted to. After Ctrl-C it has what was learnt until then, and a search ends."""
        self.__dict__.clear()
        self.__dict__.update(fitted.__dict__)
        if self.history_.interrupted:
            raise KeyboardInterrupt

    def _pass_over(self, rows: _Rows, first: bool) -> None:
        """Make one pass over rows, with the optimizer as the last pass left it, at a constant rate."""
        if first:
            self.n_iter_, self._optimizer = 0, None
            self._trained_widths = self._widths()
            self._stands_for = math.inf  # nobody knows how many will come
        elif self._widths() != self._trained_widths:
            raise ValueError(
                f"hidden_layer_sizes={tuple(self._widths())} is not what was trained so far, "
                f"{tuple(self._trained_widths)}; fit begins anew"
            )
        seed = _seed(self.random_state) + (0 if first else self.n_iter_)
        options = replace(self._options(seed), steps=None, epochs=1, compiled=False)
        rows = replace(rows, stands_for=self._stands_for)
        plan = self._plan(rows, None, options, None if first else self._trained)
        if type(self._optimizer) is type(plan.optimizer):  # its moments go on; its options are those of today
            for group, today in zip(self._optimizer.param_groups, plan.optimizer.param_groups, strict=True):
                group.update({name: value for name, value in today.items() if name != "params"})
            plan.optimizer = self._optimizer
        history = plan.fit(schedule=None)
        self._trained, self._optimizer = plan.network, plan.optimizer
        self._finish(history)

    def _divided(self, rows: _Rows, options: Options) -> tuple[_Rows, _Rows | None]:
        """Rows to train on, and rows whose loss decides when to stop."""
        asked = getattr(self, "early_stopping", False)
        if asked is None:
            asked = validates_unasked(options, len(rows))
        if not asked:
            return rows, None
        if len(rows) < FEWEST_TO_VALIDATE:
            raise ValueError(
                f"early_stopping needs at least {FEWEST_TO_VALIDATE} different rows, got {len(rows)}; leave it at None"
            )
        if round(len(rows) * self.validation_fraction) >= len(rows):
            raise ValueError(f"validation_fraction={self.validation_fraction} leaves no row of {len(rows)} to train on")
        respecting = Respecting(classes=rows.targets) if rows.targets.ndim == 1 else None
        parts = divide(np.arange(len(rows)), self.validation_fraction, options.seed, respecting, VALIDATION)
        return rows.take(parts[0]), rows.take(parts[1])

    @property
    def _task(self) -> Task:
        """The row of the table of tasks."""
        raise NotImplementedError

    @property
    def _classes(self) -> int:
        """How many classes there are; 0 of numbers."""
        raise NotImplementedError

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets in the form that the loss takes."""
        raise NotImplementedError

    def _finish(self, history: History) -> None:
        """Set what a fit leaves."""
        self.history_ = history
        self.n_iter_ += len(np.unique(history.epoch))
        self.loss_curve_ = history.epoch_means()[1].tolist()
        self.loss_ = self.loss_curve_[-1]
        self._inference = copy.deepcopy(self._trained).double().eval()
        if not self._hidden:
            weight, bias = self._inference.state_dict().values()
            weight = np.where(self._scale.constant, 0.0, weight)
            self._set_coefficients(weight, bias - weight @ (self._scale.mean / self._scale.deviation))

    def _set_coefficients(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Keep what a linear model gives for inputs as they come.

        Args:
            weight: of inputs divided by their deviations. bias: with which their means count 0.
        """
        raise NotImplementedError

    def _checked(self, *given: Any, **options: Any) -> Any:
        """X, or X and y, as `validate_data` of scikit-learn gives them, in float64."""
        try:
            return validate_data(self, *given, dtype=np.float64, **options)
        except (TypeError, ValueError) as error:
            if not any(words in str(error) for words in ("could not convert string", "could not be promoted")):
                raise
            first = str(error).partition(". ")[0]
            remedy = (
                "encode texts, categories and dates as numbers (OneHotEncoder in a pipeline), or give the table as it "
                "is to tinygrad_lr.training.train_table"
            )
            raise (ValueError if isinstance(error, ValueError) else TypeError)(f"{first}; {remedy}") from error

    def _outputs(self, X: Any) -> np.ndarray:
        """The outputs of the network for inputs as they come, float64, shape (rows, outputs)."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        with np.errstate(over="ignore", invalid="ignore"):
            return apply_network(self._inference, self._scale(X))

    # --- pickles ------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), VERSION: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        made_by = state.pop(VERSION, "an earlier version")
        if made_by != __version__:
            warnings.warn(
                f"this {type(self).__name__} was pickled by tinygrad_lr {made_by}, and this is {__version__}; what it "
                "predicts may differ, or fail: fit it again",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)


class _Regressor(MultiOutputMixin, RegressorMixin, _Estimator):
    """Trains on numbers, and predicts in their units."""

    loss: str | None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on rows, from the beginning.

        Args:
            X: numbers, shape (rows, features). y: numbers, shape (rows,) or (rows, targets).
            sample_weight: how often each row counts, shape (rows,), at least 0; None: once.

        Returns:
            The estimator.
        """
        self._check()
        made = copy.copy(self)  # a fit that fails leaves the earlier one
        made._fit(X, y, sample_weight)
        self._replace(made)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        rows = self._rows(X, y, sample_weight, reset=True)
        self._scale, self._target = _scale_of_inputs(rows), _scale_of(rows, rows.targets, "y")
        self._train(rows)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Make one pass over rows, at a constant learning rate; the first call decides how values are scaled.

        After `fit` it goes on from there. `set_params(learning_rate=...)` counts from the next call on; another
        optimizer begins without moments.
        """
        self._check()
        first = not hasattr(self, "_trained")
        rows = self._rows(X, y, sample_weight, reset=first)
        if first:
            self._scale = _of_first_rows(_scale_of_inputs(rows))
            self._target = _of_first_rows(_scale_of(rows, rows.targets, "y"))
        elif rows.targets.shape[1] != len(self._target.mean):
            raise ValueError(
                f"y has {rows.targets.shape[1]} targets and had {len(self._target.mean)} in the first call"
            )
        self._pass_over(rows, first)
        return self

    def _rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> _Rows:
        X, y = self._checked(X, y, reset=reset, multi_output=True, y_numeric=True)
        y = np.asarray(y, np.float64)
        if reset:
            self._one_target = y.ndim == 1
        return _canonical(X, y.reshape(len(y), -1), *_weights(sample_weight, X))

    @property
    def _task(self) -> Task:
        return REGRESSION

    @property
    def _classes(self) -> int:
        return 0

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        return self._scale(rows.inputs).astype(np.float32), self._target(rows.targets).astype(np.float32)

    def predict(self, X: Any) -> np.ndarray:
        """Numbers in the target's units, float64, shape (rows,) or (rows, targets) as `y` had it."""
        outputs = self._outputs(X)  # raises where nothing was fitted
        with np.errstate(over="ignore"):
            found = self._target.inverse(outputs)
        return found[:, 0] if self._one_target else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of the predictions, of several targets the mean; also where squares of y are beyond float64."""
        predicted = self.predict(X)
        y = np.asarray(y) if hasattr(y, "__array__") else y
        size = np.frexp(np.max(np.abs(y), initial=0.0))[1] if np.asarray(y).dtype.kind in "fiu" else 0
        if abs(size) > EXTREME:
            y, predicted = np.ldexp(y, -size), np.ldexp(predicted, -size)
        return float(r2_score(y, predicted, sample_weight=sample_weight))


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
        made = copy.copy(self)  # a fit that fails leaves the earlier one
        made._fit(X, y, sample_weight)
        self._replace(made)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        X, y = self._validated(X, y, reset=True)
        weights, count = _weights(sample_weight, X)
        self.classes_ = np.unique(y[weights > 0])
        if len(self.classes_) < 2:
            only = shown(self.classes_.tolist())
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes, got 1 class: {only}")
        rows = self._rows(X, y, weights, count)
        self._scale = _scale_of_inputs(rows)
        self._train(rows)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Make one pass over rows, at a constant learning rate; the first call decides how inputs are scaled.

        Args:
            X, y, sample_weight: see `fit`.
            classes: all classes that will come; needed in the first call.

        After `fit` it goes on from there. `set_params(learning_rate=...)` counts from the next call on; another
        optimizer begins without moments.
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
        rows = self._rows(X, y, *_weights(sample_weight, X))
        if first:
            self._scale = _of_first_rows(_scale_of_inputs(rows))
        self._pass_over(rows, first)
        return self

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        if y is not None:
            self._refuse_no_classes(y)
        X, y = self._checked(X, y, reset=reset)
        check_classification_targets(y)
        return X, column_or_1d(y, warn=True)

    def _refuse_no_classes(self, y: Any) -> None:
        """Raise where scikit-learn's own message would not say what to do."""
        there = np.asarray(y)
        if there.ndim == 2 and there.shape[1] > 1:
            raise ValueError(
                f"y should be a 1d array, got an array of shape {there.shape} instead: a class for each row. For "
                f"several targets there is sklearn.multioutput.MultiOutputClassifier({type(self).__name__}())"
            )
        if there.dtype == object and there.ndim == 1:
            kinds = sorted({type(each).__name__ for each in there.tolist()})
            if "str" in kinds and len(kinds) > 1:
                raise TypeError(
                    f"y must have classes of one type, got {' and '.join(kinds)}; write all as texts, and leave out "
                    "the rows whose class is missing"
                )

    def _rows(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, count: float) -> _Rows:
        """Rows with the numbers of their classes."""
        here = weights > 0
        X, y, weights = X[here], y[here], weights[here]
        place = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        unknown = np.flatnonzero(self.classes_[place] != y)
        if len(unknown):
            raise ValueError(
                f"y holds {shown(y[unknown].tolist()[0])}, which is none of the classes {shown(self.classes_.tolist())}"
            )
        class_weight = self.class_weight
        if class_weight is not None:
            counts = np.bincount(place, weights, minlength=len(self.classes_))
            if class_weight == "balanced":
                each = weights.sum() / (np.count_nonzero(counts) * np.where(counts > 0, counts, 1.0))
            else:
                each = compute_class_weight(class_weight, classes=self.classes_, y=y)
            weights = weights * in_proportion(each)[place]
            if not ((weights >= 0).all() and (weights > 0).any()):
                raise ValueError(f"class_weight must leave weights of at least 0, and some above, got {class_weight!r}")
            weights = in_proportion(weights)
        return _canonical(X, place.astype(np.int64), weights, count)

    @property
    def _task(self) -> Task:
        return TASKS["binary" if len(self.classes_) == 2 else "multiclass"]

    @property
    def _classes(self) -> int:
        return len(self.classes_)

    def _encoded(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        two = len(self.classes_) == 2
        targets = rows.targets.astype(np.float32)[:, None] if two else rows.targets
        return self._scale(rows.inputs).astype(np.float32), targets

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

    A parameter that is None is what `tinygrad-lr train` takes: measured on 27 tables, and said here.

    Args:
        optimizer: a name among `tinygrad_lr.optim.OPTIMIZERS`.
        learning_rate: the highest; None: what suits the optimizer, of adam 0.03.
        schedule: how the rate falls, after a warm-up over a twentieth of the steps: a name such as "cosine",
            "polynomial", "constant". Or a text in steps that says all, such as "warmup(100) then cosine(1900)". None:
            cosine, and constant of the optimizers that need no other.
        loss: "mse", "l1", "huber" or "smooth_l1", on standardised targets.
        steps: how many steps there are, rounded up to whole epochs; None: 2,000, and at least 20 epochs.
        epochs: how many epochs there are, in place of `steps`.
        batch_size: rows in a step; None: 32, and more where there are more than 4,096 rows, up to 256.
        weight_decay: of the optimizer, on standardised inputs; None: the optimizer's own, which is 0 of adam.
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
        optimizer: str | None = "adam",
        learning_rate: float | None = None,
        schedule: str | None = None,
        loss: str | None = "mse",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float | None = None,
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
        with np.errstate(over="ignore"):
            units = np.where(self._target.constant, 0.0, self._target.deviation)
            weight, bias = weight * (units[:, None] / self._scale.deviation), self._target.inverse(bias)
        self.coef_: np.ndarray = weight[0] if self._one_target else weight
        self.intercept_: Any = float(bias[0]) if self._one_target else bias


class LinearClassifier(_Classifier):
    """Logistic regression of two or more classes, trained by an optimizer of tinygrad_lr.

    Args:
        optimizer, learning_rate, schedule, steps, epochs, batch_size, random_state: see `LinearRegressor`.
        weight_decay: of the optimizer, on standardised inputs; None: its own, and where that is 0, 0.001. With 0, the
            weights of classes that can be separated grow for ever.
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
        optimizer: str | None = "adam",
        learning_rate: float | None = None,
        schedule: str | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float | None = None,
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
        with np.errstate(over="ignore"):
            self.coef_, self.intercept_ = weight / self._scale.deviation, bias


class MLPRegressor(_Regressor):
    """Linear layers with ReLU between them, trained by an optimizer of tinygrad_lr.

    Args:
        hidden_layer_sizes: the units of each hidden layer; one whole number is one layer.
        optimizer, schedule, loss, batch_size, random_state: see `LinearRegressor`.
        learning_rate: the highest; None: what suits the optimizer, of adam 0.003.
        steps: how many steps there are, rounded up to whole epochs; None: 2,000, from 30 to 100 epochs, and at least
            500 steps.
        epochs: how many epochs there are, in place of `steps`.
        weight_decay: of the optimizer, on standardised inputs; None: its own, and where that is 0, 3 divided by the
            number of training rows (in `partial_fit`, which does not know it, 0).
        early_stopping: whether a part of the rows is put aside, on which the best epoch is chosen, and training ends
            where the loss of these rows no longer falls; None: from 1,000 rows on, or where `patience` is given.
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
        optimizer: str | None = "adam",
        learning_rate: float | None = None,
        schedule: str | None = None,
        loss: str | None = "mse",
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float | None = None,
        early_stopping: bool | None = None,
        validation_fraction: float = VALIDATED,
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
        hidden_layer_sizes, learning_rate, steps, epochs, weight_decay, early_stopping, validation_fraction, patience:
            see `MLPRegressor`. optimizer, schedule, batch_size, random_state: see `LinearRegressor`.
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
        optimizer: str | None = "adam",
        learning_rate: float | None = None,
        schedule: str | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        weight_decay: float | None = None,
        class_weight: Any = None,
        early_stopping: bool | None = None,
        validation_fraction: float = VALIDATED,
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


def _weights(sample_weight: Any, X: np.ndarray) -> tuple[np.ndarray, float]:
    """The weight of each row, float64, and how many rows they stand for.

    Whole numbers say how often a row is there. Others say only how much it counts beside the others.

    Raises:
        ValueError: not one for each row, negative, not finite, or none above 0.
    """
    weights = np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))
    if not (weights > 0).any():
        raise ValueError("sample_weight is 0 for every row, so there is nothing to train on")
    count = float(weights.sum()) if _are_counts(weights) else float(np.count_nonzero(weights))
    return in_proportion(weights), count


def _seed(random_state: Any) -> int:
    """A seed for one fit: the whole number itself, as `train` takes it."""
    drawing = check_random_state(random_state)
    is_whole = isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool)
    return int(random_state) if is_whole else int(drawing.randint(2**31 - 1))
