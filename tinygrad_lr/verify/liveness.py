"""P17: every hyperparameter that an optimizer advertises does something. Next: continuity.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import Broken, Case, Maker, ask, holds

# What must be set for a hyperparameter to matter, and what to change it to.
LIVENESS: dict[str, tuple[dict[str, Any], Any]] = {
    "lr": ({}, 0.5),
    "momentum": ({"nesterov": False}, 0.7),
    "dampening": ({"momentum": 0.6, "nesterov": False}, 0.3),
    "weight_decay": ({}, 0.2),
    "nesterov": ({"momentum": 0.6, "dampening": 0.0}, True),
    "maximize": ({}, True),
    "lr_placement": ({"momentum": 0.6, "nesterov": False}, None),
    "dampen_first_step": ({"momentum": 0.6, "dampening": 0.5, "nesterov": False}, None),
    "decoupled_weight_decay": ({"weight_decay": 0.2}, None),
    "lr_decay": ({}, 0.5),
    "initial_accumulator_value": ({}, 0.5),
    "eps": ({}, 0.5),
    "eps_placement": ({"eps": 0.5, "amsgrad": False}, None),
    "alpha": ({}, 0.4),
    "centered": ({"eps": 0.1}, True),
    "betas": ({}, (0.4, 0.7)),
    "amsgrad": ({"betas": (0.9, 0.5)}, True),
    "amsgrad_form": ({"amsgrad": True, "betas": (0.9, 0.5)}, None),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "lr_placement": ("inside", "outside"),
    "dampen_first_step": (True, False),
    "decoupled_weight_decay": (True, False),
    "amsgrad_form": ("paper", "torch", "optax"),
}


@holds("P17", "Every advertised hyperparameter changes some output.")
def everything_matters(make: Maker, case: Case) -> None:
    theta = np.array([0.5, -1.0, 2.0], np.float64)
    gradients = [np.array(g) for g in ([3.0, 1.0, -0.5], [0.1, -1.0, 0.2], [0.2, 0.5, -0.1])]
    spec = case.spec

    def final(settings: dict[str, Any]) -> np.ndarray:
        subject = make([theta], **{**spec.hyperparameters, **settings})
        for t, g in enumerate(gradients):
            if t == 1 and hasattr(subject, "set_hyperparameters"):
                subject.set_hyperparameters(lr=0.25)  # where lr stands shows only when it changes
            subject.step([g.copy()])
        return subject.params[0].copy()

    for name in spec.all_names:
        context, changed = LIVENESS[name]
        context = {"lr": 0.1, **{key: value for key, value in context.items() if key in spec.all_names}}
        choices = CHOICES.get(name, ())
        if name == "eps_placement":
            choices = ("inside", "outside", "hat") if spec.name in ("adam", "adamw") else ("inside", "outside")
        if name == "lr_placement":
            ask(make([theta], **spec.hyperparameters), "set_hyperparameters")
        if choices:
            settings = [{**context, name: choice} for choice in choices]
        else:
            base = {**context, name: not changed} if isinstance(changed, bool) else context
            settings = [base, {**context, name: changed}]
        outcomes = {final(setting).tobytes() for setting in settings}
        if len(outcomes) < len(settings):
            values = [setting.get(name, "as given") for setting in settings]
            raise Broken(f"hyperparameter {name}", f"another result for each of {values}", "equal results")
