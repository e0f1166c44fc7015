"""The table of optimizers: a row for each, readable without NumPy. Tests, documents and the command line ask it.

A row says where the class is, so that a class is imported when it is asked for. `register` adds a row for an optimizer
of your own. All else follows from the row's class (optimizer.py) and from its formula (verify/formulas/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["ENTRY_POINTS", "OPTIMIZERS", "STATE_DTYPES", "Entry", "Table", "imported"]

ENTRY_POINTS = "tinygrad_lr.optimizers"
STATE_DTYPES = ("float32", "bfloat16", "int8")  # in which Adam keeps its moments: short_moments.py


class Entry(NamedTuple):
    """One optimizer.

    Attributes:
        place: "module:Class".
        summary: one line, for people who choose among optimizers.
        formula: "module:NAME" of a `verify.formulas.Family`; empty: verify/formulas/ has one of the optimizer's name.
        family: under which heading lists have it.
        use: when to take it.
        rates: what `train` takes where no rate is given: of linear models, and with hidden layers.
        schedule: and where no schedule is given.
        needs: what its caller gives besides gradients; `train` and a race do not give it.
    """

    place: str
    summary: str
    formula: str = ""
    family: str = "registered by others"
    use: str = ""
    rates: tuple[float, float] = (0.01, 0.003)
    schedule: str = "cosine"
    needs: str = ""


def imported(place: str) -> object:
    """The object that "module:NAME" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Table(Mapping[str, type[Any]]):  # subclasses of Optimizer, whose file asks this table
    """Classes by name. A class is imported when it is asked for.

    Attributes:
        rows: the rows that are known without looking at what is installed.

    Installed distributions may have rows of their own: their entry points in the group "tinygrad_lr.optimizers" name
    modules that call `optim.register`. They are read when a name is not known, or when all names are asked for.
    """

    def __init__(self, rows: Mapping[str, Entry]) -> None:
        self.rows = dict(rows)
        self._has_read = False

    def __getitem__(self, name: str) -> type[Any]:
        if name not in self:
            raise KeyError(name)
        found = imported(self.rows[name].place)
        assert isinstance(found, type), f"{self.rows[name].place} is no class"
        return found

    def __contains__(self, name: object) -> bool:
        if name not in self.rows:
            self.read_entry_points()
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        self.read_entry_points()
        return iter(list(self.rows))

    def __len__(self) -> int:
        self.read_entry_points()
        return len(self.rows)

    def read_entry_points(self) -> None:
        """Import the modules that distributions name, once."""
        if self._has_read:
            return
        self._has_read = True
        from importlib.metadata import entry_points  # takes as long as NumPy, and most processes need it not

        for each in entry_points(group=ENTRY_POINTS):
            each.load()

    def name_of(self, cls: type) -> str | None:
        """The name of a class; None where it has no row, even if it is derived from one that has."""
        place = f"{cls.__module__}:{cls.__qualname__}"
        return next((name for name, row in self.rows.items() if row.place == place), None)

    def register(self, name: str, row: Entry) -> None:
        """See `optim.register`."""
        taken = self.rows.get(name, row)
        if taken != row:
            raise ValueError(f"there is an optimizer {name!r} already, {taken.place}; choose another name")
        for what, text in (("class", row.place), ("formula", row.formula or "none:none")):
            module, _, attribute = text.partition(":")
            if not module or not attribute.isidentifier():
                raise ValueError(f"expected the {what} as 'module:Name', at the top of a module; got {text!r}")
        self.rows[name] = row


DESCENT = "gradient descent"
RATES = "a rate for each element, from its past gradients"
ADAMS = "Adam and its relatives"
CURVATURE = "a rate for each element, from second derivatives"
SIGNS = "steps of one size"
NORMS = "steps as long as the parameter says"
MATRICES = "matrices as wholes"
NO_RATE = "no learning rate to choose"
NO_SCHEDULE = "no schedule to choose"


def _row(file: str, cls: str, family: str, summary: str, use: str, **more: Any) -> Entry:
    return Entry(f"tinygrad_lr.optim.{file}:{cls}", summary, family=family, use=use, **more)


OPTIMIZERS = Table(
    {
        "sgd": _row(
            "sgd",
            "SGD",
            DESCENT,
            "gradient descent, with momentum or Nesterov's momentum",
            "The first choice where a schedule and a rate can be searched for; with momentum 0.9 the usual baseline.",
            rates=(0.01, 0.01),
        ),
        "asgd": _row(
            "asgd",
            "ASGD",
            DESCENT,
            "gradient descent, and the mean of where it was",
            "Noisy gradients of a convex problem: copy the mean `ax` into the parameters at the end.",
            rates=(0.01, 0.01),
        ),
        "optimistic_gd": _row(
            "optimistic",
            "OptimisticGD",
            DESCENT,
            "foresees that the gradient changes as it did",
            "Two players who optimise against each other, where plain descent circles.",
            rates=(0.01, 0.01),
        ),
        "adagrad": _row(
            "adagrad",
            "Adagrad",
            RATES,
            "divides by the root of the sum of all squares",
            "Sparse features: what is rarely seen keeps a large rate. Its rate only falls.",
            rates=(0.1, 0.01),
        ),
        "rmsprop": _row(
            "rmsprop",
            "RMSprop",
            RATES,
            "divides by the root of a moving average of squares",
            "Small batches of a problem that changes; no correction of its start.",
            rates=(0.01, 0.001),
        ),
        "adadelta": _row(
            "adadelta",
            "Adadelta",
            RATES,
            "RMSprop whose rate comes from the steps before",
            "Where no rate is at hand: it makes one, slowly at first, from `eps`.",
            rates=(1.0, 0.3),
        ),
        "rprop": _row(
            "rprop",
            "Rprop",
            RATES,
            "a step size that grows while the sign stays; for whole batches",
            "Whole batches only: a sign from few rows changes by chance. `lr` is only the first step size.",
            rates=(0.01, 0.01),
        ),
        "ftrl": _row(
            "ftrl",
            "Ftrl",
            RATES,
            "the least regularised sum of all gradients; sparse with l1",
            "Online learning of sparse linear models: `l1` sets coefficients to exactly 0.",
            rates=(1.0, 0.01),
            schedule="constant",
        ),
        "madgrad": _row(
            "madgrad",
            "MADGRAD",
            RATES,
            "sums of gradients and squares, under a cube root",
            "Long trainings: theta is made anew from where it began, from sums of all gradients.",
            rates=(0.01, 0.001),
        ),
        "adam": _row(
            "adam",
            "Adam",
            ADAMS,
            "momentum over RMSprop, both corrected for their start",
            "The first choice where nothing is known: scales of gradients do not matter.",
            rates=(0.03, 0.003),
        ),
        "adamw": _row(
            "adam",
            "AdamW",
            ADAMS,
            "Adam with a weight decay that its averages do not see",
            "Adam with weight decay: networks of any size.",
            rates=(0.03, 0.003),
        ),
        "adamax": _row(
            "adamax",
            "Adamax",
            ADAMS,
            "Adam that divides by the largest decayed gradient",
            "Adam with a bound on each step: a spike of the gradient is forgotten at beta2's pace.",
            rates=(0.03, 0.003),
        ),
        "nadam": _row(
            "nadam",
            "NAdam",
            ADAMS,
            "Adam with Nesterov's momentum",
            "Adam whose momentum looks one step ahead.",
            rates=(0.03, 0.003),
        ),
        "radam": _row(
            "radam",
            "RAdam",
            ADAMS,
            "Adam that waits until its second moment can be trusted",
            "Adam without a warm-up: its first steps are those of momentum.",
            rates=(0.03, 0.003),
        ),
        "adabelief": _row(
            "yogi",
            "AdaBelief",
            ADAMS,
            "divides by how far gradients are from their average",
            "Adam where gradients are steady: it then takes larger steps.",
            rates=(0.01, 0.001),
        ),
        "yogi": _row(
            "yogi",
            "Yogi",
            ADAMS,
            "Adam whose second moment falls slowly",
            "Adam where sparse, large gradients make v fall too fast.",
            rates=(0.01, 0.001),
        ),
        "adan": _row(
            "adan",
            "Adan",
            ADAMS,
            "Nesterov's momentum from differences of gradients",
            "Large batches, for which its paper takes larger rates than Adam's.",
            rates=(0.03, 0.001),
        ),
        "ademamix": _row(
            "ademamix",
            "AdEMAMix",
            ADAMS,
            "Adam with a second, slower average",
            "Long trainings: gradients of thousands of steps ago still count.",
            rates=(0.01, 0.001),
        ),
        "simplified_ademamix": _row(
            "ademamix",
            "SimplifiedAdEMAMix",
            ADAMS,
            "one sum of gradients for two averages",
            "AdEMAMix with one average, at the price of a rate far below Adam's.",
            rates=(0.0003, 0.00003),
        ),
        "adopt": _row(
            "adopt",
            "ADOPT",
            ADAMS,
            "Adam that divides by the moment of the steps before",
            "Adam without a condition on beta2, by its paper's proof.",
            rates=(0.03, 0.001),
        ),
        "optimistic_adam": _row(
            "optimistic",
            "OptimisticAdam",
            ADAMS,
            "Adam that foresees its next step",
            "Two players (GANs), with Adam's scaling.",
            rates=(0.03, 0.001),
        ),
        "sophiah": _row(
            "sophiah",
            "SophiaH",
            CURVATURE,
            "momentum over the caller's estimates of the Hessian, clipped",
            "Where the Hessian's diagonal is at hand or cheap to estimate: `update_hessian` takes it.",
            rates=(0.003, 0.001),
            needs="estimates of the Hessian's diagonal",
        ),
        "lion": _row(
            "lion",
            "Lion",
            SIGNS,
            "steps of one size, along the sign of an average of gradients",
            "Half of Adam's memory. Its rate is usually a third to a tenth of Adam's.",
            rates=(0.003, 0.0003),
        ),
        "signsgd": _row(
            "signsgd",
            "SignSGD",
            SIGNS,
            "steps along the sign of the gradient, or of its average",
            "Gradients of which only signs are sent; with `momentum`, Signum.",
            rates=(0.003, 0.001),
        ),
        "lamb": _row(
            "lamb",
            "LAMB",
            NORMS,
            "Adam's direction, as long as a share of the parameter",
            "Large batches: each layer moves by a share of its own length.",
            rates=(0.03, 0.001),
        ),
        "lars": _row(
            "lars",
            "LARS",
            NORMS,
            "momentum, as long as a share of the parameter",
            "Large batches of images, its paper's case; LAMB where Adam would be the choice.",
            rates=(10.0, 10.0),
        ),
        "novograd": _row(
            "novograd",
            "NovoGrad",
            NORMS,
            "momentum of gradients over their layer's norm",
            "Adam with one second moment for a layer: half of its memory.",
            rates=(0.01, 0.003),
        ),
        "fromage": _row(
            "fromage",
            "Fromage",
            NORMS,
            "a step as long as a share of the parameter, and no state",
            "No state, and a rate that means the same in every layer: 0.01 moves it by 1 %.",
            rates=(0.01, 0.01),
        ),
        "muon": _row(
            "muon",
            "Muon",
            MATRICES,
            "momentum of a matrix, orthogonalised; AdamW for all that is no matrix",
            "Hidden layers of large networks: all directions of a matrix move alike. What is no matrix goes to AdamW.",
            rates=(0.03, 0.001),
        ),
        "adafactor": _row(
            "adafactor",
            "Adafactor",
            MATRICES,
            "a second moment for rows and columns alone, steps relative to theta",
            "Memory: almost no state for a matrix; its rate is relative to the size of the parameter.",
            rates=(0.03, 0.03),
        ),
        "sm3": _row(
            "sm3",
            "SM3",
            MATRICES,
            "AdaGrad with sums for rows and columns alone",
            "AdaGrad's sparse features in matrices too large for its state.",
            rates=(0.3, 0.03),
        ),
        "cocob": _row(
            "cocob",
            "COCOB",
            NO_RATE,
            "bets on a coin for each element",
            "No rate at all, on convex problems above all.",
            rates=(1.0, 1.0),
            schedule="constant",
        ),
        "dog": _row(
            "dog",
            "DoG",
            NO_RATE,
            "the distance from the start, over the gradients so far",
            "SGD whose rate is found; convex problems and fine-tuning.",
            rates=(1.0, 1.0),
            schedule="constant",
        ),
        "dowg": _row(
            "dog",
            "DoWG",
            NO_RATE,
            "the same, with gradients weighted by the distance",
            "DoG that follows a distance which grows.",
            rates=(1.0, 1.0),
            schedule="constant",
        ),
        "prodigy": _row(
            "prodigy",
            "Prodigy",
            NO_RATE,
            "Adam whose rate is the distance to the solution",
            "Adam without a search of its rate: leave lr at 1.",
            rates=(1.0, 1.0),
        ),
        "dadapt_adam": _row(
            "prodigy",
            "DAdaptAdam",
            NO_RATE,
            "Adam whose rate is the distance to the solution, a lower bound of it",
            "The method before Prodigy, which finds smaller rates.",
            rates=(1.0, 1.0),
        ),
        "schedule_free_sgd": _row(
            "schedule_free",
            "ScheduleFreeSGD",
            NO_SCHEDULE,
            "SGD, and an average for predictions",
            "Trainings whose end is not known: no schedule; call `eval()` before predictions.",
            rates=(0.1, 0.03),
            schedule="constant",
        ),
        "schedule_free_adamw": _row(
            "schedule_free",
            "ScheduleFreeAdamW",
            NO_SCHEDULE,
            "AdamW, and an average for predictions",
            "The same with AdamW's scaling: `eval()` before predictions, `train()` before steps.",
            rates=(0.03, 0.001),
            schedule="constant",
        ),
    }
)
