"""Wrong optimizers that ten drawn examples in the claim's settings do not meet: each is found by the part of P1 named.

One table: what is wrong, the formula, the property that finds it. Each passes P1 itself, so that nothing else did.
"""

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.adapters import Naive
from tinygrad_lr.verify.properties import PROPERTIES
from tinygrad_lr.verify.protocol import Case, PropertyViolation
from tinygrad_lr.verify.specification import spec

ESCAPES = {}


def escape(property_id, formula, **settings):
    def add(kind):
        ESCAPES[kind.__name__] = kind, property_id, spec(formula, **settings)
        return kind

    return add


def with_settings(change):
    """A step with hyperparameters that `change(hyperparameters, optimizer, i, g)` gives."""

    class Changed(Naive):
        def update(self, i, g, hyperparameters):
            super().update(i, g, {**hyperparameters, **change(hyperparameters, self, i, g)})

    return Changed


# Settings
@escape("P1.settings", "sgd", dialect="torch", momentum=0.9)
class NesterovForgetsTheGradient(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return new + (theta.dtype.type(spec["lr"]) * g if spec["nesterov"] else 0), after


@escape("P1.settings", "adam", dialect="torch")
class AmsgradForgetsTheLargest(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        if spec["amsgrad"]:
            after["max_exp_avg_sq"] = after["exp_avg_sq"]
        return new, after


@escape("P1.settings", "adamw", dialect="torch")
class DecaysUphillWhereItMaximizes(
    with_settings(lambda h, *_: {"weight_decay": -h["weight_decay"]} if h["maximize"] else {})
):
    """Two settings must meet: maximize and weight decay."""


# Changes and groups
@escape("P1.changes", "sgd", dialect="torch", momentum=0.9)
class RateInsideTheBuffer(Naive):
    get_state = set_state = None  # which would show it

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(lr_placement="inside"), theta, g, state, t)


@escape("P1.changes", "adam", dialect="torch")
class RateAStepLate(Naive):
    last = None

    def step(self, grads):
        now = [group["lr"] for group in self.groups]
        for group, lr in zip(self.groups, [*(self.last or now), *now], strict=False):
            group["lr"] = lr
        super().step(grads)
        for group, lr in zip(self.groups, now, strict=True):
            group["lr"] = lr
        self.last = now


@escape("P1.changes", "adam", dialect="torch")
class EpsilonReadOnce(with_settings(lambda h, self, *_: {"eps": self.__dict__.setdefault("first_eps", h["eps"])})):
    pass


@escape("P1.changes", "adamw", dialect="torch")
class LateGroupsHaveTheDefaults(Naive):
    def add_group(self, params, **hyperparameters):
        first = {key: value for key, value in self.groups[0].items() if key != "params"} if self.groups else {}
        super().add_group(params, **{**hyperparameters, **first})


@escape("P1.changes", "adam", dialect="torch")
class ALateGroupClearsTheState(Naive):
    def add_group(self, params, **hyperparameters):
        if self.params:
            self.state = [{} for _ in self.state]
        super().add_group(params, **hyperparameters)


@escape("P1.changes", "adam", dialect="torch")
class ForgetsTheThirdGroup(Naive):
    def update_all(self, grads):
        kept, self.groups = self.groups, self.groups[:2]
        super().update_all(grads)
        self.groups = kept


@escape("P1.changes", "qhm")
class MaximizesAsTheLastGroup(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, g, {**hyperparameters, "maximize": self.groups[-1]["maximize"]})


@escape("P1.changes", "adam", dialect="torch")
class PlacesEpsilonAsTheFirstGroup(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, g, {**hyperparameters, "eps_placement": self.groups[0]["eps_placement"]})


@escape("P1.sizes", "adam", dialect="torch")
class ALaunchTakes320(Naive):
    """As many as torch's multi-tensor kernels take at once."""

    def update_all(self, grads):
        super().update_all([g if i < 320 else None for i, g in enumerate(grads)])


# Sizes and shapes
def beyond(size, block):
    """The rest after blocks stays where it is, in vectors longer than one block."""

    class Stays(Naive):
        def write(self, i, theta, state):
            flat = self.params[i].reshape(-1)
            whole = flat.size if flat.size < size else flat.size - flat.size % block
            kept = np.array(flat[whole:])
            super().write(i, theta, state)
            self.params[i].reshape(-1)[whole:] = kept

    return Stays


@escape("P1.sizes", "adam", dialect="torch")
class TailOfFour(beyond(16, 4)):
    pass


@escape("P1.sizes", "adam", dialect="torch")
class RestOf2048(beyond(2048, 2048)):
    pass


@escape("P1.sizes", "adam", dialect="torch")
class WrongFromTheFirst4096On(beyond(4096, 4096)):
    pass


@escape("P1.sizes", "adamw", dialect="torch")
class NoDecayOfFourDimensions(with_settings(lambda h, self, i, g: {"weight_decay": 0.0} if g.ndim == 4 else {})):
    pass


@escape("P1.sizes", "adam", dialect="torch")
class MomentsByShape(Naive):
    def update(self, i, g, hyperparameters):
        same = [p.shape for p in self.params].index(g.shape)
        if self.state[same] and self.state[i]:
            self.state[i]["exp_avg"] = self.state[same]["exp_avg"]
        super().update(i, g, hyperparameters)


@escape("P1.sizes", "sgd", dialect="torch")
class OnlyThirtyTwoParameters(Naive):
    def update(self, i, g, hyperparameters):
        if i < 32:
            super().update(i, g, hyperparameters)


# Layouts
@escape("P1.layouts", "adam", dialect="torch")
class TransposedInMemorysOrder(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, np.ravel(g, order="K").reshape(g.shape), hyperparameters)


@escape("P1.layouts", "sgd", dialect="torch")
class SkipsWhatCannotBeWritten(Naive):
    def update(self, i, g, hyperparameters):
        if g.flags.writeable:
            super().update(i, g, hyperparameters)


@escape("P1.layouts", "sgd", dialect="torch")
class TransposedParametersStay(Naive):
    def add_group(self, params, **hyperparameters):
        self.transposed = {i for i, p in enumerate(params) if not p.flags.c_contiguous}
        super().add_group(params, **hyperparameters)

    def update(self, i, g, hyperparameters):
        if i not in self.transposed:
            super().update(i, g, hyperparameters)


@escape("P1.layouts", "sgd", dialect="torch")
class ReadsBackwardsForwards(Naive):
    def update(self, i, g, hyperparameters):
        backwards = g.ndim and g.strides[0] < 0
        super().update(i, g[::-1] if backwards else g, hyperparameters)


@escape("P1.layouts", "sgd", dialect="torch")
class SkipsRepeatedRows(Naive):
    def update(self, i, g, hyperparameters):
        if not g.ndim or g.strides[0]:
            super().update(i, g, hyperparameters)


@escape("P1.sizes", "sgd", dialect="torch")
class SwapsTheLastTwoOfMany(Naive):
    def step(self, grads):
        many = len(grads) > 32 and np.shape(grads[-1]) == np.shape(grads[-2])
        super().step([*grads[:-2], grads[-1], grads[-2]] if many else grads)


# Counts
def counted(change):
    class Counted(Naive):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec, theta, g, state, change(t))

    return Counted


@escape("P1.counts", "adam", dialect="torch")
class OneAheadAtStep1000(counted(lambda t: t + 1 if t == 1000 else t)):
    pass


@escape("P1.counts", "adam", dialect="torch")
class StopsAt1024(counted(lambda t: min(t, 1024))):
    pass


@escape("P1.counts", "adam", dialect="torch")
class StartsAgainAt65536(counted(lambda t: t % 65536 + 1 if t >= 65536 else t)):
    pass


# Dtypes
@escape("P1.dtypes", "adam", dialect="torch")
class Float64InSingle(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return new.astype(np.float32), after


@escape("P1.dtypes", "adam", dialect="torch")
class LoadsInSingle(Naive):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            for key in set(entry) - {"step"}:
                entry[key] = entry[key].astype(np.float32).astype(entry[key].dtype)


# Gradients that are not finite
@escape("P1.nonfinite", "adam", dialect="torch")
class OneNanSpoilsTheParameter(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g + np.sum(g * g.dtype.type(0)), state, t)


def reading(read):
    """A step with another gradient."""

    class Reads(Naive):
        def update(self, i, g, hyperparameters):
            super().update(i, np.asarray(read(g), g.dtype), hyperparameters)

    return Reads


@escape("P1.nonfinite", "lion")
class TakesInfinityForNan(reading(lambda g: np.where(np.isinf(g), np.nan, g))):
    """Lion's step at an infinite gradient is lr, a finite number."""


@escape("P1.nonfinite", "adamax", dialect="torch")
class TakesInfinityForTheLargest(reading(lambda g: np.clip(g, np.finfo(g.dtype).min, np.finfo(g.dtype).max))):
    pass


@escape("P1.nonfinite", "adam", dialect="torch")
class TakesNanForZero(reading(lambda g: np.where(np.isnan(g), 0, g))):
    pass


@escape("P1.nonfinite", "sgd", dialect="torch")
class StopsAtANan(Naive):
    stopped = False

    def step(self, grads):
        self.stopped |= any(g is not None and not np.isfinite(g).all() for g in grads)
        if not self.stopped:
            super().step(grads)


# Saving
@escape("P9.whole", "adam", dialect="torch")
class StatesMoveUpWhereOneHasNone(Naive):
    def set_state(self, state):
        super().set_state(state)
        self.state = [*filter(None, self.state), *({} for entry in self.state if not entry)]


@escape("P9.whole", "lars")
class LoadsNoSwitch(Naive):
    def set_state(self, state):
        kept = [group["always_adapt"] for group in self.groups]
        super().set_state(state)
        for group, value in zip(self.groups, kept, strict=True):
            group["always_adapt"] = value


# Buffers
@escape("P7.buffers", "adam", dialect="torch")
class KeepsTheGradient(Naive):
    """m is computed from the gradient of the step before where that array changed since."""

    def step(self, grads):
        old, seen = getattr(self, "old", None), [None if g is None else g.copy() for g in grads]
        if old is not None:
            grads = [
                g if g is None or k is None or np.array_equal(k, c) else g * 2
                for g, (k, c) in zip(grads, old, strict=True)
            ]
        self.old = list(zip(grads, seen, strict=True))
        super().step(grads)


@escape("P7.buffers", "sgd", dialect="torch")
class WritesIntoTheLastGradient(Naive):
    last = ()

    def step(self, grads):
        super().step(grads)
        for g in self.last:
            if g is not None:
                g *= 2
        self.last = grads


# Where two meet
@escape("P1.pairs", "adam", dialect="torch")
class AmsgradStopsAt1000(Naive):
    def formula(self, spec, theta, g, state, t):
        stopped = spec["amsgrad"] and t >= 999
        return super().formula(spec.having(amsgrad=False) if stopped else spec, theta, g, state, t)[0], (
            super().formula(spec, theta, g, state, t)[1]
        )


@escape("P1.pairs", "adamw", dialect="torch")
class LateTransposedGradientsDoNotDecay(Naive):
    def update(self, i, g, hyperparameters):
        late = len(self.groups) > 1 and i in self.groups[1]["params"]
        off = {"weight_decay": 0.0} if late and not g.flags.c_contiguous else {}
        super().update(i, g, {**hyperparameters, **off})


@pytest.mark.sampled(one_in=4)
@pytest.mark.parametrize("name", ESCAPES)
def test_a_wrong_optimizer_does_not_escape(name):
    kind, property_id, claim = ESCAPES[name]
    params = [np.ones(3, np.float32), np.full((2, 4), 0.5, np.float32)]
    gradients = [[np.full_like(p, g) for p in params] for g in (1.0, -0.5, 2.0)]
    case = Case(claim, params, gradients)
    PROPERTIES["P1"](adapters.naive(claim.name, kind), case)
    with pytest.raises(PropertyViolation, match=f"{property_id} is broken"):
        PROPERTIES[property_id](adapters.naive(claim.name, kind), case)


@pytest.mark.sampled(one_in=4)
@pytest.mark.parametrize("option, other", [("momentum_form", "corrected"), ("adjust_lr_fn", "columns")])
def test_where_float32_has_no_bound_the_formula_is_asked_in_float64(option, other):
    claim = spec("muon", dialect="torch")

    class OfAnotherOption(Naive):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec.having(**{option: other}), theta, g, state, t)

    class InFewBits(Naive):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec, theta, g.astype(np.float32).astype(g.dtype), state, t)

    found = {
        kind: verify.check_optimizer(adapters.naive("muon", kind), claim, max_examples=0, properties=["P1"])["P1"]
        for kind in (OfAnotherOption, Naive, InFewBits)
    }
    assert [each.outcome for each in found.values()] == ["failed", "passed", "not applicable"]
    assert found[OfAnotherOption].example["dtypes"][0] == "float64"
    assert "asked in float64" in found[Naive].reason and "fewer bits" in found[InFewBits].reason


def test_an_escape_is_made_small():
    kind, property_id, claim = ESCAPES["DecaysUphillWhereItMaximizes"]
    make = adapters.naive(claim.name, kind)
    example = verify.check_optimizer(make, claim, max_examples=0, properties=[property_id])[property_id].example
    assert example["hyperparameters"]["maximize"] and len(example["params"]) == len(example["gradients"]) == 1
