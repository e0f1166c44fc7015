"""Wrong formulas: published bugs, and a few made up, each as a small change of the naive reference.

A mutant is a subclass of `Naive` that overrides the part of a step with the bug. Next: decay.py, bookkeeping.py.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np

from ..adapters.naive import Naive
from ..formulas import sgd
from ..formulas.nadam import mu_of, product_of
from .catalogue import mutant

AMSGRAD: dict[str, Any] = {"amsgrad": True, "amsgrad_form": "torch", "betas": (0.9, 0.5)}
OUTSIDE: dict[str, Any] = {"eps_placement": "outside"}


# The five rules of `optim`
@mutant("adam", "P24", "torch #78807", entry="3a", also=("adamw",), **AMSGRAD)
class MaximumNeverStored(Naive):
    def write(self, i, theta, state):
        super().write(i, theta, {k: v for k, v in state.items() if k != "max_exp_avg_sq"})


@mutant("adam", "P24", "torch #4314", entry="3b", also=("adamw",), **AMSGRAD)
class MaximumRootedInPlace(Naive):
    def write(self, i, theta, state):
        super().write(i, theta, {**state, "max_exp_avg_sq": np.sqrt(state["max_exp_avg_sq"])})


@mutant("adam", "P28", "torch #22628, keras #17391", entry="5", also=("adamw",), eps=0.1, **OUTSIDE)
class EpsilonHat(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(eps_placement="hat"), theta, g, state, t)


@mutant("adam", "P1")
class OldMomentInTheUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        stale = {**state, "exp_avg": (state["exp_avg"] - 0.1 * g) / 0.9}
        return super().formula(spec, theta, g, stale, t)[0], after


@mutant("adam", "P27")
class EmitsThePreviousUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        update, self.previous = getattr(self, "previous", new * 0), new - theta
        return theta + (update if np.shape(update) == np.shape(theta) else 0), after


@mutant("sgd", "P1", "mxnet #8925", entry="7a", maximize=True, weight_decay=0.1)
class DecayInsideTheRescaledGradient(Naive):
    def formula(self, spec, theta, g, state, t):
        return sgd(theta, -(g + spec["weight_decay"] * theta), state, t, lr=spec["lr"])


@mutant("rmsprop", "P24", "mxnet #6235, torch and optax", entry="7b", centered=True, eps=1e-30, alpha=0.01)
class UnclampedVariance(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        variance = after["square_avg"] - after["grad_avg"] * after["grad_avg"]
        return theta - spec["lr"] * g / np.sqrt(variance + spec["eps"]), after


@mutant("adam", "P28", "Flux #789", entry="8a", also=("adamw",))
class BetaForBetaToTheT(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, 1)


@mutant("adam", "P28", "holocron #1", entry="8b", also=("adamw",))
class CorrectsTheStoredMoment(Naive):
    def formula(self, spec, theta, g, state, t):
        theta, after = super().formula(spec, theta, g, state, t)
        return theta, {**after, "exp_avg": after["exp_avg"] / (1 - spec["betas"][0] ** t)}


@mutant("adagrad", "P5", "entry 9a of the list", entry="9a")
class IndexNotAdvanced(Naive):
    def update(self, i, g, hyperparameters):
        for j in range(i):
            if self.state[j] and self.params[j].shape == self.params[i].shape:
                self.state[i] = self.state[j]
        super().update(i, g, hyperparameters)


@mutant("rmsprop", "P27", "PennyLane #1928", entry="9b")
class FirstStepWithoutOneMinusBeta(Naive):
    def formula(self, spec, theta, g, state, t):
        if t == 1:
            return theta - spec["lr"] * g / np.sqrt(g * g + spec["eps"]), {"square_avg": g * g}
        return super().formula(spec, theta, g, state, t)


@mutant("sgd", "P29", "AiDotNet #2008", entry="10a", momentum=0.9)
class MomentumOnTheGradient(Naive):
    def formula(self, spec, theta, g, state, t):
        b = state["momentum_buffer"] + spec["momentum"] * g
        return theta - spec["lr"] * b, {"momentum_buffer": b}


@mutant("adam", "P1", "entry 10b of the list", entry="10b", also=None, with_names=("betas",))
class ScalarsRoundedBeforeSubtracting(Naive):
    def formula(self, spec, theta, g, state, t):
        rounded = tuple(float(np.float32(b)) for b in spec["betas"])
        return super().formula(spec.having(betas=rounded), theta, g, state, t)


@mutant("sgd", "P29", "pytorch_optimizer #516", entry="11a", momentum=0.9)
class BufferZeroedEveryStep(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, {"momentum_buffer": state["momentum_buffer"] * 0}, t)


@mutant("sgd", "P7", "pytorch_optimizer #528", entry="11b", maximize=True)
class NegatesTheCallersGradient(Naive):
    def update(self, i, g, hyperparameters):
        g *= -1
        super().update(i, g, {**hyperparameters, "maximize": False})


@mutant("sgd", "P13")
class MaximizeDescends(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(maximize=False), theta, g, state, t)


@mutant("rmsprop", "P12", "pytorch_optimizer #480", entry="11c")
class EpsilonAfterTheReciprocalRoot(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g * (1 / np.sqrt(after["square_avg"]) + spec["eps"]), after


@mutant("adagrad", "P1", "pytorch_optimizer #347", entry="11d", initial_accumulator_value=0.5)
class DenominatorBeforeItsUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g / np.sqrt(state["sum"] + spec["eps"]), after


@mutant("rmsprop", "P20", "pytorch_optimizer #397", entry="11e", eps=1e-3)
class EpsilonTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g / (np.sqrt(after["square_avg"] + spec["eps"]) + spec["eps"]), after


@mutant("adam", "P27", "pytorch_optimizer #308", entry="11f", also=("adamw",))
class CorrectedTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return theta + (new - theta) / (1 - spec["betas"][0] ** t), after


@mutant("adam", "P28", "OLMo-core #317", entry="12", also=None)
class StepNeverIncremented(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, g, hyperparameters)
        self.state[i]["step"] = 0


@mutant("adam", "P17")
class AmsgradIgnored(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec.having(amsgrad=False), theta, g, state, t)
        return new, {**state, **after}


@mutant("adam", "P1.range")
class SquareOverflowsInADifference(Naive):
    def formula(self, spec, theta, g, state, t):
        b2, v = spec["betas"][1], state["exp_avg_sq"]
        _, after = super().formula(spec, theta, g, state, t)
        after["exp_avg_sq"] = v + (1 - b2) * (g * g - v)
        m_hat, v_hat = after["exp_avg"] / (1 - spec["betas"][0] ** t), after["exp_avg_sq"] / (1 - b2**t)
        return theta - spec["lr"] * m_hat / np.sqrt(v_hat + spec["eps"]), after


# Other rules
@mutant("rprop", "P27", "optax #1725", entry="6c", backtracking=False)
class EmitsTheUpdateOfTheStepBefore(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        stale = np.where(g * state["prev"] < 0, 0.0, state["step_size"] * np.sign(state["prev"]))
        return theta - stale.astype(theta.dtype), after


@mutant("adan", "P1", "optax #1715", bias_correction=True, decay_form="decoupled", eps_root=1e-8)
class OneMinusBeta2WhereBeta2IsMeant(Naive):
    def formula(self, spec, theta, g, state, t):
        b1, b2, b3 = spec["betas"]
        y = g - state["previous_grad"] if t > 1 else g * 0
        m = b1 * state["exp_avg"] + (1 - b1) * g
        v = b2 * state["exp_avg_diff"] + (1 - b2) * y
        n = b3 * state["exp_avg_sq"] + (1 - b3) * (g + (1 - b2) * y) ** 2
        after = {"exp_avg": m, "exp_avg_diff": v, "exp_avg_sq": n, "previous_grad": g}
        m, v, n = m / (1 - b1**t), v / (1 - b2**t), n / (1 - b3**t)
        return theta - spec["lr"] * (m + (1 - b2) * v) / (np.sqrt(n + spec["eps_root"]) + spec["eps"]), after


@mutant("radam", "P1", "torch and optax have 5 where the paper has 4", betas=(0.9, 0.99))
class ThresholdOfAnotherDialect(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(threshold=9.0 - spec["threshold"]), theta, g, state, t)


@mutant("adamax", "P23")
class NormOfTheLastGradientAlone(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        norm = 0.5 * np.abs(g) + spec["eps"]
        return theta - spec["lr"] * after["exp_avg"] / (1 - spec["betas"][0] ** t) / norm, after


@mutant("lion", "P22")
class TwiceTheSign(Naive):
    def formula(self, spec, theta, g, state, t):
        after, state = super().formula(spec, theta, g, state, t)
        return after + (after - theta), state


@mutant("adabelief", "P1", "optax #1130", entry="6a")
class VarianceAroundTheMomentBefore(Naive):
    def formula(self, spec, theta, g, state, t):
        b1, b2 = spec["betas"]
        m = b1 * state["exp_avg"] + (1 - b1) * g
        error = g - state["exp_avg"]
        s = b2 * state["exp_avg_var"] + (1 - b2) * (error * error) + spec["eps_root"]
        step = m / (1 - b1**t) / (np.sqrt(s / (1 - b2**t)) + spec["eps"])
        return theta - spec["lr"] * step, {"exp_avg": m, "exp_avg_var": s}


@mutant("yogi", "P1", "optax #288", entry="6b")
class SquaresTheSignedSquare(Naive):
    def formula(self, spec, theta, g, state, t):
        (b1, b2), v = spec["betas"], state["exp_avg_sq"]
        signed = np.sign(v - g * g) * (g * g)
        m, v = b1 * state["exp_avg"] + (1 - b1) * g, b2 * v + (1 - b2) * (signed * signed)
        after, c1, c2 = {"exp_avg": m, "exp_avg_sq": v}, 1.0, 1.0
        if spec["bias_correction"]:
            c1, c2 = 1 - b1**t, 1 - b2**t
        return theta - spec["lr"] * (m / c1) / (np.sqrt(v / c2) + spec["eps"]), after


@mutant("yogi", "P1", "optax 0.2.8", bias_correction=True)
class FirstMomentStartsWhereTheSecondDoes(Naive):
    def initial_state(self, spec, theta):
        state = super().initial_state(spec, theta)
        return {**state, "exp_avg": state["exp_avg_sq"].copy()}


def nadam_step(spec, theta, g, state, t, product, product_next):
    """NAdam's step, in torch's form, for products of mu up to this step and to the next."""
    (b1, b2), psi, form = spec["betas"], spec["momentum_decay"], spec["mu_form"]
    mu, mu_next = (mu_of(b1, psi, step, form) for step in (t, t + 1))
    m, v = b1 * state["exp_avg"] + (1 - b1) * g, b2 * state["exp_avg_sq"] + (1 - b2) * (g * g)
    m_hat = mu_next * m / (1 - product_next) + (1 - mu) * g / (1 - product)
    new = theta - spec["lr"] * m_hat / (np.sqrt(v / (1 - b2**t)) + spec["eps"])
    return new, {"exp_avg": m, "exp_avg_sq": v}


@mutant("nadam", "P1", "torch #92699", entry="1a", mu_form="torch")
class MuTwiceInTheProduct(Naive):
    def formula(self, spec, theta, g, state, t):
        arguments = spec["betas"][0], spec["momentum_decay"]
        product = product_of(*arguments, t, spec["mu_form"])
        mu, mu_next = (mu_of(*arguments, step, spec["mu_form"]) for step in (t, t + 1))
        return nadam_step(spec, theta, g, state, t, product, product * mu * mu_next)


@mutant("nadam", "P1", "TorchSharp #1154", entry="1b", mu_form="torch")
class MuProductStartsAtZero(Naive):
    def formula(self, spec, theta, g, state, t):
        return nadam_step(spec, theta, g, state, t, 0.0, 0.0)


@mutant("radam", "P17", "torch #92551", entry="2")
class EpsilonForgotten(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(eps=0.0), theta, g, state, t)


@mutant("lars", "P1", "Paddle #40892", entry="13")
class NoTrustRatioWithoutDecay(Naive):
    def formula(self, spec, theta, g, state, t):
        if spec["weight_decay"]:
            return super().formula(spec, theta, g, state, t)
        b = spec["momentum"] * state.get("momentum_buffer", 0.0) + spec["lr"] * g
        return theta - b, {"momentum_buffer": b} if spec["momentum"] else {}


@mutant("radam", "P30")
class RectifiedFromTheFirstStep(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return theta + (new - theta) * theta.dtype.type(0.9), after


@mutant("lamb", "P30")
class TrustRatioSquared(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        size = np.sqrt(np.sum(theta * theta))
        return (theta + (new - theta) * (size if size > 0 else theta.dtype.type(1))), after


@mutant("adam", "P30")
class RootOfTheLastSquareWithoutMomentum(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return (new, after) if spec["betas"][0] else (theta - spec["lr"] * np.sign(g), after)
