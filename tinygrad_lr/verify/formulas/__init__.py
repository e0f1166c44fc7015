"""The update rules as the article and the papers print them: the oracle that optimizers are checked against.

One function per optimizer, independent of the kernels, for one step of one parameter:

    theta, state = adam(theta, g, state, t, lr=..., betas=..., ...)

`t` counts from 1 and `state` holds the arrays under the names that torch gives them. A formula uses + - * / ** and the
functions of numbers.py, so it runs on whatever has these: float64 arrays, `Enclosure` (intervals with rounding, in
enclosure.py) and mpmath numbers. Nothing here is fast, and nothing here imports a kernel.

Where implementations differ legitimately the difference is a named argument (a dialect option). A file holds a family:
the formulas and their rows of `FAMILIES`, the table that tests, checks and `tinygrad-lr explain` are driven by; a row
also has the formula as it is printed, and the dialects. Next: numbers.py, adam.py, then ../specification.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import adadelta as _adadelta
from . import adafactor as _adafactor
from . import adagrad as _adagrad
from . import adam as _adam
from . import adamax as _adamax
from . import adan as _adan
from . import ademamix as _ademamix
from . import adopt as _adopt
from . import aggregated as _aggregated
from . import asgd as _asgd
from . import bounded as _bounded
from . import came as _came
from . import cautious as _cautious
from . import d_adaptation as _d_adaptation
from . import differences as _differences
from . import distance as _distance
from . import ftrl as _ftrl
from . import lamb as _lamb
from . import lion as _lion
from . import lookahead as _lookahead
from . import muon as _muon
from . import nadam as _nadam
from . import normed as _normed
from . import novograd as _novograd
from . import optimistic as _optimistic
from . import prodigy as _prodigy
from . import projected as _projected
from . import quasi_hyperbolic as _quasi_hyperbolic
from . import radam as _radam
from . import rmsprop as _rmsprop
from . import rprop as _rprop
from . import schedule_free as _schedule_free
from . import sgd as _sgd
from . import soap as _soap
from . import sophia as _sophia
from . import yogi as _yogi
from .adadelta import adadelta
from .adafactor import adafactor, sm3
from .adagrad import adagrad
from .adam import adam, adamw
from .adamax import adamax
from .adan import adan
from .ademamix import ademamix, simplified_ademamix
from .adopt import adopt
from .aggregated import aggmo, pnm
from .asgd import asgd
from .bounded import adabound, adamod
from .came import came
from .cautious import cautious_adamw, cautious_lion, grams
from .d_adaptation import dadapt_adagrad, dadapt_adam, dadapt_sgd
from .differences import diffgrad, mars, pid
from .distance import cocob, dog, dowg, madgrad
from .family import Families, Family, Formula, Formulas
from .ftrl import ftrl
from .lamb import lamb, lars
from .lion import lion, signsgd
from .lookahead import lookahead, ranger
from .muon import muon
from .nadam import nadam
from .normed import adamnorm, laprop, stable_adamw
from .novograd import fromage, novograd
from .numbers import SCHEDULE, Number, State, maximum, shrinkage, sqrt
from .optimistic import optimistic_adam, optimistic_gd
from .prodigy import prodigy
from .projected import adamp, sgdp
from .quasi_hyperbolic import qhadam, qhm
from .radam import radam
from .rmsprop import rmsprop
from .rprop import rprop
from .scalar import FormulaError
from .schedule_free import schedule_free_adamw, schedule_free_sgd
from .sgd import sgd
from .soap import soap
from .sophia import sophiag, sophiah
from .yogi import adabelief, yogi

__all__ = [
    "FAMILIES",
    "FORMULAS",
    "FormulaError",
    "SCHEDULE",
    "Family",
    "Formula",
    "Number",
    "State",
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "adan",
    "adafactor",
    "sm3",
    "muon",
    "ftrl",
    "novograd",
    "fromage",
    "optimistic_gd",
    "optimistic_adam",
    "prodigy",
    "schedule_free_sgd",
    "schedule_free_adamw",
    "ademamix",
    "simplified_ademamix",
    "adopt",
    "dog",
    "dowg",
    "madgrad",
    "cocob",
    "asgd",
    "defaults",
    "hyperparameter_names",
    "lamb",
    "lars",
    "lion",
    "maximum",
    "nadam",
    "radam",
    "rmsprop",
    "rprop",
    "sgd",
    "shrinkage",
    "signsgd",
    "sqrt",
    "yogi",
    "aggmo",
    "pnm",
    "adabound",
    "adamod",
    "came",
    "cautious_adamw",
    "cautious_lion",
    "grams",
    "dadapt_adagrad",
    "dadapt_adam",
    "dadapt_sgd",
    "diffgrad",
    "mars",
    "pid",
    "lookahead",
    "ranger",
    "adamnorm",
    "laprop",
    "stable_adamw",
    "adamp",
    "sgdp",
    "qhadam",
    "qhm",
    "soap",
    "sophiag",
    "sophiah",
]

_rows = (
    _sgd.FAMILY,
    _adagrad.FAMILY,
    _rmsprop.FAMILY,
    _adam.FAMILY,
    _adam.FAMILY_ADAMW,
    _adadelta.FAMILY,
    _adamax.FAMILY,
    _nadam.FAMILY,
    _radam.FAMILY,
    _adan.FAMILY,
    _lion.FAMILY,
    _lion.FAMILY_SIGNSGD,
    _yogi.FAMILY,
    _yogi.FAMILY_ADABELIEF,
    _rprop.FAMILY,
    _lamb.FAMILY,
    _lamb.FAMILY_LARS,
    _asgd.FAMILY,
    _adafactor.FAMILY,
    _adafactor.FAMILY_SM3,
    _muon.FAMILY,
    _soap.FAMILY,
    _ftrl.FAMILY,
    _novograd.FAMILY,
    _novograd.FAMILY_FROMAGE,
    _optimistic.FAMILY,
    _optimistic.FAMILY_ADAM,
    _prodigy.FAMILY,
    _schedule_free.FAMILY,
    _schedule_free.FAMILY_ADAMW,
    _ademamix.FAMILY,
    _ademamix.FAMILY_SIMPLIFIED,
    _adopt.FAMILY,
    _distance.FAMILY_DOG,
    _distance.FAMILY_DOWG,
    _distance.FAMILY_MADGRAD,
    _distance.FAMILY_COCOB,
    _quasi_hyperbolic.FAMILY,
    _quasi_hyperbolic.FAMILY_QHADAM,
    _bounded.FAMILY,
    _bounded.FAMILY_ADABOUND,
    _differences.FAMILY,
    _differences.FAMILY_MARS,
    _differences.FAMILY_PID,
    _aggregated.FAMILY,
    _aggregated.FAMILY_PNM,
    _came.FAMILY,
    _d_adaptation.FAMILY,
    _d_adaptation.FAMILY_ADAGRAD,
    _d_adaptation.FAMILY_ADAM,
    _sophia.FAMILY,
    _sophia.FAMILY_SOPHIAH,
    _lookahead.FAMILY,
    _lookahead.FAMILY_RANGER,
    _projected.FAMILY,
    _projected.FAMILY_ADAMP,
    _cautious.FAMILY,
    _cautious.FAMILY_ADAMW,
    _cautious.FAMILY_LION,
    _normed.FAMILY,
    _normed.FAMILY_STABLE,
    _normed.FAMILY_LAPROP,
)
FAMILIES: Mapping[str, Family] = Families(_rows)
FORMULAS: Mapping[str, Formula] = Formulas(FAMILIES)


def defaults(name: str) -> Mapping[str, Any]:
    """A formula's hyperparameters and dialect options, in order, with its defaults (lr has none: `empty`)."""
    return FAMILIES[name].defaults


def hyperparameter_names(name: str) -> tuple[str, ...]:
    """The hyperparameters and dialect options of a formula, in order.

    Example:
        >>> hyperparameter_names("adagrad")[:3]
        ('lr', 'lr_decay', 'weight_decay')
    """
    return tuple(defaults(name))
