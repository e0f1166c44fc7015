"""`Options`: everything that a training of a table can be asked for, in one list with defaults, checks and help.

The command line makes its arguments of the fields, and Python takes them as keyword arguments, so both check the same
and say the same. `checked` looks at each value, `complete` at what does not belong together. Next: tasks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.schedules.table import for_training, is_text
from tinygrad_lr.suggesting import meant

from .kinds import (
    AnyTable,
    Choice,
    ClassWeights,
    Flag,
    Hyperparameters,
    Kind,
    Name,
    Names,
    Number,
    Text,
    Texts,
    Whole,
    Widths,
)

__all__ = ["BELONGS_TO", "GROUPS", "Option", "Options", "as_flag", "known_options"]

# Options that only one schedule has, and the schedule.
BELONGS_TO = {option: name for name, row in for_training().items() for option in row.options}
DATA, READING, MODEL, RATE, TRAINING = "data", "reading", "model", "optimizer and learning rate", "training"
GROUPS = (DATA, READING, MODEL, RATE, TRAINING)
TASK_NAMES = ("regression", "classification", "binary", "multiclass")
LOSS_NAMES = ("mse", "l1", "huber", "smooth_l1", "cross_entropy")


@dataclass(frozen=True)
class Option:
    """What is known of an option besides its name and default: its kind, its group and text in `--help`."""

    kind: Kind
    group: str
    metavar: str | None
    help: str


def _option(kind: Kind, group: str, default: Any, metavar: str | None, help: str) -> Any:
    about = {"option": Option(kind, group, metavar, help)}
    if isinstance(default, (list, dict)):
        return field(default_factory=default.copy, metadata=about)
    return field(default=default, metadata=about)


class OptimizerName(Kind):
    """The name of a row of the table of optimizers."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that there are now."""
        return tuple(OPTIMIZERS)

    def checked(self, value: Any) -> str:
        return Choice(self.choices).checked(value)


class ScheduleText(Kind):
    """The name of a schedule from which a training can be built, or the text of one in steps (schedules/text.py)."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that there are now."""
        return tuple(for_training())

    def checked(self, value: Any) -> str:
        if isinstance(value, str) and is_text(value):
            from tinygrad_lr.schedules import from_text

            from_text(value)
            return value
        return Choice(self.choices).checked(value)


@dataclass
class Options:
    """What a training of a table is asked for. None stands for a default that depends on others, or on the table."""

    # --- data
    target: list[str] = _option(
        Names(), DATA, [], "COLUMNS", "the column to predict, or several with commas between; required with a table"
    )
    task: str | None = _option(
        Choice(TASK_NAMES), DATA, None, None, "what the target is (default: found from the target, and said)"
    )
    categorical: list[str] = _option(
        Names(), DATA, [], "COLUMNS", "columns of numbers that are categories, with commas between"
    )
    numeric: list[str] = _option(
        Names(), DATA, [], "COLUMNS", "columns of numbers to keep although they seem to number the rows"
    )
    ignore: list[str] = _option(Names(), DATA, [], "COLUMNS", "columns to leave out, with commas between")
    weights: str | None = _option(
        Name(), DATA, None, "COLUMN", "how much each row counts, in training, in metrics and in baselines"
    )
    class_weights: str | dict[str, float] | None = _option(
        ClassWeights(), DATA, None, "balanced|A=2,B=1", "how much each class counts in training"
    )
    held_out: float | None = _option(
        Number(0, 1, "below"),
        DATA,
        None,
        "FRACTION",
        "rows kept away from training, to measure on (default: 0.3; 0 with --test or --folds)",
    )
    test: Any = _option(AnyTable(), DATA, None, "TABLE", "a table of its own to measure on")
    folds: int | None = _option(
        Whole(2), DATA, None, "K", "also train K times, each time measuring on another K-th of the rows"
    )
    split_by: str | None = _option(
        Name(), DATA, None, "COLUMN", "rows with one value of this column stay together on one side of every division"
    )
    time: str | None = _option(
        Name(), DATA, None, "COLUMN", "rows to measure on are later than those to train on, by this column"
    )
    missing: str = _option(
        Choice(("impute", "error")),
        DATA,
        "impute",
        None,
        "what a missing value becomes: impute, the mean or a kind of its own; error, the first one is refused "
        "(default: impute)",
    )
    # --- how the table is read
    delimiter: str | None = _option(
        Text(blank=True), READING, None, None, "what separates fields (default: found from the first lines)"
    )
    encoding: str | None = _option(Text(), READING, None, "NAME", "of the text (default: UTF-8)")
    decimal: str | None = _option(
        Choice((".", ",")), READING, None, None, "the decimal mark of numbers that can be read in two ways"
    )
    dates: str | None = _option(
        Choice(("d/m/y", "m/d/y")), READING, None, None, "how dates that can be read in two ways are written"
    )
    na_values: list[str] = _option(
        Texts(),
        READING,
        [],
        "TEXTS",
        "further texts that stand for a missing value, with commas between (always: NA, nan, null, None and such)",
    )
    keep_na: bool = _option(
        Flag(), READING, False, None, "take NA, null, None and such as texts; an empty cell stays missing"
    )
    no_header: bool = _option(Flag(), READING, False, None, "the first line is a row, and names no columns")
    sheet: str | None = _option(Text(), READING, None, "NAME", "of an Excel file (default: the first)")
    # --- model
    hidden: list[int] = _option(
        Widths(), MODEL, [], "32,16", "units of hidden layers, with ReLU between (default: none, a linear model)"
    )
    loss: str | None = _option(
        Choice(LOSS_NAMES), MODEL, None, None, "what is made small (default: mse, or cross_entropy of classes)"
    )
    device: str = _option(Choice(("cpu", "cuda")), MODEL, "cpu", None, "where to compute (default: cpu)")
    # --- optimizer and learning rate
    optimizer: str = _option(OptimizerName(), RATE, "adam", "NAME", "the update rule (default: adam)")
    dialect: str | None = _option(
        Text(),
        RATE,
        None,
        "NAME",
        "whose formulas and defaults, where implementations differ (default: the first that `tinygrad-lr explain "
        "OPTIMIZER` lists)",
    )
    lr: float | None = _option(
        Number(0),
        RATE,
        None,
        "RATE",
        "base learning rate (default: what suits the optimizer, of adam 0.03, and 0.003 with hidden layers)",
    )
    momentum: float | None = _option(
        Number(0), RATE, None, "MU", "of the optimizers that have one (default: the dialect's)"
    )
    weight_decay: float | None = _option(
        Number(0),
        RATE,
        None,
        "LAMBDA",
        "(default: the dialect's, and where that is 0: with hidden layers 3 divided by the training rows, 0.001 of "
        "linear models of classes)",
    )
    set: dict[str, Any] = _option(
        Hyperparameters(),
        RATE,
        {},
        "NAME=VALUE",
        "any other hyperparameter of the optimizer, such as betas=0.9,0.95; --set may be there several times",
    )
    max_norm: float | None = _option(
        Number(0),
        RATE,
        None,
        "NORM",
        "clip the gradients of each step by their norm over all parameters (default: no clipping)",
    )
    schedule: str | None = _option(
        ScheduleText(),
        RATE,
        None,
        None,
        "what follows the warm-up (default: cosine; constant of optimizers that need no other); or all of it as a "
        "text, in steps: 'warmup(100) then cosine(1900)'",
    )
    power: float | None = _option(Number(0), RATE, None, None, "of the polynomial (default: 1)")
    warmup_epochs: int | None = _option(
        Whole(0), RATE, None, "N", "epochs of linear warm-up (default: a twentieth of the steps)"
    )
    stable_epochs: int | None = _option(
        Whole(0), RATE, None, "N", "epochs of wsd at the full rate (default: half of the steps after the warm-up)"
    )
    # --- training
    steps: int | None = _option(
        Whole(1),
        TRAINING,
        None,
        "N",
        "how many steps to make, rounded up to whole epochs (default: 2000, and at least 20 epochs; with hidden "
        "layers 2000, but from 30 to 100 epochs and at least 500 steps)",
    )
    epochs: int | None = _option(Whole(1), TRAINING, None, "N", "passes over the training rows, in place of --steps")
    batch_size: int | None = _option(
        Whole(1),
        TRAINING,
        None,
        "N",
        "rows in a step (default: 32; of 4,096 rows and more a 128th of them, rounded up to a power of two, at most "
        "256)",
    )
    validation: float | None = _option(
        Number(0, 1, "below"),
        TRAINING,
        None,
        "FRACTION",
        "training rows on which the best epoch is chosen (default: 0; with hidden layers and at least 1,000 training "
        "rows, or with --patience, 0.1)",
    )
    patience: int | None = _option(
        Whole(1),
        TRAINING,
        None,
        "N",
        "epochs without a lower loss of the validation rows that end the training (default: three tenths of the "
        "epochs, at least 10)",
    )
    average: bool = _option(
        Flag(), TRAINING, False, None, "predict with the mean of the weights of the last quarter of the epochs"
    )
    seed: int = _option(Whole(0), TRAINING, 0, "N", "of first weights, order and held-out rows (default: 0)")
    compiled: bool | None = _option(Flag(), TRAINING, None, None, "whether whole epochs run as machine code")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Options from values by name, each of them checked, and completed.

        Raises:
            TypeError: a name that is no option. ValueError: a value that an option does not take.
        """
        known = known_options()
        for name in given:
            if name not in known:
                hint = meant(name, known, f"there are {', '.join(known)}", most=3)
                raise TypeError(f"no option is called {name!r}; {hint}")
        found = cls(**{name: _checked(name, known[name].kind, value) for name, value in given.items()})
        found.complete()
        return found

    def complete(self) -> None:
        """Fill in the defaults that depend on other options, and refuse what does not belong together.

        Raises:
            ValueError: options that contradict each other.
        """
        row = OPTIMIZERS.rows[self.optimizer]
        if self.schedule is None:
            self.schedule = row.schedule
        if self.warmup_epochs is not None and is_text(self.schedule):
            raise ValueError(
                f"--warmup-epochs has no effect beside --schedule {self.schedule!r}, whose text says all; leave it out"
            )
        for name, schedule in BELONGS_TO.items():
            if getattr(self, name) is not None and self.schedule != schedule:
                raise ValueError(f"{as_flag(name)} belongs to --schedule {schedule}, not to {self.schedule}")
        dialects = tuple(OPTIMIZERS[self.optimizer].dialects)
        if self.dialect is None:
            self.dialect = dialects[0]
        if self.dialect not in dialects:
            raise ValueError(
                f"--dialect: {self.optimizer} has the dialects {', '.join(dialects)}; got {self.dialect!r}"
            )
        if self.max_norm is not None and not self.max_norm > 0:
            raise ValueError(f"--max-norm must be above 0, got {self.max_norm:g}")
        for one, other in CONTRADICT:
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"{as_flag(one)} and {as_flag(other)} contradict each other; leave one of them out")
        if len(set(self.target)) < len(self.target):
            raise ValueError(f"--target: a column is there twice, got {','.join(map(str, self.target))}")
        self._refuse_roles()
        if self.class_weights is not None and self.task == "regression":
            raise ValueError("--class-weights belongs to classification, not to --task regression; leave one out")
        if self.lr is None:
            self.lr = row.rates[1 if self.hidden else 0]
        if self.power is None:
            self.power = 1.0
        if self.validation is None and not self.hidden and self.patience is None:
            self.validation = 0.0  # else it depends on the number of rows
        if self.patience is not None and self.validation == 0:
            raise ValueError(
                "--patience needs validation rows, on which the loss is watched, and --validation 0 leaves none; leave "
                "one of them out"
            )
        if self.average and self.patience is not None:
            raise ValueError(
                "--average takes the mean of the last quarter of the epochs, before which --patience may end the "
                "training; leave one of them out"
            )
        if self.test is not None and self.held_out:
            raise ValueError(
                "--held-out and --test contradict each other: the table of --test is what is measured on; leave one out"
            )
        if self.held_out is None:
            self.held_out = 0.3 if self.folds is None and self.test is None else 0.0

    def columns_of(self, name: str) -> list[str]:
        """The columns that an option names."""
        value = getattr(self, name)
        return value if isinstance(value, list) else [] if value is None else [value]

    def _refuse_roles(self) -> None:
        """Raise where two options name a column, and one of them would have no effect."""
        for option, others in NOT_BESIDE.items():
            for other, why in others.items():
                for name in self.columns_of(option):
                    if name in self.columns_of(other):
                        raise ValueError(
                            f"{as_flag(option)} {name}: {why} ({as_flag(other)}); leave {name!r} out of one of them"
                        )
        divides = self.held_out != 0 or self.folds is not None or self.test is not None or self.validation
        for name in ("split_by", "time"):
            if getattr(self, name) is not None and not divides and self.patience is None:
                raise ValueError(
                    f"{as_flag(name)} says how rows are divided, and with --held-out 0 none are; leave one of them out"
                )


# Options that name columns -> others beside which they cannot name the same one, and why.
NOT_BESIDE = {
    "ignore": {"target": "the target cannot be ignored"},
    "categorical": {
        "target": "the target is what --task says",
        "ignore": "a column that is ignored is no input",
        "numeric": "a column is either categories or numbers",
        "weights": "weights are no input",
        "split_by": "groups are no input",
    },
    "numeric": {
        "target": "the target is what --task says",
        "ignore": "a column that is ignored is no input",
        "weights": "weights are no input",
        "split_by": "groups are no input",
    },
    "weights": {"target": "the target cannot be weights"},
    "split_by": {"target": "the target cannot be groups"},
}
CONTRADICT = (("epochs", "steps"), ("split_by", "time"))


def known_options() -> dict[str, Option]:
    """Every option by its name."""
    return {each.name: each.metadata["option"] for each in fields(Options)}


def as_flag(name: str) -> str:
    """How the command line writes an option.

    Example:
        >>> as_flag("batch_size")
        '--batch-size'
    """
    return f"--{name.replace('_', '-')}"


def _checked(name: str, kind: Kind, value: Any) -> Any:
    """A value from Python, which may be None where the default is."""
    if value is None:
        (own,) = (each for each in fields(Options) if each.name == name)
        make: Callable[[], Any] = own.default_factory if callable(own.default_factory) else lambda: own.default  # type: ignore[assignment]
        return make()
    try:
        return kind.checked(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
