"""The packages and the optimizers that the audit examines, and what each claims to compute. The schedules stand in
schedule_rows.py. Next: running.py.

Adding an optimizer is adding a `Row` to its package. A row says where the optimizer is, the formula and dialect that it
claims, and how the package calls what the formula calls otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .schedule_rows import (
    KERAS_SCHEDULES,
    MADE,
    OPTAX_SCHEDULES,
    TIMM_SCHEDULES,
    TORCH_SCHEDULES,
    TRANSFORMERS_SCHEDULES,
    ScheduleRow,
)

TORCH, TORCH_WITH_VISION = "torch==2.13.0", "torch==2.14.1"
DECOUPLED = "decoupled_weight_decay"


@dataclass(frozen=True)
class Row:
    """One optimizer and its claim.

    Attributes:
        target: "module:Name", or "subjects:library.Name" where subjects.py adapts the library.
        formula, dialect, settings: the claim, as `verify.spec` takes it.
        fixed: arguments that only the package knows, with which every one is built.
        names: the formula's name of a hyperparameter -> the package's argument; None: it has none.
        without: hyperparameters of the formula that are not passed.
        state_names: the formula's name of a state -> the package's.
        mode: the method to call before training, as `train`; "": none.
        elementwise, coupled: traits of the rule, where the formula does not say them.
        dimensions: how many dimensions its parameters must have at least.
        note: what the reader of the claim must know.
        scalars: the dtype in which the library computes numbers such as 1 - beta^t, to whose roundings it is held.
    """

    target: str
    formula: str
    dialect: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    state_names: Mapping[str, str | None] = field(default_factory=dict)
    mode: str = ""
    elementwise: bool | None = None
    coupled: bool | None = None
    dimensions: int = 0
    note: str = ""
    scalars: str = "float64"

    @property
    def title(self) -> str:
        """Its name, and what is fixed or set.

        Example:
            >>> Row("torch.optim:SGD", "sgd", "torch", {"momentum": 0.9}).title
            'SGD(momentum=0.9)'
        """
        said = ", ".join(f"{key}={value}" for key, value in {**self.settings, **self.fixed}.items())
        return f"{self.name}({said})" if said else self.name

    @property
    def name(self) -> str:
        """The optimizer's own name.

        Example:
            >>> Row("subjects:sklearn.AdamOptimizer", "adam").name, Row("optax:contrib.dog", "dog").name
            ('AdamOptimizer', 'contrib.dog')
        """
        if self.target.startswith("subjects:"):
            return self.target.replace(":", ".").rpartition(".")[2]
        return self.target.partition(":")[2]


AnyRow = Row | ScheduleRow


@dataclass(frozen=True, eq=False)
class Package:
    """A package of the registry.

    Attributes:
        name: as the registry has it.
        library: whose interface its optimizers have: "torch", "optax", "keras" or "numpy".
        rows: its optimizers and schedules.
        requires: what must be installed beside it, which it does not ask for itself.
        before: a statement that runs before an optimizer is built.
        unasked: installed without what it asks for, where that contradicts what the kit needs.
    """

    name: str
    library: str
    rows: tuple[AnyRow, ...]
    requires: tuple[str, ...] = (TORCH,)
    before: str = ""
    unasked: bool = False


def _row(target: str, formula: str, dialect: str | None = None, **more: Any) -> Row:
    return Row(target, formula, dialect, **more)


def _torch() -> tuple[Row, ...]:
    """The class, the formula, settings, and the forms in which those settings are asked besides the default one."""
    both, one = ("foreach", "fused"), ("foreach",)
    plain: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
        ("SGD", "sgd", {}, ()),
        ("SGD", "sgd", {"momentum": 0.9}, both),
        ("SGD", "sgd", {"momentum": 0.9, "nesterov": True}, ()),
        ("SGD", "sgd", {"momentum": 0.9, "dampening": 0.5}, ()),
        ("Adagrad", "adagrad", {}, both),
        ("RMSprop", "rmsprop", {}, one),
        ("RMSprop", "rmsprop", {"momentum": 0.9}, ()),
        ("RMSprop", "rmsprop", {"centered": True}, ()),
        ("Adam", "adam", {}, both),
        ("Adam", "adam", {"amsgrad": True}, ()),
        ("AdamW", "adamw", {}, both),
        ("AdamW", "adamw", {"amsgrad": True}, ()),
        ("Adadelta", "adadelta", {}, one),
        ("Adamax", "adamax", {}, one),
        ("NAdam", "nadam", {}, one),
        ("NAdam", "nadam", {"weight_decay": 0.1, DECOUPLED: True}, ()),
        ("RAdam", "radam", {}, one),
        ("RAdam", "radam", {"weight_decay": 0.1, DECOUPLED: True}, ()),
        ("Rprop", "rprop", {}, one),
        ("ASGD", "asgd", {}, one),
        ("Adafactor", "adafactor", {}, ()),
        ("Muon", "muon", {}, ()),
    ]
    narrow = ("NAdam", "ASGD")  # the product of the momenta, and the rate, are float32 tensors
    return tuple(
        _row(
            f"torch.optim:{name}",
            formula,
            "torch",
            settings=settings,
            fixed=fixed,
            scalars="float32" if name in narrow else "float64",
        )
        for name, formula, settings, forms in plain
        for fixed in ({}, *({form: True} for form in forms))
    )


def _optax() -> tuple[Row, ...]:
    momentum, centred = {"momentum": 0.9}, {"centered": True}
    decoupled = {"weight_decay": 0.1, DECOUPLED: True}
    plain: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("sgd", "sgd", momentum, {}),
        ("sgd", "sgd", {**momentum, "nesterov": True}, {}),
        ("adagrad", "adagrad", {}, {}),
        ("rmsprop", "rmsprop", {}, {}),
        ("rmsprop", "rmsprop", centred, {}),
        ("adam", "adam", {}, {}),
        ("amsgrad", "adam", {"amsgrad": True}, {}),
        ("adamw", "adamw", {}, {}),
        ("adadelta", "adadelta", {}, {}),
        ("adamax", "adamax", {}, {}),
        ("adamaxw", "adamax", decoupled, {}),
        ("nadam", "nadam", {}, {}),
        ("nadamw", "nadam", decoupled, {}),
        ("radam", "radam", {}, {}),
        ("rprop", "rprop", {}, {}),
        ("adan", "adan", {}, {}),
        ("lion", "lion", {}, {}),
        ("yogi", "yogi", {}, {}),
        ("adabelief", "adabelief", {}, {}),
        ("lamb", "lamb", {}, {}),
        ("lars", "lars", {}, {}),
        ("sign_sgd", "signsgd", {}, {}),
        ("signum", "signsgd", momentum, {}),
        ("adafactor", "adafactor", {}, {"min_dim_size_to_factor": 1}),
        ("novograd", "novograd", {}, {}),
        ("fromage", "fromage", {}, {}),
        ("optimistic_gradient_descent", "optimistic_gd", {}, {}),
        ("optimistic_adam_v2", "optimistic_adam", {}, {"nesterov": False}),
        ("contrib.ademamix", "ademamix", {}, {}),
        ("contrib.simplified_ademamix", "simplified_ademamix", {}, {}),
        ("contrib.prodigy", "prodigy", {}, {}),
        ("contrib.schedule_free_sgd", "schedule_free_sgd", {}, {}),
        ("contrib.schedule_free_adamw", "schedule_free_adamw", {}, {}),
        ("contrib.adopt", "adopt", {}, {}),
        ("contrib.cocob", "cocob", {}, {}),
        ("contrib.dog", "dog", {}, {}),
        ("contrib.dowg", "dowg", {}, {}),
        ("contrib.madgrad", "madgrad", {}, {}),
        ("contrib.muon", "muon", {}, {"jit": True}),
    ]
    rows = [
        _row(f"optax:{name}", formula, "optax", settings=settings, fixed=fixed, scalars="float32")
        for name, formula, settings, fixed in plain
    ]
    return (*rows, _row("optax:sm3", "sm3", "optax", dimensions=1, scalars="float32"))


def _keras() -> tuple[Row, ...]:
    plain: list[tuple[str, str, dict[str, Any]]] = [
        ("SGD", "sgd", {"momentum": 0.9}),
        ("SGD", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("Adagrad", "adagrad", {}),
        ("RMSprop", "rmsprop", {}),
        ("RMSprop", "rmsprop", {"centered": True}),
        ("Adam", "adam", {}),
        ("Adam", "adam", {"amsgrad": True}),
        ("AdamW", "adamw", {}),
        ("Adadelta", "adadelta", {}),
        ("Adamax", "adamax", {}),
        ("Nadam", "nadam", {}),
        ("Lion", "lion", {}),
        ("Lamb", "lamb", {}),
        ("Adafactor", "adafactor", {}),
        ("Ftrl", "ftrl", {}),
        ("Muon", "muon", {}),
        ("ScheduleFreeAdamW", "schedule_free_adamw", {}),
    ]
    return tuple(
        _row(f"keras.optimizers:{name}", formula, "keras", settings=settings, scalars="float32")
        for name, formula, settings in plain
    )


# How packages call what the formulas call otherwise.
RELATIVE = {"lr": None, "relative_step": None, "beta2_decay": "decay_rate"}
"""transformers' Adafactor and its copies: with a relative step there is no rate to give."""


SGD_BELOW = "parameters of less than two dimensions follow SGD, as documented"
SGD_WITHOUT_DECAY = "without weight decay it is SGD, as documented"


def _one_epsilon(value: float) -> dict[str, Any]:
    """AdaBelief's two epsilons are one argument, as in the paper, and keep its default."""
    return {"settings": {"eps": value, "eps_root": value}, "names": {"eps": None}}


def _complement(betas: tuple[float, ...]) -> dict[str, Any]:
    """adan-pytorch's betas are one minus the paper's."""
    return {"betas": tuple(1 - beta for beta in betas)}


def _third_apart(betas: tuple[float, float, float]) -> dict[str, Any]:
    """The third beta as an argument of its own."""
    return {"betas": betas[:2], "beta3": betas[2]}


def _pytorch_optimizer() -> tuple[Row, ...]:
    at, decoupled = "pytorch_optimizer:", {DECOUPLED: True}
    normal = {"weight_decouple": True}
    return (
        _row(at + "ADOPT", "adopt", "paper"),
        _row(at + "AdEMAMix", "ademamix", "paper", fixed=normal),
        _row(at + "AdaBelief", "adabelief", "paper", **_one_epsilon(1e-16), fixed={"rectify": False}),
        _row(at + "AdaBound", "adabound", "pytorch_optimizer", names={"amsbound": "ams_bound"}),
        _row(at + "AdaDelta", "adadelta", "torch"),
        _row(
            at + "AdaFactor",
            "adafactor",
            "transformers",
            fixed={"betas": (None, 0.999), "lr": None},
            names={**RELATIVE, "epsilons": ("eps1", "eps2")},
        ),
        _row(at + "AdaMax", "adamax", "torch"),
        _row(at + "AdaMod", "adamod", "authors"),
        _row(at + "AdaNorm", "adamnorm", "pytorch_optimizer", names={"gamma": "r"}),
        _row(at + "AdamP", "adamp", "authors", settings={"eps_placement": "hat"}),
        _row(at + "Adan", "adan", "authors", fixed={"weight_decouple": False}),
        _row(at + "AggMo", "aggmo", "paper"),
        _row(at + "CAME", "came", "paper", names={"epsilons": ("eps1", "eps2")}),
        _row(at + "DAdaptAdaGrad", "dadapt_adagrad", "paper", without=("growth_rate",)),
        _row(at + "DAdaptAdam", "dadapt_adam", "authors", without=("growth_rate",)),
        _row(at + "DAdaptSGD", "dadapt_sgd", "paper", without=("growth_rate",)),
        _row(at + "DiffGrad", "diffgrad", "pytorch_optimizer", fixed={"rectify": False}),
        _row(
            at + "FTRL", "ftrl", "paper", settings={"sigma_form": "roots"}, names={"l1": "lambda_1", "l2": "lambda_2"}
        ),
        _row(at + "Fromage", "fromage", "paper"),
        _row(at + "Grams", "grams", "paper"),
        _row(
            at + "LARS",
            "lars",
            "paper",
            settings={"trust_form": "library", "lr_placement": "outside"},
            dimensions=2,
            note=SGD_BELOW,
        ),
        _row(at + "Lamb", "lamb", "paper", fixed={"max_grad_norm": 0.0, "weight_decouple": False}),
        _row(at + "LaProp", "laprop", "pytorch_optimizer"),
        _row(at + "Lion", "lion", "paper"),
        _row(at + "MADGRAD", "madgrad", "paper", settings={"eps_in_rate": True}),
        _row(at + "MARS", "mars", "pytorch_optimizer", fixed={"optimize_1d": True}),
        _row(at + "Muon", "muon", "paper", without=("eps",), dimensions=2),
        _row(at + "NovoGrad", "novograd", "paper", fixed={"grad_averaging": False}),
        _row(at + "PID", "pid", "paper"),
        _row(at + "PNM", "pnm", "paper"),
        _row(at + "Prodigy", "prodigy", "authors"),
        _row(at + "QHAdam", "qhadam", "paper"),
        _row(at + "QHM", "qhm", "paper"),
        _row(at + "RAdam", "radam", "torch"),
        _row(
            at + "Ranger",
            "ranger",
            "paper",
            names={"update_period": "k", "centralise": "use_gc", "threshold": "n_sma_threshold"},
        ),
        _row(at + "SGDP", "sgdp", "authors", settings={"momentum": 0.9}),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, **decoupled}),
        _row(
            at + "SOAP",
            "soap",
            "authors",
            settings={"shampoo_beta": 0.95},
            names={"update_period": "precondition_frequency", "bias_correction": "correct_bias"},
        ),
        _row(at + "SM3", "sm3", "paper", fixed={"beta": 0.0}, settings={"eps": 1e-30}),
        _row(at + "ScheduleFreeAdamW", "schedule_free_adamw", "pytorch_optimizer", mode="train"),
        _row(at + "ScheduleFreeSGD", "schedule_free_sgd", "authors", names={"beta": "momentum"}, mode="train"),
        _row(at + "SignSGD", "signsgd", "paper", settings={"momentum": 0.9}),
        _row(at + "SimplifiedAdEMAMix", "simplified_ademamix", "paper", fixed=normal),
        _row(at + "StableAdamW", "stable_adamw", "paper", fixed={"kahan_sum": False}),
        _row(at + "Tiger", "signsgd", "paper", settings={"momentum": 0.965, **decoupled}, names={"momentum": "beta"}),
        _row(at + "Yogi", "yogi", "paper", names={"initial_accumulator_value": "initial_accumulator"}),
    )


def _torch_optimizer() -> tuple[Row, ...]:
    at = "torch_optimizer:"
    ranger = {"update_period": "k", "threshold": "N_sma_threshhold", "centralise": None}
    return (
        _row(at + "AdaBelief", "adabelief", "paper", **_one_epsilon(1e-8)),
        _row(at + "AdaBound", "adabound", "authors"),
        _row(at + "AdaMod", "adamod", "authors", names={"betas": _third_apart}),
        _row(at + "Adafactor", "adafactor", "transformers", fixed={"lr": None}, names={**RELATIVE, "epsilons": "eps2"}),
        _row(at + "AdamP", "adamp", "paper"),
        _row(at + "AggMo", "aggmo", "paper"),
        _row(at + "DiffGrad", "diffgrad", "authors"),
        _row(at + "LARS", "lars", "torch_optimizer", note=SGD_WITHOUT_DECAY),
        _row(at + "Lamb", "lamb", "torch_optimizer"),
        _row(at + "Lamb", "lamb", "paper", fixed={"debias": True, "clamp_value": 1e30}),
        _row(at + "MADGRAD", "madgrad", "paper", settings={"eps_in_rate": True}),
        _row(at + "NovoGrad", "novograd", "paper"),
        _row(at + "PID", "pid", "paper"),
        _row(at + "QHAdam", "qhadam", "paper", names={DECOUPLED: "decouple_weight_decay"}),
        _row(at + "QHM", "qhm", "paper"),
        _row(at + "RAdam", "radam", "torch", settings={DECOUPLED: True}),
        _row(at + "Ranger", "ranger", "paper", settings={"centralise": False}, names=ranger),
        _row(at + "SGDP", "sgdp", "paper"),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}),
        _row(at + "Yogi", "yogi", "optax", names={"initial_accumulator_value": "initial_accumulator"}),
    )


def _timm() -> tuple[Row, ...]:
    at = "timm.optim:"
    cautious = {"caution": True}
    return (
        _row(at + "AdaBelief", "adabelief", "paper", **_one_epsilon(1e-16), fixed={"rectify": False}),
        _row(
            at + "Adafactor",
            "adafactor",
            "timm",
            fixed={"lr": None, "min_dim_size_to_factor": 1},
            without=("epsilons",),
            names=RELATIVE,
        ),
        _row(at + "AdamP", "adamp", "authors"),
        _row(at + "AdamWLegacy", "adamw", "torch"),
        _row(at + "AdamWLegacy", "cautious_adamw", "authors", fixed=cautious),
        _row(at + "Adan", "adan", "authors"),
        _row(at + "Adopt", "adopt", "paper", fixed={"clip_exp": 0.25}),
        _row(at + "LaProp", "laprop", "authors"),
        _row(at + "Lamb", "lamb", "timm", fixed={"max_grad_norm": None}),
        _row(at + "Lars", "lars", "timm", names={"trust_coefficient": "trust_coeff"}),
        _row(at + "Lion", "lion", "paper"),
        _row(at + "Lion", "cautious_lion", "authors", fixed=cautious),
        _row(at + "MADGRAD", "madgrad", "paper", settings={"eps_in_rate": True}),
        _row(at + "Mars", "mars", "timm", fixed={"optimize_1d": True}),
        _row(at + "Muon", "muon", "paper", dimensions=2),
        _row(at + "NAdamLegacy", "nadam", "torch"),
        _row(at + "NAdamW", "nadam", "torch", settings={DECOUPLED: True, "weight_decay": 0.01}),
        _row(at + "NvNovoGrad", "novograd", "paper"),
        _row(at + "RAdamLegacy", "radam", "torch", settings={DECOUPLED: True}),
        _row(at + "RMSpropTF", "rmsprop", "keras", settings={DECOUPLED: False}),
        _row(at + "SGDP", "sgdp", "authors"),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}),
    )


def _heavyball() -> tuple[Row, ...]:
    at = "heavyball:"
    return (
        _row(at + "ADOPT", "adopt", "paper"),
        _row(at + "AdEMAMix", "ademamix", "paper"),
        _row(at + "AdamW", "adamw", "torch"),
        _row(at + "LaProp", "laprop", "paper"),
        _row(at + "NAdam", "nadam", "torch", settings={DECOUPLED: True}),
        _row(at + "SGD", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}, names={"momentum": "beta"}),
    )


def _optimi() -> tuple[Row, ...]:
    at, decouple = "optimi:", {DECOUPLED: "decouple_wd"}
    corrected = {"state_names": {"exp_avg": None, "exp_avg_sq": None}}  # its averages are kept corrected
    return (
        _row(
            at + "SGD",
            "sgd",
            "torch",
            settings={"momentum": 0.9},
            names={**decouple, "dampening": None},
            note="its `dampening` is a switch that makes the momentum an average",
        ),
        _row(at + "Adam", "adam", "torch", names=decouple, **corrected),
        _row(at + "AdamW", "adamw", "torch", **corrected),
        _row(
            at + "Adan",
            "adan",
            "authors",
            state_names={"exp_avg": None, "exp_avg_sq": None, "exp_avg_diff": None, "previous_grad": None},
        ),
        _row(at + "Lion", "lion", "paper"),
        _row(at + "RAdam", "radam", "optax", names=decouple, **corrected),
        _row(at + "StableAdamW", "stable_adamw", "paper"),
    )


def _sklearn() -> tuple[Row, ...]:
    adam = {"lr": "learning_rate_init", "betas": ("beta_1", "beta_2"), "eps": "epsilon"}
    sgd = {"lr": "learning_rate_init", "momentum": "momentum", "nesterov": "nesterov"}
    return (
        _row("subjects:sklearn.AdamOptimizer", "adam", "paper", names=adam),
        _row("subjects:sklearn.SGDOptimizer", "sgd", "article", settings={"momentum": 0.9}, names=sgd),
    )


def _autograd() -> tuple[Row, ...]:
    adam = {"lr": "step_size", "betas": ("b1", "b2"), "eps": "eps"}
    return (
        _row("subjects:autograd.adam", "adam", "paper", names=adam),
        _row(
            "subjects:autograd.rmsprop", "rmsprop", "torch", names={"lr": "step_size", "alpha": "gamma", "eps": "eps"}
        ),
        _row(
            "subjects:autograd.sgd",
            "qhm",
            "paper",
            settings={"momentum": 0.9, "nu": 1.0},
            names={"lr": "step_size", "momentum": "mass"},
            without=("nu",),
            note="momentum as an average, as its code has it",
        ),
    )


def _thinc() -> tuple[Row, ...]:
    adam = {
        "lr": "learn_rate",
        "betas": ("beta1", "beta2"),
        "eps": "eps",
        "weight_decay": "L2",
        DECOUPLED: "L2_is_weight_decay",
    }
    fixed = {"grad_clip": 0.0, "use_averages": False}
    return (
        _row(
            "subjects:thinc.Adam",
            "adam",
            "keras",
            settings={DECOUPLED: False},
            names=adam,
            fixed=fixed,
            scalars="float32",
        ),
        _row("subjects:thinc.RAdam", "radam", "torch", names=adam, fixed=fixed, scalars="float32"),
        _row(
            "subjects:thinc.SGD",
            "sgd",
            "torch",
            names={key: adam[key] for key in ("lr", "weight_decay", DECOUPLED)},
            fixed=fixed,
        ),
    )


def _tinygrad() -> tuple[Row, ...]:
    adam = {"lr": "lr", "betas": ("b1", "b2"), "eps": "eps", "weight_decay": "weight_decay"}
    sgd = {name: name for name in ("lr", "momentum", "weight_decay", "nesterov")}
    at = "subjects:tinygrad."
    return (
        _row(at + "SGD", "sgd", "torch", settings={"momentum": 0.9}, names=sgd),
        _row(at + "Adam", "adam", "paper", names={key: adam[key] for key in ("lr", "betas", "eps")}, scalars="float32"),
        _row(at + "AdamW", "adamw", "torch", names=adam, scalars="float32"),
        _row(at + "LAMB", "lamb", "paper", names=adam, scalars="float32"),
        _row(
            at + "LARS",
            "lars",
            "paper",
            settings={"trust_form": "library"},
            names={"lr": "lr", "momentum": "momentum", "weight_decay": "weight_decay", "trust_coefficient": "tcoef"},
        ),
    )


def _numpy_ml() -> tuple[Row, ...]:
    at, adam = "subjects:numpy_ml.", {"lr": "lr", "betas": ("decay1", "decay2"), "eps": "eps"}
    return (
        _row(at + "SGD", "sgd", "article", settings={"momentum": 0.9}, names={"lr": "lr", "momentum": "momentum"}),
        _row(at + "AdaGrad", "adagrad", "paper", names={"lr": "lr", "eps": "eps"}),
        _row(at + "RMSProp", "rmsprop", "torch", names={"lr": "lr", "alpha": "decay", "eps": "eps"}),
        _row(at + "Adam", "adam", "paper", names=adam),
    )


def _torchopt() -> tuple[Row, ...]:
    at = "subjects:like_torch.torchopt:"
    adam = {name: name for name in ("lr", "betas", "eps", "weight_decay", "maximize")}
    return (
        _row(
            at + "SGD",
            "sgd",
            "torch",
            settings={"momentum": 0.9},
            names={name: name for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")},
        ),
        _row(at + "Adam", "adam", "torch", names=adam, scalars="float32"),
        _row(at + "AdamW", "adamw", "torch", names=adam, scalars="float32"),
        _row(
            at + "RMSProp",
            "rmsprop",
            "torch",
            names={
                name: name
                for name in ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "nesterov", "maximize")
                if name != "nesterov"
            },
        ),
        _row(at + "Adadelta", "adadelta", "torch", names={name: name for name in ("lr", "rho", "eps", "weight_decay")}),
        _row(at + "AdaMax", "adamax", "torch", names={name: name for name in ("lr", "betas", "eps", "weight_decay")}),
        _row(at + "RAdam", "radam", "torch", names={name: name for name in ("lr", "betas", "eps", "weight_decay")}),
    )


def _fastai() -> tuple[Row, ...]:
    at = "subjects:like_torch.fastai.optimizer:"
    adam = {"lr": "lr", "betas": ("mom", "sqr_mom"), "eps": "eps", "weight_decay": "wd", DECOUPLED: "decouple_wd"}
    return (
        _row(
            at + "SGD",
            "sgd",
            "torch",
            settings={"momentum": 0.9, DECOUPLED: True},
            names={"lr": "lr", "momentum": "mom", "weight_decay": "wd", DECOUPLED: "decouple_wd"},
        ),
        _row(
            at + "RMSProp",
            "rmsprop",
            "torch",
            settings={DECOUPLED: True},
            names={"lr": "lr", "alpha": "sqr_mom", "eps": "eps", "weight_decay": "wd", DECOUPLED: "decouple_wd"},
        ),
        _row(at + "Adam", "adamw", "torch", settings={"betas": (0.9, 0.99), "eps": 1e-5}, names=adam),
        _row(at + "RAdam", "radam", "optax", settings={DECOUPLED: True}, names=adam),
        _row(at + "QHAdam", "qhadam", "paper", settings={DECOUPLED: True}, names={**adam, "nus": ("nu_1", "nu_2")}),
    )


def _nadir() -> tuple[Row, ...]:
    return tuple(
        _row(f"subjects:nadir.{name}", formula, dialect, settings=settings, names=names)
        for name, formula, dialect, settings, names in (
            ("SGD", "sgd", "torch", {DECOUPLED: True}, {"lr": "lr", "weight_decay": "weight_decay"}),
            (
                "Momentum",
                "sgd",
                "torch",
                {"momentum": 0.9, "dampen_first_step": True},
                {"lr": "lr", "momentum": "momentum", "dampening": "dampening"},
            ),
            (
                "Adam",
                "adam",
                "paper",
                {},
                {"lr": "lr", "betas": ("beta_1", "beta_2"), "eps": "eps", "amsgrad": "amsgrad"},
            ),
            ("Adagrad", "adagrad", "torch", {}, {"lr": "lr", "eps": "eps"}),
            ("RMSProp", "rmsprop", "torch", {}, {"lr": "lr", "alpha": "beta_2", "eps": "eps"}),
            ("Adamax", "adamax", "torch", {}, {"lr": "lr", "betas": ("beta_1", "beta_2"), "eps": "eps"}),
            ("Lion", "lion", "paper", {}, {"lr": "lr", "betas": ("beta_1", "beta_2")}),
        )
    )


def _schedulefree() -> tuple[Row, ...]:
    at, beta = "schedulefree:", {"beta": "momentum"}
    return (
        _row(at + "AdamWScheduleFree", "schedule_free_adamw", "authors", mode="train"),
        _row(
            at + "AdamWScheduleFreePaper",
            "schedule_free_adamw",
            "authors",
            settings={"correction_form": "rate"},
            mode="train",
        ),
        _row(at + "AdamWScheduleFreeReference", "schedule_free_adamw", "authors", mode="train"),
        _row(at + "SGDScheduleFree", "schedule_free_sgd", "authors", names=beta, mode="train"),
        _row(at + "SGDScheduleFreeReference", "schedule_free_sgd", "authors", names=beta, mode="train"),
    )


def _adabelief() -> tuple[Row, ...]:
    fixed, more = {"rectify": False, "print_change_log": False}, _one_epsilon(1e-16)
    target = "adabelief_pytorch:AdaBelief"
    return (
        _row(target, "adabelief", "paper", **more, fixed=fixed),
        _row(target, "adabelief", "paper", **{**more, "settings": {**more["settings"], DECOUPLED: True}}, fixed=fixed),
    )


def _bitsandbytes() -> tuple[Row, ...]:
    """Its 32-bit optimizers, which run without a GPU."""
    at = "bitsandbytes.optim:"
    return (
        _row(at + "Adagrad32bit", "adagrad", "torch"),
        _row(at + "Adam32bit", "adam", "torch"),
        _row(at + "AdamW32bit", "adamw", "torch"),
        _row(at + "AdEMAMix", "ademamix", "paper"),
        _row(at + "AdEMAMix32bit", "ademamix", "paper"),
        _row(at + "LAMB32bit", "lamb", "paper"),
        _row(at + "Lion32bit", "lion", "paper"),
        _row(at + "RMSprop32bit", "rmsprop", "torch"),
        _row(at + "SGD32bit", "sgd", "torch", settings={"momentum": 0.9}),
    )


def _alone(name: str, target: str, formula: str, dialect: str = "paper", *requires: str, **more: Any) -> Package:
    """A package of one optimizer over torch's tensors."""
    return Package(name, "torch", (_row(target, formula, dialect, **more),), (TORCH, *requires))


_hugging: dict[str, Any] = {"fixed": {"lr": None}, "names": {**RELATIVE, "epsilons": "eps"}}
_quiet = {"no_deprecation_warning": True}
EMPTY = "its wheel and its source archive on the registry hold no module"
_ranger = {"update_period": "k", "threshold": "N_sma_threshhold"}

PACKAGES: tuple[Package, ...] = (
    Package("torch", "torch", (*_torch(), *TORCH_SCHEDULES, *MADE["torch"])),
    Package("optax", "optax", (*_optax(), *OPTAX_SCHEDULES, *MADE["optax"]), ()),
    Package("keras", "keras", (*_keras(), *KERAS_SCHEDULES, *MADE["keras"]), ("jax",)),  # for its NumPy backend
    Package("pytorch_optimizer", "torch", _pytorch_optimizer()),
    Package("torch_optimizer", "torch", _torch_optimizer()),
    Package("timm", "torch", (*_timm(), *TIMM_SCHEDULES, *MADE["timm"]), (TORCH_WITH_VISION, "torchvision==0.29.1")),
    Package("heavyball", "torch", _heavyball(), before="import heavyball.utils; heavyball.utils.compile_mode = None"),
    Package("torch-optimi", "torch", _optimi(), (TORCH, "packaging")),
    Package("torchopt", "torch", (*_torchopt(), *MADE["torchopt"])),
    Package("fastai", "torch", (*_fastai(), *MADE["fastai"]), (TORCH_WITH_VISION, "torchvision==0.29.1")),
    Package("scikit-learn", "numpy", (*_sklearn(), *MADE["scikit-learn"]), ()),
    Package("autograd", "numpy", _autograd(), ()),
    Package("thinc", "numpy", (*_thinc(), *MADE["thinc"]), ()),
    Package("tinygrad", "numpy", _tinygrad(), (), before="import os; os.environ['DEV'] = 'PYTHON'"),
    Package(
        "numpy-ml",
        "numpy",
        _numpy_ml(),
        (),
        # it asks collections for a name that Python 3.10 moved to collections.abc
        before="import collections.abc; collections.Hashable = collections.abc.Hashable",
    ),
    Package("nadir", "torch", _nadir()),
    Package("schedulefree", "torch", _schedulefree()),
    Package("adabelief-pytorch", "torch", _adabelief()),
    Package(
        "dadaptation",
        "torch",
        (
            _row(
                "dadaptation:DAdaptAdaGrad", "dadapt_adagrad", "paper", settings={"eps": 1e-6}, without=("growth_rate",)
            ),
            _row("dadaptation:DAdaptAdam", "dadapt_adam", "authors", without=("growth_rate",)),
            _row("dadaptation:DAdaptSGD", "dadapt_sgd", "paper", without=("growth_rate",)),
        ),
    ),
    Package(
        "qhoptim",
        "torch",
        (
            _row("qhoptim.pyt:QHM", "qhm", "paper", fixed={"weight_decay_type": "grad"}),
            _row("qhoptim.pyt:QHAdam", "qhadam", "paper", names={DECOUPLED: "decouple_weight_decay"}),
        ),
    ),
    Package("adamp", "torch", (_row("adamp:AdamP", "adamp", "authors"), _row("adamp:SGDP", "sgdp", "authors"))),
    Package(
        "galore-torch",
        "torch",
        (
            _row(
                "galore_torch:GaLoreAdamW",
                "adamw",
                "torch",
                settings={"eps": 1e-6, "eps_placement": "hat"},
                fixed=_quiet,
            ),
            _row("galore_torch:GaLoreAdafactor", "adafactor", "transformers", **_hugging),
        ),
    ),
    _alone("lion-pytorch", "lion_pytorch:Lion", "lion"),
    _alone(
        "adan-pytorch",
        "adan_pytorch:Adan",
        "adan",
        "authors",
        names={"betas": _complement},
        note="its betas are 1 - beta",
    ),
    _alone("prodigyopt", "prodigyopt:Prodigy", "prodigy", "authors", names={"bias_correction": "use_bias_correction"}),
    _alone("madgrad", "madgrad:MADGRAD", "madgrad", settings={"eps_in_rate": True}),
    _alone("came-pytorch", "came_pytorch:CAME", "came", names={"epsilons": "eps"}),
    _alone("dowgopt", "dowg:DoWG", "dowg"),
    _alone("dog-optimizer", "dog:DoG", "dog"),
    _alone("pytorch-lamb", "pytorch_lamb:Lamb", "lamb", "torch_optimizer"),
    _alone("torch-sm3", "SM3:SM3", "sm3", settings={"eps": 1e-30}),
    _alone("open-lars", "open_lars:LARS", "lars", settings={"trust_form": "library"}, dimensions=2, note=SGD_BELOW),
    _alone("muon-optimizer", "muon:SingleDeviceMuon", "muon", dimensions=2),
    _alone(
        "apollo-torch",
        "apollo_torch:APOLLOAdamW",
        "adamw",
        "torch",
        settings={"eps": 1e-6, "eps_placement": "hat"},
        fixed=_quiet,
    ),
    _alone("parameterfree", "parameterfree:COCOB", "cocob"),
    _alone("adabound", "adabound:AdaBound", "adabound", "authors"),
    _alone("adamod", "adamod:AdaMod", "adamod", "authors", names={"betas": _third_apart}),
    _alone(
        "pytorch-ranger",
        "pytorch_ranger:Ranger",
        "ranger",
        settings={"centralise": False},
        names={**_ranger, "centralise": None},
    ),
    _alone(
        "ranger-adabelief",
        "ranger_adabelief:RangerAdaBelief",
        "ranger",
        names={**_ranger, "centralise": "use_gc"},
        fixed={"adabelief": False, "gc_loc": True},
    ),
    _alone("sophia-opt", "subjects:sophia.SophiaG", "sophiag", "authors"),
    Package(
        "transformers",
        "torch",
        (
            _row("transformers.optimization:Adafactor", "adafactor", "transformers", **_hugging),
            *TRANSFORMERS_SCHEDULES,
            *MADE["transformers"],
        ),
    ),
    Package("bitsandbytes", "torch", _bitsandbytes()),
    _alone("novograd", "novograd:NovoGrad", "novograd", note=EMPTY),
    _alone("decoupledlionw", "decoupledLionW:DecoupledLionW", "lion", note=EMPTY),
    Package(
        "lightning-bolts",
        "torch",
        (_row("pl_bolts.optimizers.lars:LARS", "lars", "torch_optimizer", note=SGD_WITHOUT_DECAY),),
        (TORCH_WITH_VISION, "torchvision==0.29.1", "setuptools<81"),  # it imports pkg_resources
    ),
    Package("adabelief-slim", "torch", (_row("adabelief:AdaBelief", "adabelief", "paper"),), unasked=True),  # torch<2
    Package("opax", "numpy", (_row("opax:adam", "adam", "optax"),), ("jax",)),
    Package("optax-adan", "optax", (_row("optax_adan:adan", "adan", "authors", scalars="float32"),), ("chex",)),
)
