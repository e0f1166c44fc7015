"""`train_arrays`: from arrays of inputs and targets to a trained model.

`planned` builds all that `fit` needs, by the options and the number of rows. `Plan.run` trains, and keeps the
parameters of the best epoch where there are validation rows. Tables and scikit-learn's classes are trained by these
two, so that both have one set of defaults. Next: preparing.py, where the arrays of a table come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygrad_lr import backend, cuda, nn, optim, random
from tinygrad_lr.data.batches import DataLoader, TensorDataset
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim.clipping import checked_max_norm
from tinygrad_lr.schedules import Schedule
from tinygrad_lr.suggesting import suggested
from tinygrad_lr.training import fitting
from tinygrad_lr.training.averaging import WeightAveraging
from tinygrad_lr.training.checkpoint import Checkpoint
from tinygrad_lr.training.history import History
from tinygrad_lr.training.stopping import BestParameters, EarlyStopping

from . import models
from .options import Options, as_flag
from .rates import build_schedule
from .tasks import Task, task_of
from .weighting import Weighted, WeightedLoss, mean_weight

__all__ = ["COMPILED_FROM", "Best", "Plan", "Rows", "TrainedArrays", "is_compiled", "planned", "train_arrays"]

OWN_OPTIONS = ("lr", "momentum", "weight_decay", "dialect")  # what --set does not take
COMPILED_FROM = 10_000  # steps: a small model's take a second in Python, and compiling takes three to five, once
# The budget: so many steps, within a range of epochs. In many epochs a network learns a small table by heart.
STEPS, LEAST_EPOCHS = 2_000, 20
LEAST_STEPS_HIDDEN, LEAST_EPOCHS_HIDDEN, MOST_EPOCHS_HIDDEN = 500, 30, 100
PATIENCE, LEAST_PATIENCE = 0.3, 10  # of the epochs; epochs
# Of networks a tenth is put aside, from so many training rows on. Of fewer, what the rows would have taught is worth
# more than the choice of an epoch.
VALIDATED, FROM_ROWS = 0.1, 1_000
FEWEST_TO_VALIDATE = 8  # training rows; of fewer, none is put aside
MOST_MEASURED = 500  # epochs whose last step's norms are measured
AVERAGED = 0.25  # of the epochs, the last ones, whose weights --average takes the mean of
# Of linear models of classes: where classes can be separated, weights grow without an end. Of networks, divided by the
# rows: the fewer there are, the more a network must be held back.
DECAY, DECAY_HIDDEN = 0.001, 3.0
BATCH, MOST_IN_BATCH, BATCHES = 32, 256, 128


@dataclass
class Rows:
    """Encoded rows.

    Attributes:
        inputs: float32, shape (rows, inputs).
        targets: as the task has them; see tasks.py.
        weights: float64, shape (rows,), or None where every row counts 1.
        stands_for: how many rows these are, where equal ones were merged; None: as many as there are.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None
    stands_for: float | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.inputs[rows], self.targets[rows], weights)


@dataclass
class Best:
    """The epoch with the lowest loss of the validation rows.

    Attributes:
        epoch: its number, from 0.
        loss: that loss.
        parameters: the network's after that epoch, by name.
    """

    epoch: int
    loss: float
    parameters: dict[str, np.ndarray]


@dataclass
class TrainedArrays:
    """What `train_arrays` returns.

    Attributes:
        network: the trained model, in evaluation mode. Where there were validation rows it has the parameters of the
            best epoch, with `average` the averaged ones.
        history: a row for each step; `held_out_loss` is that of the rows that were watched.
        best: the best epoch, or None without validation rows.
        last: the parameters after the last step, by name.
        averaged: the averaged parameters, by name, or None.
        diverged: the error that ended the training, or None.
        plan: what was trained.
    """

    network: nn.Module
    history: History
    best: Best | None
    last: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray] | None
    diverged: fitting.Diverged | None
    plan: Plan

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """The network's outputs for encoded inputs, float32, shape (rows, outputs)."""
        return models.apply_network(self.network, inputs, self.plan.options.device)


@dataclass
class Plan:
    """All that `fit` needs, built for some rows."""

    task: Task
    options: Options
    layers: list[int]
    network: nn.Module
    model: nn.Module  # the network, or what passes weights on
    loss: nn.Module
    optimizer: optim.Optimizer
    loader: DataLoader
    watched: TensorDataset | None
    has_validation: bool
    schedule: Schedule
    epochs: int
    patience: int | None
    compiled: bool
    callbacks: list[Any] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many steps the training has at most."""
        return self.epochs * len(self.loader)

    def fit(self, **options: Any) -> History:
        """Call `fit` with all this; other arguments may be given, and override."""
        return fitting.fit(
            self.model,
            self.loss,
            self.optimizer,
            self.loader,
            **{
                "epochs": self.epochs,
                "schedule": self.schedule,
                "held_out": self.watched,
                "compiled": self.compiled,
                "max_norm": self.options.max_norm,
                "progress": False,
                **options,
            },
        )

    def run(
        self,
        progress: bool = False,
        checkpoint: Checkpoint | None = None,
        resume: History | None = None,
        callbacks: list[Any] | None = None,
        norms: bool = False,
    ) -> TrainedArrays:
        """Train to the end, and give the network the parameters that count.

        Args:
            progress, checkpoint, resume, callbacks: as `fit` takes them.
            norms: measure the last steps of at most 500 epochs; a training that goes on has norms if it had them.
        """
        measured = norms if resume is None else resume.has_norms
        best, diverged = BestParameters(restore=False), None
        average = WeightAveraging(self.epochs - max(1, round(self.epochs * AVERAGED)))
        watchers: list[Any] = [average] if self.options.average else []
        if self.has_validation:
            watchers.append(best)
            if self.patience is not None:
                watchers.append(EarlyStopping(self.patience, restore_best=False))
        try:
            history = self.fit(
                progress=progress,
                checkpoint=checkpoint,
                resume=resume,
                callbacks=[*watchers, *(callbacks or [])],
                norms=measured and -(-self.epochs // MOST_MEASURED),
            )
        except fitting.Diverged as error:
            history, diverged = error.history, error
        self.network.eval()
        last = self.network.state_dict()
        found = None
        if best.best_epoch is not None and best.parameters is not None:
            found = Best(best.best_epoch, best.best_loss, self._of_network(best.parameters))
            self.network.load_state_dict(found.parameters)
        averaged = None if average.parameters is None else self._of_network(average.parameters)
        if averaged is not None:
            self.network.load_state_dict(averaged)
        return TrainedArrays(self.network, history, found, last, averaged, diverged, self)

    def _of_network(self, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The network's own parameters, by its own names, among those of the model."""
        if self.model is self.network:
            return dict(parameters)
        return {name.removeprefix("model."): values for name, values in parameters.items()}


def train_arrays(
    inputs: np.ndarray,
    targets: np.ndarray,
    task: str,
    *,
    classes: int = 2,
    weights: np.ndarray | None = None,
    validation: tuple[np.ndarray, ...] | None = None,
    options: Options | None = None,
    network: nn.Module | None = None,
    callbacks: list[Any] | None = None,
) -> TrainedArrays:
    """Train a linear model or a small network on arrays.

    Args:
        inputs: float32, shape (rows, inputs), of similar size: standardise them.
        targets: regression: float32, shape (rows, targets); binary: 0 and 1, float32, shape (rows, 1); multiclass: the
            number of the class, int64, shape (rows,).
        task: "regression", "binary" or "multiclass".
        classes: how many there are, for classification.
        weights: how much each row counts, shape (rows,); None: 1.
        validation: (inputs, targets) or (inputs, targets, weights), on which the best epoch is chosen and the training
            may end early; None: none.
        options: by default `Options.of({})`. Of these, what concerns columns and the division of rows is not used.
        network: a module to train on, in place of a new one.
        callbacks: further callbacks of `fit`.

    Raises:
        ValueError: options that do not fit, weights that are negative or all 0.

    Example:
        >>> inputs = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
        >>> trained = train_arrays(inputs, 3 * inputs + 1, "regression")
        >>> trained.network, len(trained.history)
        (Linear(in_features=1, out_features=1, bias=True), 2000)
        >>> [round(float(each), 3) for each in trained.outputs(np.array([[0.0], [1.0]], np.float32))[:, 0]]
        [1.0, 4.0]
    """
    watched = None if validation is None else Rows(validation[0], validation[1], next(iter(validation[2:]), None))
    chosen = Options.of({}) if options is None else options
    plan = planned(Rows(inputs, targets, weights), task, classes, chosen, watched, network=network)
    return plan.run(callbacks=callbacks)


def planned(
    rows: Rows,
    task: str,
    classes: int,
    options: Options,
    validation: Rows | None = None,
    held_out: Rows | None = None,
    network: nn.Module | None = None,
) -> Plan:
    """Build all that training some rows needs.

    Args:
        rows: to train on.
        validation: rows on which the best epoch is chosen, or None.
        held_out: rows whose loss is measured after each epoch where there are no validation rows; it decides nothing.
        network: a module to train on, in place of a new one.

    Raises:
        ValueError: options that do not fit each other, the task or the rows. RuntimeError: a GPU that is not there.
    """
    row = task_of(task)
    if options.device == "cuda":
        cuda.require()
    layers = [rows.inputs.shape[1], *options.hidden, row.outputs(rows.targets, classes)]
    loss = row.loss(options.loss)
    models.count_parameters(layers, copies=4)  # weights, gradients, and the states of most optimizers
    random.manual_seed(options.seed)
    network = (models.network(layers) if network is None else network).to(options.device)
    weighted = rows.weights is not None
    model = network
    if weighted:
        model, loss = Weighted(network), WeightedLoss(row.loss(options.loss, reduction="none"))
    scale = 1.0 if rows.weights is None else mean_weight(rows.weights)
    watched = validation if validation is not None else held_out
    dataset = dataset_of(rows, scale, weighted, options.device)
    size = options.batch_size or batch_size(len(rows))
    loader = DataLoader(dataset, size, shuffle=True, seed=options.seed)
    epochs = _epochs(options, len(loader))
    per_epoch = len(loader)
    warmup, stable = (
        None if each is None else each * per_epoch for each in (options.warmup_epochs, options.stable_epochs)
    )
    return Plan(
        task=row,
        options=options,
        layers=layers,
        network=network,
        model=model,
        loss=loss,
        optimizer=make_optimizer(options, model, decay=_decay(options, row, rows)),
        loader=loader,
        watched=dataset_of(watched, scale, weighted, options.device) if watched is not None and len(watched) else None,
        has_validation=validation is not None,
        schedule=build_schedule(
            str(options.schedule), epochs * per_epoch, warmup, stable, 1.0 if options.power is None else options.power
        ),
        epochs=epochs,
        patience=_patience(options, epochs) if validation is not None else None,
        compiled=is_compiled(options, epochs * per_epoch),
    )


def dataset_of(rows: Rows, scale: float, weighted: bool, device: str = "cpu") -> TensorDataset:
    """The rows as tensors: (inputs, targets), or where they are weighted (inputs, weights / scale, targets)."""
    parts = [rows.inputs, rows.targets]
    if weighted:
        weights = (np.ones(len(rows)) if rows.weights is None else rows.weights / scale).astype(np.float32)
        parts.insert(1, weights[:, None] if rows.targets.ndim == 2 else weights)
    return TensorDataset(*[Tensor(each, device=device) for each in parts])


def batch_size(rows: int) -> int:
    """Rows in a step: 32, and of many rows the power of two next above a 128th of them, at most 256.

    Example:
        >>> [batch_size(rows) for rows in (50, 4096, 5000, 100_000)]
        [32, 32, 64, 256]
    """
    wanted = 1 << max(0, -(-rows // BATCHES) - 1).bit_length()
    return min(max(BATCH, wanted), MOST_IN_BATCH)


def epochs_needed(per_epoch: int, hidden: bool) -> int:
    """The number of epochs where none is named.

    Args:
        per_epoch: steps in an epoch. hidden: whether the model has hidden layers.

    Example:
        >>> [epochs_needed(steps, hidden=False) for steps in (1, 10, 1000)]
        [2000, 200, 20]
        >>> [epochs_needed(steps, hidden=True) for steps in (1, 10, 50, 1000)]
        [500, 100, 40, 30]
    """
    epochs = -(-STEPS // per_epoch)
    if not hidden:
        return max(epochs, LEAST_EPOCHS)
    most = max(MOST_EPOCHS_HIDDEN, -(-LEAST_STEPS_HIDDEN // per_epoch))
    return min(max(epochs, LEAST_EPOCHS_HIDDEN), most)


def _epochs(options: Options, per_epoch: int) -> int:
    """How many epochs there are at most."""
    if options.epochs is not None:
        epochs = options.epochs
    elif options.steps is not None:
        epochs = -(-options.steps // per_epoch)
    else:
        epochs = epochs_needed(per_epoch, bool(options.hidden))
    if epochs * per_epoch > fitting.MOST_STEPS:
        raise ValueError(
            f"--epochs: {epochs} epochs of {per_epoch} steps are more than {fitting.MOST_STEPS} steps; take fewer"
        )
    return epochs


def _decay(options: Options, task: Task, rows: Rows) -> float:
    """The weight decay where neither the options nor the optimizer's dialect has one."""
    if options.hidden:
        return DECAY_HIDDEN / (len(rows) if rows.stands_for is None else rows.stands_for)
    return DECAY if task.is_classification else 0.0


def validates_unasked(options: Options, rows: int) -> bool:
    """Whether some of so many training rows are put aside where the options say nothing of it."""
    return options.patience is not None or (bool(options.hidden) and rows >= FROM_ROWS)


def _patience(options: Options, epochs: int) -> int | None:
    if options.average:
        return None
    return options.patience or max(LEAST_PATIENCE, round(PATIENCE * epochs))


def is_compiled(options: Options, steps: int) -> bool:
    """Whether a training of so many steps runs as machine code: as asked for, or where it pays.

    Raises:
        ValueError: --compiled with a GPU. RuntimeError: --compiled where nothing is compiled in this process.
    """
    on_cpu = options.device == "cpu"
    if not options.compiled:
        return on_cpu and options.compiled is None and steps >= COMPILED_FROM and backend.compiles()
    if not on_cpu:
        raise ValueError(f"--compiled runs on the CPU, got --device {options.device}; leave one of them out")
    backend.require_compiler()
    return True


def _set(options: Options, kind: Any) -> dict[str, Any]:
    """The hyperparameters that `--set` names."""
    known = [name for name in kind.validators if name not in OWN_OPTIONS]
    for name in options.set:
        if name in OWN_OPTIONS and name in (*kind.validators, "dialect"):
            raise ValueError(f"--set {name}: write {as_flag(name)} {options.set[name]}")
        if name not in known and name not in kind.torch_names:
            said = f"--set {name}: {options.optimizer} has no hyperparameter {name!r}; it has {', '.join(known)}"
            raise ValueError(suggested(said, name, known))
    return options.set


def make_optimizer(options: Options, model: nn.Module, decay: float = 0.0) -> optim.Optimizer:
    """The optimizer that the options name, over the model's parameters.

    Args:
        decay: the weight decay where the options name none and the optimizer's own default is 0.
    """
    kind: Any = optim.OPTIMIZERS[options.optimizer]
    given = {"momentum": options.momentum, "weight_decay": options.weight_decay}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen:
        if name not in kind.validators:
            raise ValueError(f"--{name.replace('_', '-')} is no option of {options.optimizer}")
    chosen |= _set(options, kind)
    if options.max_norm is not None:
        checked_max_norm(options.max_norm)
    try:
        found: optim.Optimizer = kind(model.parameters(), lr=options.lr, dialect=options.dialect, **chosen)
    except TypeError as error:
        if not options.set:
            raise
        raise ValueError(f"{options.optimizer}: {error}") from None
    if decay and "weight_decay" not in chosen and found.defaults.get("weight_decay") == 0:
        return make_optimizer(replace(options, weight_decay=decay), model)
    return found
