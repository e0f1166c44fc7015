"""Schedules that are made of others, or of a function: each is built as a package's users build it.

A function here returns a schedule of the step (`Adapted`); its row in schedule_rows.py says which formula that is. The
functions are grouped by package. Next: running.py.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from ..adapters.keras import keras_library
from ..adapters.schedules import Adapted, timm_scheduler, torch_scheduler


# torch
def _torch(build: Callable[[Any, Any], Any]) -> Adapted:
    schedulers = import_module("torch.optim.lr_scheduler")
    return torch_scheduler(lambda optimizer: build(schedulers, optimizer))


def sequential_warmup_cosine() -> Adapted:
    """SequentialLR: ten steps of linear warm-up from 0.01, then a half cosine of 90."""
    return _torch(
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, start_factor=0.01, total_iters=10), s.CosineAnnealingLR(o, T_max=90)], milestones=[10]
        )
    )


def sequential_warmup_restarts() -> Adapted:
    """SequentialLR: five steps of linear warm-up from 0.1, then warm restarts every 20."""
    return _torch(
        lambda s, o: s.SequentialLR(
            o,
            [s.LinearLR(o, start_factor=0.1, total_iters=5), s.CosineAnnealingWarmRestarts(o, T_0=20)],
            milestones=[5],
        )
    )


def sequential_constant_exponential() -> Adapted:
    """SequentialLR: 20 steps of the rate, then 0.9 of it with each step."""
    return _torch(
        lambda s, o: s.SequentialLR(
            o, [s.ConstantLR(o, factor=1.0, total_iters=20), s.ExponentialLR(o, gamma=0.9)], milestones=[20]
        )
    )


def sequential_three_parts() -> Adapted:
    """SequentialLR: warm-up of 10 steps, 20 at the rate, and a straight line down of 30."""
    return _torch(
        lambda s, o: s.SequentialLR(
            o,
            [
                s.LinearLR(o, start_factor=0.01, total_iters=10),
                s.ConstantLR(o, factor=1.0, total_iters=20),
                s.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=30),
            ],
            milestones=[10, 30],
        )
    )


def chained_constant_multi_step() -> Adapted:
    """ChainedScheduler: half the rate for ten steps, times 0.1 from step 30 and 0.01 from step 80 on."""
    return _torch(
        lambda s, o: s.ChainedScheduler(
            [s.ConstantLR(o, factor=0.5, total_iters=10), s.MultiStepLR(o, milestones=[30, 80], gamma=0.1)]
        )
    )


def lambda_linear() -> Adapted:
    """LambdaLR with a straight line to 0."""
    return _torch(lambda s, o: s.LambdaLR(o, lambda step: max(0.0, 1 - step / 100)))


def lambda_noam() -> Adapted:
    """LambdaLR with the Transformer's schedule, of dimension 512 and 400 steps of warm-up."""
    return _torch(lambda s, o: s.LambdaLR(o, lambda step: 512**-0.5 * min((step + 1) ** -0.5, (step + 1) * 400**-1.5)))


def multiplicative() -> Adapted:
    """MultiplicativeLR with the factor 0.95."""
    return _torch(lambda s, o: s.MultiplicativeLR(o, lambda step: 0.95))


def swa_cosine() -> Adapted:
    """SWALR: ten steps of a half cosine to 0.05."""
    return torch_scheduler(lambda o: import_module("torch.optim.swa_utils").SWALR(o, swa_lr=0.05, anneal_epochs=10))


def swa_linear() -> Adapted:
    """SWALR: ten steps of a straight line to 0.05."""
    utilities = import_module("torch.optim.swa_utils")
    return torch_scheduler(lambda o: utilities.SWALR(o, swa_lr=0.05, anneal_epochs=10, anneal_strategy="linear"))


class _Worsening:
    """A scheduler that waits for a measure, which here is the same at each step."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def step(self) -> None:
        """A step in which nothing gets better."""
        self._scheduler.step(1.0)


def plateau() -> Adapted:
    """ReduceLROnPlateau with patience 9 and a loss that never changes, from the first loss on."""
    torch = import_module("torch.optim.lr_scheduler")
    read = torch_scheduler(lambda o: _Worsening(torch.ReduceLROnPlateau(o, factor=0.1, patience=9, eps=0.0)))
    return Adapted(lambda step: read(int(step) + 1), "torch.optim.lr_scheduler.ReduceLROnPlateau", True, 300)


# transformers
def _transformers(name: str, **more: Any) -> Adapted:
    get_scheduler = import_module("transformers").get_scheduler
    return torch_scheduler(
        lambda optimizer: get_scheduler(
            name, optimizer, num_warmup_steps=10, num_training_steps=100, scheduler_specific_kwargs=more
        )
    )


def trainer_linear() -> Adapted:
    """What a Trainer builds of lr_scheduler_type="linear"."""
    return _transformers("linear")


def trainer_cosine() -> Adapted:
    """What a Trainer builds of lr_scheduler_type="cosine"."""
    return _transformers("cosine")


def trainer_polynomial() -> Adapted:
    """What a Trainer builds of lr_scheduler_type="polynomial", with power 2."""
    return _transformers("polynomial", power=2.0, lr_end=0.1)


def trainer_restarts() -> Adapted:
    """What a Trainer builds of lr_scheduler_type="cosine_with_restarts", with three cycles."""
    return _transformers("cosine_with_restarts", num_cycles=3)


# optax
def _optax(build: Callable[[Any], Any], title: str) -> Adapted:
    return Adapted(build(import_module("optax")), title, slow=True)


def joined_warmup_cosine() -> Adapted:
    """join_schedules: ten steps up, then a half cosine of 90."""
    return _optax(
        lambda o: o.join_schedules([o.linear_schedule(0.0, 1.0, 10), o.cosine_decay_schedule(1.0, 90)], [10]),
        "optax.join_schedules",
    )


def joined_constant_exponential() -> Adapted:
    """join_schedules: 20 steps of the rate, then 0.9 of it with each step."""
    return _optax(
        lambda o: o.join_schedules([o.constant_schedule(1.0), o.exponential_decay(1.0, 1, 0.9)], [20]),
        "optax.join_schedules",
    )


def sgdr() -> Adapted:
    """sgdr_schedule: three half cosines of 10 steps without warm-up."""
    cycle = {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": 10, "end_value": 0.0}
    return _optax(lambda o: o.sgdr_schedule([cycle] * 3), "optax.sgdr_schedule")


def injected() -> Adapted:
    """inject_hyperparams: the rate that the state shows after each update."""
    optax, jax = import_module("optax"), import_module("jax")
    rates: list[float] = []
    transformation = optax.inject_hyperparams(optax.sgd)(learning_rate=optax.linear_schedule(1.0, 0.0, 20))
    update = jax.jit(transformation.update)
    state = [transformation.init(np.zeros(1, np.float32))]

    def schedule(step: Any) -> Any:
        while len(rates) <= int(step):
            _, state[0] = update(np.zeros(1, np.float32), state[0])
            rates.append(state[0].hyperparams["learning_rate"])
        return np.asarray(rates[int(step)])[()]

    return Adapted(schedule, "optax.inject_hyperparams", limit=200, slow=True)


# keras
def keras_callback() -> Adapted:
    """The callback LearningRateScheduler, whose function halves the rate every ten epochs."""
    keras = keras_library()

    class Model:
        optimizer = keras.optimizers.SGD(learning_rate=1.0)

    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 ** (epoch // 10))
    callback.set_model(Model())

    def schedule(step: Any) -> Any:
        callback.on_epoch_begin(int(step))
        return np.asarray(keras.ops.convert_to_numpy(Model.optimizer.learning_rate))[()]

    return Adapted(schedule, "keras.callbacks.LearningRateScheduler")


def keras_plateau() -> Adapted:
    """The callback ReduceLROnPlateau with patience 10 and a loss that never changes, from the first loss on."""
    keras = keras_library()
    rates: list[Any] = []

    class Model:
        optimizer = keras.optimizers.SGD(learning_rate=1.0)

    callback = keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=10, min_lr=0.0)
    callback.set_model(Model())
    callback.on_train_begin()

    def schedule(step: Any) -> Any:
        while len(rates) <= int(step):
            callback.on_epoch_end(len(rates), {"val_loss": 1.0})
            rates.append(np.asarray(keras.ops.convert_to_numpy(Model.optimizer.learning_rate))[()])
        return rates[int(step)]

    return Adapted(schedule, "keras.callbacks.ReduceLROnPlateau", limit=200)


# timm
def _timm(**settings: Any) -> Adapted:
    create = import_module("timm.scheduler").create_scheduler_v2
    return timm_scheduler(lambda optimizer: create(optimizer, **settings)[0])


def timm_script_cosine() -> Adapted:
    """What timm's training script builds of --sched cosine: 100 epochs after 5 of warm-up."""
    return _timm(sched="cosine", num_epochs=100, warmup_epochs=5, warmup_lr=0.001, min_lr=0.01, warmup_prefix=True)


def timm_script_step() -> Adapted:
    """What timm's training script builds of --sched step."""
    return _timm(sched="step", num_epochs=100, decay_epochs=30, decay_rate=0.1, warmup_epochs=0)


def timm_script_poly() -> Adapted:
    """What timm's training script builds of --sched poly."""
    return _timm(sched="poly", num_epochs=100, decay_rate=0.5, min_lr=0.01, warmup_epochs=0)


# thinc
def _thinc(name: str, *arguments: Any) -> Adapted:
    made = getattr(import_module("thinc.schedules"), name)(*arguments)
    return Adapted(lambda step: float(made(int(step))), f"thinc.schedules.{name}")


def thinc_constant() -> Adapted:
    """constant(0.1)."""
    return _thinc("constant", 0.1)


def thinc_constant_then() -> Adapted:
    """constant_then: the rate for 20 steps, then one that decays with time."""
    schedules = import_module("thinc.schedules")
    return _thinc("constant_then", 1.0, 20, schedules.constant(0.1))


def thinc_decaying() -> Adapted:
    """decaying(1.0, 0.5)."""
    return _thinc("decaying", 1.0, 0.5)


def thinc_compounding() -> Adapted:
    """compounding(1.0, 0.1, 0.9)."""
    return _thinc("compounding", 1.0, 0.1, 0.9)


def thinc_warmup_linear() -> Adapted:
    """warmup_linear(1.0, 10, 100)."""
    return _thinc("warmup_linear", 1.0, 10, 100)


def thinc_cyclic() -> Adapted:
    """cyclic_triangular(0.1, 1.0, 20)."""
    return _thinc("cyclic_triangular", 0.1, 1.0, 20)


# torchopt
def _torchopt(name: str, **arguments: Any) -> Adapted:
    made = getattr(import_module("torchopt").schedule, name)(**arguments)
    return Adapted(lambda step: float(made(int(step))), f"torchopt.schedule.{name}")


def torchopt_linear() -> Adapted:
    """linear_schedule from 1 to 0.1."""
    return _torchopt("linear_schedule", init_value=1.0, end_value=0.1, transition_steps=100)


def torchopt_polynomial() -> Adapted:
    """polynomial_schedule with power 2."""
    return _torchopt("polynomial_schedule", init_value=1.0, end_value=0.1, power=2.0, transition_steps=100)


def torchopt_exponential() -> Adapted:
    """exponential_decay, in stairs."""
    return _torchopt("exponential_decay", init_value=1.0, transition_steps=10, decay_rate=0.9, staircase=True)


# fastai: functions of the share of the training that is done; those that are combined count it in float32
def _fastai(build: Callable[[Any], Any], steps: int, title: str, kind: type = float) -> Adapted:
    made = build(import_module("fastai.callback.schedule"))
    return Adapted(lambda step: kind(made(min(float(step) / steps, 1.0))), f"fastai.callback.schedule.{title}")


def fastai_cosine() -> Adapted:
    """SchedCos(1, 0.1)."""
    return _fastai(lambda s: s.SchedCos(1.0, 0.1), 100, "SchedCos")


def fastai_linear() -> Adapted:
    """SchedLin(1, 0.1)."""
    return _fastai(lambda s: s.SchedLin(1.0, 0.1), 100, "SchedLin")


def fastai_exponential() -> Adapted:
    """SchedExp(1, 0.01)."""
    return _fastai(lambda s: s.SchedExp(1.0, 0.01), 100, "SchedExp")


def fastai_one_cycle() -> Adapted:
    """combined_cos(0.25, ...): the rates of fit_one_cycle."""
    return _fastai(lambda s: s.combined_cos(0.25, 1 / 25, 1.0, 1e-5), 100, "combined_cos", np.float32)


def fastai_flat_cosine() -> Adapted:
    """combine_scheds: the rates of fit_flat_cos, flat for three quarters and then a half cosine."""
    parts = [0.75, 0.25]
    return _fastai(
        lambda s: s.combine_scheds(parts, [s.SchedNo(1.0, 1.0), s.SchedCos(1.0, 0.0)]),
        100,
        "combine_scheds",
        np.float32,
    )


# scikit-learn
def sklearn_inverse_scaling() -> Adapted:
    """SGDOptimizer(lr_schedule="invscaling", power_t=0.5): the rate after each sample of an epoch was counted."""
    made = import_module("sklearn.neural_network._stochastic_optimizers")

    def schedule(step: Any) -> float:
        optimizer = made.SGDOptimizer([np.zeros(1)], learning_rate_init=1.0, lr_schedule="invscaling", power_t=0.5)
        if step:
            optimizer.iteration_ends(int(step))
        return float(optimizer.learning_rate)

    return Adapted(schedule, "sklearn.neural_network._stochastic_optimizers.SGDOptimizer")
