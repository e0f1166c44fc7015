"""The packages and the optimizers that the audit examines, and what each claims to compute. Next: running.py.

Adding an optimizer is adding a `Row` to its package. A row says where the optimizer is, the formula and dialect that it
claims, and how the package calls what the formula calls otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TORCH, TORCH_WITH_VISION = "torch==2.13.0", "torch==2.14.1"
DECOUPLED = "decoupled_weight_decay"


@dataclass(frozen=True)
class Row:
    """One optimizer and its claim.

    Attributes:
        target: "module:Name", or "subjects:name" for a maker of subjects.py.
        formula, dialect, settings: the claim, as `verify.spec` takes it.
        fixed: arguments that only the package knows, with which every one is built.
        names: the formula's name of a hyperparameter -> the package's argument; None: it has none.
        without: hyperparameters of the formula that are not passed.
        state_names: the formula's name of a state -> the package's.
        mode: the method to call before training, as `train`; "": none.
        elementwise, coupled: traits of the rule, where the formula does not say them.
        dimensions: how many dimensions its parameters must have at least.
        note: what the reader of the claim must know.
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

    @property
    def title(self) -> str:
        """Its name, and what is fixed or set.

        Example:
            >>> Row("torch.optim:SGD", "sgd", "torch", {"momentum": 0.9}).title
            'SGD(momentum=0.9)'
        """
        said = ", ".join(f"{key}={value}" for key, value in {**self.settings, **self.fixed}.items())
        name = self.target.partition(":")[2]
        return f"{name}({said})" if said else name


@dataclass(frozen=True)
class Package:
    """A package of the registry.

    Attributes:
        name: as the registry has it.
        library: whose interface its optimizers have: "torch", "optax", "keras" or "numpy".
        rows: its optimizers.
        requires: what must be installed beside it, which it does not ask for itself.
        before: a statement that runs before an optimizer is built.
    """

    name: str
    library: str
    rows: tuple[Row, ...]
    requires: tuple[str, ...] = (TORCH,)
    before: str = ""


def _row(target: str, formula: str, dialect: str | None = None, **more: Any) -> Row:
    return Row(target, formula, dialect, **more)


def _torch() -> tuple[Row, ...]:
    plain: list[tuple[str, str, dict[str, Any]]] = [
        ("SGD", "sgd", {}),
        ("SGD", "sgd", {"momentum": 0.9}),
        ("SGD", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("SGD", "sgd", {"momentum": 0.9, "dampening": 0.5}),
        ("Adagrad", "adagrad", {}),
        ("RMSprop", "rmsprop", {}),
        ("RMSprop", "rmsprop", {"momentum": 0.9}),
        ("RMSprop", "rmsprop", {"centered": True}),
        ("Adam", "adam", {}),
        ("Adam", "adam", {"amsgrad": True}),
        ("AdamW", "adamw", {}),
        ("AdamW", "adamw", {"amsgrad": True}),
        ("Adadelta", "adadelta", {}),
        ("Adamax", "adamax", {}),
        ("NAdam", "nadam", {}),
        ("NAdam", "nadam", {"weight_decay": 0.1, DECOUPLED: True}),
        ("RAdam", "radam", {}),
        ("RAdam", "radam", {"weight_decay": 0.1, DECOUPLED: True}),
        ("Rprop", "rprop", {}),
        ("ASGD", "asgd", {}),
        ("Adafactor", "adafactor", {}),
        ("Muon", "muon", {}),
    ]
    rows = [_row(f"torch.optim:{name}", formula, "torch", settings=settings) for name, formula, settings in plain]
    together = ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD")
    for name in together:
        settings = {"momentum": 0.9} if name == "SGD" else {}
        rows.append(
            _row(f"torch.optim:{name}", name.lower(), "torch", settings=settings, fixed={"foreach": True})
        )
    for name in ("SGD", "Adagrad", "Adam", "AdamW"):
        settings = {"momentum": 0.9} if name == "SGD" else {}
        rows.append(_row(f"torch.optim:{name}", name.lower(), "torch", settings=settings, fixed={"fused": True}))
    return tuple(rows)


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
        _row(f"optax:{name}", formula, "optax", settings=settings, fixed=fixed)
        for name, formula, settings, fixed in plain
    ]
    return (*rows, _row("optax:sm3", "sm3", "optax", dimensions=1))


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
        _row(f"keras.optimizers:{name}", formula, "keras", settings=settings) for name, formula, settings in plain
    )


def _pytorch_optimizer() -> tuple[Row, ...]:
    at = "pytorch_optimizer:"
    decouple = {DECOUPLED: "weight_decouple"}
    coupled = {"weight_decouple": False}
    return (
        _row(at + "ADOPT", "adopt", "paper", fixed={"weight_decouple": True}),
        _row(at + "AdEMAMix", "ademamix", "paper", fixed={"weight_decouple": True}),
        _row(at + "AdaBelief", "adabelief", "paper", settings={"eps": 1e-16, "eps_root": 1e-16}, fixed=coupled),
        _row(at + "AdaDelta", "adadelta", "torch", names=decouple),
        _row(at + "AdaFactor", "adafactor", "paper", fixed={"betas": (None, 0.999)}, names={"epsilons": ("eps1", "eps2"), "beta2_decay": "decay_rate"}),
        _row(at + "AdaMax", "adamax", "torch", names=decouple),
        _row(at + "Adan", "adan", "authors", fixed=coupled),
        _row(at + "FTRL", "ftrl", "paper", names={"l1": "lambda_1", "l2": "lambda_2"}),
        _row(at + "Fromage", "fromage", "paper"),
        _row(at + "LARS", "lars", "paper"),
        _row(at + "Lamb", "lamb", "paper", fixed={"max_grad_norm": 0.0, "weight_decouple": False}),
        _row(at + "Lion", "lion", "paper", names=decouple),
        _row(at + "MADGRAD", "madgrad", "paper"),
        _row(at + "Muon", "muon", "paper", without=("eps",), dimensions=2),
        _row(at + "NovoGrad", "novograd", "paper", fixed={"grad_averaging": False}),
        _row(at + "Prodigy", "prodigy", "paper", names={"initial_distance": "d0", "bias_correction": "bias_correction"}),
        _row(at + "RAdam", "radam", "torch", names=decouple),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}, names=decouple),
        _row(at + "SM3", "sm3", "paper", fixed={"beta": 0.0}, settings={"eps": 1e-30}),
        _row(at + "ScheduleFreeAdamW", "schedule_free_adamw", "paper", mode="train"),
        _row(at + "ScheduleFreeSGD", "schedule_free_sgd", "paper", names={"beta": "momentum"}, mode="train"),
        _row(at + "SignSGD", "signsgd", "paper", settings={"momentum": 0.9}, names=decouple),
        _row(at + "SimplifiedAdEMAMix", "simplified_ademamix", "paper", fixed={"weight_decouple": True}),
        _row(at + "Tiger", "signsgd", "paper", settings={"momentum": 0.965, DECOUPLED: True}, names={"momentum": "beta", **decouple}),
        _row(at + "Yogi", "yogi", "paper", names={"initial_accumulator_value": "initial_accumulator"}, fixed=coupled),
    )


def _torch_optimizer() -> tuple[Row, ...]:
    at = "torch_optimizer:"
    return (
        _row(at + "AdaBelief", "adabelief", "paper", settings={"eps": 1e-8, "eps_root": 1e-8}),
        _row(at + "Adafactor", "adafactor", "paper", names={"epsilons": "eps2", "beta2_decay": "decay_rate"}),
        _row(at + "LARS", "lars", "paper"),
        _row(at + "Lamb", "lamb", "paper", fixed={"debias": True, "clamp_value": 1e30}),
        _row(at + "MADGRAD", "madgrad", "paper"),
        _row(at + "NovoGrad", "novograd", "paper"),
        _row(at + "RAdam", "radam", "torch"),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}),
        _row(at + "Yogi", "yogi", "paper", names={"initial_accumulator_value": "initial_accumulator"}),
    )


def _timm() -> tuple[Row, ...]:
    at = "timm.optim:"
    return (
        _row(at + "AdaBelief", "adabelief", "paper", settings={"eps": 1e-16, "eps_root": 1e-16}, fixed={"rectify": False, "decoupled_decay": False}),
        _row(at + "Adafactor", "adafactor", "paper", fixed={"eps_scale": 1e-3}, without=("epsilons",), names={"beta2_decay": "decay_rate"}),
        _row(at + "AdamWLegacy", "adamw", "torch"),
        _row(at + "Adan", "adan", "authors"),
        _row(at + "Adopt", "adopt", "paper", fixed={"decoupled": True}),
        _row(at + "Lamb", "lamb", "paper", fixed={"max_grad_norm": None}),
        _row(at + "Lars", "lars", "paper", names={"trust_coefficient": "trust_coeff"}),
        _row(at + "Lion", "lion", "paper"),
        _row(at + "MADGRAD", "madgrad", "paper"),
        _row(at + "Muon", "muon", "paper", dimensions=2),
        _row(at + "NAdamLegacy", "nadam", "torch"),
        _row(at + "NAdamW", "nadam", "torch", settings={DECOUPLED: True, "weight_decay": 0.01}),
        _row(at + "NvNovoGrad", "novograd", "paper"),
        _row(at + "RAdamLegacy", "radam", "torch"),
        _row(at + "RMSpropTF", "rmsprop", "keras", fixed={"decoupled_decay": False}),
        _row(at + "SGDW", "sgd", "torch", settings={"momentum": 0.9, DECOUPLED: True}),
    )


def _heavyball() -> tuple[Row, ...]:
    at = "heavyball:"
    return (
        _row(at + "ADOPT", "adopt", "paper"),
        _row(at + "AdEMAMix", "ademamix", "paper"),
        _row(at + "AdamW", "adamw", "torch"),
        _row(at + "NAdam", "nadam", "torch"),
        _row(at + "RMSprop", "rmsprop", "torch"),
        _row(at + "SFAdamW", "schedule_free_adamw", "paper"),
        _row(at + "SGD", "sgd", "torch", settings={"momentum": 0.9}, names={"momentum": "beta"}),
    )


def _optimi() -> tuple[Row, ...]:
    at, decouple = "optimi:", {DECOUPLED: "decouple_wd"}
    return (
        _row(at + "SGD", "sgd", "torch", settings={"momentum": 0.9}, names=decouple),
        _row(at + "Adam", "adam", "torch", names=decouple),
        _row(at + "AdamW", "adamw", "torch"),
        _row(at + "Adan", "adan", "authors"),
        _row(at + "Lion", "lion", "paper"),
        _row(at + "RAdam", "radam", "torch", names=decouple),
    )


PACKAGES: tuple[Package, ...] = (
    Package("torch", "torch", _torch()),
    Package("optax", "optax", _optax(), ()),
    Package("keras", "keras", _keras(), ()),
    Package("pytorch_optimizer", "torch", _pytorch_optimizer()),
    Package("torch_optimizer", "torch", _torch_optimizer()),
    Package("timm", "torch", _timm(), (TORCH_WITH_VISION, "torchvision==0.29.1")),
    Package("heavyball", "torch", _heavyball(), before="import heavyball.utils; heavyball.utils.compile_mode = None"),
    Package("torch-optimi", "torch", _optimi(), (TORCH, "packaging")),
    Package("lion-pytorch", "torch", (_row("lion_pytorch:Lion", "lion", "paper", names={DECOUPLED: None}),)),
    Package("adan-pytorch", "torch", (_row("adan_pytorch:Adan", "adan", "authors"),)),
    Package("prodigyopt", "torch", (_row("prodigyopt:Prodigy", "prodigy", "paper", names={"initial_distance": "d0", "bias_correction": "use_bias_correction"}),)),
    Package("schedulefree", "torch", (
        _row("schedulefree:AdamWScheduleFree", "schedule_free_adamw", "paper", mode="train"),
        _row("schedulefree:AdamWScheduleFreePaper", "schedule_free_adamw", "paper", mode="train"),
        _row("schedulefree:AdamWScheduleFreeReference", "schedule_free_adamw", "paper", mode="train"),
        _row("schedulefree:SGDScheduleFree", "schedule_free_sgd", "paper", names={"beta": "momentum"}, mode="train"),
        _row("schedulefree:SGDScheduleFreeReference", "schedule_free_sgd", "paper", names={"beta": "momentum"}, mode="train"),
    )),
    Package("adabelief-pytorch", "torch", (
        _row("adabelief_pytorch:AdaBelief", "adabelief", "paper", settings={"eps": 1e-16, "eps_root": 1e-16}, fixed={"rectify": False, "weight_decouple": False, "print_change_log": False}),
        _row("adabelief_pytorch:AdaBelief", "adabelief", "paper", settings={"eps": 1e-16, "eps_root": 1e-16, DECOUPLED: True}, names={DECOUPLED: "weight_decouple"}, fixed={"rectify": False, "print_change_log": False}),
    )),
    Package("madgrad", "torch", (_row("madgrad:MADGRAD", "madgrad", "paper"),)),
    Package("dowgopt", "torch", (_row("dowg:DoWG", "dowg", "paper"),)),
    Package("dog-optimizer", "torch", (_row("dog:DoG", "dog", "paper", names={"initial_distance": "reps_rel"}),)),
    Package("pytorch-lamb", "torch", (_row("pytorch_lamb:Lamb", "lamb", "paper"),)),
    Package("torch-sm3", "torch", (_row("SM3:SM3", "sm3", "paper", settings={"eps": 1e-30}),)),
    Package("open-lars", "torch", (_row("open_lars:LARS", "lars", "paper"),)),
    Package("muon-optimizer", "torch", (_row("muon:SingleDeviceMuon", "muon", "paper", dimensions=2),)),
    Package("apollo-torch", "torch", (
        _row("apollo_torch:APOLLOAdamW", "adamw", "torch", settings={"eps": 1e-6}),
    )),
    Package("galore-torch", "torch", (
        _row("galore_torch:GaLoreAdamW", "adamw", "torch", settings={"eps": 1e-6}, fixed={"no_deprecation_warning": True}),
        _row("galore_torch:GaLoreAdafactor", "adafactor", "paper", names={"epsilons": "eps", "beta2_decay": "decay_rate"}),
    )),
    Package("parameterfree", "torch", (_row("parameterfree:COCOB", "cocob", "paper"),)),
    Package("transformers", "torch", (
        _row("transformers.optimization:Adafactor", "adafactor", "paper", names={"epsilons": "eps", "beta2_decay": "decay_rate"}),
    )),
)
