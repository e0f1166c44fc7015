"""Scenes: short runs in which a wrong candidate differs from the formula, or a right one does not.

A mutant that differs in no scene of its family is refused: it is the formula, written otherwise. A scene may set
hyperparameters in the middle, add a group, save and load, set the step count, hand gradients in other layouts or in the
same buffers again. Next: settings.py.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..protocol import Maker
from ..specification import Specification


@dataclass(frozen=True)
class Scene:
    """A run.

    Attributes:
        settings: with which it is built.
        shapes, dtype: of the parameters.
        steps: how many.
        changes: hyperparameters set before a step, counted from 0.
        late: shapes and hyperparameters of groups that join before a step.
        start: the step count that is set after the first step; 0: none.
        reload: steps before which a new optimizer continues from a saved state.
        save: steps before which the state is saved, and the optimizer goes on.
        layout: of the gradients: "", "transposed", "fortran", "strided", "reversed".
        reuse: whether each step hands the same arrays again, filled anew, and looks at them afterwards.
        missing: (step, parameter) without a gradient.
        special: (step, parameter, number): the first element of that gradient.
        scale: of the gradients.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((3,), (2, 4))
    dtype: str = "float64"
    steps: int = 4
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    late: Mapping[int, tuple[tuple[tuple[int, ...], ...], Mapping[str, Any]]] = field(default_factory=dict)
    start: int = 0
    reload: tuple[int, ...] = ()
    save: tuple[int, ...] = ()
    layout: str = ""
    reuse: bool = False
    missing: tuple[tuple[int, int], ...] = ()
    special: tuple[tuple[int, int, float], ...] = ()
    scale: float = 1.0

    def run(self, make: Maker) -> list[np.ndarray]:
        """The parameters after every step, and the gradients afterwards."""
        rng = np.random.default_rng(1)
        shapes = list(self.shapes)
        params = [np.asarray(rng.normal(size=shape), self.dtype) for shape in shapes]
        subject = make([laid_out(p, self.layout) for p in params], **self.settings)
        seen: list[np.ndarray] = []
        buffers: dict[int, np.ndarray] = {}
        handed: list[np.ndarray] = []
        for t in range(self.steps):
            if t in self.changes:
                subject.set_hyperparameters(**self.changes[t])
            if t in self.late:
                more, settings = self.late[t]
                subject.add_group([np.asarray(rng.normal(size=shape), self.dtype) for shape in more], **settings)
                shapes += more
            if t == 1 and self.start:
                state = subject.get_state()
                for entry in state["state"].values():
                    entry["step"] = self.start
                subject.set_state(state)
            if t in self.save:
                subject.get_state()
            if t in self.reload:
                saved = subject.get_state()
                subject = make([np.array(p) for p in subject.params], **self.settings)
                subject.set_state(saved)
            grads: list[Any] = []
            for i, shape in enumerate(shapes):
                value = np.asarray(self.scale * rng.normal(size=shape), self.dtype)
                for step, parameter, number in self.special:
                    if (t, i) == (step, parameter):
                        value.reshape(-1)[:1] = number
                if self.reuse:
                    kept = buffers.setdefault(i, value)
                    kept[...] = value
                    value = kept
                grads.append(None if (t, i) in self.missing else laid_out(value, self.layout))
            subject.step(grads)
            handed += [g for g in grads if g is not None]
            seen += [np.array(p) for p in subject.params]
        return seen + [np.array(g) for g in handed]


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in another layout of memory.

    Example:
        >>> laid_out(np.ones((2, 3)), "fortran").flags.c_contiguous
        False
    """
    if layout in ("transposed", "fortran"):
        return np.asfortranarray(array)
    if layout == "strided":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]) if array.ndim else (2,), array.dtype)
        view = wide[..., ::2] if array.ndim else wide[0:1].reshape(())
        view[...] = array
        return view
    if layout == "reversed" and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    return array


def differs(right: Maker, other: Maker, scene: Scene, tolerance: float) -> bool:
    """Whether two makers differ in a scene by more than `tolerance` times the largest number, or the other raises."""
    expected = scene.run(right)
    try:
        found = scene.run(other)
    except Exception:  # whatever it raises, it does not step
        return True
    return not agree(expected, found, tolerance)


def agree(expected: list[np.ndarray], found: list[np.ndarray], tolerance: float) -> bool:
    """Whether arrays agree; NaN agrees with NaN."""
    if [a.shape for a in expected] != [np.shape(b) for b in found]:
        return False
    for a, b in zip(expected, found, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        finite = np.abs(a[np.isfinite(a)])
        slack = tolerance * float(finite.max(initial=0.0))
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= slack)
        if not same.all():
            return False
    return True


# A value to try for each kind of setting: small changes of what a formula's default is.
VALUES: dict[str, Any] = {
    "lr": 0.05,
    "eps": 1e-2,
    "eps_root": 1e-2,
    "weight_decay": 0.1,
    "lambd": 0.1,
    "l1": 0.05,
    "l2": 0.3,
    "t0": 2.0,
    "threshold": 4.5,
    "ns_steps": 3,
    "momentum_decay": 0.3,
    "lr_decay": 0.2,
    "initial_accumulator_value": 0.3,
    "initial_distance": 0.05,
    "min_norm": 0.5,
    "alpha": 0.7,
    "step_sizes": (1e-3, 0.08),
    "etas": (0.4, 1.4),
    "epsilons": (1e-3, 1e-2),
    "ns_coefficients": (2.0, -1.5, 0.5),
    "beta2_decay": -0.6,
    "dampening": 0.3,
    "momentum": 0.8,
    "clip_threshold": 0.5,
}


def another_value(name: str, value: Any) -> Any:
    """A value that a setting may have besides the one it has.

    Example:
        >>> another_value("betas", (0.9, 0.999)), another_value("maximize", False)
        ((0.7, 0.95), True)
    """
    if isinstance(value, bool):
        return not value
    if name in VALUES:
        return VALUES[name]
    if isinstance(value, (tuple, list)):
        return tuple((0.7, 0.95, 0.8)[: len(value)])
    return value * 0.8 if value else 0.1


def others(claim: Specification, names: tuple[str, ...]) -> dict[str, Any]:
    """Another value of every setting."""
    return {name: another_value(name, claim[name]) for name in names}


def shapes_for(claim: Specification) -> tuple[tuple[int, ...], ...]:
    """Shapes that the formula takes: one parameter where all determine a step together."""
    if claim.family.coupled:
        return ((2, 4),)
    return ((3, 2), (2, 4)) if claim.family.dimensions else ((3,), (2, 4))


def together(claim: Specification, names: tuple[str, ...]) -> dict[str, Any]:
    """Other values of all numbers at once, so that a setting counts that needs another one (dampening: momentum)."""
    values = others(claim, names)
    return {name: value for name, value in values.items() if name != "maximize"}


def scenes_of(claim: Specification, names: tuple[str, ...], **more: Any) -> tuple[Scene, ...]:
    """A scene with the defaults, one for another value of each setting, and one for all of them together."""
    shapes = shapes_for(claim)
    found = [{"lr": 0.05} if "lr" in names else {}]
    found += [{"lr": 0.05, name: value} for name, value in others(claim, names).items()]
    found += [together(claim, names)]
    return tuple(Scene(**{"settings": settings, "shapes": shapes, "steps": 6, **more}) for settings in found)
