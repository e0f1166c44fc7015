"""Right, but not written as the reference is: what the kit must not accuse. Next: refusing.py.

Another order of evaluation, other memory, a state under other names or none. Each is held to the formula in runs of its
own: one that differs there by more than rounding is no candidate.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..specification import Specification
from .arithmetic import Fused
from .candidates import Candidate, Formulas, family
from .rewriting import FORMS, LOSE_RANGE, NAMES
from .scenes import shapes_for, together
from .subjects import Subject, check, claims, maker, optimizer, takes
from .syntax import computing, delegates, functions_of, rebuilt, same_formula, tree_of


def rewritten(formula: Callable[..., Any], rewriting: Callable[[], Any]) -> Callable[..., Any] | None:
    """The formula in another form; None where the pattern stands nowhere in it."""
    trees, used = {}, 0
    for function in functions_of(formula):
        transformer = rewriting()
        trees[function.__name__] = transformer.visit(copy.deepcopy(tree_of(function)))
        used += transformer.count
    return rebuilt(formula, trees, **NAMES) if used else None


@family(
    "unusual forms",
    "The same in exact arithmetic: lerp, reciprocals, other orders, running powers, folded decay.",
    right=True,
)
def forms(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        if delegates(claim.family.formula):
            continue
        for form, rewriting in FORMS.items():
            found = rewritten(claim.family.formula, rewriting)
            if found is not None:
                yield in_a_form(claim, form, found)


def in_a_form(claim: Specification, form: str, written: Callable[..., Any]) -> Candidate:
    """The formula, computed by another function."""
    make = maker(claim, computing(lambda: written))
    return Candidate(
        "unusual forms",
        form,
        claim.name,
        partial(check, make, claim),
        lambda: not same_formula(written, claim, 1e-10),
        ("P1.range",) if form in LOSE_RANGE else (),
    )


class InFloat64(Subject):
    """Computes in float64 and rounds the parameter and the state once."""

    def update(self, i, g, hyperparameters):
        p = self.params[i]
        self.params[i] = p.astype(np.float64)
        self.state[i] = {key: v if key == "step" else np.asarray(v, np.float64) for key, v in self.state[i].items()}
        super().update(i, g.astype(np.float64), hyperparameters)
        p[...] = self.params[i]
        self.params[i] = p
        self.keep(i, p.dtype)

    def keep(self, i, dtype):
        self.state[i] = {key: v if key == "step" else np.asarray(v, dtype) for key, v in self.state[i].items()}


class StateInFloat64(InFloat64):
    """Keeps its state in float64, too."""

    def keep(self, i, dtype):
        pass


class WithFma(Subject):
    """Multiplies and adds with one rounding."""

    def formula(self, spec, theta, g, state, t):
        lifted = {key: Fused(value) for key, value in state.items()}
        theta, after = spec.step(Fused(theta), Fused(g), lifted, t)
        return lowered(theta), {key: lowered(value) for key, value in after.items()}


def lowered(value: Any) -> Any:
    return value.value if isinstance(value, Fused) else value


class Functional(Subject):
    """Arrays are immutable: every step makes new ones, and `params` is a property."""

    def __init__(self, *arguments):
        self.arrays: list[Any] = []
        super().__init__(*arguments)

    @property
    def params(self):
        return list(self.arrays)

    @params.setter
    def params(self, arrays):
        self.arrays = arrays

    def add_group(self, params, **hyperparameters):
        start = len(self.arrays)
        self.arrays += [np.array(p) for p in params]
        self.state += [{} for _ in params]
        places = list(range(start, len(self.arrays)))
        self.groups.append({**self.defaults, **hyperparameters, "params": places})

    def write(self, i, theta, state):
        old = self.arrays[i]
        self.arrays[i] = np.array(theta, old.dtype).reshape(old.shape)
        for key, value in state.items():
            value = np.array(value, old.dtype)
            self.state[i][key] = value.reshape(old.shape) if value.size == old.size else value


class InBlocks(Subject):
    """Each parameter is worked through in blocks of seven elements."""

    width = 7

    def formula(self, spec, theta, g, state, t):
        if not theta.size:
            return super().formula(spec, theta, g, state, t)
        flat = {key: np.reshape(value, -1) for key, value in state.items()}
        parts, after = [], []
        for start in range(0, theta.size, self.width):
            here = slice(start, start + self.width)
            block = {key: value[here] for key, value in flat.items()}
            one, more = super().formula(spec, theta.reshape(-1)[here], np.reshape(g, -1)[here], block, t)
            parts.append(np.broadcast_to(one, theta.reshape(-1)[here].shape))
            after.append(more)
        joined = {key: np.concatenate([np.reshape(part[key], -1) for part in after]) for key in after[0]}
        return np.concatenate(parts).reshape(theta.shape), {k: v.reshape(theta.shape) for k, v in joined.items()}


class Flattened(Subject):
    """The state of all parameters is one flat array for each moment."""

    def get_state(self):
        state = super().get_state()
        entries = state["state"]
        started = [i for i in sorted(entries)]
        if not started:
            return {"state": {}, "param_groups": state["param_groups"], "started": []}
        keys = [key for key in entries[started[0]] if key != "step"]
        flat: dict[str, Any] = {
            key: np.concatenate([np.ravel(entries[i][key]) for i in started if key in entries[i]]) for key in keys
        }
        flat["step"] = max(int(entries[i]["step"]) for i in started)
        steps = [int(entries[i]["step"]) for i in started]
        return {"state": {0: flat}, "param_groups": state["param_groups"], "started": started, "steps": steps}

    def set_state(self, state):
        entries: dict[int, dict[str, Any]] = {}
        if state["state"]:
            flat = state["state"][0]
            if int(flat["step"]) != max(state["steps"]):  # who sets the count sets everyone's
                state = {**state, "steps": [int(flat["step"])] * len(state["steps"])}
            for key in (k for k in flat if k != "step"):
                start = 0
                for i, step in zip(state["started"], state["steps"], strict=True):
                    p = self.params[i]
                    piece = np.array(flat[key][start : start + p.size]).reshape(p.shape)
                    entries.setdefault(i, {"step": step})[key] = piece
                    start += p.size
            for i, step in zip(state["started"], state["steps"], strict=True):
                entries.setdefault(i, {"step": step})
        super().set_state({"state": entries, "param_groups": state["param_groups"]})


class Eager(Subject):
    """The state is made when the optimizer is built."""

    def add_group(self, params, **hyperparameters):
        start = len(self.params)
        super().add_group(params, **hyperparameters)
        spec = Specification(self.name, self.settings_of(len(self.groups) - 1))
        for i in range(start, len(self.params)):
            self.state[i] = {"step": 0, **self.initial_state(spec, self.params[i])}


SHORT = {"exp_avg": "m", "exp_avg_sq": "v", "momentum_buffer": "velocity", "square_avg": "variance", "sum": "G"}


class Renamed(Subject):
    """Its state has other names."""

    def rename(self, key):
        return key if key == "step" else SHORT.get(key, f"buffer_{key}")

    def outwards(self, key, value):
        return value

    def inwards(self, key, value):
        return value

    def get_state(self):
        state = super().get_state()
        state["state"] = {
            i: {self.rename(k): self.outwards(k, v) for k, v in entry.items()} for i, entry in state["state"].items()
        }
        self.known = {**getattr(self, "known", {}), **{self.rename(k): k for entry in self.state for k in entry}}
        return state

    def set_state(self, state):
        spec = Specification(self.name, self.settings_of(0))
        keys = ["step", *(self.initial_state(spec, self.params[0]) if self.params else ())]
        for entry in state["state"].values():
            keys += [k for k in (SHORT_BACK.get(n, n.removeprefix("buffer_")) for n in entry) if k not in keys]
        names = {self.rename(key): key for key in keys}
        entries = {
            i: {names[n]: self.inwards(names[n], v) for n, v in entry.items()} for i, entry in state["state"].items()
        }
        super().set_state({**state, "state": entries})


SHORT_BACK = {short: key for key, short in SHORT.items()}


class CountRenamed(Renamed):
    """The count has another name, too."""

    def rename(self, key):
        return "t" if key == "step" else super().rename(key)


class ScaledMoments(Renamed):
    """Moments are kept eight times as large and in float64, under other names."""

    def rename(self, key):
        return key if key == "step" else f"{super().rename(key)}_sum"

    def outwards(self, key, value):
        return value if key == "step" else np.asarray(value, np.float64) * 8  # which does not overflow

    def inwards(self, key, value):
        return value if key == "step" else value / 8

    def set_state(self, state):
        entries = {
            i: {k if k == "step" else k.removesuffix("_sum"): v for k, v in entry.items()}
            for i, entry in state["state"].items()
        }
        back = {
            i: {
                k if k == "step" else SHORT_BACK.get(k, k.removeprefix("buffer_")): self.inwards(k, v)
                for k, v in e.items()
            }
            for i, e in entries.items()
        }
        Subject.set_state(self, {**state, "state": back})
        for entry, p in zip(self.state, self.params, strict=True):
            entry |= {key: np.asarray(value, p.dtype) for key, value in entry.items() if key != "step"}


class StatesInAList(Subject):
    """The arrays of a parameter are a list."""

    def get_state(self):
        state = super().get_state()
        self.keys = next(([k for k in entry if k != "step"] for entry in self.state if entry), [])
        state["state"] = {
            i: {"step": entry["step"], "buffers": [entry[k] for k in entry if k != "step"]}
            for i, entry in state["state"].items()
        }
        state["keys"] = self.keys
        return state

    def set_state(self, state):
        entries = {
            i: {"step": e["step"], **dict(zip(state["keys"], e["buffers"], strict=False))}
            for i, e in state["state"].items()
        }
        super().set_state({"state": entries, "param_groups": state["param_groups"]})


class StatesInTuples(StatesInAList):
    """A parameter's state is a tuple."""

    def get_state(self):
        state = super().get_state()
        state["state"] = {i: (e["step"], *e["buffers"]) for i, e in state["state"].items()}
        return state

    def set_state(self, state):
        entries = {i: {"step": e[0], "buffers": list(e[1:])} for i, e in state["state"].items()}
        super().set_state({**state, "state": entries})


class CountIsAnArray(Subject):
    """The count is an array of float64 without dimensions."""

    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            entry["step"] = np.array(float(entry["step"]))
        return state

    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["step"] = int(entry["step"])


class CountersInGroups(Subject):
    """A group has counters and a buffer besides its settings."""

    def add_group(self, params, **hyperparameters):
        super().add_group(params, **hyperparameters)
        self.groups[-1] |= {"k": 0, "initial_lr": self.groups[-1].get("lr"), "buffer": [None] * 3}

    def settings_of(self, number):
        return {k: v for k, v in super().settings_of(number).items() if k not in ("k", "initial_lr", "buffer")}

    def update_all(self, grads):
        super().update_all(grads)
        for group in self.groups:
            group["k"] += 1


class Bare:
    """Parameters and a step, and nothing else."""

    def __init__(self, name: str, params: Any, hyperparameters: dict[str, Any]) -> None:
        self._inside = Subject(name, params, hyperparameters)

    @property
    def params(self):
        return self._inside.params

    def step(self, grads):
        return self._inside.step(grads)


class ReturnsSomething(Subject):
    """A step returns a dictionary of statistics."""

    def step(self, grads):
        super().step(grads)
        return {"norms": [float(np.abs(p).sum()) for p in self.params]}


class ParamsInATuple(Functional):
    """`params` is a tuple."""

    @property
    def params(self):
        return tuple(self.arrays)

    @params.setter
    def params(self, arrays):
        self.arrays = list(arrays)


# kind -> (the subject, whether the formula may be cut into elements: all; elementwise alone)
KINDS: dict[str, tuple[type[Any], bool]] = {
    "computes in float64": (InFloat64, False),
    "keeps its state in float64": (StateInFloat64, False),
    "multiplies and adds with one rounding": (WithFma, True),
    "makes new arrays": (Functional, False),
    "works in blocks": (InBlocks, True),
    "shows one flat state for all": (Flattened, True),
    "makes its state when it is built": (Eager, False),
    "has other names of states": (Renamed, False),
    "has other names of states and of the count": (CountRenamed, False),
    "keeps moments eightfold": (ScaledMoments, False),
    "has states in a list": (StatesInAList, False),
    "has states in a tuple": (StatesInTuples, False),
    "counts in an array": (CountIsAnArray, False),
    "has counters in its groups": (CountersInGroups, False),
    "shows nothing but parameters": (Bare, False),
    "returns something from a step": (ReturnsSomething, False),
    "has its parameters in a tuple": (ParamsInATuple, False),
    "is the formula": (Subject, False),
}


@family(
    "unusual memory",
    "Other memory or another state: functional, flat, blocks, FMA, float64, other names, none.",
    right=True,
)
def memory(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        whole = claim.having(**together(claim, takes(claim)))
        keys = whole.state_keys(np.ones(shapes_for(claim)[-1]))
        for kind, (subject, elementwise) in KINDS.items():
            if elementwise and (not claim.family.elementwise or claim.family.initial):
                continue
            if "state" in kind and not keys:
                continue
            tolerance = 1e-9
            yield optimizer("unusual memory", kind, claim.name, claim, subject, None, tolerance)
        yield optimizer(
            "unusual memory", "is the formula in float64", claim.name, claim, Subject, None, 1e-9, dtype="float64"
        )
