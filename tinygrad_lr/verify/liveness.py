"""P17: every hyperparameter that an optimizer advertises does something. Next: continuity.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import Broken, Case, Maker, ask, holds, state_of

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
    "alpha": ({"lambd": 0.5}, 0.4),
    "centered": ({"eps": 0.1}, True),
    "betas": ({}, (0.4, 0.7)),
    "amsgrad": ({"betas": (0.9, 0.5)}, True),
    "amsgrad_form": ({"amsgrad": True, "betas": (0.9, 0.5)}, None),
    "rho": ({}, 0.4),
    "eps_root": ({}, 0.5),
    "momentum_decay": ({"mu_form": "paper"}, 0.5),
    "mu_form": ({}, None),
    "threshold": ({"threshold": 4.0, "betas": (0.9, 0.9)}, 5.0),
    "bias_correction": ({}, None),
    "decay_form": ({"weight_decay": 2.0}, None),
    "etas": ({}, (0.3, 1.5)),
    "step_sizes": ({}, (0.09, 0.11)),
    "backtracking": ({}, None),
    "decay_placement": ({"weight_decay": 0.2}, None),
    "trust_coefficient": ({}, 0.01),
    "trust_form": ({"weight_decay": 0.2}, None),
    "lambd": ({}, 0.5),
    "t0": ({"t0": 5.0}, -1.0),
    "beta2_decay": ({}, -0.3),
    "epsilons": ({"lr": 0.3}, (0.5, 2.0)),
    "clip_threshold": ({}, 2.0),
    "floor_form": ({"epsilons": (0.5, 1e-3)}, None),
    "relative_step": ({"lr": 2.0}, False),
    "beta": ({}, 0.5),
    "l1": ({}, 0.5),
    "l2": ({}, 0.5),
    "l2_form": ({"l2": 0.5}, None),
    "min_norm": ({}, 5.0),
    "initial_distance": ({}, 1e-3),
    "correction_form": ({}, None),
    "first_form": ({}, None),
    "momentum_form": ({}, None),
    "scale_form": ({}, None),
    "coefficients": ({}, (3.0, -4.0, 2.0)),
    "iterations": ({}, 4),
    "eps_in_rate": ({"eps": 0.1}, True),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "lr_placement": ("inside", "outside"),
    "dampen_first_step": (True, False),
    "decoupled_weight_decay": (True, False),
    "amsgrad_form": ("paper", "torch", "optax"),
    "mu_form": ("paper", "torch", "constant"),
    "bias_correction": (True, False),
    "decay_form": ("proximal", "decoupled"),
    "backtracking": (True, False),
    "decay_placement": ("inside", "outside"),
    "trust_form": ("paper", "optax"),
    "floor_form": ("added", "clamped"),
    "relative_step": (True, False),
    "l2_form": ("paper", "doubled"),
    "correction_form": ("rate", "moment"),
    "first_form": ("zero", "same"),
    "momentum_form": ("average", "sum", "corrected"),
    "scale_form": ("rows", "columns", "rms"),
}
THREE = ("inside", "outside", "hat")
EPS_PLACEMENTS = {"adam": THREE, "adamw": THREE, "radam": ("outside", "hat")}
ONLY_IN_STATE = ("t0",)  # says when averaging begins, which the iterates do not feel


@holds("P17", "Every advertised hyperparameter changes some output.")
def everything_matters(make: Maker, case: Case) -> None:
    theta = np.array([0.5, -1.0, 2.0], np.float64)
    rows = [3.0, 1.0, -0.5], [0.1, -1.0, 0.2], [0.2, 0.5, -0.1]
    gradients = [np.array(row) * scale for scale in (1.0, 0.7, -1.3) for row in rows]  # RAdam waits for six steps
    spec = case.spec

    def final(settings: dict[str, Any], state: bool) -> bytes:
        subject = make([theta], **{**spec.hyperparameters, **settings})
        for t, g in enumerate(gradients):
            if t == 4 and hasattr(subject, "set_hyperparameters"):
                subject.set_hyperparameters(lr=0.25)  # where lr stands shows only when it changes
            subject.step([g.copy()])
        return (state_of(subject, 0)["ax"] if state else subject.params[0]).tobytes()

    for name in spec.all_names:
        context, changed = LIVENESS[name]
        context = {"lr": 0.1, **{key: value for key, value in context.items() if key in spec.all_names}}
        choices = CHOICES.get(name, ())
        if name == "betas":
            changed = (*changed, 0.6)[: len(spec["betas"])]
        if name == "eps_placement":
            choices = EPS_PLACEMENTS.get(spec.name, ("inside", "outside"))
        if name == "lr_placement":
            ask(make([theta], **spec.hyperparameters), "set_hyperparameters")
        if choices:
            settings = [{**context, name: choice} for choice in choices]
        else:
            base = {**context, name: not changed} if isinstance(changed, bool) else context
            settings = [base, {**context, name: changed}]
        outcomes = {final(setting, name in ONLY_IN_STATE) for setting in settings}
        if len(outcomes) < len(settings):
            values = [setting.get(name, "as given") for setting in settings]
            raise Broken(f"hyperparameter {name}", f"another result for each of {values}", "equal results")
