"""Optimizers and what drives their learning rates. Everything here is imported when it is first used (PEP 562).

A row of `OPTIMIZERS` (table.py) is an optimizer: tests, command line and documents are driven by this table.

Example:
    >>> from tinygrad_lr import optim
    >>> list(optim.OPTIMIZERS)[:5]
    ['sgd', 'asgd', 'optimistic_gd', 'adagrad', 'rmsprop']
    >>> optim.OPTIMIZERS["adam"] is optim.Adam
    True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .table import OPTIMIZERS, Entry, imported

if TYPE_CHECKING:  # for editors and mypy; a test compares these lines with the table
    from . import lr_scheduler as lr_scheduler
    from . import swa_utils as swa_utils
    from .adadelta import Adadelta as Adadelta
    from .adafactor import Adafactor as Adafactor
    from .adagrad import Adagrad as Adagrad
    from .adam import Adam as Adam
    from .adam import AdamW as AdamW
    from .adamax import Adamax as Adamax
    from .adan import Adan as Adan
    from .ademamix import AdEMAMix as AdEMAMix
    from .ademamix import SimplifiedAdEMAMix as SimplifiedAdEMAMix
    from .adopt import ADOPT as ADOPT
    from .asgd import ASGD as ASGD
    from .by_name import decay_groups as decay_groups
    from .by_name import param_groups as param_groups
    from .clipping import adaptive_clip_grad_ as adaptive_clip_grad_
    from .clipping import clip_grad_norm_ as clip_grad_norm_
    from .clipping import clip_grad_norm_per_group_ as clip_grad_norm_per_group_
    from .clipping import clip_grad_value_ as clip_grad_value_
    from .clipping import clip_grads_with_norm_ as clip_grads_with_norm_
    from .clipping import get_total_norm as get_total_norm
    from .cocob import COCOB as COCOB
    from .crossing import for_torch as for_torch
    from .dog import DoG as DoG
    from .dog import DoWG as DoWG
    from .fromage import Fromage as Fromage
    from .ftrl import Ftrl as Ftrl
    from .hooks import RemovableHandle as RemovableHandle
    from .hooks import register_optimizer_step_post_hook as register_optimizer_step_post_hook
    from .hooks import register_optimizer_step_pre_hook as register_optimizer_step_pre_hook
    from .hyperparameters import Hyperparameter as Hyperparameter
    from .lamb import LAMB as LAMB
    from .lars import LARS as LARS
    from .lion import Lion as Lion
    from .lookahead import Lookahead as Lookahead
    from .madgrad import MADGRAD as MADGRAD
    from .muon import Muon as Muon
    from .nadam import NAdam as NAdam
    from .novograd import NovoGrad as NovoGrad
    from .optimistic import OptimisticAdam as OptimisticAdam
    from .optimistic import OptimisticGD as OptimisticGD
    from .optimizer import Optimizer as Optimizer
    from .prodigy import DAdaptAdam as DAdaptAdam
    from .prodigy import Prodigy as Prodigy
    from .radam import RAdam as RAdam
    from .report import StepReport as StepReport
    from .rmsprop import RMSprop as RMSprop
    from .rprop import Rprop as Rprop
    from .sam import SAM as SAM
    from .schedule_free import ScheduleFreeAdamW as ScheduleFreeAdamW
    from .schedule_free import ScheduleFreeSGD as ScheduleFreeSGD
    from .sgd import SGD as SGD
    from .short_moments import decoded_state as decoded_state
    from .signsgd import SignSGD as SignSGD
    from .sm3 import SM3 as SM3
    from .sophiah import SophiaH as SophiaH
    from .yogi import AdaBelief as AdaBelief
    from .yogi import Yogi as Yogi

_PLACES = {
    "Hyperparameter": f"{__name__}.hyperparameters:Hyperparameter",
    "Lookahead": f"{__name__}.lookahead:Lookahead",
    "Optimizer": f"{__name__}.optimizer:Optimizer",
    "SAM": f"{__name__}.sam:SAM",
    "StepReport": f"{__name__}.report:StepReport",
    "RemovableHandle": f"{__name__}.hooks:RemovableHandle",
    "adaptive_clip_grad_": f"{__name__}.clipping:adaptive_clip_grad_",
    "clip_grad_norm_": f"{__name__}.clipping:clip_grad_norm_",
    "clip_grad_norm_per_group_": f"{__name__}.clipping:clip_grad_norm_per_group_",
    "clip_grad_value_": f"{__name__}.clipping:clip_grad_value_",
    "clip_grads_with_norm_": f"{__name__}.clipping:clip_grads_with_norm_",
    "decay_groups": f"{__name__}.by_name:decay_groups",
    "decoded_state": f"{__name__}.short_moments:decoded_state",
    "for_torch": f"{__name__}.crossing:for_torch",
    "get_total_norm": f"{__name__}.clipping:get_total_norm",
    "param_groups": f"{__name__}.by_name:param_groups",
    "register_optimizer_step_post_hook": f"{__name__}.hooks:register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook": f"{__name__}.hooks:register_optimizer_step_pre_hook",
    **{row.place.partition(":")[2]: row.place for row in OPTIMIZERS.rows.values()},
}

_MODULES = ("lr_scheduler", "swa_utils")

__all__ = sorted([*_PLACES, *_MODULES, "OPTIMIZERS", "register"])


def register(name: str, cls: str | type[Optimizer], summary: str, *, formula: str = "") -> None:
    """Add an optimizer of your own to `OPTIMIZERS`: the command line and `tinygrad_lr.verify` then know it by its name.

    To have it registered in every process, name a module that calls `register` as an entry point of your distribution,
    in the group "tinygrad_lr.optimizers".

    Args:
        name: what the command line calls it.
        cls: a subclass of `Optimizer` at the top of a module, or "module:Class", which is imported when it is needed.
        summary: one line, for people who choose among optimizers.
        formula: "module:NAME" of a `tinygrad_lr.verify.formulas.Family` of that name, which the optimizer claims to
            compute. Empty: the formula of that name in `tinygrad_lr.verify.formulas`, where there is one.

    Raises:
        ValueError: another optimizer has the name, or a place is not of the form "module:Name".

    Example:
        >>> from tinygrad_lr import optim
        >>> optim.register("adam", "tinygrad_lr.optim.sgd:SGD", "another Adam")
        Traceback (most recent call last):
            ...
        ValueError: there is an optimizer 'adam' already, tinygrad_lr.optim.adam:Adam; choose another name
    """
    place = cls if isinstance(cls, str) else f"{cls.__module__}:{cls.__qualname__}"
    OPTIMIZERS.register(name, Entry(place, summary, formula))


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = imported(_PLACES[name])
    return found


def __dir__() -> list[str]:
    return __all__
